"""Approving a held plan applies what is still true of it: the sources are read again, what they still say in
the same form is done, and the rest is left out by name."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from local.company.model import Company, Row, vista_date
from shared.errors import Paused, RunConflict
from shared.queries.failures import failure_groups
from shared.queries.on_demand import sync_record
from shared.reports.page import report_page
from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.decisions.approve import approve
from shared.sync.decisions.record import Author
from shared.sync.decisions.rules import push
from shared.sync.documents.active import active_run_id
from shared.sync.documents.control import remove_pauses
from shared.sync.documents.report import Report
from shared.sync.documents.runs import get_run
from shared.sync.documents.state import state_from_json
from shared.sync.runs.stopping import cancel, pause
from shared.sync.runs.totals import overview
from tests.e2e.people_rig import COUNTED
from tests.e2e.power import Crash
from tests.e2e.rig import START, Ran, Rig
from tests.e2e.small_company import FIRST_NUMBER, job_row, new_person, small_company
from tests.e2e.test_engine_crashes import EVERY

PEOPLE = 40
LEAVERS = range(FIRST_NUMBER, FIRST_NUMBER + 15)
"""More than GUARD_MAX_DEACTIVATIONS, and than GUARD_MAX_PERCENT of everybody."""

OTHER_RULES = """
version = 1
[[employees.scope]]
name = "Not the agency"
all = [{{ column = "PRGroup", is_not = 9 }}]
[[employees.protect]]
reason = "break-glass"
keys = ["{}"]
"""
MOVER = FIRST_NUMBER + 20
JOINER = FIRST_NUMBER + 500
YESTERDAY = START.date() - timedelta(days=1)


def loaded_rig(folder: Path, company: Company | None = None, *, bus_dies: bool = False) -> Rig:
    """After a first load."""
    rig = Rig(folder, company or small_company(START.date(), PEOPLE), bus_dies=bus_dies)
    rig.run()
    return rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = loaded_rig(tmp_path)
    yield rig
    rig.close()


def terminate(rig: Rig, *numbers: int) -> None:
    for number in numbers:
        rig.person(number)["TermDate"] = vista_date(YESTERDAY)
    rig.publish()


def vanish(rig: Rig) -> list[Row]:
    """So many are not in Vista any more that nobody should believe it: all of the plan is held. Returns their
    rows."""
    rows = [rig.person(number) for number in range(FIRST_NUMBER + 29, FIRST_NUMBER + 40)]
    rig.company.tables["bPREH"] = [row for row in rig.company.tables["bPREH"] if row not in rows]
    rig.publish()
    return rows


def mend(rig: Rig, *numbers: int) -> None:
    for number in numbers:
        rig.person(number)["TermDate"] = None
    rig.publish()


def held_run(rig: Rig, **request: Any) -> str:
    """A run that is held, a minute later."""
    rig.clock.advance(60)
    ran = rig.run(**request)
    assert ran.report["phase"] == "held", ran.report
    return ran.run_id


def approved(rig: Rig, run_id: str) -> Ran:
    before = len(rig.safetyamp.calls)
    approve(rig.stack.runtime, run_id)
    ran = rig.finish(run_id, since=before)
    for entity in ran.report["entities"].values():
        if entity["phase"] == "done":
            assert sum(entity[name] for name in COUNTED) == entity["source"]
    return ran


def vista_is_away(rig: Rig) -> Callable[[], None]:
    """For a process that has no connection yet; returns what brings it back."""
    away = rig.database.with_suffix(".away")
    rig.database.rename(away)
    rig.take_over()

    def comes_back() -> None:
        away.rename(rig.database)
        rig.take_over()

    return comes_back


def left_out(ran: Ran, entity: str = "employees") -> dict[str, str]:
    """Key to reason."""
    found = ran.entity(entity)["left_out"]
    assert found["count"] == len(found["changes"])
    return {change["key"]: change["reason"] for change in found["changes"]}


def without_access(rig: Rig) -> set[int]:
    return {int(user["emp_id"]) for user in rig.safetyamp.snapshot()["users"] if not user["system_access"]}


def employees_read(rig: Rig) -> dict[str, int]:
    """What later reads are compared with."""
    state = state_from_json("employees", read_json(rig.documents, paths.state("employees")))
    assert state is not None
    return state.source_counts


def is_held(rig: Rig) -> bool:
    rig.clock.advance(60)
    return bool(rig.run(entities=("employees",)).entity("employees")["held"])


class TestWhatIsStillTrue:
    def test_nobody_is_switched_off_who_was_a_leaver_by_mistake(self, rig: Rig) -> None:
        terminate(rig, *LEAVERS)
        run_id = held_run(rig)
        mend(rig, *LEAVERS)
        assert rig.run().report["phase"] == "done"
        ran = approved(rig, run_id)
        assert without_access(rig) == set()
        assert (ran.report["phase"], ran.writes, ran.listings) == ("done", [], [])
        assert set(left_out(ran)) == {str(number) for number in LEAVERS}
        assert set(left_out(ran).values()) == {
            "there is nothing to be done for it any more: SafetyAmp holds what the source says"
        }
        reason = ran.entity("employees")["reason"]
        assert reason == "nothing that was approved is wanted any more: nothing was changed, 15 left out"

    def test_who_has_really_left_is_switched_off_and_the_others_are_named(self, rig: Rig) -> None:
        terminate(rig, *LEAVERS)
        run_id = held_run(rig)
        mend(rig, *LEAVERS[:5])
        ran = approved(rig, run_id)
        assert without_access(rig) == set(LEAVERS[5:])
        assert set(left_out(ran)) == {str(number) for number in LEAVERS[:5]}
        assert ran.entity("employees")["deactivated"] == 10
        assert "of what was approved, 5 left out" in ran.entity("employees")["reason"]
        page = report_page(cast(Report, ran.report)).decode()
        assert "Approved and left out of employees: 5" in page

    def test_whom_other_rules_protect_or_leave_out_by_now_is_left_alone(self, rig: Rig) -> None:
        terminate(rig, *LEAVERS)
        run_id = held_run(rig)
        protected, outside, *others = LEAVERS
        rig.person(outside)["PRGroup"] = 9
        rig.publish()
        push(rig.stack.runtime, OTHER_RULES.format(protected), Author("local"), None)
        ran = approved(rig, run_id)
        assert without_access(rig) == set(others)
        assert left_out(ran)[str(outside)] == "out of scope by the rules"
        assert "protected by the rules" in left_out(ran)[str(protected)]

    def test_everything_when_nothing_has_changed(self, rig: Rig) -> None:
        terminate(rig, *LEAVERS)
        run_id = held_run(rig)
        calls = read_json(rig.documents, paths.report(run_id))["calls"]
        ran = approved(rig, run_id)
        assert without_access(rig) == set(LEAVERS)
        assert ran.report["calls"]["vista"] > calls["vista"], "the sources were read once more"
        # Each is read before it is switched off, so that what hands corrected stays.
        assert ran.report["calls"]["safetyamp"] == 2 * len(LEAVERS)
        assert (left_out(ran), ran.entity("employees")["reason"], "/api/users" in ran.listings) == (
            {},
            None,
            False,
        )

    def test_an_hour_later_with_hourly_runs_between_that_are_held_too(self, rig: Rig) -> None:
        terminate(rig, *LEAVERS)
        rig.person(MOVER)["Address"] = "1 First Street"
        rig.publish()
        run_id = held_run(rig)
        # What other entities change meanwhile, and what single records do, is no reason to refuse.
        rig.company.tables["bJCJM"][0]["Description"] = "Renamed works"
        rig.publish()
        rig.clock.advance(timedelta(hours=1))
        assert rig.run().entity("employees")["held"]
        rig.clock.advance(timedelta(hours=1))
        newest = held_run(rig)
        assert rig.user(MOVER)["street"] == "1 First Street"
        ran = approved(rig, run_id)
        assert without_access(rig) == set(LEAVERS)
        assert left_out(ran) == {}
        again = approved(rig, newest)
        assert (again.report["phase"], again.writes) == ("done", [])
        assert len(left_out(again)) == 15

    def test_values_that_have_changed_wait_for_the_next_run(self, rig: Rig) -> None:
        terminate(rig, *LEAVERS)
        rig.person(MOVER)["Address"] = "1 First Street"
        vanish(rig)
        run_id = held_run(rig)
        rig.person(MOVER)["City"] = "Elsewhere"
        rig.person(MOVER + 1)["Address"] = "2 Second Street"
        rig.publish()
        before = rig.user(MOVER + 1)["street"]
        ran = approved(rig, run_id)
        (change,) = ran.entity("employees")["left_out"]["changes"]
        assert (change["key"], change["action"]) == (str(MOVER), "update")
        assert change["now"] == {"action": "update", "fields": ["city", "street"]}
        assert "in another form now (city, street)" in change["reason"]
        assert rig.user(MOVER)["street"] != "1 First Street"
        assert rig.user(MOVER + 1)["street"] == before, "nobody approved that"
        after = rig.run()
        assert (after.report["phase"], after.entity("employees")["updated"]) == ("done", 2)
        assert rig.user(MOVER)["city"] == "Elsewhere"

    def test_a_record_that_is_gone_from_the_source_is_left_alone(self, rig: Rig) -> None:
        terminate(rig, *LEAVERS)
        run_id = held_run(rig)
        rig.company.tables["bPREH"].remove(rig.person(LEAVERS[0]))
        rig.publish()
        ran = approved(rig, run_id)
        assert without_access(rig) == set(LEAVERS[1:])
        assert left_out(ran) == {str(LEAVERS[0]): "the source does not have it any more"}

    def test_a_record_that_became_invalid_says_why(self, rig: Rig) -> None:
        terminate(rig, *LEAVERS)
        new_person(rig.company, JOINER)
        vanish(rig)
        run_id = held_run(rig)
        rig.person(JOINER)["FirstName"] = None
        rig.publish()
        ran = approved(rig, run_id)
        assert left_out(ran) == {str(JOINER): ran.problem("employees", str(JOINER))["reason"]}

    def test_people_who_are_there_by_now_are_not_created_again(self, rig: Rig) -> None:
        terminate(rig, *LEAVERS)
        new_person(rig.company, JOINER)
        new_person(rig.company, JOINER + 1)
        rows = vanish(rig)
        run_id = held_run(rig)
        rig.company.tables["bPREH"] += rows
        mend(rig, *LEAVERS)
        rig.clock.advance(60)
        one = sync_record(
            rig.stack.runtime, "employees", str(JOINER), "apply", refresh=False, retry_failed=False
        )
        assert one["phase"] == "done"
        terminate(rig, *LEAVERS)
        ran = approved(rig, run_id)
        assert (rig.user(JOINER)["system_access"], rig.user(JOINER + 1)["system_access"]) == (1, 1)
        assert set(left_out(ran)) == {str(JOINER)}
        assert without_access(rig) == set(LEAVERS)

    def test_what_somebody_did_by_hand_since_costs_no_call_to_find_out(self, rig: Rig) -> None:
        """Only what the state knows counts: an update that finds its work done is no harm."""
        terminate(rig, *LEAVERS)
        run_id = held_run(rig)
        rig.safetyamp.edit("users", rig.user(LEAVERS[0])["id"], system_access=False)
        ran = approved(rig, run_id)
        assert "/api/users" not in ran.listings
        assert without_access(rig) == set(LEAVERS)

    def test_of_one_record_that_is_held_with_all(self, rig: Rig) -> None:
        terminate(rig, *LEAVERS)
        rig.clock.advance(60)
        runs = [
            sync_record(rig.stack.runtime, "employees", str(key), "apply", refresh=False, retry_failed=True)
            for key in LEAVERS[:2]
        ]
        assert {run["phase"] for run in runs} == {"held"}
        mend(rig, LEAVERS[0])
        nothing, one = (approved(rig, run["run_id"]) for run in runs)
        assert (nothing.writes, set(left_out(nothing))) == ([], {str(LEAVERS[0])})
        assert (len(one.writes), left_out(one)) == (1, {})
        assert without_access(rig) == {LEAVERS[1]}

    def test_of_two_entities_each_by_itself(self, tmp_path: Path) -> None:
        rig = loaded_rig(tmp_path)
        jobs = [job_row(f"{number}00.") for number in range(4, 12)]
        rig.company.tables["bJCJM"] += [{**job, "Contract": "100."} for job in jobs]
        rig.publish()
        rig.clock.advance(60)
        rig.run()
        terminate(rig, *LEAVERS)
        del rig.company.tables["bJCJM"][-5:]
        rig.company.tables["bJCJM"][0]["Description"] = "Renamed works"
        rig.publish()
        run_id = held_run(rig)
        run = get_run(rig.documents, run_id)
        assert [name for name, status in run.entities.items() if status.phase == "held"] == [
            "jobs",
            "employees",
        ]
        mend(rig, *LEAVERS[1:])
        ran = approved(rig, run_id)
        assert (ran.report["phase"], ran.entity("jobs")["updated"]) == ("done", 1)
        assert (left_out(ran, "jobs"), len(left_out(ran))) == ({}, 14)
        assert without_access(rig) == {LEAVERS[0]}
        rig.close()

    def test_of_a_refresh_that_nothing_has_changed_since_lists_nothing_again(self, rig: Rig) -> None:
        terminate(rig, *LEAVERS)
        rig.safetyamp.edit("users", rig.user(MOVER)["id"], first_name="Somebody")
        run_id = held_run(rig, refresh=True)
        ran = approved(rig, run_id)
        assert "/api/users" not in ran.listings
        assert rig.user(MOVER)["first_name"] == rig.person(MOVER)["FirstName"]
        assert without_access(rig) == set(LEAVERS)

    def test_of_a_refresh_after_other_changes_lists_again(self, rig: Rig) -> None:
        terminate(rig, *LEAVERS)
        rig.safetyamp.edit("users", rig.user(MOVER)["id"], first_name="Somebody")
        run_id = held_run(rig, refresh=True)
        mend(rig, *LEAVERS)
        rig.person(MOVER + 1)["Address"] = "2 Second Street"
        rig.publish()
        rig.clock.advance(60)
        rig.run()
        ran = approved(rig, run_id)
        assert rig.user(MOVER)["first_name"] == rig.person(MOVER)["FirstName"]
        assert without_access(rig) == set()
        assert set(ran.listings) == {"/api/users"}

    def test_what_is_cached_is_read_again(self, rig: Rig) -> None:
        account = next(user for user in rig.company.graph_users if user["employeeId"] == str(MOVER))
        cache = _Cache()
        vars(rig.stack.runtime)["cache"] = cache
        terminate(rig, *LEAVERS)
        account["mail"] = "one@two-rivers.example"
        vanish(rig)
        run_id = held_run(rig)
        account["mail"] = "two@two-rivers.example"
        rig.publish()
        ran = approved(rig, run_id)
        assert set(left_out(ran)) == {str(MOVER)}
        assert rig.user(MOVER)["email"] != "one@two-rivers.example"

    def test_when_the_state_was_lost_between(self, rig: Rig) -> None:
        terminate(rig, *LEAVERS)
        run_id = held_run(rig)
        mend(rig, *LEAVERS[:5])
        rig.documents.delete(paths.state("employees"))
        before = len(rig.safetyamp.snapshot()["users"])
        ran = approved(rig, run_id)
        assert without_access(rig) == set(LEAVERS[5:])
        assert set(left_out(ran)) == {str(number) for number in LEAVERS[:5]}
        assert len(rig.safetyamp.snapshot()["users"]) == before
        assert rig.run().report["phase"] == "done"


class _Cache:
    """Keeps every listing until somebody goes past it."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    def get_cached_data(
        self, name: str, fetch: Callable[[], Any], hours: float, *, force_refresh: bool = False
    ) -> Any:
        if force_refresh or name not in self._kept:
            self._kept[name] = fetch()
        return self._kept[name]


