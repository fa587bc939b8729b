"""Who was switched off by whom, and that everybody who has left is."""

from __future__ import annotations

from typing import Any

import pytest

from shared.queries.explain import explain
from shared.storage.documents import read_json, to_json
from shared.sync import paths
from shared.sync.documents.runs import RunRequest
from shared.sync.runs.requests import request_run
from shared.sync.runs.stopping import cancel
from tests.e2e.people_rig import NewRig, PeopleRig, adds_up, new_rig, rig
from tests.e2e.rig import START, Ran
from tests.e2e.small_company import small_company

__all__ = ["new_rig", "rig"]


def comes_back(rig: PeopleRig, number: int) -> None:
    """Somebody is hired again."""
    rig.moves(number, TermDate=None)


def noted(rig: PeopleRig) -> dict[str, Any]:
    """Whom the sync has switched off, by id."""
    document = read_json(rig.documents, paths.SWITCHED_OFF)
    users: dict[str, Any] = document["users"] if document else {}
    return users


def test_a_loss_of_the_state_does_not_make_our_doing_a_hand_edit(rig: PeopleRig) -> None:
    rig.leaves(1001)
    rig.run()
    rig.documents.delete(paths.state("employees"))
    comes_back(rig, 1001)
    ran = rig.run()
    assert rig.user(1001)["system_access"]
    assert "by hand" not in rig.reasons(ran, 1001)


def test_a_user_who_got_another_number_is_known_by_the_id(rig: PeopleRig) -> None:
    """Rehired under a new number, after emp_id was moved as the report advises; also without the state."""
    rig.leaves(1001)
    rig.run()
    rig.hired(2001)
    rig.company.graph_users.remove(rig.account(2001))
    rig.account(1001)["employeeId"] = "2001"
    rig.publish()
    advice = rig.reasons(rig.run(), 2001)
    assert "emp_id" in advice
    rig.by_hand(1001, emp_id="2001")
    rig.documents.delete(paths.state("employees"))
    ran = rig.run()
    assert rig.user(2001)["system_access"]
    assert len([row for row in rig.safetyamp.snapshot()["users"] if row["emp_id"]]) == 10
    assert rig.reasons(ran, 2001) == ""


def test_who_was_switched_off_before_the_document_was_is_known_by_the_state(rig: PeopleRig) -> None:
    """Release 0.1.0 knew it only by our key; the id may have another one now."""
    rig.leaves(1001)
    rig.run()
    rig.documents.delete(paths.SWITCHED_OFF)
    rig.hired(2001)
    rig.company.graph_users.remove(rig.account(2001))
    rig.account(1001)["employeeId"] = "2001"
    rig.publish()
    rig.by_hand(1001, emp_id="2001")
    rig.run(refresh=True)
    assert rig.user(2001)["system_access"]


def test_who_was_switched_off_by_hand_is_still_reported_and_not_switched_on(rig: PeopleRig) -> None:
    rig.by_hand(1001, system_access=0)
    ran = rig.run(refresh=True)
    assert "by hand" in rig.reasons(ran, 1001)
    assert rig.user(1001)["system_access"] == 0


class TestWhoWasSwitchedOffByHand:
    def test_is_reported_by_every_run_until_it_is_mended(self, rig: PeopleRig) -> None:
        rig.by_hand(1001, system_access=0)
        for request in ({"refresh": True}, {}, {}):
            ran = rig.run(**request)
            assert "by hand" in rig.reasons(ran, 1001)
            employees = ran.entity("employees")
            assert (employees["unchanged"], employees["skipped"], ran.writes) == (9, 1, [])
            adds_up(ran)
        rig.by_hand(1001, system_access=1)
        for request in ({"refresh": True}, {}):
            ran = rig.run(**request)
            assert (rig.reasons(ran, 1001), ran.entity("employees")["unchanged"]) == ("", 10)

    def test_is_reported_too_when_something_else_was_sent(self, rig: PeopleRig) -> None:
        rig.by_hand(1001, system_access=0)
        rig.run(refresh=True)
        rig.moves(1001, Address="5 New Street")
        for updated in (1, 0):
            ran = rig.run()
            assert "by hand" in rig.reasons(ran, 1001)
            assert ran.entity("employees")["updated"] == updated

    def test_before_leaving_is_reported_after_coming_back(self, rig: PeopleRig) -> None:
        rig.leaves(1001)
        rig.by_hand(1001, system_access=0)
        rig.run(refresh=True)
        comes_back(rig, 1001)
        for _ in range(3):
            assert "by hand" in rig.reasons(rig.run(), 1001)


