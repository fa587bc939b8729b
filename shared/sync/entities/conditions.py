"""Whether a record is in scope, and if not, which condition it failed: functions of a record's columns."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from shared.sync.entities import cleaning
from shared.sync.rules.fields import CONDITION_WORDS, PERSONAL

if TYPE_CHECKING:
    from shared.sync.rules.model import Condition, Scope

Get = Callable[[str], object]
"""Gives the raw value of a column."""

MOST_NAMED = 3
"""Of values and of filters, in a reason."""

_MEMBERS = {"is": "is_", "in": "in_"}

_CODE = re.compile(r"[A-Za-z0-9._/-]{1,20}")
_MOST_DIGITS = 8
_MOST_LETTERS = 4
"""Of a code without a digit: longer ones may be somebody's name."""


class Verdict(NamedTuple):
    """`filter`: the first one that admits the record, None when none does and when there is none. `why_not`:
    None for who is in scope; else what failed, filter by filter, fit for logs: of values only codes."""

    filter: str | None
    why_not: str | None

    @property
    def is_in(self) -> bool:
        """Whether the record is in scope."""
        return self.why_not is None


EVERYBODY = Verdict(None, None)


class _Clause(NamedTuple):
    holds: Callable[[Get], bool]
    condition: Condition


def compile_scope(filters: Sequence[Scope]) -> Callable[[Get], Verdict]:
    """Judges records by these filters: all are in scope when there are none."""
    compiled = [(one.name, [_Clause(compile_condition(each), each) for each in one.all]) for one in filters]

    def judge(get: Get) -> Verdict:
        if not compiled:
            return EVERYBODY
        failed: list[tuple[str, Condition]] = []
        for name, clauses in compiled:
            first = next((clause.condition for clause in clauses if not clause.holds(get)), None)
            if first is None:
                return Verdict(name, None)
            failed.append((name, first))
        return Verdict(None, _reason(failed, get))

    return judge


def compile_condition(condition: Condition) -> Callable[[Get], bool]:
    """Whether a record meets it; what cannot be compared, like a date that cannot be read, meets nothing."""
    column, empty, tests = condition.column, condition.empty, _tests(condition)

    def holds(get: Get) -> bool:
        value = get(column)
        if not cleaning.is_given(value):
            return empty is True
        if empty is True and not tests:
            return False
        return all(test(value) for test in tests)

    return holds


def _tests(condition: Condition) -> list[Callable[[object], bool]]:
    found: list[Callable[[object], bool]] = []
    if condition.is_ is not None:
        found.append(_among([condition.is_], is_wanted=True))
    if condition.in_ is not None:
        found.append(_among(condition.in_, is_wanted=True))
    if condition.is_not is not None:
        found.append(_among([condition.is_not], is_wanted=False))
    if condition.not_in is not None:
        found.append(_among(condition.not_in, is_wanted=False))
    if condition.starts_with is not None:
        found.append(_begins(folded(condition.starts_with) or ""))
    if condition.before is not None:
        found.append(_earlier(condition.before))
    if condition.after is not None:
        found.append(_later(condition.after))
    return found


def _among(wanted: Iterable[object], *, is_wanted: bool) -> Callable[[object], bool]:
    known = {folded(value) for value in wanted}

    def holds(value: object) -> bool:
        found = folded(value)
        return found is not None and (found in known) is is_wanted

    return holds


def _begins(start: str) -> Callable[[object], bool]:
    return lambda value: (folded(value) or "").startswith(start)


def _earlier(limit: date) -> Callable[[object], bool]:
    return lambda value: (day := _day(value)) is not None and day < limit


def _later(limit: date) -> Callable[[object], bool]:
    return lambda value: (day := _day(value)) is not None and day > limit


def folded(value: object) -> str | None:
    """The form in which values are compared: `  ab ` and AB are the same, 1, 1.0 and "1" too; true is 1. None
    for what is nothing, or no text and no number."""
    found = cleaning.code(int(value) if isinstance(value, bool) else value)
    if found is None or found.isascii():
        return None if found is None else found.casefold()
    return unicodedata.normalize("NFC", found).casefold()


def _day(value: object) -> date | None:
    """None also for a day that nobody entered (cleaning.EARLIEST_DAY)."""
    try:
        found = cleaning.day(value)
    except ValueError:
        return None
    return found if found is not None and found > cleaning.EARLIEST_DAY else None


def _reason(failed: Sequence[tuple[str, Condition]], get: Get) -> str:
    named = [f"{name}: {_failure(condition, get)}" for name, condition in failed[:MOST_NAMED]]
    more = len(failed) - len(named)
    return "; ".join(named) + (f"; and {more} more" if more else "")


def _failure(condition: Condition, get: Get) -> str:
    """`PRGroup is 3, not 1 or 2`."""
    column, value = condition.column, get(condition.column)
    if not cleaning.is_given(value):
        return f"{column} is empty"
    word, wanted = _word(condition)
    if word in ("before", "after"):
        return f"{column} {'is no date, and so not' if _day(value) is None else 'is not'} {word} {wanted[0]}"
    if word is None:
        return f"{column} is not empty"
    if folded(value) is None:
        return f"{column} holds no text and no number"
    shown = _shown(column, value)
    if word in ("is_not", "not_in"):
        return f"{column} is {f'{shown}, which is' if shown else 'one that is'} left out"
    known = [name for one in wanted[: MOST_NAMED + 1] if (name := _shown(column, one)) is not None]
    if word == "starts_with":
        return f"{column} {f'is {shown}, and ' if shown else ''}does not begin with {_wanted(known, 1)}"
    return f"{column} is {shown or 'something else'}, not {_wanted(known, len(wanted))}"


def _wanted(known: Sequence[str], count: int) -> str:
    """`1, 2 or 3`; without names where these are too many, or say too much."""
    if len(known) < count or count > MOST_NAMED:
        return "what is wanted" if count == 1 else f"one of the {count} wanted"
    return known[0] if count == 1 else f"{', '.join(known[:-1])} or {known[-1]}"


def _word(condition: Condition) -> tuple[str | None, Sequence[object]]:
    """Which word a condition has beside `empty`, and its values."""
    for word in CONDITION_WORDS:
        wanted = getattr(condition, _MEMBERS.get(word, word))
        if wanted is not None:
            return word, wanted if isinstance(wanted, tuple) else (wanted,)
    return None, ()


def _shown(column: str, value: object) -> str | None:
    """The value when it is a code; None for what may say who somebody is."""
    found = cleaning.code(int(value) if isinstance(value, bool) else value)
    if found is None or column.casefold() in PERSONAL or not _CODE.fullmatch(found):
        return None
    digits = sum(sign.isdecimal() for sign in found)
    return found if 0 < digits <= _MOST_DIGITS or (not digits and len(found) <= _MOST_LETTERS) else None
