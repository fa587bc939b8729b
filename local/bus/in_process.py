"""An in-process bus with Service Bus's semantics, for the embedded stack and for tests."""

from __future__ import annotations

import itertools
import sys
import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from local.bus.model import (
    DEAD_LETTER_QUEUE,
    LockedMessage,
    LockLost,
    QueueCounts,
    QueueOptions,
    Receiver,
    StoredMessage,
)
from local.bus.queue import Queue
from shared.clock import Clock
from shared.errors import BusError
from shared.storage.bus import Message

__all__ = [
    "DEAD_LETTER_QUEUE",
    "InProcessBus",
    "LockLost",
    "LockedMessage",
    "QueueCounts",
    "QueueOptions",
    "Receiver",
    "StoredMessage",
]

NEVER = datetime.max.replace(tzinfo=UTC)

LONGEST_MESSAGE_ID = 128
"""Characters, as Service Bus has it."""


class InProcessBus:
    """Implements `shared.storage.bus.Bus`; receivers use the peek-lock methods. Safe for many threads.

    Nothing survives the process: what was under way is found again by the sweep.
    """

    def __init__(self, clock: Clock, queues: Mapping[str, QueueOptions]) -> None:
        self._clock = clock
        self._queues = {name: Queue(options) for name, options in queues.items()}
        self._parents = {name + DEAD_LETTER_QUEUE: name for name in queues}
        for name, options in queues.items():
            # Dead letters are delivered as often as it takes, and never expire.
            self._queues[name + DEAD_LETTER_QUEUE] = Queue(replace(options, max_delivery_count=sys.maxsize))
        self._numbers = itertools.count(1)
        self._alone = threading.RLock()
        self._changed = threading.Condition(self._alone)

    @property
    def queue_names(self) -> Sequence[str]:
        """The names of the queues, dead-letter queues included."""
        return tuple(self._queues)

    def send(self, messages: Sequence[Message]) -> None:
        self.schedule(messages)

    def schedule(self, messages: Iterable[Message]) -> list[int]:
        """Send, and give the messages' sequence numbers; a duplicate has that of the first."""
        with self._changed:
            numbers = [self._enqueue(message) for message in messages]
            self._changed.notify_all()
            return numbers

    def cancel_scheduled(self, queue: str, sequence_number: int) -> None:
        """Take back a message that is not due yet. Raises BusError when it is not there any more."""
        with self._changed:
            stored = self._queue(queue).waiting.get(sequence_number)
            if stored is None or stored.due <= self._clock.now():
                raise BusError(f"queue {queue!r} holds no scheduled message {sequence_number}")
            del self._queue(queue).waiting[sequence_number]

    def close(self) -> None:
        """Nothing to give back."""

    def leave(self) -> None:
        """Nothing is held per thread."""

    def receive(self, queue: str) -> LockedMessage | None:
        """The next message that is due, locked; None when there is none."""
        with self._alone:
            self._expire(queue)
            now = self._clock.now()
            stored = self._queue(queue).take(now)
            return None if stored is None else self._lock(queue, stored, now)

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

    def release(self, locked: LockedMessage) -> None:
        """Nobody has looked at it: deliver it again, and do not count this delivery. Raises LockLost."""
        with self._changed:
            stored = self._unlock(locked)
            stored.delivery_count -= 1
            self._queue(locked.queue).add(stored)
            self._changed.notify_all()

    def dead_letter(self, locked: LockedMessage, reason: str, description: str | None = None) -> None:
        """Move it to the dead letters. Raises LockLost."""
        with self._changed:
            self._bury(locked.queue, self._unlock(locked), reason, description)
            self._changed.notify_all()

    def renew_lock(self, locked: LockedMessage) -> datetime:
        """Start the lock's time anew; gives its end. Raises LockLost."""
        with self._changed:
            stored = self._unlock(locked)
            queue = self._queue(locked.queue)
            end = self._lock_end(queue)
            queue.locked[locked.lock_token] = (stored, end)
            return end

    def held(self, queue: str, lock_token: str) -> LockedMessage:
        """The message that is locked with this token. Raises LockLost."""
        with self._changed:
            self._expire(queue)
            found = self._queue(queue).locked.get(lock_token)
            if found is None:
                raise LockLost(f"the lock {lock_token} has run out")
            return _delivery(queue, lock_token, *found)

    def peek(self, queue: str, first_number: int, most: int) -> list[StoredMessage]:
        """Messages in the order of their sequence numbers, locked and scheduled ones too; none is locked."""
        with self._changed:
            self._expire(queue)
            found = sorted(self._all(queue), key=_number)
            return [replace(one) for one in found if one.sequence_number >= first_number][:most]

    def dead_letters(self, queue: str) -> list[StoredMessage]:
        """The dead letters with their reasons, oldest first."""
        return self.peek(queue + DEAD_LETTER_QUEUE, 0, sys.maxsize)

    def counts(self, queue: str) -> QueueCounts:
        """How many messages there are."""
        with self._changed:
            self._expire(queue)
            now, stored = self._clock.now(), self._queue(queue)
            active = sum(1 for one in stored.waiting.values() if one.due <= now)
            dead = len(self._all(queue + DEAD_LETTER_QUEUE))
            return QueueCounts(active, len(stored.waiting) - active, len(stored.locked), dead)

    def next_due(self, queue: str | None = None) -> datetime | None:
        """When something will happen next, in `queue` or in any: a message becomes due, a lock runs out."""
        with self._alone:
            moments: list[datetime | None] = []
            for one in [self._queue(queue)] if queue else self._queues.values():
                if one.waiting:
                    moments.append(one.next_due())
                if one.locked:
                    moments.append(one.next_unlock())
            if queue in self._parents:  # what dies in its queue comes here
                parent = self._queue(self._parents[queue])
                moments += [parent.next_unlock(), parent.next_expiry()]
            return min((moment for moment in moments if moment is not None), default=None)

    def wait(self, timeout_seconds: float) -> None:
        """Wait until something was sent or settled, at most so long (of the real clock)."""
        with self._changed:
            self._changed.wait(timeout_seconds)

    def _queue(self, name: str) -> Queue:
        if name not in self._queues:
            raise BusError(f"there is no queue {name!r}; there are {', '.join(self._queues)}")
        return self._queues[name]

    def _all(self, name: str) -> list[StoredMessage]:
        queue = self._queue(name)
        return [*queue.waiting.values(), *(stored for stored, _ in queue.locked.values())]

    def _enqueue(self, message: Message) -> int:
        queue, now = self._queue(message.queue), self._clock.now()
        if not 0 < len(message.message_id) <= LONGEST_MESSAGE_ID:
            raise BusError(f"a message id has 1 to {LONGEST_MESSAGE_ID} characters: {message.message_id!r}")
        window = timedelta(seconds=queue.options.duplicate_window_seconds)
        queue.forget_ids(now - window)
        if message.message_id in queue.seen_ids:
            return queue.seen_ids[message.message_id][1]
        due = max(message.deliver_at or now, now)
        expires = due + timedelta(seconds=queue.options.ttl_seconds)
        stored = StoredMessage(message, next(self._numbers), due, expires, None)
        queue.seen_ids[message.message_id] = (now, stored.sequence_number)
        queue.add(stored)
        return stored.sequence_number

    def _lock(self, name: str, stored: StoredMessage, now: datetime) -> LockedMessage:
        queue = self._queue(name)
        stored.delivery_count += 1
        stored.enqueued = stored.enqueued or now
        token, end = str(uuid.uuid4()), self._lock_end(queue)
        queue.locked[token] = (stored, end)
        return _delivery(name, token, stored, end)

    def _lock_end(self, queue: Queue) -> datetime:
        return self._clock.now() + timedelta(seconds=queue.options.lock_seconds)

    def _unlock(self, locked: LockedMessage) -> StoredMessage:
        self._expire(locked.queue)
        held = self._queue(locked.queue).locked.pop(locked.lock_token, None)
        if held is None:
            raise LockLost(f"the lock of {locked.message.message_id} has run out")
        return held[0]

    def _expire(self, name: str) -> None:
        """Give back messages whose lock ran out; bury those that are too old."""
        if name in self._parents:
            self._expire(self._parents[name])
        queue, now = self._queue(name), self._clock.now()
        for stored in queue.unlocked(now):
            self._give_back(name, stored)
        for stored in queue.expired(now):
            self._bury(name, stored, "TTLExpiredException")

    def _give_back(self, name: str, stored: StoredMessage) -> None:
        queue = self._queue(name)
        if stored.delivery_count >= queue.options.max_delivery_count:
            self._bury(name, stored, "MaxDeliveryCountExceeded")
        else:
            queue.add(stored)

    def _bury(self, name: str, stored: StoredMessage, reason: str, description: str | None = None) -> None:
        stored.dead_letter_reason, stored.dead_letter_description = reason, description
        stored.due, stored.expires = self._clock.now(), NEVER
        # A dead letter that is given up once more stays where it is.
        self._queue(name if name in self._parents else name + DEAD_LETTER_QUEUE).add(stored)


def _delivery(queue: str, token: str, stored: StoredMessage, end: datetime) -> LockedMessage:
    assert stored.enqueued is not None, "a locked message has been delivered"
    return LockedMessage(
        lock_token=token,
        queue=queue,
        message=stored.message,
        sequence_number=stored.sequence_number,
        delivery_count=stored.delivery_count,
        enqueued=stored.enqueued,
        locked_until=end,
        expires=stored.expires,
        dead_letter_reason=stored.dead_letter_reason,
        dead_letter_description=stored.dead_letter_description,
    )


def _number(stored: StoredMessage) -> int:
    return stored.sequence_number
