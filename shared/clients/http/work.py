"""What a handler works under: one value, handed down to the clients that call for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from shared.clients.http.call_meter import Meter
from shared.errors import Stopping

Lane = Literal["bulk", "interactive"]

LOOK_AGAIN_SECONDS = 1.0


def _nothing() -> None:
    """Nothing has to be kept alive."""


@dataclass(frozen=True)
class Work:
    """`lane`: an operator waits for what is "interactive"; its calls may use the limiter's reserve. `meter`
    counts what the calls cost. `keep_alive` is called before each, and what it raises ends the call that was
    about to be made: it lets whoever holds a lease renew it without a thread, and without the clients knowing
    of leases. At `deadline`, by the clock's monotonic time, no call is begun any more.
    """

    lane: Lane = "bulk"
    meter: Meter = field(default_factory=Meter)
    keep_alive: Callable[[], None] = _nothing
    deadline: float = math.inf

    def keeping(self, keep_alive: Callable[[], None]) -> Work:
        """The same work, by which this is kept alive, too."""
        outer = self.keep_alive

        def both() -> None:
            outer()
            keep_alive()

        return replace(self, keep_alive=both)

    def before_call(self, now: float) -> None:
        """Raises Stopping when it is too late for another call, and what `keep_alive` raises."""
        if now >= self.deadline:
            raise Stopping("nobody waits for the answer any longer", LOOK_AGAIN_SECONDS)
        self.keep_alive()
