"""Holding a lease while working, renewed before every call instead of by a thread.

A call lasts at most its connect and read timeouts (35 s); renewing before each keeps a lease of 60 s alive
for as long as calls are made, and a handler that is stuck for longer loses it, as it should.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.sync.services import Bound, Services

LEASE_SECONDS = 60
RENEW_AFTER_SECONDS = 15.0


class Lease:
    """A lease that is ours once it was taken. `services` are those of the work under it: before each of their
    HTTP calls it is renewed when needed, and so are the leases of the work that this is a part of."""

    def __init__(self, services: Services, path: str) -> None:
        self.services: Services = Bound(services, services.work.keeping(self._before_call))
        self._shutdown = services.shutdown
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

    def _before_call(self) -> None:
        self._shutdown.check()
        self.keep()

    def release(self) -> None:
        """Give it back, so that the next does not have to wait until it runs out."""
        if self._id is not None:
            self._documents.release_lease(self._path, self._id)


@contextmanager
def held_lease(services: Services, path: str) -> Iterator[Lease]:
    """Lease the document at `path`.

    Raises LeaseHeld at the start, and from within a call that is made by the lease's services LeaseLost, or
    Stopping when the process is about to end.
    """
    with lease_when_needed(services, path) as lease:
        lease.take()
        yield lease


@contextmanager
def lease_when_needed(services: Services, path: str) -> Iterator[Lease]:
    """The same, but for whoever inside takes the lease, when it does."""
    lease = Lease(services, path)
    try:
        yield lease
    finally:
        lease.release()