def test_a_hand_edit_after_our_own_doing_was_undone_is_a_hand_edit(rig: PeopleRig) -> None:
    rig.leaves(1001)
    rig.run()
    assert list(noted(rig)) == [rig.user(1001)["id"]]
    comes_back(rig, 1001)
    rig.run()
    assert noted(rig) == {}
    rig.by_hand(1001, system_access=0)
    assert "by hand" in rig.reasons(rig.run(refresh=True), 1001)


def test_who_was_switched_on_by_hand_is_forgotten_at_the_next_listing(rig: PeopleRig) -> None:
    rig.leaves(1001)
    rig.run()
    comes_back(rig, 1001)
    rig.by_hand(1001, system_access=1)
    rig.run(refresh=True)
    assert noted(rig) == {}


def test_a_switching_off_whose_answer_was_lost_for_good_was_ours(rig: PeopleRig) -> None:
    """It was done, no attempt brought an answer, and a listing shows it: that was no hand edit."""
    rig.leaves(1001)
    user = rig.user(1001)["id"]
    rig.safetyamp.fail_next(50, match=f"PATCH /api/users/{user}", after_write=True, lose="timeout")
    assert rig.run().entity("employees")["failed"] == 1
    rig.safetyamp.heal()
    rig.run(refresh=True)
    comes_back(rig, 1001)
    rig.run()
    assert rig.user(1001)["system_access"]


@pytest.mark.parametrize("runs_between", [[], [{}], [{"refresh": True}]], ids=["at once", "later", "listed"])
def test_who_comes_back_after_an_answer_was_lost_for_good_has_access(
    rig: PeopleRig, runs_between: list[dict[str, Any]]
) -> None:
    """The state still says so, and nothing shows that it is not true."""
    rig.leaves(1001)
    user = rig.user(1001)["id"]
    rig.safetyamp.fail_next(50, match=f"PATCH /api/users/{user}", after_write=True, lose="timeout")
    assert rig.run().entity("employees")["failed"] == 1
    rig.safetyamp.heal()
    comes_back(rig, 1001)
    for request in runs_between:
        rig.run(**request)
    ran = rig.run()
    assert rig.user(1001)["system_access"]
    assert (rig.reasons(ran, 1001), noted(rig)) == ("", {})
    assert rig.run().writes == []


def test_explain_names_the_run_also_without_the_state(rig: PeopleRig) -> None:
    rig.leaves(1001)
    run_id = rig.run().run_id
    rig.documents.delete(paths.state("employees"))
    rig.run(refresh=True)
    found = explain(rig.stack.runtime, "employees", "1001")
    assert found is not None
    assert found["safetyamp"]["switched_off_by_run"] == run_id


