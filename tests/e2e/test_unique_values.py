"""E-mails and phones that are handed over, swapped, given to somebody new, or held by somebody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from shared.queries.explain import explain
from shared.sync.documents.runs import RunRequest
from shared.sync.runs.requests import request_run
from tests.e2e.people_rig import YESTERDAY, NewRig, PeopleRig, adds_up, new_rig, rig
from tests.e2e.rig import Ran, Rig
from tests.e2e.small_company import account, new_person, small_company
from tests.e2e.test_engine_crashes import crash_everywhere

__all__ = ["new_rig", "rig"]

START_DAY = date(2026, 3, 2)
NEW_PHONE, NEW_PHONE_SENT = "225-555-9999", "+12255559999"


def source_phone(number: int) -> str:
    """Somebody's phone at first, as Vista has it."""
    return f"225-555-{number}"


def settled(rig: PeopleRig) -> None:
    """Nothing is left to be done, and nothing differs."""
    ran = rig.run()
    assert (ran.writes, ran.entity("employees")["waiting"]) == ([], 0)
    adds_up(ran)


class TestInOneRun:
    def test_a_phone_is_handed_over(self, rig: PeopleRig) -> None:
        rig.moves(1001, Phone=source_phone(1002))
        rig.moves(1002, Phone=NEW_PHONE)
        ran = rig.run()
        assert [rig.user(key)["mobile_phone"] for key in (1001, 1002)] == [rig.phone(1002), NEW_PHONE_SENT]
        assert (len(ran.writes), ran.entity("employees")["problems"]) == (2, [])
        settled(rig)

    def test_an_address_is_handed_over(self, rig: PeopleRig) -> None:
        rig.gets_mail(1001, rig.mail(1002))
        rig.gets_mail(1002, "new1002@tworivers.example")
        ran = rig.run()
        assert rig.user(1001)["email"] == rig.mail(1002)
        assert ran.entity("employees")["problems"] == []
        settled(rig)

    def test_an_address_with_an_apostrophe_is_handed_over_and_swapped_like_any_other(
        self, rig: PeopleRig
    ) -> None:
        """State documents keep fields with the two kinds of quotes exchanged."""
        rig.gets_mail(1001, "o'brien@tworivers.example")
        rig.run()
        rig.gets_mail(1001, "new1001@tworivers.example")
        rig.gets_mail(1002, "o'brien@tworivers.example")
        ran = rig.run()
        assert rig.user(1002)["email"] == "o'brien@tworivers.example"
        assert ran.entity("employees")["problems"] == []
        rig.gets_mail(1002, rig.mail(1003))
        rig.gets_mail(1003, "o'brien@tworivers.example")
        rig.run()
        assert [rig.user(key)["email"] for key in (1002, 1003)] == [
            rig.mail(1003),
            "o'brien@tworivers.example",
        ]
        settled(rig)

    @pytest.mark.parametrize("ring", [(1001, 1002), (1001, 1002, 1003, 1004)], ids=len)
    def test_phones_go_round(self, rig: PeopleRig, ring: tuple[int, ...]) -> None:
        for number, other in zip(ring, [*ring[1:], ring[0]], strict=True):
            rig.moves(number, Phone=source_phone(other))
        ran = rig.run()
        for number, other in zip(ring, [*ring[1:], ring[0]], strict=True):
            assert rig.user(number)["mobile_phone"] == rig.phone(other)
        assert len(ran.writes) == len(ring) + 1
        adds_up(ran)
        settled(rig)

    @pytest.mark.parametrize("ring", [(1001, 1002), (1001, 1002, 1003)], ids=len)
    def test_addresses_go_round(self, rig: PeopleRig, ring: tuple[int, ...]) -> None:
        for number, other in zip(ring, [*ring[1:], ring[0]], strict=True):
            rig.gets_mail(number, rig.mail(other))
        ran = rig.run()
        for number, other in zip(ring, [*ring[1:], ring[0]], strict=True):
            assert rig.user(number)["email"] == rig.mail(other)
        assert ran.entity("employees")["updated"] == len(ring)
        adds_up(ran)
        settled(rig)

    def test_somebody_new_gets_the_phone_of_who_left_that_day(self, rig: PeopleRig) -> None:
        rig.leaves(1001)
        rig.hired(2001, Phone=source_phone(1001))
        ran = rig.run()
        assert rig.user(2001)["mobile_phone"] == rig.phone(1001)
        assert (rig.user(1001)["mobile_phone"], rig.user(1001)["system_access"]) == (None, 0)
        assert "employee 2001 has it in the source now" in rig.reasons(ran, 1001)
        adds_up(ran)
        settled(rig)

    def test_somebody_new_gets_the_address_that_a_colleague_gives_up_that_day(self, rig: PeopleRig) -> None:
        rig.gets_mail(1001, "new1001@tworivers.example")
        rig.hired(2001)
        rig.gets_mail(2001, rig.mail(1001))
        ran = rig.run()
        assert rig.user(2001)["email"] == rig.mail(1001)
        assert ran.entity("employees")["created"] == 1
        settled(rig)

    def test_a_long_chain_is_one_batch_although_it_is_longer_than_a_window(self, new_rig: NewRig) -> None:
        rig = new_rig(limit=10, API_RATE_LIMIT_RESERVE="6")
        rig.run()
        for number in range(1001, 1010):
            rig.moves(number, Phone=source_phone(number + 1))
        rig.moves(1010, Phone=NEW_PHONE)
        ran = rig.run()
        phones = [rig.user(number)["mobile_phone"] for number in range(1001, 1011)]
        assert phones == [*(rig.phone(number) for number in range(1002, 1011)), NEW_PHONE_SENT]
        assert ran.entity("employees")["problems"] == []

    def test_an_address_that_was_given_up_too_late_arrives_when_it_is_free(self, rig: PeopleRig) -> None:
        """The giver's change fails in this run; nobody does anything about it."""
        rig.gets_mail(1001, rig.mail(1002))
        rig.gets_mail(1002, "new1002@tworivers.example")
        giver = rig.user(1002)["id"]
        refusal = '{"message": "no", "errors": {"email": ["The email must be nicer."]}}'
        rig.safetyamp.fail_next(1, 422, refusal, match=f"PATCH /api/users/{giver}")
        rig.run()
        assert rig.user(1001)["email"] == rig.mail(1001)
        rig.gets_mail(1002, "other1002@tworivers.example")
        rig.run()
        assert rig.user(1001)["email"] == rig.mail(1002)
        settled(rig)


