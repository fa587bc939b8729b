"""Planning as a message asks for it: what is tried again, what ends the entity, and what is sent on."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import (
    APIError,
    BusError,
    CircuitOpen,
    ConfigurationError,
    DatabaseError,
    IncompleteRead,
    RateLimited,
    SafetyAmpError,
    StorageError,
    UnreadableDocument,
    UpstreamUnavailable,
)
from shared.storage.documents import create_json
from shared.sync import paths
from shared.sync.decisions.approve import approve
from shared.sync.documents.outcome import BatchOutcomes, outcomes_to_json
from shared.sync.documents.plans import planning_path, read_plan
from shared.sync.documents.runs import Run, RunRequest, get_run
from shared.sync.documents.state import EntityState
from shared.sync.messages import EntityMessage, parse_batch_message, parse_entity_message
from shared.sync.runs.entity_handler import start_plan, sync_entity
from shared.sync.runs.requests import request_run
from shared.sync.services import Services
from tests.unit.engine_rig import EngineRig, last_long
from tests.unit.planning_rig import VEHICLES_ON, PlanningRig, a_leaver, a_person

CONFIGURATION = ConfigurationError.of("VISTA_COMPANY", "is no company")


class MissingColumnAsWell(DatabaseError, ConfigurationError):
    """As Vista's client raises it: a database's error by a setting."""

    def __init__(self) -> None:
        ConfigurationError.__init__(self, CONFIGURATION.problems)


def cut_off() -> IncompleteRead:
    """Anew each time: planning adds notes to it."""
    return IncompleteRead("page 3 never came")


def failing(monkeypatch: pytest.MonkeyPatch, *errors: BaseException) -> None:
    """Planning raises these in turn, the last one again and again."""
    left = list(errors)

    def fail(*_arguments: Any) -> None:
        raise left.pop(0) if len(left) > 1 else left[0]

    monkeypatch.setattr("shared.sync.runs.entity_handler.make_plan", fail)


@pytest.fixture
def rig() -> PlanningRig:
    return PlanningRig()


@pytest.fixture
def run(rig: PlanningRig) -> Run:
    run = rig.run()
    rig.bus.sent.clear()
    return run


def sent(rig: PlanningRig) -> list[tuple[str, float, int]]:
    """Of entity messages that were sent: how the cause begins, the delay in seconds, and the attempt."""
    messages = [(parse_entity_message(one.body.encode()), one.deliver_at) for one in rig.bus.sent]
    now = rig.clock.now()
    return [
        (message.cause.split("/")[0], (at - now).total_seconds() if at else 0.0, message.attempt)
        for message, at in messages
    ]


def test_a_copy_is_never_taken_for_a_duplicate_of_the_message_at_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also when the wait rounds to nothing at the very moment for which the message was scheduled."""
    failing(monkeypatch, RateLimited("full", 1e-9))
    rig = EngineRig()
    request_run(rig.services, RunRequest(entities=("titles",)))
    for _ in range(3):
        message = rig.bus.sent[-1]
        rig.clock.advance_to(message.deliver_at or rig.clock.now())
        sync_entity(rig.services, parse_entity_message(message.body.encode()))
    ids = rig.bus.ids
    assert len(ids) == 4
    assert len(set(ids)) == 4


class TestNothingIsDone:
    def test_for_a_run_that_there_is_not(self, rig: PlanningRig) -> None:
        sync_entity(rig.services, EntityMessage("20260105-120000-aaaaaa", "titles", "start"))
        assert (rig.bus.sent, rig.vista.asked) == ([], [])

    def test_for_an_entity_that_the_run_does_not_have(self, rig: PlanningRig, run: Run) -> None:
        sync_entity(rig.services, EntityMessage(run.run_id, "jobs", "start"))
        assert (rig.bus.sent, rig.vista.asked) == ([], [])

    def test_for_a_run_that_has_ended(self, rig: PlanningRig) -> None:
        rig.vista.records["titles"] = [None]
        run = rig.run()
        rig.deliver(run)
        assert get_run(rig.documents, run.run_id).phase == "done"
        before = rig.documents.read(paths.report(run.run_id))
        rig.bus.sent.clear()
        rig.deliver(run)
        assert rig.bus.sent == []
        assert rig.documents.read(paths.report(run.run_id)) == before, "it is written once"

    def test_before_what_the_entity_needs_has_ended(self) -> None:
        rig = PlanningRig("jobs")
        run = rig.run(entities=("departments", "jobs"))
        rig.bus.sent.clear()
        rig.deliver(run)
        assert (rig.bus.sent, rig.vista.asked, rig.status(run).phase) == ([], [], "pending")