class TestTwoUsersOfOnePerson:
    @pytest.fixture
    def twins(self, rig: PeopleRig) -> PeopleRig:
        """A second user has the number of 1001."""
        dumped = rig.safetyamp.dump()
        row = next(row for row in dumped["rows"]["users"] if row["emp_id"] == "1001")
        twin = {
            **row,
            "id": "zz9zz",
            "email": "second@x.example",
            "mobile_phone": None,
            "first_name": "Patty",
        }
        dumped["rows"]["users"].append(twin)
        rig.safetyamp.load(dumped)
        rig.run(refresh=True)
        return rig

    @staticmethod
    def access(rig: PeopleRig) -> list[Any]:
        return [row["system_access"] for row in rig.safetyamp.snapshot()["users"] if row["emp_id"] == "1001"]

    def test_lose_access_both_when_that_person_leaves(self, twins: PeopleRig) -> None:
        twins.leaves(1001)
        ran = twins.run()
        assert self.access(twins) == [0, 0]
        assert "several SafetyAmp records claim this key" in twins.reasons(ran, 1001)
        assert ran.entity("employees")["deactivated"] == 1
        assert set(noted(twins)) == {
            row["id"] for row in twins.safetyamp.snapshot()["users"] if row["emp_id"] == "1001"
        }
        adds_up(ran)

    def test_are_not_switched_off_again_and_again(self, twins: PeopleRig) -> None:
        twins.leaves(1001)
        twins.run()
        for request in ({}, {"refresh": True}):
            ran = twins.run(**request)
            assert ran.writes == []
            assert "several SafetyAmp records claim this key" in twins.reasons(ran, 1001)
            assert ran.entity("employees")["invalid"] == 1

    @pytest.mark.parametrize("request_", [{}, {"refresh": True}], ids=["by the state", "listed"])
    def test_get_access_back_both_when_that_person_returns(
        self, twins: PeopleRig, request_: dict[str, Any]
    ) -> None:
        """Somebody must say which one to keep, but nobody is locked out until then."""
        twins.leaves(1001)
        twins.run()
        comes_back(twins, 1001)
        ran = twins.run(**request_)
        assert self.access(twins) == [1, 1]
        assert "several SafetyAmp records claim this key" in twins.reasons(ran, 1001)
        adds_up(ran)
        assert (twins.run().writes, noted(twins)) == ([], {})

    def test_that_hands_switched_off_stay_off(self, twins: PeopleRig) -> None:
        twins.safetyamp.edit("users", "zz9zz", system_access=0)
        twins.leaves(1001)
        twins.run(refresh=True)
        comes_back(twins, 1001)
        twins.run(refresh=True)
        assert self.access(twins) == [1, 0]

    def test_keep_their_names(self, twins: PeopleRig) -> None:
        twins.leaves(1001)
        twins.run()
        names = {
            row["id"]: row["first_name"]
            for row in twins.safetyamp.snapshot()["users"]
            if row["emp_id"] == "1001"
        }
        assert names["zz9zz"] == "Patty"

    def test_are_switched_off_also_by_what_an_older_release_knew(self, twins: PeopleRig) -> None:
        """Its state has only their ids."""
        document = read_json(twins.documents, paths.state("employees"))
        del document["strays"]
        twins.documents.write(paths.state("employees"), to_json(document))
        twins.leaves(1001)
        twins.run()
        assert self.access(twins) == [0, 0]

    @pytest.mark.parametrize("loses", ["the first", "the second"])
    def test_of_which_one_lost_its_number_are_off_or_told_when_that_person_leaves(
        self, twins: PeopleRig, loses: str
    ) -> None:
        """The advice "keep one" is done by taking the number from the other."""
        first = next(row for row in twins.safetyamp.snapshot()["users"] if row["emp_id"] == "1001")
        nobodys = first["id"] if loses == "the first" else "zz9zz"
        twins.safetyamp.edit("users", "zz9zz", first_name=first["first_name"])
        twins.safetyamp.edit("users", nobodys, emp_id=None)
        twins.run(refresh=True)
        twins.leaves(1001)
        for request in ({}, {}, {"refresh": True}):
            ran = twins.run(**request)
            assert twins.user(1001)["system_access"] == 0
            assert f"SafetyAmp user {nobodys} without emp_id shows the same" in twins.reasons(ran, 1001)
            adds_up(ran)
        twins.safetyamp.edit("users", nobodys, system_access=0)
        assert twins.reasons(twins.run(refresh=True), 1001) == ""

    def test_of_somebody_who_is_there_are_left_alone(self, twins: PeopleRig) -> None:
        assert self.access(twins) == [1, 1]
        assert twins.run().writes == []


