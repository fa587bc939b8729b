"""What the benchmark says of handlers: how many, how long, and how much of it they slept."""

from __future__ import annotations

from typing import Any

import pytest

from local.fake_clock import FakeClock
from local.host.index import HostFunction
from local.host.stopwatch import HandlerFigures, Stopwatch


@pytest.mark.parametrize(
    ("kind", "figures"),
    [
        ("serviceBusTrigger", HandlerFigures(1, 5.0, 2.0)),
        ("timerTrigger", HandlerFigures(waited_seconds=2.0)),
    ],
)
def test_handlers_of_messages_are_measured_and_what_the_app_sleeps(
    kind: str, figures: HandlerFigures
) -> None:
    clock = FakeClock()
    stopwatch = Stopwatch(clock)

    def work(**_: Any) -> str:
        clock.advance(3)
        stopwatch.sleep(2)
        return "done"

    assert stopwatch.around(HostFunction("work", work, {"type": kind})).call() == "done"
    assert stopwatch.figures == figures
    assert stopwatch.monotonic() == clock.monotonic()
    assert stopwatch.now() == clock.now()
