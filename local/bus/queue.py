"""One queue of the in-process bus: what waits, by the moment at which it is due, and what is locked."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import datetime

from local.bus.model import QueueOptions, StoredMessage


class Queue:
    """Not safe for threads by itself; the bus holds its lock.

    The heaps may hold moments of messages that have left since; those are skipped when they come up.
    """

    def __init__(self, options: QueueOptions) -> None:
        self.options = options
        self.waiting: dict[int, StoredMessage] = {}
        self.locked: dict[str, tuple[StoredMessage, datetime]] = {}
        self.seen_ids: dict[str, tuple[datetime, int]] = {}
        """Message id -> when it was sent, and its sequence number."""
        self._due: list[tuple[datetime, int]] = []
        self._expiring: list[tuple[datetime, int]] = []

    def add(self, stored: StoredMessage) -> None:
        """Let it wait until it is due."""
        self.waiting[stored.sequence_number] = stored
        heapq.heappush(self._due, (stored.due, stored.sequence_number))
        heapq.heappush(self._expiring, (stored.expires, stored.sequence_number))

    def forget_ids(self, since: datetime) -> None:
        """No longer know the messages that were sent until `since`: `up` runs for months."""
        # In the order in which they were sent: an id is only added when it is not there.
        while self.seen_ids and self.seen_ids[oldest := next(iter(self.seen_ids))][0] <= since:
            del self.seen_ids[oldest]

    def take(self, now: datetime) -> StoredMessage | None:
        """The first message that is due, which then waits no more."""
        due = self.next_due()
        if due is None or due > now:
            return None
        return self.waiting.pop(heapq.heappop(self._due)[1])

    def next_due(self) -> datetime | None:
        """When the first of the waiting messages is due."""
        return self._head(self._due)

    def next_expiry(self) -> datetime | None:
        """When the first of the waiting messages is too old."""
        return self._head(self._expiring)

    def expired(self, now: datetime) -> Iterator[StoredMessage]:
        """Take out the messages that are too old."""
        while (expires := self.next_expiry()) is not None and expires <= now:
            yield self.waiting.pop(heapq.heappop(self._expiring)[1])

    def next_unlock(self) -> datetime | None:
        """When the first lock runs out."""
        return min([end for _, end in self.locked.values()], default=None)

    def unlocked(self, now: datetime) -> Iterator[StoredMessage]:
        """Take out the messages whose locks have run out."""
        for token in [token for token, (_, end) in self.locked.items() if end <= now]:
            yield self.locked.pop(token)[0]

    def _head(self, heap: list[tuple[datetime, int]]) -> datetime | None:
        while heap and heap[0][1] not in self.waiting:
            heapq.heappop(heap)
        return heap[0][0] if heap else None
