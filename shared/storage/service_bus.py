"""Sending to Azure Service Bus."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from shared.errors import BusError
from shared.storage.bus import Message
from shared.storage.service_bus_connection import (
    ServiceBusConnection,
    close_aside,
    close_quietly,
    required_connection,
)

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusMessage, ServiceBusMessageBatch, ServiceBusSender

    from shared.config import Settings

PAUSES_SECONDS = (0.5, 2.0)
"""Before the second and the third attempt of a batch. With the times of `service_bus_connection` a batch that
cannot be sent fails within a minute: three attempts of at most 17 s, the pauses, and the closing."""

RETRIED = frozenset({"connection", "refused", "name", "busy", "timeout"})
"""Failures that may have passed a moment later."""


class ServiceBusBus:
    """Implements `shared.storage.bus.Bus`.

    The SDK's senders are not safe to share between threads, hence the lock: sending is rare and short. A
    sender that failed is replaced, and what it was not seen to have sent is sent over a new one; duplicate
    detection drops what had arrived.
    """

    def __init__(self, connection: ServiceBusConnection, pause: Callable[[float], None] = time.sleep) -> None:
        self._connection = connection
        self._pause = pause
        self._lock = threading.Lock()
        self._senders: dict[str, ServiceBusSender] = {}

    def check(self, queue: str, *, receive: bool) -> None:
        """Prove that the queue exists and can be sent to and, with `receive`, received from, over links of
        their own; no message is touched. Raises BusError."""
        close_aside(self._connection.open_sender(queue))
        if receive:
            close_aside(self._connection.open_receiver(queue))

    def send(self, messages: Sequence[Message]) -> None:
        by_queue: dict[str, list[Message]] = {}
        for message in messages:
            by_queue.setdefault(message.queue, []).append(message)
        with self._lock:
            for queue, group in by_queue.items():
                self._send_to(queue, group)

    def close(self) -> None:
        with self._lock:
            for queue in list(self._senders):
                self._drop(queue)
            self._connection.close()

    def _send_to(self, queue: str, messages: list[Message]) -> None:
        """Sends `messages` and takes out of the list what has arrived."""
        pauses = iter(PAUSES_SECONDS)
        while messages:
            before = len(messages)
            try:
                self._send_batches(queue, messages)
            except BusError as error:
                self._drop(queue)
                if len(messages) < before:
                    pauses = iter(PAUSES_SECONDS)
                pause = next(pauses, None)
                if pause is None or error.failure not in RETRIED:
                    raise
                self._pause(pause)

    def _send_batches(self, queue: str, messages: list[Message]) -> None:
        sender = self._senders.get(queue) or self._connection.open_sender(queue)
        self._senders[queue] = sender
        while messages:
            with self._connection.bounded(sender, f"queue {queue!r} of Service Bus took no message"):
                batch, size = _batch(sender, messages)
                sender.send_messages(batch)
            del messages[:size]

    def _drop(self, queue: str) -> None:
        sender = self._senders.pop(queue, None)
        if sender is not None:
            close_quietly(sender)


def _batch(sender: ServiceBusSender, messages: Sequence[Message]) -> tuple[ServiceBusMessageBatch, int]:
    """A batch of as many of the messages as the namespace's size limit allows, and their number; the SDK says
    when a batch is full. Raises MessageSizeExceededError when not even the first one fits."""
    from azure.servicebus.exceptions import MessageSizeExceededError

    batch = sender.create_message_batch()
    for size, message in enumerate(messages):
        try:
            batch.add_message(native(message))
        except MessageSizeExceededError:
            if size == 0:
                raise
            return batch, size
    return batch, len(messages)


def native(message: Message) -> ServiceBusMessage:
    """The SDK's form of a message."""
    from azure.servicebus import ServiceBusMessage

    properties: dict[str | bytes, Any] = {name: value for name, value in message.properties.items()}
    return ServiceBusMessage(
        message.body,
        message_id=message.message_id,
        correlation_id=message.correlation_id,
        content_type=message.content_type,
        application_properties=properties or None,
        scheduled_enqueue_time_utc=message.deliver_at,
    )


def service_bus(settings: Settings) -> ServiceBusBus:
    """The bus that the settings name; connects at the first message.

    Raises ConfigurationError when no connection is set.
    """
    return ServiceBusBus(required_connection(settings))
