"""What the sync promises, looked for in the stand-in of SafetyAmp and not in what the sync says of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from local.rehearsal.world import NEW_ROAD, World, doubles
from shared.sync.entities.employee_facts import employee_number

Promise = Callable[[World], Iterator[str]]
"""Yields what is broken, a line each; nothing where the promise is kept."""


def nobody_is_there_twice(world: World) -> Iterator[str]:
    """No number, job, title or vehicle that was there once is there twice."""
    for resource, name in sorted(doubles(world.safetyamp) - world.doubles_before):
        yield f"{resource} {name} is there more than once"


def nobody_is_missing(world: World) -> Iterator[str]:
    """Who is employed has a user, or the last report says why not."""
    known = {employee_number(row["emp_id"]) for row in world.users()}
    for row in world.current_people():
        if row["Employee"] not in known and not _is_reported(world, row):
            yield f"employee {row['Employee']} has no user"


def nobody_is_locked_out(world: World) -> Iterator[str]:
    """Who is employed and has a user may sign in, or the report says that somebody took it by hand."""
    for row, user in _with_users(world, world.current_people()):
        if not user["system_access"] and not _is_reported(world, row):
            yield f"employee {row['Employee']} is locked out"


def leavers_are_off(world: World) -> Iterator[str]:
    """Who has left may not sign in any more."""
    today = world.company.today.isoformat()
    left = [row for row in world.company.own_employees() if (row["TermDate"] or "9999") <= today]
    for row, user in _with_users(world, left):
        if user["system_access"] and not _is_reported(world, row):
            yield f"employee {row['Employee']} has left and may still sign in"


def what_vista_says_has_arrived(world: World) -> Iterator[str]:
    """Who has moved has the new street, or the last report says why not."""
    for row, user in _with_users(world, world.current_people()):
        moved = str(row["Address"] or "").endswith(NEW_ROAD)
        if moved and user["street"] != row["Address"] and not _is_reported(world, row):
            yield f"employee {row['Employee']} still has the old street"


def safetyamp_was_never_asked_too_often(world: World) -> Iterator[str]:
    """No call was refused because there were too many; refusals that belong to a disaster do not count."""
    if world.safetyamp.throttled:
        yield f"{world.safetyamp.throttled} calls were over the limit"


def every_run_has_ended(world: World) -> Iterator[str]:
    """Each has a report, and nothing is left under way."""
    for report in world.reports:
        if report["finished_at"] is None:
            yield f"run {report['run_id']} has not ended"


PROMISES: tuple[Promise, ...] = (
    nobody_is_there_twice,
    nobody_is_missing,
    nobody_is_locked_out,
    leavers_are_off,
    what_vista_says_has_arrived,
    safetyamp_was_never_asked_too_often,
    every_run_has_ended,
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


def _is_reported(world: World, row: Any) -> bool:
    """The last report that looked at employees names this person."""
    problems = world.reports[-1]["entities"]["employees"]["problems"] if world.reports else []
    return any(problem["key"] == str(row["Employee"]) for problem in problems)
