"""The frame around one execution of a function: its trace, its calls as dependencies, and its end."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from shared.clients.http.call_meter import UpstreamCall
from shared.context import Trace, bound, bound_facts, current_trace, new_trace, parse_trace, traced
from shared.errors import ConfigurationError, SafetyAmpError
from shared.telemetry import last_calls
from shared.telemetry.telemetry import Dependency, NoTelemetry, Telemetry

logger = logging.getLogger(__name__)

TOLD_FACTS = ("run", "entity", "batch", "function")

_with_calls: set[Trace] = set()
"""Executions that have noted a call; of the others no telemetry is asked, nor waited for."""


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
    with traced(trace), bound(function=function):
        try:
            yield
        except SafetyAmpError as error:
            raise error from None
        except Exception as error:
            logger.exception("%s met an unexpected error", function)
            raise SafetyAmpError(f"unexpected {type(error).__name__} in {function}, see the log") from None
        finally:
            if trace in _with_calls:
                _with_calls.discard(trace)
                telemetry_of(runtime).flush()


def telemetry_of(runtime: Owner) -> Telemetry:
    """The process's telemetry; none while the settings are wrong, which others complain about."""
    try:
        return runtime.telemetry
    except ConfigurationError:
        return NoTelemetry()


def note_call(runtime: Owner, call: UpstreamCall) -> None:
    """Pass on a call that was made by a function; others, as of a command, are nobody's."""
    if (trace := current_trace()) is None:
        return
    _with_calls.add(trace)
    telemetry, facts = telemetry_of(runtime), _told(bound_facts())
    last_calls.note_call(runtime, call, facts.get("function"))
    if telemetry.enabled:
        telemetry.dependency(Dependency(call, trace, runtime.clock.now(), facts))


def _told(facts: Any) -> dict[str, str]:
    return {name: str(facts[name]) for name in TOLD_FACTS if name in facts}
