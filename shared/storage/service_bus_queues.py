"""Looking into the queues of Azure Service Bus: for operators."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from shared.storage.bus import Bus, DeadMessage, QueueDepth, resubmitted
from shared.storage.service_bus_connection import ServiceBusConnection, close_aside
from shared.storage.service_bus_received import dead, plain

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage, ServiceBusReceiver

PEEKED_AT_ONCE = 250
"""What the service gives at most for one request."""

WAIT_SECONDS = 2.0
"""How long a dead letter is waited for that was there a moment ago."""


class ServiceBusQueues:
    """Implements `shared.storage.bus.Queues`; each call opens a connection of its own and closes it.

    `bus` sends the copies of dead letters.
    """

    def __init__(self, connection: ServiceBusConnection, bus: Bus) -> None:
        self._connection = connection
        self._bus = bus

    def dead_letters(self, queue: str, most: int = 100) -> list[DeadMessage]:
        with self._receiver(queue, dead_letters=True) as receiver:
            return [dead(found) for found in self._peek(receiver, queue, most)]

    def resubmit(self, queue: str, most: int = 100) -> int:
        with self._receiver(queue, dead_letters=True) as receiver:
            letters = len(self._peek(receiver, queue, most))
            for done in range(letters):
                what = f"the dead letters of queue {queue!r} of Service Bus cannot be taken"
                with self._connection.bounded(receiver, what, WAIT_SECONDS):
                    received = receiver.receive_messages(1, max_wait_time=WAIT_SECONDS)
                if not received:
                    return done
                (letter,) = received
                self._bus.send([resubmitted(queue, plain(letter, queue), letter.sequence_number or 0)])
                with self._connection.bounded(receiver, what):
                    receiver.complete_message(letter)
        return letters

    def depth(self, queue: str, most: int = 1000) -> QueueDepth:
        from azure.servicebus import ServiceBusMessageState

        with self._receiver(queue) as receiver:
            found = self._peek(receiver, queue, most)
        with self._receiver(queue, dead_letters=True) as receiver:
            buried = self._peek(receiver, queue, most)
        scheduled = sum(1 for one in found if one.state == ServiceBusMessageState.SCHEDULED)
        cut = most in (len(found), len(buried))
        return QueueDepth(len(found) - scheduled, scheduled, len(buried), cut)

    def _peek(self, receiver: ServiceBusReceiver, queue: str, most: int) -> list[ServiceBusReceivedMessage]:
        found: list[ServiceBusReceivedMessage] = []
        while len(found) < most:
            wanted = min(PEEKED_AT_ONCE, most - len(found))
            after = (found[-1].sequence_number or 0) + 1 if found else 1
            with self._connection.bounded(receiver, f"queue {queue!r} of Service Bus cannot be looked into"):
                peeked = receiver.peek_messages(wanted, sequence_number=after)
            if not peeked:
                break
            found += peeked
        return found

    @contextmanager
    def _receiver(self, queue: str, *, dead_letters: bool = False) -> Iterator[ServiceBusReceiver]:
        receiver = self._connection.open_receiver(queue, dead_letters=dead_letters)
        try:
            yield receiver
        finally:
            close_aside(receiver)
