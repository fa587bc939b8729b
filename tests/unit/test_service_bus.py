"""Sending to Service Bus: what its real wire (tests/integration) cannot show at will."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from typing import Any, cast

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.servicebus import ServiceBusClient, ServiceBusMessage, exceptions

from shared.config import Settings
from shared.errors import BusError, BusFailure, ConfigurationError
from shared.storage.bus import Message
from shared.storage.service_bus import PAUSES_SECONDS, ServiceBusBus, service_bus
from shared.storage.service_bus_connection import ServiceBusConnection, service_bus_connection
from shared.storage.service_bus_errors import bus_error, host_of

CONNECTION = "Endpoint=sb://example.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=s3cret"
GONE = exceptions.ServiceBusConnectionError(message="gone")


class FakeBatch:
    """Takes messages up to a number instead of a size, with the SDK's own error."""

    def __init__(self, room: int) -> None:
        self._room = room
        self.messages: list[ServiceBusMessage] = []

    def add_message(self, message: ServiceBusMessage) -> None:
        if len(self.messages) == self._room:
            raise exceptions.MessageSizeExceededError(message="the batch is full")
        self.messages.append(message)


class FakeNamespace:
    """A client and its senders. `sendings` says what becomes of each, None that it arrives; then all do."""

    def __init__(self, room: int = 100, sendings: Iterable[Exception | None] = ()) -> None:
        self.room = room
        self.sendings = list(sendings)
        self.arrived: list[tuple[str, list[str | None]]] = []
        self.senders: list[FakeSender] = []
        self.pauses: list[float] = []
        self.options: list[dict[str, Any]] = []
        self.bus = ServiceBusBus(ServiceBusConnection(self._connect, "example"), self.pauses.append)

    def _connect(self, **options: Any) -> ServiceBusClient:
        self.options.append(options)
        return cast(ServiceBusClient, self)

    def get_queue_sender(self, queue: str, **_: Any) -> FakeSender:
        self.senders.append(FakeSender(self, queue))
        return self.senders[-1]

    def close(self) -> None:
        for sender in self.senders:
            sender.close()


class FakeSender:
    def __init__(self, namespace: FakeNamespace, queue: str) -> None:
        self._namespace = namespace
        self._queue = queue
        self.closed = False

    def __enter__(self) -> FakeSender:
        return self

    def create_message_batch(self) -> FakeBatch:
        return FakeBatch(self._namespace.room)

    def send_messages(self, batch: FakeBatch) -> None:
        error = self._namespace.sendings.pop(0) if self._namespace.sendings else None
        if error is not None:
            raise error
        self._namespace.arrived.append((self._queue, [message.message_id for message in batch.messages]))

    def close(self) -> None:
        self.closed = True


def messages(count: int, queue: str = "q") -> list[Message]:
    return [Message(queue, f"m{number}", "{}") for number in range(count)]


class TestSending:
    @pytest.mark.parametrize(
        ("count", "expected"),
        [
            (0, []),
            (2, [["m0", "m1"]]),
            (3, [["m0", "m1"], ["m2"]]),
            (5, [["m0", "m1"], ["m2", "m3"], ["m4"]]),
        ],
    )
    def test_batches_end_where_the_sdk_says_that_one_is_full(
        self, count: int, expected: list[list[str]]
    ) -> None:
        namespace = FakeNamespace(room=2)
        namespace.bus.send(messages(count))
        assert namespace.arrived == [("q", ids) for ids in expected]

    def test_nothing_is_connected_before_the_first_message(self) -> None:
        namespace = FakeNamespace()
        namespace.bus.send([])
        namespace.bus.close()
        assert namespace.options == []

    def test_each_queue_has_one_sender_of_one_client(self) -> None:
        namespace = FakeNamespace()
        for _ in range(2):
            namespace.bus.send([*messages(1, "a"), *messages(2, "b")])
        assert len(namespace.senders) == 2
        assert len(namespace.options) == 1

    def test_the_sdk_repeats_nothing_by_itself_and_every_attempt_has_an_end(self) -> None:
        namespace = FakeNamespace()
        namespace.bus.send(messages(1))
        (options,) = namespace.options
        assert options["retry_total"] == 0
        assert 0 < options["try_timeout"] <= 15

    def test_close_gives_everything_back_and_a_later_message_connects_anew(self) -> None:
        namespace = FakeNamespace()
        namespace.bus.send(messages(1))
        namespace.bus.close()
        namespace.bus.send(messages(1))
        assert [sender.closed for sender in namespace.senders] == [True, False]
        assert len(namespace.options) == 2


