"""Hands give a user of SafetyAmp another employee number: by mistake, or because the person has a new one."""

from __future__ import annotations

from typing import Any

import pytest

from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.decisions.approve import approve
from tests.e2e.people_rig import YESTERDAY, NewRig, PeopleRig, adds_up, new_rig, rig
from tests.e2e.rig import Ran

__all__ = ["new_rig", "rig"]

HOURLY: dict[str, Any] = {}
NIGHTLY = {"refresh": True}


def users(rig: PeopleRig) -> dict[Any, dict[str, Any]]:
    """All users by their id."""
    return {row["id"]: row for row in rig.safetyamp.snapshot()["users"]}


def access(rig: PeopleRig, user: Any) -> bool:
    return bool(users(rig)[user]["system_access"])


def types(rig: PeopleRig, user: Any, number: int | str | None, **fields: Any) -> None:
    """Somebody enters another number, and a run lists SafetyAmp."""
    rig.safetyamp.edit("users", user, emp_id=None if number is None else str(number), **fields)
    rig.run(refresh=True)


def two_of(rig: PeopleRig, *numbers: int) -> list[Any]:
    return [rig.user(number)["id"] for number in numbers]


def first_of(rig: PeopleRig) -> Any:
    """The id of the user whose number was taken."""
    (found,) = (
        one for one, row in users(rig).items() if row["emp_id"] is None and row["last_name"] == "Worker1001"
    )
    return found


def other_births(rig: PeopleRig, *numbers: int) -> None:
    """Each of them was born on another day, which SafetyAmp knows."""
    for number in numbers:
        rig.moves(number, BirthDate=f"{number + 970}-02-03 00:00:00")
    rig.run()


class TestANumberMistypedAsALeavers:
    @pytest.fixture(params=["with a user", "without", "who had none when it was typed"])
    def leaver(self, rig: PeopleRig, request: pytest.FixtureRequest) -> int:
        if request.param == "with a user":
            rig.leaves(1002)
            number = 1002
        else:
            rig.hired(900, TermDate=YESTERDAY)
            number = 900
        rig.run()
        return number

    @pytest.mark.parametrize("requests", [[HOURLY], [NIGHTLY], [HOURLY, NIGHTLY, HOURLY]])
    def test_locks_nobody_out_and_both_are_told(
        self, rig: PeopleRig, leaver: int, requests: list[dict[str, Any]]
    ) -> None:
        (user,) = two_of(rig, 1001)
        before = len(users(rig))
        types(rig, user, leaver, email="new@x.example", mobile_phone=None)
        for request in requests:
            ran = rig.run(**request)
            adds_up(ran)
            assert ran.writes == []
            assert f"has {leaver} now" in rig.reasons(ran, 1001)
            if leaver == 900:
                assert "known as employee 1001" in rig.reasons(ran, leaver)
        assert (access(rig, user), len(users(rig))) == (True, before)

    def test_comes_right_by_itself_once_it_is_mended(self, rig: PeopleRig, leaver: int) -> None:
        (user,) = two_of(rig, 1001)
        types(rig, user, leaver)
        rig.safetyamp.edit("users", user, emp_id="1001")
        rig.moves(1001, Address="77 New Street")
        ran = rig.run(refresh=True)
        assert rig.user(1001)["street"] == "77 New Street"
        assert rig.reasons(ran, 1001) == ""
        assert read_json(rig.documents, paths.state("employees"))["moved"] == {}

    def test_costs_access_when_that_person_leaves_too(self, rig: PeopleRig, leaver: int) -> None:
        (user,) = two_of(rig, 1001)
        types(rig, user, leaver)
        rig.leaves(1001)
        rig.run()
        assert not access(rig, user)

    def test_is_found_when_only_that_person_is_synced(self, rig: PeopleRig, leaver: int) -> None:
        (user,) = two_of(rig, 1001)
        rig.safetyamp.edit("users", user, emp_id=str(leaver), email="new@x.example", mobile_phone=None)
        before = len(users(rig))
        for key in (str(leaver), "1001"):
            rig.run(entities=("employees",), keys=(key,), refresh=True)
        assert (access(rig, user), len(users(rig))) == (True, before)


