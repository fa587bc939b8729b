"""Documents in Azure Blob Storage: one container, conditions by ETag, leases by the service.

Large documents arrive here gzipped already. They are stored as content of type application/gzip, without a
content encoding: clients and proxies would unpack the latter on their own, and readers look at the bytes.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared.errors import DocumentChanged, DocumentExists, LeaseHeld, LeaseLost
from shared.storage.blob_errors import Missing, translated
from shared.storage.documents import GZIP_MAGIC, Document
from shared.storage.paths import checked_path, checked_prefix

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, BlobLeaseClient, ContainerClient

WRITE_MARK = "write"
"""Metadata that tells which call wrote a version (see `_conditional`)."""


class BlobDocuments:
    """Implements `shared.storage.documents.Documents`.

    `container_client` is called once, at the first use; `setting` is the one that names its account. The
    container is created by the first write that finds it missing. Safe to share between threads.
    """

    def __init__(
        self, container_client: Callable[[], ContainerClient], setting: str = "DOCUMENTS_CONNECTION"
    ) -> None:
        self._make_container = container_client
        self._setting = setting
        self._container: ContainerClient | None = None
        self._lock = threading.Lock()

    def read(self, path: str) -> Document | None:
        try:
            with self._translated(path):
                download = self._blob(path).download_blob()
                return Document(download.readall(), download.properties.etag)
        except Missing:
            return None

    def create(self, path: str, data: bytes) -> str:
        try:
            return self._conditional(path, data, overwrite=False)
        except (DocumentExists, LeaseHeld) as error:
            # Under a lease the service may complain about the lease first; it exists all the same.
            raise DocumentExists(f"{path} exists already") from error

    def replace(self, path: str, data: bytes, etag: str) -> str:
        from azure.core import MatchConditions

        condition = MatchConditions.IfNotModified
        try:
            return self._conditional(path, data, overwrite=True, etag=etag, match_condition=condition)
        except Missing as error:
            raise DocumentChanged(f"{path} was removed after it had been read") from error

    def write(self, path: str, data: bytes, *, lease_id: str | None = None) -> str:
        return self._upload(path, data, overwrite=True, lease=lease_id)

    def delete(self, path: str) -> None:
        with suppress(Missing), self._translated(path):
            self._blob(path).delete_blob()

    def list(self, prefix: str) -> Iterator[str]:
        return self._names(checked_prefix(prefix))

    def folders(self, prefix: str) -> Iterator[str]:
        return self._folders(checked_prefix(prefix))

    def acquire_lease(self, path: str, seconds: int) -> str:
        # The id is ours, so that the SDK's own repetition after a lost answer is granted again.
        lease = self._lease(path, str(uuid.uuid4()))
        try:
            with self._translated(path):
                lease.acquire(lease_duration=seconds)
        except Missing:
            # Another worker may be quicker with the document; the lease decides between us.
            with suppress(DocumentExists):
                self.create(path, b"")
            with self._translated(path):
                lease.acquire(lease_duration=seconds)
        return lease.id

    def renew_lease(self, path: str, lease_id: str) -> None:
        try:
            with self._translated(path):
                self._lease(path, lease_id).renew()
        except Missing as error:
            raise LeaseLost(f"{path} was removed, and its lease with it") from error

    def release_lease(self, path: str, lease_id: str) -> None:
        with suppress(Missing, LeaseLost), self._translated(path):
            self._lease(path, lease_id).release()

    def modified_at(self, path: str) -> datetime | None:
        """When the document was last written, by the service's clock; None when there is none."""
        try:
            with self._translated(path):
                moment: datetime = self._blob(path).get_blob_properties().last_modified
                return moment
        except Missing:
            return None

    def _names(self, prefix: str) -> Iterator[str]:
        with suppress(Missing), self._translated(prefix):
            yield from self._client().list_blob_names(name_starts_with=prefix or None)

    def _folders(self, prefix: str) -> Iterator[str]:
        from azure.storage.blob import BlobPrefix

        with suppress(Missing), self._translated(prefix):
            for found in self._client().walk_blobs(name_starts_with=prefix or None, delimiter="/"):
                if isinstance(found, BlobPrefix):
                    yield found.name.removeprefix(prefix).rstrip("/")

    def _conditional(self, path: str, data: bytes, **conditions: Any) -> str:
        """Write under a condition, and recognise our own write.

        The SDK repeats a request whose answer was lost. If the first one had been carried out, the
        repetition fails on the version that we wrote ourselves; the mark tells it from somebody else's.
        """
        mark = uuid.uuid4().hex
        try:
            return self._upload(path, data, metadata={WRITE_MARK: mark}, **conditions)
        except (DocumentChanged, DocumentExists):
            with suppress(Missing), self._translated(path):
                stored = self._blob(path).get_blob_properties()
                if (stored.metadata or {}).get(WRITE_MARK) == mark:
                    return str(stored.etag)
            raise

    def _upload(self, path: str, data: bytes, **options: Any) -> str:
        try:
            return self._put(path, data, options)
        except Missing as missing:
            if not missing.container:
                raise
        self._create_container()
        return self._put(path, data, options)

    def _put(self, path: str, data: bytes, options: dict[str, Any]) -> str:
        from azure.storage.blob import ContentSettings

        with self._translated(path):
            kind = ContentSettings(_content_type(path, data))
            answer = self._blob(path).upload_blob(data, content_settings=kind, **options)
            return str(answer["etag"])

    def _create_container(self) -> None:
        from azure.core.exceptions import ResourceExistsError

        # Another worker may be quicker.
        with self._translated("the container"), suppress(ResourceExistsError):
            self._client().create_container()

    def _lease(self, path: str, lease_id: str) -> BlobLeaseClient:
        from azure.storage.blob import BlobLeaseClient

        return BlobLeaseClient(self._blob(path), lease_id)

    def _translated(self, path: str) -> AbstractContextManager[None]:
        return translated(path, self._setting)

    def _blob(self, path: str) -> BlobClient:
        return self._client().get_blob_client(checked_path(path))

    def _client(self) -> ContainerClient:
        with self._lock:
            if self._container is None:
                self._container = self._make_container()
            return self._container


def _content_type(path: str, data: bytes) -> str:
    if data[:2] == GZIP_MAGIC:
        return "application/gzip"
    return "text/html; charset=utf-8" if path.endswith(".html") else "application/json"
