"""What a read proves: records come with a receipt, or the read raises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Record = TypeVar("Record")


@dataclass(frozen=True)
class Receipt:
    """How a listing or query ended.

    `source` names the system and what was read ("SafetyAmp users"), `pages` counts requests (1 for a
    query), `ended` says how the end was recognised ("empty page", "last cursor", "end of rows").
    """

    source: str
    records: int
    pages: int
    ended: str


@dataclass(frozen=True)
class Reading(Generic[Record]):
    """A complete read. An empty list means "there is nothing", never "it failed"."""

    records: list[Record]
    receipt: Receipt
