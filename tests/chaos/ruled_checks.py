"""What must hold under an operator's rules, beside what holds whatever they say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from shared.storage.documents import read_json
from shared.sync.documents.change import Change
from shared.sync.documents.outcome import Outcome, read_outcomes
from shared.sync.documents.plans import read_batch
from shared.sync.documents.rules import read_pushed
from shared.sync.model import ACCESS, EntityName
from tests.chaos import checks
from tests.chaos.random_rules import SITE_TEXT, Version
from tests.chaos.ruled import OWN_CELL, Row, Ruled, Write
from tests.e2e.expected_people import standing
from tests.e2e.expected_values import phone, text

RuledCheck = Callable[[Ruled], Iterator[str]]
CHECKS: dict[str, RuledCheck] = {}

WHATEVER_THE_RULES = (
    checks.only_leavers_are_deactivated,
    checks.no_makeshift_address_stays,
    checks.many_processes_do_without_redis,
    checks.what_hands_wrote_stays,
    checks.nothing_is_there_twice,
    checks.nothing_of_a_held_part_is_applied,
    checks.a_lay_off_holds_no_hire,
    checks.nothing_comes_of_a_plan_that_nobody_let_go,
    checks.each_change_has_one_outcome,
    checks.every_run_has_ended,
    checks.the_code_meets_nothing_unexpected,
    checks.counters_add_up,
    checks.the_window_was_kept,
    checks.the_breaker_lets_one_probe_through,
    checks.redis_is_used_where_it_is_there,
    checks.no_personal_data_leaks,
    checks.nothing_stays_leased_or_locked,
)
"""The rest of the checks compares SafetyAmp with what it should hold under the default file."""

Of = Callable[[Ruled, Version, Change], Iterator[str]]
"""What a change says that is not of a version."""
LONGEST_PLANNING, CLOCKS_DIFFER = timedelta(minutes=10), timedelta(seconds=45)
AT_ONCE = timedelta(seconds=checks.AT_ONCE_SECONDS)


def check(function: RuledCheck) -> RuledCheck:
    """Register a check under its name."""
    CHECKS[function.__name__] = function
    return function


def violations(world: Ruled) -> list[str]:
    """Everything that does not hold, one line each."""
    usual = [f"{run.__name__}: {found}" for run in WHATEVER_THE_RULES for found in run(world)]
    return usual + [f"{name}: {found}" for name, run in CHECKS.items() for found in run(world)]


@check
def nobody_is_written_whom_the_rules_leave_alone(world: Ruled) -> Iterator[str]:
    """Whoever is out of scope, outside the pilot or protected: neither created nor changed, whatever hands do
    to them."""
    for write in world.witness.writes:
        if world.is_left_alone(write.number):
            yield f"{write.method} for employee {write.number} ({', '.join(write.sent)})"


@check
def a_street_changes_only_as_its_owner_allows(world: Ruled) -> Iterator[str]:
    """One that `safetyamp` owns is filled, and never changed; one of `create` is sent once, one of `nobody`
    never."""
    owner = world.restricted.street
    for write in world.witness.writes:
        if owner == "source" or "street" not in write.sent or (write.is_creation and owner != "nobody"):
            continue
        if owner == "safetyamp":
            there = write.before and write.before["street"]
            if not there or there == write.sent["street"] or _was_just_written(world, write):
                continue
        yield f"the street of employee {write.number} was sent, which is {owner}'s"


def _was_just_written(world: Ruled, write: Write) -> bool:
    """Whether hands came between the read and the write (docs/guarantees.md, Not guaranteed)."""
    return any(
        target_id == write.target_id and "street" in fields and write.at - AT_ONCE <= at <= write.at
        for at, target_id, fields in world.witness.edits
    )


@check
def an_empty_street_is_filled_in_the_end(world: Ruled) -> Iterator[str]:
    """Where `safetyamp` owns it and the source has one, or the last report says why not."""
    if world.restricted.street != "safetyamp":
        return
    for number, person, user in _synced(world):
        if not user["street"] and text(person["Address"]) and not _is_told(world, number):
            yield f"the street of employee {number} is empty"


@check
def what_is_only_reported_is_not_done(world: Ruled) -> Iterator[str]:
    """No action that the rules have only reported is planned or seen by SafetyAmp."""
    reported = world.restricted.reported
    for _, run_id, change, _ in _changes(world, "employees"):
        if change.action in reported:
            yield f"{run_id} plans to {change.action} employee {change.key}"
    for write in world.witness.writes:
        access = write.sent.get(ACCESS)
        done = "create" if write.is_creation else {None: "", 0: "deactivate", 1: "reactivate"}[access]
        if done in reported:
            yield f"{write.method} for employee {write.number} would {done}"


@check
def every_run_keeps_the_version_that_it_began_under(world: Ruled) -> Iterator[str]:
    """What is planned are fields and values of that version, and of no other; what somebody approves is
    planned again under the rules that are in force by then."""
    of_entities: tuple[tuple[EntityName, Of], ...] = (("employees", _user), ("jobs", _site))
    for entity, wrongs in of_entities:
        for versions, run_id, change, _ in _changes(world, entity):
            found = [[*wrongs(world, version, change)] for version in versions]
            if all(found):
                yield f"{run_id} {change.action} {entity} {change.key}: {'; '.join(found[0])}"


def _site(_: Ruled, version: Version, change: Change) -> Iterator[str]:
    name = change.fields.get("name")
    if isinstance(name, str) and name.endswith(SITE_TEXT) != version.site_text:
        yield f"the name is {name!r}"
    if change.action == "update" and version.site_city != "source" and "city" in change.fields:
        yield "city is sent"


def _user(world: Ruled, version: Version, change: Change) -> Iterator[str]:
    fields, fill, is_new = change.fields, change.fill, change.action == "create"
    owners = {
        "street": world.restricted.street,
        "city": version.city,
        "middle_name": version.middle_name,
    }
    for name, owner in owners.items():
        if name in fields and owner != "source" and (owner == "nobody" or not is_new):
            yield f"{name} is {owner}'s"
        if name in fill and owner != "safetyamp":
            yield f"{name} is filled and {owner}'s"
    if "street2" in fields and fields["street2"] is None and not version.clears:
        yield "street2 is cleared"
    if version.names and str(fields.get("last_name")).isupper():
        yield "last_name is in capitals"
    yield from _other_phone(world, version, change)


def _other_phone(world: Ruled, version: Version, change: Change) -> Iterator[str]:
    sent, own = change.fields.get("mobile_phone"), _own_cell(world, change.key)
    if sent is None or own is None:
        return
    if (version.phones[0] == "CellPhone" and sent != own) or (
        "CellPhone" not in version.phones and sent == own
    ):
        yield f"mobile_phone is not that of {' or '.join(version.phones)}"


def _own_cell(world: Ruled, number: str) -> str | None:
    person = _people(world).get(number)
    cell = str(person["CellPhone"] or "") if person else ""
    return phone(cell) if cell.startswith(OWN_CELL) else None


@check
def what_is_done_is_what_was_planned(world: Ruled) -> Iterator[str]:
    """An outcome names no field that its change does not."""
    for _, run_id, change, outcome in _changes(world, "employees"):
        if outcome is None or outcome.adopted:
            continue
        if more := outcome.fields.keys() - change.fields.keys() - change.fill.keys():
            yield f"{run_id} {change.action} {change.key} wrote {', '.join(sorted(more))}, too"


@check
def who_is_synced_is_as_the_last_version_says(world: Ruled) -> Iterator[str]:
    """Mobile phone, middle name, names and second line of the address; or the last report says why not."""
    version = world.last_version
    if "update" in world.restricted.reported:
        return
    for number, person, user in _synced(world):
        for name, value in _foretold(version, person).items():
            if user[name] != value and not _is_told(world, number, name):
                yield f"{name} of employee {number} is {user[name]!r} instead of {value!r}"


def _foretold(version: Version, person: Row) -> Row:
    """Fields whose value is simple to tell; without those whose source has nothing, which are kept."""
    phones = (phone(person[column]) for column in version.phones)
    names = [text(person[column]) for column in ("FirstName", "LastName")]
    if version.names:
        names = [name.title() if name and len(name) > 1 and name.isupper() else name for name in names]
    middle = text(person["MidName"]) if version.middle_name == "source" else None
    found = {
        "mobile_phone": next((one for one in phones if one is not None), None),
        "first_name": names[0],
        "last_name": names[1],
        "middle_name": middle,
        "street2": text(person["Address2"]),
    }
    clears = {"street2"} if version.clears else set()
    return {name: value for name, value in found.items() if value is not None or name in clears}


def _synced(world: Ruled) -> Iterator[tuple[str, Row, Row]]:
    """Those who are current and whom the rules leave to the sync: number, row of the payroll, user."""
    people, wrong = _people(world), checks._with_wrong_numbers(world)
    if "update" in world.restricted.reported:
        return
    for user in checks._rows(world)["users"]:
        number = user["emp_id"]
        person = people.get(number)
        if person is None or number in wrong or world.is_left_alone(number):
            continue
        if person["HireDate"] and standing(person, world.today) == "current":
            yield number, person, user


def _people(world: Ruled) -> dict[str, Row]:
    return {str(row["Employee"]): row for row in world.company.own_employees()}


def _is_told(world: Ruled, number: str, field: str = "") -> bool:
    """Whether the last report says that the record is not synced, or says something of the field."""
    problems = checks._last_report(world)["entities"]["employees"]["problems"]
    return any(
        problem["kind"] != "reported" or field in f"{problem['field']} {problem['reason']}"
        for problem in problems
        if problem["key"] == number
    )


def _changes(world: Ruled, entity: EntityName) -> Iterator[tuple[list[Version], str, Change, Outcome | None]]:
    """All planned changes, with the versions that their plan may have been made under, and what became of
    each."""
    for run_id, run in world.runs():
        if (status := run["entities"].get(entity)) is None:
            continue
        plan = checks._plan_in_force(world, run_id, entity, status)
        applied = set(checks._applied_batches(plan)) if plan else set()
        approved = _approved_plans(world, run_id, entity)
        for path in world.store.list(f"runs/{run_id}/{entity}/batches/"):
            *_, plan_id, name = path.split("/")
            number = int(name.removesuffix(".json"))
            is_applied = (plan_id, number) in applied
            stored = read_outcomes(world.store, run_id, entity, number) if is_applied else None
            outcomes = {one.key: one for one in (stored.outcomes if stored else ())}
            versions = [world.versions[run["request"]["rules"]]]
            if plan_id in approved:
                versions = _in_force(world, approved[plan_id])
            for change in read_batch(world.store, run_id, entity, plan_id, number):
                yield versions, run_id, change, outcomes.get(change.key)


def _approved_plans(world: Ruled, run_id: str, entity: EntityName) -> dict[str, datetime]:
    """The plans that were made again when somebody approved them, by their id, and when: they are made under
    the rules that are in force by then."""
    paths = world.store.list(f"runs/{run_id}/{entity}/approved/")
    plans = [read_json(world.store, path) for path in paths if path.endswith("/plan.json")]
    return {plan["plan_id"]: datetime.fromisoformat(plan["created_at"]) for plan in plans}


def _in_force(world: Ruled, moment: datetime) -> list[Version]:
    """Under which the plan that was stored at this moment by a process's clock may have been begun."""
    pushed = read_pushed(world.store)
    ends = [datetime.fromisoformat(one.at) for one in pushed[1:]] + [moment + CLOCKS_DIFFER]
    return [
        world.versions[one.digest]
        for one, end in zip(pushed, ends, strict=True)
        if end >= moment - LONGEST_PLANNING and datetime.fromisoformat(one.at) <= moment + CLOCKS_DIFFER
    ]
