"""What must hold when the dust has settled; each its own named check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, cast

from shared.storage.documents import read_json
from shared.sync.entities.keys import normal_key
from shared.sync.model import EntityName
from tests.chaos.operators import held_changes
from tests.chaos.world import KEY_FIELDS, World, unique_key
from tests.e2e.expectation import RESOURCE_OF, expect
from tests.e2e.expected_content import Content, read_content
from tests.e2e.expected_people import Standing, standing

Check = Callable[[World], Iterator[str]]
CHECKS: dict[str, Check] = {}

APPLIED = ("done", "failed", "cancelled")
ENTITY_OF = {resource: entity for entity, resource in RESOURCE_OF.items()}
UNIQUE = ("email", "mobile_phone")
TOUCHED = ("users", "site_clusters")
"""What hands change."""
LOST = "has lost this key to"
MAKESHIFT = "+sync@"
"""What an exchange of addresses leaves for a while."""
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
    """SafetyAmp holds what the sources say, field by field; what it does not is in the last report.

    The expectation is worked out from the last sources and SafetyAmp's own content, without the product's
    code: where the sync has done all it should, one more run would change nothing.
    """
    for line in _differences(world):
        resource, key, field, found, expected = line
        if key in _with_wrong_numbers(world) and resource == "users":
            continue
        if not _is_reported(world, resource, key, field) and not _is_parted(world, resource, key):
            yield f"{resource} {key}: {field or 'the record'} is {found!r} instead of {expected!r}"


def _is_parted(world: World, resource: str, key: str | None) -> bool:
    """Whether the last report says that the number went to a user who shows another person: people decide."""
    return key is not None and _is_reported(world, resource, key, LOST)


@check
def no_value_is_withheld_that_is_free(world: World) -> Iterator[str]:
    """A unique value that the report calls taken is in use by somebody else, who is to keep it."""
    wanted: dict[tuple[str | None, str], Any] = {
        (key, field): expected
        for resource, key, field, _, expected in _differences(world)
        if resource == "users"
        and field in UNIQUE
        and key not in _with_wrong_numbers(world)
        and not _is_parted(world, resource, key)
    }
    for (key, field), expected in wanted.items():
        holders = _holders(world, key, field, expected)
        if not holders:
            yield f"employee {key} is without {field} although nobody has it"
        elif any(_is_to_give_up(world, wanted, holder, field) for holder in holders):
            yield f"employee {key} is without {field}, which its holder is to give up"


def _holders(world: World, key: str | None, field: str, value: Any) -> list[str | None]:
    """Employee numbers of the others who have the value."""
    return [row["emp_id"] for row in _rows(world)["users"] if row[field] == value and row["emp_id"] != key]


def _is_to_give_up(
    world: World, wanted: dict[tuple[str | None, str], Any], holder: str | None, field: str
) -> bool:
    """Whether the holder wants another value and can have it, or would do without: a phone is cleared. An
    e-mail cannot be, so that whoever waits for one that somebody keeps has to keep their own meanwhile."""
    passed = set()
    while (holder, field) in wanted and holder not in passed:
        passed.add(holder)
        others = _holders(world, holder, field, wanted[holder, field])
        if field != "email" or not others:
            return True
        holder = others[0]
    return holder in passed


@check
def unchanged_means_equal(world: World) -> Iterator[str]:
    """The last report counts no record as unchanged that differs."""
    report = _last_report(world)["entities"]["employees"]
    expected, found = _expected_and_found(world)
    keys = {str(row["Employee"]) for row in world.company.own_employees() if row["HireDate"]}
    users, wanted = found["users"], expected["users"]
    equal = sum(1 for key in keys if key in users and users[key] == wanted.get(key))
    # Leavers who are off, and whose number hands took from their user: the sync knows the user all the same.
    equal += len(world.hands.touched & keys - users.keys() - wanted.keys())
    if report["phase"] == "done" and report["unchanged"] > equal:
        yield f"{report['unchanged']} employees are called unchanged, {equal} are as they should be"


@check
def unchanged_means_equal_without_a_listing(world: World) -> Iterator[str]:
    """After an hourly run in calm weather a record that differs was in a change or is in the report, unless
    hands had to do with it: those only a listing shows."""
    assert world.unlisted is not None
    rows, today = world.unlisted
    found = read_content(rows)
    run_id = [run_id for run_id, run in world.runs() if not run["request"]["refresh"]][-1]
    report = read_json(world.store, f"runs/{run_id}/report.json")["entities"]
    for resource, key, field, is_there, wanted in _between(
        expect(world.company, today, found).content, found
    ):
        entity = ENTITY_OF[resource]
        if report[entity]["phase"] != "done" or (resource in TOUCHED and key in world.hands.touched):
            continue
        about = [problem["key"] for problem in report[entity]["problems"]]
        if key not in about and key not in _changed_keys(world, run_id, entity):
            yield f"{resource} {key}: {field or 'the record'} is {is_there!r} instead of {wanted!r}"


def _changed_keys(world: World, run_id: str, entity: str) -> set[str]:
    return {
        outcome["key"]
        for path in world.store.list(f"runs/{run_id}/{entity}/outcomes/")
        for outcome in read_json(world.store, path)["outcomes"]
    }


@check
def nobody_is_locked_out_by_the_sync(world: World) -> Iterator[str]:
    """Who is current in the last sources has access, unless hands took it."""
    for key, row in _standing_users(world, "current"):
        if not row["system_access"] and key not in world.hands.switched_off:
            yield f"employee {key} has no access"


@check
def every_leaver_is_off_or_reported(world: World) -> Iterator[str]:
    """Who has left has no access, or the last report says why."""
    for key, row in _standing_users(world, "left"):
        if row["system_access"] and not _is_reported(world, "users", key, ""):
            yield f"employee {key} has left and has access"


@check
def every_second_user_of_a_leaver_is_off_or_reported(world: World) -> Iterator[str]:
    """Who has left has no access by a user either that has lost the number, and has their e-mail."""
    left = {key for key, _ in _standing_users(world, "left")}
    for row in _rows(world)["users"]:
        number = world.hands.parted.get(row["id"])
        if number not in left or not row["system_access"] or not world.hands.is_known_by_mail(row, number):
            continue
        if not _is_reported(world, "users", number, ""):
            yield f"employee {number} has left and has access by user {row['id']}"


@check
def no_makeshift_address_stays(world: World) -> Iterator[str]:
    """An address that was to last until another one was free is replaced, or told in the last report."""
    numbers = Counter(row["emp_id"] for row in _rows(world)["users"])
    for row in _rows(world)["users"]:
        if row["id"] in world.hands.parted or not row["system_access"]:
            continue  # nobody's any more, or of somebody who left before the other one was free
        # Of two users of one person it is told that one is to be kept; nothing else happens before that.
        field = "email" if numbers[row["emp_id"]] == 1 else ""
        if MAKESHIFT in row["email"] and not _is_reported(world, "users", row["emp_id"], field):
            yield f"employee {row['emp_id']} keeps the address {row['email']}"


@check
def many_processes_do_without_redis(world: World) -> Iterator[str]:
    """A run in calm weather comes to its end also where each process has a small share of the limit."""
    if world.run_without_redis is not None:
        run = read_json(world.store, f"runs/{world.run_without_redis}/run.json")
        for entity, status in run["entities"].items():
            if status["phase"] == "failed":
                yield f"{entity}: {status['reason']}"


@check
def a_changed_number_is_reported(world: World) -> Iterator[str]:
    """Whose user has a number that hands changed is told in the last report."""
    for number in world.hands.numbers.values():
        if not _is_reported(world, "users", number, ""):
            yield f"the user of employee {number} has another number, or none, and the report says nothing"


AT_ONCE_SECONDS = 5.0
"""Between a read and the write that follows, with a wait of two seconds for room in the window."""


@check
def what_hands_wrote_stays(world: World) -> Iterator[str]:
    """Fields that no source owns are as somebody last wrote them, unless that was between the read and the
    write of one update, or the user of a leaver was not shown (docs/guarantees.md, Not guaranteed)."""
    rows = {row["id"]: row for row in _rows(world)["users"]}
    for (target_id, field), value in world.hands.wrote.items():
        if target_id in world.not_shown and not rows.get(target_id, {}).get("system_access"):
            continue
        if target_id in rows and rows[target_id][field] != value and not _came_between(world, target_id):
            yield f"{field} of user {target_id} is no longer what somebody wrote"


def _came_between(world: World, target_id: str) -> bool:
    """Whether hands wrote to the user right after it was read for the update that came next
    (docs/guarantees.md, Not guaranteed)."""
    path, after = f"/api/users/{target_id}", world.hands.wrote_after[target_id]
    calls = world.tenant.safetyamp.calls
    before = next((call for call in reversed(calls[:after]) if call.path == path), None)
    coming = next((call for call in calls[after:] if call.path == path), None)
    if before is None or coming is None or (before.method, coming.method) != ("GET", "PATCH"):
        return False
    return coming.at - before.at < AT_ONCE_SECONDS


@check
def nothing_is_there_twice(world: World) -> Iterator[str]:
    """No record was created twice; the sync never deletes any, so the last content shows it."""
    for resource, name in KEY_FIELDS.items():
        keys = (row[name] for row in _rows(world)[resource] if row.get(name))
        counted = Counter((resource, unique_key(resource, key)) for key in keys)
        for key, count in counted.items():
            if count > max(1, world.seeded_keys[key]):
                yield f"{key} is there {count} times"


@check
def only_leavers_are_deactivated(world: World) -> Iterator[str]:
    """Nobody lost access who never left: the guard held the rest."""
    for emp_id in world.ever_deactivated():
        if emp_id not in world.hr.ever_left:
            yield f"employee {emp_id} was deactivated"


def _plan_in_force(world: World, run_id: str, entity: str, status: dict[str, Any]) -> dict[str, Any] | None:
    """The plan of the run, or the one that was made again when somebody approved it."""
    # Release 0.1.0 knows none: there the plan goes on as it is.
    approval = status.get("approval") if status["phase"] != "held" else None
    path = f"approved/{approval}/plan.json" if approval else "plan.json"
    plan: dict[str, Any] | None = read_json(world.store, f"runs/{run_id}/{entity}/{path}")
    return plan


def _was_applied(run: dict[str, Any], status: dict[str, Any], plan: dict[str, Any] | None) -> bool:
    """Whether its changes were tried or given up one by one: a held plan that an operator dropped was not,
    nor one that was stopped while it was stored, or whose approval was stopped before its plan was there."""
    if status["phase"] == "done" or plan is None:
        return status["phase"] in ("done", "failed")
    if status["phase"] == "held":
        return bool(plan.get("held_batches"))
    return status["phase"] in APPLIED and _may_be_applied(run, status, plan)


def _may_be_applied(run: dict[str, Any], status: dict[str, Any], plan: dict[str, Any]) -> bool:
    return run["request"]["mode"] != "plan" and (not plan["held"] or status["approved"])


@check
def nothing_comes_of_a_plan_that_nobody_let_go(world: World) -> Iterator[str]:
    """What only plans, or is held, has no outcomes: they would stand for those of the plan that is made when
    somebody approves it."""
    for run_id, run in world.runs():
        for entity, status in run["entities"].items():
            plan = _plan_in_force(world, run_id, entity, status)
            if plan is None or _may_be_applied(run, status, plan) or world.has_older_release:
                continue
            if any(world.store.list(f"runs/{run_id}/{entity}/outcomes/")):
                yield f"{run_id} {entity} ({status['phase']}) has outcomes"


@check
def each_change_has_one_outcome(world: World) -> Iterator[str]:
    """Batches and outcomes of finished entities match, change by change."""
    for run_id, run in world.runs():
        for entity, status in run["entities"].items():
            plan = _plan_in_force(world, run_id, entity, status)
            if plan is None or not _was_applied(run, status, plan) or not status["counts"]:
                # Without counts it was ended before there was a plan; one that came later is nobody's.
                continue
            for plan_id, number in _applied_batches(plan):
                batch = read_json(world.store, f"runs/{run_id}/{entity}/batches/{plan_id}/{number:04d}.json")
                outcome = read_json(world.store, f"runs/{run_id}/{entity}/outcomes/{number:04d}.json")
                changes = [_about(entity, change) for change in batch["changes"]]
                results = [_about(entity, one) for one in (outcome or {"outcomes": []})["outcomes"]]
                if changes != results:
                    yield f"{run_id} {entity} batch {number}: {len(changes)} changes, {len(results)} outcomes"


def _applied_batches(plan: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Each with the id of its plan: before the rest of a plan was approved, the other parts were applied."""
    earlier = plan.get("earlier") or {"plan_id": "", "batches": 0}
    for number in range(1, earlier["batches"] + 1):
        yield earlier["plan_id"], number
    for number in range(1, plan["batches"] + 1):
        yield plan["plan_id"], earlier["batches"] + number


