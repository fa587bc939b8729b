"""The sweep: whatever got lost is sent again.

Sending any message again is safe, so the sweep needs no knowledge of what went wrong: it looks at the
documents of the active run and sends what they lack.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from shared.context import bound
from shared.errors import SafetyAmpError, UnreadableDocument
from shared.sync.applying.batches import due_at, missing_batches, send_batches
from shared.sync.documents.active import active_run_id
from shared.sync.documents.plans import Plan, read_plan
from shared.sync.documents.runs import Run, get_run, read_run
from shared.sync.model import EntityName
from shared.sync.runs.abandoning import fail_run, readable_run
from shared.sync.runs.entity_handler import SWEEP
from shared.sync.runs.finish import finish_entity, finish_run, give_up_entity
from shared.sync.runs.requests import ensure_run, send_entities
from shared.sync.runs.stopping import stop_entity
from shared.sync.services import Services

logger = logging.getLogger(__name__)

OVERDUE_AFTER = timedelta(minutes=3)
"""A batch is sent again when it is so much later than planned; less would pile up copies of batches that
wait for their window."""

DEADLINE = timedelta(hours=48)
"""A run that has not ended so long after it was asked for, or approved, is stopped, so that it does not keep
later ones out for ever. The first load of 100 000 people takes 28 hours at SafetyAmp's limit."""


def sweep(services: Services, *, at_once: bool = False) -> str | None:
    """Heal the active run; returns its id, None when there is none.

    `at_once` sends everything that has no outcome, overdue or not: for a process that starts with an empty
    bus and knows that no message is on its way.
    """
    active = active_run_id(services.documents)
    if active is None:
        return None
    with bound(run=active, operation="sweep"):
        try:
            readable_run(services, active)
            run_id = ensure_run(services)
            if run_id is not None:
                _resend(services, run_id, at_once)
        except SafetyAmpError:
            raise
        except Exception as error:
            # It would come again with every sweep, and the claim would keep all later runs out for ever.
            logger.exception("the sweep of run %s met an unexpected error", active)
            fail_run(services, active, f"unexpected {type(error).__name__}, see the log")
            return active
    return run_id


def _resend(services: Services, run_id: str, at_once: bool) -> None:
    run = readable_run(services, run_id)
    if run is None:
        return
    if run.ended:
        finish_run(services, run_id)
        return
    if services.clock.now() - datetime.fromisoformat(run.begun_at) > DEADLINE:
        _give_up(services, run)
        run = get_run(services.documents, run_id)
    cause = f"{SWEEP}{services.clock.now():%Y%m%d%H%M}"
    for entity, status in run.entities.items():
        if not status.ended:
            _resend_entity(services, run, entity, cause, at_once)
    after = read_run(services.documents, run_id)
    if after and all(status.ended for status in after.entities.values()):
        finish_run(services, run_id)


def _give_up(services: Services, run: Run) -> None:
    hours = f"{DEADLINE.total_seconds() / 3600:.0f} hours"
    for entity, status in run.entities.items():
        if not status.ended:
            missing = _what_is_missing(services, run, entity)
            reason = f"the run had not ended after {hours}: {missing}"
            stop_entity(services, run.run_id, entity, reason)


def _what_is_missing(services: Services, run: Run, entity: EntityName) -> str:
    try:
        plan = read_plan(services.documents, run, entity)
    except UnreadableDocument as error:
        return str(error)
    if plan is None:
        return "there is no plan yet"
    missing = missing_batches(services.documents, run, entity, plan)
    return f"{len(missing)} of {plan.batches} batches have no outcome"


def _resend_entity(services: Services, run: Run, entity: EntityName, cause: str, at_once: bool) -> None:
    try:
        plan = read_plan(services.documents, run, entity)
    except UnreadableDocument as error:
        give_up_entity(services, run, entity, str(error))
        return
    if plan is None or run.entities[entity].phase == "pending":
        if run.ready(entity):
            send_entities(services, run.run_id, [entity], cause)
        return
    missing = missing_batches(services.documents, run, entity, plan)
    if not missing:
        finish_entity(services, run, entity, plan)
        return
    due = [number for number in missing if at_once or _is_overdue(services, run, entity, plan, number)]
    if due:
        logger.info("sending %d batches of %s of run %s again", len(due), entity, run.run_id)
        send_batches(services, run, entity, due, cause=cause, spread=at_once)


def _is_overdue(services: Services, run: Run, entity: EntityName, plan: Plan, number: int) -> bool:
    due = due_at(services.documents, services.settings, run, entity, plan, number)
    return services.clock.now() > due + OVERDUE_AFTER
