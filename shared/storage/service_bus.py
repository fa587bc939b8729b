"""Sending to Azure Service Bus."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from shared.errors import BusError, ConfigurationError, SettingProblem
from shared.storage.bus import Message
from shared.storage.identity import azure_credential

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSender

    from shared.config import Settings


class ServiceBusBus:
    """Implements `shared.storage.bus.Bus` on one client per process.

    The SDK's client and senders are not safe to share between threads, hence the lock: sending is rare and
    short. A sender that failed is dropped, and the messages are sent once more over a new one; duplicate
    detection drops what had arrived.
    """

    def __init__(self, connect: Callable[[], ServiceBusClient]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._client: ServiceBusClient | None = None
        self._senders: dict[str, ServiceBusSender] = {}

    def send(self, messages: Sequence[Message]) -> None:
        by_queue: dict[str, list[Message]] = {}
        for message in messages:
            by_queue.setdefault(message.queue, []).append(message)
        with self._lock:
            for queue, group in by_queue.items():
                self._send_to(queue, group)

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _send_to(self, queue: str, messages: Sequence[Message]) -> None:
        from azure.core.exceptions import AzureError
        from azure.servicebus.exceptions import ServiceBusError

        try:
            try:
                self._send_all(queue, messages)
            except (ServiceBusError, OSError):
                self._drop()
                self._send_all(queue, messages)
        except (ServiceBusError, AzureError, OSError, ValueError) as error:
            self._drop()
            raise BusError(
                f"queue {queue!r} of Service Bus took no message ({type(error).__name__}): check "
                "SERVICE_BUS_CONNECTION, that the queue exists, and the role Service Bus Data Sender"
            ) from error

    def _send_all(self, queue: str, messages: Sequence[Message]) -> None:
        sender = self._sender(queue)
        for batch in _batches(sender, messages):
            sender.send_messages(batch)

    def _sender(self, queue: str) -> ServiceBusSender:
        if self._client is None:
            self._client = self._connect()
        if queue not in self._senders:
            self._senders[queue] = self._client.get_queue_sender(queue)
        return self._senders[queue]

    def _drop(self) -> None:
        client, self._client = self._client, None
        self._senders.clear()
        if client is not None:
            client.close()


def _batches(sender: ServiceBusSender, messages: Sequence[Message]) -> Iterator[Any]:
    """Batches within the namespace's size limit; the SDK says when a batch is full."""
    from azure.servicebus.exceptions import MessageSizeExceededError

    batch, size = sender.create_message_batch(), 0
    for message in messages:
        native = _native(message)
        try:
            batch.add_message(native)
        except MessageSizeExceededError:
            if size == 0:
                raise
            yield batch
            batch, size = sender.create_message_batch(), 0
            batch.add_message(native)
        size += 1
    if size:
        yield batch


def _native(message: Message) -> ServiceBusMessage:
    from azure.servicebus import ServiceBusMessage

    return ServiceBusMessage(
        message.body,
        message_id=message.message_id,
        correlation_id=message.correlation_id,
        content_type="application/json",
        scheduled_enqueue_time_utc=message.deliver_at,
        application_properties=_properties(message),
    )


def _properties(message: Message) -> dict[str | bytes, Any]:
    return dict(message.properties.items())


def service_bus(settings: Settings) -> ServiceBusBus:
    """The bus that the settings name; connects at the first message.

    Raises ConfigurationError when no connection is set.
    """
    connection, namespace = (
        settings.service_bus_connection,
        settings.service_bus_connection__fullyqualifiednamespace,
    )
    if connection is None and namespace is None:
        raise ConfigurationError(
            [
                SettingProblem(
                    "SERVICE_BUS_CONNECTION",
                    "is not set; set SERVICE_BUS_CONNECTION__fullyQualifiedNamespace to the namespace's host "
                    "(managed identity), or SERVICE_BUS_CONNECTION to a connection string",
                )
            ]
        )

    def connect() -> ServiceBusClient:
        from azure.servicebus import ServiceBusClient

        if connection is not None:
            return ServiceBusClient.from_connection_string(connection.get_secret_value())
        client_id = settings.service_bus_connection__clientid or settings.azure_client_id
        return ServiceBusClient(str(namespace), azure_credential(client_id))

    return ServiceBusBus(connect)