@check
def nothing_of_a_held_part_is_applied(world: World) -> Iterator[str]:
    """What is held has no outcome before somebody approves it."""
    for run_id, run in world.runs():
        for entity, status in run["entities"].items():
            if status["approved"] or (status.get("approval") and status["phase"] != "held"):
                continue
            held = set(held_changes(world, run_id, entity))
            for key, action in held & set(tried(world, run_id, entity)):
                yield f"{run_id} {entity} {key}: {action}"


def tried(world: World, run_id: str, entity: str) -> Iterator[tuple[str, str]]:
    """Key and action of each change of the run that has an outcome."""
    for path in world.store.list(f"runs/{run_id}/{entity}/outcomes/"):
        for outcome in read_json(world.store, path)["outcomes"]:
            yield outcome["key"], outcome["action"]


ABOUT_THE_SOURCE = ("last good run", "keys look exchanged")
"""What the reasons say that hold a plan with all its parts."""


@check
def a_lay_off_holds_no_hire(world: World) -> Iterator[str]:
    """Nobody new waits because too many others leave. Who takes a value from somebody who comes back waits
    with them."""
    for run_id, run in world.runs():
        for entity in run["entities"]:
            plan = read_json(world.store, f"runs/{run_id}/{entity}/plan.json")
            parts = (plan or {}).get("held_parts", {})
            if "create" not in parts or "reactivate" in parts:
                continue
            if not any(about in reason for reason in plan["held"] for about in ABOUT_THE_SOURCE):
                yield f"{run_id} {entity}: {parts['create']['count']} wait, because {plan['held'] or parts}"


