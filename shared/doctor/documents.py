"""The documents: whether they can be read, written, leased and removed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from shared.doctor.clocks import ahead, skew
from shared.doctor.finding import Check, Finding, ms_since
from shared.errors import LeaseHeld, StorageError
from shared.storage.blob_documents import BlobDocuments
from shared.storage.documents import Documents
from shared.sync import paths

if TYPE_CHECKING:
    from shared.runtime import Runtime

FOLDER = "doctor/"
LEASE_SECONDS = 15
SETTINGS = ("DOCUMENTS_CONNECTION", "DOCUMENTS_CONTAINER")
ROLE = "Check the identity's role Storage Blob Data Contributor and the storage account's network rules"


@runtime_checkable
class TellsTime(Protocol):
    """Documents whose service notes by its own clock when one was written."""

    def modified_at(self, path: str) -> datetime | None:
        """When the document was last written; None when there is none."""
        ...


def quick(runtime: Runtime) -> Iterator[Finding]:
    """One read."""
    started = runtime.clock.monotonic()
    runtime.documents.read(paths.ACTIVE)
    took = ms_since(runtime.clock, started)
    seen = f"{_where(runtime.documents)} can be read"
    yield Finding("documents", "ok", seen, latency_ms=took, settings=SETTINGS)


def deep(runtime: Runtime) -> Iterator[Finding]:
    """A document of its own that is written, read, leased and removed."""
    yield from quick(runtime)
    documents, path = runtime.documents, f"{FOLDER}{uuid.uuid4()}.json"
    try:
        yield from _use(runtime, path)
    finally:
        with suppress(StorageError):
            documents.delete(path)


def _use(runtime: Runtime, path: str) -> Iterator[Finding]:
    documents, content = runtime.documents, uuid.uuid4().hex.encode()
    before, started = runtime.clock.now(), runtime.clock.monotonic()
    documents.create(path, content)
    took, after = ms_since(runtime.clock, started), runtime.clock.now()
    stored = documents.read(path)
    if stored is None or stored.data != content:
        raise StorageError("a document is not read as it was written")
    lease = documents.acquire_lease(path, LEASE_SECONDS)
    try:
        refuses = _refuses_writes(documents, path)
    finally:
        # Under its lease the document could not be removed.
        documents.release_lease(path, lease)
    if not refuses:
        raise StorageError("a document under a lease was written without it: leases do not hold")
    modified = documents.modified_at(path) if isinstance(documents, TellsTime) else None
    documents.delete(path)
    if documents.read(path) is not None:
        raise StorageError("a document that was removed is still there")
    seen = "a document was written, read, leased and removed"
    yield Finding("documents.write", "ok", seen, latency_ms=took, settings=SETTINGS)
    if modified is not None:
        yield skew("documents.clock", "the storage account's", ahead(modified, before, after))


def _refuses_writes(documents: Documents, path: str) -> bool:
    try:
        documents.write(path, b"")
    except LeaseHeld:
        return True
    return False


def _where(documents: Documents) -> str:
    return "Blob Storage" if isinstance(documents, BlobDocuments) else "embedded documents (LOCAL_FOLDER)"


QUICK = Check("documents", quick, ROLE, SETTINGS)
DEEP = Check("documents", deep, ROLE, SETTINGS)
