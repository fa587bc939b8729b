"""A clock that moves only when told to, for tests and for runs in virtual time."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class FakeClock:
    """Implements `shared.clock.Clock`; `sleep` moves the time on and returns at once.

    `sleeps` keeps every duration that was slept, in seconds, in order. Safe to share between threads: one
    value is read at once, and only moving on takes the lock.
    """

    def __init__(self, start: datetime = START) -> None:
        if start.tzinfo is None:
            raise ValueError("FakeClock needs an aware start time, for example datetime(..., tzinfo=UTC)")
        self._now = start.astimezone(UTC)
        self._monotonic = 1000.0
        self._lock = threading.Lock()
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.advance(max(0.0, seconds))

    def advance(self, by: float | timedelta) -> None:
        """Move the time on by seconds or a timedelta; going back raises ValueError."""
        step = by if isinstance(by, timedelta) else timedelta(seconds=by)
        if step < timedelta():
            raise ValueError("a FakeClock only moves forward")
        with self._lock:
            self._now += step
            self._monotonic += step.total_seconds()

    def advance_to(self, moment: datetime) -> None:
        """Move on to `moment`; nothing happens when it has passed already."""
        with self._lock:
            step = moment - self._now
            if step > timedelta():
                self._now += step
                self._monotonic += step.total_seconds()