class TestAnExchange:
    """Two people swap a value in a held plan, and something else of one changes before the approval."""

    @staticmethod
    def swap(rig: Rig, what: str) -> None:
        one, other = rig.person(MOVER), rig.person(MOVER + 1)
        if what == "phones":
            one["Phone"], other["Phone"] = other["Phone"], one["Phone"]
        else:
            accounts = {user["employeeId"]: user for user in rig.company.graph_users}
            first, second = accounts[str(MOVER)], accounts[str(MOVER + 1)]
            first["mail"], second["mail"] = second["mail"], first["mail"]
        rig.publish()

    @pytest.mark.parametrize("moved", [MOVER, MOVER + 1])
    @pytest.mark.parametrize("what", ["phones", "addresses"])
    def test_is_carried_out_whole_or_not_at_all(self, rig: Rig, what: str, moved: int) -> None:
        field = {"phones": "mobile_phone", "addresses": "email"}[what]
        before = [rig.user(number)[field] for number in (MOVER, MOVER + 1)]
        terminate(rig, *LEAVERS)
        vanish(rig)
        self.swap(rig, what)
        run_id = held_run(rig)
        rig.person(moved)["Address"] = "5 New Street"
        rig.publish()
        ran = approved(rig, run_id)
        assert [rig.user(number)[field] for number in (MOVER, MOVER + 1)] == before
        assert without_access(rig) == set(LEAVERS)
        reasons = left_out(ran)
        assert set(reasons) == {str(MOVER), str(MOVER + 1)}
        rig.clock.advance(60)
        assert rig.run().report["phase"] == "done"
        assert [rig.user(number)[field] for number in (MOVER, MOVER + 1)] == before[::-1]

    @pytest.mark.parametrize("what", ["phones", "addresses"])
    def test_that_is_wanted_as_before_is_carried_out(self, rig: Rig, what: str) -> None:
        field = {"phones": "mobile_phone", "addresses": "email"}[what]
        before = [rig.user(number)[field] for number in (MOVER, MOVER + 1)]
        terminate(rig, *LEAVERS)
        vanish(rig)
        self.swap(rig, what)
        assert left_out(approved(rig, held_run(rig))) == {}
        assert [rig.user(number)[field] for number in (MOVER, MOVER + 1)] == before[::-1]


