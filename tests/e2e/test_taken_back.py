"""What SafetyAmp may have taken although no answer came, or holds for another record's sake, and what the
source then takes back: the record is never called unchanged beside a difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.documents.control import remove_pauses
from shared.sync.documents.runs import RunRequest
from shared.sync.runs.requests import request_run
from shared.sync.runs.stopping import cancel, pause
from tests.e2e.people_rig import NewRig, PeopleRig, adds_up, new_rig, rig
from tests.e2e.rig import START
from tests.e2e.small_company import small_company

__all__ = ["new_rig", "rig"]

PERSON = 1001
FIELDS = {
    "street": {"Address": "77 Wrong Street"},
    "mobile_phone": {"Phone": "225-555-9999"},
    "last_name": {"LastName": "Wrong"},
    "current_title_id": {"udEmpTitle": "Foreman"},
}
by_field = pytest.mark.parametrize("field", FIELDS)


def path_of(rig: PeopleRig, number: int) -> str:
    return f"PATCH /api/users/{rig.user(number)['id']}"


def lost(rig: PeopleRig, match: str, *, written: bool = True) -> None:
    """No attempt in a run gets an answer."""
    rig.safetyamp.fail_next(50, match=match, after_write=written, lose="timeout")
    rig.run()
    rig.safetyamp.heal()


def wrong_and_right(rig: PeopleRig, field: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Columns as they are for a while, and as they were before."""
    wrong = FIELDS[field]
    return wrong, {name: rig.person(PERSON)[name] for name in wrong}


@by_field
@pytest.mark.parametrize("written", [True, False], ids=["done", "not done"])
def test_an_update_without_an_answer_can_be_taken_back(rig: PeopleRig, field: str, written: bool) -> None:
    before = rig.user(PERSON)[field]
    wrong, right = wrong_and_right(rig, field)
    rig.moves(PERSON, **wrong)
    lost(rig, path_of(rig, PERSON), written=written)
    assert (rig.user(PERSON)[field] != before) is written
    rig.moves(PERSON, **right)
    rig.run()
    assert rig.user(PERSON)[field] == before
    assert rig.run().writes == []


def test_an_address_without_an_answer_can_be_taken_back(rig: PeopleRig) -> None:
    rig.gets_mail(PERSON, "wrong@tworivers.example")
    lost(rig, path_of(rig, PERSON))
    rig.gets_mail(PERSON, rig.mail(PERSON))
    rig.run()
    assert rig.user(PERSON)["email"] == rig.mail(PERSON)


@pytest.mark.parametrize(
    ("resource", "table", "key", "column"),
    [("sites", "bJCJM", "Job", "Description"), ("site_clusters", "bPRDP", "PRDept", "Description")],
)
def test_also_of_jobs_and_departments(
    rig: PeopleRig, resource: str, table: str, key: str, column: str
) -> None:
    row = rig.company.tables[table][0]
    before, old = rig.safetyamp.snapshot()[resource], row[column]
    row[column] = "Wrong"
    rig.publish()
    lost(rig, f"PUT /api/{resource}/*")
    assert rig.safetyamp.snapshot()[resource] != before
    row[column] = old
    rig.publish()
    rig.run()
    assert names(rig.safetyamp.snapshot()[resource]) == names(before)


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["name"] for row in rows]


def cancelled(rig: PeopleRig, run_id: str) -> None:
    cancel(rig.stack.runtime, run_id, "operator")


def paused(rig: PeopleRig, run_id: str) -> None:
    pause(rig.stack.runtime, ["employees"], "wait")


def refused(rig: PeopleRig, run_id: str) -> None:
    rig.safetyamp.heal()
    rig.safetyamp.fail_next(50, 403, match="PATCH /api/users/*")


def without_its_batch(rig: PeopleRig, run_id: str) -> None:
    plan_id = read_json(rig.documents, paths.plan(run_id, "employees"))["plan_id"]
    rig.documents.write(paths.batch(run_id, "employees", plan_id, 1), b"{")


@pytest.mark.parametrize("end", [cancelled, paused, refused, without_its_batch])
def test_a_run_that_ends_while_an_answer_is_missing(
    rig: PeopleRig, end: Callable[[PeopleRig, str], None]
) -> None:
    rig.moves(PERSON, Address="77 Wrong Street")
    rig.safetyamp.fail_next(1, match=path_of(rig, PERSON), after_write=True, lose="timeout")
    rig.safetyamp.fail_next(8, 503, match=path_of(rig, PERSON))
    run_id = request_run(rig.stack.runtime, RunRequest())
    rig.until(lambda: rig.user(PERSON)["street"] == "77 Wrong Street")
    end(rig, run_id)
    rig.finish(run_id)
    remove_pauses(rig.documents, ["employees"])
    rig.safetyamp.heal()
    rig.moves(PERSON, Address="1001 Cypress Street")
    rig.run()
    assert rig.user(PERSON)["street"] == "1001 Cypress Street"


