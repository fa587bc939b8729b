"""The contract of `shared.storage.documents.Documents`, once for every local way of keeping bytes.

A subclass says how bytes and leases are kept; versions, conditions and leases are decided here, under the
subclass's lock.
"""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta

from local.documents.leases import Lease, check_write, checked_seconds
from shared.clock import Clock
from shared.errors import DocumentChanged, DocumentExists, LeaseHeld, LeaseLost
from shared.storage.documents import Document
from shared.storage.paths import checked_path, checked_prefix


class KeptDocuments(ABC):
    """Implements Documents on top of eight small operations, all called under `_exclusive()`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    @abstractmethod
    def _exclusive(self) -> AbstractContextManager[object]:
        """Nobody else reads or writes these documents meanwhile."""

    @abstractmethod
    def _load(self, path: str) -> Document | None: ...

    @abstractmethod
    def _store(self, path: str, data: bytes) -> str:
        """Replace the document in one step; returns an ETag that this path has never had before."""

    @abstractmethod
    def _remove(self, path: str) -> None: ...

    @abstractmethod
    def _paths(self, prefix: str) -> list[str]: ...

    def _folders(self, prefix: str) -> set[str]:
        below = (path.removeprefix(prefix) for path in self._paths(prefix))
        return {path.partition("/")[0] for path in below if "/" in path}

    @abstractmethod
    def _load_lease(self, path: str) -> Lease | None:
        """The lease last kept, lapsed or not; None when its owner is known to be gone."""

    @abstractmethod
    def _store_lease(self, path: str, lease: Lease | None) -> None: ...

    @abstractmethod
    def _owner(self) -> str:
        """What to note as the owner of a lease that is taken now."""

    def read(self, path: str) -> Document | None:
        with self._exclusive():
            return self._load(checked_path(path))

    def create(self, path: str, data: bytes) -> str:
        with self._exclusive():
            if self._load(checked_path(path)) is not None:
                raise DocumentExists(f"{path} exists already")
            return self._store(path, data)

    def replace(self, path: str, data: bytes, etag: str) -> str:
        with self._exclusive():
            document = self._load(checked_path(path))
            if document is None or document.etag != etag:
                raise DocumentChanged(f"{path} is not the version that was read")
            return self._write_allowed(path, data, None)

    def write(self, path: str, data: bytes, *, lease_id: str | None = None) -> str:
        with self._exclusive():
            return self._write_allowed(checked_path(path), data, lease_id)

    def delete(self, path: str) -> None:
        with self._exclusive():
            if self._load(checked_path(path)) is None:
                return
            check_write(path, self._load_lease(path), None, self._clock.now())
            self._store_lease(path, None)
            self._remove(path)

    def list(self, prefix: str) -> Iterator[str]:
        with self._exclusive():
            return iter(sorted(self._paths(checked_prefix(prefix))))

    def folders(self, prefix: str) -> Iterator[str]:
        with self._exclusive():
            return iter(sorted(self._folders(checked_prefix(prefix))))

    def acquire_lease(self, path: str, seconds: int) -> str:
        checked_seconds(seconds)
        with self._exclusive():
            lease, now = self._load_lease(checked_path(path)), self._clock.now()
            if lease is not None and lease.holds(now):
                raise LeaseHeld(f"{path} is leased by somebody else")
            if self._load(path) is None:
                self._store(path, b"")
            taken = Lease(str(uuid.uuid4()), seconds, now + timedelta(seconds=seconds), self._owner())
            self._store_lease(path, taken)
            return taken.lease_id

    def renew_lease(self, path: str, lease_id: str) -> None:
        with self._exclusive():
            lease = self._load_lease(checked_path(path))
            if lease is None or lease.lease_id != lease_id:
                raise LeaseLost(f"the lease of {path} ran out or was taken over")
            self._store_lease(path, lease.renewed(self._clock.now()))

    def release_lease(self, path: str, lease_id: str) -> None:
        with self._exclusive():
            lease = self._load_lease(checked_path(path))
            if lease is not None and lease.lease_id == lease_id:
                self._store_lease(path, None)

    def _write_allowed(self, path: str, data: bytes, lease_id: str | None) -> str:
        lease = self._load_lease(path)
        check_write(path, lease, lease_id, self._clock.now())
        if lease is not None and lease_id is None:
            # A write ends a lapsed lease for good: its late owner must not renew it over the new content.
            self._store_lease(path, None)
        return self._store(path, data)
