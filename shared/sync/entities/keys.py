"""Keys: their one normal form, and rows by their key.

A key that is missing, is none, or occurs twice is rejected, because a guess would be needed.
"""

from __future__ import annotations

import logging
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from shared.sync.entities import cleaning
from shared.sync.findings.causes import KeyCauses
from shared.sync.model import EntityName, Rejected

logger = logging.getLogger(__name__)

Row = TypeVar("Row")

LONGEST_SHOWN = 20
REGION_PREFIX = "region:"
"""Of the keys of regions, which are departments' parents."""


def title_key(name: object) -> str | None:
    """The form in which all spellings of a title (or a region) are equal that a reader would call the same:
    case, spaces and the width of letters (NFKC: what is typed on an East Asian keyboard) make no other."""
    cleaned = cleaning.text(name)
    if cleaned is None or (cleaned.isascii() and cleaned.islower()):
        return cleaned
    # Twice, because folding can undo the normal form and the normal form the folding.
    for _ in range(2):
        cleaned = unicodedata.normalize("NFKC", cleaned or "").casefold()
    return cleaning.text(cleaned)


def best_spelling(counted: Counter[str]) -> str:
    """The most frequent spelling; of equally frequent ones rather one with capitals and small letters."""
    return min(counted, key=lambda name: (-counted[name], name.isupper(), name.islower(), name))


def _department_key(key: object) -> str | None:
    if isinstance(key, str) and key.startswith(REGION_PREFIX):
        return REGION_PREFIX + (cleaning.text(key.removeprefix(REGION_PREFIX)) or "")
    return cleaning.code(key)


NORMAL_FORMS: Mapping[EntityName, Callable[[object], str | None]] = {
    "departments": _department_key,
    "jobs": cleaning.code,
    "titles": title_key,
    "employees": cleaning.number,
    "vehicles": cleaning.code,
}


def normal_key(entity: EntityName, key: str) -> str:
    """The key as source, SafetyAmp, state and requests have it, of a key as somebody or a document of
    another release writes it."""
    return NORMAL_FORMS[entity](key) or key


def by_key(
    rows: Iterable[Row],
    key_of: Callable[[Row], str | None],
    column: str,
    system: str,
    causes: KeyCauses,
    *,
    raw_of: Callable[[Row], object] = lambda _: None,
    rule: str = "no text",
) -> tuple[dict[str, Row], list[Rejected]]:
    """Rows with a key of their own, in the order read, and a rejection for every other row.

    Keys are compared after `key_of` cleaned them, so `123.` and `123. ` are the same key: then neither row
    is used. `column` and `system` tell people where to mend it; `rule` is what is wrong with a value (given
    by `raw_of`) that is no key, `causes` what the rejections have.
    """
    kept: dict[str, Row] = {}
    repeated: dict[str, int] = {}
    rejected: list[Rejected] = []
    for position, row in enumerate(rows, start=1):
        try:
            key = key_of(row)
        except Exception:
            logger.exception("%s of row %d in %s cannot be read", column, position, system)
            what = "cannot be read (see the log)"
            rejected.append(_rejected(position, column, system, what, causes))
            continue
        if key is None:
            rejected.append(_without_key(position, column, system, raw_of(row), rule, causes))
        elif key in kept:
            repeated[key] = repeated.get(key, 1) + 1
        else:
            kept[key] = row
    for key, count in repeated.items():
        del kept[key]
        rejected.extend([_repeated(key, count, column, system, causes)] * count)
    return kept, rejected


def _without_key(
    position: int, column: str, system: str, raw: object, rule: str, causes: KeyCauses
) -> Rejected:
    if not cleaning.is_given(raw):
        return _rejected(position, column, system, "is empty", causes)
    # A key is no personal data; a long text may be anything.
    shown = cleaning.text(raw)
    value = f" ({shown})" if shown is not None and len(shown) <= LONGEST_SHOWN else ""
    return _rejected(position, column, system, f"is {rule}{value}", causes)


def _rejected(position: int, column: str, system: str, what: str, causes: KeyCauses) -> Rejected:
    reason = f"{column} {what}: mend row {position} in {system}"
    return Rejected(f"? (row {position})", "invalid", reason, column, cause=causes.unusable)


def _repeated(key: str, count: int, column: str, system: str, causes: KeyCauses) -> Rejected:
    rows = "two rows" if count == 2 else f"{count} rows"
    reason = f"{rows} have this key ({column}): mend in {system}"
    return Rejected(key, "invalid", reason, column, cause=causes.repeated)
