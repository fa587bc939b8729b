"""Checks that every listing's pages go through: a page that is not what was promised ends in an error."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shared.errors import IncompleteRead


def member(body: Any, name: str, what: str) -> Any:
    """`body[name]`; raises IncompleteRead, with `what` in its text, when there is no such member."""
    if isinstance(body, dict) and name in body:
        return body[name]
    raise IncompleteRead(f"{what}: the answer has no '{name}'")


def checked_records(value: Any, what: str) -> list[dict[str, Any]]:
    """`value` itself when it is a list of objects with an id each; raises IncompleteRead otherwise."""
    if not isinstance(value, list):
        raise IncompleteRead(f"{what}: a list was promised, a {type(value).__name__} came")
    for number, record in enumerate(value, start=1):
        if not isinstance(record, dict) or not is_id(record.get("id")):
            raise IncompleteRead(f"{what}: record {number} of the page has no id")
    return value


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
            if record["id"] not in self._seen:
                self._seen.add(record["id"])
                fresh.append(record)
        return fresh
