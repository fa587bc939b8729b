"""Sending to Service Bus: with the SDK's real messages and errors, and a stand-in for its connection."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    ServiceBusAuthenticationError,
    ServiceBusConnectionError,
    ServiceBusError,
)

from shared.config import Settings
from shared.errors import BusError, ConfigurationError
from shared.storage.bus import Message
from shared.storage.service_bus import ServiceBusBus, service_bus

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CONNECTION = "Endpoint=sb://example.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=s3cret"


class FakeBatch:
    """Takes messages up to a number instead of a size, with the SDK's own error."""

    def __init__(self, room: int) -> None:
        self._room = room
        self.messages: list[ServiceBusMessage] = []

    def add_message(self, message: ServiceBusMessage) -> None:
        if len(self.messages) == self._room:
            raise MessageSizeExceededError(message="the batch is full")
        self.messages.append(message)


class FakeNamespace:
    """What arrived, batch by batch with the queue's name. `errors` are raised by the next sendings."""

    def __init__(self, room: int = 100, errors: Iterable[Exception] = ()) -> None:
        self.room = room
        self.errors = list(errors)
        self.batches: list[tuple[str, list[ServiceBusMessage]]] = []
        self.clients: list[FakeClient] = []

    def connect(self) -> ServiceBusClient:
        client = FakeClient(self)
        self.clients.append(client)
        return cast(ServiceBusClient, client)

    @property
    def ids(self) -> list[list[str | None]]:
        return [[message.message_id for message in messages] for _, messages in self.batches]


class FakeClient:
    def __init__(self, namespace: FakeNamespace) -> None:
        self._namespace = namespace
        self.closed = False
        self.senders = 0

    def get_queue_sender(self, queue: str) -> FakeSender:
        self.senders += 1
        return FakeSender(self._namespace, queue)

    def close(self) -> None:
        self.closed = True


class FakeSender:
    def __init__(self, namespace: FakeNamespace, queue: str) -> None:
        self._namespace = namespace
        self._queue = queue

    def create_message_batch(self) -> FakeBatch:
        return FakeBatch(self._namespace.room)

    def send_messages(self, batch: FakeBatch) -> None:
        if self._namespace.errors:
            raise self._namespace.errors.pop(0)
        self._namespace.batches.append((self._queue, batch.messages))


def messages(count: int, queue: str = "q") -> list[Message]:
    return [Message(queue, f"m{number}", "{}") for number in range(count)]


def test_a_message_carries_what_duplicate_detection_scheduling_and_tracing_need() -> None:
    namespace = FakeNamespace()
    ServiceBusBus(namespace.connect).send([Message("q", "id-1", '{"a":1}', AT, "run-1")])
    ((queue, (sent,)),) = namespace.batches
    assert queue == "q"
    assert b"".join(cast(Any, sent.body)) == b'{"a":1}'
    assert (sent.message_id, sent.correlation_id, sent.content_type) == ("id-1", "run-1", "application/json")
    assert sent.scheduled_enqueue_time_utc == AT


def test_a_message_for_now_is_not_scheduled() -> None:
    namespace = FakeNamespace()
    ServiceBusBus(namespace.connect).send(messages(1))
    assert namespace.batches[0][1][0].scheduled_enqueue_time_utc is None


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, []),
        (1, [["m0"]]),
        (2, [["m0", "m1"]]),
        (3, [["m0", "m1"], ["m2"]]),
        (5, [["m0", "m1"], ["m2", "m3"], ["m4"]]),
    ],
)
def test_messages_are_split_where_the_sdk_says_that_a_batch_is_full(
    count: int, expected: list[list[str]]
) -> None:
    namespace = FakeNamespace(room=2)
    ServiceBusBus(namespace.connect).send(messages(count))
    assert namespace.ids == expected


def test_a_message_that_fits_in_no_batch_is_an_error() -> None:
    with pytest.raises(BusError, match="MessageSizeExceededError"):
        ServiceBusBus(FakeNamespace(room=0).connect).send(messages(1))


def test_each_queue_gets_its_own_messages_over_one_connection() -> None:
    namespace = FakeNamespace()
    bus = ServiceBusBus(namespace.connect)
    for _ in range(2):
        bus.send([*messages(1, "a"), *messages(2, "b")])
    assert [(queue, len(sent)) for queue, sent in namespace.batches] == [("a", 1), ("b", 2)] * 2
    assert [client.senders for client in namespace.clients] == [2]


def test_nothing_is_connected_before_the_first_message() -> None:
    namespace = FakeNamespace()
    ServiceBusBus(namespace.connect).send([])
    assert namespace.clients == []


@pytest.mark.parametrize("error", [ServiceBusConnectionError(message="gone"), OSError("broken pipe")])
def test_a_connection_that_died_is_replaced_once(error: Exception) -> None:
    namespace = FakeNamespace(room=2, errors=[error])
    ServiceBusBus(namespace.connect).send(messages(3))
    assert namespace.ids == [["m0", "m1"], ["m2"]]
    assert [client.closed for client in namespace.clients] == [True, False]


@pytest.mark.parametrize(
    "error",
    [
        ServiceBusError(f"refused with {CONNECTION}"),
        ServiceBusAuthenticationError(message=f"no claim in {CONNECTION}"),
        OSError("s3cret"),
    ],
)
def test_when_it_dies_again_the_error_names_setting_and_queue_and_no_secret(error: Exception) -> None:
    namespace = FakeNamespace(errors=[error, error])
    bus = ServiceBusBus(namespace.connect)
    with pytest.raises(BusError, match=r"'q'.*SERVICE_BUS_CONNECTION") as caught:
        bus.send(messages(1))
    assert "s3cret" not in str(caught.value)
    assert [client.closed for client in namespace.clients] == [True, True]
    bus.send(messages(1))
    assert namespace.ids == [["m0"]]


def test_a_connection_string_that_cannot_be_read_is_an_error_without_its_text() -> None:
    bus = ServiceBusBus(lambda: ServiceBusClient.from_connection_string("SharedAccessKey=s3cret"))
    with pytest.raises(BusError, match="SERVICE_BUS_CONNECTION") as caught:
        bus.send(messages(1))
    assert "s3cret" not in str(caught.value)


def test_close_gives_the_connection_back_and_a_later_message_opens_a_new_one() -> None:
    namespace = FakeNamespace()
    bus = ServiceBusBus(namespace.connect)
    bus.close()
    bus.send(messages(1))
    bus.close()
    bus.send(messages(1))
    assert [client.closed for client in namespace.clients] == [True, False]


def test_without_a_setting_there_is_no_bus() -> None:
    settings = Settings.model_construct(
        service_bus_connection=None, service_bus_connection__fullyqualifiednamespace=None
    )
    with pytest.raises(ConfigurationError, match="SERVICE_BUS_CONNECTION: is not set"):
        service_bus(settings)
