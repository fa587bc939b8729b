"""Holding a lease while working, renewed before every call instead of by a thread.

A call lasts at most its connect and read timeouts (35 s); renewing before each keeps a lease of 60 s alive
for as long as calls are made, and a handler that is stuck for longer loses it, as it should.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.clients.http.heartbeat import beating, bound_heartbeat
from shared.sync.services import Services

LEASE_SECONDS = 60
RENEW_AFTER_SECONDS = 15.0


class Lease:
    """A lease that is ours once it was taken."""

    def __init__(self, services: Services, path: str) -> None:
        self._documents = services.documents
        self._clock = services.clock
        self._path = path
        self._id: str | None = None
        self._renewed = 0.0

    def take(self) -> str:
        """Its id. Raises LeaseHeld."""
        if self._id is None:
            self._id = self._documents.acquire_lease(self._path, LEASE_SECONDS)
            self._renewed = self._clock.monotonic()
        return self._id

    def keep(self) -> None:
        """Renew it when it is no longer fresh. Raises LeaseLost."""
        now = self._clock.monotonic()
        if self._id is not None and now - self._renewed >= RENEW_AFTER_SECONDS:
            self._documents.renew_lease(self._path, self._id)
            self._renewed = now

    def release(self) -> None:
        """Give it back, so that the next does not have to wait until it runs out."""
        if self._id is not None:
            self._documents.release_lease(self._path, self._id)


@contextmanager
def held_lease(services: Services, path: str) -> Iterator[Lease]:
    """Lease the document at `path`; every HTTP call made inside renews the lease first when needed, and those
    of the blocks around.

    Raises LeaseHeld at the start, LeaseLost from within a call, and Stopping instead of a call when the
    process is about to end.
    """
    with lease_when_needed(services, path) as lease:
        lease.take()
        yield lease


@contextmanager
def lease_when_needed(services: Services, path: str) -> Iterator[Lease]:
    """The same, but for whoever inside takes the lease, when it does."""
    lease, outer = Lease(services, path), bound_heartbeat()

    def before_call() -> None:
        if outer is not None:
            outer()
        services.shutdown.check()
        lease.keep()

    try:
        with beating(before_call):
            yield lease
    finally:
        lease.release()
