"""How far another system's clock is from ours."""

from __future__ import annotations

from datetime import datetime

from shared.doctor.finding import Finding, Status

TOLERATED_SECONDS = 30.0
"""Less does no harm: `Date` headers have whole seconds, and answers take a moment."""

REFUSED_SECONDS = 300.0
"""Logins and signed requests are refused from about here on (Kerberos' limit and that of most token checks;
Azure Storage takes 15 minutes)."""

ADVICE = "Let this machine's clock be set by a time server; if it is right, the other one's"


def skew(check: str, whose: str, ahead_seconds: float) -> Finding:
    """The finding for a clock that is so far ahead of ours (negative: behind)."""
    size = abs(ahead_seconds)
    if size <= TOLERATED_SECONDS:
        return Finding(check, "ok", f"{whose} clock and ours agree within {TOLERATED_SECONDS:g} s")
    direction = "ahead of" if ahead_seconds > 0 else "behind"
    status: Status = "failed" if size >= REFUSED_SECONDS else "warning"
    return Finding(check, status, f"{whose} clock is {size:.0f} s {direction} ours", ADVICE)


def ahead(theirs: datetime, before: datetime, after: datetime) -> float:
    """Seconds by which `theirs` is ahead of our time, read at some moment between `before` and `after`."""
    ours = before + (after - before) / 2
    return (theirs - ours).total_seconds()
