"""Stopping before the end: an entity that cannot go on or is paused, a run that an operator cancels or that
is overdue.

Nothing is dropped: every batch that is left gets an outcome that says that its changes were not tried, so
that what had been done is merged into the state like at any other end.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from shared.errors import RunConflict, UnreadableDocument
from shared.sync.applying.batches import missing_batches, send_batches
from shared.sync.documents.control import Pause, add_pauses
from shared.sync.documents.plans import may_be_applied, read_plan
from shared.sync.documents.runs import EntityStatus, Run, change_run, get_run
from shared.sync.model import EntityName
from shared.sync.runs.finish import (
    end_entity,
    end_unapplied,
    finish_entity,
    finish_run,
    give_up_entity,
    hold_again,
    phase_of,
)
from shared.sync.runs.requests import ensure_run
from shared.sync.services import Services

logger = logging.getLogger(__name__)


def stop_entity(
    services: Services,
    run_id: str,
    entity: EntityName,
    reason: str,
    *,
    cancelled: bool = False,
    at_hand: int | None = None,
) -> None:
    """No more calls for this entity; its batches come at once and note that nothing was tried. `at_hand` is
    the batch that the caller ends itself."""
    logger.log(
        logging.WARNING if cancelled else logging.ERROR, "%s of run %s stops: %s", entity, run_id, reason
    )

    def stop(run: Run) -> None:
        status = run.entities[entity]
        if not status.ended and status.stop_reason is None:
            status.stop_reason, status.cancelled = reason, cancelled

    run = change_run(services.documents, run_id, stop)
    try:
        plan = read_plan(services.documents, run, entity)
    except UnreadableDocument as error:
        give_up_entity(services, run, entity, f"{reason}; {error}")
        return
    if plan is None and run.entities[entity].approval_in_force and not cancelled:
        hold_again(services, run, entity, reason)
        return
    if plan is None:
        end_entity(services, run, entity, lambda status: _end_unplanned(status, reason, cancelled))
        return
    if not may_be_applied(run, entity, plan):
        # Its batches are no work of this run, and to note that they were not tried would be taken for the end
        # of those that somebody approves.
        end_unapplied(services, run, entity, plan)
        return
    missing = missing_batches(services.documents, run, entity, plan)
    if left := [number for number in missing if number != at_hand]:
        cause = f"stop/{services.clock.now():%Y%m%d%H%M%S}"
        send_batches(services, run, entity, left, cause=cause, spread=False)
    elif not missing:
        finish_entity(services, run, entity, plan)


def _end_unplanned(status: EntityStatus, reason: str, cancelled: bool) -> None:
    status.phase, status.reason = ("cancelled" if cancelled else "failed"), reason
    if status.approval is not None:
        # What was held is dropped. A plan that is still stored for the approval is nobody's.
        status.approval = None
        status.reason = f"{reason}; it was held: {status.held_because}"


def cancel(services: Services, run_id: str, reason: str) -> None:
    """Stop all entities that have not ended, as an operator wishes; of a run that has ended, drop the plans
    that it holds.

    Raises UnknownRun, and RunConflict for a run that has ended and holds no plan.
    """
    ensure_run(services)
    run = get_run(services.documents, run_id)
    if run.ended:
        _drop_held_plans(services, run_id, reason)
        return
    for entity, status in run.entities.items():
        if not status.ended:
            stop_entity(services, run_id, entity, reason, cancelled=True)


def _drop_held_plans(services: Services, run_id: str, reason: str) -> None:
    """Nobody can approve them any more, and nobody is asked to."""
    dropped: list[EntityName] = []

    def drop(run: Run) -> None:
        dropped[:] = [entity for entity, status in run.entities.items() if status.phase == "held"]
        for status in map(run.entities.__getitem__, dropped):
            status.phase, status.cancelled, status.approval = "cancelled", True, None
            status.reason = f"{reason}; it was held: {status.reason}"
        if dropped:
            run.phase = phase_of(run)

    run = change_run(services.documents, run_id, drop)
    if not dropped:
        raise RunConflict(f"run {run_id} has ended already ({run.phase})", run_id)
    finish_run(services, run_id)


def pause(
    services: Services, entities: Sequence[EntityName], reason: str, who: str | None = None
) -> dict[EntityName, Pause]:
    """Let no run touch these entities until they are resumed; what the active run still has to do for them
    is left to a run after that. Returns all pauses.

    Safe to repeat, which an operator has to do after a StorageError or BusError.
    """
    pauses = add_pauses(services.documents, entities, Pause(services.clock.now().isoformat(), reason, who))
    run_id = ensure_run(services)
    if run_id is not None:
        run = get_run(services.documents, run_id)
        for entity in entities:
            if entity in run.entities and not run.entities[entity].ended:
                stop_entity(services, run_id, entity, pauses[entity].about(entity), cancelled=True)
    return pauses
