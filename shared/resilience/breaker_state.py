"""The circuit breaker's state machine: pure, knows no Redis, no network and no clock.

    closed ----- threshold consecutive failures -----> open
    open ------- recovery time over, next call -------> half-open (that call is the probe)
    half-open -- probe succeeded --> closed, probe failed --> open, probe lost its lease --> next call probes

Outcomes of calls that began before the breaker opened say nothing new: while it is not closed, only the
probe's outcome counts. `breaker.lua` is the same machine for Redis; one test suite runs over both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

PROBE_LEASE_SECONDS = 60.0

StateName = Literal["closed", "open", "half-open"]


@dataclass(frozen=True)
class BreakerRules:
    """`threshold` consecutive failures open; `recovery_seconds` later one probe goes; it is taken for
    crashed `probe_lease_seconds` after that, which must exceed the longest call."""

    threshold: int
    recovery_seconds: float
    probe_lease_seconds: float = PROBE_LEASE_SECONDS


@dataclass(frozen=True)
class BreakerRecord:
    """What the machine remembers. Times are one clock's seconds; `opened_at` None means closed, `since` is
    when it opened first, before probes failed; `probe` is the token of the call that probes, empty when none
    does."""

    failures: int = 0
    opened_at: float | None = None
    since: float | None = None
    probe: str = ""
    probe_until: float = 0.0


@dataclass(frozen=True)
class BreakerState:
    """For people and metrics. `failures` are consecutive; `retry_after_seconds` is 0 when a call may go;
    `open_seconds` is how long no ordinary call went, 0 when it is closed."""

    name: str
    state: StateName
    failures: int
    retry_after_seconds: float
    open_seconds: float = 0.0


CLOSED = BreakerRecord()


def after_request(record: BreakerRecord, token: str, now: float, rules: BreakerRules) -> BreakerRecord:
    """The record after a call asks to go; it may when `may_call` says so of the result."""
    if may_call(record, token) or retry_after(record, now, rules) > 0:
        return record
    return replace(record, probe=token, probe_until=now + rules.probe_lease_seconds)


def may_call(record: BreakerRecord, token: str) -> bool:
    """Whether the call with this token may go: the breaker is closed, or the call is the probe."""
    return record.opened_at is None or is_probe(record, token)


def is_probe(record: BreakerRecord, token: str) -> bool:
    """Whether the call with this token probes; ordinary calls have none."""
    return token != "" and record.probe == token


def after_success(record: BreakerRecord, token: str) -> BreakerRecord:
    """Closed and forgetful, if this call's outcome counts."""
    return CLOSED if may_call(record, token) else record


def after_failure(record: BreakerRecord, token: str, now: float, rules: BreakerRules) -> BreakerRecord:
    """One failure more, and open when it was the last one or the probe's, if this call's outcome counts."""
    if not may_call(record, token):
        return record
    failures = record.failures + 1
    opens = record.opened_at is not None or failures >= rules.threshold
    if not opens:
        return BreakerRecord(failures)
    return BreakerRecord(failures, now, now if record.since is None else record.since)


def after_release(record: BreakerRecord, token: str) -> BreakerRecord:
    """The probe is given back, if this call is it: the next call probes."""
    return replace(record, probe="", probe_until=0.0) if is_probe(record, token) else record


def retry_after(record: BreakerRecord, now: float, rules: BreakerRules) -> float:
    """Seconds until the next call may be let through; 0 when it may now."""
    if record.opened_at is None:
        return 0.0
    recovered = record.opened_at + rules.recovery_seconds
    probed = record.probe_until if record.probe else recovered
    return max(0.0, recovered - now, probed - now)


def describe(record: BreakerRecord, name: str, now: float, rules: BreakerRules) -> BreakerState:
    """The record for people: open too while the next call would be the probe."""
    state: StateName = "open"
    if record.opened_at is None:
        state = "closed"
    elif record.probe and now < record.probe_until:
        state = "half-open"
    open_seconds = 0.0 if record.since is None else now - record.since
    return BreakerState(name, state, record.failures, retry_after(record, now, rules), open_seconds)
