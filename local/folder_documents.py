"""Documents in a folder: what the embedded stack uses instead of Blob Storage.

Each document is one file at its path, readable with any editor. Beside them lie two names that no
document can have: `.lock`, and `.leases/` with one small file per lease taken. A document is written to
`.next` first and moved into place in one step, so that a process killed at any instruction leaves the old
document or the new one. (Power failure is not covered: nothing is flushed to the disk.)

Two limits that Blob Storage has not: `a` and `a/b` cannot both be documents, and on a file system that
ignores case two names must differ in more than case.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from hashlib import blake2b
from pathlib import Path

from local.folder_lock import locked
from local.kept_documents import KeptDocuments
from local.leases import Lease
from local.owner import current_owner, is_gone
from shared.clock import Clock
from shared.errors import StorageError
from shared.storage.documents import Document

TICK_NS = 100
"""The coarsest resolution of file times among the usual file systems (NTFS)."""


class FolderDocuments(KeptDocuments):
    """Implements Documents in `folder`, for all threads and processes of this machine.

    A lease also ends with the process that took it, so that a run which was killed can go on at once.
    Raises StorageError when the folder cannot be read or written.
    """

    def __init__(self, folder: Path | str, clock: Clock) -> None:
        super().__init__(clock)
        self._folder = Path(folder)
        self._leases = self._folder / ".leases"

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        try:
            self._leases.mkdir(parents=True, exist_ok=True)
            with locked(self._folder / ".lock"):
                yield
        except OSError as error:
            raise StorageError(
                f"documents in the folder {self._folder} (LOCAL_FOLDER) cannot be read or written: "
                f"{error.strerror}; check that it exists, may be written and has space left"
            ) from error

    def _load(self, path: str) -> Document | None:
        try:
            with (self._folder / path).open("rb") as file:
                data, changed = file.read(), os.fstat(file.fileno()).st_mtime_ns
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        return Document(data, _etag(data, changed))

    def _store(self, path: str, data: bytes) -> str:
        target = self._folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        changed = _later_than(_changed_ns(target))
        self._replace(target, data, changed)
        return _etag(data, changed)

    def _remove(self, path: str) -> None:
        (self._folder / path).unlink()

    def _paths(self, prefix: str) -> list[str]:
        # Only the folder that the prefix names is walked: a finished run is of no interest to the next.
        start = self._folder / prefix.rpartition("/")[0]
        found = []
        for folder, subfolders, files in os.walk(start):
            subfolders[:] = [name for name in subfolders if not name.startswith(".")]
            inside = Path(folder).relative_to(self._folder)
            found += [(inside / name).as_posix() for name in files if not name.startswith(".")]
        return [path for path in found if path.startswith(prefix)]

    def _folders(self, prefix: str) -> set[str]:
        try:
            with os.scandir(self._folder / prefix) as entries:
                return {entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")}
        except FileNotFoundError:
            return set()

    def _load_lease(self, path: str) -> Lease | None:
        try:
            kept = json.loads(self._lease_file(path).read_bytes())
        except FileNotFoundError:
            return None
        expires_at = datetime.fromisoformat(kept["expires_at"])
        lease = Lease(kept["lease_id"], kept["seconds"], expires_at, kept["owner"])
        return None if is_gone(lease.owner) else lease

    def _store_lease(self, path: str, lease: Lease | None) -> None:
        file = self._lease_file(path)
        if lease is None:
            with suppress(FileNotFoundError):
                file.unlink()
            return
        kept = {
            "lease_id": lease.lease_id,
            "seconds": lease.seconds,
            "expires_at": lease.expires_at.isoformat(),
            "owner": lease.owner,
        }
        self._replace(file, json.dumps(kept).encode(), time.time_ns())

    def _owner(self) -> str:
        return current_owner()

    def _lease_file(self, path: str) -> Path:
        return self._leases / path.replace("/", "~")

    def _replace(self, target: Path, data: bytes, changed_ns: int) -> None:
        # One name for all is enough: whoever writes holds the lock, and what a killed writer left is
        # overwritten.
        draft = self._folder / ".next"
        draft.write_bytes(data)
        os.utime(draft, ns=(changed_ns, changed_ns))
        draft.replace(target)


def _changed_ns(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _later_than(before_ns: int) -> int:
    """A file time for the next version: the kernel's own is too coarse to tell two quick writes apart."""
    return max(time.time_ns() // TICK_NS, before_ns // TICK_NS + 1) * TICK_NS


def _etag(data: bytes, changed_ns: int) -> str:
    # The time tells A-B-A apart; the content tells apart what was edited with the time kept.
    return f'"{changed_ns:x}-{blake2b(data, digest_size=8).hexdigest()}"'
