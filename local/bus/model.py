"""What travels through the local bus, and how its queues are set up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.errors import SafetyAmpError
from shared.storage.bus import Message

DEAD_LETTER_QUEUE = "/$deadletterqueue"
"""Behind a queue's name: the queue of its dead letters, as in Service Bus."""


class LockLost(SafetyAmpError):
    """The message's lock has run out or was never ours: it has been, or will be, delivered again."""


@dataclass(frozen=True)
class QueueOptions:
    """What Bicep sets on the queues (lock PT1M, delivery count 10, duplicate window P1D, TTL P2D)."""

    lock_seconds: float = 60.0
    max_delivery_count: int = 10
    duplicate_window_seconds: float = 86_400.0
    ttl_seconds: float = 172_800.0


@dataclass
class StoredMessage:
    """A message in a queue. `due` is when it may be delivered, `expires` when it is dead-lettered."""

    message: Message
    sequence_number: int
    due: datetime
    expires: datetime
    enqueued: datetime | None
    delivery_count: int = 0
    dead_letter_reason: str | None = None
    dead_letter_description: str | None = None


@dataclass(frozen=True)
class LockedMessage:
    """A delivery: settle it with its lock token before `locked_until`."""

    lock_token: str
    queue: str
    message: Message
    sequence_number: int
    delivery_count: int
    enqueued: datetime
    locked_until: datetime
    expires: datetime
    dead_letter_reason: str | None
    dead_letter_description: str | None = None


@dataclass(frozen=True)
class QueueCounts:
    """Messages of a queue by their state."""

    active: int
    scheduled: int
    locked: int
    dead_lettered: int


class Receiver(Protocol):
    """The receiving side of the bus, as a host needs it; `InProcessBus` says what each method does.

    Each raises BusError when the bus is away: nothing is lost by that, unsettled messages come again.
    """

    def receive(self, queue: str) -> LockedMessage | None: ...
    def complete(self, locked: LockedMessage) -> None: ...
    def abandon(self, locked: LockedMessage) -> None: ...
    def renew_lock(self, locked: LockedMessage) -> datetime: ...
    def next_due(self, queue: str | None = None) -> datetime | None: ...
    def wait(self, timeout_seconds: float) -> None: ...

    def leave(self) -> None:
        """The calling thread takes no more messages: what it held open is closed."""
