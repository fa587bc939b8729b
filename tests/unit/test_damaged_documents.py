"""A document that cannot be read ends what depends on it, with its name; nothing is taken for done or new."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from shared.errors import UnreadableDocument
from shared.storage.documents import read_json, to_json
from shared.sync import paths
from shared.sync.documents.active import active_run_id
from shared.sync.documents.outcome import Outcome, read_outcomes
from shared.sync.documents.rules import DEFAULT
from shared.sync.documents.runs import EntityStatus, Run, RunRequest, get_run
from shared.sync.documents.state import EntityState, Entry, read_state
from shared.sync.messages import BatchMessage
from shared.sync.model import EntityName
from shared.sync.runs import abandoning
from shared.sync.runs.abandoning import readable_run
from shared.sync.runs.batch_handler import LOOK_AGAIN_SECONDS, apply_batch, give_up_batch
from shared.sync.runs.finish import give_up_entity, nobody_at_work
from shared.sync.runs.requests import request_run
from tests.unit.engine_rig import EngineRig
from tests.unit.test_batch_handler import (
    PLAN_ID,
    RUN,
    BatchRig,
    ScriptedSafetyAmp,
    change,
    reference_to,
)

DAMAGED = b'{"version": 1, "run'


class RunRig(EngineRig):
    """A run of titles and jobs, which is the active one."""

    def __init__(self) -> None:
        super().__init__()
        self.run_id = request_run(self.services, RunRequest(entities=("titles", "jobs")))
        self.bus.sent.clear()
        for entity in ("titles", "jobs"):
            self.put(paths.state(entity), EntityState(entity).to_json())

    def put(self, path: str, value: Any) -> None:
        self.documents.write(path, to_json(value))

    def damage(self) -> None:
        self.documents.write(paths.run(self.run_id), DAMAGED)

    def begin(self, entity: EntityName, *, ended: bool = False) -> str:
        """A batch that was begun; the path of its progress."""
        path = paths.progress(self.run_id, entity, 1)
        self.put(path, {"outcomes": [], "started": None})
        if ended:
            self.put(paths.outcome(self.run_id, entity, 1), {"outcomes": []})
        return path

    def is_distrusted(self, entity: str) -> bool:
        state = read_state(self.documents, entity)
        assert state is not None
        return state.needs_listing()


class TestARun:
    """Given up, so that the next one can start."""

    @pytest.fixture
    def rig(self) -> RunRig:
        return RunRig()

    def test_that_can_be_read_is_read(self, rig: RunRig) -> None:
        run = readable_run(rig.services, rig.run_id)
        assert run is not None
        assert run.run_id == rig.run_id

    def test_that_there_is_not_is_none(self, rig: RunRig) -> None:
        assert readable_run(rig.services, "20260105-110000-aaaaaa") is None
        assert active_run_id(rig.documents) == rig.run_id

    def test_ends_as_failed_with_a_report_and_lets_the_next_one_start(
        self, rig: RunRig, caplog: pytest.LogCaptureFixture
    ) -> None:
        rig.damage()
        assert readable_run(rig.services, rig.run_id) is None
        run = get_run(rig.documents, rig.run_id)
        assert run.phase == "failed"
        assert list(run.entities) == ["jobs", "titles"]
        for status in run.entities.values():
            assert status.phase == "failed"
            assert f"{rig.run_id}/run.json cannot be read" in (status.reason or "")
        assert run.request == RunRequest(entities=("titles", "jobs"), rules=DEFAULT)
        assert run.requested_at == rig.clock.now().isoformat()
        assert read_json(rig.documents, paths.report(rig.run_id))["phase"] == "failed"
        assert active_run_id(rig.documents) is None
        told = [vars(one) for one in caplog.records if vars(one).get("event") == "document_unreadable"]
        assert [one["run"] for one in told] == [rig.run_id]

    def test_has_safetyamp_listed_for_the_entities_of_which_something_was_begun(self, rig: RunRig) -> None:
        rig.begin("titles", ended=True)
        rig.damage()
        readable_run(rig.services, rig.run_id)
        assert (rig.is_distrusted("titles"), rig.is_distrusted("jobs")) == (True, False)

    def test_waits_for_the_batch_at_hand(self, rig: RunRig, caplog: pytest.LogCaptureFixture) -> None:
        lease = rig.documents.acquire_lease(rig.begin("jobs"), 60)
        rig.damage()
        assert readable_run(rig.services, rig.run_id) is None
        assert active_run_id(rig.documents) == rig.run_id
        document = rig.documents.read(paths.run(rig.run_id))
        assert document is not None
        assert document.data == DAMAGED
        assert "given up when its batches at hand have ended" in caplog.text
        rig.documents.release_lease(paths.progress(rig.run_id, "jobs", 1), lease)
        readable_run(rig.services, rig.run_id)
        assert active_run_id(rig.documents) is None

    def test_waits_for_no_batch_that_has_its_outcomes(self, rig: RunRig) -> None:
        rig.documents.acquire_lease(rig.begin("jobs", ended=True), 60)
        rig.damage()
        readable_run(rig.services, rig.run_id)
        assert active_run_id(rig.documents) is None

    def test_that_is_not_the_active_one_is_left_as_it_is(self, rig: RunRig) -> None:
        other = "20260105-110000-aaaaaa"
        rig.documents.write(paths.run(other), DAMAGED)
        assert readable_run(rig.services, other) is None
        document = rig.documents.read(paths.run(other))
        assert document is not None
        assert document.data == DAMAGED
        assert active_run_id(rig.documents) == rig.run_id

    def test_that_somebody_else_gave_up_meanwhile_is_not_made_anew_again(
        self, rig: RunRig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rig.damage()
        at = rig.clock.now().isoformat()
        theirs = Run(rig.run_id, RunRequest(), at, {"titles": EntityStatus("failed", reason="they did")})
        monkeypatch.setattr(
            abandoning,
            "distrust_begun",
            lambda *_: rig.put(paths.run(rig.run_id), theirs.to_json()),
        )
        readable_run(rig.services, rig.run_id)
        assert get_run(rig.documents, rig.run_id).entities["titles"].reason == "they did"
        assert active_run_id(rig.documents) is None

    def test_is_given_up_by_whoever_gets_a_message_of_it(self, rig: RunRig) -> None:
        for handle in (apply_batch, lambda services, message: give_up_batch(services, message, "x")):
            fresh = RunRig()
            fresh.damage()
            handle(fresh.services, BatchMessage(fresh.run_id, "titles", 1, 1, "start"))
            assert get_run(fresh.documents, fresh.run_id).phase == "failed"

    def test_that_is_damaged_while_a_batch_is_applied_ends_that_handler_only(self) -> None:
        """Whoever reads it next gives it up; what was created so far is in the progress."""
        rig = BatchRig(ScriptedSafetyAmp(), [change("A"), change("B")])
        create = rig.safetyamp.create

        def damaging(resource: str, payload: dict[str, Any]) -> Any:
            rig.clock.advance(LOOK_AGAIN_SECONDS)
            rig.documents.write(paths.run(RUN), DAMAGED)
            return create(resource, payload)

        rig.safetyamp.create = damaging
        with pytest.raises(UnreadableDocument):
            rig.deliver()
        assert rig.outcomes() == []


def test_looking_whether_somebody_is_at_work_keeps_nobody_from_it() -> None:
    rig = RunRig()
    path = rig.begin("titles")
    assert nobody_at_work(rig.services, rig.run_id, "titles")
    lease = rig.documents.acquire_lease(path, 60)
    assert not nobody_at_work(rig.services, rig.run_id, "titles")
    rig.documents.release_lease(path, lease)
    assert nobody_at_work(rig.services, rig.run_id, "titles")


class TestAPlan:
    """Its entity ends as failed, and SafetyAmp is listed if anything was begun."""

    def rig(self, *, begun: bool) -> BatchRig:
        rig = BatchRig(ScriptedSafetyAmp(), [change("A")])
        rig.put(paths.state("titles"), EntityState("titles").to_json())
        if begun:
            rig.put(paths.progress(RUN, "titles", 1), {"outcomes": [], "started": None})
        rig.documents.write(paths.plan(RUN, "titles"), DAMAGED)
        return rig

    def handle(self, rig: BatchRig, how: str) -> None:
        message = BatchMessage(RUN, "titles", 1, 1, "start")
        if how == "apply":
            apply_batch(rig.services, message)
        else:
            give_up_batch(rig.services, message, "MaxDeliveryCountExceeded")

    @pytest.mark.parametrize("how", ["apply", "give up"])
    @pytest.mark.parametrize("begun", [True, False])
    def test_ends_its_entity(self, how: str, begun: bool) -> None:
        rig = self.rig(begun=begun)
        self.handle(rig, how)
        status = get_run(rig.documents, RUN).entities["titles"]
        assert (status.phase, "titles/plan.json cannot be read" in (status.reason or "")) == ("failed", True)
        assert rig.safetyamp.writes == []
        state = read_state(rig.documents, "titles")
        assert state is not None
        assert state.needs_listing() is begun

    @pytest.mark.parametrize("how", ["apply", "give up"])
    def test_waits_for_the_batch_at_hand_whose_handler_is_told(self, how: str) -> None:
        rig = self.rig(begun=True)
        path = paths.progress(RUN, "titles", 1)
        lease = rig.documents.acquire_lease(path, 60)
        self.handle(rig, how)
        status = get_run(rig.documents, RUN).entities["titles"]
        assert (status.phase, "cannot be read" in (status.stop_reason or "")) == ("applying", True)
        rig.documents.release_lease(path, lease)
        self.handle(rig, how)
        assert get_run(rig.documents, RUN).entities["titles"].phase == "failed"

    def test_of_a_cancelled_entity_ends_it_as_cancelled_and_keeps_the_wish(self) -> None:
        rig = self.rig(begun=False)
        run = get_run(rig.documents, RUN)
        run.entities["titles"].stop_reason, run.entities["titles"].cancelled = "not wanted", True
        rig.put(paths.run(RUN), run.to_json())
        give_up_entity(rig.services, run, "titles", "damage")
        status = get_run(rig.documents, RUN).entities["titles"]
        assert (status.phase, status.reason, status.stop_reason) == ("cancelled", "damage", "not wanted")


class TestAProgress:
    """Nobody can tell how far the batch came."""

    def test_leaves_every_change_in_doubt(self) -> None:
        off = change("3", "deactivate", system_access=0)
        rig = BatchRig(ScriptedSafetyAmp(), [change("1"), change("2", "update"), off], entity="employees")
        rig.documents.write(paths.progress(RUN, "employees", 1), DAMAGED)
        rig.deliver()
        outcomes = rig.outcomes()
        assert [(one.key, one.result, one.unsure) for one in outcomes] == [
            ("1", "failed", True),
            ("2", "failed", False),
            ("3", "failed", False),
        ]
        assert [one.target_id for one in outcomes] == [None, 5, 5]
        assert all("whether it was done is not known: the document" in (one.reason or "") for one in outcomes)
        assert rig.safetyamp.writes == []

    def test_has_safetyamp_listed_and_ends_the_entity_as_failed(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(), [change("1", "update", city="Houma")], entity="employees")
        rig.put(paths.state("employees"), EntityState("employees").to_json())
        rig.documents.write(paths.progress(RUN, "employees", 1), DAMAGED)
        rig.deliver()
        status = get_run(rig.documents, RUN).entities["employees"]
        assert (status.phase, status.counts["failed"]) == ("failed", 1)
        assert "progress/0001.json cannot be read" in (status.reason or "")
        state = read_state(rig.documents, "employees")
        assert state is not None
        assert state.needs_listing()

    def test_an_empty_one_is_no_fresh_beginning(self) -> None:
        """Whoever took it for one would create people twice."""
        rig = BatchRig(ScriptedSafetyAmp(), [change("A")])
        rig.documents.write(paths.progress(RUN, "titles", 1), b"")
        rig.deliver()
        assert rig.outcomes()[0].unsure
        assert rig.safetyamp.writes == []


class TestABatch:
    """Which changes there were is not known."""

    def rig(self, **progress: Any) -> BatchRig:
        rig = BatchRig(ScriptedSafetyAmp(), [change("A"), change("B"), change("C")])
        plan = read_json(rig.documents, paths.plan(RUN, "titles"))
        rig.put(paths.plan(RUN, "titles"), {**plan, "counts": {"create": 3}})
        if progress:
            done = [Outcome("A", "create", "created", "d", 100, {"name": "A"}).to_json()]
            rig.put(paths.progress(RUN, "titles", 1), {"outcomes": done, "started": None, **progress})
        rig.documents.write(paths.batch(RUN, "titles", PLAN_ID, 1), DAMAGED)
        return rig

    def deliver(self, rig: BatchRig) -> Any:
        rig.deliver()
        return read_outcomes(rig.documents, RUN, "titles", 1)

    def test_of_which_nothing_was_sent_leaves_no_doubt(self) -> None:
        stored = self.deliver(self.rig())
        assert (stored.outcomes, stored.list_anew) == ([], False)
        assert "batches/0a1b2c3d/0001.json cannot be read" in stored.reason

    @pytest.mark.parametrize(
        ("progress", "list_anew"),
        [({"tried": 1}, False), ({"tried": 2}, True), ({"started": 1}, True)],
        ids=["all answered", "one more was tried", "a creation was under way"],
    )
    def test_keeps_what_was_done_and_doubts_what_may_have_been(
        self, progress: dict[str, Any], list_anew: bool
    ) -> None:
        stored = self.deliver(self.rig(**progress))
        assert [one.key for one in stored.outcomes] == ["A"]
        assert stored.list_anew is list_anew

    def test_counts_all_that_was_planned_as_failed_but_what_was_done(self) -> None:
        rig = self.rig(tried=1)
        rig.deliver()
        status = get_run(rig.documents, RUN).entities["titles"]
        assert (status.phase, status.counts["created"], status.counts["failed"]) == ("failed", 1, 2)

    def test_that_is_gone_is_as_bad_and_also_without_its_progress(self) -> None:
        rig = self.rig()
        rig.documents.delete(paths.batch(RUN, "titles", PLAN_ID, 1))
        rig.documents.write(paths.progress(RUN, "titles", 1), DAMAGED)
        stored = self.deliver(rig)
        assert (stored.outcomes, stored.list_anew) == ([], True)
        status = get_run(rig.documents, RUN).entities["titles"]
        assert status.counts["failed"] == 3


class TestTheOutcomes:
    def test_of_a_batch_leave_its_changes_in_doubt(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(), [change("A")], [change("B")])
        rig.put(paths.state("titles"), EntityState("titles").to_json())
        rig.deliver_to_the_end(1)
        rig.documents.write(paths.outcome(RUN, "titles", 1), DAMAGED)
        rig.deliver_to_the_end(2)
        status = get_run(rig.documents, RUN).entities["titles"]
        assert (status.phase, status.counts["created"], status.counts["failed"]) == ("failed", 1, 1)
        assert "outcomes/0001.json cannot be read" in (status.reason or "")
        state = read_state(rig.documents, "titles")
        assert state is not None
        assert state.needs_listing()
        assert state.target_id("b") == 101


class TestABase:
    """What a listing found for the plan: without it, the state would know nothing of all the others."""

    def rig(self, damage: bytes | None) -> BatchRig:
        rig = BatchRig(ScriptedSafetyAmp(), [change("A")])
        base = paths.base(RUN, "titles", PLAN_ID)
        plan = read_json(rig.documents, paths.plan(RUN, "titles"))
        rig.put(paths.plan(RUN, "titles"), {**plan, "base": base})
        state = EntityState("titles")
        state.put("mason", Entry(1, "d", {"name": "Mason"}, {}))
        rig.put(paths.state("titles"), state.to_json())
        if damage is not None:
            rig.documents.write(base, damage)
        return rig

    @pytest.mark.parametrize("damage", [DAMAGED, None, b'{"version": 99}'], ids=["damaged", "gone", "newer"])
    def test_is_missed_and_safetyamp_is_listed_by_the_next_run(self, damage: bytes | None) -> None:
        rig = self.rig(damage)
        rig.deliver()
        status = get_run(rig.documents, RUN).entities["titles"]
        assert status.phase == "failed"
        assert (status.reason or "").startswith(
            "what was done could not be noted, SafetyAmp is listed again by the next run: the document"
        )
        state = read_state(rig.documents, "titles")
        assert state is not None
        assert (state.target_id("mason"), state.target_id("a"), state.needs_listing()) == (1, None, True)

    def test_that_a_reference_needs_ends_the_batch_with_the_doubt_of_the_change_at_hand(self) -> None:
        changes = [
            change("10", name="10", parent_cluster_id=reference_to("region:Coast")),
            change("20", name="20"),
        ]
        rig = BatchRig(ScriptedSafetyAmp(), changes, entity="departments")
        base = paths.base(RUN, "departments", PLAN_ID)
        plan = read_json(rig.documents, paths.plan(RUN, "departments"))
        rig.put(paths.plan(RUN, "departments"), {**plan, "base": base})
        rig.documents.write(base, DAMAGED)
        rig.deliver()
        first, other = rig.outcomes()
        assert (first.result, first.unsure, rig.safetyamp.writes) == ("failed", True, [])
        assert (other.result, other.unsure) == ("failed", False)
        assert f"the document {base} cannot be read" in (first.reason or "")
        assert f"not tried: the document {base} cannot be read" in (other.reason or "")


def test_a_state_that_was_damaged_meanwhile_is_not_replaced_by_one_of_these_outcomes_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rig = BatchRig(ScriptedSafetyAmp(), [change("1", "update", city="Houma")], entity="employees")
    rig.documents.write(paths.state("employees"), DAMAGED)
    with caplog.at_level(logging.ERROR):
        rig.deliver()
    document = rig.documents.read(paths.state("employees"))
    assert document is not None
    assert document.data == DAMAGED
    assert get_run(rig.documents, RUN).entities["employees"].phase == "done"
