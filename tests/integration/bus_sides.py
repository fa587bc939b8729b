"""The two buses that have to behave alike: the one in this process, and the same one behind AMQP, reached
through the adapter, the SDK and a socket. Both run on a fake clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from local.amqp.server import ServiceBusServer
from local.bus.in_process import InProcessBus, LockedMessage, QueueOptions
from local.bus.service_bus_receiver import SdkReceiver
from local.fake_clock import FakeClock
from shared.storage.bus import Bus
from shared.storage.service_bus import ServiceBusBus
from shared.storage.service_bus_connection import ServiceBusConnection
from tests.integration.queue_views import InProcessQueues, Queues, ServiceBusQueues

OPTIONS: Mapping[str, QueueOptions] = {"q": QueueOptions(max_delivery_count=3), "other": QueueOptions()}
START = datetime(2040, 1, 1, 12, tzinfo=UTC)
"""In the future: the SDK believes a lock to have run out by this machine's clock, the server by its own."""

WAIT_SECONDS = 0.25
"""How long a receive over the wire looks for a message that may not be there."""


class Receiving(Protocol):
    """What both sides can do with messages."""

    def receive(self, queue: str) -> LockedMessage | None: ...
    def complete(self, locked: LockedMessage) -> None: ...
    def abandon(self, locked: LockedMessage) -> None: ...
    def dead_letter(self, locked: LockedMessage, reason: str, description: str | None = None) -> None: ...
    def renew_lock(self, locked: LockedMessage) -> datetime: ...


@dataclass
class Side:
    """A bus with two queues, "q" and "other", seen by a sender, a receiver and an operator."""

    clock: FakeClock
    bus: Bus
    receiver: Receiving
    queues: Queues
    moved: Callable[[], None]

    def advance(self, seconds: float) -> None:
        """Let time pass for the bus."""
        self.clock.advance(seconds)
        self.moved()

    def receive(self, queue: str = "q") -> LockedMessage:
        """A message that has to be there."""
        locked = self.receiver.receive(queue)
        assert locked is not None, "no message is due"
        return locked

    def is_empty(self, queue: str = "q") -> bool:
        """Whether no message is due."""
        return self.receiver.receive(queue) is None


def in_process() -> Side:
    """The bus itself."""
    clock = FakeClock(START)
    bus = InProcessBus(clock, OPTIONS)
    return Side(clock, bus, bus, InProcessQueues(bus), lambda: None)


def connection(server: ServiceBusServer, **times: Any) -> ServiceBusConnection:
    """The adapter's way to the server."""
    return connection_to(server.connection_string, **times)


def connection_to(text: str, **times: Any) -> ServiceBusConnection:
    """The adapter's way to what a connection string names."""
    from azure.servicebus import ServiceBusClient

    def connect(**options: Any) -> ServiceBusClient:
        return ServiceBusClient.from_connection_string(text, **options)

    return ServiceBusConnection(connect, "the namespace", **times)


class Wire:
    """A server that the tests of a module share, each with queues of its own; one sender for all of them.

    Receivers are closed beside the tests: the SDK takes a second for it.
    """

    def __init__(self) -> None:
        self._clock = FakeClock(START)
        self._server = ServiceBusServer(InProcessBus(self._clock, OPTIONS), self._clock)
        self._closing = ThreadPoolExecutor(8)

    def __enter__(self) -> Wire:
        self._server.start()
        self._connection = connection(self._server)
        self._bus = ServiceBusBus(self._connection)
        self._queues = ServiceBusQueues(self._connection)
        return self

    def __exit__(self, *raised: object) -> None:
        self._closing.shutdown()
        self._bus.close()
        self._server.stop()

    @contextmanager
    def side(self) -> Iterator[Side]:
        """New queues, over the wire."""
        self._server.replace(InProcessBus(self._clock, OPTIONS))
        receiver = SdkReceiver(self._connection, WAIT_SECONDS)
        yield Side(self._clock, self._bus, receiver, self._queues, self._server.wake)
        self._closing.submit(receiver.close)