def test_who_plainly_is_not_the_leaver_is_not_locked_out_though_nothing_is_known(rig: PeopleRig) -> None:
    """The state is lost: what is left are names and birth date."""
    rig.hired(900, TermDate=YESTERDAY, BirthDate="1955-05-05 00:00:00")
    rig.run()
    (user,) = two_of(rig, 1001)
    rig.safetyamp.edit("users", user, emp_id="900")
    rig.documents.delete(paths.state("employees"))
    for request in (HOURLY, HOURLY, NIGHTLY):
        ran = rig.run(**request)
        adds_up(ran)
        assert "another person" in rig.reasons(ran, 900)
    assert access(rig, user)


def test_who_plainly_is_not_the_leaver_is_not_locked_out_beside_the_leavers_own_user(rig: PeopleRig) -> None:
    other_births(rig, 1001)
    mine, theirs = two_of(rig, 1001, 1002)
    rig.safetyamp.edit("users", mine, emp_id="1002")
    rig.documents.delete(paths.state("employees"))
    rig.run()
    rig.leaves(1002)
    ran = rig.run()
    assert (access(rig, mine), access(rig, theirs)) == (True, False)
    assert f"user {mine} stays as it is" in rig.reasons(ran, 1002)


class TestAColleaguesNumber:
    def test_makes_nobody_twice_and_renames_nobody(self, rig: PeopleRig) -> None:
        mine, _ = two_of(rig, 1001, 1002)
        before = len(users(rig))
        rig.gets_mail(1001, "married1001@tworivers.example")
        types(rig, mine, 1002)
        for request in (HOURLY, NIGHTLY):
            ran = rig.run(**request)
            adds_up(ran)
            assert "has 1002 now, which others there have too" in rig.reasons(ran, 1001)
        assert len(users(rig)) == before

    def test_does_not_keep_a_leaver_on_unseen(self, rig: PeopleRig) -> None:
        mine, theirs = two_of(rig, 1001, 1002)
        types(rig, mine, 1002)
        rig.leaves(1001)
        for request in (HOURLY, NIGHTLY):
            ran = rig.run(**request)
            adds_up(ran)
            assert f"record {mine} had this key and has 1002 now" in rig.reasons(ran, 1001)
        assert access(rig, theirs)

    def test_costs_only_the_colleagues_own_user_when_the_colleague_leaves(self, rig: PeopleRig) -> None:
        mine, theirs = two_of(rig, 1001, 1002)
        types(rig, mine, 1002)
        rig.leaves(1002)
        ran = rig.run()
        assert (access(rig, mine), access(rig, theirs)) == (True, False)
        assert "known as employee 1001" in rig.reasons(ran, 1002)

    @pytest.mark.parametrize("different", [False, True], ids=["alike", "plainly two people"])
    def test_when_both_leave_each_is_off_or_told(self, rig: PeopleRig, different: bool) -> None:
        if different:
            other_births(rig, 1001, 1002)
        mine, theirs = two_of(rig, 1001, 1002)
        types(rig, mine, 1002)
        rig.leaves(1001)
        rig.leaves(1002)
        ran = rig.run()
        assert not access(rig, theirs)
        assert not access(rig, mine) or "still has access" in rig.reasons(ran, 1001)

    def test_gives_a_leaver_no_access_again(self, rig: PeopleRig) -> None:
        """Switched off as 1001; the number 1002, whose person is current, does not bring it back."""
        (mine,) = two_of(rig, 1001)
        rig.leaves(1001)
        rig.run()
        types(rig, mine, 1002)
        rig.run()
        assert not access(rig, mine)

    def test_who_has_no_user_is_not_taken_for_the_one_who_has(self, rig: PeopleRig) -> None:
        """1001's user would be renamed, and 1001 created a second time."""
        rig.hired(2001)
        rig.company.graph_users.remove(rig.account(2001))
        rig.publish()
        rig.run()
        (mine,) = two_of(rig, 1001)
        before = len(users(rig))
        rig.gets_mail(1001, "married1001@tworivers.example")
        types(rig, mine, 2001)
        ran = rig.run()
        assert users(rig)[mine]["last_name"] == "Worker1001"
        assert len(users(rig)) == before
        assert "has 2001 now" in rig.reasons(ran, 1001)
        assert "known as employee 1001" in rig.reasons(ran, 2001)

    def test_of_a_site_makes_no_second_site(self, rig: PeopleRig) -> None:
        sites = rig.safetyamp.snapshot()["sites"]
        one = next(row for row in sites if row["ext_id"] == "100.")
        rig.safetyamp.edit("sites", one["id"], ext_id="200.")
        for request in (NIGHTLY, HOURLY):
            ran = rig.run(**request)
            assert len(rig.safetyamp.snapshot()["sites"]) == len(sites)
            assert "has 200. now" in str(ran.entity("jobs")["problems"])


