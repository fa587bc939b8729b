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


class HeldLease:
    """A lease that is ours. `keep` renews it when it is no longer fresh; raises LeaseLost."""

    def __init__(self, services: Services, path: str) -> None:
        self._documents = services.documents
        self._clock = services.clock
        self._path = path
        self.lease_id = services.documents.acquire_lease(path, LEASE_SECONDS)
        self._renewed = services.clock.monotonic()

    def keep(self) -> None:
        now = self._clock.monotonic()
        if now - self._renewed >= RENEW_AFTER_SECONDS:
            self._documents.renew_lease(self._path, self.lease_id)
            self._renewed = now

    def release(self) -> None:
        """Give it back, so that the next does not have to wait until it runs out."""
        self._documents.release_lease(self._path, self.lease_id)


@contextmanager
def held_lease(services: Services, path: str) -> Iterator[HeldLease]:
    """Lease the document at `path`; every HTTP call made inside renews the lease first when needed, and those
    of the blocks around.

    Raises LeaseHeld at the start, LeaseLost from within a call, and Stopping instead of a call when the
    process is about to end.
    """
    lease, outer = HeldLease(services, path), bound_heartbeat()

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
