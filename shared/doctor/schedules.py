"""NCRONTAB, as far as a wrong schedule can be told without the host."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from shared.doctor.finding import Check, Finding

if TYPE_CHECKING:
    from shared.runtime import Runtime

NAMES = ("sync_schedule", "refresh_schedule", "sweep_schedule")
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("second", 0, 59, ()),
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day", 1, 31, ()),
    ("month", 1, 12, MONTHS),
    ("weekday", 0, 6, DAYS),
)
"""Name, smallest and greatest value, names of the values (any beginning of one will do).

The rules are those of the .NET library NCrontab, which Azure uses: `5/15` begins at 5, a range may stand the
wrong way round, and 7 is no Sunday (github.com/atifaziz/NCrontab, CrontabFieldImpl.cs).
"""

PART = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d+))?\Z")
ADVICE = 'Six fields, UTC: second minute hour day month weekday, such as "0 0 * * * *" for every full hour'


def check(runtime: Runtime) -> Iterator[Finding]:
    """Whether the three schedules can be understood."""
    good = True
    for name in NAMES:
        problem = schedule_problem(getattr(runtime.settings, name))
        if problem:
            good = False
            setting = name.upper()
            yield Finding("schedules", "failed", f"{setting}: {problem}", ADVICE, settings=(setting,))
    if good:
        seen = "the three schedules are valid NCRONTAB (times are UTC)"
        yield Finding("schedules", "ok", seen, settings=tuple(name.upper() for name in NAMES))


def schedule_problem(schedule: str) -> str | None:
    """What is wrong with a schedule; None for a valid one."""
    fields = schedule.split()
    if len(fields) != len(FIELDS):
        return f"{len(fields)} fields instead of {len(FIELDS)}"
    for text, (name, least, most, names) in zip(fields, FIELDS, strict=True):
        for part in text.split(","):
            if not _is_valid(part, least, most, names):
                return f"{part!r} is no {name} ({least} to {most})"
    return None


def _is_valid(part: str, least: int, most: int, names: tuple[str, ...]) -> bool:
    found = PART.match(part)
    if found is None:
        return False
    if found["first"] == "*":
        return found["last"] is None
    first = _value(found["first"], least, names)
    last = first if found["last"] is None else _value(found["last"], least, names)
    return all(value is not None and least <= value <= most for value in (first, last))


def _value(text: str, least: int, names: tuple[str, ...]) -> int | None:
    for value, name in enumerate(names, least):
        if name.startswith(text.lower()):
            return value
    return int(text) if text.isdecimal() else None


CHECK = Check("schedules", check, ADVICE)