class TestSwappedNumbers:
    @pytest.fixture(params=[False, True], ids=["alike", "plainly two people"])
    def swapped(self, rig: PeopleRig, request: pytest.FixtureRequest) -> tuple[Any, Any]:
        if request.param:
            other_births(rig, 1001, 1002)
        one, other = two_of(rig, 1001, 1002)
        rig.safetyamp.edit("users", one, emp_id="1002")
        types(rig, other, 1001)
        return one, other

    def test_rename_nobody_and_are_told(self, rig: PeopleRig, swapped: tuple[Any, Any]) -> None:
        for request in (HOURLY, NIGHTLY, NIGHTLY):
            ran = rig.run(**request)
            adds_up(ran)
            assert ran.writes == []
            assert "has 1002 now" in rig.reasons(ran, 1001)
            assert "has 1001 now" in rig.reasons(ran, 1002)
        assert [users(rig)[user]["last_name"] for user in swapped] == ["Worker1001", "Worker1002"]

    def test_lock_nobody_out_when_one_leaves_and_the_leaver_is_told(
        self, rig: PeopleRig, swapped: tuple[Any, Any]
    ) -> None:
        one, other = swapped
        rig.leaves(1002)
        for request in (HOURLY, NIGHTLY):
            ran = rig.run(**request)
            adds_up(ran)
            assert access(rig, one)
            assert not access(rig, other) or f"record {other} had this key" in rig.reasons(ran, 1002)

    def test_come_right_once_they_are_mended(self, rig: PeopleRig, swapped: tuple[Any, Any]) -> None:
        one, other = swapped
        rig.leaves(1002)
        rig.safetyamp.edit("users", one, emp_id="1001")
        types(rig, other, 1002)
        assert (access(rig, one), access(rig, other)) == (True, False)


class TestANumberThatWasMovedOnPurpose:
    """Hired again under a new number: whoever is at it in SafetyAmp is quicker than the hourly run."""

    @pytest.fixture
    def again(self, rig: PeopleRig) -> PeopleRig:
        """1001 has left and is back as 2001."""
        rig.leaves(1001)
        rig.hired(2001, LastName="Worker1001")
        rig.company.graph_users.remove(rig.account(2001))
        rig.account(1001)["employeeId"] = "2001"
        rig.publish()
        return rig

    def test_is_seen_before_the_old_one_is_switched_off(self, again: PeopleRig) -> None:
        (user,) = two_of(again, 1001)
        again.by_hand(1001, emp_id="2001")
        ran = again.run()
        adds_up(ran)
        assert access(again, user)
        assert "has the number 2001" in again.reasons(ran, 1001)
        settled = again.run()
        assert again.user(2001)["street"] == "2001 Cypress Street"
        assert (again.reasons(settled, 1001), again.reasons(settled, 2001)) == ("", "")
        assert again.run().calls == []

    def test_is_seen_when_a_held_plan_is_approved_later(self, new_rig: NewRig) -> None:
        rig = new_rig(GUARD_MAX_PERCENT="20")
        rig.run()
        for number in (1001, 1002, 1003):
            rig.leaves(number)
        held = rig.run()
        (user,) = two_of(rig, 1001)
        rig.hired(2001, Phone="225-555-0199")
        rig.by_hand(1001, emp_id="2001")
        approve(rig.stack.runtime, held.run_id)
        rig.finish(held.run_id)
        assert access(rig, user)
        assert [rig.user(number)["system_access"] for number in (1002, 1003)] == [0, 0]

    def test_costs_the_leavers_other_user_access_all_the_same(self, rig: PeopleRig) -> None:
        dumped = rig.safetyamp.dump()
        row = next(row for row in dumped["rows"]["users"] if row["emp_id"] == "1001")
        dumped["rows"]["users"].append({**row, "id": "zz9zz", "email": "b@x.example", "mobile_phone": None})
        rig.safetyamp.load(dumped)
        rig.run(refresh=True)
        rig.leaves(1001)
        rig.hired(2001, Phone="225-555-0199")
        rig.safetyamp.edit("users", row["id"], emp_id="2001")
        rig.run()
        assert (access(rig, row["id"]), access(rig, "zz9zz")) == (True, False)

    def test_is_never_a_reason_to_keep_a_leaver_on_unseen(self, rig: PeopleRig) -> None:
        """The new number is a mistyped one, of nobody."""
        (user,) = two_of(rig, 1001)
        rig.by_hand(1001, emp_id="99999")
        rig.leaves(1001)
        assert "has the number 99999" in rig.reasons(rig.run(), 1001)
        assert "still has access" in rig.reasons(rig.run(), 1001)
        assert access(rig, user)

    def test_is_followed_when_the_old_number_went_to_somebody_else(self, again: PeopleRig) -> None:
        """Years later. The old user's new number does not keep the newcomer out, nor the sync from it."""
        (user,) = two_of(again, 1001)
        again.run()
        again.safetyamp.edit("users", user, emp_id="2001")
        again.run(refresh=True)
        again.company.graph_users.append({**again.account(2001), "id": "a2", "employeeId": "1001"})
        newcomer = {"FirstName": "Mary", "LastName": "New", "BirthDate": "1999-01-01 00:00:00"}
        again.moves(1001, TermDate=None, Phone="225-555-0177", **newcomer)
        again.gets_mail(1001, "mary@tworivers.example")
        again.run()
        assert again.user(1001)["first_name"] == "Mary"
        again.moves(2001, FirstName="Patricia", BirthDate=None)
        again.run()
        assert again.user(2001)["first_name"] == "Patricia"
        again.leaves(2001)
        again.run()
        assert (access(again, user), again.user(1001)["system_access"]) == (False, 1)

    def test_is_taken_back_with_the_person(self, again: PeopleRig) -> None:
        """Payroll ends the new number and goes on with the old one: nobody is locked out or there twice."""
        (user,) = two_of(again, 1001)
        again.run()
        types(again, user, 2001)
        before = len(users(again))
        again.moves(1001, TermDate=None)
        again.leaves(2001)
        again.account(2001)["employeeId"] = "1001"
        again.gets_mail(1001, "again@tworivers.example")
        ran = again.run()
        assert (access(again, user), len(users(again))) == (True, before)
        assert "has 2001 now" in again.reasons(ran, 1001)


