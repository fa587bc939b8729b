"""What the sync promises, looked for in the stand-in of SafetyAmp and in the documents of runs, and not in
what the sync says of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from local.rehearsal.world import NEW_ROAD, RETRY_AFTER_SECONDS, World, doubles
from shared.sync import paths
from shared.sync.applying.batches import missing_batches
from shared.sync.documents.active import peek_active
from shared.sync.documents.plans import may_be_applied, read_plan
from shared.sync.documents.runs import Run, read_run, run_ids
from shared.sync.entities.employee_facts import employee_number
from shared.sync.runs.report import read_report

Promise = Callable[[World], Iterator[str]]
"""Yields what is broken, a line each; nothing where the promise is kept."""

NOT_SENT = ("invalid", "refused")
"""Kinds of problems of a record that cannot be in SafetyAmp. Others are no excuse: they cost a field, or are
over with the disaster."""


def nobody_is_there_twice(world: World) -> Iterator[str]:
    """No number, job, title or vehicle is there twice, or more often than before."""
    for resource, name in sorted(doubles(world.safetyamp) - world.doubles_before, key=str):
        yield f"{resource} {name} is there more than once"


def nobody_is_missing(world: World) -> Iterator[str]:
    """Who is employed has a user, or the last report says what is wrong with the record."""
    known = {employee_number(row["emp_id"]) for row in world.users()}
    for row in world.current_people():
        if row["Employee"] not in known and not _cannot_be_sent(world, row):
            yield f"employee {row['Employee']} has no user"


def nobody_is_locked_out(world: World) -> Iterator[str]:
    """Who is employed may sign in, and could after each run, but whom somebody had switched off before."""
    off = world.off()
    for row in world.current_people():
        if row["Employee"] in (off | world.off_meanwhile) - world.off_before:
            yield f"employee {row['Employee']} {'is' if row['Employee'] in off else 'was'} locked out"


def leavers_are_off(world: World) -> Iterator[str]:
    """Who has left may not sign in any more: since the next run, or since that was approved."""
    yield from world.out_of_turn
    for row, user in _with_users(world, world.leavers()):
        if user["system_access"]:
            yield f"employee {row['Employee']} has left and may still sign in"


def what_vista_says_has_arrived(world: World) -> Iterator[str]:
    """Who has moved has the new street."""
    for row, user in _with_users(world, world.current_people()):
        moved = str(row["Address"] or "").endswith(NEW_ROAD)
        if moved and user["street"] != row["Address"]:
            yield f"employee {row['Employee']} still has the old street"


def safetyamp_was_never_asked_too_often(world: World) -> Iterator[str]:
    """No call was refused because there were too many, refusals that belong to a disaster apart; after these
    nobody called before the time that they named."""
    if world.safetyamp.throttled:
        yield f"{world.safetyamp.throttled} calls were over the limit"
    pairs = pairwise(world.safetyamp.calls)
    early = sum(one.status == 429 and then.at < one.at + RETRY_AFTER_SECONDS for one, then in pairs)
    if early:
        yield f"{early} calls came before the time that SafetyAmp had named"


def every_run_has_ended(world: World) -> Iterator[str]:
    """None is under way, and each has closed its document, done or given up every batch, and written its
    report: by the documents, which also know the runs that nobody saw the end of."""
    claim = peek_active(world.documents).claim
    if claim is not None:
        yield f"run {claim.run_id} is under way"
    for run_id in run_ids(world.documents):
        run = read_run(world.documents, run_id)
        if run is None or not run.ended:
            yield f"run {run_id} has not ended"
            continue
        if read_report(world.documents, run_id) is None:
            yield f"run {run_id} has no report"
        yield from _left_of(world, run)


def no_message_was_given_up(world: World) -> Iterator[str]:
    """Each was handled in the end."""
    for path in world.documents.list(paths.DEAD_LETTERS):
        yield f"{path} is a dead letter"


PROMISES: tuple[Promise, ...] = (
    nobody_is_there_twice,
    nobody_is_missing,
    nobody_is_locked_out,
    leavers_are_off,
    what_vista_says_has_arrived,
    safetyamp_was_never_asked_too_often,
    every_run_has_ended,
    no_message_was_given_up,
)


def broken_promises(world: World) -> dict[str, list[str]]:
    """Promise in words -> what breaks it; the list is empty where it is kept."""
    return {promise.__name__.replace("_", " "): list(promise(world)) for promise in PROMISES}


def _with_users(world: World, people: list[Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    users: dict[int | None, list[dict[str, Any]]] = {}
    for user in world.users():
        users.setdefault(employee_number(user["emp_id"]), []).append(user)
    for row in people:
        yield from ((row, user) for user in users.get(row["Employee"], ()))


def _cannot_be_sent(world: World, row: Any) -> bool:
    """The last report that looked at employees says so of this person."""
    problems = world.reports[-1]["entities"]["employees"]["problems"] if world.reports else []
    return any(one["key"] == str(row["Employee"]) and one["kind"] in NOT_SENT for one in problems)


def _left_of(world: World, run: Run) -> Iterator[str]:
    """The batches of a run that have no outcome, where its plans were to be applied."""
    for entity in run.entities:
        plan = read_plan(world.documents, run, entity)
        if plan is not None and may_be_applied(run, entity, plan):
            for number in missing_batches(world.documents, run, entity, plan):
                yield f"batch {number} of {entity} in run {run.run_id} has no outcome"
