"""Ending an entity and a run: when, with which figures, and that nothing beside keeps it from ending."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from shared.errors import BusError, StorageError
from shared.storage.documents import create_json, read_json
from shared.sync import paths
from shared.sync.documents.active import active_run_id
from shared.sync.documents.outcome import Outcome, Result, outcomes_to_json
from shared.sync.documents.plans import read_plan
from shared.sync.documents.runs import (
    EntityPhase,
    EntityStatus,
    Run,
    RunPhase,
    RunRequest,
    change_run,
    get_run,
)
from shared.sync.documents.state import EntityState, Entry, read_state
from shared.sync.messages import parse_entity_message
from shared.sync.runs.finish import advance, finish_entity, finish_run, phase_of
from shared.sync.runs.requests import request_run
from tests.unit.engine_rig import EngineRig, a_plan

LEFT_OUT = {"key": "1", "action": "update", "reason": "it is gone", "now": None}


class FinishRig(EngineRig):
    """The active run, of employees, whose plan has so many batches."""

    def __init__(self, batches: int = 1, **plan: Any) -> None:
        super().__init__()
        self.run_id = request_run(self.services, RunRequest(entities=("employees",)))
        self.bus.sent.clear()
        create_json(self.documents, paths.plan(self.run_id, "employees"), a_plan(batches=batches, **plan))

    def end_batch(self, number: int, *outcomes: Outcome, **more: Any) -> None:
        value = {
            **outcomes_to_json(list(outcomes)),
            "calls": {},
            "requests": {},
            "waited_seconds": 0.0,
            **more,
        }
        create_json(self.documents, paths.outcome(self.run_id, "employees", number), value)

    def finish(self) -> EntityStatus:
        plan = read_plan(self.documents, self.run, "employees")
        assert plan is not None
        finish_entity(self.services, self.run, "employees", plan)
        return self.run.entities["employees"]

    @property
    def run(self) -> Run:
        return get_run(self.documents, self.run_id)


def an_outcome(result: Result, key: str = "1", **more: Any) -> Outcome:
    return Outcome(key, "update", result, "d", **more)


class TestAnEntity:
    def test_ends_when_every_batch_has_an_outcome_whichever_was_the_last(self) -> None:
        rig = FinishRig(batches=3)
        for number in (3, 1):
            rig.end_batch(number)
            assert rig.finish().phase == "pending"
        rig.end_batch(2)
        status = rig.finish()
        assert (status.phase, status.finished_at) == ("done", rig.clock.now().isoformat())

    def test_of_one_batch_does_not_end_before_that_has(self) -> None:
        rig = FinishRig(batches=1)
        assert rig.finish().phase == "pending"
        rig.end_batch(1)
        assert rig.finish().phase == "done"

    @pytest.mark.parametrize(("is_approved", "counted"), [(False, [(1, 0)]), (True, [])])
    def test_notes_once_what_nobody_approved(self, is_approved: bool, counted: list[tuple[int, int]]) -> None:
        rig = FinishRig()
        create_json(rig.documents, paths.state("employees"), EntityState("employees").to_json())

        def approve(run: Run) -> None:
            run.entities["employees"].approved = is_approved

        change_run(rig.documents, rig.run_id, approve)
        rig.end_batch(
            *(1, Outcome("1", "deactivate", "deactivated", "d", "u1")),
            *(Outcome("2", "deactivate", "failed", "d", "u2"), an_outcome("updated", "3", target_id="u3")),
        )
        for _ in range(2):
            rig.finish()
        state = read_state(rig.documents, "employees")
        assert state is not None
        found = [(one["deactivate"], one["reactivate"]) for one in state.unasked.values()]
        assert found == counted

    def test_of_which_a_part_is_held_ends_as_held_and_counts_it(self) -> None:
        held = {"deactivate": {"count": 12, "reasons": ["too many"]}}
        rig = FinishRig(counts={"source": 13, "update": 1, "deactivate": 12}, held_parts=held, held_batches=1)
        rig.end_batch(1, an_outcome("updated", target_id="u1"))
        status = rig.finish()
        assert (status.phase, status.reason) == ("held", "too many; what is not held was applied")
        assert (status.counts["updated"], status.counts["unapproved"]) == (1, 12)
        assert status.held_changes == {"deactivate": 12}
        assert status.planned["deactivate"] == 12

    def test_that_was_stopped_is_not_held_although_a_part_was(self) -> None:
        held = {"deactivate": {"count": 12, "reasons": ["too many"]}}
        rig = FinishRig(held_parts=held, held_batches=1)

        def stop(run: Run) -> None:
            run.entities["employees"].stop_reason = "SafetyAmp is away"

        change_run(rig.documents, rig.run_id, stop)
        rig.end_batch(1)
        assert rig.finish().phase == "failed"

    @pytest.mark.parametrize(
        ("plan", "quiet"),
        [
            ({}, True),
            ({"problems": [{"key": "1", "kind": "reported", "reason": "r"}]}, False),
            ({"vanished": {"count": 1, "keys": ["1"]}}, False),
            ({"left_out": [LEFT_OUT]}, False),
        ],
        ids=["nothing", "problem", "vanished", "left out"],
    )
    def test_is_quiet_when_its_plan_tells_nothing(self, plan: dict[str, Any], quiet: bool) -> None:
        assert FinishRig(batches=0, **plan).finish().quiet is quiet

    def test_that_had_changes_is_not_quiet(self) -> None:
        rig = FinishRig(batches=1)
        rig.end_batch(1)
        assert rig.finish().quiet is False

    def test_has_each_outcome_in_one_count_and_what_was_planned_beside(self) -> None:
        rig = FinishRig(counts={"source": 30, "unchanged": 9, "skipped": 1, "invalid": 2, "update": 9})
        results: list[Result] = [
            *("created", "updated", "reactivated", "deactivated", "waiting", "gone"),
            *("refused", "failed", "cancelled"),
        ]
        rig.end_batch(1, *[an_outcome(result, key=result) for result in results])
        status = rig.finish()
        assert status.counts == {
            "source": 30,
            "unchanged": 9,
            "created": 1,
            "updated": 2,
            "deactivated": 1,
            "skipped": 1 + 1,
            "invalid": 2,
            "failed": 2,
            "waiting": 2,
            "unapproved": 0,
        }
        assert status.planned == {"create": 0, "update": 9, "deactivate": 0, "reactivate": 0}

    def test_has_the_calls_of_planning_and_of_all_batches(self) -> None:
        rig = FinishRig(
            batches=2,
            calls={"vista": 5, "safetyamp": 1},
            requests={"safetyamp|GET /api/users|2xx": 1},
            waited_seconds=0.5,
        )
        rig.end_batch(1, calls={"safetyamp": 2}, requests={"safetyamp|PATCH /api/users/7|2xx": 2})
        rig.end_batch(2, calls={"safetyamp": 3}, waited_seconds=1.25)
        status = rig.finish()
        assert (status.calls, status.waited_seconds) == ({"vista": 5, "safetyamp": 6}, 1.75)
        assert status.requests == {
            "safetyamp|GET /api/users|2xx": 1,
            "safetyamp|PATCH /api/users/{id}|2xx": 2,
        }

    def test_is_failing_by_what_is_refused_for_now_and_what_failed_in_this_run(self) -> None:
        rig = FinishRig()
        state = EntityState("employees")
        state.put("7", Entry("u7", None, {}, {"failure": {"digest": "x", "errors": {}, "at": "now"}}))
        create_json(rig.documents, paths.state("employees"), state.to_json())
        rig.end_batch(1, an_outcome("failed"), an_outcome("failed", "2"))
        assert rig.finish().failing == 1 + 2

    @pytest.mark.parametrize(
        ("stopped", "cancelled", "plan", "phase", "reason"),
        [
            (None, False, {}, "done", None),
            (None, False, {"failed": "only leavers"}, "failed", "only leavers"),
            ("a token", False, {"failed": "only leavers"}, "failed", "a token"),
            ("not wanted", True, {}, "cancelled", "not wanted"),
            (None, True, {}, "done", None),
            (None, False, {"left_out": [LEFT_OUT]}, "done", "of what was approved, 1 left out"),
        ],
        ids=["well", "only leavers", "stopped", "cancelled", "cancelled too late", "left out"],
    )
    def test_ends_with_its_first_reason(
        self, stopped: str | None, cancelled: bool, plan: dict[str, Any], phase: str, reason: str | None
    ) -> None:
        rig = FinishRig(**plan)
        run = rig.run
        run.entities["employees"].stop_reason, run.entities["employees"].cancelled = stopped, cancelled
        rig.documents.delete(paths.run(rig.run_id))
        create_json(rig.documents, paths.run(rig.run_id), run.to_json())
        rig.end_batch(1)
        status = rig.finish()
        assert (status.phase, (status.reason or "").startswith(reason or "")) == (phase, True)
        assert bool(status.reason) is bool(reason)

    def test_notes_the_sizes_of_the_reads_also_when_nothing_was_changed(self) -> None:
        rig = FinishRig(
            batches=0, counts_changed=True, source_counts={"Vista": 9}, approved_counts={"Vista": 5}
        )
        create_json(rig.documents, paths.state("employees"), EntityState("employees").to_json())
        rig.finish()
        state = read_state(rig.documents, "employees")
        assert state is not None
        assert (state.source_counts, state.approved_counts) == ({"Vista": 9}, {"Vista": 5})
        assert state.updated_by == f"{rig.run_id}/a1b2c3d4"

    def test_leaves_the_state_alone_when_there_is_nothing_to_note(self) -> None:
        rig = FinishRig(batches=0, source_counts={"Vista": 9})
        create_json(rig.documents, paths.state("employees"), EntityState("employees").to_json())
        before = rig.documents.read(paths.state("employees"))
        assert rig.finish().phase == "done"
        assert rig.documents.read(paths.state("employees")) == before

    @pytest.mark.parametrize("error", [StorageError("away"), BusError("away")], ids=["documents", "bus"])
    def test_whose_outcomes_could_not_be_merged_just_now_is_ended_later(
        self, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        rig = FinishRig()
        rig.end_batch(1)

        def away(*_: Any, **__: Any) -> None:
            raise error

        with monkeypatch.context() as patched:
            patched.setattr("shared.sync.runs.finish.update_json", away)
            with pytest.raises(type(error)):
                rig.finish()
        assert rig.run.entities["employees"].phase == "pending"
        assert rig.finish().phase == "done"


class TestARun:
    @pytest.mark.parametrize(
        ("phases", "phase"),
        [
            (("done", "done"), "done"),
            (("done", "off"), "done"),
            (("planned", "done"), "planned"),
            (("planned", "cancelled"), "cancelled"),
            (("cancelled", "held"), "held"),
            (("held", "failed"), "failed"),
        ],
    )
    def test_ends_as_the_worst_of_its_entities(self, phases: Any, phase: RunPhase) -> None:
        names: Any = ("titles", "jobs")
        entities = {name: EntityStatus(one) for name, one in zip(names, phases, strict=True)}
        assert phase_of(Run("r", RunRequest(), "now", entities)) == phase

    def ended(self, phase: EntityPhase = "done", reason: str | None = None) -> FinishRig:
        rig = FinishRig()
        run = rig.run
        status = run.entities["employees"]
        status.phase, status.reason, status.counts = phase, reason, {"source": 3}
        rig.documents.delete(paths.run(rig.run_id))
        create_json(rig.documents, paths.run(rig.run_id), run.to_json())
        return rig

    def test_writes_report_and_page_and_lets_the_next_one_start(self) -> None:
        rig = self.ended()
        advance(rig.services, rig.run)
        assert read_json(rig.documents, paths.report(rig.run_id))["phase"] == "done"
        page = rig.documents.read(paths.report_page(rig.run_id))
        assert page is not None
        assert page.data.startswith(b"<!")
        assert active_run_id(rig.documents) is None
        assert rig.run.finished_at == rig.clock.now().isoformat()

    def test_that_is_closed_once_more_ended_when_it_ended_first(self) -> None:
        rig = self.ended()
        finish_run(rig.services, rig.run_id)
        ended_at = rig.run.finished_at
        rig.clock.advance(300)
        finish_run(rig.services, rig.run_id)
        assert rig.run.finished_at == ended_at

    def test_ends_although_its_page_cannot_be_made(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(_: Any) -> bytes:
            raise KeyError("odd")

        rig = self.ended()
        monkeypatch.setattr(rig, "report_page", fail)
        finish_run(rig.services, rig.run_id)
        assert rig.documents.read(paths.report(rig.run_id)) is not None
        assert rig.documents.read(paths.report_page(rig.run_id)) is None
        assert active_run_id(rig.documents) is None
        assert "could not be made" in caplog.text

    def test_ends_although_it_cannot_be_counted(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(*_: Any) -> None:
            raise KeyError("odd")

        monkeypatch.setattr("shared.sync.runs.finish.add_run", fail)
        rig = self.ended()
        finish_run(rig.services, rig.run_id)
        assert active_run_id(rig.documents) is None
        assert "could not be counted" in caplog.text

    def test_that_could_not_be_counted_just_now_is_closed_later(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(*_: Any) -> None:
            raise StorageError("away")

        rig = self.ended()
        with monkeypatch.context() as patched:
            patched.setattr("shared.sync.runs.finish.add_run", away)
            with pytest.raises(StorageError):
                finish_run(rig.services, rig.run_id)
        assert active_run_id(rig.documents) == rig.run_id
        finish_run(rig.services, rig.run_id)
        assert active_run_id(rig.documents) is None

    @pytest.mark.parametrize(
        ("phase", "level"), [("done", "INFO"), ("failed", "ERROR"), ("held", "INFO"), ("cancelled", "INFO")]
    )
    def test_is_told_once_by_whoever_lets_the_next_one_start(
        self, phase: EntityPhase, level: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        rig = self.ended(phase, "too many")
        with caplog.at_level(logging.INFO):
            finish_run(rig.services, rig.run_id)
            finish_run(rig.services, rig.run_id)
        told = [one for one in caplog.records if vars(one).get("event") == "run_ended"]
        assert [(one.levelname, vars(one)["phase"], vars(one)["counts"]) for one in told] == [
            (level, phase, {"source": 3})
        ]
        held = [vars(one)["held"] for one in caplog.records if vars(one).get("event") == "run_held"]
        assert held == ([{"employees": "too many"}] if phase == "held" else [])


class TestThoseThatWait:
    def rig(self, **phases: EntityPhase) -> EngineRig:
        rig = EngineRig()
        names: Any = tuple(phases)
        run_id = request_run(rig.services, RunRequest(entities=names))
        run = get_run(rig.documents, run_id)
        for name, phase in phases.items():
            run.entities[name].phase = phase  # type: ignore[index]
        rig.bus.sent.clear()
        advance(rig.services, run, finished="departments")
        return rig

    def sent(self, rig: EngineRig) -> list[tuple[str, str]]:
        messages = [parse_entity_message(one.body.encode()) for one in rig.bus.sent]
        return [(one.entity, one.cause) for one in messages]

    def test_are_released_when_all_that_they_need_has_ended(self) -> None:
        rig = self.rig(departments="done", jobs="pending", titles="pending", employees="pending")
        assert self.sent(rig) == [("jobs", "release/departments")]

    def test_are_released_by_a_failure_too(self) -> None:
        rig = self.rig(departments="failed", jobs="done", titles="cancelled", employees="pending")
        assert self.sent(rig) == [("employees", "release/departments")]

    def test_are_not_released_by_one_that_they_do_not_need(self) -> None:
        assert self.sent(self.rig(departments="done", titles="pending", vehicles="pending")) == []

    def test_are_not_released_once_more_when_they_are_at_work(self) -> None:
        assert self.sent(self.rig(departments="done", jobs="applying")) == []