def test_what_is_refused_after_a_lost_answer_may_be_there(rig: PeopleRig) -> None:
    rig.moves(PERSON, Address="77 Wrong Street")
    rig.safetyamp.fail_next(1, match=path_of(rig, PERSON), after_write=True, lose="timeout")
    text = '{"message": "no", "errors": {"street": ["must be a street"]}}'
    rig.safetyamp.fail_next(1, 422, text, match=path_of(rig, PERSON))
    rig.run()
    rig.moves(PERSON, Address="1001 Cypress Street")
    rig.run()
    assert rig.user(PERSON)["street"] == "1001 Cypress Street"


def test_a_switching_off_does_not_repeat_an_address_that_may_be_an_old_one(rig: PeopleRig) -> None:
    rig.gets_mail(PERSON, "new@tworivers.example")
    lost(rig, path_of(rig, PERSON))
    rig.leaves(PERSON)
    rig.run()
    user = rig.user(PERSON)
    assert (user["email"], user["system_access"]) == ("new@tworivers.example", 0)


@pytest.mark.parametrize("written", [True, False], ids=["done", "not done"])
def test_a_phone_that_may_be_given_up_or_taken_goes_to_whom_it_belongs(rig: PeopleRig, written: bool) -> None:
    """The old one goes to somebody whose number is lower, and the new one to somebody whose is higher."""
    rig.moves(1003, Phone="225-555-9999")
    lost(rig, path_of(rig, 1003), written=written)
    rig.moves(1003, Phone="225-555-8888")
    rig.moves(1002, Phone="225-555-1003")
    rig.moves(1004, Phone="225-555-9999")
    ran = rig.run()
    phones = [rig.user(number)["mobile_phone"] for number in (1002, 1003, 1004)]
    assert phones == ["+12255551003", "+12255558888", "+12255559999"], ran.entity("employees")["problems"]


@pytest.mark.parametrize("written", [True, False], ids=["done", "not done"])
def test_a_phone_that_is_taken_back_goes_to_nobody_else(rig: PeopleRig, written: bool) -> None:
    rig.moves(1003, Phone="225-555-9999")
    lost(rig, path_of(rig, 1003), written=written)
    rig.moves(1003, Phone="225-555-1003")
    rig.moves(1002, Phone="225-555-9999")
    rig.run()
    phones = [rig.user(number)["mobile_phone"] for number in (1002, 1003)]
    assert phones == ["+12255559999", "+12255551003"]


# -- what is written to one record for another one's sake ---------------------------------------------------


def test_a_phone_that_was_cleared_for_somebody_comes_back(rig: PeopleRig) -> None:
    rig.person(1002)["Phone"] = "225-555-7777"
    rig.moves(1001, Phone="225-555-1002")
    rig.run(entities=("employees",), keys=("1001",))
    assert rig.user(1002)["mobile_phone"] is None
    rig.person(1002)["Phone"] = "225-555-1002"
    rig.moves(1001, Phone="225-555-1001")
    rig.run()
    assert [rig.user(number)["mobile_phone"] for number in (1001, 1002)] == [rig.phone(1001), rig.phone(1002)]
    assert rig.run().writes == []


@pytest.mark.parametrize("lose", [None, "timeout"], ids=["no answer to the change", "none to the clearing"])
def test_a_phone_that_was_cleared_in_vain_comes_back(rig: PeopleRig, lose: Any) -> None:
    rig.person(1002)["Phone"] = None
    rig.moves(1001, Phone="225-555-1002")
    if lose:
        rig.safetyamp.fail_next(50, match=path_of(rig, 1002), after_write=True, lose=lose)
    else:
        rig.safetyamp.fail_next(50, 503, match=path_of(rig, 1001))
    rig.run()
    rig.safetyamp.heal()
    assert rig.user(1002)["mobile_phone"] is None
    rig.person(1002)["Phone"] = "225-555-1002"
    rig.moves(1001, Phone="225-555-1001")
    rig.run()
    assert [rig.user(number)["mobile_phone"] for number in (1001, 1002)] == [rig.phone(1001), rig.phone(1002)]