class TestGraphIsAway:
    @staticmethod
    def away(rig: PeopleRig, status: int) -> None:
        rig.tenant.graph.fail_next(1000, status, match="GET *")

    @staticmethod
    def later(rig: PeopleRig, **request: Any) -> Ran:
        """A run for which the accounts are too old to do."""
        rig.clock.advance(2 * 3600)
        return rig.run(**request)

    @pytest.mark.parametrize("status", [500, 403, 400], ids=["an outage", "a missing permission", "odd"])
    def test_a_leaver_loses_access_and_nothing_else_is_concluded(self, rig: PeopleRig, status: int) -> None:
        rig.leaves(1001)
        rig.moves(1002, Address="77 New Street")
        rig.hired(2001)
        before = rig.content()["users"]
        self.away(rig, status)
        ran = self.later(rig, refresh=True)
        employees = ran.entity("employees")
        assert rig.user(1001)["system_access"] == 0
        changed = [row["emp_id"] for row in rig.content()["users"] if row not in before]
        assert changed == ["1001"]
        assert employees["phase"] == "failed"
        assert "Microsoft Graph" in employees["reason"]
        assert (employees["deactivated"], employees["waiting"], employees["unchanged"]) == (1, 10, 0)
        adds_up(ran)
        rig.tenant.graph.heal()
        healed = self.later(rig)
        assert healed.entity("employees")["phase"] == "done"
        assert (rig.user(1002)["street"], rig.user(2001)["system_access"]) == ("77 New Street", 1)

    def test_the_guard_is_asked_as_always(self, new_rig: NewRig) -> None:
        rig = new_rig(GUARD_MAX_PERCENT="20")
        rig.run()
        for number in (1001, 1002, 1003):
            rig.leaves(number)
        self.away(rig, 500)
        employees = self.later(rig, refresh=True).entity("employees")
        assert employees["held"]
        assert "3 of 10 people" in employees["reason"]
        assert [rig.user(number)["system_access"] for number in (1001, 1002, 1003)] == [1, 1, 1]

    def test_the_size_of_the_last_reads_is_not_forgotten(self, new_rig: NewRig) -> None:
        """Or a directory that came back half would be believed."""
        rig = new_rig(GUARD_MAX_PERCENT="20")
        rig.run()
        rig.leaves(1001)
        self.away(rig, 500)
        self.later(rig, refresh=True)
        rig.tenant.graph.heal()
        del rig.company.graph_users[4:]
        rig.publish()
        employees = self.later(rig, refresh=True).entity("employees")
        assert employees["held"]
        assert "Microsoft Graph users: 4 records where the last good run read 10" in employees["reason"]

    def test_nobody_comes_back_meanwhile(self, rig: PeopleRig) -> None:
        rig.leaves(1001)
        rig.run()
        comes_back(rig, 1001)
        self.away(rig, 500)
        self.later(rig, refresh=True)
        assert rig.user(1001)["system_access"] == 0

    def test_vehicles_follow_nevertheless(self, rig: PeopleRig) -> None:
        rig.company.vehicles[0]["name"] = "Renamed"
        rig.publish()
        self.away(rig, 500)
        ran = self.later(rig, refresh=True)
        assert ran.entity("vehicles")["updated"] == 1


