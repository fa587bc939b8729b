"""Handling an entity message: plan the entity once, then see to it that its batches are on their way."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from shared.clients.http.call_meter import Meter
from shared.context import bound
from shared.errors import (
    APIError,
    BusError,
    ConfigurationError,
    DatabaseError,
    IncompleteRead,
    LeaseHeld,
    RateLimited,
    RetryLater,
    SafetyAmpError,
    Stopping,
    StorageError,
    UnreadableDocument,
    UpstreamUnavailable,
)
from shared.sync import paths
from shared.sync.applying.batches import all_batches, missing_batches, send_batches
from shared.sync.bulk import bulk_work
from shared.sync.documents.plans import Plan, may_be_applied, planning_path, read_plan
from shared.sync.documents.runs import EntityStatus, Run, change_run
from shared.sync.lease import LEASE_SECONDS, lease_when_needed
from shared.sync.messages import EntityMessage
from shared.sync.model import EntityName
from shared.sync.planning.approval import reasons_to_hold
from shared.sync.planning.listing import TargetLister
from shared.sync.planning.planner import OnlyLeavers, make_plan
from shared.sync.runs.abandoning import readable_run
from shared.sync.runs.finish import (
    RELEASE,
    advance,
    end_entity,
    end_unapplied,
    finish_entity,
    give_up_entity,
    hold_again,
)
from shared.sync.runs.requests import START
from shared.sync.runs.stopping import stop_entity
from shared.sync.services import Bound, Services

logger = logging.getLogger(__name__)

SOONEST = timedelta(milliseconds=1)
"""A delay that rounds to nothing would give the copy the id of the message at hand, whose duplicate it would
be taken for."""

SWEEP = "sweep/"
"""How the causes of the sweep's messages begin."""


def sync_entity(services: Services, message: EntityMessage) -> None:
    """Bring the entity as far as it can come now. Safe to repeat at any time, from the start.

    Returns normally when the message is done with, also when the work has been handed on to a later
    message; raises StorageError or BusError when the message must be delivered again.
    """
    with bound(run=message.run_id, entity=message.entity):
        _bring_forward(services, message)


def _bring_forward(services: Services, message: EntityMessage) -> None:
    run = readable_run(services, message.run_id)
    if run is None or run.ended or message.entity not in run.entities:
        logger.info("nothing to do for %s", message.message_id)
        return
    if run.entities[message.entity].ended:
        advance(services, run)
        return
    if not run.ready(message.entity):
        # Whoever finishes what this entity needs sends a message that releases it.
        return
    try:
        there = None if _is_first(run, message) else read_plan(services.documents, run, message.entity)
        plan = there or _plan(services, run, message)
        if plan is not None:
            start_plan(services, run, message.entity, plan, cause=message.cause, is_new=there is None)
    except UnreadableDocument as error:
        if error.path == paths.run(run.run_id):
            raise  # whoever reads it next gives up the run
        give_up_entity(services, run, message.entity, str(error))
    except SafetyAmpError:
        raise
    except Exception as error:
        # It would be met again by every message, and keep this run going round for ever.
        logger.exception("acting on the plan of %s met an unexpected error", message.entity)
        reason = f"unexpected {type(error).__name__} after planning, see the log"
        stop_entity(services, run.run_id, message.entity, reason)


def _is_first(run: Run, message: EntityMessage) -> bool:
    """Whether there can be no plan yet, but that of somebody who died right after it was stored, and whose
    message this is again: then another cannot be stored, and that one is acted on."""
    is_pending = run.entities[message.entity].phase == "pending"
    return is_pending and message.cause.startswith((START, RELEASE))


def _plan(services: Services, run: Run, message: EntityMessage) -> Plan | None:
    """Make the plan; None when the message was handed on or the entity has failed."""
    entity = message.entity
    services = Bound(services, replace(services.work, lane=run.request.lane, meter=Meter()))
    with bulk_work():
        try:
            return _make_plan(services, run, entity)
        except LeaseHeld:
            # Somebody lists SafetyAmp, or died of it. A message of the sweep is not kept alive for that: the
            # next sweep looks again, and copies of each would pile up during a long listing.
            if not message.cause.startswith(SWEEP):
                _hand_on(services, message, LEASE_SECONDS, message.attempt, "busy")
        except (RateLimited, Stopping) as error:
            _hand_on(services, message, error.delay_seconds, message.attempt, "wait")
        except ConfigurationError as error:
            # Before DatabaseError, which it may be too: a wrong setting is as wrong in a minute.
            return _plan_leavers(services, run, message, error)
        except (RetryLater, UpstreamUnavailable, DatabaseError) as error:
            if message.attempt < services.settings.max_retry_attempts:
                logger.warning("planning %s failed, trying again: %s", entity, error)
                delay = getattr(error, "delay_seconds", services.settings.retry_delay_seconds)
                _hand_on(services, message, delay, message.attempt + 1, "retry")
            else:
                return _plan_leavers(services, run, message, error)
        except (IncompleteRead, APIError) as error:
            return _plan_leavers(services, run, message, error)
        except (StorageError, BusError):
            raise
        except Exception as error:
            # A record that nobody thought of must not keep this run, and with it all later ones, going round
            # for ever.
            logger.exception("planning %s of run %s met an unexpected error", entity, run.run_id)
            unexpected = SafetyAmpError(f"unexpected {type(error).__name__} while planning, see the log")
            return _fail(services, run, message, unexpected)
    return None


