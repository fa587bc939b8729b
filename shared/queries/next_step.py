"""What will happen next to one record, when, and what an operator can do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from shared.errors import UnreadableDocument
from shared.ncrontab import next_time
from shared.queries.answers import Verdict
from shared.queries.changes import PLANNED
from shared.queries.dry_run import NO_RUN, DryRun
from shared.queries.history import change_in
from shared.queries.references import can_go_without, missing_references, why_missing
from shared.queries.run_index import newest_runs
from shared.sync.applying.batches import due_at
from shared.sync.documents.active import active_run_id
from shared.sync.documents.change import Change
from shared.sync.documents.control import UNKNOWN_PAUSES, read_pauses
from shared.sync.documents.plans import read_plan
from shared.sync.documents.runs import read_run
from shared.sync.documents.state import FAILURE, GONE
from shared.sync.findings.causes import SWITCHED_OFF_BY_HAND
from shared.sync.model import EntityName
from shared.sync.planning.record_view import RecordView
from shared.sync.planning.resolver import Resolver
from shared.sync.services import Services
from shared.sync.suggestions import SETTLED, of_the_source, refusal_kind, suggestion_for

HELD_RUNS = 50
"""Runs among which the one that holds the plan is looked for."""


@dataclass(frozen=True)
class NextStep:
    """`at` is the time of the run that does it, None when no run will, or nobody can tell; `run_url` is the
    run that is meant, where there is one already."""

    verdict: Verdict
    reason: str
    suggestion: str
    at: str | None = None
    run_url: str | None = None
    approve_url: str | None = None


def next_step(services: Services, entity: EntityName, key: str, seen: DryRun) -> NextStep:
    """The first of the reasons that decides: a pause goes before the guard, the guard before the rest."""
    return next(step for step in _reasons(services, entity, key, seen) if step is not None)


def _reasons(services: Services, entity: EntityName, key: str, seen: DryRun) -> Iterator[NextStep | None]:
    yield _paused(services, entity, seen)
    yield _off(services, entity)
    yield _under_way(services, entity, key)
    if seen.view is None:
        yield _unreadable(services, seen)
        return
    yield _not_in_source(entity, key, seen.view)
    yield _rejected(seen, seen.view)
    yield _waiting(services, seen.change)
    yield _held(services, entity, key, seen)
    yield _change(services, entity, seen)
    yield _left_out(services, seen)
    yield _nothing(seen, seen.view)


def _paused(services: Services, entity: EntityName, seen: DryRun) -> NextStep | None:
    try:
        pause = read_pauses(services.documents).get(entity)
    except UnreadableDocument as error:
        return NextStep("paused", f"the document {error.path} cannot be read ({error.why})", UNKNOWN_PAUSES)
    if pause is None:
        return None
    then = (
        f"the next run would {seen.change.action} it" if seen.change else "there is nothing to be done for it"
    )
    if seen.notes:
        then = "; ".join(seen.notes)
    return NextStep("paused", pause.about(entity), f"Resume {entity}; after that: {then}.")


def _off(services: Services, entity: EntityName) -> NextStep | None:
    if entity != "vehicles" or services.settings.vehicles_enabled:
        return None
    return NextStep(
        "off",
        "vehicles are off",
        "Set SAFETYAMP_VEHICLE_SITE_ID and SAFETYAMP_VEHICLE_ASSET_TYPE_ID to sync them.",
    )


def _under_way(services: Services, entity: EntityName, key: str) -> NextStep | None:
    run_id = active_run_id(services.documents)
    try:
        run = read_run(services.documents, run_id) if run_id else None
    except UnreadableDocument:
        return None  # It is about to be given up.
    if run is None or entity not in run.entities or run.entities[entity].ended:
        return None
    if run.request.keys and key not in run.request.keys:
        return None
    url = f"/api/runs/{run.run_id}"
    try:
        change = change_in(services, run, entity, key)
        plan = read_plan(services.documents, run, entity)
    except UnreadableDocument as error:
        return NextStep(
            "unknown", f"run {run_id} is under way: {error}", "Wait for the run to end.", run_url=url
        )
    if change is None:
        if run.entities[entity].phase != "pending":
            return None
        reason = f"run {run.run_id} is under way and has not come to {entity} yet"
        return NextStep("under way", reason, "Wait for the run to end.", run_url=url)
    if change["result"] != PLANNED or plan is None or change["batch"] in plan.held_numbers:
        return None
    due = due_at(services.documents, services.settings, run, entity, plan, change["batch"])
    reason = f"run {run.run_id} is under way: its batch {change['batch']} will {change['action']} the record"
    return NextStep("under way", reason, "Wait for the run to end.", at=_text(due), run_url=url)


def _unreadable(services: Services, seen: DryRun) -> NextStep:
    return NextStep(
        "unknown",
        f"the source could not be read just now: {seen.problem}",
        "Mend that first: the next run meets it too, and changes nothing then.",
        at=_next_run(services),
    )


def _not_in_source(entity: EntityName, key: str, view: RecordView) -> NextStep | None:
    if view.in_source:
        return None
    if entity in ("departments", "jobs") and (key == "root" or key.startswith("office:")):
        reason = "it is SafetyAmp's own record: the sync refers to it and never changes it"
        return NextStep("nothing", reason, SETTLED)
    system = "Samsara" if entity == "vehicles" else "Vista"
    return NextStep(
        "nothing",
        f"{system} no longer has this record: SafetyAmp's stays as it is, because what vanishes from a source"
        " is reported and never removed",
        f"If that is a mistake, mend it in {system}. Otherwise settle it in SafetyAmp by hand.",
    )


def _rejected(seen: DryRun, view: RecordView) -> NextStep | None:
    if seen.ambiguous or view.found == "several":
        return NextStep("invalid", "; ".join(seen.notes), suggestion_for("several"))
    if view.rejected is not None:
        kind = view.rejected["kind"]
        return NextStep(cast(Verdict, kind), view.rejected["reason"], suggestion_for(kind))
    if seen.change is None and seen.entry and FAILURE in seen.entry.flags and view.active:
        errors = seen.entry.flags[FAILURE]["errors"]
        kind = "refused" if of_the_source(errors) else refusal_kind(errors)
        return NextStep("refused", "; ".join(seen.notes), suggestion_for(kind))
    return None


def _waiting(services: Services, change: Change | None) -> NextStep | None:
    """Only for what will not be there when the record's turn comes: what the same run makes first is no
    reason to wait."""
    pauses = read_pauses(services.documents)
    resolver = Resolver(services, NO_RUN, "employees")
    missing = missing_references(resolver, change)
    if change is not None and can_go_without(change, missing):
        return None
    reasons = [text for ref in missing for text in why_missing(resolver, pauses, ref)]
    return NextStep("waiting", "; ".join(reasons), suggestion_for("waiting")) if reasons else None


def _held(services: Services, entity: EntityName, key: str, seen: DryRun) -> NextStep | None:
    if not seen.held or seen.change is None:
        return None
    run_id = _holding_run(services, entity, key)
    url = f"/api/runs/{run_id}" if run_id else None
    return NextStep(
        "held",
        f"it would be {_past(seen.change.action)}, but the guard holds that part of {entity}: "
        + "; ".join(seen.held),
        suggestion_for("held"),
        run_url=url,
        approve_url=f"{url}/approve" if url else None,
    )


def _holding_run(services: Services, entity: EntityName, key: str) -> str | None:
    """The newest run whose held plan has a change of the record."""
    for run in newest_runs(services.documents, HELD_RUNS):
        status = run.entities.get(entity)
        with suppress(UnreadableDocument):
            change = change_in(services, run, entity, key) if status and status.phase == "held" else None
            if change is not None and change["result"] == PLANNED:
                return run.run_id
    return None


def _change(services: Services, entity: EntityName, seen: DryRun) -> NextStep | None:
    change = seen.change
    if change is None:
        return None
    refresh = services.settings.refresh_schedule
    when = _next_run(services, refresh if seen.passed_over else services.settings.sync_schedule)
    reason = f"the next run will {change.action} it"
    if seen.passed_over:
        reason = f"its source has not changed, so that only the next run with refresh will {change.action} it"
    elif not seen.state_known:
        reason = "nothing is known of SafetyAmp yet: the next run lists it first, and creates what is missing"
    elif seen.entry and GONE in seen.entry.flags:
        reason = "SafetyAmp may or may not have it: the next run lists SafetyAmp first, and creates it if not"
    elif seen.entry and FAILURE in seen.entry.flags:
        reason += ": its data has changed since SafetyAmp refused it"
    missing = missing_references(Resolver(services, NO_RUN, entity), change)
    firsts = [f"{ref.entity} {ref.key}" for ref in missing]
    if firsts:
        reason += f", after {' and '.join(firsts)}, which that run makes first"
    do = f"Wait for it, or do it now: POST /api/sync/{entity}?key=..."
    return NextStep(change.action, reason, do, at=when)


def _left_out(services: Services, seen: DryRun) -> NextStep | None:
    """There is nothing to send, and yet SafetyAmp does not hold what the source says."""
    if not seen.left_out or (seen.view and seen.view.active is False):
        return None
    when = _next_run(services, services.settings.refresh_schedule)
    is_there = seen.entry is not None and seen.entry.target_id is not None
    verdict: Verdict = "waiting" if is_there else "invalid"
    return NextStep(verdict, "; ".join(seen.left_out), suggestion_for("left out"), at=when)


def _nothing(seen: DryRun, view: RecordView) -> NextStep:
    if view.active is False and seen.notes:
        # Perhaps another user of theirs, who still has access.
        return NextStep("nothing", "; ".join(seen.notes), "Do as the reason says.")
    if view.active is False and not (seen.entry and seen.entry.target_id is not None):
        reason = "has left, and SafetyAmp does not have the person: there is nothing to be done"
        return NextStep("skipped", reason, "If the person is back, mend TermDate and HireDate in Vista.")
    if view.active is False:
        return NextStep("nothing", "has left, and is switched off in SafetyAmp", SETTLED)
    if seen.notes:
        # A value that was dropped while mapping, or that two share: nothing is sent, yet somebody must act.
        kind = "by hand" if SWITCHED_OFF_BY_HAND.code in seen.causes else "reported"
        return NextStep("nothing", "; ".join(seen.notes), suggestion_for(kind))
    return NextStep("nothing", "SafetyAmp holds what the source says", SETTLED)


def _next_run(services: Services, schedule: str | None = None) -> str | None:
    moment = next_time(schedule or services.settings.sync_schedule, services.clock.now())
    return _text(moment) if moment else None


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _past(action: str) -> str:
    return f"{action}d"
