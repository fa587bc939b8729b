"""Rows by their key; a key that is missing or occurs twice is rejected, because a guess would be needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from shared.sync.model import Rejected

Row = TypeVar("Row")


def by_key(
    rows: Iterable[Row], key_of: Callable[[Row], str | None], column: str, system: str
) -> tuple[dict[str, Row], list[Rejected]]:
    """Rows with a key of their own, in the order read, and a rejection for every other row.

    Keys are compared after `key_of` cleaned them, so `123.` and `123. ` are the same key: then neither row
    is used. `column` and `system` tell people where to mend it.
    """
    kept: dict[str, Row] = {}
    repeated: dict[str, int] = {}
    rejected: list[Rejected] = []
    for position, row in enumerate(rows, start=1):
        key = key_of(row)
        if key is None:
            rejected.append(_without_key(position, column, system))
        elif key in kept:
            repeated[key] = repeated.get(key, 1) + 1
        else:
            kept[key] = row
    for key, count in repeated.items():
        del kept[key]
        rejected.extend([_repeated(key, count, column, system)] * count)
    return kept, rejected


def _without_key(position: int, column: str, system: str) -> Rejected:
    return Rejected(
        f"? (row {position})", "invalid", f"{column} is empty: mend row {position} in {system}", column
    )


def _repeated(key: str, count: int, column: str, system: str) -> Rejected:
    rows = "two rows" if count == 2 else f"{count} rows"
    return Rejected(key, "invalid", f"{rows} have this key ({column}): mend in {system}", column)
