"""An in-process bus with Service Bus's semantics, for the embedded stack and for tests."""

from __future__ import annotations

import itertools
import sys
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from shared.clock import Clock
from shared.errors import BusError, SafetyAmpError
from shared.storage.bus import Message

LONGEST_MESSAGE_ID = 128
DEAD_LETTER_QUEUE = "/$deadletterqueue"
"""Behind a queue's name: the queue of its dead letters, as in Service Bus."""


NEVER = datetime.max.replace(tzinfo=UTC)


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


@dataclass(frozen=True)
class QueueCounts:
    """Messages of a queue by their state."""

    active: int
    scheduled: int
    locked: int
    dead_lettered: int


class Receiver(Protocol):
    """The receiving side of the bus, as a host needs it; `InProcessBus` says what each method does."""

    def receive(self, queue: str) -> LockedMessage | None: ...
    def complete(self, locked: LockedMessage) -> None: ...
    def abandon(self, locked: LockedMessage) -> None: ...
    def renew_lock(self, locked: LockedMessage) -> None: ...
    def next_due(self, queue: str | None = None) -> datetime | None: ...
    def wait(self, timeout_seconds: float) -> None: ...


@dataclass
class _Queue:
    options: QueueOptions
    waiting: list[StoredMessage] = field(default_factory=list)
    locked: dict[str, tuple[StoredMessage, datetime]] = field(default_factory=dict)
    seen_ids: dict[str, datetime] = field(default_factory=dict)


