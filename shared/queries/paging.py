"""Pages with a cursor: what a request may look at is bounded, however rarely a filter matches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class Page(Generic[Item]):
    """Items, and where the next page begins: None when there is none.

    A page may hold fewer items than asked for, even none, and still have a next one: then the filter did not
    match more of what one request looks at. `problems` names documents that could not be read.
    """

    items: list[Item]
    next: str | None
    problems: Sequence[str] = ()
