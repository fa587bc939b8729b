"""The systems that a run needs, as the doctor's quick checks find them."""

from __future__ import annotations

import threading
from weakref import WeakKeyDictionary

from shared.doctor import Finding, check_everything
from shared.queries import answers
from shared.runtime import Runtime

KEEP_SECONDS = 15.0
"""The dashboard asks every few seconds, per open tab, and each look opens links to Service Bus."""

_lock = threading.Lock()
_kept: WeakKeyDictionary[Runtime, tuple[float, list[Finding]]] = WeakKeyDictionary()


def dependencies(runtime: Runtime) -> list[answers.Dependency]:
    """One finding each, at most `KEEP_SECONDS` old. `ok` False needs somebody to act; a warning is in `text`
    alone."""
    return [_told(finding) for finding in _recent(runtime)]


def _recent(runtime: Runtime) -> list[Finding]:
    now = runtime.clock.monotonic()
    with _lock:
        kept = _kept.get(runtime)
    if kept is not None and now - kept[0] < KEEP_SECONDS:
        return kept[1]
    findings = check_everything(runtime, deep=False)
    with _lock:
        _kept[runtime] = (now, findings)
    return findings


def _told(finding: Finding) -> answers.Dependency:
    return {
        "name": finding.check,
        "status": finding.status,
        "ok": finding.status != "failed",
        "text": finding.seen,
        "advice": finding.advice,
        "latency_ms": finding.latency_ms,
        "settings": list(finding.settings),
    }
