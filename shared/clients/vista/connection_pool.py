"""A bounded pool of database connections that never hands out or takes back a broken one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from shared.clock import Clock
from shared.errors import DatabaseError

MAX_AGE_SECONDS = 1800.0
"""Firewalls and failovers leave connections that look alive; half an hour is below their usual limits."""

WAIT_SECONDS = 10.0


class Poolable(Protocol):
    """What the pool needs of a connection."""

    def ping(self) -> None:
        """Raises DatabaseError when the connection is broken."""
        ...

    def close(self) -> None:
        """Never raises, not even for a broken connection."""
        ...


Connection = TypeVar("Connection", bound=Poolable)


class NoFreeConnection(DatabaseError):
    """All connections are in use, or the pool is closed; says nothing about the database."""


@dataclass(frozen=True)
class _Pooled(Generic[Connection]):
    connection: Connection
    opened: float


class ConnectionPool(Generic[Connection]):
    """At most `size` connections at a time, for all threads.

    Connections are opened when needed, checked by a ping each time one is handed out, closed once they
    are older than `max_age_seconds`, and never used again after an error.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        size: int,
        clock: Clock,
        *,
        max_age_seconds: float = MAX_AGE_SECONDS,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._connect = connect
        self._size = size
        self._clock = clock
        self._max_age = max_age_seconds
        self._wait = wait_seconds
        self._slots = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()  # guards the two below, and is never held during I/O
        self._idle: list[_Pooled[Connection]] = []
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A working connection for the block; any exception in the block closes it.

        Raises NoFreeConnection when none becomes free within `wait_seconds` or the pool is closed, and
        what `connect` raises.
        """
        if not self._slots.acquire(timeout=self._wait):
            raise NoFreeConnection(f"All {self._size} Vista connections were in use for {self._wait:g} s")
        try:
            pooled = self._take()
            try:
                yield pooled.connection
            except BaseException:
                # Whether the error left the connection in order cannot be told, and a new one is cheap.
                pooled.connection.close()
                raise
            self._give_back(pooled)
        finally:
            self._slots.release()

    def close(self) -> None:
        """Close all idle connections; those in use are closed when their block ends."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for pooled in idle:
            pooled.connection.close()

    def _take(self) -> _Pooled[Connection]:
        while True:
            pooled = self._next_idle()
            if pooled is None:
                return _Pooled(self._connect(), self._clock.monotonic())
            if self._is_good(pooled):
                return pooled
            pooled.connection.close()

    def _next_idle(self) -> _Pooled[Connection] | None:
        with self._lock:
            if self._closed:
                raise NoFreeConnection("The pool of Vista connections is closed: the process is stopping")
            return self._idle.pop() if self._idle else None

    def _is_good(self, pooled: _Pooled[Connection]) -> bool:
        if self._clock.monotonic() - pooled.opened > self._max_age:
            return False
        try:
            pooled.connection.ping()
        except DatabaseError:
            return False
        return True

    def _give_back(self, pooled: _Pooled[Connection]) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(pooled)
                return
        pooled.connection.close()
