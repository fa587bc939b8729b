"""Looking into the queues of both buses: what lies there, and what nobody is delivered any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from local.bus.in_process import InProcessBus
from local.bus.received import body_of
from shared.storage.service_bus_connection import ServiceBusConnection, close_aside

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage, ServiceBusReceiver

PEEKED_AT_ONCE = 250
"""What the service gives at most for one request."""


@dataclass(frozen=True)
class DeadMessage:
    """A message that is not delivered any more. `enqueued` is aware, UTC."""

    sequence_number: int
    message_id: str
    body: str
    reason: str
    description: str | None
    delivery_count: int
    enqueued: datetime | None


@dataclass(frozen=True)
class QueueDepth:
    """How many messages lie in a queue: `waiting` are due or just being handled, `scheduled` are not due yet,
    `dead` are its dead letters."""

    waiting: int
    scheduled: int
    dead: int


class Queues(Protocol):
    """What a test sees of them."""

    def dead_letters(self, queue: str) -> list[DeadMessage]:
        """The dead letters, the oldest first; they stay where they are."""
        ...

    def depth(self, queue: str) -> QueueDepth:
        """What lies in the queue."""
        ...


class InProcessQueues:
    """The queues of the bus in this process."""

    def __init__(self, bus: InProcessBus) -> None:
        self._bus = bus

    def dead_letters(self, queue: str) -> list[DeadMessage]:
        return [
            DeadMessage(
                sequence_number=stored.sequence_number,
                message_id=stored.message.message_id,
                body=stored.message.body,
                reason=stored.dead_letter_reason or "",
                description=stored.dead_letter_description,
                delivery_count=stored.delivery_count,
                enqueued=stored.enqueued,
            )
            for stored in self._bus.dead_letters(queue)
        ]

    def depth(self, queue: str) -> QueueDepth:
        counts = self._bus.counts(queue)
        return QueueDepth(counts.active + counts.locked, counts.scheduled, counts.dead_lettered)


class ServiceBusQueues:
    """The queues behind the SDK; each call opens a connection of its own and closes it."""

    def __init__(self, connection: ServiceBusConnection) -> None:
        self._connection = connection

    def dead_letters(self, queue: str) -> list[DeadMessage]:
        with self._receiver(queue, dead_letters=True) as receiver:
            return [_dead(found) for found in _peek(receiver)]

    def depth(self, queue: str) -> QueueDepth:
        from azure.servicebus import ServiceBusMessageState

        with self._receiver(queue) as receiver:
            found = _peek(receiver)
        with self._receiver(queue, dead_letters=True) as receiver:
            buried = _peek(receiver)
        scheduled = sum(1 for one in found if one.state == ServiceBusMessageState.SCHEDULED)
        return QueueDepth(len(found) - scheduled, scheduled, len(buried))

    @contextmanager
    def _receiver(self, queue: str, *, dead_letters: bool = False) -> Iterator[ServiceBusReceiver]:
        receiver = self._connection.open_receiver(queue, dead_letters=dead_letters)
        try:
            yield receiver
        finally:
            close_aside(receiver)


def _peek(receiver: ServiceBusReceiver) -> list[ServiceBusReceivedMessage]:
    return receiver.peek_messages(PEEKED_AT_ONCE, sequence_number=1)


def _dead(peeked: ServiceBusReceivedMessage) -> DeadMessage:
    """A peek shows the number of deliveries that there were."""
    return DeadMessage(
        sequence_number=peeked.sequence_number or 0,
        message_id=peeked.message_id or "",
        body=body_of(peeked),
        reason=peeked.dead_letter_reason or "",
        description=peeked.dead_letter_error_description,
        delivery_count=peeked.delivery_count or 0,
        enqueued=peeked.enqueued_time_utc,
    )