def test_a_message_of_an_entity_that_has_ended_lets_those_go_on_that_waited_for_it() -> None:
    """Whoever ended it may have died before sending theirs."""
    rig = PlanningRig("departments")
    run = rig.run(entities=("departments", "jobs"))
    rig.deliver(run)
    assert rig.status(run).phase == "done"
    rig.bus.sent.clear()
    rig.deliver(run)
    [message] = rig.bus.sent
    assert parse_entity_message(message.body.encode()).entity == "jobs"


class TestAPlan:
    def test_has_its_batches_sent_one_window_apart(self, rig: PlanningRig, run: Run) -> None:
        rig.vista.records["titles"] = [f"Title {number}" for number in range(120)]
        rig.deliver(run)
        messages = [(parse_batch_message(one.body.encode()).batch, one.deliver_at) for one in rig.bus.sent]
        now = rig.clock.now()
        assert messages == [(1, None), (2, now + timedelta(seconds=61)), (3, now + timedelta(seconds=122))]
        assert rig.status(run).phase == "applying"

    def test_is_made_once_and_only_what_is_missing_is_sent_again(self, rig: PlanningRig, run: Run) -> None:
        rig.vista.records["titles"] = [f"Title {number}" for number in range(120)]
        rig.deliver(run)
        plan = rig.stored_plan(run)
        create_json(
            rig.documents,
            paths.outcome(run.run_id, "titles", 2),
            {
                **outcomes_to_json(BatchOutcomes([]).outcomes),
                "calls": {},
                "requests": {},
                "waited_seconds": 0.0,
            },
        )
        rig.bus.sent.clear()
        rig.deliver(run, cause="sweep/1")
        assert rig.stored_plan(run) == plan
        assert rig.vista.asked == ["titles"]
        messages = [parse_batch_message(one.body.encode()) for one in rig.bus.sent]
        assert [(message.batch, message.cause) for message in messages] == [(1, "sweep/1"), (3, "sweep/1")]

    def test_of_somebody_who_died_of_it_is_the_one_that_is_acted_on(self, rig: PlanningRig, run: Run) -> None:
        """Its message comes again, and nobody has looked for a plan that hardly ever is there."""
        first = rig.plan(run)
        rig.vista.records["titles"] = [None]
        rig.deliver(run)
        assert (rig.stored_plan(run), rig.status(run).phase) == (first, "applying")
        [message] = rig.bus.sent
        assert parse_batch_message(message.body.encode()).batch == 1

    @pytest.mark.parametrize("error", [CONFIGURATION, KeyError("Pat")], ids=["setting", "unexpected"])
    def test_that_is_there_does_not_fail_because_another_cannot_be_made(
        self, rig: PlanningRig, run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        rig.plan(run)
        failing(monkeypatch, error)
        rig.deliver(run)
        assert rig.status(run).phase == "applying"
        assert len(rig.bus.sent) == 1

    def test_that_is_being_applied_is_not_made_again_for_the_same_message(
        self, rig: PlanningRig, run: Run
    ) -> None:
        rig.deliver(run)
        rig.deliver(run)
        assert rig.vista.asked == ["titles"]

    def test_of_nothing_ends_the_entity_at_once(self, rig: PlanningRig, run: Run) -> None:
        rig.vista.records["titles"] = [None]
        rig.deliver(run)
        assert (rig.bus.sent, rig.status(run).phase) == ([], "done")
        assert rig.status(run).counts["skipped"] == 1

    def test_of_a_run_that_only_plans_is_not_sent(
        self, rig: PlanningRig, caplog: pytest.LogCaptureFixture
    ) -> None:
        run = rig.run(mode="plan")
        rig.bus.sent.clear()
        rig.deliver(run)
        assert (rig.bus.sent, rig.status(run).phase) == ([], "planned")
        assert rig.status(run).planned["create"] == 1
        assert "is held" not in caplog.text

    def held(self, **request: Any) -> tuple[PlanningRig, Run]:
        rig = PlanningRig("employees")
        rig.hire(a_leaver(1), a_person(2))
        rig.know_users(1, 2)
        run = rig.run(**request)
        rig.bus.sent.clear()
        rig.deliver(run)
        return rig, run

    def test_that_is_held_is_not_sent_and_told_with_the_reasons(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        rig, run = self.held()
        assert rig.bus.sent == []
        reason = "1 of 2 people would be deactivated, GUARD_MAX_PERCENT is 20"
        assert (rig.status(run).phase, rig.status(run).reason) == ("held", reason)
        [record] = [one for one in caplog.records if vars(one).get("event") == "guard_held"]
        assert (vars(record)["entity"], vars(record)["reasons"]) == ("employees", [reason])

    def test_that_would_be_held_holds_nothing_in_a_run_that_only_plans(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        rig, run = self.held(mode="plan")
        assert rig.status(run).phase == "planned"
        assert "GUARD_MAX_PERCENT" in (rig.status(run).reason or "")
        assert "guard_held" not in [vars(one).get("event") for one in caplog.records]

    def test_that_was_approved_is_sent_as_it_was_made_again(self) -> None:
        rig, run = self.held()
        approve(rig.services, run.run_id)
        rig.deliver_next()
        [message] = rig.bus.sent
        assert parse_batch_message(message.body.encode()).batch == 1
        assert rig.status(run).phase == "applying"

    @pytest.mark.parametrize("phase", ["held", "cancelled"])
    def test_does_not_bring_an_entity_back_that_has_ended_meanwhile(
        self, rig: PlanningRig, run: Run, phase: Any
    ) -> None:
        rig.plan(run)
        plan = read_plan(rig.documents, run, "titles")
        assert plan is not None

        def end(status: Any) -> None:
            status.phase = phase

        rig.change_status(run, end)
        rig.bus.sent.clear()
        start_plan(rig.services, run, "titles", plan, cause="start")
        assert (rig.status(run).phase, rig.bus.sent) == (phase, [])

    def test_does_not_begin_what_was_approved_meanwhile_with_the_plan_of_before(
        self, rig: PlanningRig, run: Run
    ) -> None:
        rig.plan(run)
        plan = read_plan(rig.documents, run, "titles")
        assert plan is not None

        def approve_it(status: Any) -> None:
            status.approval = "another"

        rig.change_status(run, approve_it)
        start_plan(rig.services, run, "titles", plan, cause="start")
        assert rig.status(run).phase == "pending"


class TestPlanningIsTriedAgain:
    def test_when_the_window_is_free_and_as_often_as_it_takes(
        self, rig: PlanningRig, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        failing(monkeypatch, RateLimited("full", 12.5))
        rig.deliver(run, attempt=3)
        assert sent(rig) == [("wait", 12.5, 3)]
        assert rig.status(run).phase == "pending"

    @pytest.mark.parametrize(
        ("error", "delay"),
        [
            (CircuitOpen("open", 45.0), 45.0),
            (UpstreamUnavailable("503", 503), 30.0),
            (DatabaseError("away"), 30.0),
        ],
        ids=["breaker", "upstream", "vista"],
    )
    def test_some_times_after_an_outage(
        self, rig: PlanningRig, run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, delay: float
    ) -> None:
        failing(monkeypatch, error)
        rig.deliver(run)
        assert sent(rig) == [("retry", delay, 2)]
        rig.bus.sent.clear()
        rig.deliver(run, attempt=2)
        assert sent(rig) == [("retry", delay, 3)]
        rig.bus.sent.clear()
        rig.deliver(run, attempt=3)
        assert (sent(rig), rig.status(run).phase, rig.status(run).reason) == ([], "failed", str(error))

    def test_when_somebody_else_s_lease_has_run_out(self, rig: PlanningRig, run: Run) -> None:
        rig.documents.acquire_lease(planning_path(run, "titles"), 60)
        rig.deliver(run, attempt=2)
        assert sent(rig) == [("busy", 60.0, 2)]
        assert rig.vista.asked == []

    def test_by_the_next_sweep_where_a_sweep_asked(self, rig: PlanningRig, run: Run) -> None:
        """Copies of each of its messages would pile up during a long listing."""
        rig.documents.acquire_lease(planning_path(run, "titles"), 60)
        rig.deliver(run, cause="sweep/20260105120000")
        assert rig.bus.sent == []
        assert rig.status(run).phase == "pending"

    @pytest.mark.parametrize("error", [StorageError("away"), BusError("away")], ids=repr)
    def test_by_the_bus_where_nothing_could_be_stored_or_sent(
        self, rig: PlanningRig, run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        failing(monkeypatch, error)
        with pytest.raises(type(error)):
            rig.deliver(run)
        assert rig.status(run).phase == "pending"

    def test_without_listing_safetyamp_again_when_only_the_next_call_had_no_place(self) -> None:
        rig = PlanningRig("vehicles", **VEHICLES_ON)
        rig.samsara_source.records["vehicles"] = [{"id": "281", "name": "Truck", "serial": "SN1"}]
        run = rig.run()
        rig.safetyamp.fails["asset_types"] = RateLimited("full", 30.0)
        rig.deliver(run)
        assert rig.safetyamp.asked == ["assets", "assets", "asset_types"]
        rig.safetyamp.fails.clear()
        rig.safetyamp.asked.clear()
        rig.deliver_next()
        assert rig.safetyamp.asked == ["asset_types"]
        assert rig.status(run).phase == "applying"
        assert rig.stored_plan(run)["calls"]["safetyamp"] == 4


class TestPlanningFails:
    @pytest.mark.parametrize(
        "error",
        [CONFIGURATION, MissingColumnAsWell(), cut_off(), APIError("odd", 409)],
        ids=["setting", "column", "cut off", "odd answer"],
    )
    def test_at_once_where_trying_again_cannot_help(
        self, rig: PlanningRig, run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        failing(monkeypatch, error)
        rig.deliver(run)
        assert rig.bus.sent == []
        assert (rig.status(run).phase, rig.status(run).reason) == ("failed", str(error))
        assert get_run(rig.documents, run.run_id).phase == "failed"

    def test_for_an_error_that_nobody_thought_of_which_would_come_again_for_ever(
        self, rig: PlanningRig, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        failing(monkeypatch, KeyError("Pat"))
        rig.deliver(run)
        assert rig.status(run).reason == "unexpected KeyError while planning, see the log"

    def test_and_what_its_calls_cost_is_counted_nevertheless(self, rig: PlanningRig, run: Run) -> None:
        rig.safetyamp.fails["user_titles"] = APIError("odd", 409)
        rig.deliver(run)
        status = rig.status(run)
        assert status.calls == {"vista": 1, "safetyamp": 1}
        assert status.requests == {"vista|GET titles|ok": 1, "safetyamp|GET user_titles|2xx": 1}

    def test_and_entities_that_waited_go_on(self) -> None:
        rig = PlanningRig("departments")
        rig.vista.fails["departments"] = cut_off()
        run = rig.run(entities=("departments", "jobs"))
        rig.bus.sent.clear()
        rig.deliver(run)
        assert rig.status(run).phase == "failed"
        [message] = rig.bus.sent
        assert parse_entity_message(message.body.encode()).entity == "jobs"

    def test_by_a_plan_that_cannot_be_read(self, rig: PlanningRig, run: Run) -> None:
        rig.documents.write(paths.plan(run.run_id, "titles"), b"{")
        rig.deliver(run)
        assert rig.status(run).phase == "failed"
        assert "plan.json cannot be read" in (rig.status(run).reason or "")

    def test_by_an_unexpected_error_after_planning(
        self, rig: PlanningRig, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any, **__: Any) -> None:
            raise KeyError("nobody thought of it")

        with monkeypatch.context() as patched:
            patched.setattr("shared.sync.runs.entity_handler.all_batches", fail)
            rig.deliver(run)
        assert rig.status(run).stop_reason == "unexpected KeyError after planning, see the log"
        [message] = rig.bus.sent
        assert (parse_batch_message(message.body.encode()).batch, message.deliver_at) == (1, None)

    def test_not_by_an_expected_one_after_it_which_the_bus_brings_again(
        self, rig: PlanningRig, run: Run
    ) -> None:
        rig.bus.away = True
        with pytest.raises(BusError):
            rig.deliver(run)
        assert rig.status(run).stop_reason is None

    def test_not_by_a_run_document_that_was_damaged_meanwhile(
        self, rig: PlanningRig, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever reads it next gives up the whole run."""
        damage = UnreadableDocument(paths.run(run.run_id), "is no JSON")

        def fail(*_: Any, **__: Any) -> None:
            raise damage

        monkeypatch.setattr("shared.sync.runs.entity_handler.change_run", fail)
        with pytest.raises(UnreadableDocument):
            rig.deliver(run)
        assert rig.status(run).phase == "pending"


class TestOnlyLeavers:
    """Nobody who has left keeps access because something else cannot be read."""

    def rig(self, **settings: str) -> PlanningRig:
        rig = PlanningRig("employees", **settings)
        rig.hire(a_leaver(1), a_person(2, street="9 New St"), *map(a_person, range(3, 8)))
        rig.know_users(*range(1, 7))
        rig.list_users(*range(1, 7))
        return rig

    def planned(self, rig: PlanningRig, run: Run) -> list[tuple[str, str]]:
        return rig.actions(run, rig.stored_plan(run))

    def test_are_planned_when_graph_is_away_and_the_entity_fails_nevertheless(self) -> None:
        rig = self.rig()
        rig.graph_source.fails["users"] = cut_off()
        run = rig.run()
        rig.deliver(run)
        assert self.planned(rig, run) == [("deactivate", "1")]
        failed = rig.stored_plan(run)["failed"]
        assert failed == (
            "only leavers were looked at, because Microsoft Graph could not be read: page 3 never came"
        )
        assert rig.status(run).phase == "applying"

    def test_are_planned_when_graph_shows_nobody(self) -> None:
        rig = self.rig()
        rig.graph_source.records["users"] = []
        run = rig.run()
        rig.deliver(run)
        assert self.planned(rig, run) == [("deactivate", "1")]
        assert "Microsoft Graph users: the source returned no records" in rig.stored_plan(run)["failed"]

    def test_are_not_planned_when_graph_and_vista_show_nobody(self) -> None:
        rig = self.rig()
        rig.graph_source.records["users"] = []
        rig.vista.records["employees"] = []
        run = rig.run()
        rig.deliver(run)
        assert rig.documents.read(paths.plan(run.run_id, "employees")) is None
        assert rig.status(run).phase == "failed"

    def test_are_planned_only_after_graph_was_tried_as_often_as_anything(self) -> None:
        rig = self.rig()
        rig.graph_source.fails["users"] = UpstreamUnavailable("503", 503)
        run = rig.run()
        rig.deliver(run)
        for attempt in (2, 3):
            assert rig.documents.read(paths.plan(run.run_id, "employees")) is None
            assert rig.deliver_next().attempt == attempt
        assert self.planned(rig, run) == [("deactivate", "1")]

    def test_are_planned_by_known_ids_when_safetyamp_cannot_be_listed(self) -> None:
        rig = self.rig()
        rig.safetyamp.fails["users"] = cut_off()
        run = rig.run(refresh=True)
        rig.deliver(run)
        assert self.planned(rig, run) == [("deactivate", "1")]
        assert "because SafetyAmp could not be listed: page 3" in rig.stored_plan(run)["failed"]
        assert rig.safetyamp.asked == ["users"]

    def test_are_planned_when_both_are_away_with_the_first_reason(self) -> None:
        rig = self.rig()
        rig.graph_source.fails["users"] = cut_off()
        rig.safetyamp.fails["users"] = APIError("odd", 409)
        run = rig.run(refresh=True)
        rig.deliver(run)
        assert self.planned(rig, run) == [("deactivate", "1")]
        assert "Microsoft Graph could not be read" in rig.stored_plan(run)["failed"]

    @pytest.mark.parametrize(
        "away",
        [
            {"vista": "employees"},
            {"vista": "departments"},
            {"graph": "users", "vista": "employees"},
        ],
        ids=["people", "departments", "graph and people"],
    )
    def test_are_not_planned_when_vista_is_away(self, away: dict[str, str]) -> None:
        rig = self.rig()
        for system, table in away.items():
            source = rig.vista if system == "vista" else rig.graph_source
            source.fails[table] = cut_off()
        run = rig.run()
        rig.deliver(run)
        assert rig.documents.read(paths.plan(run.run_id, "employees")) is None
        assert (rig.status(run).phase, rig.status(run).reason) == ("failed", "page 3 never came")

    def test_are_not_planned_after_another_failure_though_its_cause_be_gone(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rig = self.rig()
        read = rig.vista.read

        def failing_once(name: str) -> Any:
            monkeypatch.setattr(rig.vista, "read", read)
            raise cut_off()

        monkeypatch.setattr(rig.vista, "read", failing_once)
        run = rig.run()
        rig.deliver(run)
        assert rig.documents.read(paths.plan(run.run_id, "employees")) is None
        assert rig.status(run).phase == "failed"

    def test_are_not_planned_of_an_empty_source_of_employees_while_graph_is_away(self) -> None:
        rig = self.rig()
        rig.graph_source.fails["users"] = cut_off()
        rig.vista.records["employees"] = []
        run = rig.run()
        rig.deliver(run)
        assert rig.documents.read(paths.plan(run.run_id, "employees")) is None

    def test_are_not_planned_where_nobody_is_known_and_safetyamp_cannot_be_listed(self) -> None:
        rig = self.rig()
        rig.documents.delete(paths.state("employees"))
        rig.safetyamp.fails["users"] = cut_off()
        run = rig.run()
        rig.deliver(run)
        assert rig.status(run).phase == "failed"

    def test_are_a_matter_of_employees(self) -> None:
        rig = PlanningRig("jobs")
        rig.know(EntityState("jobs"))
        rig.safetyamp.fails["sites"] = cut_off()
        run = rig.run(refresh=True)
        rig.deliver(run)
        assert rig.status(run).phase == "failed"
        assert rig.documents.read(paths.plan(run.run_id, "jobs")) is None

    @pytest.mark.parametrize(
        ("stumble", "message"),
        [(RateLimited("full", 7.0), ("wait", 7.0, 3)), (None, ("busy", 60.0, 3))],
        ids=["window", "lease"],
    )
    def test_are_planned_later_where_they_cannot_be_now(
        self, monkeypatch: pytest.MonkeyPatch, stumble: Exception | None, message: tuple[str, float, int]
    ) -> None:
        rig = self.rig()
        run = rig.run(refresh=True)
        rig.bus.sent.clear()
        rig.graph_source.fails["users"] = UpstreamUnavailable("503", 503)
        if stumble:
            rig.safetyamp.fails["users"] = stumble
        else:
            # Somebody takes the lease between the two attempts.
            release = rig.documents.release_lease

            def taken(path: str, lease_id: str) -> None:
                release(path, lease_id)
                monkeypatch.setattr(rig.documents, "release_lease", release)
                rig.documents.acquire_lease(path, 60)

            monkeypatch.setattr(rig.documents, "release_lease", taken)
        rig.deliver(run, attempt=3)
        assert sent(rig) == [message]
        assert rig.status(run).phase == "pending"

    @pytest.mark.parametrize("error", [StorageError("away"), BusError("away")], ids=repr)
    def test_are_tried_again_by_the_bus_where_nothing_could_be_stored(
        self, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        first = cut_off()
        first.only = "accounts"
        failing(monkeypatch, first, error)
        rig = self.rig()
        run = rig.run()
        with pytest.raises(type(error)):
            rig.deliver(run)
        assert rig.status(run).phase == "pending"

    def test_are_looked_at_without_a_listing_once_and_no_more(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tried: list[Any] = []

        def fail(*arguments: Any) -> None:
            tried.append(arguments[-1])
            assert len(tried) < 5, "it goes on and on"
            error: SafetyAmpError = cut_off()
            error.only = "listing"
            raise error

        monkeypatch.setattr("shared.sync.runs.entity_handler.make_plan", fail)
        rig = self.rig()
        run = rig.run()
        rig.deliver(run)
        assert [leavers and leavers.unlisted for leavers in tried] == [None, True]
        assert rig.status(run).phase == "failed"


class TestAnApprovalThatCannotBePlanned:
    """What was held is held as before: nobody approved its leavers alone."""

    @pytest.mark.parametrize(
        "away", [lambda rig: rig.graph_source, lambda rig: rig.vista], ids=["graph", "vista"]
    )
    def test_is_held_again_with_both_reasons(self, away: Callable[[PlanningRig], Any]) -> None:
        rig = PlanningRig("employees")
        rig.hire(a_leaver(1), a_person(2))
        rig.know_users(1, 2)
        run = rig.run()
        rig.bus.sent.clear()
        rig.deliver(run)
        approve(rig.services, run.run_id)
        source = away(rig)
        source.fails["users" if "users" in source.records else "employees"] = cut_off()
        rig.deliver_next()
        status = rig.status(run)
        assert status.phase == "held"
        assert status.reason == (
            "it was approved, but nothing was applied: page 3 never came; it is held because"
            " 1 of 2 people would be deactivated, GUARD_MAX_PERCENT is 20"
        )
        assert rig.bus.sent == []
        source.fails.clear()
        approve(rig.services, run.run_id)
        rig.deliver_next()
        assert rig.status(run).phase == "applying"


@pytest.mark.parametrize(("keys", "first"), [((), False), (("1",), True), (("1", "2"), False)])
def test_a_run_of_one_record_goes_first_in_the_window(
    monkeypatch: pytest.MonkeyPatch, keys: tuple[str, ...], first: bool
) -> None:
    seen: list[bool] = []

    def look(services: Services, *_: Any) -> None:
        seen.append(services.work.lane == "interactive")
        raise RateLimited("full", 1.0)

    monkeypatch.setattr("shared.sync.runs.entity_handler.make_plan", look)
    rig = PlanningRig("employees")
    rig.deliver(rig.run(keys=keys))
    assert seen == [first]


def test_the_lease_of_planning_is_renewed_before_each_of_its_calls() -> None:
    """Of the listing, and of what else SafetyAmp is asked."""
    rig = PlanningRig("vehicles", **VEHICLES_ON)
    rig.samsara_source.records["vehicles"] = [{"id": "281", "name": "Truck", "serial": "SN1"}]
    run = rig.run()
    listed = last_long(rig, planning_path(run, "vehicles"))
    rig.deliver(run)
    assert listed == ["assets", "assets", "asset_types"]
    assert rig.status(run).phase == "applying"


def test_the_garbage_collector_rests_while_planning_only(
    rig: PlanningRig, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []

    def look(*_: Any) -> None:
        seen.append(gc.isenabled())
        raise KeyError

    monkeypatch.setattr("shared.sync.runs.entity_handler.make_plan", look)
    rig.deliver(run)
    assert (seen, gc.isenabled()) == ([False], True)


def test_what_is_logged_says_which_run_and_entity(
    rig: PlanningRig, run: Run, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, UpstreamUnavailable("no answer"))
    with caplog.at_level(logging.WARNING, "shared.sync.runs.entity_handler"):
        rig.deliver(run)
    assert [record.getMessage() for record in caplog.records] == [
        "planning titles failed, trying again: no answer"
    ]