class TestSafetyAmpCannotBeListed:
    """It must be, because a 404 or a lost answer says that the state is not all there is."""

    @pytest.fixture
    def doubtful(self, rig: PeopleRig) -> PeopleRig:
        """After a 404 that was none: the next plan lists SafetyAmp."""
        rig.moves(1002, Address="1 Other Street")
        path = f"PATCH /api/users/{rig.user(1002)['id']}"
        rig.safetyamp.fail_next(1, 404, '{"message": "nf"}', match=path)
        assert rig.run().entity("employees")["waiting"] == 1
        return rig

    @staticmethod
    def cannot_be_listed(rig: PeopleRig, how: str = "an outage") -> None:
        status, body = (200, '{"data": 5}') if how == "odd" else (500, "")
        rig.safetyamp.fail_next(1000, status, body, match="GET /api/users")

    @pytest.mark.parametrize("how", ["an outage", "odd"])
    def test_a_leaver_loses_access_and_nothing_else_is_concluded(self, doubtful: PeopleRig, how: str) -> None:
        doubtful.leaves(1001)
        doubtful.hired(2001)
        self.cannot_be_listed(doubtful, how)
        before = doubtful.content()["users"]
        ran = doubtful.run()
        changed = [row["emp_id"] for row in doubtful.content()["users"] if row not in before]
        assert (doubtful.user(1001)["system_access"], changed) == (0, ["1001"])
        employees = ran.entity("employees")
        assert employees["phase"] == "failed"
        assert employees["reason"].startswith(
            "only leavers were looked at, because SafetyAmp could not be listed:"
        )
        assert (employees["deactivated"], employees["waiting"], employees["unchanged"]) == (1, 10, 0)
        adds_up(ran)

    def test_the_rest_follows_when_it_can(self, doubtful: PeopleRig) -> None:
        doubtful.leaves(1001)
        doubtful.hired(2001)
        self.cannot_be_listed(doubtful)
        doubtful.run()
        doubtful.safetyamp.heal()
        doubtful.clock.advance(60)
        ran = doubtful.run()
        assert ran.report["phase"] == "done"
        assert "/api/users" in ran.listings
        assert (doubtful.user(1002)["street"], doubtful.user(2001)["system_access"]) == ("1 Other Street", 1)

    def test_nor_graph_be_read(self, doubtful: PeopleRig) -> None:
        doubtful.leaves(1001)
        self.cannot_be_listed(doubtful)
        TestGraphIsAway.away(doubtful, 500)
        ran = TestGraphIsAway.later(doubtful)
        assert doubtful.user(1001)["system_access"] == 0
        assert "Microsoft Graph" in ran.entity("employees")["reason"]

    def test_in_the_nightly_run(self, rig: PeopleRig) -> None:
        rig.leaves(1001)
        self.cannot_be_listed(rig)
        rig.run(refresh=True)
        assert rig.user(1001)["system_access"] == 0

    def test_is_not_believed_because_it_shrank(self, new_rig: NewRig) -> None:
        rig = new_rig(GUARD_MAX_PERCENT="20")
        rig.run()
        rig.run(refresh=True)
        dumped = rig.safetyamp.dump()
        users = dumped["rows"]["users"]
        dumped["rows"]["users"] = [row for row in users if row["emp_id"] in ("1001", "1003")]
        rig.safetyamp.load(dumped)
        rig.leaves(1001)
        ran = rig.run(refresh=True)
        assert (rig.user(1001)["system_access"], len(rig.safetyamp.snapshot()["users"])) == (0, 2)
        assert ran.entity("employees")["phase"] == "failed"

    def test_the_guard_is_asked_as_always(self, new_rig: NewRig) -> None:
        rig = new_rig(GUARD_MAX_PERCENT="20")
        rig.run()
        for number in (1001, 1002, 1003):
            rig.leaves(number)
        self.cannot_be_listed(rig)
        employees = rig.run(refresh=True).entity("employees")
        assert employees["held"]
        assert "3 of 10 people" in employees["reason"]
        assert "could not be listed" in employees["reason"]

    def test_and_nothing_is_known_of_anybody(self, rig: PeopleRig) -> None:
        rig.leaves(1001)
        rig.documents.delete(paths.state("employees"))
        self.cannot_be_listed(rig)
        ran = rig.run()
        assert (ran.entity("employees")["phase"], ran.writes) == ("failed", [])


