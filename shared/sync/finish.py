"""Ending: merge outcomes into the state, release the entities that waited, and close the run.

An entity is finished when every batch has an outcome: a listing, not a counter. Every function here may be
called again at any time; each step finds out by itself whether it has been done.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from shared.clients.call_meter import folded
from shared.reports.page import report_page
from shared.storage.documents import from_json, read_json, to_json, update_json
from shared.sync import paths
from shared.sync.merge import merge_outcomes
from shared.sync.model import ENTITY_NEEDS, EntityName
from shared.sync.outcome import DONE, Outcome, outcome_from_json
from shared.sync.report import make_report
from shared.sync.runs import EntityStatus, Run, RunPhase, change_run, release_active, send_entities
from shared.sync.services import Services
from shared.sync.state import EntityState, state_from_json
from shared.sync.totals import add_run

logger = logging.getLogger(__name__)

COUNTED_AS = {
    "created": "created",
    "updated": "updated",
    "reactivated": "updated",
    "deactivated": "deactivated",
    "waiting": "waiting",
    "gone": "waiting",
    "refused": "failed",
    "failed": "failed",
    "cancelled": "skipped",
}
"""In which of the report's counts each result goes."""

COUNTS = (
    "source",
    "unchanged",
    "created",
    "updated",
    "deactivated",
    "skipped",
    "invalid",
    "failed",
    "waiting",
)


def finish_entity(services: Services, run: Run, entity: EntityName) -> None:
    """End the entity if every batch has an outcome; otherwise do nothing."""
    plan = read_json(services.documents, paths.plan(run.run_id, entity))
    outcome_paths = list(services.documents.list(paths.outcomes(run.run_id, entity)))
    if len(outcome_paths) < plan["batches"]:
        return
    stored = [read_json(services.documents, path) for path in outcome_paths]
    outcomes = [outcome_from_json(value) for batch in stored for value in batch["outcomes"]]
    refused = plan.get("refused")
    if plan["base"] or plan["batches"] or plan["counts_changed"]:
        refused = _merge(services, run, entity, plan, outcomes)
    calls, requests, waited = Counter(plan["calls"]), Counter(plan.get("requests")), plan["waited_seconds"]
    for batch in stored:
        calls.update(batch["calls"])
        requests.update(batch.get("requests", {}))
        waited += batch["waited_seconds"]

    def end(status: EntityStatus) -> None:
        status.phase = "done" if not status.stop_reason else "cancelled" if status.cancelled else "failed"
        status.reason = status.stop_reason
        set_figures(status, plan, outcomes)
        if refused is not None:
            status.failing = refused + sum(1 for outcome in outcomes if outcome.result == "failed")
        status.calls, status.requests, status.waited_seconds = dict(calls), folded(requests), round(waited, 3)

    end_entity(services, run.run_id, entity, end)


def end_entity(
    services: Services, run_id: str, entity: EntityName, end: Callable[[EntityStatus], None]
) -> None:
    """Set the entity's final status unless it has one, then let everything go on that waited for it."""

    def change(run: Run) -> None:
        status = run.entities[entity]
        if not status.ended:
            end(status)
            status.finished_at = services.clock.now().isoformat()

    run = change_run(services.documents, run_id, change)
    status = run.entities[entity]
    facts = {"run": run_id, "entity": entity, "phase": status.phase, "reason": status.reason}
    figures = {"counts": status.counts}
    logger.info("%s of run %s ended: %s", entity, run_id, status.phase, extra={**facts, **figures})
    advance(services, run, finished=entity)


def advance(services: Services, run: Run, *, finished: EntityName | None = None) -> None:
    """Send what can go on now that an entity has ended, or close the run after the last one."""
    if all(status.ended for status in run.entities.values()):
        finish_run(services, run.run_id)
        return
    released: list[EntityName] = [
        name
        for name, status in run.entities.items()
        if status.phase == "pending" and ENTITY_NEEDS[name] and run.ready(name)
    ]
    if released:
        send_entities(services, run.run_id, released, f"release/{finished or 'again'}")


