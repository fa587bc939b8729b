"""Watches, at SafetyAmp's door, whether calls are made that an open breaker must not let through."""

from __future__ import annotations

from datetime import datetime, timedelta

from local.fake_clock import FakeClock

THRESHOLD = 5
RECOVERY = timedelta(seconds=60)
PROBE_LEASE = timedelta(seconds=60)
ROUNDING = timedelta(milliseconds=5)


class BreakerWatch:
    """Follows the outcomes of all processes' calls, with the breaker's documented rules.

    `faults` are calls that began although the breaker was open, or beside another probe.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._failures = 0
        self._opened_at: datetime | None = None
        self._probe: int | None = None
        self._probe_at: datetime | None = None
        self._number = 0
        self._before_opening: set[int] = set()
        self._in_flight: set[int] = set()
        self.openings = 0
        self.faults: list[str] = []

    def begins(self) -> int:
        """A call begins; returns its number."""
        self._number += 1
        now = self._clock.now()
        # A call let through at the very moment of the opening is an ordinary one.
        if self._opened_at is not None and now > self._opened_at + ROUNDING:
            if now < self._opened_at + RECOVERY - ROUNDING:
                self.faults.append(
                    f"a call at {now:%H:%M:%S.%f} although open since {self._opened_at:%H:%M:%S.%f}"
                )
            elif self._probe_at is not None and now < self._probe_at + PROBE_LEASE - ROUNDING:
                self.faults.append(f"a second probe at {now:%H:%M:%S.%f} beside {self._probe_at:%H:%M:%S.%f}")
            self._probe, self._probe_at = self._number, now
        self._in_flight.add(self._number)
        return self._number

    def ends(self, number: int, *, good: bool | None) -> None:
        """A call has ended: well, badly, or (None) without saying anything about SafetyAmp's health."""
        self._in_flight.discard(number)
        is_probe = number == self._probe
        if self._opened_at is not None and not is_probe:
            return
        if is_probe:
            self._probe = self._probe_at = None
        if good is None:
            return
        if good:
            self._failures, self._opened_at = 0, None
        else:
            self._failures += 1
            if is_probe or self._failures >= THRESHOLD:
                self._opened_at = self._clock.now()
                self.openings += 1