class TestNobodyWhoIsThere:
    def test_a_phone_is_not_kept_for_somebody_who_is_not_in_safetyamp(self, new_rig: NewRig) -> None:
        company = small_company(START_DAY, 3)
        rig = new_rig(company)
        rig.moves(1001, Phone=source_phone(1002), FirstName=" ")
        rig.run()
        assert rig.user(1002)["mobile_phone"] == rig.phone(1002)

    def test_the_lowest_number_comes_first_once_it_is_there(self, new_rig: NewRig) -> None:
        rig = new_rig()
        rig.moves(1003, Phone=source_phone(1002))
        ran = rig.run()
        assert [rig.user(key)["mobile_phone"] for key in (1002, 1003)] == [rig.phone(1002), None]
        assert "employee 1002" in rig.reasons(ran, 1003)
        adds_up(ran)

    def test_who_holds_it_keeps_it_against_a_lower_number(self, rig: PeopleRig) -> None:
        rig.moves(1001, Phone=source_phone(1005))
        ran = rig.run()
        assert rig.user(1005)["mobile_phone"] == rig.phone(1005)
        assert rig.user(1001)["work_phone"] == rig.phone(1005)
        assert "employee 1005 has the same one" in rig.reasons(ran, 1001)


class TestHeldBySomebodyElse:
    def test_costs_only_that_field(self, new_rig: NewRig) -> None:
        rig = new_rig()
        rig.run()
        rig.held_by_nobody_of_ours(email="taken@tworivers.example", mobile_phone=NEW_PHONE_SENT)
        rig.gets_mail(1001, "taken@tworivers.example")
        rig.moves(1001, Phone=NEW_PHONE, Address="77 New Street")
        ran = rig.run()
        user = rig.user(1001)
        assert (user["street"], user["work_phone"]) == ("77 New Street", NEW_PHONE_SENT)
        assert (user["email"], user["mobile_phone"]) == (rig.mail(1001), rig.phone(1001))
        assert ran.entity("employees")["updated"] == 1
        adds_up(ran)

    def test_is_reported_with_the_holder_and_not_counted_as_unchanged(self, rig: PeopleRig) -> None:
        rig.held_by_nobody_of_ours(mobile_phone=NEW_PHONE_SENT)
        rig.run(refresh=True)
        rig.moves(1001, Phone=NEW_PHONE)
        rig.run()
        for _ in range(2):
            ran = rig.run()
            employees = ran.entity("employees")
            assert (employees["unchanged"], employees["waiting"], ran.calls) == (9, 1, [])
            assert "SafetyAmp user zz9zz" in rig.reasons(ran, 1001)
            assert NEW_PHONE_SENT not in str(ran.report)
            adds_up(ran)

    def test_explain_says_so(self, rig: PeopleRig) -> None:
        rig.held_by_nobody_of_ours(mobile_phone=NEW_PHONE_SENT)
        rig.run(refresh=True)
        rig.moves(1001, Phone=NEW_PHONE)
        rig.run()
        found = explain(rig.stack.runtime, "employees", "1001")
        assert found is not None
        assert found["next"]["verdict"] == "waiting"
        assert "mobile_phone left out: SafetyAmp user zz9zz" in found["next"]["reason"]
        assert found["next"]["at"] is not None

    def test_arrives_at_night_after_it_was_freed_by_hand(self, rig: PeopleRig) -> None:
        other = rig.held_by_nobody_of_ours(email="taken@tworivers.example", mobile_phone=NEW_PHONE_SENT)
        rig.moves(1001, Phone=NEW_PHONE)
        rig.gets_mail(1001, "taken@tworivers.example")
        rig.run()
        rig.run()
        rig.safetyamp.edit("users", other, mobile_phone=None, email="gone@x.example")
        assert rig.run().writes == []
        rig.run(refresh=True)
        user = rig.user(1001)
        assert (user["email"], user["mobile_phone"]) == ("taken@tworivers.example", NEW_PHONE_SENT)
        settled(rig)

    def test_is_not_sent_again_each_night_while_the_listing_shows_the_holder(self, rig: PeopleRig) -> None:
        rig.held_by_nobody_of_ours(email="taken@tworivers.example", mobile_phone=NEW_PHONE_SENT)
        rig.moves(1001, Phone=NEW_PHONE)
        rig.gets_mail(1001, "taken@tworivers.example")
        rig.run()
        for _ in range(2):
            assert rig.run(refresh=True).writes == []

    @pytest.mark.parametrize("request_", [{"retry_failed": True}, {"retry_failed": True, "keys": ("1001",)}])
    def test_is_tried_when_somebody_asks(self, rig: PeopleRig, request_: dict[str, Any]) -> None:
        other = rig.held_by_nobody_of_ours(mobile_phone=NEW_PHONE_SENT)
        rig.moves(1001, Phone=NEW_PHONE)
        rig.run()
        rig.safetyamp.edit("users", other, mobile_phone=None)
        assert rig.run().writes == []
        rig.run(entities=("employees",), **request_)
        assert rig.user(1001)["mobile_phone"] == NEW_PHONE_SENT

    def test_a_retry_that_is_refused_again_says_who_has_it(self, rig: PeopleRig) -> None:
        rig.held_by_nobody_of_ours(mobile_phone=NEW_PHONE_SENT)
        rig.run(refresh=True)
        rig.moves(1001, Phone=NEW_PHONE)
        rig.run()
        ran = rig.run(retry_failed=True)
        assert "SafetyAmp user zz9zz" in rig.reasons(ran, 1001)
        assert len(rig.run().writes) == 0

    def test_by_somebody_who_gets_another_one_by_hand_it_comes_with_the_next_listing(
        self, rig: PeopleRig
    ) -> None:
        """The other person is not in the source any more, so that nothing but a listing can tell."""
        rig.company.tables["bPREH"].remove(rig.person(1002))
        rig.moves(1001, Phone=source_phone(1002))
        rig.run()
        assert rig.user(1001)["mobile_phone"] == rig.phone(1001)
        rig.by_hand(1002, mobile_phone=None)
        rig.run(refresh=True)
        assert rig.user(1001)["mobile_phone"] == rig.phone(1002)

    def test_somebody_new_waits_for_the_address_and_comes_by_themselves(self, rig: PeopleRig) -> None:
        other = rig.held_by_nobody_of_ours(email=rig.mail(2001))
        rig.run(refresh=True)
        rig.hired(2001)
        ran = rig.run()
        assert "SafetyAmp user zz9zz" in rig.reasons(ran, 2001)
        assert rig.run().writes == []
        assert rig.run(refresh=True).writes == []
        rig.safetyamp.edit("users", other, email="gone@x.example")
        ran = rig.run(refresh=True)
        assert ran.entity("employees")["created"] == 1
        settled(rig)

    def test_somebody_new_with_the_address_of_who_left_is_told_apart(self, rig: PeopleRig) -> None:
        rig.leaves(1001)
        rig.hired(2001)
        rig.gets_mail(2001, rig.mail(1001))
        ran = rig.run()
        assert "employee 1001" in rig.reasons(ran, 2001)
        assert rig.user(1001)["system_access"] == 0
        rig.by_hand(1001, email="old1001@tworivers.example")
        rig.run(refresh=True)
        assert rig.user(2001)["email"] == rig.mail(1001)


