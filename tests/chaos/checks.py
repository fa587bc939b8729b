"""What must hold when the dust has settled; each its own named check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from shared.storage.documents import read_json
from tests.chaos.world import KEY_FIELDS, World

Check = Callable[[World], Iterator[str]]
CHECKS: dict[str, Check] = {}

APPLIED = ("done", "failed", "cancelled")
PERSONAL = ("FirstName", "LastName", "Email", "Phone", "Address")


def check(function: Check) -> Check:
    """Register a check under its name."""
    CHECKS[function.__name__] = function
    return function


def violations(world: World) -> list[str]:
    """Everything that does not hold, one line each."""
    return [f"{name}: {found}" for name, run in CHECKS.items() for found in run(world)]


@check
def content_is_as_expected(world: World) -> Iterator[str]:
    """SafetyAmp equals what a world without faults ends with, for the last source seen. Who had left before
    they could be created need not be there."""
    expected, found = reference_content(world.company_changes), content(world)
    for resource, records in expected.items():
        for key in sorted({*records, *found[resource]}):
            never_came = resource == "users" and key.split("/")[0] in world.true_leavers
            if never_came and key not in found[resource]:
                continue
            if records.get(key) != found[resource].get(key):
                yield f"{resource} {key}: {found[resource].get(key)} instead of {records.get(key)}"


@check
def nothing_is_there_twice(world: World) -> Iterator[str]:
    """No record was created twice; nothing is ever deleted, so the last content shows it."""
    for resource, name in KEY_FIELDS.items():
        counted = Counter(
            (resource, row[name]) for row in world.tenant.safetyamp.snapshot()[resource] if row.get(name)
        )
        for key, count in counted.items():
            if count > max(1, world.seeded_keys[key]):
                yield f"{key} is there {count} times"


@check
def only_leavers_are_deactivated(world: World) -> Iterator[str]:
    """Nobody lost access whom the true source shows as current: the guard held the rest."""
    for emp_id in world.ever_deactivated():
        if emp_id not in world.true_leavers:
            yield f"employee {emp_id} was deactivated"


def _was_applied(status: dict[str, Any], plan: dict[str, Any] | None) -> bool:
    """Whether its changes were tried or given up one by one: a held plan that an operator dropped was not."""
    dropped = status["phase"] == "cancelled" and plan is not None and plan["held"] and not status["approved"]
    return status["phase"] in APPLIED and not dropped


@check
def each_change_has_one_outcome(world: World) -> Iterator[str]:
    """Batches and outcomes of finished entities match, change by change."""
    for run_id, run in world.runs():
        for entity, status in run["entities"].items():
            plan = read_json(world.store, f"runs/{run_id}/{entity}/plan.json")
            if plan is None or not _was_applied(status, plan) or not status["counts"]:
                # Without counts it was ended before there was a plan; one that came later is nobody's.
                continue
            for number in range(1, plan["batches"] + 1):
                batch = read_json(
                    world.store, f"runs/{run_id}/{entity}/batches/{plan['plan_id']}/{number:04d}.json"
                )
                outcome = read_json(world.store, f"runs/{run_id}/{entity}/outcomes/{number:04d}.json")
                changes = [(change["key"], change["action"]) for change in batch["changes"]]
                results = [(one["key"], one["action"]) for one in (outcome or {"outcomes": []})["outcomes"]]
                if changes != results:
                    yield f"{run_id} {entity} batch {number}: {len(changes)} changes, {len(results)} outcomes"


@check
def every_run_has_ended(world: World) -> Iterator[str]:
    """No run is left open, and nothing stands in the way of the next."""
    active = read_json(world.store, "runs/active.json")
    if active and active["run_id"]:
        yield f"run {active['run_id']} is still active"
    for run_id, run in world.runs():
        if run["phase"] == "running":
            yield f"run {run_id} never ended"


@check
def counters_add_up(world: World) -> Iterator[str]:
    """Every source record is in exactly one count."""
    for run_id, run in world.runs():
        for entity, status in run["entities"].items():
            counts = dict(status["counts"])
            source = counts.pop("source", 0)
            plan = read_json(world.store, f"runs/{run_id}/{entity}/plan.json")
            if _was_applied(status, plan) and sum(counts.values()) != source:
                yield f"{run_id} {entity}: {counts} do not add up to {source}"


@check
def the_window_was_kept(world: World) -> Iterator[str]:
    """SafetyAmp never saw more calls in a window than it allows; without Redis each process has a share."""
    peak = world.tenant.safetyamp.peak_window
    if peak > (world.limit_calls or 0) and not world.redis_was_away:
        yield f"{peak} calls in a window of {world.limit_calls}"
    if world.tenant.safetyamp.throttled and not world.redis_was_away:
        yield f"{world.tenant.safetyamp.throttled} calls were refused by the simulator"


@check
def the_breaker_lets_one_probe_through(world: World) -> Iterator[str]:
    """While the breaker is open nobody calls; afterwards one call at a time, until one goes well."""
    if not world.redis_was_away:
        yield from world.breaker_watch.faults[:3]


@check
def redis_is_used_where_it_is_there(world: World) -> Iterator[str]:
    """Nobody falls back on its own limiter and breaker while Redis answers."""
    if not world.redis_was_away and any("Redis" in line for line in world.logged):
        yield next(line for line in world.logged if "Redis" in line)


@check
def no_personal_data_leaks(world: World) -> Iterator[str]:
    """No message and no log line holds a person's name, address, phone or e-mail."""
    texts = [repr(message) for message in world.sent] + world.logged
    joined = "\n".join(texts)
    for value in _personal_values(world):
        if value in joined:
            yield f"{value!r} in a message or log line"


