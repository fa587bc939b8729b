"""Checks that every listing's pages go through: a page that is not what was promised ends in an error."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from shared.errors import IncompleteRead

logger = logging.getLogger(__name__)


def member(body: Any, name: str, what: str) -> Any:
    """`body[name]`; raises IncompleteRead, with `what` in its text, when there is no such member."""
    if isinstance(body, dict) and name in body:
        return body[name]
    raise IncompleteRead(f"{what}: the answer has no '{name}'")


def checked_records(value: Any, what: str, *, keep_odd: bool = False) -> list[dict[str, Any]]:
    """The objects of the list `value` that have an id; single others are told in the log and left out, or
    with `keep_odd` are objects without anything, so that somebody can report their place.

    Raises IncompleteRead when it is no list, or when not one of its records has an id: then the answer has
    another form than was promised.
    """
    if not isinstance(value, list):
        raise IncompleteRead(f"{what}: a list was promised, a {type(value).__name__} came")
    good = [record for record in value if _is_record(record)]
    if value and not good:
        raise IncompleteRead(f"{what}: record 1 of the page has no id")
    if len(good) < len(value):
        logger.warning(
            "%s: %d of %d records have no id and are left out", what, len(value) - len(good), len(value)
        )
    if keep_odd:
        return [record if _is_record(record) else {} for record in value]
    return good


def _is_record(value: Any) -> bool:
    return isinstance(value, dict) and is_id(value.get("id"))


def is_id(value: Any) -> bool:
    """Whether a value can be an id: a number, or a text that is not empty."""
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, str) and value != ""
    )


class Distinct:
    """Keeps the first record of each id; pages repeat records when something is inserted meanwhile."""

    def __init__(self) -> None:
        self._seen: set[int | str] = set()

    def new(self, records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """The records whose id has not come before."""
        fresh = []
        for record in records:
            record_id = record.get("id")
            if record_id not in self._seen:
                fresh.append(record)
                if record_id is not None:
                    self._seen.add(record_id)
        return fresh
