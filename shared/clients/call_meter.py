"""What a block of code tells the clients (an operator waits) and learns from them (what it cost)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime

NO_ANSWER = "no answer"


@dataclass
class Meter:
    """What the calls of a block cost.

    `calls` counts attempts per upstream ("safetyamp", "samsara", "graph"; "vista": queries). `statuses`
    counts them per (upstream, outcome): an HTTP status as text or "no answer"; for Vista "ok" or "error".
    `waited_seconds` is the time slept for limiters, for a Retry-After and between attempts. `seconds_ahead`
    is how far an HTTP upstream's clock was ahead of ours, by the `Date` of its last answer.
    """

    calls: Counter[str] = field(default_factory=Counter)
    statuses: Counter[tuple[str, str]] = field(default_factory=Counter)
    waited_seconds: float = 0.0
    seconds_ahead: dict[str, float] = field(default_factory=dict)

    def add(self, calls: Mapping[str, int], waited_seconds: float) -> None:
        """Count in what an earlier execution of the same work cost (its statuses are not kept)."""
        self.calls.update(calls)
        self.waited_seconds += waited_seconds


# Context variables, because the figures belong to one handler while other handlers of the same process
# use the same clients on other threads.
_meters: ContextVar[tuple[Meter, ...]] = ContextVar("call_meters", default=())
_interactive: ContextVar[bool] = ContextVar("interactive", default=False)


@contextmanager
def metered() -> Iterator[Meter]:
    """Collect the calls that this thread makes within the block; nested blocks all count."""
    meter = Meter()
    token = _meters.set((*_meters.get(), meter))
    try:
        yield meter
    finally:
        _meters.reset(token)


@contextmanager
def interactive() -> Iterator[None]:
    """Within the block an operator waits: its calls may use the limiter's reserve."""
    token = _interactive.set(True)
    try:
        yield
    finally:
        _interactive.reset(token)


def is_interactive() -> bool:
    """Whether this code runs within `interactive()`."""
    return _interactive.get()


def count_call(upstream: str, outcome: str) -> None:
    """Report one attempted call to the meters of this context."""
    for meter in _meters.get():
        meter.calls[upstream] += 1
        meter.statuses[upstream, outcome] += 1


def count_wait(seconds: float) -> None:
    """Report a wait to the meters of this context."""
    for meter in _meters.get():
        meter.waited_seconds += seconds


def note_server_time(upstream: str, date: str | None, now: datetime) -> None:
    """Tell the meters of this context what an answer's `Date` header says; `now` is our time then."""
    try:
        theirs = parsedate_to_datetime(date or "")
    except ValueError:
        return
    if theirs.tzinfo is None:  # "-0000", a time of no known zone
        return
    for meter in _meters.get():
        meter.seconds_ahead[upstream] = (theirs - now).total_seconds()
