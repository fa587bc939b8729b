"""The local host obeys the rules of the real one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from local.bus.in_process import InProcessBus, QueueOptions
from local.fake_clock import FakeClock
from local.host.host import LocalHost
from local.host.index import HostOptions, host_options, index
from shared.clock import Clock, SystemClock
from shared.errors import ConfigurationError
from shared.storage.bus import Message

SETTINGS = {"WORK_QUEUE": "work", "SCHEDULE": "* * * * * *"}
OPTIONS = HostOptions(route_prefix="", max_concurrent_calls=2, max_lock_renewal=timedelta(minutes=10))
Handler = Callable[[func.ServiceBusMessage], Any]


def app_of(handler: Handler, tick: Callable[[], None] = lambda: None) -> func.FunctionApp:
    """An app with a queue function that does what the test wants, and a timer."""
    app = func.FunctionApp()

    @app.service_bus_queue_trigger(arg_name="message", queue_name="%WORK_QUEUE%", connection="BUS")
    def work(message: func.ServiceBusMessage) -> Any:
        return handler(message)

    @app.timer_trigger(arg_name="timer", schedule="%SCHEDULE%")
    def nightly(timer: func.TimerRequest) -> None:
        assert timer.past_due is False
        tick()

    return app


class Hosted:
    """A host with one queue on a fake clock, and the message that is in it."""

    def __init__(self, handler: Handler, clock: Clock | None = None, **timer: Callable[[], None]) -> None:
        self.clock = FakeClock()
        self.bus = InProcessBus(clock or self.clock, {"work": QueueOptions()})
        functions = index(app_of(handler, **timer), SETTINGS)
        self.host = LocalHost(functions, self.bus, clock or self.clock, OPTIONS)
        self.bus.send([Message("work", "m1", '{"a": "é"}', correlation_id="run-1")])


def test_an_app_is_indexed_with_its_settings_in_place_of_percent_names() -> None:
    triggers = {f.name: f.trigger for f in index(app_of(lambda _: None), SETTINGS)}
    assert triggers["work"]["queueName"] == "work"
    assert triggers["nightly"]["schedule"] == "* * * * * *"


def test_a_percent_name_without_a_setting_is_named() -> None:
    with pytest.raises(ConfigurationError, match="WORK_QUEUE: is not set"):
        index(app_of(lambda _: None), {"SCHEDULE": "* * * * * *"})


def test_the_options_are_those_of_host_json(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    path.write_text(
        '{"extensions": {"http": {"routePrefix": "v1"}, "serviceBus": '
        '{"maxConcurrentCalls": 3, "maxAutoLockRenewalDuration": "01:02:03"}}}'
    )
    assert host_options(path) == HostOptions("v1", 3, timedelta(hours=1, minutes=2, seconds=3))


def test_a_function_gets_the_message_as_the_real_worker_gives_it() -> None:
    seen: list[tuple[Any, ...]] = []
    hosted = Hosted(
        lambda m: seen.append(
            (m.get_body(), m.message_id, m.correlation_id, m.content_type, m.delivery_count)
        )
    )
    assert hosted.host.step()
    assert seen == [('{"a": "é"}'.encode(), "m1", "run-1", "application/json", 1)]


def test_a_function_that_returns_completes_its_message() -> None:
    hosted = Hosted(lambda _: None)
    assert hosted.host.step()
    hosted.clock.advance(3600)
    assert not hosted.host.step()
    assert hosted.bus.next_due() is None


def test_a_function_that_raises_gets_its_message_again_at_once_until_it_is_dead() -> None:
    deliveries: list[int | None] = []

    def fail(message: func.ServiceBusMessage) -> None:
        deliveries.append(message.delivery_count)
        raise ValueError("no")

    hosted = Hosted(fail)
    while hosted.host.step():
        pass
    assert deliveries == list(range(1, 11))
    (dead,) = hosted.bus.dead_letters("work")
    assert dead.dead_letter_reason == "MaxDeliveryCountExceeded"


def test_a_returned_value_is_refused_as_by_the_real_host() -> None:
    answers: list[str | None] = ["a value", None]
    hosted = Hosted(lambda _: answers.pop(0))
    assert hosted.host.step()
    assert hosted.host.step(), "the message comes again"
    assert not hosted.host.step()


def test_without_a_message_that_is_due_nothing_happens() -> None:
    hosted = Hosted(lambda _: None)
    hosted.host.step()
    hosted.bus.send([Message("work", "m2", "{}", deliver_at=hosted.clock.now() + timedelta(seconds=30))])
    assert not hosted.host.step()
    hosted.clock.advance(30)
    assert hosted.host.step()


def test_a_function_that_works_longer_than_the_lock_keeps_its_message() -> None:
    calls: list[int] = []

    def work_long(_message: func.ServiceBusMessage) -> None:
        calls.append(1)
        for _ in range(4):
            hosted.clock.advance(40)
            hosted.host.renew_locks()

    hosted = Hosted(work_long)
    assert hosted.host.step()
    assert not hosted.host.step()
    assert calls == [1]


def test_a_lock_is_renewed_no_longer_than_host_json_says() -> None:
    deliveries: list[int | None] = []

    def hang(message: func.ServiceBusMessage) -> None:
        deliveries.append(message.delivery_count)
        if len(deliveries) == 1:
            for _ in range(17):
                hosted.clock.advance(40)
                hosted.host.renew_locks()

    hosted = Hosted(hang)
    while hosted.host.step():
        pass
    assert deliveries == [1, 2]


def test_the_workers_handle_messages_as_they_come_and_stop_when_told() -> None:
    both = threading.Barrier(3)

    def meet(_message: func.ServiceBusMessage) -> None:
        both.wait(10)

    hosted = Hosted(meet, clock=SystemClock())
    hosted.host.start(timers=False)
    try:
        hosted.bus.send([Message("work", "m2", "{}")])
        # Two are at work at the same time, as many as maxConcurrentCalls allows.
        both.wait(10)
    finally:
        hosted.host.stop()
    assert hosted.bus.counts("work").active == hosted.bus.counts("work").locked == 0
    hosted.bus.send([Message("work", "m3", "{}")])
    assert hosted.bus.counts("work").active == 1


def test_timers_fire_by_their_schedule() -> None:
    fired = threading.Event()
    hosted = Hosted(lambda _: None, clock=SystemClock(), tick=fired.set)
    hosted.host.start()
    try:
        assert fired.wait(10)
    finally:
        hosted.host.stop()


def test_a_timer_can_be_run_by_name() -> None:
    ticks: list[int] = []
    hosted = Hosted(lambda _: None, tick=lambda: ticks.append(1))
    hosted.host.run_timer("nightly")
    assert ticks == [1]