class TestTwoPeopleOneAddress:
    @pytest.fixture
    def company_mail(self, new_rig: NewRig) -> PeopleRig:
        """1001 has an account with an address; 1002 has none, and another address in Vista."""
        company = small_company(START_DAY, 4)
        company.graph_users.remove(next(row for row in company.graph_users if row["employeeId"] == "1002"))
        rig = new_rig(company)
        rig.moves(1002, Email="private1002@home.example")
        rig.run()
        return rig

    def test_whose_account_has_it_goes_on_being_updated(self, company_mail: PeopleRig) -> None:
        rig = company_mail
        rig.moves(1002, Email=rig.mail(1001), Address="5 Other Street")
        rig.moves(1001, Address="77 New Street")
        ran = rig.run()
        assert rig.user(1001)["street"] == "77 New Street"
        assert rig.user(1002)["street"] == "5 Other Street"
        assert rig.user(1002)["email"] == "private1002@home.example"
        assert (rig.reasons(ran, 1001), "employee 1001" in rig.reasons(ran, 1002)) == ("", True)
        adds_up(ran)
        again = rig.run()
        assert (again.entity("employees")["invalid"], again.writes) == (1, [])

    def test_somebody_new_with_it_is_not_created(self, company_mail: PeopleRig) -> None:
        rig = company_mail
        rig.hired(2001, Email=rig.mail(1001))
        rig.company.graph_users.remove(rig.account(2001))
        rig.publish()
        ran = rig.run()
        assert "employee 1001" in rig.reasons(ran, 2001)
        assert (ran.writes, ran.entity("employees")["invalid"]) == ([], 1)

    def test_without_accounts_who_has_it_in_safetyamp_keeps_it(self, company_mail: PeopleRig) -> None:
        rig = company_mail
        rig.hired(2001, Email="private1002@home.example", Address="x")
        rig.company.graph_users.remove(rig.account(2001))
        rig.moves(1002, Address="77 New Street")
        rig.run()
        assert rig.user(1002)["street"] == "77 New Street"


