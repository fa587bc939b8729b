"""The ports to Service Bus: sending, and looking into queues. Receiving is the Functions host's business.

Adapters: `service_bus.py` and `service_bus_queues.py` here, `in_process.py` and `inspection.py` of
`local/bus/` for the embedded stack.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class Message:
    """A message to be sent.

    `message_id` (at most 128 characters) is what duplicate detection compares: the same id within the
    queue's window is dropped silently, scheduled messages included. `body` is JSON without personal data.
    `deliver_at` (aware, UTC) None means at once. `properties` are application properties: the trace.
    """

    queue: str
    message_id: str
    body: str
    deliver_at: datetime | None = None
    correlation_id: str | None = None
    content_type: str | None = "application/json"
    properties: Mapping[str, str] = field(default_factory=dict, hash=False)


class Bus(Protocol):
    """Where messages go."""

    def send(self, messages: Sequence[Message]) -> None:
        """Send all; raises BusError when one of them may not have been taken. Sending again is safe."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


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
    `dead` are its dead letters. `cut` says that there are more than were counted."""

    waiting: int
    scheduled: int
    dead: int
    cut: bool


class Queues(Protocol):
    """Looking into queues, for operators. Each method raises BusError."""

    def dead_letters(self, queue: str, most: int = 100) -> list[DeadMessage]:
        """The oldest dead letters; they stay where they are."""
        ...

    def resubmit(self, queue: str, most: int = 100) -> int:
        """Send up to `most` dead letters to their queue again, and say how many.

        Safe to repeat: a dead letter is taken away when its copy has been sent, and the copy's id follows
        from it, so that a copy that was sent already is dropped.
        """
        ...

    def depth(self, queue: str, most: int = 1000) -> QueueDepth:
        """Count up to `most` messages of the queue, and as many dead letters."""
        ...


LONGEST_MESSAGE_ID = 128


def resubmitted(queue: str, message: Message, sequence_number: int) -> Message:
    """The copy of a dead letter. Its id is new, for the old one would be dropped as a duplicate; sequence
    numbers belong to one message of a queue."""
    suffix = f"~{sequence_number}"
    message_id = message.message_id[: LONGEST_MESSAGE_ID - len(suffix)] + suffix
    return replace(message, queue=queue, message_id=message_id, deliver_at=None)
