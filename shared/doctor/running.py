"""Checks at the same time, none waited for longer than is promised."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from shared.doctor.finding import Check, Finding, of_error
from shared.errors import SafetyAmpError

if TYPE_CHECKING:
    from shared.runtime import Runtime

Wait = Callable[[Collection[Future[None]], float], Any]
"""Returns when all have ended or so many seconds have passed."""

logger = logging.getLogger(__name__)


@dataclass
class _Execution:
    """A check under way, and what it has found so far."""

    findings: list[Finding] = field(default_factory=list)
    ended: Future[None] = field(default_factory=Future)


_lock = threading.Lock()
_under_way: WeakKeyDictionary[Runtime, dict[Check, _Execution]] = WeakKeyDictionary()


def run_checks(
    runtime: Runtime, checks: Sequence[Check], seconds: float, wait: Wait | None = None
) -> list[Finding]:
    """The findings of all checks, in their order, after at most `seconds`.

    A check that raises or hangs adds a finding of its own and hides no other. One that still hangs from an
    earlier request is not started again but waited for: whoever asks every few seconds must not fill the
    process with waiting threads.
    """
    started = [(check, _started(runtime, check)) for check in checks]
    (wait or wait_for)([execution.ended for _, execution in started], seconds)
    return [finding for check, execution in started for finding in _found(check, execution, seconds)]


def _found(check: Check, execution: _Execution, seconds: float) -> list[Finding]:
    if execution.ended.done():
        return execution.findings
    seen = f"no answer within {seconds:g} s"
    hanging = Finding(check.name, "failed", seen, check.advice, settings=check.settings)
    return [*execution.findings, hanging]


def _started(runtime: Runtime, check: Check) -> _Execution:
    with _lock:
        executions = _under_way.setdefault(runtime, {})
        if check in executions:
            return executions[check]
        execution = executions[check] = _Execution()
    # A daemon: a driver that never comes back must not keep the process from ending.
    threading.Thread(
        target=_execute, args=(runtime, check, execution), name=f"doctor-{check.name}", daemon=True
    ).start()
    return execution


def _execute(runtime: Runtime, check: Check, execution: _Execution) -> None:
    try:
        for finding in check.run(runtime):
            execution.findings.append(finding)
    except Exception as error:
        execution.findings.append(of_error(check.name, error, check.advice, check.settings))
        if not isinstance(error, SafetyAmpError):
            # Where, but not the error's own text, which may hold data or secrets.
            place = traceback.extract_tb(error.__traceback__)[-1]
            kind = type(error).__name__
            logger.error("check %s met an unexpected %s in %s:%s", check.name, kind, place.name, place.lineno)
    finally:
        with _lock:
            _under_way.get(runtime, {}).pop(check, None)
        execution.ended.set_result(None)
