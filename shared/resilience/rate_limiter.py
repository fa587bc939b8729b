"""Never more than so many calls in any window, as the upstream sees them, for all instances together.

The upstream counts a call somewhere between our sending and its answer. So a permit takes its slot when it
is given, and the slot becomes free one period after `complete`. A permit whose process died is taken to
have been counted as late as the longest call could last: its slot frees itself that much later. This costs
a crash one slot for a while, and is exact without any lease or clean-up.
"""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass
from typing import Protocol

from shared.clock import Clock
from shared.config import LEAST_FOR_BULK
from shared.errors import RateLimited

LONGEST_CALL_SECONDS = 60.0


@dataclass(frozen=True)
class Permit:
    """The right to make one call, to be handed to `complete` when the call has ended, however it did."""

    id: str


@dataclass(frozen=True)
class Usage:
    """`used` of `limit` slots are taken (None: no limit); no call at all for `blocked_seconds`."""

    used: int
    limit: int | None
    blocked_seconds: float


class RateLimiter(Protocol):
    """One upstream's limit."""

    def acquire(self, *, interactive: bool = False) -> Permit:
        """Take a slot. Does not wait: raises RateLimited with the delay until one may be free.

        Bulk work leaves the reserve to `interactive` work, that an operator waits for.
        """
        ...

    def complete(self, permit: Permit) -> None:
        """The call has ended (answered, failed or timed out); its slot is free one period from now."""
        ...

    def block(self, seconds: float) -> None:
        """The upstream asked for a pause: nobody may call for so long. Never shortens a longer pause."""
        ...

    def usage(self) -> Usage:
        """How full the window is now."""
        ...


class UnlimitedRateLimiter:
    """For upstreams without a known limit: only their own wish for a pause is obeyed, in this process."""

    def __init__(self, clock: Clock, name: str = "upstream") -> None:
        self._clock = clock
        self._name = name
        self._blocked_until = 0.0
        self._lock = threading.Lock()

    def acquire(self, *, interactive: bool = False) -> Permit:  # noqa: ARG002 - the port's signature
        blocked = self.usage().blocked_seconds
        if blocked > 0:
            raise rate_limited(self._name, blocked, blocked)
        return Permit("")

    def complete(self, permit: Permit) -> None:  # noqa: ARG002 - the port's signature
        return

    def block(self, seconds: float) -> None:
        with self._lock:
            self._blocked_until = max(self._blocked_until, self._clock.monotonic() + seconds)

    def usage(self) -> Usage:
        return Usage(0, None, max(0.0, self._blocked_until - self._clock.monotonic()))


def new_permit() -> Permit:
    """A permit of its own id."""
    return Permit(uuid.uuid4().hex)


def bulk_limit(limit: int, reserve: int) -> int:
    """Slots open to bulk work; at least `LEAST_FOR_BULK`: with fewer it would never come to an end."""
    return max(min(LEAST_FOR_BULK, limit), limit - reserve)


def rate_limited(name: str, wait: float, blocked: float) -> RateLimited:
    """The refusal for people and callers: `wait` seconds until a slot, `blocked` of them on request."""
    reason = "asked for a pause" if blocked >= wait else "has its window of calls full"
    return RateLimited(f"{name} {reason}; next call in {wait:.1f} s", wait)
