"""What is wrong right now: pure, figures and limits in, conditions out.

Nothing here holds personal data: run ids, entities, counts, and reasons as they go into the log too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

ConditionName = Literal["run-failed", "run-held", "breaker-open", "no-successful-run", "failed-records"]
"""Each is the anchor of its section in docs/runbook.md too."""

MOST_CHARACTERS = 300
"""Of one reason."""

UPSTREAM_TITLES = {
    "safetyamp": "SafetyAmp",
    "samsara": "Samsara",
    "graph": "Microsoft Graph",
    "vista": "Vista",
}


@dataclass(frozen=True)
class Limits:
    """From when on something is worth a notice."""

    breaker: timedelta
    success: timedelta
    failed_records: int


@dataclass(frozen=True)
class RunTrouble:
    """The newest run that failed or is held, how many there are since the last good one, and why: entity to
    reason."""

    run_id: str
    runs: int = 1
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Observation:
    """What was seen at `at`. `breakers` maps upstreams to how long they have been open, 0 for closed; None
    when Redis did not answer, so that nobody knows. `failing` counts records by entity."""

    at: datetime
    last_done_at: datetime | None = None
    active: bool = False
    paused: tuple[str, ...] = ()
    failed: RunTrouble | None = None
    held: RunTrouble | None = None
    breakers: Mapping[str, timedelta] | None = field(default_factory=dict)
    failing: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Condition:
    """Something that is wrong. `subject` tells several of one name apart."""

    name: ConditionName
    title: str
    lines: tuple[str, ...]
    subject: str | None = None
    run_id: str | None = None

    @property
    def key(self) -> str:
        return self.name if self.subject is None else f"{self.name}/{self.subject}"


def conditions(seen: Observation, limits: Limits, watching_since: datetime) -> list[Condition]:
    """All that is wrong. Before the first good run the time counts from `watching_since`."""
    return [
        *_run_failed(seen.failed),
        *_run_held(seen.held),
        *_breakers_open(seen.breakers or {}, limits.breaker),
        *_no_successful_run(seen, limits.success, watching_since),
        *_failed_records(seen.failing, limits.failed_records),
    ]


def is_unknown(key: str, seen: Observation) -> bool:
    """Whether nobody can tell if this condition stands: it must be taken neither for new nor for over."""
    return seen.breakers is None and key.startswith("breaker-open")


def _run_failed(trouble: RunTrouble | None) -> Iterable[Condition]:
    if trouble:
        title = f"Run {trouble.run_id} failed"
        yield Condition("run-failed", title, _reasons(trouble), run_id=trouble.run_id)


def _run_held(trouble: RunTrouble | None) -> Iterable[Condition]:
    if trouble:
        title = f"Run {trouble.run_id} is held until somebody approves or cancels it"
        yield Condition("run-held", title, _reasons(trouble), run_id=trouble.run_id)


def _reasons(trouble: RunTrouble) -> tuple[str, ...]:
    lines = [f"{entity}: {_shortened(reason)}" for entity, reason in trouble.reasons.items()]
    if trouble.runs > 1:
        lines.append(f"{trouble.runs} such runs since the last one that ended well.")
    return tuple(lines)


def _breakers_open(breakers: Mapping[str, timedelta], limit: timedelta) -> Iterable[Condition]:
    for upstream, open_for in breakers.items():
        if open_for > limit:
            title = f"{UPSTREAM_TITLES.get(upstream, upstream)} has been failing for {span(open_for)}"
            line = "Its circuit breaker is open: nobody calls it but a probe now and then, and work waits."
            yield Condition("breaker-open", title, (line,), subject=upstream)


def _no_successful_run(seen: Observation, limit: timedelta, watching_since: datetime) -> Iterable[Condition]:
    since = seen.last_done_at or watching_since
    if seen.at - since <= limit:
        return
    last = (
        f"The last one ended at {since:%Y-%m-%d %H:%M} UTC." if seen.last_done_at else "There has been none."
    )
    lines = [last]
    if seen.active:
        lines.append("A run is under way.")
    if seen.paused:
        lines.append(f"Paused: {', '.join(seen.paused)}.")
    yield Condition("no-successful-run", f"No run has ended well for {span(limit)}", tuple(lines))


def _failed_records(failing: Mapping[str, int], limit: int) -> Iterable[Condition]:
    total = sum(failing.values())
    if total > limit:
        lines = tuple(f"{entity}: {count}" for entity, count in failing.items() if count)
        yield Condition("failed-records", f"{total} records fail (limit {limit})", lines)


def span(time: timedelta) -> str:
    """A duration for people, whole minutes: `3 h`, `1 h 5 min`, `0 min`."""
    hours, minutes = divmod(round(time.total_seconds()) // 60, 60)
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes or not hours else ""]
    return " ".join(part for part in parts if part)


def _shortened(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= MOST_CHARACTERS else f"{one_line[:MOST_CHARACTERS]}…"
