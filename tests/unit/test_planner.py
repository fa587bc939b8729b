"""Making a plan: one per run and entity, from whole reads only, and held where the guard says so."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest

from shared.errors import (
    APIError,
    ConfigurationError,
    DatabaseError,
    IncompleteRead,
    RateLimited,
    SafetyAmpError,
    StorageError,
    UnreadableDocument,
    UpstreamUnavailable,
)
from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.decisions.approve import approve
from shared.sync.documents.plans import plan_path, read_batch
from shared.sync.documents.runs import EntityStatus, Run, get_run
from shared.sync.documents.state import (
    GONE,
    UNKNOWN,
    UNSURE,
    UNSURE_AT,
    EntityState,
    Entry,
    Flags,
    decode_state,
    read_state,
)
from shared.sync.model import EntityName
from shared.sync.planning.planner import MOST_VANISHED_NAMED, OnlyLeavers, batch_size
from tests.unit.planning_rig import (
    VEHICLES_ON,
    PlanningRig,
    a_leaver,
    a_person,
    a_user,
)


def cut_off() -> IncompleteRead:
    """Anew each time: planning adds notes to it."""
    return IncompleteRead("page 3 never came")


def people(*numbers: int, **settings: str) -> PlanningRig:
    """A rig of employees: these people work there and are known in SafetyAmp as they are."""
    rig = PlanningRig("employees", **settings)
    rig.hire(*map(a_person, numbers))
    rig.know_users(*numbers)
    return rig


def base_of(rig: PlanningRig, plan: dict[str, Any]) -> EntityState:
    state = decode_state(rig.entity, read_json(rig.documents, plan["base"]))
    assert state is not None
    return state


class TestThePlanDocument:
    """The commit point: written last, and once."""

    def hook(self, rig: PlanningRig, monkeypatch: pytest.MonkeyPatch, before: Callable[[str], None]) -> None:
        """`before` hears of each path that is about to be written."""

        def hooked(write: Any) -> Any:
            def hearing(path: str, *arguments: Any, **more: Any) -> Any:
                before(path)
                return write(path, *arguments, **more)

            return hearing

        for verb in ("create", "write"):
            monkeypatch.setattr(rig.documents, verb, hooked(getattr(rig.documents, verb)))

    def test_comes_after_base_and_batches(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rig = PlanningRig()
        rig.vista.records["titles"] = [f"Title {number}" for number in range(120)]
        run = rig.run()
        order: list[str] = []
        self.hook(rig, monkeypatch, order.append)
        plan = rig.plan(run)
        assert plan["batches"] == 3
        assert order == [
            paths.base(run.run_id, "titles", plan["plan_id"]),
            *[paths.batch(run.run_id, "titles", plan["plan_id"], number) for number in (1, 2, 3)],
            paths.plan(run.run_id, "titles"),
        ]

    @pytest.mark.parametrize("broken", ["/base/", "/batches/"])
    def test_is_not_written_when_what_it_points_at_could_not_be(
        self, monkeypatch: pytest.MonkeyPatch, broken: str
    ) -> None:
        rig = PlanningRig()
        run = rig.run()

        def away(path: str) -> None:
            if broken in path:
                raise StorageError("away")

        self.hook(rig, monkeypatch, away)
        with pytest.raises(StorageError, match="away"):
            rig.plan(run)
        assert rig.documents.read(paths.plan(run.run_id, "titles")) is None

    def test_that_is_there_stays_whatever_the_source_says_by_now(self) -> None:
        rig = PlanningRig()
        run = rig.run()
        first = rig.plan(run)
        rig.vista.records["titles"] = ["Foreman"]
        assert rig.plan(run) == first
        assert rig.actions(run, first) == [("create", "welder")]

    def test_of_a_planner_that_was_overtaken_is_that_of_the_other(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It may have lost its lease without noticing, at any instruction: here just before it commits."""
        rig = PlanningRig()
        run = rig.run()
        overtaking: list[dict[str, Any]] = []

        def overtaken(path: str) -> None:
            if path == paths.plan(run.run_id, "titles") and not overtaking:
                overtaking.append({})
                rig.clock.advance(61)
                rig.vista.records["titles"] = ["Foreman"]
                overtaking[0] = rig.plan(run)

        self.hook(rig, monkeypatch, overtaken)
        assert rig.plan(run) == overtaking[0]
        assert rig.actions(run, overtaking[0]) == [("create", "foreman")]

    def test_of_a_planner_that_died_before_is_made_again_and_mixes_with_nothing_it_left(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rig = PlanningRig()
        run = rig.run()
        dies = [True]

        def dying(path: str) -> None:
            if path == paths.plan(run.run_id, "titles") and dies.pop():
                raise KeyboardInterrupt

        self.hook(rig, monkeypatch, dying)
        with pytest.raises(KeyboardInterrupt):
            rig.plan(run)
        dies.append(False)
        rig.vista.records["titles"] = ["Foreman"]
        plan = rig.plan(run)
        assert rig.actions(run, plan) == [("create", "foreman")]
        assert len(list(rig.documents.list(f"runs/{run.run_id}/titles/batches/"))) == 2

    def test_says_from_which_state_it_was_made(self) -> None:
        rig = people(1)
        document = rig.documents.read(paths.state("employees"))
        assert document is not None
        plan = rig.plan()
        assert (plan["state_etag"], plan["state_by"]) == (document.etag, "earlier/plan")
        without = PlanningRig().plan()
        assert (without["state_etag"], without["state_by"]) == (None, None)

    def test_has_mode_time_and_what_its_calls_cost(self) -> None:
        rig = PlanningRig()
        plan = rig.plan(mode="plan")
        assert (plan["entity"], plan["mode"], plan["created_at"]) == (
            "titles",
            "plan",
            rig.clock.now().isoformat(),
        )
        assert plan["calls"] == {"vista": 1, "safetyamp": 2}
        assert plan["requests"]["safetyamp|GET user_titles|2xx"] == 2

    def test_is_logged_with_its_counts(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO, "shared.sync.planning.planner"):
            PlanningRig().plan()
        [record] = caplog.records
        told = vars(record)
        assert (told["event"], told["entity"], told["batches"]) == ("entity_planned", "titles", 1)
        assert told["counts"] == {"source": 1, "create": 1}


@pytest.mark.parametrize(
    ("titles", "batches"), [(0, [0]), (1, [1]), (54, [54]), (55, [54, 1]), (108, [54, 54])]
)
def test_a_batch_is_one_window_less_the_reserve(titles: int, batches: list[int]) -> None:
    rig = PlanningRig()
    assert batch_size(rig.services) == 54
    rig.vista.records["titles"] = [f"Title {number}" for number in range(titles)] or [None]
    run = rig.run()
    plan = rig.plan(run)
    sizes = [
        len(read_batch(rig.documents, run.run_id, "titles", plan["plan_id"], number))
        for number in range(1, plan["batches"] + 1)
    ]
    assert sizes == [size for size in batches if size]
    assert plan["counts"].get("create", 0) == titles


class TestReading:
    """Nothing is concluded from a read that failed, was cut off or is empty."""

    @pytest.mark.parametrize(
        "error",
        [cut_off(), DatabaseError("away"), ConfigurationError.of("VISTA_COMPANY", "no such company")],
        ids=repr,
    )
    @pytest.mark.parametrize("table", ["departments", "open jobs", "employees", "latest open jobs"])
    def test_that_failed_is_no_plan_and_leaves_the_state(self, table: str, error: Exception) -> None:
        rig = people(1, 2)
        before = rig.documents.read(paths.state("employees"))
        run = rig.run()
        rig.vista.fails[table] = error
        with pytest.raises(type(error)):
            rig.plan(run)
        assert rig.documents.read(paths.plan(run.run_id, "employees")) is None
        assert list(rig.documents.list(f"runs/{run.run_id}/employees/batches/")) == []
        assert rig.documents.read(paths.state("employees")) == before

    @pytest.mark.parametrize("table", ["departments", "open jobs", "employees"])
    def test_that_is_empty_is_never_everybody_left(self, table: str) -> None:
        rig = people(1, 2)
        run = rig.run()
        rig.vista.records[table] = []
        with pytest.raises(IncompleteRead, match=f"Vista {table}: the source returned no records"):
            rig.plan(run)
        assert rig.documents.read(paths.plan(run.run_id, "employees")) is None

    @pytest.mark.parametrize("error", [cut_off(), UpstreamUnavailable("503", 503)], ids=repr)
    def test_of_safetyamp_that_was_cut_off_creates_nobody(self, error: SafetyAmpError) -> None:
        rig = people(1)
        rig.hire(a_person(1), a_person(2))
        run = rig.run(refresh=True)
        rig.safetyamp.fails["users"] = error
        with pytest.raises(type(error)) as raised:
            rig.plan(run)
        assert raised.value.only == "listing"
        assert rig.documents.read(paths.plan(run.run_id, "employees")) is None

    def test_of_safetyamp_that_failed_before_anything_was_known_is_no_reason_to_plan_leavers(self) -> None:
        rig = PlanningRig("employees")
        rig.hire(a_person(1))
        rig.safetyamp.fails["users"] = cut_off()
        with pytest.raises(IncompleteRead) as raised:
            rig.plan()
        assert raised.value.only is None

    def test_of_safetyamp_that_lost_much_is_not_believed(self) -> None:
        rig = people(*range(1, 11))
        rig.list_users(*range(1, 8))
        run = rig.run(refresh=True)
        with pytest.raises(IncompleteRead, match=r"listed 7 employees where it listed 10"):
            rig.plan(run)
        assert rig.documents.read(paths.plan(run.run_id, "employees")) is None
        rig.list_users(*range(1, 9))
        assert rig.plan(run)["counts"].get("create", 0) == 0

    def test_goes_past_the_cache_with_refresh_only(self) -> None:
        rig = people(1)
        for request, asked in ({}, 1), ({}, 1), ({"refresh": True}, 2):
            rig.list_users(1)
            run = rig.run(**request)
            rig.deliver(run)
            assert rig.graph_source.asked.count("users") == asked


class TestListing:
    """SafetyAmp is listed when the state is not to be trusted, and not otherwise."""

    def test_is_not_needed_while_the_state_is_good(self) -> None:
        rig = people(1)
        plan = rig.plan()
        assert rig.safetyamp.asked == []
        assert plan["counts"] == {"source": 1, "unchanged": 1}

    @pytest.mark.parametrize(
        "why", ["refresh", "gone", "list anew", "no state", "damaged", "a damaged record"]
    )
    def test_is_made_anew(self, why: str) -> None:
        rig = people(1)
        rig.list_users(1)
        state = rig.state()
        assert state is not None
        if why == "gone":
            state.records["1"][3] = {GONE: True}
        if why == "list anew":
            state.list_anew = True
        if why == "a damaged record":
            state.records["1"][2] = "{'street':"
        rig.know(state)
        if why == "no state":
            rig.documents.delete(paths.state("employees"))
        if why == "damaged":
            rig.documents.write(paths.state("employees"), b"{")
        plan = rig.plan(refresh=why == "refresh")
        assert rig.safetyamp.asked == ["users"]
        assert base_of(rig, plan).target_id("1") == "u1"
        assert plan["counts"] == {"source": 1, "unchanged": 1}

    @pytest.mark.parametrize("damage", ["whole", "one record"])
    def test_of_a_state_that_cannot_be_read_is_told(
        self, damage: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        rig = people(1)
        rig.list_users(1)
        state = rig.state()
        assert state is not None
        state.records["1"][2] = "{'street':"
        rig.know(state)
        if damage == "whole":
            rig.documents.write(paths.state("employees"), b"{")
        with caplog.at_level(logging.ERROR, "shared.sync.planning.planner"):
            rig.plan()
        [record] = [one for one in caplog.records if one.name == "shared.sync.planning.planner"]
        assert vars(record)["event"] == "document_unreadable"
        assert "state/employees" in record.getMessage()

    @pytest.mark.parametrize(
        ("known", "flags"),
        [(False, {}), (True, {}), (True, {GONE: True}), (True, {GONE: UNSURE})],
        ids=["nothing known", "known", "gone", "unsure"],
    )
    def test_of_titles_is_read_twice_as_a_hidden_one_would_be_created_again(
        self, known: bool, flags: Flags
    ) -> None:
        rig = PlanningRig()
        rig.safetyamp.rows["user_titles"] = [{"id": 7, "name": "Welder"}]
        if known:
            state = EntityState("titles")
            state.put("welder", Entry(7, "d", {"name": "Welder"}, flags.copy()))
            rig.know(state)
        rig.plan(refresh=True)
        assert rig.safetyamp.asked == ["user_titles"] * 2

    def test_of_users_is_read_once_since_safetyamp_refuses_a_second_one(self) -> None:
        rig = people(1)
        state = rig.know_users(1)
        state.put("2", Entry(None, None, {}, {GONE: UNSURE, UNSURE_AT: rig.clock.now().isoformat()}))
        rig.know(state)
        rig.list_users(1)
        rig.plan()
        assert rig.safetyamp.asked == ["users"]

    def test_names_what_is_looked_up_anew_with_refresh_only(self) -> None:
        rig = people(1)
        rig.list_users(1)
        for path in map(paths.lookup, ("roles", "asset_types")):
            rig.put(path, {})
        state = rig.state()
        assert state is not None
        state.list_anew = True
        rig.know(state)
        rig.deliver(run := rig.run())
        assert get_run(rig.documents, run.run_id).ended
        assert rig.documents.read(paths.lookup("roles")) is not None
        rig.plan(refresh=True)
        assert rig.documents.read(paths.lookup("roles")) is None
        assert rig.documents.read(paths.lookup("asset_types")) is None


class TestAKnownUserThatAListingLacks:
    def rig(self, missing: str | None = None) -> PlanningRig:
        rig = people(1, 2, 3, 4, 5)
        state = rig.state()
        assert state is not None
        if missing:
            state.missing["u2"] = missing
        rig.know(state)
        rig.list_users(1, 3, 4, 5)
        return rig

    def test_is_told_and_not_created_again(self) -> None:
        plan = self.rig().plan(refresh=True)
        assert plan["counts"] == {"source": 5, "unchanged": 5}
        [problem] = plan["problems"]
        assert (problem["key"], problem["kind"]) == ("2", "reported")
        assert "not in SafetyAmp's last listing, known as id u2" in problem["reason"]

    def test_is_asked_for_by_id_when_the_next_one_lacks_it_too_and_created_when_it_is_not_there(self) -> None:
        rig = self.rig("an earlier run")
        run = rig.run(refresh=True)
        plan = rig.plan(run)
        assert rig.safetyamp.asked == ["users", "users"]
        assert rig.actions(run, plan) == [("create", "2")]
        assert plan["problems"] == []

    def test_stays_known_when_it_is_there_when_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rig = self.rig("an earlier run")
        monkeypatch.setattr(rig.safetyamp, "read", lambda _resource, _id: a_user(2))
        run = rig.run(refresh=True)
        plan = rig.plan(run)
        assert rig.actions(run, plan) == []
        assert base_of(rig, plan).target_id("2") == "u2"


class TestACreationWithoutAnAnswer:
    """It may still be carried out, and no listing shows it before."""

    NOTED = 100.0  # LOST_ANSWER_SECONDS

    def rig(self, seconds_ago: float, *, entity: EntityName = "titles", at: bool = True) -> PlanningRig:
        rig = PlanningRig(entity)
        noted = rig.clock.now() - timedelta(seconds=seconds_ago)
        state = EntityState(entity)
        flags: Flags = {GONE: UNSURE}
        if at:
            flags[UNSURE_AT] = noted.isoformat()
        state.put("welder" if entity == "titles" else "1", Entry(None, None, {}, flags))
        rig.know(state)
        return rig

    @pytest.mark.parametrize(("seconds_ago", "left"), [(0, 100), (99, 1), (-100, 200)])
    def test_is_waited_for(self, seconds_ago: float, left: float) -> None:
        rig = self.rig(seconds_ago)
        with pytest.raises(RateLimited, match="may still be carried out") as raised:
            rig.plan()
        assert raised.value.delay_seconds == left
        assert rig.safetyamp.asked == []

    @pytest.mark.parametrize("seconds_ago", [100, 101, 9999])
    def test_is_settled_after_a_while(self, seconds_ago: float) -> None:
        assert self.rig(seconds_ago).plan()["counts"]["create"] == 1

    def test_is_not_waited_for_when_its_time_is_none_that_our_clock_can_have_noted(self) -> None:
        assert self.rig(-101).plan()["counts"]["create"] == 1

    def test_is_not_waited_for_when_nobody_noted_its_time(self) -> None:
        assert self.rig(0, at=False).plan()["counts"]["create"] == 1

    def test_of_a_user_is_left_to_safetyamp_which_refuses_a_second_one(self) -> None:
        rig = self.rig(0, entity="employees")
        rig.hire(a_person(1))
        assert rig.plan()["counts"]["create"] == 1


class TestTheGuard:
    """Its percentage is of those who are known, or of those who will be, whoever are more."""

    def held(self, rig: PlanningRig, **request: Any) -> list[str]:
        held: list[str] = rig.plan(**request)["held"]
        return held

    @pytest.mark.parametrize(("stay", "held"), [(4, False), (3, True)])
    def test_counts_those_who_are_known(self, stay: int, held: bool) -> None:
        rig = PlanningRig("employees")
        rig.hire(a_leaver(1), *map(a_person, range(2, 2 + stay)))
        rig.know_users(*range(1, 2 + stay))
        reasons = self.held(rig)
        assert reasons == ([f"1 of {stay + 1} people would be deactivated, GUARD_MAX_PERCENT is 20"] * held)

    def test_does_not_hold_the_first_leaver_of_a_company_that_is_still_being_filled_in(self) -> None:
        """Two are known and five are wanted: one of five goes."""
        rig = PlanningRig("employees")
        rig.hire(a_leaver(1), *map(a_person, range(2, 6)))
        rig.know_users(1, 2)
        assert self.held(rig) == []

    def test_does_not_hold_the_leaver_of_a_company_most_of_whose_users_are_not_in_the_source(self) -> None:
        """Ten are known and two are wanted: one of ten goes."""
        rig = PlanningRig("employees")
        rig.hire(a_leaver(1), a_person(2))
        rig.know_users(*range(1, 11))
        plan = rig.plan()
        assert plan["held"] == []
        assert plan["vanished"]["count"] == 8

    def test_counts_no_remembered_failure_as_a_user(self) -> None:
        rig = PlanningRig("employees")
        rig.hire(a_leaver(1), *map(a_person, (2, 3, 4)))
        state = rig.know_users(1, 2, 3, 4)
        for number in range(50, 60):
            state.put(str(number), Entry(None, None, {}, {}))
        rig.know(state)
        assert self.held(rig) == ["1 of 4 people would be deactivated, GUARD_MAX_PERCENT is 20"]

    def test_counts_nobody_who_is_skipped_or_waits(self) -> None:
        rig = PlanningRig("employees")
        future = [a_person(number, hire_date="2027-01-01 00:00:00") for number in range(10, 20)]
        rig.hire(a_leaver(1), a_person(2), *future)
        rig.know_users(1, 2)
        assert self.held(rig) == ["1 of 2 people would be deactivated, GUARD_MAX_PERCENT is 20"]

    def test_knows_its_settings(self) -> None:
        rig = PlanningRig("employees", GUARD_MAX_DEACTIVATIONS="1", GUARD_MAX_PERCENT="50")
        rig.hire(a_leaver(1), a_leaver(2), a_person(3), a_person(4))
        rig.know_users(1, 2, 3, 4)
        assert self.held(rig) == ["2 people would be deactivated, GUARD_MAX_DEACTIVATIONS is 1"]

    def test_holds_a_read_that_lost_much(self) -> None:
        rig = people(*range(1, 9))
        state = rig.state()
        assert state is not None
        state.source_counts = {"Vista employees": 11}
        rig.know(state)
        [reason] = self.held(rig)
        assert reason.startswith("Vista employees: 8 records where the last good run read 11")

    def test_believes_a_read_of_a_size_that_somebody_approved(self) -> None:
        rig = people(*range(1, 9))
        state = rig.state()
        assert state is not None
        state.source_counts, state.approved_counts = {"Vista employees": 11}, {"Vista employees": 8}
        rig.know(state)
        assert self.held(rig) == []

    def test_holds_a_source_that_doubled_but_not_what_is_read_beside(self) -> None:
        rig = people(*range(1, 102))
        state = rig.state()
        assert state is not None
        state.source_counts = {"Vista employees": 51, "Vista latest open jobs": 50}
        rig.know(state)
        assert self.held(rig) == []
        state.source_counts = {"Vista employees": 50}
        rig = people(*range(1, 102))
        rig.know(state)
        [reason] = self.held(rig)
        assert "Vista employees: 101 records where the last good run read 50" in reason


class TestKeysThatLookExchanged:
    """Half of eight known ones vanish, and as many others come."""

    def rig(self, *, digest: str | None = "d", access: int = 1, come: int = 4) -> PlanningRig:
        rig = PlanningRig("employees")
        rig.hire(*map(a_person, range(5, 9)), *map(a_person, range(11, 11 + come)))
        state = rig.know_users(*range(1, 9))
        for key in "1234":
            record = state.entry(key)
            assert record is not None
            record.digest = digest
            record.fields = {**record.fields, "system_access": access}
            state.put(key, record)
        rig.know(state)
        return rig

    def test_are_held(self) -> None:
        [reason] = self.rig().plan()["held"]
        assert "4 of 8 known keys are not in the source any more and 4 new ones would be created" in reason

    def test_are_told_by_what_was_known_before_safetyamp_was_listed(self) -> None:
        rig = self.rig()
        rig.list_users(*range(1, 9))
        [reason] = rig.plan(refresh=True)["held"]
        assert "4 of 8 known keys" in reason

    @pytest.mark.parametrize(
        "why",
        [{"digest": None}, {"access": 0}, {"come": 1}],
        ids=["made by hand", "switched off", "only one comes"],
    )
    def test_are_not_those_of(self, why: dict[str, Any]) -> None:
        assert self.rig(**why).plan()["held"] == []

    def test_are_none_where_nothing_was_known(self) -> None:
        rig = self.rig()
        rig.documents.delete(paths.state("employees"))
        rig.list_users(*range(1, 9))
        assert rig.plan()["held"] == []


class TestARunOfOneRecord:
    """A plan of one person is a small one: the guard looks at what it would be for all."""

    def wrong_read(self) -> PlanningRig:
        rig = PlanningRig("employees")
        rig.hire(*map(a_leaver, range(1, 6)))
        rig.know_users(*range(1, 6))
        return rig

    def test_is_held_when_a_run_of_all_would_be(self) -> None:
        rig = self.wrong_read()
        run = rig.run(keys=("1",))
        plan = rig.plan(run)
        assert rig.actions(run, plan) == [("deactivate", "1")]
        assert plan["held"] == ["5 of 5 people would be deactivated, GUARD_MAX_PERCENT is 20"]

    def test_is_held_too_when_there_is_nothing_to_be_done_for_it(self) -> None:
        rig = people(*range(1, 9))
        state = rig.state()
        assert state is not None
        state.source_counts = {"Vista employees": 11}
        rig.know(state)
        [reason] = rig.plan(keys=("1",))["held"]
        assert "the last good run read 11" in reason

    def test_for_which_nothing_is_to_be_done_is_not_held_for_what_would_be_done_to_others(self) -> None:
        rig = PlanningRig("employees")
        rig.hire(a_leaver(1), a_leaver(2), a_person(3), a_person(4))
        rig.know_users(1, 2, 3, 4)
        assert rig.plan(keys=("3",))["held"] == []

    def test_of_a_small_company_is_not_held_for_being_one_of_one(self) -> None:
        rig = PlanningRig("employees")
        rig.hire(a_leaver(1), *map(a_person, range(2, 10)))
        rig.know_users(*range(1, 10))
        assert rig.plan(keys=("1",))["held"] == []

    def test_changes_nothing_of_what_is_known_of_the_others(self) -> None:
        rig = people(1, 2)
        before = rig.state()
        after = base_of(rig, rig.plan(keys=("1",)))
        assert before is not None
        assert after.digest("1") != before.digest("1")
        assert after.digest("2") == before.digest("2")

    def test_is_looked_at_although_its_digest_says_that_nothing_changed(self) -> None:
        rig = people(1)
        run = rig.run()
        state = base_of(rig, rig.plan(run))
        rig.deliver(run)
        entry = state.entry("1")
        assert entry is not None
        entry.fields = {**entry.fields, "street": "changed by hand"}
        state.put("1", entry)
        rig.know(state)
        run = rig.run()
        assert rig.plan(run)["counts"] == {"source": 1, "unchanged": 1}
        rig.deliver(run)
        assert rig.plan(keys=("1",))["counts"] == {"source": 1, "update": 1}

    def test_is_shown_as_it_was_seen_before_the_plan_was_made(self) -> None:
        rig = people(1, 2)
        [look] = rig.plan(keys=("1",))["looks"]
        assert (look["key"], look["found"], look["target_ids"]) == ("1", "known id", ["u1"])
        assert look["source"]["last_name"] == "Last1"

    @pytest.mark.parametrize("keys", [(), ("1", "2")])
    def test_is_the_only_one_that_is_shown(self, keys: tuple[str, ...]) -> None:
        assert people(1, 2).plan(keys=keys)["looks"] == []

    def test_says_when_it_was_listed_just_now(self) -> None:
        rig = people(1)
        rig.list_users(1)
        [look] = rig.plan(keys=("1",), refresh=True)["looks"]
        assert look["found"] == "listed now"


class TestOnlyLeavers:
    """Where only Graph or SafetyAmp's listing is away, who has left loses access nevertheless."""

    AWAY = OnlyLeavers("Graph is away")
    UNLISTED = OnlyLeavers("no listing", unlisted=True)

    def rig(self) -> PlanningRig:
        rig = PlanningRig("employees")
        rig.hire(a_leaver(1), a_person(2, street="9 New St"), *map(a_person, range(3, 8)))
        state = rig.know_users(*range(1, 7))
        state.source_counts = {"Microsoft Graph users": 90, "Vista employees": 7}
        rig.know(state)
        return rig

    @pytest.mark.parametrize("leavers", [AWAY, UNLISTED], ids=["graph", "listing"])
    def test_are_all_that_is_planned(self, leavers: OnlyLeavers) -> None:
        rig = self.rig()
        run = rig.run()
        plan = rig.plan(run, leavers)
        assert rig.actions(run, plan) == [("deactivate", "1")]
        assert plan["counts"] == {"source": 7, "deactivate": 1, "waiting": 6}
        assert (plan["failed"], plan["held"]) == (leavers.reason, [])

    def test_are_told_without_asking_graph(self) -> None:
        rig = self.rig()
        rig.graph_source.fails["users"] = cut_off()
        rig.plan(only_leavers=self.AWAY)
        assert rig.graph_source.asked == []

    def test_are_found_by_the_ids_that_are_known_when_safetyamp_cannot_be_listed(self) -> None:
        rig = self.rig()
        rig.safetyamp.fails["users"] = cut_off()
        run = rig.run(refresh=True)
        plan = rig.plan(run, self.UNLISTED)
        assert (rig.safetyamp.asked, plan["base"]) == ([], None)
        [change] = read_batch(rig.documents, run.run_id, "employees", plan["plan_id"], 1)
        assert (change.target_id, change.fields) == ("u1", {"system_access": 0})

    def test_are_found_in_a_listing_while_that_can_be_had(self) -> None:
        rig = self.rig()
        rig.list_users(*range(1, 7))
        rig.plan(only_leavers=self.AWAY, refresh=True)
        assert rig.safetyamp.asked == ["users"]

    def test_leave_the_size_of_what_was_not_read_for_the_next_guard(self) -> None:
        plan = self.rig().plan(only_leavers=self.AWAY)
        assert plan["source_counts"]["Microsoft Graph users"] == 90
        assert plan["source_counts"]["Vista employees"] == 7

    def test_are_held_like_any(self) -> None:
        rig = PlanningRig("employees")
        rig.hire(a_leaver(1), a_person(2))
        rig.know_users(1, 2)
        [reason] = rig.plan(only_leavers=self.AWAY)["held"]
        assert reason.startswith("1 of 2 people would be deactivated")

    def test_of_a_run_of_one_record_are_held_when_all_leavers_would_be(self) -> None:
        """Those who wait to be created make the company no larger."""
        rig = PlanningRig("employees")
        rig.hire(a_leaver(1), *map(a_person, range(2, 13)))
        rig.know_users(1, 2)
        assert rig.plan(only_leavers=self.AWAY, keys=("1",))["held"] == [
            "1 of 2 people would be deactivated, GUARD_MAX_PERCENT is 20"
        ]

    def test_fail_nothing_of_a_plan_of_everybody(self) -> None:
        assert self.rig().plan()["failed"] is None


class TestWhatIsKnownAfterwards:
    """A base is stored when it says more than the state."""

    def test_is_stored_after_a_listing_and_when_drafting_found_something(self) -> None:
        rig = people(1)
        run = rig.run()
        first = rig.plan(run)
        assert base_of(rig, first).digest("1") != "d"
        rig.deliver(run)
        run = rig.run()
        assert rig.plan(run)["base"] is None
        rig.deliver(run)
        rig.list_users(1)
        assert rig.plan(refresh=True)["base"] is not None

    @pytest.mark.parametrize(
        ("counts", "approved", "changed"),
        [
            ({"Vista titles": 1}, {}, False),
            ({"Vista titles": 2}, {}, True),
            ({}, {}, True),
            ({"Vista titles": 1, "a read of other settings": 9}, {}, True),
            ({"Vista titles": 1}, {"Vista titles": 1}, True),
        ],
    )
    def test_says_whether_the_sizes_of_the_reads_are_others(
        self, counts: dict[str, int], approved: dict[str, int], changed: bool
    ) -> None:
        rig = PlanningRig()
        rig.know(EntityState("titles", source_counts=counts, approved_counts=approved))
        plan = rig.plan()
        assert plan["counts_changed"] is changed
        assert (plan["source_counts"], plan["approved_counts"]) == ({"Vista titles": 1}, {})

    def test_names_what_has_no_source_any_more(self) -> None:
        rig = people(1)
        rig.know_users(1, 9, 10)
        assert rig.plan()["vanished"] == {"count": 2, "keys": ["10", "9"], "with_access": 2}

    def test_names_those_first_who_may_still_sign_in(self) -> None:
        """Also one whose switching off got no answer, and of those who share a number any."""
        rig = people(1)
        state = rig.know_users(1, 10, 11, 12, 13)
        for key, flags in (("10", {}), ("11", {UNKNOWN: {"system_access": 0}}), ("12", {})):
            state.put(key, Entry(f"u{key}", "d", {"system_access": 0}, cast(Flags, flags)))
        for key, access in (("14", (0, 1)), ("15", (0, 0))):
            state.ambiguous[key] = [f"{key}-{one}" for one in range(2)]
            for target_id, is_on in zip(state.ambiguous[key], access, strict=True):
                state.note_stray(target_id, key, {"system_access": is_on})
        rig.know(state)
        keys = ["11", "13", "14", "10", "12", "15"]
        assert rig.plan()["vanished"] == {"count": 6, "keys": keys, "with_access": 3}

    def test_names_so_many_and_counts_all(self) -> None:
        rig = PlanningRig()
        state = EntityState("titles")
        for number in range(MOST_VANISHED_NAMED + 5):
            state.put(f"t{number:03}", Entry(number, "d", {"name": "x"}, {}))
        rig.know(state)
        vanished = rig.plan()["vanished"]
        assert vanished["count"] == MOST_VANISHED_NAMED + 5
        assert vanished["keys"] == [f"t{number:03}" for number in range(MOST_VANISHED_NAMED)]

    @pytest.mark.parametrize(("entity", "own"), [("departments", "root"), ("jobs", "office:11")])
    def test_does_not_miss_safetyamps_own_records_or_what_is_not_there(
        self, entity: EntityName, own: str
    ) -> None:
        rig = PlanningRig(entity)
        state = EntityState(entity)
        state.put(own, Entry(1, None, {}, {}))
        state.put("never there", Entry(None, None, {}, {}))
        state.put("office", Entry(2, None, {}, {}))
        rig.know(state)
        assert rig.plan()["vanished"] == {"count": 1, "keys": ["office"]}

    def test_counts_what_safetyamp_refuses(self) -> None:
        rig = people(1, 2)
        state = rig.know_users(1, 2)
        state.put("2", Entry("u2", "d", {}, {"failure": {"digest": "x", "errors": {}, "at": "now"}}))
        rig.know(state)
        assert rig.plan()["refused"] == 1


class TestBesideRelease010:
    """A process of that release may apply a plan of titles, and cannot note it in their state."""

    def planned(self, *, mode: str = "apply", titles: int = 1) -> bool:
        """Whether the state says afterwards that SafetyAmp must be listed."""
        rig = PlanningRig()
        rig.vista.records["titles"] = [f"Title {number}" for number in range(titles)] or [None]
        state = EntityState("titles", source_counts={"Vista titles": 500 if mode == "held" else 1})
        rig.know(state)
        rig.plan(mode="plan" if mode == "plan" else "apply")
        after = read_state(rig.documents, "titles")
        assert after is not None
        return after.list_anew

    @pytest.mark.parametrize(
        ("mode", "titles", "distrusted"),
        [("apply", 1, True), ("apply", 0, False), ("plan", 1, False), ("held", 1, False)],
    )
    def test_the_state_is_not_trusted_until_the_outcomes_are_in_it(
        self, mode: str, titles: int, distrusted: bool
    ) -> None:
        assert self.planned(mode=mode, titles=titles) is distrusted

    def test_the_state_of_other_entities_is_trusted(self) -> None:
        rig = people(1)
        rig.hire(a_person(1), a_person(2))
        rig.plan()
        state = rig.state()
        assert state is not None
        assert not state.list_anew


class TestVehicles:
    def rig(self, vehicles: list[dict[str, Any]]) -> PlanningRig:
        rig = PlanningRig("vehicles", **VEHICLES_ON)
        rig.samsara_source.records["vehicles"] = vehicles
        return rig

    def test_with_an_asset_type_of_another_site_are_not_planned(self) -> None:
        rig = self.rig([{"id": "281", "name": "Truck", "serial": "SN1"}])
        rig.safetyamp.rows["asset_types"] = [{"id": 61, "site_id": 52}]
        run = rig.run()
        with pytest.raises(ConfigurationError, match="asset type 61 belongs to site 52"):
            rig.plan(run)
        assert rig.documents.read(paths.plan(run.run_id, "vehicles")) is None

    def test_need_no_asset_type_while_there_is_nothing_to_change(self) -> None:
        rig = self.rig([{"id": "281", "name": "Truck"}])
        rig.safetyamp.rows["asset_types"] = []
        assert rig.plan()["counts"] == {"source": 1, "skipped": 1}


def test_regions_that_safetyamp_has_in_another_spelling_are_those() -> None:
    rig = PlanningRig("departments")
    rig.vista.records["departments"] = [rig.vista.records["departments"][0]._replace(region="COAST")]
    run = rig.run()
    plan = rig.plan(run)
    assert rig.actions(run, plan) == []
    assert plan["counts"] == {"source": 2, "unchanged": 2}


class TestAnApproval:
    """Of a held plan what is still true, made again from the sources as they are now."""

    def held(self, rig: PlanningRig | None = None, **request: Any) -> tuple[PlanningRig, Run]:
        """Two of four leave, unless the rig is another one."""
        if rig is None:
            rig = PlanningRig("employees")
            rig.hire(a_leaver(1), a_leaver(2), a_person(3), a_person(4))
            rig.know_users(1, 2, 3, 4)
        run = rig.run(**request)
        rig.deliver(run)
        assert rig.status(run).phase == "held"
        return rig, run

    def approved(self, rig: PlanningRig, run: Run) -> Run:
        approve(rig.services, run.run_id)
        return get_run(rig.documents, run.run_id)

    def test_is_a_second_plan_that_is_not_held_and_leaves_the_first_as_it_was(self) -> None:
        rig, run = self.held()
        before = rig.stored_plan(run)
        run = self.approved(rig, run)
        plan = rig.plan(run)
        assert rig.actions(run, plan) == [("deactivate", "1"), ("deactivate", "2")]
        assert plan["held"] == []
        assert plan["plan_id"] != before["plan_id"]
        assert read_json(rig.documents, paths.plan(run.run_id, "employees")) == before

    def test_leaves_out_who_is_back_and_adds_nobody_who_was_not_approved(self) -> None:
        rig, run = self.held()
        run = self.approved(rig, run)
        rig.hire(a_leaver(1), a_person(2), a_leaver(3), a_person(4))
        plan = rig.plan(run)
        assert rig.actions(run, plan) == [("deactivate", "1")]
        assert [(one["key"], one["now"]) for one in plan["left_out"]] == [("2", None)]
        assert plan["counts"]["deactivate"] == 1

    def test_asks_the_sources_past_the_cache(self) -> None:
        rig, run = self.held()
        assert rig.graph_source.asked == ["users"]
        rig.plan(self.approved(rig, run))
        assert rig.graph_source.asked == ["users", "users"]

    def test_counts_the_calls_of_both(self) -> None:
        rig, run = self.held()
        before = rig.stored_plan(run)["calls"]
        after = rig.plan(self.approved(rig, run))["calls"]
        assert after == {name: 2 * count for name, count in before.items()}

    def test_refuses_a_source_that_lost_much_since(self) -> None:
        rig, run = self.held()
        run = self.approved(rig, run)
        rig.vista.records["employees"] = [a_leaver(1), a_leaver(2)]
        with pytest.raises(IncompleteRead, match=r"Vista employees: 2 records .* start a new run"):
            rig.plan(run)
        assert rig.documents.read(plan_path(run, "employees")) is None

    def test_does_not_list_safetyamp_again_while_what_the_held_plan_found_is_good(self) -> None:
        rig = PlanningRig("employees")
        rig.hire(a_leaver(1), a_leaver(2), a_person(3), a_person(4))
        rig.list_users(1, 2, 3, 4)
        rig, run = self.held(rig)
        rig.safetyamp.asked.clear()
        plan = rig.plan(self.approved(rig, run))
        assert rig.safetyamp.asked == []
        assert base_of(rig, plan).target_id("4") == "u4"

    def test_lists_safetyamp_again_when_the_state_has_changed_since(self) -> None:
        rig = PlanningRig("employees")
        rig.hire(a_leaver(1), a_leaver(2), a_person(3), a_person(4))
        rig.list_users(1, 2, 3, 4)
        rig, run = self.held(rig, refresh=True)
        rig.know_users(1, 2, 3, 4)
        rig.safetyamp.asked.clear()
        rig.plan(self.approved(rig, run))
        assert rig.safetyamp.asked == ["users"]

    def test_whose_held_plan_is_no_longer_kept_asks_for_a_new_run(self) -> None:
        rig, run = self.held()
        run = self.approved(rig, run)
        rig.documents.delete(paths.plan(run.run_id, "employees"))
        with pytest.raises(IncompleteRead, match="no longer kept: start a new run"):
            rig.plan(run)

    def test_whose_held_batch_is_gone_says_so_and_takes_nothing_for_damage_of_the_state(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        rig, run = self.held()
        batch = paths.batch(run.run_id, "employees", rig.stored_plan(run)["plan_id"], 1)
        run = self.approved(rig, run)
        rig.documents.delete(batch)
        with pytest.raises(UnreadableDocument) as raised:
            rig.plan(run)
        assert raised.value.path == batch
        assert "listing SafetyAmp" not in caplog.text

    def test_of_a_read_that_lost_much_keeps_the_larger_size_until_another_read_agrees(self) -> None:
        rig = people(*range(1, 9))
        state = rig.state()
        assert state is not None
        state.source_counts = {"Vista employees": 11}
        rig.know(state)
        rig, run = self.held(rig)
        plan = rig.plan(self.approved(rig, run))
        assert plan["source_counts"]["Vista employees"] == 11
        assert plan["approved_counts"] == {"Vista employees": 8}
        assert plan["counts_changed"] is True

    def test_of_single_records_keeps_what_was_approved_of_them(self) -> None:
        rig = PlanningRig("employees")
        rig.hire(*map(a_leaver, range(1, 6)))
        rig.know_users(*range(1, 6))
        run = rig.run(keys=("1",))
        rig.deliver(run)
        run = self.approved(rig, run)
        plan = rig.plan(run)
        assert rig.actions(run, plan) == [("deactivate", "1")]
        assert plan["held"] == []


def test_an_error_that_is_no_listing_s_gets_no_note() -> None:
    rig = people(1)
    rig.vista.fails["employees"] = APIError("odd", 409)
    with pytest.raises(APIError) as raised:
        rig.plan(refresh=True)
    assert raised.value.only is None


def test_a_status_is_not_touched_by_planning() -> None:
    rig = people(1)
    run = rig.run()
    rig.plan(run)
    assert rig.status(run) == EntityStatus()
