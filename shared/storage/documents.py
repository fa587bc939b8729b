"""The port to the documents: what the sync needs of Blob Storage, and JSON on top of it.

Adapters: `blob_documents.py` here, `local/documents/folder.py` for the embedded stack.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from shared.errors import DocumentChanged, DocumentExists, UnreadableDocument
from shared.storage.decoding import decode
from shared.unreadable import readable

T = TypeVar("T")

GZIP_MAGIC = b"\x1f\x8b"
GZIP_ABOVE_BYTES = 32_768
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class Document:
    """Content and version of a stored document."""

    data: bytes
    etag: str


class Documents(Protocol):
    """Named documents with versions and leases.

    Paths are relative, with `/` between parts. A document under a lease accepts writes and deletes only
    with that lease's id. All methods raise StorageError when the store cannot be reached.
    """

    def read(self, path: str) -> Document | None:
        """The document, or None when there is none."""
        ...

    def create(self, path: str, data: bytes) -> str:
        """Write once. Returns the ETag; raises DocumentExists when the path is taken."""
        ...

    def replace(self, path: str, data: bytes, etag: str) -> str:
        """Write over the version `etag` only. Returns the new ETag; raises DocumentChanged otherwise."""
        ...

    def write(self, path: str, data: bytes, *, lease_id: str | None = None) -> str:
        """Write over whatever is there. Returns the ETag; raises LeaseLost when `lease_id` no longer
        holds, LeaseHeld when somebody else's does."""
        ...

    def delete(self, path: str) -> None:
        """Remove the document; no error when it is not there."""
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """Paths that begin with `prefix`, in lexical order, complete over all pages."""
        ...

    def folders(self, prefix: str) -> Iterator[str]:
        """Names of the folders right below `prefix` (empty, or ending in `/`), in lexical order, without
        listing what is in them: a year of runs is two requests."""
        ...

    def acquire_lease(self, path: str, seconds: int) -> str:
        """Take the lease (15 to 60 s, Azure's bounds) and return its id; an empty document is created
        when there is none. Raises LeaseHeld."""
        ...

    def renew_lease(self, path: str, lease_id: str) -> None:
        """Start the lease's time anew. Raises LeaseLost."""
        ...

    def release_lease(self, path: str, lease_id: str) -> None:
        """Give the lease back; no error when it is no longer ours."""
        ...


def to_json(value: Any) -> bytes:
    """JSON bytes; large documents gzipped, as the reader can tell from the first two bytes."""
    text = _ENCODER.encode(value)
    try:
        data = text.encode()
    except UnicodeEncodeError:
        # Half a character: whatever let it in, a document must be storable.
        data = readable(text).encode()
    if len(data) > GZIP_ABOVE_BYTES:
        # Level 1: a state of 100 000 people is written every changed run; size matters less than time.
        return gzip.compress(data, compresslevel=1, mtime=0)
    return data


def from_json(data: bytes, path: str = "") -> Any:
    """The value of JSON bytes, gzipped or not; None for an empty document (a bare lease). Raises
    UnreadableDocument, which names `path`."""
    try:
        if data[:2] == GZIP_MAGIC:
            data = gzip.decompress(data)
        return json.loads(data) if data else None
    except (OSError, EOFError, zlib.error):
        raise UnreadableDocument(path, "its compressed content is cut off or damaged") from None
    except (ValueError, RecursionError):
        # The errors of `json` quote nothing, but hold the whole text.
        raise UnreadableDocument(path, "it is no JSON") from None


def read_json(documents: Documents, path: str) -> Any:
    """The value stored at `path`, or None when there is none. Raises UnreadableDocument."""
    document = documents.read(path)
    return None if document is None else from_json(document.data, path)


def read_document(documents: Documents, path: str, kind: type[T]) -> T | None:
    """What is stored at `path` as a `kind` (see `decode`), or None when there is none. Raises
    UnreadableDocument, also for an empty document."""
    document = documents.read(path)
    if document is None:
        return None
    if not document.data:
        raise UnreadableDocument(path, "it is empty")
    return decode(kind, from_json(document.data, path), path)


def create_json(documents: Documents, path: str, value: Any) -> bool:
    """Write once; False when somebody has done it before."""
    try:
        documents.create(path, to_json(value))
    except DocumentExists:
        return False
    return True


def update_json(
    documents: Documents,
    path: str,
    change: Callable[[Any], Any | None],
    attempts: int = 50,
    *,
    lost: Callable[[UnreadableDocument], Any] | None = None,
    known: Document | None = None,
) -> Any:
    """Compare-and-swap: apply the pure function `change` to the current value (None when absent) until
    nobody interferes. `change` returns the new value, or None to leave the document as it is.

    A document that cannot be read, or that `change` says so of, is taken as what `lost` returns, and written
    over; without `lost` UnreadableDocument passes through.

    `known` is a version that was read before: the first attempt is made on it, without reading. That nothing
    is to be changed is never concluded from it.

    Returns the value that is stored afterwards. Raises DocumentChanged after `attempts` lost races.
    """
    for _ in range(attempts):
        document, is_old = known or documents.read(path), known is not None
        known = None
        before, after = _changed(document, path, change, lost)
        if after is None and is_old:
            continue
        if after is None:
            return before
        try:
            if document is None:
                documents.create(path, to_json(after))
            else:
                documents.replace(path, to_json(after), document.etag)
        except (DocumentChanged, DocumentExists):
            continue
        return after
    raise DocumentChanged(f"{path} was changed by others {attempts} times in a row")


def _changed(
    document: Document | None,
    path: str,
    change: Callable[[Any], Any | None],
    lost: Callable[[UnreadableDocument], Any] | None,
) -> tuple[Any, Any | None]:
    """The value before, and the one after."""
    try:
        if document is not None and not document.data:
            raise UnreadableDocument(path, "it is empty")
        before = None if document is None else from_json(document.data, path)
        if document is not None and before is None:
            raise UnreadableDocument(path, "it is null")
        return before, change(before)
    except UnreadableDocument as error:
        if lost is None:
            raise
        before = lost(error)
        return before, change(before)
