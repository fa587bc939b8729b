"""Checks that every listing's pages go through: a page that is not what was promised ends in an error."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from shared.errors import IncompleteRead

logger = logging.getLogger(__name__)

MOST_PAGES = 12_000
"""Of any listing. SafetyAmp has the smallest pages: 25 records, so that this is 300 000 of them, three times
the largest company that this is made for, and more than three hours of its calls."""

MOST_RECORDS = 1_000_000
"""Of a listing whose pages hold hundreds: ten times the largest company, guests and rooms and all."""

PAGES_WITHOUT_NEWS = 20
"""In a row, where the server says that there is more. An empty page is allowed (Graph, Samsara), and one that
repeats records too; so many are a server that goes round in a circle."""


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


class Pages:
    """The pages of one listing whose end the server tells, and an end to those of a server that does not."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._distinct = Distinct()
        self._without_news = 0
        self.count = 0
        self.records: list[dict[str, Any]] = []
        """Of all pages, each id once."""

    def add(self, records: Iterable[dict[str, Any]]) -> None:
        """Take the records of the next page, the last one too."""
        fresh = self._distinct.new(records)
        self.records += fresh
        self.count += 1
        self._without_news = 0 if fresh else self._without_news + 1

    def expect_more(self) -> None:
        """To be called before another page is asked for; raises IncompleteRead when there were too many."""
        if self._without_news >= PAGES_WITHOUT_NEWS:
            raise endless(self._source, f"{PAGES_WITHOUT_NEWS} pages in a row brought nothing new")
        if self.count >= MOST_PAGES or len(self.records) >= MOST_RECORDS:
            raise endless(self._source, f"{len(self.records)} records came on {self.count} pages")


def endless(source: str, what: str) -> IncompleteRead:
    """The error for a listing that is given up because it does not come to an end."""
    return IncompleteRead(f"{source}: {what} and still there are more, the listing would not end")
