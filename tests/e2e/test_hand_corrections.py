"""What somebody corrected in SafetyAmp stays, although an update must repeat it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.clients.http.pipeline import HttpPipeline
from shared.sync.decisions.record import Author
from shared.sync.decisions.rules import push
from tests.e2e.people_rig import YESTERDAY, PeopleRig, adds_up, new_rig, rig

__all__ = ["new_rig", "rig"]

CORRECTED = "corrected@home.example"


def reads_of_one(rig: PeopleRig, since: int) -> int:
    """How often a single user was asked for."""
    return sum(
        call.method == "GET" and call.path.startswith("/api/users/") for call in rig.safetyamp.calls[since:]
    )


def unusable(rig: PeopleRig, number: int) -> None:
    """Somebody's account is disabled: the source does not own the address any more, and the private one that
    Vista has does not replace it."""
    rig.account(number)["accountEnabled"] = False
    rig.person(number)["Email"] = "private@home.example"
    rig.publish()


def test_an_address_that_the_source_does_not_own_stays_as_it_was_corrected(rig: PeopleRig) -> None:
    unusable(rig, 1001)
    rig.run()
    rig.by_hand(1001, email=CORRECTED)
    before = len(rig.safetyamp.calls)
    rig.moves(1001, Phone="225-555-9999")
    rig.run()
    assert (rig.user(1001)["email"], rig.user(1001)["mobile_phone"]) == (CORRECTED, "+12255559999")
    assert reads_of_one(rig, before) == 1


def update_tried_twice(
    rig: PeopleRig, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]
) -> None:
    """Of somebody whose address must be repeated, with another phone; something happens between."""
    unusable(rig, 1001)
    rig.run()
    rig.moves(1001, Phone="225-555-9999")
    patched_twice(rig, monkeypatch, meanwhile)
    rig.run()


def patched_twice(rig: PeopleRig, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> None:
    """SafetyAmp fails at the next update, and something happens before it is repeated."""
    rig.safetyamp.fail_next(1, 500, match="PATCH /api/users/*")
    retry = HttpPipeline._back_off

    def back_off(*of_an_attempt: Any) -> None:
        retry(*of_an_attempt)
        meanwhile()

    monkeypatch.setattr(HttpPipeline, "_back_off", back_off)


def test_an_address_that_is_corrected_while_safetyamp_does_not_answer_stays(
    rig: PeopleRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two attempts at one update, which can be half a minute apart."""
    update_tried_twice(rig, monkeypatch, lambda: rig.by_hand(1001, email=CORRECTED))
    assert (rig.user(1001)["email"], rig.user(1001)["mobile_phone"]) == (CORRECTED, "+12255559999")


STREET_IS_SAFETYAMPS = """
version = 1
[employees.fields]
street = { from = "Address", owner = "safetyamp" }
"""


@pytest.mark.parametrize("status", [None, 403])
def test_a_field_of_safetyamp_that_is_filled_while_it_does_not_answer_stays(
    rig: PeopleRig, monkeypatch: pytest.MonkeyPatch, status: int | None
) -> None:
    """Also where the user cannot be read again."""
    push(rig.stack.runtime, STREET_IS_SAFETYAMPS, Author("local"), None)
    rig.by_hand(1001, street=None)
    rig.moves(1001, Phone="225-555-9999")

    def meanwhile() -> None:
        rig.by_hand(1001, street="1 Levee Road")
        if status:
            rig.safetyamp.fail_next(2, status, match="GET /api/users/?????")

    patched_twice(rig, monkeypatch, meanwhile)
    rig.run(refresh=True)
    assert (rig.user(1001)["street"], rig.user(1001)["mobile_phone"]) == ("1 Levee Road", "+12255559999")