def _about(entity: str, value: dict[str, Any]) -> tuple[str, str]:
    """What a change or an outcome is about; titles have their name for a key in documents of changes."""
    return normal_key(cast(EntityName, entity), value["key"]), value["action"]


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
def the_code_meets_nothing_unexpected(world: World) -> Iterator[str]:
    """No run met an error that nobody raised on purpose."""
    for run_id, run in world.runs():
        for entity, status in run["entities"].items():
            if "unexpected" in (status["reason"] or ""):
                yield f"{run_id} {entity}: {status['reason']}"


@check
def counters_add_up(world: World) -> Iterator[str]:
    """Every source record is in exactly one count."""
    for run_id, run in world.runs():
        for entity, status in run["entities"].items():
            counts = dict(status["counts"])
            source = counts.pop("source", 0)
            plan = _plan_in_force(world, run_id, entity, status)
            known = {source, source - world.uncounted(plan)}
            if _was_applied(run, status, plan) and sum(counts.values()) not in known:
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


Difference = tuple[str, str, str, Any, Any]
"""Resource, key, field (empty: the whole record is missing or too many), what is found, what is expected."""


def _differences(world: World) -> Iterator[Difference]:
    return _between(*_expected_and_found(world))


def _between(expected: Content, found: Content) -> Iterator[Difference]:
    for resource, records in expected.items():
        for key in sorted({*records, *found[resource]}):
            wanted, there = records.get(key), found[resource].get(key)
            if wanted is None or there is None:
                yield resource, key, "", there and "there", wanted and "there"
                continue
            for field in wanted:
                if wanted[field] != there.get(field):
                    yield resource, key, field, there.get(field), wanted[field]


