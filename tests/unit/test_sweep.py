"""The sweep: what the documents of a run lack is sent again, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.errors import StorageError
from shared.storage.documents import create_json, read_json, to_json
from shared.sync import paths
from shared.sync.documents.outcome import Outcome, outcomes_to_json
from shared.sync.documents.progress import Progress
from shared.sync.documents.runs import Run, RunRequest, change_run, get_run
from shared.sync.documents.state import EntityState, read_state
from shared.sync.runs.requests import request_run
from shared.sync.runs.sweep import DEADLINE, OVERDUE_AFTER, sweep
from tests.unit.engine_rig import EngineRig, a_plan

AT_ONCE = timedelta(0)


class SweepRig(EngineRig):
    """A run of titles and employees, with what of its documents a test writes."""

    def __init__(self) -> None:
        super().__init__()
        self.run_id = request_run(self.services, RunRequest(entities=("titles", "employees")))
        self.bus.sent.clear()

    def planned(self, entity: Any = "titles", batches: int = 3) -> None:
        plan = a_plan(batches=batches, created_at=self.clock.now().isoformat())
        create_json(self.documents, paths.plan(self.run_id, entity), plan)
        self.change(entity, phase="applying")

    def ended(self, entity: str, number: int) -> None:
        done = outcomes_to_json([Outcome("k", "create", "created", "d", 7)])
        create_json(self.documents, paths.outcome(self.run_id, entity, number), done)

    def change(self, entity: Any, **status: Any) -> None:
        def to(run: Run) -> None:
            for name, value in status.items():
                setattr(run.entities[entity], name, value)

        change_run(self.documents, self.run_id, to)

    @property
    def run(self) -> Run:
        return get_run(self.documents, self.run_id)

    def swept(self, *, after: timedelta = AT_ONCE, **how: Any) -> list[str]:
        """The ids of what one sweep sends, without the run and the cause."""
        self.clock.advance(after)
        assert sweep(self.services, **how) == self.run_id
        ids = ["/".join(found.split("/")[:2]) for found in self.bus.ids]
        self.bus.sent.clear()
        return ids


@pytest.fixture
def rig() -> SweepRig:
    return SweepRig()


def test_without_a_run_there_is_nothing_to_heal() -> None:
    rig = EngineRig()
    assert sweep(rig.services) is None
    assert rig.bus.sent == []


def test_an_entity_without_plan_is_asked_for_again_and_one_that_waits_is_not(rig: SweepRig) -> None:
    (message,) = (found.split("/")[0] for found in rig.swept())
    assert message == "titles"


def test_every_sweep_has_a_cause_of_its_own_or_its_message_would_be_dropped(rig: SweepRig) -> None:
    seen = set()
    for _ in range(3):
        rig.clock.advance(timedelta(minutes=5))
        sweep(rig.services)
        seen |= set(rig.bus.ids)
    assert len(seen) == 3


def test_batches_are_sent_again_when_they_are_overdue_by_the_time_the_plan_gave_them(rig: SweepRig) -> None:
    rig.planned(batches=3)
    window = timedelta(seconds=rig.settings.api_rate_limit_period)
    assert rig.swept(after=OVERDUE_AFTER) == []
    second = timedelta(seconds=1)
    assert len(rig.swept(after=second)) == 1
    assert len(rig.swept(after=window)) == 2
    rig.ended("titles", 1)
    assert len(rig.swept(after=window)) == 2


def test_a_batch_that_was_put_off_is_not_overdue_before_that(rig: SweepRig) -> None:
    rig.planned(batches=1)
    later = rig.clock.now() + timedelta(hours=1)
    progress = Progress(next_at=later.isoformat()).to_json()
    create_json(rig.documents, f"{paths.progresses(rig.run_id, 'titles')}0001.json", progress)
    assert rig.swept(after=timedelta(minutes=30)) == []
    assert len(rig.swept(after=timedelta(minutes=30) + OVERDUE_AFTER + timedelta(seconds=1))) == 1


def test_whoever_begins_with_an_empty_bus_sends_all_that_has_no_outcome(rig: SweepRig) -> None:
    rig.planned(batches=3)
    rig.ended("titles", 2)
    sweep(rig.services, at_once=True)
    window = timedelta(seconds=rig.settings.api_rate_limit_period)
    # A window apart, as the plan would have sent them.
    assert [message.deliver_at for message in rig.bus.sent] == [None, rig.clock.now() + window]


def test_what_is_overdue_is_sent_without_further_waiting(rig: SweepRig) -> None:
    rig.planned(batches=2)
    rig.clock.advance(timedelta(hours=1))
    sweep(rig.services)
    assert [message.deliver_at for message in rig.bus.sent] == [None, None]


def test_an_entity_whose_batches_have_all_ended_is_ended_and_releases_the_next(rig: SweepRig) -> None:
    rig.planned(batches=1)
    rig.ended("titles", 1)
    assert [found.split("/")[0] for found in rig.swept()] == ["employees"]
    assert rig.run.entities["titles"].phase == "done"


def test_a_plan_that_cannot_be_read_ends_its_entity_with_that_reason(rig: SweepRig) -> None:
    rig.planned()
    rig.documents.write(paths.plan(rig.run_id, "titles"), b"{")
    rig.swept()
    status = rig.run.entities["titles"]
    assert status.phase == "failed"
    assert "plan.json cannot be read" in (status.reason or "")


def test_a_run_whose_entities_have_ended_is_closed(rig: SweepRig) -> None:
    for entity in ("titles", "employees"):
        rig.change(entity, phase="done")
    assert rig.swept() == []
    assert rig.run.ended
    assert rig.documents.read(paths.report(rig.run_id)) is not None
    assert sweep(rig.services) is None


def test_a_run_that_is_closed_and_still_active_is_let_go(rig: SweepRig) -> None:
    """Its process died between closing it and letting the next one start."""
    for entity in ("titles", "employees"):
        rig.change(entity, phase="done")
    change_run(rig.documents, rig.run_id, lambda run: setattr(run, "phase", "done"))
    rig.swept()
    assert sweep(rig.services) is None


@pytest.mark.parametrize(
    ("plan", "missing"), [(True, "1 of 2 batches have no outcome"), (False, "there is no plan yet")]
)
def test_a_run_that_does_not_end_in_two_days_is_stopped_with_what_it_lacks(
    rig: SweepRig, plan: bool, missing: str
) -> None:
    if plan:
        rig.planned(batches=2)
        rig.ended("titles", 1)
    rig.swept(after=DEADLINE)
    assert rig.run.entities["titles"].stop_reason is None
    rig.swept(after=timedelta(seconds=1))
    status = rig.run.entities["titles"]
    assert (status.stop_reason or status.reason or "").endswith(f"had not ended after 48 hours: {missing}")


def test_two_days_begin_anew_with_an_approval(rig: SweepRig) -> None:
    rig.clock.advance(DEADLINE)
    rig.planned(batches=1)
    rig.change("titles", approved_at=rig.clock.now().isoformat())
    rig.swept(after=timedelta(hours=1))
    assert rig.run.entities["titles"].stop_reason is None


class TestARunThatCannotBeEnded:
    """Something unexpected is raised whenever somebody tries: it must not keep all later runs out."""

    @pytest.fixture
    def ended(self, rig: SweepRig) -> SweepRig:
        """All entities have ended, and with them the run; its report was not written."""
        for entity in ("titles", "employees"):
            rig.change(entity, phase="done", counts={"created": 3})
        change_run(rig.documents, rig.run_id, lambda run: setattr(run, "phase", "done"))
        rig.planned("employees")
        rig.change("employees", phase="done")
        return rig

    def test_fails_with_that_reason_and_lets_the_next_one_start(
        self, ended: SweepRig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr("shared.sync.runs.report.problems_of", odd)
        sweep(ended.services)
        assert ended.run.phase == "failed"
        assert {(status.phase, status.reason) for status in ended.run.entities.values()} == {
            ("failed", "the run could not be ended as it should: unexpected TypeError, see the log")
        }
        report = read_json(ended.documents, paths.report(ended.run_id))
        assert (report["phase"], report["entities"]["titles"]["created"]) == ("failed", 3)
        assert request_run(ended.services, RunRequest()) != ended.run_id
        assert "TypeError: odd" in caplog.text

    def test_also_where_an_entity_is_swept(self, rig: SweepRig, monkeypatch: pytest.MonkeyPatch) -> None:
        rig.planned()
        monkeypatch.setattr("shared.sync.runs.sweep.missing_batches", odd)
        sweep(rig.services)
        assert rig.run.phase == "failed"
        assert sweep(rig.services) is None

    def test_has_safetyamp_listed_for_what_was_begun(
        self, rig: SweepRig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rig.documents.write(paths.state("titles"), to_json(EntityState("titles").to_json()))
        rig.documents.write(paths.progress(rig.run_id, "titles", 1), b"{}")
        monkeypatch.setattr("shared.sync.runs.sweep.read_plan", odd)
        sweep(rig.services)
        state = read_state(rig.documents, "titles")
        assert state is not None
        assert state.needs_listing()

    def test_waits_for_the_batch_at_hand(self, rig: SweepRig, monkeypatch: pytest.MonkeyPatch) -> None:
        path = paths.progress(rig.run_id, "titles", 1)
        rig.documents.write(path, b"{}")
        lease = rig.documents.acquire_lease(path, 60)
        monkeypatch.setattr("shared.sync.runs.sweep.read_plan", odd)
        sweep(rig.services)
        assert not rig.run.ended
        rig.documents.release_lease(path, lease)
        sweep(rig.services)
        assert rig.run.phase == "failed"

    def test_is_left_to_the_next_sweep_where_documents_or_bus_are_away(
        self, rig: SweepRig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(*_: Any) -> None:
            raise StorageError("away")

        monkeypatch.setattr("shared.sync.runs.sweep.read_plan", away)
        with pytest.raises(StorageError):
            sweep(rig.services)
        assert not rig.run.ended


def odd(*_: Any) -> None:
    raise TypeError("odd")