def exchange(rig: PeopleRig) -> None:
    """A ring of phones, a ring of addresses, a leaver's phone for somebody new, and a chain."""
    rig.person(1001)["Phone"], rig.person(1002)["Phone"] = source_phone(1002), source_phone(1001)
    rig.account(1003)["mail"], rig.account(1004)["mail"] = rig.mail(1004), rig.mail(1003)
    rig.person(1005)["TermDate"] = YESTERDAY
    new_person(rig.company, 2001, Phone=source_phone(1005))
    rig.person(1006)["Phone"] = NEW_PHONE
    rig.person(1003)["Phone"] = source_phone(1006)
    rig.publish()


@pytest.mark.parametrize("bus_dies", [False, True], ids=["Service Bus stays", "bus is lost too"])
def test_an_exchange_survives_a_crash_at_any_effect(tmp_path: Path, bus_dies: bool) -> None:
    def begin() -> Rig:
        company = small_company(START_DAY, 6)
        rig = PeopleRig(tmp_path, company, bus_dies=bus_dies, GUARD_MAX_PERCENT="100")
        rig.run()
        exchange(rig)
        return rig

    crash_everywhere(begin, 5)


def lost_answers(count: int) -> Callable[[PeopleRig], None]:
    def lose(rig: PeopleRig) -> None:
        rig.safetyamp.fail_next(count, match="PATCH /api/users/*", after_write=True, lose="timeout")

    return lose


