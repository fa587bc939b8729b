"""One run: its report, with how far its entities have come."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

from shared.errors import UnreadableDocument
from shared.queries import answers
from shared.storage.documents import Documents
from shared.sync.documents.outcome import read_outcomes
from shared.sync.documents.plans import planned_changes, read_plan
from shared.sync.documents.progress import read_progress
from shared.sync.documents.report import Report
from shared.sync.documents.runs import Run
from shared.sync.model import EntityName
from shared.sync.runs.report import held_changes, make_report, read_report
from shared.sync.services import Services

ALWAYS_THERE = frozenset({"phase", "calls", "waited_seconds", "entities"})
"""Members of every release's reports: one without them is damaged."""


@dataclass
class _Work:
    """How far the batches of an entity have come; `calls` per upstream, planning included."""

    batches: int
    changes: int
    batches_done: int = 0
    changes_done: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    waited_seconds: float = 0.0


def run_detail(services: Services, run: Run) -> answers.Run:
    """Everything of a run that is not about single records' content."""
    documents = services.documents
    report = stored_report(documents, run)
    calls, waited = Counter(report["calls"]), report["waited_seconds"]
    entities = {name: dict(entity) for name, entity in report["entities"].items()}
    for name, status in run.entities.items():
        work = _work(services, run, name)
        entities[name]["progress"] = _progress(services, run, name, work)
        # Reports of release 0.1.0 do not have these.
        entities[name].setdefault("left_out", {"count": 0, "changes": []})
        entities[name].setdefault("held_changes", held_changes(status))
        if work is not None and not status.ended:
            # An entity's figures are put into the run's document at its end only.
            calls.update(work.calls)
            waited += work.waited_seconds
    detail = {
        **report,
        "entities": entities,
        "keys": list(run.request.keys),
        "retry_failed": run.request.retry_failed,
        "calls": dict(calls),
        "waited_seconds": round(waited, 3),
        "url": f"/api/runs/{run.run_id}",
        "changes_url": f"/api/runs/{run.run_id}/changes",
    }
    return cast("answers.Run", detail)  # the report is a document of the engine


def stored_report(documents: Documents, run: Run) -> Report:
    """The report that was written at the run's end; of a run under way, how it stands."""
    report = read_report(documents, run.run_id) if run.ended else None
    if (
        report is None
        or not report.keys() >= ALWAYS_THERE
        or not run.entities.keys() <= report["entities"].keys()
    ):
        return make_report(documents, run)
    return report


def _work(services: Services, run: Run, entity: EntityName) -> _Work | None:
    """None before there is a plan, or where there is none that can be read."""
    documents = services.documents
    try:
        plan = read_plan(documents, run, entity)
    except UnreadableDocument:
        return None
    if plan is None:
        return None
    work = _Work(plan.batches, planned_changes(plan))
    work.calls.update(plan.calls)
    work.waited_seconds = plan.waited_seconds
    for number in plan.numbers:
        try:
            outcomes = read_outcomes(documents, run.run_id, entity, number)
            begun = outcomes or read_progress(documents, run.run_id, entity, number)
        except UnreadableDocument:
            continue  # Of this batch nothing is known.
        work.batches_done += outcomes is not None
        if begun:
            work.changes_done += len(begun.outcomes)
            work.calls.update(begun.calls)
            work.waited_seconds += begun.waited_seconds
    return work


def _progress(services: Services, run: Run, entity: EntityName, work: _Work | None) -> answers.EntityProgress:
    """`ends_about` takes it that each batch needs one window of calls; None when nothing is left to wait for,
    or nobody can tell yet."""
    if work is None:
        return {
            "batches": None,
            "batches_done": None,
            "changes": None,
            "changes_done": None,
            "ends_about": None,
        }
    status = run.entities[entity]
    windows = 0 if status.ended or status.stop_reason else work.batches - work.batches_done
    end = services.clock.now() + timedelta(seconds=windows * services.settings.api_rate_limit_period)
    return {
        "batches": work.batches,
        "batches_done": work.batches_done,
        "changes": work.changes,
        "changes_done": work.changes_done,
        "ends_about": end.isoformat() if windows else None,
    }
