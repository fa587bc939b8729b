"""When a run will have done what is planned so far, from how fast it went."""

from __future__ import annotations

from collections.abc import Callable

STALL_SECONDS = 3.0
"""Longer without a change is a wait for SafetyAmp's window: a pace is measured from one window's begin to
another's, or it would be right only in the middle of them."""

FEWEST_CHANGES = 20
"""Before so many are done nobody can tell."""


class Forecast:
    """Told how far a run has come, as often as it is looked at."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began: float | None = None
        self._moved_at = 0.0
        self._done = 0
        self._anchor: tuple[float, int] | None = None

    def seconds_left(self, done: int, planned: int) -> float | None:
        """Until `planned` changes are `done`; None where it cannot be told, or nothing is left."""
        now = self._clock()
        if self._began is None:
            self._began = self._moved_at = now
        if done > self._done:
            if now - self._moved_at > STALL_SECONDS and self._done >= FEWEST_CHANGES:
                self._anchor = (now, self._done)
            self._moved_at, self._done = now, done
        at, made = self._anchor or (self._moved_at, self._done)
        is_waiting = self._anchor is None and now - self._moved_at > STALL_SECONDS
        if planned <= done or made < FEWEST_CHANGES or is_waiting or at <= self._began:
            return None
        return max(0.0, planned * (at - self._began) / made - (now - self._began))


def told(seconds: float) -> str:
    """No more exact than it is known."""
    if seconds < 50:
        return f"{max(10, round(seconds / 10) * 10)} s"
    minutes = round(seconds / 60)
    return f"{max(1, minutes)} min" if minutes < 90 else f"{seconds / 3600:.1f} h"