class InProcessBus:
    """Implements `shared.storage.bus.Bus`; receivers use the peek-lock methods. Safe for many threads.

    Nothing survives the process: what was under way is found again by the sweep.
    """

    def __init__(self, clock: Clock, queues: Mapping[str, QueueOptions]) -> None:
        self._clock = clock
        self._queues = {name: _Queue(options) for name, options in queues.items()}
        for name, options in queues.items():
            # Dead letters are delivered as often as it takes, and never expire.
            self._queues[name + DEAD_LETTER_QUEUE] = _Queue(replace(options, max_delivery_count=sys.maxsize))
        self._numbers = itertools.count(1)
        self._changed = threading.Condition(threading.RLock())

    def send(self, messages: Sequence[Message]) -> None:
        with self._changed:
            for message in messages:
                self._enqueue(message)
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing to give back."""

    def receive(self, queue: str) -> LockedMessage | None:
        """The next message that is due, locked; None when there is none."""
        with self._changed:
            self._expire(queue)
            now = self._clock.now()
            due = [stored for stored in self._queue(queue).waiting if stored.due <= now]
            if not due:
                return None
            stored = min(due, key=lambda one: (one.due, one.sequence_number))
            return self._lock(queue, stored, now)

    def complete(self, locked: LockedMessage) -> None:
        """The message is done with. Raises LockLost."""
        with self._changed:
            self._unlock(locked)
            self._changed.notify_all()

    def abandon(self, locked: LockedMessage) -> None:
        """Deliver it again at once, after too many deliveries to the dead letters. Raises LockLost."""
        with self._changed:
            self._give_back(locked.queue, self._unlock(locked))
            self._changed.notify_all()

    def dead_letter(self, locked: LockedMessage, reason: str) -> None:
        """Move it to the dead letters. Raises LockLost."""
        with self._changed:
            self._bury(locked.queue, self._unlock(locked), reason)
            self._changed.notify_all()

    def renew_lock(self, locked: LockedMessage) -> None:
        """Start the lock's time anew. Raises LockLost."""
        with self._changed:
            stored = self._unlock(locked)
            queue = self._queue(locked.queue)
            queue.locked[locked.lock_token] = (stored, self._lock_end(queue))

    def dead_letters(self, queue: str) -> list[StoredMessage]:
        """The dead letters with their reasons, oldest first."""
        with self._changed:
            self._expire(queue)
            dead = self._queue(queue + DEAD_LETTER_QUEUE)
            return sorted([*dead.waiting, *(stored for stored, _ in dead.locked.values())], key=_number)

    def counts(self, queue: str) -> QueueCounts:
        """How many messages there are."""
        with self._changed:
            self._expire(queue)
            now, stored = self._clock.now(), self._queue(queue)
            active = sum(1 for one in stored.waiting if one.due <= now)
            dead = len(self.dead_letters(queue))
            return QueueCounts(active, len(stored.waiting) - active, len(stored.locked), dead)

    def next_due(self, queue: str | None = None) -> datetime | None:
        """When something will happen next, in `queue` or in any: a message becomes due, a lock runs out."""
        with self._changed:
            moments = [
                moment
                for asked in ([self._queue(queue)] if queue else self._queues.values())
                for moment in (
                    *(stored.due for stored in asked.waiting),
                    *(end for _, end in asked.locked.values()),
                )
            ]
            return min(moments, default=None)

    def wait(self, timeout_seconds: float) -> None:
        """Wait until something was sent or settled, at most so long (of the real clock)."""
        with self._changed:
            self._changed.wait(timeout_seconds)

    def _queue(self, name: str) -> _Queue:
        if name not in self._queues:
            raise BusError(f"there is no queue {name!r}; there are {', '.join(self._queues)}")
        return self._queues[name]

    def _enqueue(self, message: Message) -> None:
        queue, now = self._queue(message.queue), self._clock.now()
        if not 0 < len(message.message_id) <= LONGEST_MESSAGE_ID:
            raise BusError(f"a message id has 1 to {LONGEST_MESSAGE_ID} characters: {message.message_id!r}")
        window = timedelta(seconds=queue.options.duplicate_window_seconds)
        last = queue.seen_ids.get(message.message_id)
        if last is not None and now - last < window:
            return
        queue.seen_ids[message.message_id] = now
        due = max(message.deliver_at or now, now)
        expires = due + timedelta(seconds=queue.options.ttl_seconds)
        queue.waiting.append(StoredMessage(message, next(self._numbers), due, expires, None))

    def _lock(self, name: str, stored: StoredMessage, now: datetime) -> LockedMessage:
        queue = self._queue(name)
        queue.waiting.remove(stored)
        stored.delivery_count += 1
        stored.enqueued = stored.enqueued or now
        token, end = str(uuid.uuid4()), self._lock_end(queue)
        queue.locked[token] = (stored, end)
        return LockedMessage(
            lock_token=token,
            queue=name,
            message=stored.message,
            sequence_number=stored.sequence_number,
            delivery_count=stored.delivery_count,
            enqueued=stored.enqueued,
            locked_until=end,
            expires=stored.expires,
            dead_letter_reason=stored.dead_letter_reason,
        )

    def _lock_end(self, queue: _Queue) -> datetime:
        return self._clock.now() + timedelta(seconds=queue.options.lock_seconds)

    def _unlock(self, locked: LockedMessage) -> StoredMessage:
        self._expire(locked.queue)
        held = self._queue(locked.queue).locked.pop(locked.lock_token, None)
        if held is None:
            raise LockLost(f"the lock of {locked.message.message_id} has run out")
        return held[0]

    def _expire(self, name: str) -> None:
        """Give back messages whose lock ran out; bury those that are too old."""
        queue, now = self._queue(name), self._clock.now()
        for token in [token for token, (_, end) in queue.locked.items() if end <= now]:
            self._give_back(name, queue.locked.pop(token)[0])
        for stored in [stored for stored in queue.waiting if stored.expires <= now]:
            queue.waiting.remove(stored)
            self._bury(name, stored, "TTLExpiredException")

    def _give_back(self, name: str, stored: StoredMessage) -> None:
        queue = self._queue(name)
        if stored.delivery_count >= queue.options.max_delivery_count:
            self._bury(name, stored, "MaxDeliveryCountExceeded")
        else:
            queue.waiting.append(stored)

    def _bury(self, name: str, stored: StoredMessage, reason: str) -> None:
        stored.dead_letter_reason = reason
        stored.due, stored.expires = self._clock.now(), NEVER
        self._queue(name + DEAD_LETTER_QUEUE).waiting.append(stored)


def _number(stored: StoredMessage) -> int:
    return stored.sequence_number