class TestANumberThatWasCleared:
    def test_is_told_as_long_as_it_is_so(self, rig: PeopleRig) -> None:
        (user,) = two_of(rig, 1001)
        types(rig, user, None)
        rig.moves(1001, Address="77 New Street")
        for request in (HOURLY, NIGHTLY, HOURLY):
            ran = rig.run(**request)
            adds_up(ran)
            text = f"SafetyAmp user {user} of employee 1001 has no emp_id any more: give it back"
            assert text in rig.reasons(ran, 1001)
        assert users(rig)[user]["street"] == "77 New Street"
        types(rig, user, 1001)
        assert rig.reasons(rig.run(), 1001) == ""

    def test_does_not_keep_a_leaver_on(self, rig: PeopleRig) -> None:
        (user,) = two_of(rig, 1001)
        types(rig, user, None)
        rig.leaves(1001)
        rig.run()
        assert not access(rig, user)
        assert rig.reasons(rig.run(), 1001) == "", "there is nothing left to do"

    def test_after_another_mistake_leads_back_to_the_first_one(self, rig: PeopleRig) -> None:
        (user,) = two_of(rig, 1001)
        types(rig, user, 1002)
        types(rig, user, None)
        rig.moves(1001, Address="77 New Street")
        ran = rig.run()
        assert users(rig)[user]["street"] == "77 New Street"
        assert "no emp_id" in rig.reasons(ran, 1001)

    @pytest.mark.parametrize("kept", ["email", "mobile_phone"])
    def test_of_a_leaver_is_told_by_address_or_phone_when_the_state_is_lost(
        self, rig: PeopleRig, kept: str
    ) -> None:
        (user,) = two_of(rig, 1001)
        other = {"email": "other@x.example", "mobile_phone": "+12255550188"}
        del other[kept]
        rig.safetyamp.edit("users", user, emp_id=None, **other)
        rig.leaves(1001)
        rig.hired(900, TermDate=YESTERDAY, Email=b"odd")
        rig.documents.delete(paths.state("employees"))
        for request in (HOURLY, HOURLY, NIGHTLY):
            ran = rig.run(**request)
            adds_up(ran)
            assert f"SafetyAmp user {user} without emp_id" in rig.reasons(ran, 1001)
            assert rig.reasons(ran, 1002) == rig.reasons(ran, 900) == ""
        rig.safetyamp.edit("users", user, system_access=0)
        assert rig.reasons(rig.run(refresh=True), 1001) == ""

    def test_frees_it_for_the_person_who_has_it_now(self, rig: PeopleRig) -> None:
        """Left and switched off; the number was given to somebody else, and taken from the old user."""
        (user,) = two_of(rig, 1001)
        rig.leaves(1001)
        rig.run()
        newcomer = {"FirstName": "Mary", "LastName": "New", "BirthDate": "1999-01-01 00:00:00"}
        rig.moves(1001, TermDate=None, Phone="225-555-0177", **newcomer)
        rig.gets_mail(1001, "mary@tworivers.example")
        rig.run()
        types(rig, user, None)
        assert rig.user(1001)["first_name"] == "Mary"
        rig.moves(1001, Address="77 New Street")
        ran: Ran = rig.run(refresh=True)
        assert (rig.user(1001)["street"], rig.reasons(ran, 1001)) == ("77 New Street", "")
        assert users(rig)[user]["first_name"] == "Pat"


