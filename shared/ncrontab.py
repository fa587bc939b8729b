"""When a timer's schedule comes next, by NCRONTAB's own rules.

Own code, because the libraries know Vixie cron's rules: there a day of the month *or* a weekday is enough,
in NCRONTAB both must match; there `5/15` is no expression, ranges cannot be turned round, and 7 is a Sunday.
Azure evaluates schedules with the .NET library NCrontab (github.com/atifaziz/NCrontab: CrontabFieldImpl.cs
for the parsing, CrontabField.cs for ranges, CrontabSchedule.cs for the next occurrence), in UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")

SEARCH = timedelta(days=366 * 9)
"""Over every leap year, the pause around a century's turn included: what is not found within never comes."""


@dataclass(frozen=True)
class _Field:
    name: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()

    def values(self, text: str) -> frozenset[int]:
        """The values that match. Raises ValueError."""
        return frozenset(value for part in text.split(",") for value in self._matching(part))

    def _matching(self, part: str) -> range:
        try:
            return self._part(part)
        except ValueError:
            raise ValueError(f"{part!r} is no {self.name} ({self.lowest} to {self.highest})") from None

    def _part(self, text: str) -> range:
        span, slash, step = text.partition("/")
        every = max(1, int(step)) if slash else 1
        if span == "*":
            return range(self.lowest, self.highest + 1, every)
        first, dash, last = span.partition("-")
        start = self._value(first)
        end = self._value(last) if dash else self.highest if slash else start
        start, end = min(start, end), max(start, end)
        return range(start, end + 1, every)

    def _value(self, text: str) -> int:
        value = int(text) if text.isascii() and text.isdigit() else self._named(text)
        if not self.lowest <= value <= self.highest:
            raise ValueError
        return value

    def _named(self, text: str) -> int:
        for number, name in enumerate(self.names, self.lowest):
            if text and name.lower().startswith(text.lower()):
                return number
        raise ValueError


FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, MONTHS),
    _Field("weekday", 0, 6, WEEKDAYS),
)


def next_time(schedule: str, after: datetime) -> datetime | None:
    """The first moment of `schedule` after `after`, in the same time zone (Azure's is UTC); None when there
    is none (the 31st of February). Raises ValueError, with what is wrong, for what is no NCRONTAB expression
    of six fields."""
    texts = schedule.split()
    if len(texts) != len(FIELDS):
        raise ValueError(f"{len(texts)} fields instead of six: second minute hour day month weekday")
    matching = [field.values(text) for field, text in zip(FIELDS, texts, strict=True)]
    seconds, minutes, hours, days, months, weekdays = matching
    for midnight in _midnights(after):
        # isoweekday: Monday is 1, Sunday 7.
        if midnight.day in days and midnight.month in months and midnight.isoweekday() % 7 in weekdays:
            earliest = after.time() if midnight.date() == after.date() else None
            if (found := _next_in_day(sorted(hours), sorted(minutes), sorted(seconds), earliest)) is not None:
                return midnight.replace(hour=found.hour, minute=found.minute, second=found.second)
    return None


def _midnights(after: datetime) -> Iterator[datetime]:
    today = after.replace(hour=0, minute=0, second=0, microsecond=0)
    for number in range(SEARCH.days):
        yield today + timedelta(days=number)


def _next_in_day(hours: list[int], minutes: list[int], seconds: list[int], after: time | None) -> time | None:
    """The first time of day later than `after`; None when the day has no more."""
    for hour in hours:
        if after is not None and hour < after.hour:
            continue
        for minute in minutes:
            if after is not None and (hour, minute) < (after.hour, after.minute):
                continue
            for second in seconds:
                # Whole seconds: a moment within a second counts as that second.
                if after is None or (hour, minute, second) > (after.hour, after.minute, after.second):
                    return time(hour, minute, second)
    return None
