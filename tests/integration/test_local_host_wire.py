"""The local host on messages of Service Bus: through the SDK, from the AMQP server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from local.amqp.server import ServiceBusServer
from local.bus.in_process import InProcessBus, LockedMessage, QueueCounts, QueueOptions
from local.bus.service_bus_receiver import SdkReceiver
from local.host.host import LocalHost
from local.host.index import HostOptions, index
from local.host.stack import LocalStack
from shared.clock import SystemClock
from shared.storage.bus import Message
from shared.storage.service_bus import ServiceBusBus
from tests.doubles.cutting_proxy import CuttingProxy
from tests.integration.bus_sides import connection, connection_to
from tests.real_parts import AMQP, required

OPTIONS = HostOptions(route_prefix="", max_concurrent_calls=2, max_lock_renewal=timedelta(minutes=10))
PATIENCE_SECONDS = 30.0
LOCK_SECONDS = 3.0
EMPTY = QueueCounts(active=0, scheduled=0, locked=0, dead_lettered=0)

Handler = Callable[[func.ServiceBusMessage], Any]


class CountingBus(InProcessBus):
    """Counts the renewals of locks, on the server's side."""

    renewals = 0

    def renew_lock(self, locked: LockedMessage) -> datetime:
        self.renewals += 1
        return super().renew_lock(locked)


@pytest.fixture
def bus() -> CountingBus:
    return CountingBus(SystemClock(), {"work": QueueOptions(lock_seconds=LOCK_SECONDS, max_delivery_count=2)})


@pytest.fixture
def server(bus: CountingBus) -> Iterator[ServiceBusServer]:
    required(AMQP)
    with ServiceBusServer(bus) as server:
        yield server


@contextmanager
def hosting(receiver: SdkReceiver, work: Handler, bury: Handler = lambda _: None) -> Iterator[None]:
    """A host with a queue function and one for what it could not handle."""
    app = func.FunctionApp()

    @app.service_bus_queue_trigger(arg_name="message", queue_name="work", connection="BUS")
    def working(message: func.ServiceBusMessage) -> Any:
        return work(message)

    @app.service_bus_queue_trigger(arg_name="message", queue_name="work/$DeadLetterQueue", connection="BUS")
    def burying(message: func.ServiceBusMessage) -> Any:
        return bury(message)

    host = LocalHost(index(app, {}), receiver, SystemClock(), OPTIONS)
    host.start(timers=False)
    try:
        yield
    finally:
        host.stop()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_is_sent_is_handled_and_completed_and_nothing_is_left_open(
    bus: CountingBus, server: ServiceBusServer
) -> None:
    seen: list[tuple[Any, ...]] = []
    way = connection(server)
    sender = ServiceBusBus(way)
    before = threading.active_count()
    with hosting(
        SdkReceiver(way, 0.5), lambda m: seen.append((m.message_id, m.get_body(), m.delivery_count))
    ):
        sender.send([Message("work", f"m{number}", "{}") for number in range(20)])
        wait_for(lambda: len(seen) == 20 and bus.counts("work") == EMPTY)
    assert sorted(seen) == sorted((f"m{number}", b"{}", 1) for number in range(20))
    sender.send([Message("work", "nobody-takes-it", "{}")])
    assert bus.counts("work") == QueueCounts(active=1, scheduled=0, locked=0, dead_lettered=0)
    sender.close()
    assert threading.active_count() == before, threading.enumerate()


def test_a_function_that_works_longer_than_the_lock_keeps_its_message(
    bus: CountingBus, server: ServiceBusServer
) -> None:
    deliveries: list[int | None] = []

    def work_long(message: func.ServiceBusMessage) -> None:
        deliveries.append(message.delivery_count)
        wait_for(lambda: bus.renewals == 2)  # the first lock has run out by then

    bus.send([Message("work", "m", "{}")])
    with hosting(SdkReceiver(connection(server), 0.5), work_long):
        wait_for(lambda: bool(deliveries) and bus.counts("work") == EMPTY)
    assert deliveries == [1]