class TestRepeating:
    def test_what_has_arrived_is_not_sent_again(self) -> None:
        namespace = FakeNamespace(room=2, sendings=[None, GONE])
        namespace.bus.send(messages(5))
        assert [ids for _, ids in namespace.arrived] == [["m0", "m1"], ["m2", "m3"], ["m4"]]
        assert [sender.closed for sender in namespace.senders] == [True, False]
        assert namespace.pauses == [PAUSES_SECONDS[0]]

    def test_a_batch_is_tried_three_times(self) -> None:
        namespace = FakeNamespace(sendings=[GONE, OSError("broken pipe"), GONE])
        with pytest.raises(BusError, match=r"queue 'q' of Service Bus took no message.*SERVICE_BUS_CONN"):
            namespace.bus.send(messages(1))
        assert tuple(namespace.pauses) == PAUSES_SECONDS
        assert all(sender.closed for sender in namespace.senders)
        namespace.bus.send(messages(1))
        assert namespace.arrived == [("q", ["m0"])]

    def test_after_progress_the_attempts_are_counted_anew(self) -> None:
        namespace = FakeNamespace(room=1, sendings=[GONE, GONE, None, GONE, GONE, None])
        namespace.bus.send(messages(2))
        assert [ids for _, ids in namespace.arrived] == [["m0"], ["m1"]]

    @pytest.mark.parametrize(
        "error",
        [
            exceptions.ServiceBusAuthenticationError(message=f"no claim in {CONNECTION}"),
            exceptions.MessagingEntityNotFoundError(message="no queue"),
            exceptions.ServiceBusQuotaExceededError(message="full"),
        ],
    )
    def test_what_does_not_pass_by_itself_is_not_tried_again(self, error: Exception) -> None:
        namespace = FakeNamespace(sendings=[error])
        with pytest.raises(BusError) as caught:
            namespace.bus.send(messages(1))
        assert namespace.pauses == []
        assert "s3cret" not in str(caught.value)


def caused_by(cause: Exception) -> Exception:
    """As the SDK wraps it."""
    return exceptions.ServiceBusConnectionError(message="x", error=cause)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (caused_by(socket.gaierror(-2, "Name or service not known")), "name"),
        (caused_by(ConnectionRefusedError(111, "refused")), "refused"),
        (caused_by(ssl.SSLCertVerificationError("bad certificate")), "connection"),
        (GONE, "connection"),
        (exceptions.OperationTimeoutError(), "timeout"),
        (TimeoutError(), "timeout"),
        (exceptions.ServiceBusAuthorizationError(), "unauthorized"),
        (ClientAuthenticationError(f"no token for {CONNECTION}"), "unauthorized"),
        (exceptions.MessagingEntityNotFoundError(), "not found"),
        (exceptions.MessageSizeExceededError(), "too large"),
        (exceptions.ServiceBusQuotaExceededError(), "full"),
        (exceptions.ServiceBusServerBusyError(), "busy"),
        (exceptions.MessageLockLostError(), "lock lost"),
        (exceptions.MessageAlreadySettled(action="complete"), "lock lost"),
        (ValueError("Connection string is either blank or malformed."), "malformed"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_error_says_why_where_and_which_setting(error: Exception, failure: BusFailure) -> None:
    made = bus_error(error, "queue 'q' took no message", "example.test", 15)
    assert made.failure == failure
    assert str(made).startswith("queue 'q' took no message: ")
    assert str(made).endswith("(SERVICE_BUS_CONNECTION: example.test)")
    assert "s3cret" not in str(made)


def settings(**values: Any) -> Settings:
    names = ("service_bus_connection", "service_bus_connection__fullyqualifiednamespace")
    more = ("service_bus_connection__clientid", "azure_client_id")
    return Settings.model_construct(**{**dict.fromkeys((*names, *more)), **values})


def test_without_a_setting_there_is_no_bus() -> None:
    assert service_bus_connection(settings()) is None
    with pytest.raises(ConfigurationError, match="SERVICE_BUS_CONNECTION: is not set"):
        service_bus(settings())


def test_a_connection_string_that_cannot_be_read_is_an_error_without_its_text() -> None:
    from pydantic import SecretStr

    bus = service_bus(settings(service_bus_connection=SecretStr("SharedAccessKey=s3cret")))
    with pytest.raises(BusError, match="connection string cannot be read") as caught:
        bus.send(messages(1))
    assert caught.value.failure == "malformed"
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("connection_string", "host"),
    [
        (CONNECTION, "example.servicebus.windows.net"),
        ("SharedAccessKey=s3cret;endpoint=sb://localhost:5672;", "localhost:5672"),
        ("SharedAccessKey=s3cret", ""),
    ],
)
def test_the_host_of_a_connection_string_is_no_secret(connection_string: str, host: str) -> None:
    assert host_of(connection_string) == host
