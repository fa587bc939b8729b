"""One record on demand: a run of one entity restricted to one key, carried out while the caller waits.

It is an ordinary run with the ordinary documents: planner, guard, limiter, breaker, leases and the rules of
ambiguous writes are those of every run, and so is the rule that only one run is active at a time, so that
nothing can race with it. Only the messages are not waited for: this process calls the handlers itself,
which any process may do at any time, and so an idle or cold queue costs the caller nothing. Should this
process die, or the time not be enough, messages and sweep bring the run to its end like any other.
"""

from __future__ import annotations

from contextlib import suppress
from typing import cast

from shared.clients.http.work import Work
from shared.errors import BusError, UnreadableDocument
from shared.queries import answers
from shared.queries.changes import changes_with_outcomes, described, json_of
from shared.queries.record_calls import call_of
from shared.storage.documents import Documents
from shared.sync.applying.batches import due_at, missing_batches
from shared.sync.documents.change import Change
from shared.sync.documents.outcome import Outcome
from shared.sync.documents.plans import Plan, RecordLook, read_plan
from shared.sync.documents.runs import Mode, Run, RunRequest, get_run
from shared.sync.messages import BatchMessage, EntityMessage
from shared.sync.model import EntityName
from shared.sync.planning.record_view import Found
from shared.sync.runs.batch_handler import apply_batch
from shared.sync.runs.entity_handler import sync_entity
from shared.sync.runs.requests import claim_run
from shared.sync.services import Bound, Services

WORK_SECONDS = 90.0
"""No call is begun later than this after the request, and a call lasts 35 s at most: Azure's front end gives
up after 230 s (vendor page "Azure Functions scale and hosting")."""

LOOK_AGAIN_SECONDS = 1.0
TRY_AGAIN_SECONDS = 10.0
"""Each attempt at a batch that somebody else has at hand leaves a message behind."""

_Planned = tuple[Change, Outcome | None]


def sync_record(
    services: Services, entity: EntityName, key: str, mode: Mode, *, refresh: bool, retry_failed: bool
) -> answers.RecordSync:
    """Plan and, unless `mode` is "plan", apply one record; returns what was done, step by step.

    `phase` in the answer is "running" when the time was not enough: the run goes on by itself. Raises
    Paused, and RunConflict while another run is under way.
    """
    request = RunRequest(
        mode=mode, entities=(entity,), refresh=refresh, retry_failed=retry_failed, keys=(key,)
    )
    with services.shutdown.working():
        run_id = claim_run(services, request)
        work = Work(deadline=services.clock.monotonic() + WORK_SECONDS)
        _carry_out(Bound(services, work), run_id, entity)
    return record_steps(services.documents, get_run(services.documents, run_id))


def _carry_out(services: Services, run_id: str, entity: EntityName) -> None:
    """Do the work of the run's messages, until it has ended or no call may be begun any more."""
    with suppress(BusError):
        sync_entity(services, EntityMessage(run_id, entity, "on-demand"))
    tried_at = -TRY_AGAIN_SECONDS
    while not (run := get_run(services.documents, run_id)).ended:
        now = services.clock.monotonic()
        if services.shutdown.begun or now >= services.work.deadline:
            return
        if now - tried_at >= TRY_AGAIN_SECONDS and (due := _due_batches(services, run, entity)):
            tried_at = now
            for number in due:
                with suppress(BusError):
                    apply_batch(services, BatchMessage(run_id, entity, number, 1, "on-demand"))
        else:
            services.clock.sleep(LOOK_AGAIN_SECONDS)


def _due_batches(services: Services, run: Run, entity: EntityName) -> list[int]:
    plan = _plan(services.documents, run, entity)
    if plan is None or run.entities[entity].phase != "applying":
        return []
    now = services.clock.now()
    missing = missing_batches(services.documents, run, entity, plan)
    documents, settings = services.documents, services.settings
    return [number for number in missing if due_at(documents, settings, run, entity, plan, number) <= now]


def _plan(documents: Documents, run: Run, entity: EntityName) -> Plan | None:
    """None also for one that cannot be read: whoever acts on it ends the entity with that reason."""
    try:
        return read_plan(documents, run, entity)
    except UnreadableDocument:
        return None


def record_steps(documents: Documents, run: Run) -> answers.RecordSync:
    """What a run of one record saw and did, from its documents: each step is None until it was taken."""
    (entity,) = run.entities
    status = run.entities[entity]
    plan = _plan(documents, run, entity)
    planned = _change(documents, run, entity, plan) if plan else None
    return {
        "run_id": run.run_id,
        "url": f"/api/runs/{run.run_id}",
        "entity": entity,
        "key": run.request.keys[0],
        "mode": run.request.mode,
        "phase": run.phase,
        "reason": status.reason,
        "steps": _steps(entity, plan, planned),
    }


def _steps(entity: EntityName, plan: Plan | None, planned: _Planned | None) -> answers.Steps:
    change = described(entity, *planned) if planned else None
    view = plan.looks[0] if plan else None
    return {
        "source": _source(view) if view else None,
        "rejected": cast("answers.Rejection | None", view["rejected"]) if view else None,
        "mapped": _mapped(view) if view else None,
        "target": _target(view) if view else None,
        "problems": [problem["reason"] for problem in plan.problems] if plan else None,
        "difference": _difference(change) if change else None,
        "call": call_of(entity, *planned) if planned else None,
        "result": _result(change) if change else None,
    }


def _source(view: RecordLook) -> answers.SourceStep:
    record = view["source"]
    return {"found": view["in_source"], "record": None if record is None else json_of(record)}


def _mapped(view: RecordLook) -> answers.MappedStep | None:
    if view["mapped"] is None:
        return None
    return {
        "mapped": json_of(view["mapped"]),
        "defaults": json_of(view["defaults"] or {}),
        "active": bool(view["active"]),
        "warnings": view["warnings"],
    }


def _target(view: RecordLook) -> answers.TargetStep:
    known = view["known"]
    return {
        "found": cast(Found, view["found"]),
        "target_ids": view["target_ids"],
        "known": None if known is None else json_of(known),
    }


def _difference(change: answers.Change) -> answers.Difference:
    return {"action": change["action"], "before": change["before"], "after": change["after"]}


def _change(documents: Documents, run: Run, entity: EntityName, plan: Plan) -> _Planned | None:
    """The one change of the run, None when nothing had to be changed."""
    if plan.batches == 0:
        return None
    try:
        return next(changes_with_outcomes(documents, run.run_id, entity, plan.plan_id, plan.numbers.start))
    except UnreadableDocument:
        return None


def _result(change: answers.Change) -> answers.Outcome:
    return {
        "result": change["result"],
        "target_id": change["target_id"],
        "adopted": change["adopted"],
        "dropped": change["dropped"],
        "errors": change["errors"],
        "reason": change["reason"],
        "at": change["at"],
    }
