"""Documents in a folder: what the embedded stack uses instead of Blob Storage.

Each document is one file at its path, readable with any editor. Beside them lie two names that no
document can have: `.lock`, and `.leases/` with one small file per lease taken. A document is written to
`.next` first and moved into place in one step, so that a process killed at any instruction leaves the old
document or the new one. (Power failure is not covered: nothing is flushed to the disk.)

Two limits that Blob Storage has not: `a` and `a/b` cannot both be documents, and on a file system that
ignores case two names must differ in more than case.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from hashlib import blake2b
from pathlib import Path

from local.documents.kept import KeptDocuments
from local.documents.leases import Lease
from local.documents.lock import locked
from local.documents.owner import current_owner, is_gone
from shared.clock import Clock
from shared.errors import StorageError
from shared.storage.documents import Document

OURS_ONLY, FOLDER_OURS_ONLY = 0o600, 0o700
"""Documents hold names, addresses and birth dates."""

WHY = {
    errno.ENOTDIR: "it is a file, or below one; name a folder",
    errno.EEXIST: "it is a file, or below one; name a folder",
    errno.ENAMETOOLONG: "its path is too long; name a shorter one",
    errno.ENOSPC: "there is no space left on its disk; make room, or name another folder",
    errno.EDQUOT: "there is no space left for this user; make room, or name another folder",
    errno.EROFS: "its file system is read-only; name another folder",
    errno.EACCES: "this user has no permission; give it, or name another folder",
    errno.EPERM: "this user has no permission; give it, or name another folder",
}

TICK_NS = 100
"""The coarsest resolution of file times among the usual file systems (NTFS)."""


class FolderUnusable(StorageError):
    """The folder cannot be read or written; the text says why, and what to do."""


class FolderDocuments(KeptDocuments):
    """Implements Documents in `folder`, for all threads and processes of this machine.

    A lease also ends with the process that took it, so that a run which was killed can go on at once.
    Raises FolderUnusable when the folder cannot be read or written; `trouble` is the last of these, for a
    caller whose work is done in other threads, and None after a write that went well.
    """

    def __init__(self, folder: Path | str, clock: Clock) -> None:
        super().__init__(clock)
        self._folder = Path(folder)
        self._leases = self._folder / ".leases"
        self._is_prepared = False
        self.trouble: FolderUnusable | None = None

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        try:
            self._prepare()
            with locked(self._folder / ".lock"):
                yield
        except OSError as error:
            why = WHY.get(error.errno or 0, f"{error.strerror}; check that it exists and may be written")
            self.trouble = FolderUnusable(f"LOCAL_FOLDER: {self._folder} cannot hold documents: {why}")
            raise self.trouble from error

    def _prepare(self) -> None:
        """Make the folder, or see to it that nobody else can look into the one that is there."""
        if self._is_prepared and self._leases.is_dir():
            return
        is_ours = self._leases.is_dir() or not self._folder.exists() or not any(self._folder.iterdir())
        self._folder.mkdir(parents=True, exist_ok=True)
        # What others keep in a folder that was there before is not ours to lock away, and neither is /tmp.
        if is_ours and not self._folder.stat().st_mode & stat.S_ISVTX:
            with suppress(PermissionError):
                self._folder.chmod(FOLDER_OURS_ONLY)
        self._leases.mkdir(mode=FOLDER_OURS_ONLY, exist_ok=True)
        self._is_prepared = True

    def _load(self, path: str) -> Document | None:
        try:
            with (self._folder / path).open("rb") as file:
                data, changed = file.read(), os.fstat(file.fileno()).st_mtime_ns
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        return Document(data, _etag(data, changed))

    def _store(self, path: str, data: bytes) -> str:
        target = self._folder / path
        self._make_folders(target.parent)
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
            expires_at = datetime.fromisoformat(kept["expires_at"])
            lease = Lease(kept["lease_id"], kept["seconds"], expires_at, kept["owner"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            return None  # After a power failure a file may be empty: its owner is gone, too.
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
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OURS_ONLY), "wb") as file:
            file.write(data)
        draft.chmod(OURS_ONLY)  # that of a killed writer may be older than this rule
        os.utime(draft, ns=(changed_ns, changed_ns))
        draft.replace(target)
        self.trouble = None

    def _make_folders(self, folder: Path) -> None:
        """As `mkdir(parents=True)`, whose mode is for the last folder only."""
        if not folder.is_dir():
            self._make_folders(folder.parent)
            folder.mkdir(mode=FOLDER_OURS_ONLY, exist_ok=True)


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
