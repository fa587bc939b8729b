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

    An outcome counts from when its process has told Redis: one that crashes before takes it along.
    `faults` are calls that began although the breaker was open, or beside another probe.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._failures = 0
        self._opened_at: datetime | None = None
        self._probe: int | None = None
        self._probe_at: datetime | None = None
        self._number = 0
        self._untold: dict[str, tuple[int, bool | None]] = {}
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
        return self._number

    def ends(self, number: int, owner: str, *, good: bool | None) -> None:
        """A call of the process `owner` has ended: well, badly, or (None) without saying anything about
        SafetyAmp's health."""
        self._untold[owner] = (number, good)

    def tells(self, owner: str) -> None:
        """A process has told Redis how its call ended."""
        if owner in self._untold:
            self._count(*self._untold.pop(owner))

    def crashes(self, owner: str) -> None:
        """Nobody hears of its last call."""
        self._untold.pop(owner, None)

    def _count(self, number: int, good: bool | None) -> None:
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