@pytest.mark.parametrize("written", [True, False], ids=["done", "not done"])
def test_a_phone_that_was_cleared_for_a_creation_without_an_answer_comes_back(
    rig: PeopleRig, written: bool
) -> None:
    rig.person(1002)["Phone"] = None
    rig.hired(2001, Phone="225-555-1002")
    rig.safetyamp.fail_next(1, match="POST /api/users", after_write=written, lose="timeout")
    rig.run()
    rig.person(1002)["Phone"] = "225-555-1002"
    rig.moves(2001, Phone="225-555-2001")
    rig.run()
    assert [rig.user(number)["mobile_phone"] for number in (1002, 2001)] == [rig.phone(1002), rig.phone(2001)]


def swap_addresses(rig: PeopleRig, one: int, other: int) -> None:
    first, second = rig.account(one), rig.account(other)
    first["mail"], second["mail"] = second["mail"], first["mail"]
    rig.publish()


@pytest.mark.parametrize("failing", [1003, 1004])
@pytest.mark.parametrize("lose", [None, "timeout"], ids=["refused", "lost"])
def test_the_makeshift_address_of_a_swap_goes_when_it_is_taken_back(
    rig: PeopleRig, failing: int, lose: Any
) -> None:
    swap_addresses(rig, 1003, 1004)
    given = {"after_write": True, "lose": lose} if lose else {"status": 503}
    rig.safetyamp.fail_next(50, match=path_of(rig, failing), **given)
    rig.run()
    rig.safetyamp.heal()
    swap_addresses(rig, 1003, 1004)
    rig.run()
    assert [rig.user(number)["email"] for number in (1003, 1004)] == [rig.mail(1003), rig.mail(1004)]


def left_with_makeshift_address(rig: PeopleRig, number: int, in_vista: str | None) -> None:
    """A swap is cut short, then the person's account is disabled."""
    swap_addresses(rig, number, 1004)
    rig.safetyamp.fail_next(50, 503, match=path_of(rig, 1004))
    rig.run()
    rig.safetyamp.heal()
    assert "+sync" in rig.user(number)["email"]
    rig.account(number)["accountEnabled"] = False
    rig.moves(number, Email=in_vista)


def test_the_makeshift_address_goes_when_the_account_is_disabled_meanwhile(rig: PeopleRig) -> None:
    left_with_makeshift_address(rig, 1003, "private1003@home.example")
    rig.run()
    rig.run(refresh=True)
    assert rig.user(1003)["email"] == "private1003@home.example"
    assert rig.user(1004)["email"] == rig.mail(1003)
    assert rig.run().writes == rig.run(refresh=True).writes == []


@pytest.mark.parametrize(
    ("in_vista", "told"), [(None, "no e-mail: enter one"), ("person1001@tworivers.example", "employee 1001")]
)
def test_the_makeshift_address_is_told_of_as_long_as_nothing_replaces_it(
    rig: PeopleRig, in_vista: str | None, told: str
) -> None:
    left_with_makeshift_address(rig, 1003, in_vista)
    rig.run(refresh=True)
    for request in ({}, {}, {"refresh": True}):
        ran = rig.run(**request)
        assert ran.writes == []
        assert told in rig.reasons(ran, 1003)
        assert "the user has one with +sync" in rig.reasons(ran, 1003)
        adds_up(ran)
    rig.moves(1003, Email="private1003@home.example")
    rig.run()
    assert rig.user(1003)["email"] == "private1003@home.example"


def test_a_ring_that_is_paused_while_it_is_open_can_be_taken_back(new_rig: NewRig) -> None:
    rig = new_rig(small_company(START.date(), 12), limit=10, API_RATE_LIMIT_RESERVE="6")
    rig.run()
    ring = list(range(1001, 1011))
    for number, other in zip(ring, [*ring[1:], ring[0]], strict=True):
        rig.account(number)["mail"] = rig.mail(other)
    rig.publish()
    run_id = request_run(rig.stack.runtime, RunRequest())
    rig.until(lambda: any("+sync" in user["email"] for user in rig.safetyamp.snapshot()["users"]))
    pause(rig.stack.runtime, ["employees"], "wait")
    rig.finish(run_id)
    remove_pauses(rig.documents, ["employees"])
    for number in ring:
        rig.account(number)["mail"] = rig.mail(number)
    rig.publish()
    rig.run()
    assert [rig.user(number)["email"] for number in ring] == [rig.mail(number) for number in ring]
