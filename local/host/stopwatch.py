"""Measuring message handlers: how long they take and how much of it they wait."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from local.host.index import HostFunction
from shared.clock import Clock


@dataclass(frozen=True)
class HandlerFigures:
    """What message handlers did: how many ran, how long they took together, and how much of that time they
    slept."""

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
    """Measures message handlers by `clock`, in an app that is given this for its clock and does nothing else
    that sleeps."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.figures = HandlerFigures()
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)
        self._add(HandlerFigures(waited_seconds=seconds))

    def around(self, function: HostFunction) -> HostFunction:
        """The same function, measured if it handles messages."""
        if function.kind != "serviceBusTrigger":
            return function

        def call(**arguments: Any) -> Any:
            started = self._clock.monotonic()
            try:
                return function.call(**arguments)
            finally:
                self._add(HandlerFigures(1, self._clock.monotonic() - started))

        return replace(function, call=call)

    def _add(self, figures: HandlerFigures) -> None:
        with self._lock:
            self.figures += figures
