"""Work that builds hundreds of thousands of objects and drops them all at its end."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_at_work = 0


@contextmanager
def bulk_work() -> Iterator[None]:
    """Let the cyclic garbage collector rest within the block, then run it over what the block built.

    What is built stays until the end, so that walking it again and again frees nothing and costs a fifth of
    the time. Afterwards one pass is needed: an exception that was caught on the way and is part of a cycle
    (Redis clients make such) keeps the frames of its callers, with everything that was read, until some
    later pass; by then the next run may have read as much again. All of it is in the youngest generation,
    so that the pass costs nothing after a small block. Keep no large value in the caller's own variables.
    Blocks of several threads may overlap: the collector runs again after the last.
    """
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _at_work
    with _lock:
        _at_work += 1
        gc.disable()


def _leave() -> None:
    global _at_work
    with _lock:
        _at_work -= 1
        if _at_work == 0:
            gc.enable()
    gc.collect(0)