def test_a_leaver_loses_access_although_samsara_is_away(rig: PeopleRig) -> None:
    rig.leaves(1001)
    rig.tenant.samsara.fail_next(1000, 500)
    rig.clock.advance(2 * 3600)
    ran = rig.run()
    assert rig.user(1001)["system_access"] == 0
    assert ran.entity("employees")["phase"] == "done"


class TestAnAnswerThatWasLostForGood:
    """What was done to somebody's access is not known: who has left is switched off (again)."""

    def lost(self, rig: PeopleRig, number: int, *, written: bool = True, **request: Any) -> None:
        path = f"PATCH /api/users/{rig.user(number)['id']}"
        rig.safetyamp.fail_next(50, match=path, after_write=written, lose="timeout")
        rig.run(**request)
        rig.safetyamp.heal()

    @pytest.mark.parametrize("written", [True, False], ids=["done", "not done"])
    @pytest.mark.parametrize("runs_between", [0, 1], ids=["at once", "later"])
    def test_to_a_switching_on_of_somebody_who_then_leaves(
        self, rig: PeopleRig, written: bool, runs_between: int
    ) -> None:
        rig.leaves(1001)
        rig.run()
        comes_back(rig, 1001)
        self.lost(rig, 1001, written=written)
        rig.leaves(1001)
        for _ in range(runs_between):
            rig.run()
        ran = rig.run()
        assert rig.user(1001)["system_access"] == 0, rig.reasons(ran, 1001)
        comes_back(rig, 1001)
        rig.run()
        assert rig.user(1001)["system_access"] == 1
        assert noted(rig) == {}

    def test_to_a_switching_on_by_the_setting(self, new_rig: NewRig) -> None:
        rig = new_rig(REENABLE_DISABLED="true")
        rig.run()
        rig.by_hand(1001, system_access=0)
        self.lost(rig, 1001, refresh=True)
        assert rig.user(1001)["system_access"] == 1
        rig.leaves(1001)
        rig.run()
        assert rig.user(1001)["system_access"] == 0

    @pytest.mark.parametrize("first", ["itself", "twin"])
    def test_to_a_switching_off_of_one_of_two_users(self, rig: PeopleRig, first: str) -> None:
        """Either may be off without an answer, and both come back."""
        twins = with_twin(rig)
        rig.leaves(1001)
        lost = twins[0] if first == "itself" else twins[1]
        path = f"PATCH /api/users/{lost}"
        rig.safetyamp.fail_next(50, match=path, after_write=True, lose="timeout")
        rig.run()
        rig.safetyamp.heal()
        comes_back(rig, 1001)
        rig.run()
        rig.run(refresh=True)
        rig.run()
        assert access_of(rig, twins) == [1, 1]

    def test_to_a_switching_on_of_one_of_two_users_who_then_leaves(self, rig: PeopleRig) -> None:
        twins = with_twin(rig)
        rig.leaves(1001)
        rig.run()
        assert access_of(rig, twins) == [0, 0]
        comes_back(rig, 1001)
        rig.safetyamp.fail_next(50, match="PATCH /api/users/*", after_write=True, lose="timeout")
        rig.run()
        rig.safetyamp.heal()
        rig.leaves(1001)
        rig.run()
        assert access_of(rig, twins) == [0, 0]


def with_twin(rig: PeopleRig) -> list[str]:
    """Somebody with a second user; the ids of both."""
    dumped = rig.safetyamp.dump()
    row = next(row for row in dumped["rows"]["users"] if row["emp_id"] == "1001")
    dumped["rows"]["users"].append({**row, "id": "zz9zz", "email": "second@x.example", "mobile_phone": None})
    rig.safetyamp.load(dumped)
    rig.run(refresh=True)
    return [row["id"], "zz9zz"]


def access_of(rig: PeopleRig, ids: list[str]) -> list[int]:
    rows = {row["id"]: row for row in rig.safetyamp.snapshot()["users"]}
    return [int(rows[one]["system_access"]) for one in ids]


