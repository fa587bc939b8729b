"""One record while the caller waits: an ordinary run, carried out here, and handed on when time runs out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from shared.errors import (
    BusError,
    DatabaseError,
    IncompleteRead,
    InvalidRecord,
    Paused,
    RateLimited,
    RunConflict,
)
from shared.queries.on_demand import TRY_AGAIN_SECONDS, WORK_SECONDS, record_steps, sync_record
from shared.sync import paths
from shared.sync.documents.active import active_run_id
from shared.sync.documents.control import Pause, add_pauses
from shared.sync.documents.runs import RunRequest
from shared.sync.documents.state import Entry, read_state
from shared.sync.runs.entity_handler import sync_entity
from shared.sync.runs.requests import request_run
from tests.unit.engine_rig import PagedSafetyAmp
from tests.unit.operations_rig import OperationsRig, answers

NO_STEPS = dict.fromkeys(
    ("source", "rejected", "mapped", "target", "problems", "difference", "call", "result")
)


class SafetyAmp(PagedSafetyAmp):
    """Creates whatever it is sent, unless `answer` raises; `at` are the times of the calls."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self.answer: Callable[[], None] = lambda: None
        self.at: list[float] = []
        self.created: list[dict[str, Any]] = []

    def create(self, _resource: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        self.work.before_call(self._clock())  # as the pipeline does before each call
        self.at.append(self._clock())
        self.answer()
        self.created.append(dict(payload))
        return {"id": 100 + len(self.created), **payload}


class OnDemandRig(OperationsRig):
    """Titles foreman and welder in the source; foreman in SafetyAmp too."""

    def __init__(self) -> None:
        super().__init__()
        self.safetyamp = self.target = SafetyAmp(self.clock.monotonic)
        self.target.pages = [[{"id": 3, "name": "Foreman"}]]
        self.sources.titles_rows = ["Foreman", "Welder", None]
        self.keep_state({"foreman": Entry(3, "d", {"name": "Foreman"}, {})}, "titles")
        self.began = self.clock.monotonic()

    def sync(self, key: str = "welder", mode: Any = "apply", **how: bool) -> dict[str, Any]:
        options = {"refresh": False, "retry_failed": True, **how}
        answer: dict[str, Any] = answers("sync", sync_record(self.services, "titles", key, mode, **options))
        return answer

    def steps(self, key: str = "welder", mode: Any = "apply") -> dict[str, Any]:
        return dict(self.sync(key, mode)["steps"])

    @property
    def seconds(self) -> float:
        """How long the caller has waited."""
        return self.clock.monotonic() - self.began

    @property
    def batch_messages(self) -> list[str]:
        return [message.message_id for message in self.bus.sent if message.queue == self.settings.batch_queue]


@pytest.fixture
def rig() -> OnDemandRig:
    return OnDemandRig()


# -- what is done ----------------------------------------------------------------------------------------


def test_a_record_is_synced_at_once_and_each_step_is_told(rig: OnDemandRig) -> None:
    answer = rig.sync(" WELDER")
    assert (answer["entity"], answer["key"], answer["mode"]) == ("titles", "welder", "apply")
    assert (answer["phase"], answer["reason"]) == ("done", None)
    assert answer["url"] == f"/api/runs/{answer['run_id']}"
    assert answer["steps"] == {
        "source": {"found": True, "record": {"title": "Welder"}},
        "rejected": None,
        "mapped": {"mapped": {}, "defaults": {"name": "Welder"}, "active": True, "warnings": []},
        "target": {"found": "nothing", "target_ids": [], "known": None},
        "problems": [],
        "difference": {"action": "create", "before": {}, "after": {"name": "Welder"}},
        "call": {"method": "POST", "path": "/api/user_titles"},
        "result": {
            **{"result": "created", "target_id": 101, "adopted": False, "dropped": {}, "errors": {}},
            **{"reason": None, "at": rig.clock.now().isoformat()},
        },
    }
    assert rig.target.created == [{"name": "Welder"}]
    state = read_state(rig.documents, "titles")
    assert state is not None
    assert (state.target_id("welder"), state.target_id("foreman")) == (101, 3)
    assert active_run_id(rig.documents) is None


def test_what_is_as_it_should_be_needs_no_call(rig: OnDemandRig) -> None:
    steps = rig.steps("foreman")
    assert steps["target"] == {"found": "known id", "target_ids": [3], "known": {"name": "Foreman"}}
    assert (steps["difference"], steps["call"], steps["result"]) == (None, None, None)
    assert rig.target.at == []


def test_a_key_that_is_nowhere_is_told_as_that(rig: OnDemandRig) -> None:
    steps = rig.steps("cook")
    assert steps["source"] == {"found": False, "record": None}
    assert (steps["target"]["found"], steps["mapped"], steps["difference"]) == ("nothing", None, None)


def test_what_is_rejected_is_told_with_the_rule(rig: OnDemandRig) -> None:
    rig.keep_state({}, "titles", ambiguous={"welder": [3, 4]})
    steps = rig.steps()
    assert steps["target"]["target_ids"] == [3, 4]
    assert len(steps["problems"]) == 1
    assert "ids 3, 4" in steps["problems"][0]


def test_a_row_that_is_rejected_is_shown_with_its_rule(rig: OnDemandRig) -> None:
    steps = rig.steps("?")
    assert (steps["rejected"]["key"], steps["rejected"]["kind"]) == ("?", "skipped")
    assert (steps["mapped"], steps["source"]["record"]) == (None, None)


def test_what_is_only_planned_is_not_sent(rig: OnDemandRig) -> None:
    answer = rig.sync(mode="plan")
    assert (answer["phase"], answer["mode"]) == ("planned", "plan")
    steps = answer["steps"]
    assert (steps["difference"]["action"], steps["call"]) == ("create", None)
    assert steps["result"]["result"] == "planned"
    assert rig.target.at == []


def test_what_safetyamp_refuses_is_told_with_its_texts(rig: OnDemandRig) -> None:
    def refuse() -> None:
        raise InvalidRecord("no", 422, field_errors={"name": ["too long"]})

    rig.target.answer = refuse
    steps = rig.steps()
    assert (steps["result"]["result"], steps["result"]["errors"]) == ("refused", {"name": ["too long"]})
    assert steps["call"] is not None


def test_a_source_that_is_not_to_be_believed_ends_the_run_with_that_reason(rig: OnDemandRig) -> None:
    rig.sources.away = IncompleteRead("the read was cut off")
    answer = rig.sync()
    assert (answer["phase"], answer["reason"]) == ("failed", "the read was cut off")
    assert answer["steps"] == NO_STEPS


def test_a_source_that_does_not_answer_is_asked_again_by_a_message_meanwhile(rig: OnDemandRig) -> None:
    rig.sources.away = DatabaseError("Vista is away")
    answer = rig.sync()
    assert (answer["phase"], answer["steps"]) == ("running", NO_STEPS)
    assert (len(rig.bus.sent), rig.seconds) == (1, WORK_SECONDS)


@pytest.mark.parametrize(("how", "asked"), [("refresh", "refresh"), ("retry_failed", "retry_failed")])
@pytest.mark.parametrize("value", [True, False])
def test_the_run_is_asked_for_as_the_caller_says(rig: OnDemandRig, how: str, asked: str, value: bool) -> None:
    run = rig.the_run(rig.sync("foreman", **{how: value})["run_id"])
    assert getattr(run.request, asked) is value
    assert (run.request.entities, run.request.keys, run.request.mode) == (("titles",), ("foreman",), "apply")


# -- beside other runs -----------------------------------------------------------------------------------


def test_while_another_run_is_under_way_it_is_refused_with_that_runs_id(rig: OnDemandRig) -> None:
    run_id = request_run(rig.services, RunRequest(entities=("jobs",)))
    with pytest.raises(RunConflict, match=run_id):
        rig.sync()
    assert (active_run_id(rig.documents), rig.target.at) == (run_id, [])


def test_what_is_paused_is_not_synced(rig: OnDemandRig) -> None:
    add_pauses(rig.documents, ["titles"], Pause("2026-01-05T06:00:00+00:00", "moving"))
    with pytest.raises(Paused, match="moving"):
        rig.sync()
    assert active_run_id(rig.documents) is None


def test_an_entity_that_is_off_is_told_with_the_settings(rig: OnDemandRig) -> None:
    options = {"refresh": False, "retry_failed": True}
    answer = answers("sync", sync_record(rig.services, "vehicles", "281", "apply", **options))
    assert (answer["phase"], answer["steps"]) == ("done", NO_STEPS)
    assert "SAFETYAMP_VEHICLE_SITE_ID" in answer["reason"]
    assert active_run_id(rig.documents) is None


def test_a_plan_that_the_guard_holds_is_told_and_not_applied(rig: OnDemandRig) -> None:
    foreman = {"foreman": Entry(3, "d", {"name": "Foreman"}, {})}
    rig.keep_state(foreman, "titles", source_counts={"Vista titles": 100})
    answer = rig.sync()
    assert answer["phase"] == "held"
    assert "3 records where the last good run read 100" in answer["reason"]
    assert answer["steps"]["difference"]["after"] == {"name": "Welder"}
    assert (answer["steps"]["call"], rig.target.at) == (None, [])


def test_without_a_bus_it_is_done_all_the_same(rig: OnDemandRig) -> None:
    rig.bus.away = True
    answer = rig.sync()
    assert (answer["phase"], rig.target.created) == ("done", [{"name": "Welder"}])


def test_a_process_that_is_told_to_end_waits_for_it(rig: OnDemandRig) -> None:
    waited = []
    rig.target.answer = lambda: waited.append(rig.shutdown.wait(0))
    rig.sync()
    assert waited == [False]
    assert rig.shutdown.wait(0) is True


# -- time ------------------------------------------------------------------------------------------------


def test_a_full_window_is_waited_for(rig: OnDemandRig) -> None:
    delays = [7.0, 7.0]

    def full() -> None:
        if delays:
            raise RateLimited("full", delays.pop())

    rig.target.answer = full
    assert rig.sync()["phase"] == "done"
    assert len(rig.target.at) == 3
    assert set(rig.clock.sleeps) == {1.0}, "it looks every second whether something is due"
    assert 14 <= rig.seconds < WORK_SECONDS


def test_no_call_is_begun_when_the_time_is_over_and_the_run_goes_on_by_itself(rig: OnDemandRig) -> None:
    def full() -> None:
        raise RateLimited("full", 5.0)

    rig.target.answer = full
    answer = rig.sync()
    assert (answer["phase"], answer["steps"]["result"]["result"]) == ("running", "planned")
    assert answer["steps"]["call"] is None
    assert max(rig.target.at) - rig.began < WORK_SECONDS
    assert rig.seconds == WORK_SECONDS
    assert active_run_id(rig.documents) == answer["run_id"]
    assert rig.batch_messages != [], "whoever gets one goes on"


def test_without_a_bus_a_full_window_is_waited_for_too(rig: OnDemandRig) -> None:
    def answer() -> None:
        if len(rig.target.at) == 1:
            raise RateLimited("full", 7.0)

    rig.target.answer = answer
    rig.bus.away = True
    assert rig.sync()["phase"] == "done"
    assert len(rig.target.at) == 2


def test_what_was_begun_in_time_is_brought_to_its_end(rig: OnDemandRig) -> None:
    def answer() -> None:
        if len(rig.target.at) == 1:
            raise RateLimited("full", WORK_SECONDS - 2)
        rig.clock.advance(35)

    rig.target.answer = answer
    assert rig.sync()["phase"] == "done"
    assert rig.target.at[-1] - rig.began < WORK_SECONDS < rig.seconds


def test_a_batch_that_somebody_else_has_at_hand_is_tried_every_ten_seconds(
    rig: OnDemandRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def planned_and_taken(*arguments: Any) -> None:
        sync_entity(*arguments)
        rig.bus.sent.clear()
        (run_id,) = (name for name in rig.documents.folders("runs/"))
        rig.documents.write(paths.progress(run_id, "titles", 1), b'{"outcomes": [], "started": null}')
        rig.documents.acquire_lease(paths.progress(run_id, "titles", 1), 60)

    monkeypatch.setattr("shared.queries.on_demand.sync_entity", planned_and_taken)
    assert rig.sync()["phase"] == "done", "after that lease has run out"
    assert rig.seconds == 60
    # Each attempt leaves a message behind, so that there are few.
    assert len(rig.batch_messages) == 60 / TRY_AGAIN_SECONDS


def test_a_process_that_is_about_to_end_hands_the_run_on_at_once(rig: OnDemandRig) -> None:
    rig.shutdown.begin()
    answer = rig.sync()
    assert (answer["phase"], rig.target.at, rig.seconds) == ("running", [], 0)
    assert active_run_id(rig.documents) == answer["run_id"]


# -- what the documents tell -----------------------------------------------------------------------------


def test_before_there_is_a_plan_no_step_was_taken(rig: OnDemandRig) -> None:
    run_id = request_run(rig.services, RunRequest(entities=("titles",), keys=("welder",)))
    answer = answers("sync", record_steps(rig.documents, rig.the_run(run_id)))
    assert (answer["phase"], answer["steps"]) == ("running", NO_STEPS)


def test_a_plan_that_cannot_be_read_ends_the_run_with_that_reason(
    rig: OnDemandRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def planned_and_damaged(services: Any, message: Any) -> None:
        rig.bus.away = True
        with pytest.raises(BusError):
            sync_entity(services, message)
        rig.damage(paths.plan(message.run_id, "titles"))
        sync_entity(services, message)

    monkeypatch.setattr("shared.queries.on_demand.sync_entity", planned_and_damaged)
    answer = rig.sync()
    assert answer["phase"] == "failed"
    assert "plan.json cannot be read" in answer["reason"]
    assert answer["steps"] == NO_STEPS


def test_a_plan_that_is_damaged_while_it_is_waited_for_is_left_to_others(
    rig: OnDemandRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def planned_and_damaged(services: Any, message: Any) -> None:
        sync_entity(services, message)
        rig.damage(paths.plan(message.run_id, "titles"))

    monkeypatch.setattr("shared.queries.on_demand.sync_entity", planned_and_damaged)
    answer = rig.sync()
    assert (answer["phase"], answer["steps"], rig.target.at) == ("running", NO_STEPS, [])


def test_a_batch_that_cannot_be_read_leaves_the_steps_before_it(rig: OnDemandRig) -> None:
    answer = rig.sync(mode="plan")
    run = rig.the_run(answer["run_id"])
    (path,) = rig.documents.list(f"runs/{run.run_id}/titles/batches/")
    rig.damage(path)
    steps = record_steps(rig.documents, run)["steps"]
    assert steps["source"] == answer["steps"]["source"]
    assert (steps["difference"], steps["call"], steps["result"]) == (None, None, None)
