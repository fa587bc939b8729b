"""Ending: merge outcomes into the state, release the entities that waited, and close the run.

An entity is finished when every batch has an outcome: a listing, not a counter. Every function here may be
called again at any time; each step finds out by itself whether it has been done.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable

from shared.clients.http.call_meter import Meter
from shared.errors import BusError, LeaseHeld, StorageError, UnreadableDocument
from shared.storage.documents import Document, from_json, read_json, to_json, update_json
from shared.sync import paths
from shared.sync.applying.batches import missing_batches
from shared.sync.applying.merge import merge_outcomes, note_unknown
from shared.sync.applying.settled import settled
from shared.sync.documents.active import release_active
from shared.sync.documents.outcome import DONE, BatchOutcomes, Outcome
from shared.sync.documents.plans import Plan, planned_changes
from shared.sync.documents.report import COUNTS, Report
from shared.sync.documents.runs import EntityPhase, EntityStatus, Run, RunPhase, change_run
from shared.sync.documents.state import EntityState, decode_state, distrust_state, state_from_json
from shared.sync.documents.switched_off import note_switched_off
from shared.sync.model import ENTITY_NEEDS, EntityName, JsonValue
from shared.sync.planning.approval import about_left_out, why_held
from shared.sync.runs.report import make_report
from shared.sync.runs.requests import send_entities
from shared.sync.runs.totals import add_run
from shared.sync.services import Services

logger = logging.getLogger(__name__)

RELEASE = "release"
"""How the causes of messages begin that are sent when what an entity needs has ended."""

SHORT_LEASE_SECONDS = 15
"""The shortest that Azure gives."""

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

COUNTED_BY_PLANNING = ("source", "unchanged", "skipped", "invalid", "waiting")
"""Those that the plan knows already."""


def finish_entity(services: Services, run: Run, entity: EntityName, plan: Plan) -> None:
    """End the entity if every batch of its plan has an outcome; otherwise do nothing."""
    documents = services.documents
    if plan.batches > 1 and missing_batches(documents, run, entity, plan):
        return
    batches = list(settled(documents, run, entity, plan))
    if len(batches) < plan.batches:
        return
    outcomes = [outcome for batch in batches for outcome in batch.outcomes]
    refused, trouble = plan.refused, next((batch.reason for batch in batches if batch.reason), None)
    if plan.base or plan.batches or plan.counts_changed:
        try:
            refused = _merge(services, run, entity, plan, batches)
        except UnreadableDocument as error:
            trouble = _not_merged(services, entity, str(error))
        except (StorageError, BusError):
            raise
        except Exception as error:
            # A value that nobody thought of must not keep this run, and with it all later ones, going round.
            logger.exception("merging %s of run %s met an unexpected error", entity, run.run_id)
            trouble = _not_merged(services, entity, f"unexpected {type(error).__name__}, see the log")

    def end(status: EntityStatus) -> None:
        failed = status.stop_reason or trouble or plan.failed
        # A plan that was held as a whole is applied as a whole: by an approval that release 0.1.0 began.
        well: EntityPhase = "held" if plan.held_batches else "done"
        status.phase = well if not failed else "cancelled" if status.cancelled else "failed"
        status.reason = failed or _how_it_ended(plan)
        set_figures(status, plan, outcomes)
        if trouble:
            # A batch that cannot be read has no outcomes, and the counts must add up nevertheless.
            status.counts["failed"] += max(0, planned_changes(plan) - len(outcomes))
        if refused is not None:
            status.failing = refused + sum(1 for outcome in outcomes if outcome.result == "failed")
        meter = Meter()
        meter.add(status.calls, status.requests, status.waited_seconds)
        for batch in batches:
            meter.add(batch.calls, batch.requests, batch.waited_seconds)
        _set_costs(status, meter)

    end_entity(services, run, entity, end)


def _how_it_ended(plan: Plan) -> str | None:
    held = why_held(plan) if plan.held_batches else None
    return f"{held}; what is not held was applied" if held else about_left_out(plan)


def _not_merged(services: Services, entity: EntityName, why: str) -> str:
    """What was done is in SafetyAmp and not in the state."""
    distrust_state(services.documents, entity)
    return f"what was done could not be noted, SafetyAmp is listed again by the next run: {why}"


def give_up_entity(services: Services, run: Run, entity: EntityName, reason: str) -> None:
    """End an entity whose plan cannot be read as failed. What was done by then is not known: the next run
    lists SafetyAmp, and does what is left.

    Whoever is at work on a batch ends it first; the sweep looks again.
    """

    def stop(run: Run) -> None:
        status = run.entities[entity]
        if not status.ended and status.stop_reason is None:
            status.stop_reason = reason

    run = change_run(services.documents, run, stop)
    if not nobody_at_work(services, run.run_id, entity):
        logger.warning("%s of run %s is given up when its batch at hand has ended", entity, run.run_id)
        return
    distrust_begun(services, run.run_id, entity)

    def end(status: EntityStatus) -> None:
        status.phase, status.reason = ("cancelled" if status.cancelled else "failed"), reason

    end_entity(services, run, entity, end)


def nobody_at_work(services: Services, run_id: str, entity: EntityName) -> bool:
    """Whether no batch of the entity is in hand. A batch that has ended has no lease any more."""
    there = set(services.documents.list(paths.outcomes(run_id, entity)))
    for path in services.documents.list(paths.progresses(run_id, entity)):
        if path.replace(paths.progresses(run_id, entity), paths.outcomes(run_id, entity)) not in there:
            try:
                lease = services.documents.acquire_lease(path, SHORT_LEASE_SECONDS)
            except LeaseHeld:
                return False
            services.documents.release_lease(path, lease)
    return True


def distrust_begun(services: Services, run_id: str, entity: EntityName) -> None:
    """Have SafetyAmp listed before the entity's next plan, if any of its batches was begun."""
    if next(iter(services.documents.list(paths.progresses(run_id, entity))), None) is not None:
        distrust_state(services.documents, entity)