class TestDocumentsAreLostWhilePeopleAreSwitchedOff:
    """Whom a batch is to switch off is noted before anything of it is sent."""

    @pytest.mark.parametrize("damaged", ["plan", "run", "batch", "outcome", "progress", "state", "base"])
    def test_it_was_our_doing_nevertheless(self, new_rig: NewRig, damaged: str) -> None:
        rig = new_rig(small_company(START.date(), 30), limit=10, API_RATE_LIMIT_RESERVE="2")
        rig.run()
        rig.leaves(1001)
        for number in range(1002, 1028):
            rig.person(number)["Address"] = f"{number} New"
        rig.publish()
        run_id = request_run(rig.stack.runtime, RunRequest(refresh=damaged == "base"))
        first_outcome = paths.outcome(run_id, "employees", 1)
        rig.until(
            lambda: (
                rig.user(1001)["system_access"] == 0
                and (damaged != "outcome" or rig.documents.read(first_outcome) is not None)
            )
        )
        plan = paths.plan(run_id, "employees")
        planned = read_json(rig.documents, plan)
        path = {
            "plan": plan,
            "run": paths.run(run_id),
            "batch": paths.batch(run_id, "employees", planned["plan_id"], 1),
            "outcome": first_outcome,
            "progress": paths.progress(run_id, "employees", 1),
            "state": paths.state("employees"),
            "base": planned["base"],
        }[damaged]
        rig.documents.write(path, b"{")
        rig.finish(run_id, sweeping=True)
        rig.run()
        comes_back(rig, 1001)
        ran = rig.run()
        assert rig.user(1001)["system_access"], rig.reasons(ran, 1001)

    def test_an_hour_without_leavers_writes_nothing_of_it(self, rig: PeopleRig) -> None:
        rig.moves(1002, Address="1 New Street")
        rig.run()
        assert rig.documents.read(paths.SWITCHED_OFF) is None


class TestWhoWasNotedAndNotSwitchedOff:
    """Whom hands switch off later is not switched on."""

    def test_because_the_run_was_stopped(self, new_rig: NewRig) -> None:
        rig = new_rig(small_company(START.date(), 12), limit=10, API_RATE_LIMIT_RESERVE="6")
        rig.run()
        for number in range(1001, 1009):
            rig.leaves(number)
        run_id = request_run(rig.stack.runtime, RunRequest())
        rig.until(lambda: rig.user(1001)["system_access"] == 0)
        last = rig.user(1004)["id"]
        assert last in noted(rig)
        cancel(rig.stack.runtime, run_id, "operator")
        rig.finish(run_id)
        assert (rig.user(1004)["system_access"], last in noted(rig)) == (1, False)
        self.is_left_to_hands(rig, 1004)

    def test_because_safetyamp_refused(self, rig: PeopleRig) -> None:
        rig.leaves(1004)
        text = '{"message": "no", "errors": {"system_access": ["not the last administrator"]}}'
        rig.safetyamp.fail_next(1, 422, text, match="PATCH /api/users/*")
        rig.run()
        assert noted(rig) == {}
        self.is_left_to_hands(rig, 1004)

    def test_because_safetyamp_refused_it_of_a_twin(self, rig: PeopleRig) -> None:
        twins = with_twin(rig)
        rig.leaves(1001)
        text = '{"message": "no", "errors": {"system_access": ["not the last administrator"]}}'
        rig.safetyamp.fail_next(2, 422, text, match="PATCH /api/users/*")
        rig.run()
        assert (access_of(rig, twins), noted(rig)) == ([1, 1], {})

    def is_left_to_hands(self, rig: PeopleRig, number: int) -> None:
        for person in rig.company.tables["bPREH"]:
            person["TermDate"] = None
        rig.publish()
        rig.by_hand(number, system_access=0)
        ran = rig.run(refresh=True)
        assert rig.user(number)["system_access"] == 0
        assert "by hand" in rig.reasons(ran, number)
