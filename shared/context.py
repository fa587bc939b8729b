"""What log lines, messages and traces of a block of code have in common: bound facts and the trace.

Context variables, because a process handles several messages at once, each in its own thread.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
NOBODY = re.compile(r"0+")

_facts: ContextVar[Mapping[str, Any] | None] = ContextVar("bound_facts", default=None)
_trace: ContextVar[Trace | None] = ContextVar("trace", default=None)


@dataclass(frozen=True)
class Trace:
    """A place in a trace (W3C Trace Context): `trace_id` has 32 hexadecimal digits, `span_id` has 16."""

    trace_id: str
    span_id: str

    @property
    def traceparent(self) -> str:
        """The text that says it to others."""
        return f"00-{self.trace_id}-{self.span_id}-01"


@contextmanager
def bound(**facts: Any) -> Iterator[None]:
    """Every log line written within the block carries these facts (run, entity, batch); None is left out.
    Blocks nest, the inner fact counts."""
    given = {name: value for name, value in facts.items() if value is not None}
    token = _facts.set({**bound_facts(), **given})
    try:
        yield
    finally:
        _facts.reset(token)


def bound_facts() -> Mapping[str, Any]:
    """What is bound here."""
    return _facts.get() or {}


@contextmanager
def traced(trace: Trace | None) -> Iterator[None]:
    """Within the block, messages and calls belong to this place of a trace."""
    token = _trace.set(trace)
    try:
        yield
    finally:
        _trace.reset(token)


def current_trace() -> Trace | None:
    """The place in a trace where this code runs, if it was told."""
    return _trace.get()


def parse_trace(traceparent: str | None) -> Trace | None:
    """The place that a `traceparent` names; None for anything else than a well-formed one."""
    found = TRACEPARENT.fullmatch(traceparent or "")
    if found is None or NOBODY.fullmatch(found[1]) or NOBODY.fullmatch(found[2]):
        return None
    return Trace(found[1], found[2])


def new_trace() -> Trace:
    """The beginning of a trace of its own."""
    return Trace(secrets.token_hex(16), new_span_id())


def new_span_id() -> str:
    """The id of one operation within a trace."""
    return secrets.token_hex(8)


def message_properties() -> dict[str, str]:
    """Application properties of a message that make whoever handles it part of this trace.

    The Functions host reads them (MessagingClientDiagnostics: `Diagnostic-Id`, else `traceparent`); the
    Service Bus SDK sets them only together with a tracing plugin.
    """
    trace = current_trace()
    if trace is None:
        return {}
    return {"Diagnostic-Id": trace.traceparent, "traceparent": trace.traceparent}