def _make_plan(
    services: Services, run: Run, entity: EntityName, only_leavers: OnlyLeavers | None = None
) -> Plan:
    path = planning_path(run, entity)
    with lease_when_needed(services, path) as lease:
        lister = TargetLister(lease.services, path, meter=services.work.meter, lease=lease)
        try:
            return make_plan(lease.services, run, entity, lister, only_leavers)
        except RetryLater:
            lister.keep()
            raise


def _plan_leavers(services: Services, run: Run, message: EntityMessage, error: Exception) -> Plan | None:
    """Planning has failed for good. Where only Graph or SafetyAmp's listing is the cause, who has left loses
    access nevertheless: returns the plan for that, if there is one."""
    # Who approved a plan approved more than its leavers: it stays held until all of it can be done.
    is_approval = run.entities[message.entity].approval_in_force is not None
    only_leavers = None if is_approval else _only_leavers(message.entity, error)
    while only_leavers is not None:
        logger.error("only leavers of run %s are looked at: %s", run.run_id, error)
        try:
            return _make_plan(services, run, message.entity, only_leavers)
        except LeaseHeld:
            _hand_on(services, message, LEASE_SECONDS, message.attempt, "busy")
            return None
        except (RateLimited, Stopping) as wait:
            _hand_on(services, message, wait.delay_seconds, message.attempt, "wait")
            return None
        except (StorageError, BusError):
            raise
        except SafetyAmpError as second:
            logger.warning("nor could leavers be looked at: %s", second)
            no_listing = not only_leavers.unlisted and second.only == "listing"
            only_leavers = replace(only_leavers, unlisted=True) if no_listing else None
    return _fail(services, run, message, error)


def _only_leavers(entity: EntityName, error: Exception) -> OnlyLeavers | None:
    """How leavers can be planned in spite of the error, None where they cannot."""
    only = error.only if isinstance(error, SafetyAmpError) else None
    text = "only leavers were looked at, because"
    if only == "accounts":
        return OnlyLeavers(f"{text} Microsoft Graph could not be read: {error}")
    if only == "listing" and entity == "employees":
        return OnlyLeavers(f"{text} SafetyAmp could not be listed: {error}", unlisted=True)
    return None


def _hand_on(
    services: Services, message: EntityMessage, delay_seconds: float, attempt: int, why: str
) -> None:
    """Send the same work again, scheduled: the copy first, then the message at hand is completed."""
    at = services.clock.now() + max(timedelta(seconds=delay_seconds), SOONEST)
    copy = EntityMessage(message.run_id, message.entity, f"{why}/{at:%Y%m%d%H%M%S%f}", attempt)
    services.bus.send([copy.to(services.settings.entity_queue, at)])


def _fail(services: Services, run: Run, message: EntityMessage, error: Exception) -> Plan | None:
    """End the entity as failed; or return the plan that is there nevertheless, of somebody who died of it."""
    if (there := read_plan(services.documents, run, message.entity)) is not None:
        return there
    logger.error("planning %s of run %s failed: %s", message.entity, run.run_id, error)
    if run.entities[message.entity].approval_in_force:
        hold_again(services, run, message.entity, str(error))
        return None

    meter = services.work.meter

    def fail(status: EntityStatus) -> None:
        status.phase, status.reason = "failed", str(error)
        status.calls, status.requests = dict(meter.calls), dict(meter.requests)
        status.waited_seconds = round(meter.waited_seconds, 3)

    end_entity(services, run, message.entity, fail)
    return None


def start_plan(
    services: Services, run: Run, entity: EntityName, plan: Plan, *, cause: str, is_new: bool = False
) -> None:
    """Act on the committed plan: end the entity, or send its batches; of a new one nobody has sent any."""
    if plan.held_parts and run.request.mode != "plan":
        extra = {"event": "guard_held", "entity": entity, "reasons": reasons_to_hold(plan)}
        parts = "the plan" if plan.held else f"what to {', '.join(plan.held_parts)}"
        logger.warning(
            "%s of %s in run %s is held",
            parts,
            entity,
            run.run_id,
            extra={**extra, "held": plan.held_changes},
        )
    if not may_be_applied(run, entity, plan):
        end_unapplied(services, run, entity, plan)
    elif plan.batches == 0:
        finish_entity(services, run, entity, plan)
    else:
        run = change_run(services.documents, run, _applying(entity, run.entities[entity].approval))
        if run.entities[entity].ended:
            return  # by somebody who did not wait for the plan, and has sent what was waiting
        numbers = all_batches(plan) if is_new else missing_batches(services.documents, run, entity, plan)
        send_batches(services, run, entity, numbers, cause=cause)


def _applying(entity: EntityName, approval: str | None) -> Callable[[Run], None]:
    def change(run: Run) -> None:
        status = run.entities[entity]
        if status.phase == "pending" and status.approval == approval:
            status.phase = "applying"

    return change