@pytest.mark.parametrize(
    "trouble",
    [
        lost_answers(1),
        lost_answers(4),
        lambda rig: rig.safetyamp.fail_next(6, 503, match="PATCH /api/users/*"),
    ],
    ids=["one answer is lost", "four are", "SafetyAmp is away for a while"],
)
def test_an_exchange_survives_trouble_on_the_way(
    new_rig: NewRig, trouble: Callable[[PeopleRig], None]
) -> None:
    rig = new_rig(small_company(START_DAY, 6))
    rig.run()
    exchange(rig)
    trouble(rig)
    rig.run()
    rig.run()
    ran: Ran = rig.run(refresh=True)
    assert ran.writes == []
    assert [rig.user(key)["mobile_phone"] for key in (1001, 1002)] == [rig.phone(1002), rig.phone(1001)]
    assert [rig.user(key)["email"] for key in (1003, 1004)] == [rig.mail(1004), rig.mail(1003)]
    assert rig.user(2001)["mobile_phone"] == rig.phone(1005)
    assert rig.user(1003)["mobile_phone"] == rig.phone(1006)


def test_one_record_on_demand_takes_a_phone_from_who_left(rig: PeopleRig) -> None:
    rig.leaves(1002)
    rig.run()
    rig.moves(1001, Phone=source_phone(1002))
    run = request_run(rig.stack.runtime, RunRequest(entities=("employees",), keys=("1001",)))
    rig.finish(run)
    assert rig.user(1001)["mobile_phone"] == rig.phone(1002)
    assert account(1001)["mail"] == rig.user(1001)["email"]


class TestNoAddressAnyMore:
    """The account was disabled and Vista has none: SafetyAmp's stays, and costs nobody anything else."""

    @pytest.fixture
    def without_address(self, rig: PeopleRig) -> PeopleRig:
        rig.account(1001)["accountEnabled"] = False
        rig.publish()
        return rig

    def test_the_other_fields_arrive(self, without_address: PeopleRig) -> None:
        rig = without_address
        rig.moves(1001, Address="9 New Street", Phone=NEW_PHONE)
        ran = rig.run()
        user = rig.user(1001)
        assert [user[name] for name in ("street", "mobile_phone", "email")] == [
            *("9 New Street", NEW_PHONE_SENT),
            rig.mail(1001),
        ]
        assert "no e-mail" in rig.reasons(ran, 1001)
        settled(rig)

    def test_a_phone_is_given_up_to_somebody_new(self, without_address: PeopleRig) -> None:
        rig = without_address
        rig.moves(1001, Phone=NEW_PHONE)
        rig.hired(2001, Phone=source_phone(1001))
        rig.run()
        assert rig.user(2001)["mobile_phone"] == rig.phone(1001)
        settled(rig)

    def test_who_is_hired_again_gets_access_back(self, without_address: PeopleRig) -> None:
        rig = without_address
        rig.leaves(1001)
        rig.run()
        rig.moves(1001, TermDate=None)
        rig.run()
        assert rig.user(1001)["system_access"]
        settled(rig)

    def test_somebody_new_is_not_created(self, rig: PeopleRig) -> None:
        rig.hired(2001)
        rig.account(2001)["accountEnabled"] = False
        rig.publish()
        ran = rig.run()
        assert (ran.writes, ran.entity("employees")["invalid"]) == ([], 1)
        assert "no e-mail" in rig.reasons(ran, 2001)
        adds_up(ran)


@pytest.mark.parametrize("phone", ["225-555-1001 / 225-555-1001 / 7", "123"])
def test_explain_does_not_say_that_nothing_has_to_be_done_beside_a_phone_that_was_dropped(
    rig: PeopleRig, phone: str
) -> None:
    rig.moves(1001, Phone=phone)
    rig.run()
    found = explain(rig.stack.runtime, "employees", "1001")
    assert found is not None
    assert "both phones dropped" in found["next"]["reason"]
    assert "Nothing has to be done" not in found["next"]["suggestion"]
