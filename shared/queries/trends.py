"""How the last days went, a day a row: from the runs' documents alone, however many records there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from shared.errors import UnreadableDocument
from shared.queries import answers
from shared.queries.run_index import run_ids
from shared.sync.documents.runs import Run, read_run, requested_at
from shared.sync.model import EntityName
from shared.sync.services import Services

MOST_RUNS = 1000
"""Documents that one request reads, a few kilobytes each: 30 days of hourly and nightly runs are 750."""
READ_SECONDS = 10.0
"""An operator waits."""

FINDINGS = ("invalid", "failed", "waiting")


@dataclass
class _Day:
    """`findings` are by entity those of the day's last run that looked at all of it, `seconds` those of each
    run of many records that was carried out."""

    runs: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    findings: dict[EntityName, int] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def add(self, run: Run) -> None:
        """Count a run in; runs come newest first."""
        self.runs += 1
        for entity, status in run.entities.items():
            self.counts.update({name: status.counts.get(name, 0) for name in ("created", "updated")})
            self.counts["deactivated"] += status.counts.get("deactivated", 0)
            self.calls.update(status.calls)
            if status.counts and not run.request.keys:
                found = sum(status.counts.get(name, 0) for name in FINDINGS)
                self.findings.setdefault(entity, found)
        if run.finished_at is not None and run.request.mode == "apply" and not run.request.keys:
            # A held plan waits for somebody, and that is no work.
            begun, ended = datetime.fromisoformat(run.begun_at), datetime.fromisoformat(run.finished_at)
            self.seconds.append((ended - begun).total_seconds())


def trends(services: Services, days: int) -> answers.Trends:
    """The last `days` days with today, the oldest first, in UTC. Where the runs of so many days are more than
    one request reads, the days before `complete_since` are left out. Raises StorageError."""
    today = services.clock.now().astimezone(UTC).date()
    first = today - timedelta(days=days - 1)
    found = {first + timedelta(days=number): _Day() for number in range(days)}
    problems: list[str] = []
    read = 0
    complete_since = first
    until = services.clock.monotonic() + READ_SECONDS
    for run_id, day in _since(services, first):
        if read == MOST_RUNS or services.clock.monotonic() > until:
            complete_since = day + timedelta(days=1)
            break
        read += 1
        try:
            run = read_run(services.documents, run_id)
        except UnreadableDocument as error:
            problems.append(str(error))
            continue
        # One that a clock ahead of ours has asked for belongs to no day yet.
        if run is not None and run.ended and day in found:
            found[day].add(run)
    return {
        "days": [_told(day, one) for day, one in found.items() if day >= complete_since],
        "complete_since": complete_since.isoformat(),
        "runs_read": read,
        "problems": problems,
    }


def _since(services: Services, first: date) -> Iterator[tuple[str, date]]:
    """The runs since then with their days, newest first."""
    for run_id in run_ids(services.documents):
        day = datetime.fromisoformat(requested_at(run_id)).date()
        if day < first:
            return
        yield run_id, day


def _told(day: date, found: _Day) -> answers.TrendDay:
    return {
        "day": day.isoformat(),
        "runs": found.runs,
        "created": found.counts["created"],
        "updated": found.counts["updated"],
        "deactivated": found.counts["deactivated"],
        "findings": sum(found.findings.values()) if found.findings else None,
        "calls": dict(found.calls),
        "longest_seconds": round(max(found.seconds), 1) if found.seconds else None,
    }
