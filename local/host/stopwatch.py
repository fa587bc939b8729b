"""Measuring message handlers: how long they take and how much of it they wait."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Any

from local.host.index import HostFunction
from shared.clients.http.call_meter import metered
from shared.clock import Clock


@dataclass(frozen=True)
class HandlerFigures:
    """What message handlers did: how many ran, how long they took together, and how much of that time they
    slept for the limiter, a Retry-After or another attempt (`shared.clients.http.call_meter`)."""

    handlers: int = 0
    handler_seconds: float = 0.0
    waited_seconds: float = 0.0

    def __add__(self, other: HandlerFigures) -> HandlerFigures:
        return HandlerFigures(
            self.handlers + other.handlers,
            self.handler_seconds + other.handler_seconds,
            self.waited_seconds + other.waited_seconds,
        )


class Stopwatch:
    """Measures message handlers by `clock`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.figures = HandlerFigures()
        self._lock = threading.Lock()

    def around(self, function: HostFunction) -> HostFunction:
        """The same function, measured if it handles messages."""
        if function.kind != "serviceBusTrigger":
            return function

        def call(**arguments: Any) -> Any:
            started = self._clock.monotonic()
            with metered() as meter:
                try:
                    return function.call(**arguments)
                finally:
                    self._add(HandlerFigures(1, self._clock.monotonic() - started, meter.waited_seconds))

        return replace(function, call=call)

    def _add(self, figures: HandlerFigures) -> None:
        with self._lock:
            self.figures += figures
