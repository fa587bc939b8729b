"""The list of runs, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.errors import UnreadableDocument
from shared.queries import answers
from shared.queries.paging import Page
from shared.queries.run_index import run_ids
from shared.storage.documents import Documents
from shared.sync.documents.runs import Run, RunPhase, RunRequest, read_run, requested_at
from shared.sync.model import EntityName

MOST_EXAMINED = 300
"""Run documents that one request reads, at a few milliseconds each."""


@dataclass(frozen=True)
class RunFilter:
    """Which runs; None and empty match all. `cause` is compared as a whole."""

    phase: RunPhase | None = None
    entity: EntityName | None = None
    cause: str | None = None
    since: datetime | None = None

    def matches(self, run: Run) -> bool:
        return (
            self.phase in (None, run.phase)
            and (self.entity is None or self.entity in run.entities)
            and self.cause in (None, run.request.cause)
        )

    def first_id(self) -> str:
        """What the ids of runs since then are not less than."""
        return f"{self.since:%Y%m%d-%H%M%S}" if self.since else ""


def list_runs(
    documents: Documents, wanted: RunFilter, limit: int, cursor: str | None
) -> Page[answers.RunSummary]:
    """The runs that match, newest first; `cursor` is the id of the last run that was looked at before."""
    found: list[answers.RunSummary] = []
    examined = 0
    last = None
    first_id = wanted.first_id()
    for run_id in run_ids(documents):
        if cursor is not None and run_id >= cursor:
            continue
        if run_id < first_id:
            break
        if len(found) == limit or examined == MOST_EXAMINED:
            return Page(found, last)
        examined, last = examined + 1, run_id
        try:
            run = read_run(documents, run_id)
        except UnreadableDocument as error:
            run = Run(run_id, RunRequest(entities=(), cause="unknown"), requested_at(run_id), {}, "failed")
            if wanted.matches(run):
                found.append({**summary(run), "problem": str(error)})
            continue
        if run is not None and wanted.matches(run):
            found.append(summary(run))
    return Page(found, None)


def summary(run: Run) -> answers.RunSummary:
    """A run in a few words and figures. `problem`: its document cannot be read, and the rest is a guess."""
    return {
        "run_id": run.run_id,
        "url": f"/api/runs/{run.run_id}",
        "phase": run.phase,
        "mode": run.request.mode,
        "cause": run.request.cause,
        "refresh": run.request.refresh,
        "keys": list(run.request.keys),
        "requested_at": run.requested_at,
        "finished_at": run.finished_at,
        "counts": _totals(run),
        "entities": {
            name: {"phase": status.phase, "reason": status.reason} for name, status in run.entities.items()
        },
        "problem": None,
    }


def _totals(run: Run) -> dict[str, int]:
    totals: dict[str, int] = {}
    for status in run.entities.values():
        for name, count in status.counts.items():
            totals[name] = totals.get(name, 0) + count
    return totals