def hold_again(services: Services, run: Run, entity: EntityName, why: str) -> None:
    """An approval came to nothing before a plan was made for it: what was held is held as before."""

    def hold(status: EntityStatus) -> None:
        if status.cancelled:
            status.phase, status.approval = "cancelled", None
            status.reason = f"{status.stop_reason}; it was held: {status.held_because}"
            return
        status.phase, status.stop_reason = "held", None
        status.reason = (
            f"it was approved, but nothing was applied: {why}; it is held because {status.held_because}"
        )

    end_entity(services, run, entity, hold)


def end_unapplied(services: Services, run: Run, entity: EntityName, plan: Plan) -> None:
    """End an entity whose plan only says what would be done, or is held: nothing of it is applied or merged.
    One that was stopped in the moment in which its plan was stored is not held: nobody waits for it."""
    why = "; ".join(filter(None, [why_held(plan), plan.failed])) or None

    def end(status: EntityStatus) -> None:
        set_figures(status, plan)
        status.phase = "planned" if run.request.mode == "plan" else "held"
        status.reason = why
        if status.stop_reason:
            status.phase = "cancelled" if status.cancelled else "failed"
            is_held = plan.held or plan.held_parts
            status.reason = f"{status.stop_reason}; it was held: {why}" if is_held else status.stop_reason

    end_entity(services, run, entity, end)


def end_entity(services: Services, run: Run, entity: EntityName, end: Callable[[EntityStatus], None]) -> None:
    """Set the entity's final status unless it has one, and the run's with that of the last entity; then let
    everything go on that waited for it."""

    def change(run: Run) -> None:
        status = run.entities[entity]
        if not status.ended:
            end(status)
            status.finished_at = services.clock.now().isoformat()
        if all(status.ended for status in run.entities.values()):
            _close(services, run)

    run = change_run(services.documents, run, change)
    status = run.entities[entity]
    facts = {"run": run.run_id, "entity": entity, "phase": status.phase, "reason": status.reason}
    figures = {"counts": status.counts}
    logger.info("%s of run %s ended: %s", entity, run.run_id, status.phase, extra={**facts, **figures})
    advance(services, run, finished=entity)


def advance(services: Services, run: Run, *, finished: EntityName | None = None) -> None:
    """Send what can go on now that an entity has ended, or close the run after the last one."""
    if run.ended:
        _conclude(services, run)
        return
    if all(status.ended for status in run.entities.values()):
        finish_run(services, run.run_id)
        return
    released: list[EntityName] = [
        name
        for name, status in run.entities.items()
        if status.phase == "pending" and _waited_for(name, finished) and run.ready(name)
    ]
    if released:
        # An approval releases the same entities once more, which would be taken for a repeat.
        parts = (RELEASE, finished or "again", run.entities[released[0]].approval)
        send_entities(services, run.run_id, released, "/".join(part for part in parts if part))


def _waited_for(entity: EntityName, finished: EntityName | None) -> bool:
    """Whether the entity can have waited for the one that has `finished`; any that waits can, when nobody
    knows which it was: who finished it may have died before it sent, and its message has come again."""
    return bool(ENTITY_NEEDS[entity]) if finished is None else finished in ENTITY_NEEDS[entity]


def finish_run(services: Services, run_id: str) -> None:
    """Close the document of a run whose entities have all ended, and conclude the run."""
    _conclude(services, change_run(services.documents, run_id, lambda run: _close(services, run)))


def _close(services: Services, run: Run) -> None:
    """Note that the run has ended, unless that is noted."""
    if not run.ended:
        run.phase = phase_of(run)
        run.finished_at = services.clock.now().isoformat()


def _conclude(services: Services, run: Run) -> None:
    """Write the report of a run that has ended (JSON and a page), count it, and let the next run start, in
    this order: a crash in between leaves the run active, and the sweep does the rest."""
    report = make_report(services.documents, run)
    services.documents.write(paths.report(run.run_id), to_json(report))
    _write_page(services, run.run_id, report)
    _count(services, run, report)
    if release_active(services.documents, run):
        _tell(run, report["duration_seconds"])