@check
def nothing_stays_leased_or_locked(world: World) -> Iterator[str]:
    """Leases have run out or were given back; no message is locked or dead."""
    for queue in ("entity-sync", "change-batches"):
        counts = world.bus.counts(queue)
        if counts.locked or counts.active or counts.dead_lettered:
            yield f"{queue}: {counts}"


def content(world: World) -> dict[str, dict[str, Any]]:
    """SafetyAmp's content by keys, ids replaced by the keys of what they point at."""
    rows = world.tenant.safetyamp.snapshot()
    names: dict[tuple[str, Any], str] = {}
    for resource in rows:
        for row in rows[resource]:
            names[resource, row["id"]] = _key(resource, row)
    references = {
        "cluster_id": "site_clusters",
        "parent_cluster_id": "site_clusters",
        "home_site_id": "sites",
        "site_id": "sites",
        "current_title_id": "user_titles",
        "asset_type_id": "asset_types",
        "current_user_id": "users",
    }
    ignored = {"id", "path", "depth", "created_at", "updated_at", "created_by", "updated_by"}
    return {
        resource: {
            _key(resource, row): {
                name: names.get((references[name], value), value) if name in references else value
                for name, value in row.items()
                if name not in ignored
            }
            for row in rows[resource]
        }
        for resource in KEY_FIELDS
    }


def _key(resource: str, row: dict[str, Any]) -> str:
    if resource == "users":
        return f"{row.get('emp_id')}/{row.get('email')}"
    if resource == "assets":
        return f"{row.get('code')}/{row.get('serial')}"
    return f"{row.get(KEY_FIELDS.get(resource, 'name'))}/{row.get('name')}"


@cache
def reference_content(changed: bool) -> dict[str, dict[str, Any]]:
    """What a calm world of one process ends with."""
    world = World(seed=-1, climates=("calm",), processes_count=1, company_changes=changed, limit_calls=60)
    try:
        world.run()
        return content(world)
    finally:
        world.close()


def _personal_values(world: World) -> set[str]:
    shortest = 5
    return {
        text
        for row in world.company.tables["bPREH"]
        for column in PERSONAL
        if (text := str(row.get(column) or "").strip()) and len(text) >= shortest
    }