def finish_run(services: Services, run_id: str) -> None:
    """Write the report (JSON and a page), close the run's document, and let the next run start, in this
    order: a crash in between leaves the run active, and the sweep does the rest."""

    def close(run: Run) -> None:
        if not run.ended:
            run.phase = phase_of(run)
            run.finished_at = services.clock.now().isoformat()

    run = change_run(services.documents, run_id, close)
    report = make_report(services.documents, run)
    services.documents.write(paths.report(run_id), to_json(report))
    _write_page(services, run_id, report)
    add_run(services.documents, run, report)
    if release_active(services.documents, run):
        _tell(run, report["duration_seconds"])


def _write_page(services: Services, run_id: str, report: dict[str, Any]) -> None:
    try:
        page = report_page(report)
    except Exception:
        # A report that cannot be shown must not keep the run from ending, and all later ones from starting.
        logger.exception("the page of the report of run %s could not be made", run_id)
        return
    services.documents.write(paths.report_page(run_id), page)


def _tell(run: Run, duration_seconds: float | None) -> None:
    counts: Counter[str] = Counter()
    for status in run.entities.values():
        counts.update(status.counts)
    facts = {"run": run.run_id, "phase": run.phase, "mode": run.request.mode, "cause": run.request.cause}
    duration = None if duration_seconds is None else round(duration_seconds * 1000)
    figures = {"counts": dict(counts), "duration_ms": duration}
    level = logging.ERROR if run.phase == "failed" else logging.INFO
    extra = {"event": "run_ended", **facts, **figures}
    logger.log(level, "run %s ended: %s", run.run_id, run.phase, extra=extra)
    held = {name: status.reason for name, status in run.entities.items() if status.phase == "held"}
    if held:
        about = {"event": "run_held", "run": run.run_id, "held": held}
        logger.warning("run %s holds plans until somebody approves them", run.run_id, extra=about)


def phase_of(run: Run) -> RunPhase:
    """How a run ended whose entities have all ended."""
    phases = [status.phase for status in run.entities.values()]
    order: tuple[RunPhase, ...] = ("failed", "held", "cancelled", "planned")
    return next((phase for phase in order if phase in phases), "done")


def _merge(
    services: Services, run: Run, entity: EntityName, plan: dict[str, Any], outcomes: list[Outcome]
) -> int | None:
    """Merge once, into the state that the plan was made from: the state notes who changed it last. Returns
    how many records SafetyAmp refuses for now."""

    def change(value: Any) -> Any:
        current = state_from_json(entity, value)
        if (current.updated_by if current else None) != plan["state_by"]:
            # It has been merged before, and a later run may have gone on from there; or the document was
            # deleted meanwhile, and a state of these outcomes alone would know nothing of all the others.
            return None
        state = _base_state(services, entity, plan) or current
        if state is None:
            return None
        merge_outcomes(state, outcomes, run.run_id)
        state.source_counts, state.updated_by = plan["source_counts"], f"{run.run_id}/{plan['plan_id']}"
        return state.to_json()

    merged = state_from_json(entity, update_json(services.documents, paths.state(entity), change))
    return merged.refused() if merged else None


def _base_state(services: Services, entity: EntityName, plan: dict[str, Any]) -> EntityState | None:
    document = services.documents.read(plan["base"]) if plan["base"] else None
    return state_from_json(entity, from_json(document.data)) if document else None


def set_figures(status: EntityStatus, plan: dict[str, Any], outcomes: Iterable[Outcome] = ()) -> None:
    """The entity's counts, calls and waits from its plan and outcomes."""
    counts = dict.fromkeys(COUNTS, 0)
    for name in ("source", "unchanged", "skipped", "invalid"):
        counts[name] = plan["counts"].get(name, 0)
    for outcome in outcomes:
        counts[COUNTED_AS[outcome.result]] += 1
    status.counts = counts
    status.planned = {action: plan["counts"].get(action, 0) for action in DONE}
    status.calls, status.requests = dict(plan["calls"]), folded(plan.get("requests", {}))
    status.waited_seconds, status.failing = plan["waited_seconds"], plan.get("refused")
