"""Documents in this process's memory, for fast tests and throw-away runs."""

from __future__ import annotations

import itertools
import threading
from contextlib import AbstractContextManager

from local.documents.kept import KeptDocuments
from local.documents.leases import Lease
from shared.clock import Clock
from shared.storage.documents import Document


class MemoryDocuments(KeptDocuments):
    """Implements Documents; shared by the threads of one process, gone with it."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._lock = threading.RLock()
        self._versions = itertools.count(1)
        self._documents: dict[str, Document] = {}
        self._leases: dict[str, Lease] = {}

    def etag(self, path: str) -> str | None:
        """The document's version; None when there is none."""
        document = self._documents.get(path)
        return document.etag if document else None

    def _exclusive(self) -> AbstractContextManager[object]:
        return self._lock

    def _load(self, path: str) -> Document | None:
        return self._documents.get(path)

    def _store(self, path: str, data: bytes) -> str:
        document = Document(bytes(data), f'"{next(self._versions)}"')
        self._documents[path] = document
        return document.etag

    def _remove(self, path: str) -> None:
        del self._documents[path]

    def _paths(self, prefix: str) -> list[str]:
        return [path for path in self._documents if path.startswith(prefix)]

    def _load_lease(self, path: str) -> Lease | None:
        return self._leases.get(path)

    def _store_lease(self, path: str, lease: Lease | None) -> None:
        if lease is None:
            self._leases.pop(path, None)
        else:
            self._leases[path] = lease

    def _owner(self) -> str:
        return ""
