"""The upstream's own count of calls: an exact sliding window."""

from __future__ import annotations

from collections import deque

from shared.clock import Clock


class CallWindow:
    """At most `calls` accepted calls in any `period` seconds; `calls` None counts and refuses nothing.

    `peak` is the greatest number of accepted calls that any one window held, `refused` counts the others.
    """

    def __init__(self, clock: Clock, calls: int | None, period: float) -> None:
        self.calls = calls
        self.period = period
        self.peak = 0
        self.refused = 0
        self._clock = clock
        self._accepted: deque[float] = deque()

    def take(self) -> float | None:
        """Count one call: None when it is accepted, else the seconds until a place is free."""
        now = self._clock.monotonic()
        self._forget(now)
        if self.calls is not None and len(self._accepted) >= self.calls:
            self.refused += 1
            return self._accepted[0] + self.period - now
        self._accepted.append(now)
        self.peak = max(self.peak, len(self._accepted))
        return None

    def remaining(self) -> int:
        """Places that are free now (0 when nothing limits: there is no figure to tell)."""
        self._forget(self._clock.monotonic())
        return max(0, (self.calls or 0) - len(self._accepted))

    def _forget(self, now: float) -> None:
        while self._accepted and now - self._accepted[0] >= self.period:
            self._accepted.popleft()