def _write_page(services: Services, run_id: str, report: Report) -> None:
    try:
        page = services.report_page(report)
    except Exception:
        # A report that cannot be shown must not keep the run from ending, and all later ones from starting.
        logger.exception("the page of the report of run %s could not be made", run_id)
        return
    services.documents.write(paths.report_page(run_id), page)


def _count(services: Services, run: Run, report: Report) -> None:
    try:
        add_run(services.documents, run, report)
    except StorageError:
        raise
    except Exception:
        logger.exception("run %s could not be counted", run.run_id)


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
    services: Services, run: Run, entity: EntityName, plan: Plan, batches: list[BatchOutcomes]
) -> int | None:
    """Merge once, into the state that the plan was made from: the state notes who changed it last. Returns
    how many records SafetyAmp refuses for now. Raises UnreadableDocument when there is nothing to merge
    into."""
    base = _base_state(services, entity, plan)
    now = services.clock.now().isoformat()
    for batch in batches:
        for outcome in batch.outcomes:
            if outcome.unsure:
                outcome.at = outcome.at or now

    status = run.entities[entity]
    is_approved = status.approved or status.approval_in_force is not None

    def change(value: JsonValue) -> JsonValue:
        current = state_from_json(entity, value)
        if not _is_due(current, plan, run):
            # It has been merged before, and a later run may have gone on from there; or the document was
            # deleted or damaged meanwhile, and a state of these outcomes alone would know nothing of all the
            # others.
            return None
        state = base or current
        if state is None:
            return None
        state.list_anew = False
        for batch in batches:
            merge_outcomes(state, batch.outcomes, run.run_id)
            if batch.list_anew:
                note_unknown(state, batch.outcomes, run.run_id)
        state.source_counts, state.updated_by = plan.source_counts, plan.name_in(run.run_id)
        state.approved_counts = plan.approved_counts
        if not is_approved:
            changed = Counter(
                outcome.action for batch in batches for outcome in batch.outcomes if outcome.went_well
            )
            state.note_unasked(state.updated_by, services.clock.now(), changed)
        return state.to_json()

    path, document = paths.state(entity), None
    if entity == "employees":
        # First, so that a crash in between loses nothing: it is done again with the merge.
        document = services.documents.read(path)
        known = _known_state(entity, document)
        if (known.updated_by if known else None) == plan.state_by:
            outcomes = [outcome for batch in batches for outcome in batch.outcomes]
            note_switched_off(services.documents, outcomes, base or known, run.run_id)
    written = update_json(services.documents, path, change, lost=lambda _: None, known=document)
    merged = state_from_json(entity, written)
    return merged.refused() if merged else None


def _is_due(current: EntityState | None, plan: Plan, run: Run) -> bool:
    """Whether the state is still the one that the plan was made from. Release 0.1.0 cannot read that of
    titles (`FOLDED_TITLES_VERSION`) and plans from a listing, as if there was none: what its plan found takes
    the place of a state from before the run."""
    by = current.updated_by if current else None
    if by is not None and plan.state_by is None and plan.base:
        return by.partition("/")[0] < run.run_id
    return bool(by == plan.state_by)


def _known_state(entity: EntityName, document: Document | None) -> EntityState | None:
    if document is None:
        return None
    try:
        return state_from_json(entity, from_json(document.data, paths.state(entity)))
    except UnreadableDocument:
        return None


def _base_state(services: Services, entity: EntityName, plan: Plan) -> EntityState | None:
    """None when the plan was made from the state as it is. What only the base knows, the state would be
    without: records that a listing found, which would be created once more."""
    if not plan.base:
        return None
    base = decode_state(entity, read_json(services.documents, plan.base), plan.base)
    if base is None:
        raise UnreadableDocument(plan.base, "it is gone")
    return base


def set_figures(status: EntityStatus, plan: Plan, outcomes: Iterable[Outcome] = ()) -> None:
    """The entity's counts, calls and waits from its plan and outcomes. After those of what was applied before
    the rest was approved: of that each record has been counted."""
    applied = Counter(COUNTED_AS[outcome.result] for outcome in outcomes)
    waiting = plan.held_changes if plan.held_batches or not applied else {}
    meter = Meter()
    if plan.earlier and status.counts.get("unapproved"):
        left = status.counts["unapproved"] - planned_changes(plan)
        applied.update({**status.counts, "unapproved": 0})
        applied["skipped"] += left
        meter.add(status.calls, status.requests, status.waited_seconds)
    else:
        applied.update({name: plan.counts.get(name, 0) for name in COUNTED_BY_PLANNING})
        applied["unapproved"] += sum(waiting.values())
        status.planned = {action: plan.counts.get(action, 0) for action in DONE}
    status.counts = {name: applied[name] for name in COUNTS}
    status.held_changes = waiting
    meter.add(plan.calls, plan.requests, plan.waited_seconds)
    _set_costs(status, meter)
    status.failing = plan.refused
    status.quiet = not (plan.batches or plan.problems or plan.vanished["count"] or plan.left_out)


def _set_costs(status: EntityStatus, meter: Meter) -> None:
    status.calls, status.requests = dict(meter.calls), dict(meter.requests)
    status.waited_seconds = round(meter.waited_seconds, 3)
