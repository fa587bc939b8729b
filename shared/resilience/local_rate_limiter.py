"""The sliding window of one process."""

from __future__ import annotations

import math
import threading

from shared.clock import Clock
from shared.resilience.rate_limiter import (
    LONGEST_CALL_SECONDS,
    Permit,
    Usage,
    bulk_limit,
    new_permit,
    rate_limited,
)

LEAST_CALLS = 6
"""Of a process with a share: a change is read, sent, and sent again without what is refused, after one or two
records that give something up for it, in one go. Where that had no place it would begin anew for ever."""


class LocalRateLimiter:
    """This process's window, and its memory of its own calls while the window is shared.

    With `share` below one it keeps to that part of the limit, so that `1 / share` processes that cannot
    see each other stay within it together. Where the share is less than `LEAST_CALLS` per period, it is so
    many per longer period.
    """

    def __init__(
        self,
        clock: Clock,
        calls: int,
        period: float,
        reserve: int = 0,
        share: float = 1.0,
        *,
        name: str = "upstream",
        longest_call_seconds: float = LONGEST_CALL_SECONDS,
    ) -> None:
        self._clock = clock
        self._name = name
        # 1e-9: three thirds of 60 calls must not become 59.
        least = min(LEAST_CALLS, calls) if share < 1 else 1
        self._limit = max(least, math.floor(calls * share + 1e-9))
        self._bulk_limit = max(least, bulk_limit(self._limit, math.ceil(reserve * share)))
        self._period = period * max(1.0, self._limit / (calls * share))
        self._longest_call = longest_call_seconds
        self._counted: dict[str, float] = {}
        self._blocked_until = -math.inf
        self._lock = threading.Lock()

    def acquire(self, *, interactive: bool = False) -> Permit:
        return self.admit(new_permit(), interactive=interactive)

    def admit(self, permit: Permit, *, interactive: bool = False) -> Permit:
        """As `acquire`, for a permit that the shared window may or may not have given."""
        with self._lock:
            now = self._clock.monotonic()
            self._forget_old(now)
            blocked = max(0.0, self._blocked_until - now)
            wait = max(blocked, self._wait(self._limit if interactive else self._bulk_limit, now))
            if wait > 0:
                raise rate_limited(self._name, wait, blocked)
            self._counted[permit.id] = now + self._longest_call
        return permit

    def complete(self, permit: Permit) -> None:
        with self._lock:
            self._counted[permit.id] = self._clock.monotonic()

    def block(self, seconds: float) -> None:
        with self._lock:
            self._blocked_until = max(self._blocked_until, self._clock.monotonic() + seconds)

    def usage(self) -> Usage:
        with self._lock:
            now = self._clock.monotonic()
            self._forget_old(now)
            return Usage(len(self._counted), self._limit, max(0.0, self._blocked_until - now))

    def remember(self, permit: Permit) -> None:
        """A call that the shared window permitted: it counts here too, beyond the share if need be."""
        with self._lock:
            self._counted[permit.id] = self._clock.monotonic() + self._longest_call

    def recent(self) -> list[tuple[str, float]]:
        """Id and age in seconds of this process's calls in the window; in flight: negative ages."""
        with self._lock:
            now = self._clock.monotonic()
            self._forget_old(now)
            return [(permit_id, now - counted) for permit_id, counted in self._counted.items()]

    def _forget_old(self, now: float) -> None:
        expired = [permit_id for permit_id, at in self._counted.items() if at + self._period <= now]
        for permit_id in expired:
            del self._counted[permit_id]

    def _wait(self, limit: int, now: float) -> float:
        used = len(self._counted)
        if used < limit:
            return 0.0
        # A call in flight stands in the future; it may end now, so a period from now is when to ask again.
        return min(sorted(self._counted.values())[used - limit], now) + self._period - now