def test_a_lock_is_renewed_until_the_last_function_has_returned_although_the_host_stops(
    bus: CountingBus, server: ServiceBusServer
) -> None:
    started = threading.Event()
    deliveries: list[int | None] = []

    def work_long(message: func.ServiceBusMessage) -> None:
        deliveries.append(message.delivery_count)
        started.set()
        wait_for(lambda: bus.renewals == 2)

    bus.send([Message("work", "m", "{}")])
    with hosting(SdkReceiver(connection(server), 0.5), work_long):
        assert started.wait(PATIENCE_SECONDS)
    assert bus.counts("work") == EMPTY
    assert deliveries == [1]


def test_what_a_function_cannot_handle_goes_to_the_one_for_dead_letters(
    bus: CountingBus, server: ServiceBusServer
) -> None:
    tried: list[int | None] = []
    buried: list[tuple[Any, ...]] = []

    def fail(message: func.ServiceBusMessage) -> None:
        tried.append(message.delivery_count)
        raise ValueError("no")

    bus.send([Message("work", "m", "{}")])
    with hosting(
        SdkReceiver(connection(server), 0.5),
        fail,
        lambda m: buried.append((m.message_id, m.application_properties["DeadLetterReason"])),
    ):
        wait_for(lambda: bool(buried) and bus.counts("work") == EMPTY)
    assert tried == [1, 2]
    assert buried == [("m", "MaxDeliveryCountExceeded")]


def test_a_host_goes_on_when_its_connections_were_cut(bus: CountingBus, server: ServiceBusServer) -> None:
    seen: list[str] = []
    with CuttingProxy(server.port) as proxy:
        text = server.connection_string.replace(f":{server.port}", f":{proxy.port}")

        def work(message: func.ServiceBusMessage) -> None:
            seen.append(message.message_id)
            proxy.cut()  # the message at hand is completed over a new connection

        bus.send([Message("work", "a", "{}"), Message("work", "b", "{}")])
        with hosting(SdkReceiver(connection_to(text), 0.5), work):
            wait_for(lambda: bus.counts("work") == EMPTY)
            connections = proxy.connections
            proxy.cut()  # all of them wait
            wait_for(lambda: proxy.connections >= connections + 3)
            bus.send([Message("work", "c", "{}")])
            server.wake()
            wait_for(lambda: bus.counts("work") == EMPTY)
    assert sorted(seen) == ["a", "b", "c"]


def test_the_stack_sends_to_and_receives_from_what_the_settings_name(tmp_path: Path) -> None:
    required(AMQP)
    queues = dict.fromkeys(("entity-sync", "change-batches"), QueueOptions())
    bus = InProcessBus(SystemClock(), queues)
    environment = {
        "SAFETYAMP_TOKEN": "x",
        "SAFETYAMP_FQDN": "x.test",
        "SAFETYAMP_BASE_URL": "https://x.test",
        "MS_GRAPH_TENANT_ID": "x",
        "MS_GRAPH_CLIENT_ID": "x",
        "MS_GRAPH_CLIENT_SECRET": "x",
        "SAMSARA_API_KEY": "x",
        "VISTA_CONNECTION_STRING": f"sqlite:///{tmp_path / 'vista.db'}",
        "LOCAL_FOLDER": str(tmp_path / "documents"),
    }
    with ServiceBusServer(bus) as server:
        stack = LocalStack({**environment, "SERVICE_BUS_CONNECTION": server.connection_string})
        try:
            stack.runtime.bus.send([Message("entity-sync", "m", "no JSON")])
            assert bus.counts("entity-sync").active == 1
            assert stack.host.step()  # given up at the first delivery: it can never be read
        finally:
            stack.close()
    assert bus.counts("entity-sync") == EMPTY
    assert list((tmp_path / "documents").rglob("*dead*"))