@pytest.mark.parametrize("status", [403, 404, 422])
def test_a_repetition_does_with_what_was_read_where_it_cannot_be_read_again(
    rig: PeopleRig, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    unreadable = lambda: rig.safetyamp.fail_next(2, status, match="GET /api/users/?????")  # noqa: E731
    update_tried_twice(rig, monkeypatch, unreadable)
    assert rig.user(1001)["mobile_phone"] == "+12255559999"


def test_what_the_source_owns_is_repeated_without_a_call(rig: PeopleRig) -> None:
    before = len(rig.safetyamp.calls)
    rig.moves(1001, Phone="225-555-9999")
    rig.run()
    assert [call.method for call in rig.safetyamp.calls[before:]] == ["PATCH"]


def test_a_leavers_corrected_name_and_address_stay(rig: PeopleRig) -> None:
    rig.by_hand(1001, first_name="Patricia", email=CORRECTED)
    rig.leaves(1001)
    rig.run()
    user = rig.user(1001)
    assert (user["first_name"], user["email"], user["system_access"]) == ("Patricia", CORRECTED, 0)


def test_without_asking_for_one_user_what_is_known_is_repeated(rig: PeopleRig) -> None:
    """The call was never seen in use: where it is not there, it costs nobody anything."""
    rig.safetyamp.reads_by_id = False
    unusable(rig, 1001)
    for number in (1002, 1003, 1004):
        rig.leaves(number)
    rig.moves(1001, Phone="225-555-9999")
    before = len(rig.safetyamp.calls)
    ran = rig.run()
    assert rig.user(1001)["mobile_phone"] == "+12255559999"
    assert [rig.user(number)["system_access"] for number in (1002, 1003, 1004)] == [0, 0, 0]
    assert reads_of_one(rig, before) == 1, "once that it is not there was answered, it is not asked again"
    adds_up(ran)


@pytest.mark.parametrize("status", [403, 404, 500, 422])
def test_asking_in_vain_costs_nobody_the_switching_off(rig: PeopleRig, status: int) -> None:
    rig.leaves(1001)
    rig.safetyamp.fail_next(5, status, match="GET /api/users/?????")
    ran = rig.run()
    assert rig.user(1001)["system_access"] == 0
    assert ran.entity("employees")["deactivated"] == 1


@pytest.mark.parametrize("fault", [{"status": 500}, {"lose": "timeout"}], ids=["500", "no answer"])
def test_asking_in_vain_costs_no_correction(rig: PeopleRig, fault: dict[str, Any]) -> None:
    """An ordinary update is tried again later rather than sent with what is known."""
    unusable(rig, 1001)
    rig.run()
    rig.by_hand(1001, email=CORRECTED)
    rig.moves(1001, Phone="225-555-9999")
    rig.safetyamp.fail_next(50, match="GET /api/users/?????", **fault)
    ran = rig.run()
    assert rig.user(1001)["email"] == CORRECTED
    assert ran.entity("employees")["failed"] == 1
    rig.safetyamp.heal()
    rig.run()
    assert (rig.user(1001)["email"], rig.user(1001)["mobile_phone"]) == (CORRECTED, "+12255559999")


ODD = {
    "400": {"status": 400, "body": "{}"},
    "409": {"status": 409, "body": "{}"},
    "302": {"status": 302, "body": ""},
    "nobody": {"status": 200, "body": '{"data": null}'},
    "a list": {"status": 200, "body": '{"data": []}'},
    "somebody else": {"status": 200, "body": '{"data": {"id": "zzzzz", "email": "else@x.example"}}'},
}


@pytest.mark.parametrize("fault", ODD.values(), ids=ODD.keys())
def test_an_odd_answer_costs_no_correction_and_the_change_comes_later(
    rig: PeopleRig, fault: dict[str, Any]
) -> None:
    unusable(rig, 1001)
    rig.run()
    rig.by_hand(1001, email=CORRECTED)
    rig.moves(1001, Phone="225-555-9999")
    rig.moves(1002, Phone="225-555-8888")
    rig.safetyamp.fail_next(50, match="GET /api/users/?????", **fault)
    ran = rig.run()
    assert (rig.user(1001)["email"], rig.user(1002)["mobile_phone"]) == (CORRECTED, "+12255558888")
    assert "what somebody may have corrected" in ran.problem("employees", "1001")["reason"]
    rig.safetyamp.heal()
    rig.run()
    assert (rig.user(1001)["email"], rig.user(1001)["mobile_phone"]) == (CORRECTED, "+12255559999")


def three_leavers_who_were_deleted(rig: PeopleRig) -> None:
    for number in (1001, 1002, 1003):
        rig.person(number)["TermDate"] = YESTERDAY
        rig.safetyamp.remove("users", rig.user(number)["id"])
    rig.publish()


def test_leavers_who_were_deleted_cost_no_colleague_a_correction(rig: PeopleRig) -> None:
    unusable(rig, 1009)
    rig.run()
    three_leavers_who_were_deleted(rig)
    rig.by_hand(1009, email=CORRECTED)
    rig.moves(1009, Phone="225-555-9999")
    rig.run()
    assert (rig.user(1009)["email"], rig.user(1009)["mobile_phone"]) == (CORRECTED, "+12255559999")


def test_leavers_who_were_deleted_lock_nobody_out_whose_number_was_changed(rig: PeopleRig) -> None:
    """1004 was hired again as 2004, and somebody moved the user to the new number."""
    three_leavers_who_were_deleted(rig)
    rig.leaves(1004)
    rig.hired(2004)
    rig.company.graph_users.remove(rig.account(2004))
    rig.account(1004)["employeeId"] = "2004"
    rig.publish()
    user = rig.user(1004)["id"]
    rig.by_hand(1004, emp_id="2004")
    for _ in range(2):
        rig.run()
        (found,) = (row for row in rig.safetyamp.snapshot()["users"] if row["id"] == user)
        assert found["system_access"] == 1


def test_asking_in_vain_for_a_while_costs_a_while(rig: PeopleRig) -> None:
    unusable(rig, 1001)
    rig.run()
    rig.by_hand(1001, email=CORRECTED)
    rig.moves(1001, Phone="225-555-9999")
    rig.safetyamp.fail_next(3, 500, match="GET /api/users/?????")
    assert rig.run().entity("employees")["updated"] == 1
    assert (rig.user(1001)["email"], rig.user(1001)["mobile_phone"]) == (CORRECTED, "+12255559999")


def test_asking_in_vain_for_the_holder_of_a_phone_costs_no_correction(rig: PeopleRig) -> None:
    """The phone of 1001 is cleared for 1002, with what an update must repeat."""
    unusable(rig, 1001)
    rig.run()
    rig.by_hand(1001, email=CORRECTED)
    rig.person(1001)["Phone"] = None
    rig.moves(1002, Phone="225-555-1001")
    rig.safetyamp.fail_next(50, 500, match="GET /api/users/?????")
    rig.run()
    assert rig.user(1001)["email"] == CORRECTED
    rig.safetyamp.heal()
    rig.run()
    assert (rig.user(1001)["email"], rig.user(1002)["mobile_phone"]) == (CORRECTED, "+12255551001")


def give_old_address_to_somebody(rig: PeopleRig) -> None:
    """1001 got another address by hand, and the old one was given to somebody without number."""
    rig.by_hand(1001, email=CORRECTED)
    rig.held_by_nobody_of_ours(email=rig.mail(1001))


@pytest.mark.parametrize("reads_by_id", [True, False])
def test_a_stale_repeated_address_costs_nobody_the_switching_off(rig: PeopleRig, reads_by_id: bool) -> None:
    give_old_address_to_somebody(rig)
    rig.safetyamp.reads_by_id = reads_by_id
    rig.leaves(1001)
    ran = rig.run()
    assert ran.entity("employees")["deactivated" if reads_by_id else "failed"] == 1
    assert rig.user(1001)["system_access"] == (0 if reads_by_id else 1)
    # Where SafetyAmp wants the address and nobody can read it, the next listing shows it.
    rig.run(refresh=True)
    assert rig.user(1001)["system_access"] == 0


def test_a_stale_repeated_address_of_an_active_person_is_read_again(rig: PeopleRig) -> None:
    """The source owns it, but SafetyAmp does not take it: the other fields arrive."""
    give_old_address_to_somebody(rig)
    rig.moves(1001, Address="77 New Street")
    rig.run()
    assert (rig.user(1001)["street"], rig.user(1001)["email"]) == ("77 New Street", CORRECTED)


def test_an_address_that_is_left_out_is_not_repeated_from_memory(rig: PeopleRig) -> None:
    """Somebody keeps the address that the source says; what 1001 has instead was corrected by hand."""
    rig.held_by_nobody_of_ours(email="taken@tworivers.example")
    rig.run(refresh=True)
    rig.by_hand(1001, email=CORRECTED)
    rig.gets_mail(1001, "taken@tworivers.example")
    rig.moves(1001, Address="77 New Street")
    rig.run()
    assert (rig.user(1001)["street"], rig.user(1001)["email"]) == ("77 New Street", CORRECTED)


def test_a_clusters_flag_that_was_set_by_hand_stays(rig: PeopleRig) -> None:
    cluster = next(row for row in rig.safetyamp.snapshot()["site_clusters"] if row["external_code"] == "10")
    rig.safetyamp.edit("site_clusters", cluster["id"], osha_establishment=1)
    next(row for row in rig.company.tables["bPRDP"] if row["PRDept"] == "10")["Description"] = "Renamed"
    rig.publish()
    rig.run()
    (row,) = (row for row in rig.safetyamp.snapshot()["site_clusters"] if row["id"] == cluster["id"])
    assert (row["name"], row["osha_establishment"]) == ("10 - Renamed", 1)


class TestAKeyThatWasMistyped:
    """Somebody gives a record of SafetyAmp a key that the source does not know."""

    def test_of_a_leaver_is_told_with_the_user_who_still_has_access(self, rig: PeopleRig) -> None:
        user = rig.user(1001)["id"]
        rig.by_hand(1001, emp_id="99999")
        rig.run(refresh=True)
        rig.leaves(1001)
        for _ in range(2):
            assert f"record {user} had this key and has 99999 now" in rig.reasons(rig.run(), 1001)

    def test_makes_no_second_person_whatever_else_was_changed(self, rig: PeopleRig) -> None:
        rig.by_hand(1001, emp_id="99999", email="other@x.example", mobile_phone=None)
        before = len(rig.safetyamp.snapshot()["users"])
        for refresh in (True, False, True):
            ran = rig.run(refresh=refresh)
            adds_up(ran)
            assert ran.entity("employees")["invalid"] == 1
            assert "has 99999 now" in rig.reasons(ran, 1001)
        assert len(rig.safetyamp.snapshot()["users"]) == before

    def test_comes_right_by_itself_once_it_is_mended(self, rig: PeopleRig) -> None:
        user = rig.user(1001)["id"]
        rig.by_hand(1001, emp_id="99999")
        rig.run(refresh=True)
        rig.safetyamp.edit("users", user, emp_id="1001")
        rig.moves(1001, Address="77 New Street")
        ran = rig.run(refresh=True)
        assert (rig.user(1001)["id"], rig.user(1001)["street"]) == (user, "77 New Street")
        assert rig.reasons(ran, 1001) == ""

    def test_makes_no_second_site(self, rig: PeopleRig) -> None:
        site = next(row for row in rig.safetyamp.snapshot()["sites"] if row["ext_id"] == "100.")
        rig.safetyamp.edit("sites", site["id"], ext_id="0100.")
        before = len(rig.safetyamp.snapshot()["sites"])
        rig.run(refresh=True)
        ran = rig.run()
        assert len(rig.safetyamp.snapshot()["sites"]) == before
        assert [one["key"] for one in ran.entity("jobs")["problems"] if "0100." in one["reason"]] == ["100."]

    def test_is_none_when_the_source_has_the_new_one(self, rig: PeopleRig) -> None:
        """A new number, as the product advises to move it."""
        user = rig.user(1001)["id"]
        rig.leaves(1001)
        rig.run()
        rig.hired(2001, Phone=rig.person(1001)["Phone"])
        rig.by_hand(1001, emp_id="2001")
        ran = rig.run(refresh=True)
        assert (rig.user(2001)["id"], rig.user(2001)["system_access"]) == (user, 1)
        assert "had this key" not in rig.reasons(ran, 1001)


class TestAPersonWithoutAHomeSite:
    """No open job, and no department whose region has an office: who is in SafetyAmp has a site there."""

    def test_loses_nothing_else_and_is_told_until_it_is_mended(self, rig: PeopleRig) -> None:
        site = rig.user(1010)["home_site_id"]
        rig.moves(1010, PRDept="99", Address="77 New Street")
        adds_up(rig.run())
        assert (rig.user(1010)["street"], rig.user(1010)["home_site_id"]) == ("77 New Street", site)
        before = len(rig.safetyamp.calls)
        again = rig.run()
        assert "no home site" in rig.reasons(again, 1010)
        adds_up(again)
        assert len(rig.safetyamp.calls) == before

    def test_is_not_locked_out_when_hired_again(self, rig: PeopleRig) -> None:
        rig.leaves(1010)
        rig.run()
        rig.moves(1010, PRDept="99", TermDate=None)
        rig.run()
        assert rig.user(1010)["system_access"]

    def test_is_not_created(self, rig: PeopleRig) -> None:
        rig.hired(2001, PRDept="99")
        ran = rig.run()
        assert (ran.entity("employees")["skipped"], "no home site" in rig.reasons(ran, 2001)) == (1, True)


@pytest.mark.parametrize("status", [500, 503])
def test_a_clusters_flag_stays_although_the_clusters_cannot_be_read(rig: PeopleRig, status: int) -> None:
    cluster = next(row for row in rig.safetyamp.snapshot()["site_clusters"] if row["external_code"] == "10")
    rig.safetyamp.edit("site_clusters", cluster["id"], osha_establishment=1)
    next(row for row in rig.company.tables["bPRDP"] if row["PRDept"] == "10")["Description"] = "Renamed"
    rig.publish()
    rig.safetyamp.fail_next(50, status, match="GET /api/site_clusters*")
    rig.run()
    rig.safetyamp.heal()
    rig.run()
    (row,) = (row for row in rig.safetyamp.snapshot()["site_clusters"] if row["id"] == cluster["id"])
    assert (row["name"], row["osha_establishment"]) == ("10 - Renamed", 1)