class TestANumberThatAnotherUserHasNow:
    """Of two users of a person hands keep one, between two listings: the number goes from the one to the
    other."""

    @pytest.fixture(params=["made by hand", "of an old number", "was asked for before"])
    def second(self, rig: PeopleRig, request: pytest.FixtureRequest) -> Any:
        """A second user of 1001, who has the number now."""
        (first,) = two_of(rig, 1001)
        number = {"made by hand": None, "of an old number": "900", "was asked for before": None}[
            request.param
        ]
        dumped = rig.safetyamp.dump()
        row = next(row for row in dumped["rows"]["users"] if row["emp_id"] == "1001")
        other = {"id": "zz9zz", "email": "b@x.example", "mobile_phone": None, "emp_id": number}
        dumped["rows"]["users"].append({**row, **other})
        rig.safetyamp.load(dumped)
        if request.param == "of an old number":
            rig.hired(900, TermDate=YESTERDAY, LastName="Worker1001")
        rig.run(refresh=True)
        rig.safetyamp.edit("users", first, emp_id=None)
        if request.param == "was asked for before":
            rig.run(refresh=True)
        types(rig, "zz9zz", 1001)
        return "zz9zz"

    def test_is_the_one_that_is_kept_up(self, rig: PeopleRig, second: Any) -> None:
        before = len(users(rig))
        rig.moves(1001, Address="77 New Street")
        for request in (HOURLY, NIGHTLY, HOURLY):
            ran = rig.run(**request)
            adds_up(ran)
            assert "keep one" not in rig.reasons(ran, 1001)
        assert (users(rig)[second]["street"], len(users(rig))) == ("77 New Street", before)
        assert access(rig, second)

    def test_gets_the_address_as_soon_as_the_other_gives_it_up(self, rig: PeopleRig, second: Any) -> None:
        told = rig.reasons(rig.run(), 1001)
        assert all(f"{name} left out: SafetyAmp user" in told for name in ("email", "mobile_phone"))
        rig.safetyamp.edit("users", first_of(rig), email="o@x.example", mobile_phone=None)
        ran = rig.run(refresh=True)
        assert (users(rig)[second]["email"], rig.reasons(ran, 1001)) == (rig.mail(1001), "")

    def test_loses_access_with_the_person_and_the_other_is_told(self, rig: PeopleRig, second: Any) -> None:
        rig.leaves(1001)
        ran = rig.run()
        adds_up(ran)
        assert not access(rig, second)
        assert f"SafetyAmp user {first_of(rig)} without emp_id" in rig.reasons(ran, 1001)


def test_a_colleagues_user_with_the_number_does_not_stand_in_for_the_one_that_lost_it(rig: PeopleRig) -> None:
    mine, theirs = two_of(rig, 1001, 1002)
    before = len(users(rig))
    rig.safetyamp.edit("users", mine, emp_id=None)
    types(rig, theirs, 1001)
    for request in (HOURLY, NIGHTLY):
        ran = rig.run(**request)
        adds_up(ran)
        assert ran.writes == []
        assert "has 1001 now" in rig.reasons(ran, 1002)
    types(rig, theirs, 1002)
    assert "no emp_id" in rig.reasons(rig.run(), 1001)
    assert len(users(rig)) == before