def _rows(world: World) -> dict[str, list[dict[str, Any]]]:
    """SafetyAmp's last records, users by the number that they should have; copying them takes long."""
    if world.last_rows is None:
        world.last_rows = world.tenant.safetyamp.snapshot()
        for row in world.last_rows["users"]:
            if row["id"] in world.hands.numbers:
                row["wrong_number"] = row["emp_id"]
                row["emp_id"] = world.hands.numbers[row["id"]]
    return world.last_rows


def _with_wrong_numbers(world: World) -> set[str]:
    """Numbers of those whose user has another one, and these others: nothing is sent for them."""
    wrong = [row for row in _rows(world)["users"] if row.get("wrong_number")]
    return {row[name] for row in wrong for name in ("emp_id", "wrong_number")}


def _expected_and_found(world: World) -> tuple[Content, Content]:
    """What SafetyAmp holds, and what it would hold after one more run that does all it should."""
    if world.verdict is None:
        found = read_content(_rows(world))
        world.verdict = expect(world.company, world.today, found).content, found
    return world.verdict


def _is_reported(world: World, resource: str, key: str, field: str) -> bool:
    problems = _last_report(world)["entities"][ENTITY_OF[resource]]["problems"]
    about = [problem for problem in problems if problem["key"] == key]
    return any(field in (problem["field"] or "") or field in (problem["reason"] or "") for problem in about)


def _last_report(world: World) -> dict[str, Any]:
    """Of the last run of everything."""
    run_id = [run_id for run_id, run in world.runs() if not run["request"]["keys"]][-1]
    report: dict[str, Any] = read_json(world.store, f"runs/{run_id}/report.json")
    return report


def _standing_users(world: World, stands: Standing) -> Iterator[tuple[str, dict[str, Any]]]:
    rows = _rows(world)["users"]
    people = {
        str(row["Employee"])
        for row in world.company.own_employees()
        if row["HireDate"] and standing(row, world.today) == stands
    }
    return ((row["emp_id"], row) for row in rows if row["emp_id"] in people)


def _personal_values(world: World) -> set[str]:
    shortest = 5
    return {
        text
        for row in world.company.tables["bPREH"]
        for column in PERSONAL
        if (text := str(row.get(column) or "").strip()) and len(text) >= shortest
    }