class TestASourceThatIsAway:
    def test_changes_nothing_and_the_plan_can_be_approved_again(self, rig: Rig) -> None:
        terminate(rig, *LEAVERS)
        run_id = held_run(rig)
        comes_back = vista_is_away(rig)
        ran = approved(rig, run_id)
        assert (ran.report["phase"], ran.writes) == ("held", [])
        reason = ran.entity("employees")["reason"]
        assert reason.startswith("it was approved, but nothing was applied: ")
        assert "VISTA_CONNECTION_STRING" in reason
        assert "15 people would be deactivated" in reason
        assert ran.entity("employees")["planned"]["deactivate"] == 15
        assert active_run_id(rig.documents) is None
        comes_back()
        ran = approved(rig, run_id)
        assert (ran.report["phase"], left_out(ran)) == ("done", {})
        assert without_access(rig) == set(LEAVERS)

    def test_is_as_bad_when_it_is_the_directory(self, rig: Rig) -> None:
        terminate(rig, *LEAVERS)
        run_id = held_run(rig)
        rig.tenant.graph.fail_next(100, 503, match="GET /v1.0/users*")
        assert approved(rig, run_id).report["phase"] == "held"
        rig.tenant.graph.heal()
        rig.clock.advance(timedelta(minutes=5))
        assert approved(rig, run_id).report["phase"] == "done"
        assert without_access(rig) == set(LEAVERS)

    def test_that_came_back_empty_changes_nothing(self, rig: Rig) -> None:
        terminate(rig, *LEAVERS)
        run_id = held_run(rig)
        people, rig.company.tables["bPREH"] = rig.company.tables["bPREH"], []
        rig.publish()
        ran = approved(rig, run_id)
        assert ran.report["phase"] == "held"
        assert "returned no records" in ran.entity("employees")["reason"]
        rig.company.tables["bPREH"] = people
        rig.publish()
        assert approved(rig, run_id).report["phase"] == "done"

    def test_leaves_a_plan_that_can_be_dropped(self, rig: Rig) -> None:
        terminate(rig, *LEAVERS)
        run_id = held_run(rig)
        vista_is_away(rig)
        approved(rig, run_id)
        cancel(rig.stack.runtime, run_id, "not now")
        assert get_run(rig.documents, run_id).phase == "cancelled"
        with pytest.raises(RunConflict, match="holds no plan"):
            approve(rig.stack.runtime, run_id)

    def test_is_no_reason_to_carry_out_the_same_approval_later(
        self, rig: Rig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A process may die before it can conclude the run: the sweep finds the claim, and Vista is back."""
        terminate(rig, *LEAVERS)
        run_id = held_run(rig)
        comes_back = vista_is_away(rig)
        with monkeypatch.context() as patched:
            patched.setattr("shared.sync.runs.finish._conclude", lambda *_: None)
            approve(rig.stack.runtime, run_id)
            rig.drain()
        assert get_run(rig.documents, run_id).entities["employees"].phase == "held"
        assert active_run_id(rig.documents) == run_id
        comes_back()
        rig.stack.host.run_timer("sweep")
        rig.drain()
        assert get_run(rig.documents, run_id).phase == "held"
        assert active_run_id(rig.documents) is None
        assert without_access(rig) == set()


class TestACutOffRead:
    """Vista shows but some of the people, who can be approved like anything else."""

    def cut_off(self, rig: Rig, to: int) -> list[Any]:
        """Returns all rows, to put them back."""
        everybody = list(rig.company.tables["bPREH"])
        del rig.company.tables["bPREH"][to:]
        rig.person(FIRST_NUMBER)["Address"] = "1 First Street"
        rig.publish()
        return everybody

    def put_back(self, rig: Rig, everybody: list[Any]) -> None:
        rig.company.tables["bPREH"] = everybody
        rig.publish()

    def test_that_was_whole_again_at_the_approval_sets_nothing_back(self, rig: Rig) -> None:
        everybody = self.cut_off(rig, 20)
        run_id = held_run(rig, entities=("employees",))
        self.put_back(rig, everybody)
        ran = approved(rig, run_id)
        assert (ran.entity("employees")["updated"], left_out(ran)) == (1, {})
        assert employees_read(rig)["Vista employees"] == PEOPLE
        self.cut_off(rig, 20)
        assert is_held(rig)

    def test_that_was_as_small_again_is_believed_and_a_smaller_one_is_not(self, rig: Rig) -> None:
        self.cut_off(rig, 20)
        assert approved(rig, held_run(rig, entities=("employees",))).entity("employees")["updated"] == 1
        del rig.company.tables["bPREH"][18:]
        rig.publish()
        rig.clock.advance(60)
        again = rig.run(entities=("employees",)).entity("employees")
        assert again["held"], "18 of 20 would pass, but nobody has seen 20 but for one approval"
        assert "18 records where the last good run read 40, and 20 were approved" in again["reason"]

    def test_that_stays_so_is_not_held_for_ever(self, rig: Rig) -> None:
        everybody = self.cut_off(rig, 20)
        approved(rig, held_run(rig, entities=("employees",)))
        assert not is_held(rig)
        assert employees_read(rig)["Vista employees"] == 20
        self.put_back(rig, everybody[:17])
        assert not is_held(rig), "from now on 20 is what there is"

    def test_that_is_still_smaller_at_the_approval_is_not_what_was_approved(self, rig: Rig) -> None:
        everybody = self.cut_off(rig, 20)
        run_id = held_run(rig, entities=("employees",))
        self.cut_off(rig, 15)
        ran = approved(rig, run_id)
        assert (ran.report["phase"], ran.writes) == ("held", [])
        assert (
            "15 records where the last good run read 40, and 20 were approved"
            in ran.entity("employees")["reason"]
        )
        self.put_back(rig, everybody)
        assert approved(rig, run_id).report["phase"] == "done"

    def test_that_comes_only_at_the_approval_is_refused(self, rig: Rig) -> None:
        terminate(rig, *LEAVERS)
        run_id = held_run(rig)
        self.cut_off(rig, 20)
        ran = approved(rig, run_id)
        assert (ran.report["phase"], ran.writes) == ("held", [])

    def test_behind_a_single_record_says_nothing_of_the_rest(self, rig: Rig) -> None:
        self.cut_off(rig, 20)
        rig.clock.advance(60)
        one = sync_record(
            rig.stack.runtime, "employees", str(FIRST_NUMBER), "apply", refresh=False, retry_failed=True
        )
        assert one["phase"] == "held"
        assert approved(rig, one["run_id"]).entity("employees")["updated"] == 1
        assert employees_read(rig)["Vista employees"] == PEOPLE
        assert is_held(rig)


class TestClearAnswers:
    def test_of_a_plan_that_was_approved_already(self, rig: Rig) -> None:
        terminate(rig, *LEAVERS)
        run_id = held_run(rig)
        approve(rig.stack.runtime, run_id)
        with pytest.raises(RunConflict, match="holds no plan"):
            approve(rig.stack.runtime, run_id)
        rig.finish(run_id)
        with pytest.raises(RunConflict, match="holds no plan"):
            approve(rig.stack.runtime, run_id)

    def test_while_another_run_is_under_way(self, rig: Rig) -> None:
        terminate(rig, *LEAVERS)
        run_id = held_run(rig)
        other = rig.request()
        with pytest.raises(RunConflict, match=f"run {other} is under way"):
            approve(rig.stack.runtime, run_id)

    def test_of_an_entity_that_is_paused(self, rig: Rig) -> None:
        terminate(rig, *LEAVERS)
        run_id = held_run(rig)
        pause(rig.stack.runtime, ["employees"], "look first")
        with pytest.raises(Paused, match="look first"):
            approve(rig.stack.runtime, run_id)
        remove_pauses(rig.documents, ["employees"])
        assert approved(rig, run_id).report["phase"] == "done"

    def test_a_pause_right_after_the_approval_stops_it(self, rig: Rig) -> None:
        terminate(rig, *LEAVERS)
        run_id = held_run(rig)
        approve(rig.stack.runtime, run_id)
        pause(rig.stack.runtime, ["employees"], "look first")
        rig.drain()
        assert get_run(rig.documents, run_id).phase == "cancelled"
        assert without_access(rig) == set()

    def test_the_newest_of_plans_that_are_made_again_every_hour_is_the_one_that_is_asked_about(
        self, rig: Rig
    ) -> None:
        terminate(rig, *LEAVERS)
        for _ in range(3):
            newest = held_run(rig)
        seen = overview(rig.documents, rig.stack.runtime.settings, rig.clock.now())
        assert seen.held_run_ids == (newest,)
        assert [found["run_id"] for found in failure_groups(rig.documents)["entities"]] == [newest]

    def test_a_plan_whose_entity_no_later_run_has_planned_is_still_asked_about(self, rig: Rig) -> None:
        terminate(rig, *LEAVERS)
        run_id = held_run(rig)
        rig.clock.advance(60)
        assert rig.run(entities=("titles",)).report["phase"] == "done"
        seen = overview(rig.documents, rig.stack.runtime.settings, rig.clock.now())
        assert seen.held_run_ids == (run_id,)


@pytest.fixture
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    gc.freeze()
    yield
    gc.unfreeze()
    logging.disable(logging.NOTSET)


def tiny_held(folder: Path, *, bus_dies: bool) -> tuple[Rig, str]:
    """Three leavers, one of them by mistake, and a joiner; the run is held and the mistake is mended."""
    rig = loaded_rig(folder, small_company(START.date(), 6), bus_dies=bus_dies)
    terminate(rig, *LEAVERS[:3])
    new_person(rig.company, JOINER)
    rig.publish()
    run_id = held_run(rig, entities=("employees",))
    mend(rig, LEAVERS[0])
    return rig, run_id


def dies_at(rig: Rig, run_id: str, number: int) -> Ran:
    """Approve, with a process that dies right before its n-th effect, and another one that goes on."""
    rig.power.dies_at = rig.power.pulses + number
    try:
        approve(rig.stack.runtime, run_id)
    except Crash:
        rig.take_over()
        if active_run_id(rig.documents) is None and get_run(rig.documents, run_id).phase == "held":
            approve(rig.stack.runtime, run_id)
    return rig.finish(run_id, sweeping=True)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("bus_dies", [False, True], ids=["Service Bus stays", "bus is lost too"])
@pytest.mark.parametrize("ending", [approved, None], ids=["", "of an approval that came to nothing before"])
def test_an_approval_survives_a_crash_at_any_effect(
    tmp_path: Path, bus_dies: bool, ending: Callable[[Rig, str], Ran] | None
) -> None:
    def begin() -> tuple[Rig, str]:
        rig, run_id = tiny_held(tmp_path, bus_dies=bus_dies)
        if ending is None:
            comes_back = vista_is_away(rig)
            assert approved(rig, run_id).report["phase"] == "held"
            comes_back()
        return rig, run_id

    rig, run_id = begin()
    start = rig.power.pulses
    approved(rig, run_id)
    effects, wanted = rig.power.pulses - start, rig.content()
    assert without_access(rig) == set(LEAVERS[1:3])
    rig.close()
    assert effects > 30
    for number in range(1, effects + 1, EVERY or 5):
        rig, run_id = begin()
        ran = dies_at(rig, run_id, number)
        assert rig.power.crashes == 1, f"nothing died at effect {number}"
        assert rig.content() == wanted, f"crash at effect {number}"
        assert set(left_out(ran)) == {str(LEAVERS[0])}, f"crash at effect {number}"
        rig.clock.advance(60)
        assert rig.run().writes == [], f"crash at effect {number} left work undone"
        rig.close()


@pytest.mark.usefixtures("quiet")
def test_an_approval_that_fails_survives_a_crash_at_any_effect(tmp_path: Path) -> None:
    """Vista is away: whatever dies when, the plan is held afterwards, nothing is applied, and nothing keeps
    the next run out."""
    for number in range(1, 60, EVERY or 5):
        rig, run_id = tiny_held(tmp_path, bus_dies=False)
        comes_back = vista_is_away(rig)
        ran = dies_at(rig, run_id, number)
        assert (ran.report["phase"], ran.writes) == ("held", []), f"crash at effect {number}"
        assert active_run_id(rig.documents) is None
        comes_back()
        assert approved(rig, run_id).report["phase"] == "done"
        assert without_access(rig) == set(LEAVERS[1:3])
        rig.close()
