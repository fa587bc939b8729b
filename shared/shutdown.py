"""Ending a process that is told to end, by SIGTERM: the change under way is finished, its progress stored,
and the rest handed on in a message for another process.

A courtesy, not a guarantee: Azure's host kills its worker without a signal that Python could hear. Then
leases run out, what was written once stays, and the sweep sends the rest again, as after any crash.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from shared.errors import Stopping

GRACE_SECONDS = 25.0
"""How long a process that was told to end waits for its handlers. Container platforms usually kill 30 s after
the signal; a call that takes longer is cut off and looked up by whoever goes on."""

HANDED_ON_SECONDS = 5.0
"""Later than at once: a host that has not heard of the end yet would give the message to the same process."""


class Shutdown:
    """Whether this process is about to end, and how many handlers are at work in it."""

    def __init__(self) -> None:
        self._begun = threading.Event()
        self._at_work = 0
        self._idle = threading.Condition()

    @property
    def begun(self) -> bool:
        """Whether it is."""
        return self._begun.is_set()

    def begin(self) -> None:
        """From now on no handler begins another call."""
        self._begun.set()

    def check(self) -> None:
        """Raises Stopping once the end has begun."""
        if self._begun.is_set():
            raise Stopping("this process is about to end", HANDED_ON_SECONDS)

    @contextmanager
    def working(self) -> Iterator[None]:
        """A handler at work."""
        with self._idle:
            self._at_work += 1
        try:
            yield
        finally:
            with self._idle:
                self._at_work -= 1
                self._idle.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait until no handler is at work; False when it took too long."""
        with self._idle:
            return self._idle.wait_for(lambda: self._at_work == 0, seconds)


def end_gracefully(shutdown: Shutdown, grace_seconds: float = GRACE_SECONDS) -> None:
    """Make SIGTERM begin the shutdown; the signal then takes its usual effect when the handlers are done or
    `grace_seconds` have passed, and a second one at once. Call it in the main thread."""
    usual = signal.getsignal(signal.SIGTERM)

    def finish() -> None:
        shutdown.begin()
        shutdown.wait(grace_seconds)
        os.kill(os.getpid(), signal.SIGTERM)

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, usual)
        threading.Thread(target=finish, name="shutdown", daemon=True).start()

    signal.signal(signal.SIGTERM, on_signal)