@pytest.mark.parametrize("born", ["known", "not known"])
def test_a_guest_with_the_number_does_not_become_that_person(rig: PeopleRig, born: str) -> None:
    if born == "not known":
        rig.moves(1001, BirthDate=None)
    (mine,) = two_of(rig, 1001)
    guest = {"first_name": "Gail", "last_name": "Guest", "email": "g@x.example", "mobile_phone": None}
    user = {**users(rig)[mine], "emp_id": None, "date_of_birth": None, **guest}
    rig.safetyamp.add("users", {name: value for name, value in user.items() if name != "id"})
    (second,) = (one for one, row in users(rig).items() if row["last_name"] == "Guest")
    rig.run(refresh=True)
    rig.safetyamp.edit("users", mine, emp_id=None)
    types(rig, second, 1001)
    for request in (HOURLY, NIGHTLY):
        ran = rig.run(**request)
        adds_up(ran)
        assert (users(rig)[second]["last_name"], access(rig, mine)) == ("Guest", True)
        assert f"record {mine} has lost this key to {second}" in rig.reasons(ran, 1001)
        assert ran.problem("employees", "1001")["cause"] == "key-moved"
    rig.safetyamp.edit("users", second, first_name="Pat", last_name="Worker1001")
    rig.moves(1001, Address="77 New Street")
    rig.run(refresh=True)
    assert users(rig)[second]["street"] == "77 New Street"


@pytest.mark.parametrize(
    ("resource", "field", "one", "other"),
    [("sites", "ext_id", "100.", "200."), ("site_clusters", "external_code", "10", "20")],
)
def test_codes_that_hands_swap_across_a_night_make_nothing_new(
    rig: PeopleRig, resource: str, field: str, one: str, other: str
) -> None:
    before = rig.safetyamp.snapshot()
    ids = {row[field]: row["id"] for row in before[resource]}
    rig.safetyamp.edit(resource, ids[one], **{field: None})
    rig.safetyamp.edit(resource, ids[other], **{field: one})
    rig.run(refresh=True)
    rig.safetyamp.edit(resource, ids[one], **{field: other})
    for _ in range(3):
        ran = rig.run(refresh=True)
        adds_up(ran)
    after = rig.safetyamp.snapshot()
    assert len(after[resource]) == len(before[resource])
    assert ran.entity("jobs")["problems"] == ran.entity("departments")["problems"] == []


def test_a_site_whose_code_another_has_now_is_let_go(rig: PeopleRig) -> None:
    sites = rig.safetyamp.snapshot()["sites"]
    mine = next(row for row in sites if row["ext_id"] == "100.")
    rig.safetyamp.add("sites", {**{name: mine[name] for name in mine if name != "id"}, "ext_id": "old"})
    rig.run(refresh=True)
    (second,) = (row for row in rig.safetyamp.snapshot()["sites"] if row["ext_id"] == "old")
    rig.safetyamp.edit("sites", mine["id"], ext_id=None)
    rig.safetyamp.edit("sites", second["id"], ext_id="100.")
    for request in (NIGHTLY, HOURLY):
        ran = rig.run(**request)
        adds_up(ran)
        assert "keep one" not in str(ran.entity("jobs")["problems"])
    at_mine = [row for row in rig.safetyamp.snapshot()["users"] if row["home_site_id"] == mine["id"]]
    assert at_mine == []


class TestWhoHasSomebodyElsesNumber:
    """Two users have one number; one of them shows, by names and birth date, somebody who has no user."""

    def test_is_not_made_a_second_time_and_it_is_told(self, rig: PeopleRig) -> None:
        other_births(rig, 1001, 1002)
        (user,) = two_of(rig, 1001)
        rig.documents.delete(paths.state("employees"))
        types(rig, user, 1002)
        for request in (HOURLY, NIGHTLY, HOURLY):
            ran = rig.run(**request)
            adds_up(ran)
            assert f"user {user}, which has the number 1002 of somebody else, shows this" in rig.reasons(
                ran, 1001
            )
        assert len([row for row in users(rig).values() if row["last_name"] == "Worker1001"]) == 1
        types(rig, user, 1001)
        ran = rig.run()
        assert (rig.user(1001)["id"], rig.reasons(ran, 1001), rig.reasons(ran, 1002)) == (user, "", "")

    def test_is_somebody_new_where_only_the_names_are_alike(self, rig: PeopleRig) -> None:
        other_births(rig, 1001, 1002)
        first = rig.user(1001)
        rig.hired(2001, FirstName=first["first_name"], LastName="Worker1001", BirthDate="1999-09-09 00:00:00")
        rig.run()
        assert rig.user(2001)["id"] != first["id"]
