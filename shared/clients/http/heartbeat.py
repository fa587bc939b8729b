"""A function to be called before every call to an upstream, bound for a block of work.

It lets whoever holds a lease renew it without a thread and without the clients knowing of leases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_heartbeat: ContextVar[Callable[[], None] | None] = ContextVar("heartbeat", default=None)


@contextmanager
def beating(heartbeat: Callable[[], None]) -> Iterator[None]:
    """Bind the heartbeat for this block; what it raises ends the call that was about to be made."""
    token = _heartbeat.set(heartbeat)
    try:
        yield
    finally:
        _heartbeat.reset(token)


def bound_heartbeat() -> Callable[[], None] | None:
    """The heartbeat of the block around, for one that must go on while an inner block binds its own."""
    return _heartbeat.get()


def beat() -> None:
    """Call the bound heartbeat, if there is one."""
    heartbeat = _heartbeat.get()
    if heartbeat is not None:
        heartbeat()
