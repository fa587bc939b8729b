"""Cached reads in Redis: JSON values with their age, and counts of hits, misses and errors.

Redis only makes things faster: whatever happens to it, the caller gets its data by at most one fetch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from shared.clock import Clock
from shared.errors import CacheError, UnreadableDocument
from shared.resilience.redis_connection import RedisConnection
from shared.storage.documents import from_json, to_json

if TYPE_CHECKING:
    from redis import Redis

DATA_PREFIX = "safetyamp:cache:"
STATISTICS_PREFIX = "safetyamp:stats:cache:"
STATISTICS_SECONDS = 30 * 86_400
SCAN_COUNT = 500
UNREADABLE = (UnreadableDocument, ValueError, KeyError, TypeError)

Counter = Literal["hits", "misses", "errors"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CacheStatistics:
    """What happened in all instances; forgotten when a name is not used for a month.

    A lookup is a hit or a miss; forced refreshes are no lookups. `errors` are values that could not be
    read or stored while Redis answered (with Redis away nothing can be counted).
    """

    hits: int = 0
    misses: int = 0
    errors: int = 0


class _Entry(NamedTuple):
    """A stored value and the time of day, in seconds, at which it was stored."""

    stored_at: float
    value: Any


class Cache:
    """Values by name."""

    def __init__(self, connection: RedisConnection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def get_cached_data(
        self, name: str, fetch: Callable[[], Any], max_age_hours: float, force_refresh: bool = False
    ) -> Any:
        """The cached value, if it is younger than `max_age_hours`, else what `fetch` returns.

        Values are JSON: a tuple comes back from the cache as a list, keys come back as text.
        `max_age_hours` 0 neither reads nor stores. `fetch` is called at most once; what it raises passes
        through and leaves the stored value alone; None is not stored. Redis never makes this raise.
        """
        max_age_seconds = max_age_hours * 3600
        if max_age_seconds > 0 and not force_refresh:
            entry = self._lookup(name, max_age_seconds)
            if entry is not None:
                return entry.value
        value = fetch()
        if max_age_seconds > 0 and value is not None:
            self._store(name, value, max_age_seconds)
        return value

    def clear_cache(self, name: str | None = None) -> int:
        """Forget one value, or all; returns how many there were. The counts stay.

        Raises CacheError: an operator who clears the cache must know when it was not.
        """
        if name is None:
            return self._connection.run(_clear_all)
        return self._connection.run(lambda client: cast(int, client.unlink(DATA_PREFIX + name)))

    def statistics(self) -> dict[str, CacheStatistics]:
        """Counts by name. Raises CacheError."""
        return self._connection.run(_read_statistics)

    def _lookup(self, name: str, max_age_seconds: float) -> _Entry | None:
        try:
            data = self._connection.run(lambda client: cast("bytes | None", client.get(DATA_PREFIX + name)))
        except CacheError:
            return None
        entry = None if data is None else self._decode(name, data)
        if entry is not None and self._clock.now().timestamp() - entry.stored_at >= max_age_seconds:
            entry = None
        self._count(name, "misses" if entry is None else "hits")
        return entry

    def _decode(self, name: str, data: bytes) -> _Entry | None:
        try:
            stored = from_json(data)
            return _Entry(float(stored["stored_at"]), stored["value"])
        except UNREADABLE as error:
            self._report(name, "cached value is unreadable", error)
            return None

    def _store(self, name: str, value: Any, max_age_seconds: float) -> None:
        data = self._encoded(name, value)
        if data is not None:
            self._put(name, data, max(1, round(max_age_seconds * 1000)))

    def _encoded(self, name: str, value: Any) -> bytes | None:
        try:
            return to_json({"stored_at": self._clock.now().timestamp(), "value": value})
        except (TypeError, ValueError) as error:
            self._report(name, "value was not cached", error)
            return None

    def _put(self, name: str, data: bytes, lifetime_ms: int) -> None:
        # The value is not in this frame: Redis clients' errors are part of cycles, which keep the frames of
        # their traceback until the garbage collector comes, and a value may be a whole listing.
        try:
            self._connection.run(lambda client: client.set(DATA_PREFIX + name, data, px=lifetime_ms))
        except CacheError as error:
            self._report(name, "value was not cached", error)

    def _report(self, name: str, text: str, error: Exception) -> None:
        logger.warning(text, extra={"cache": name, "error": type(error).__name__})
        self._count(name, "errors")

    def _count(self, name: str, counter: Counter) -> None:
        try:
            self._connection.run(lambda client: _increment(client, STATISTICS_PREFIX + name, counter))
        except CacheError:
            return  # A count is not worth the caller's data.


def _increment(client: Redis, key: str, counter: Counter) -> None:
    # One transaction: a crash in between must not leave a key that never expires.
    pipeline = client.pipeline(transaction=True)
    pipeline.hincrby(key, counter, 1)
    pipeline.expire(key, STATISTICS_SECONDS)
    pipeline.execute()


def _clear_all(client: Redis) -> int:
    cleared = 0
    keys = _scan(client, DATA_PREFIX)
    while batch := list(islice(keys, SCAN_COUNT)):
        # One key per command: in a clustered Redis they live in different slots.
        pipeline = client.pipeline(transaction=False)
        for key in batch:
            pipeline.unlink(key)
        cleared += sum(pipeline.execute())
    return cleared


def _read_statistics(client: Redis) -> dict[str, CacheStatistics]:
    keys = sorted({key.decode() for key in _scan(client, STATISTICS_PREFIX)})
    pipeline = client.pipeline(transaction=False)
    for key in keys:
        pipeline.hgetall(key)
    names = [key.removeprefix(STATISTICS_PREFIX) for key in keys]
    return dict(zip(names, map(_statistics, pipeline.execute()), strict=True))


def _statistics(counts: dict[bytes, bytes]) -> CacheStatistics:
    return CacheStatistics(*(int(counts.get(name, 0)) for name in (b"hits", b"misses", b"errors")))


def _scan(client: Redis, prefix: str) -> Iterator[bytes]:
    """SCAN, never KEYS: it does not stop Redis for others. A key may come twice."""
    return cast("Iterator[bytes]", client.scan_iter(match=f"{prefix}*", count=SCAN_COUNT))
