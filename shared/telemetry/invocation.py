"""The frame around one execution of a function: its trace, its calls as dependencies, and its end."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from shared.clients.http.call_meter import UpstreamCall, observed
from shared.context import Trace, bound, bound_facts, new_trace, parse_trace, traced
from shared.errors import ConfigurationError, SafetyAmpError
from shared.telemetry import last_calls
from shared.telemetry.telemetry import Dependency, NoTelemetry, Telemetry

logger = logging.getLogger(__name__)

TOLD_FACTS = ("run", "entity", "batch", "function")


class Owner(last_calls.Owner, Protocol):
    """Whose telemetry it is: the composition root as this module sees it (`shared/runtime.py`)."""

    @property
    def telemetry(self) -> Telemetry:
        """Raises ConfigurationError."""
        ...


@contextmanager
def invocation(runtime: Owner, function: str, traceparent: str | None) -> Iterator[None]:
    """Run a function's work as the host's invocation `traceparent`; without one, as a trace of its own.

    What it sends and calls belongs to that trace, and its telemetry is on its way when the block ends.
    Errors leave the block without what caused them, unexpected ones also without their text: the host logs
    both, and either may quote a record. They are in our log with all that may be told.
    """
    trace = parse_trace(traceparent) or new_trace()
    calls = _Calls(runtime, trace)
    with traced(trace), bound(function=function), observed(calls.note):
        try:
            yield
        except SafetyAmpError as error:
            raise error from None
        except Exception as error:
            logger.exception("%s met an unexpected error", function)
            raise SafetyAmpError(f"unexpected {type(error).__name__} in {function}, see the log") from None
        finally:
            calls.flush()


def telemetry_of(runtime: Owner) -> Telemetry:
    """The process's telemetry; none while the settings are wrong, which others complain about."""
    try:
        return runtime.telemetry
    except ConfigurationError:
        return NoTelemetry()


class _Calls:
    """Passes the calls of one execution on; asks for no telemetry before the first."""

    def __init__(self, runtime: Owner, trace: Trace) -> None:
        self._runtime = runtime
        self._trace = trace
        self._telemetry: Telemetry | None = None

    def note(self, call: UpstreamCall) -> None:
        if self._telemetry is None:
            self._telemetry = telemetry_of(self._runtime)
        facts = _told(bound_facts())
        last_calls.note_call(self._runtime, call, facts.get("function"))
        if self._telemetry.enabled:
            self._telemetry.dependency(Dependency(call, self._trace, self._runtime.clock.now(), facts))

    def flush(self) -> None:
        if self._telemetry is not None:
            self._telemetry.flush()


def _told(facts: Any) -> dict[str, str]:
    return {name: str(facts[name]) for name in TOLD_FACTS if name in facts}
