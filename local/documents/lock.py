"""A lock that threads and processes share, held for the length of one file operation.

The operating system gives it back when its holder dies, however it dies.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        # LK_LOCK gives up after ten seconds with an OSError; LK_NBLCK lets us decide.
        while True:
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            except OSError:
                time.sleep(0.005)
            else:
                return

else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the lock `file` (created if missing). Not reentrant: a second take in one thread waits for ever.

    Every taking opens the file anew, because the lock belongs to the open file and must also keep the
    threads of one process apart. Closing it gives the lock back.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(descriptor)
        yield
    finally:
        os.close(descriptor)
