"""Takes the messages of a real namespace, or of the AMQP server, for the local host.

The SDK's receivers are for one thread each and have a socket each: every thread of the host has one of its
own per queue. With host.json's two calls at a time, one worker for each dead-letter queue and a sender per
queue that makes eight connections; the development emulator takes ten.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from local.bus.model import DEAD_LETTER_QUEUE, LockedMessage, LockLost
from local.bus.received import plain
from shared.errors import BusError
from shared.storage.service_bus_connection import ServiceBusConnection, close_quietly

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage, ServiceBusReceiver

T = TypeVar("T")

WAIT_SECONDS = 1.0
"""How long a receive waits for a message; so long may the host take to stop, too."""


@dataclass
class _Place:
    """A thread's receiver of a queue. The lock is for the thread that renews locks meanwhile."""

    queue: str
    receiver: ServiceBusReceiver | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class SdkReceiver:
    """Implements `Receiver` of `in_process.py`. Receiving waits `wait_seconds`, so that `wait` need not."""

    def __init__(self, connection: ServiceBusConnection, wait_seconds: float = WAIT_SECONDS) -> None:
        self._connection = connection
        self._wait = wait_seconds
        self._own = threading.local()
        self._places: list[_Place] = []
        self._taken: dict[str, tuple[_Place, ServiceBusReceivedMessage]] = {}
        self._lock = threading.Lock()

    def receive(self, queue: str) -> LockedMessage | None:
        """The next message, locked; None when none came in time. Raises BusError."""
        place = self._place(queue)
        with place.lock:
            try:
                receiver = self._opened(place)
                what = f"queue {queue!r} of Service Bus gave no message"
                with self._connection.bounded(receiver, what, self._wait):
                    received = receiver.receive_messages(1, max_wait_time=self._wait)
            except BusError:
                self._drop(place)
                raise
        return self._locked(place, received[0]) if received else None

    def complete(self, locked: LockedMessage) -> None:
        """The message is done with. Raises LockLost and BusError."""
        self._settle(locked, "complete")

    def abandon(self, locked: LockedMessage) -> None:
        """Deliver it again at once. Raises LockLost and BusError."""
        self._settle(locked, "abandon")

    def dead_letter(self, locked: LockedMessage, reason: str, description: str | None = None) -> None:
        """Move it to the dead letters. Raises LockLost and BusError."""
        self._settle(locked, "dead_letter", reason, description)

    def renew_lock(self, locked: LockedMessage) -> datetime:
        """Start the lock's time anew; gives its end. Raises LockLost and BusError."""
        return self._do(locked, lambda receiver, native: receiver.renew_message_lock(native))

    def next_due(self, queue: str | None = None) -> datetime | None:  # noqa: ARG002
        """Nobody knows but the service."""
        return None

    def wait(self, timeout_seconds: float) -> None:
        """Receiving has waited."""

    def leave(self) -> None:
        """Close the calling thread's receivers; what the service has given them comes again at once."""
        for place in vars(self._own).pop("places", {}).values():
            with self._lock:
                self._places.remove(place)
            with place.lock:
                self._drop(place)

    def close(self) -> None:
        """Close the receivers of all threads, which must not use them any more."""
        with self._lock:
            places, self._places = self._places, []
        if places:
            with ThreadPoolExecutor(len(places)) as pool:  # closing one takes a second
                list(pool.map(self._drop, places))

    def _place(self, queue: str) -> _Place:
        places: dict[str, _Place] = self._own.__dict__.setdefault("places", {})
        if queue not in places:
            places[queue] = _Place(queue)
            with self._lock:
                self._places.append(places[queue])
        return places[queue]

    def _opened(self, place: _Place) -> ServiceBusReceiver:
        if place.receiver is None:
            name, dead_letters = _split(place.queue)
            place.receiver = self._connection.open_receiver(name, dead_letters=dead_letters)
        return place.receiver

    def _drop(self, place: _Place) -> None:
        receiver, place.receiver = place.receiver, None
        if receiver is not None:
            close_quietly(receiver)

    def _settle(self, locked: LockedMessage, verb: str, *arguments: str | None) -> None:
        try:
            self._do(
                locked, lambda receiver, native: getattr(receiver, f"{verb}_message")(native, *arguments)
            )
        finally:
            # Whatever came of it: a message that is not settled now comes again, with another token.
            with self._lock:
                self._taken.pop(locked.lock_token, None)

    def _do(
        self, locked: LockedMessage, act: Callable[[ServiceBusReceiver, ServiceBusReceivedMessage], T]
    ) -> T:
        """A second time over a new connection when the first one broke: the lock is not bound to it."""
        with self._lock:
            found = self._taken.get(locked.lock_token)
        if found is None:
            raise LockLost(f"the lock of {locked.message.message_id} has run out")
        place, native = found
        with place.lock:
            try:
                return self._try(place, native, act)
            except BusError:
                self._drop(place)
                return self._try(place, native, act)

    def _try(
        self,
        place: _Place,
        native: ServiceBusReceivedMessage,
        act: Callable[[ServiceBusReceiver, ServiceBusReceivedMessage], T],
    ) -> T:
        receiver = self._opened(place)
        try:
            what = f"queue {place.queue!r} of Service Bus did not settle message {native.message_id}"
            with self._connection.bounded(receiver, what):
                return act(receiver, native)
        except BusError as error:
            if error.failure == "lock lost":
                raise LockLost(f"the lock of {native.message_id} has run out") from error
            raise

    def _locked(self, place: _Place, received: ServiceBusReceivedMessage) -> LockedMessage:
        token = str(received.lock_token)
        with self._lock:
            self._taken[token] = (place, received)
        name, _ = _split(place.queue)
        return LockedMessage(
            lock_token=token,
            queue=place.queue,
            message=plain(received, name),
            sequence_number=received.sequence_number or 0,
            delivery_count=(received.delivery_count or 0) + 1,  # the header counts those before this one
            enqueued=received.enqueued_time_utc or datetime.now(UTC),
            locked_until=received.locked_until_utc or datetime.now(UTC),
            expires=received.expires_at_utc or datetime.max.replace(tzinfo=UTC),
            dead_letter_reason=received.dead_letter_reason,
            dead_letter_description=received.dead_letter_error_description,
        )


def _split(queue: str) -> tuple[str, bool]:
    """A queue's name, and whether its dead letters are meant."""
    if queue.lower().endswith(DEAD_LETTER_QUEUE):
        return queue[: -len(DEAD_LETTER_QUEUE)], True
    return queue, False
