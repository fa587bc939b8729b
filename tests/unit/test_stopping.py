"""Stopping: an entity that cannot go on, a run that is cancelled, a plan that is dropped, a pause."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.errors import RunConflict, UnknownRun
from shared.storage.bus import Message
from shared.storage.documents import create_json
from shared.sync import paths
from shared.sync.documents.active import active_run_id
from shared.sync.documents.control import read_pauses
from shared.sync.documents.outcome import Outcome, outcomes_to_json
from shared.sync.documents.runs import EntityStatus, Run, RunRequest, change_run, get_run
from shared.sync.messages import BatchMessage, EntityMessage
from shared.sync.runs.batch_handler import apply_batch, give_up_batch
from shared.sync.runs.entity_handler import sync_entity
from shared.sync.runs.finish import hold_again
from shared.sync.runs.requests import request_run
from shared.sync.runs.stopping import cancel, pause, stop_entity
from tests.unit.engine_rig import EngineRig, a_plan


class StoppingRig(EngineRig):
    """A run of titles and jobs, with what of its documents a test writes."""

    def __init__(self) -> None:
        super().__init__()
        self.run_id = request_run(self.services, RunRequest(entities=("titles", "jobs")))
        self.bus.sent.clear()

    def planned(self, entity: Any, batches: int, ended: int = 0, **plan: Any) -> None:
        create_json(self.documents, paths.plan(self.run_id, entity), a_plan(batches=batches, **plan))
        for number in range(1, ended + 1):
            done = outcomes_to_json([Outcome(f"k{number}", "create", "created", "d", number)])
            create_json(self.documents, paths.outcome(self.run_id, entity, number), done)
        self.change(entity, phase="applying")

    def change(self, entity: Any, **status: Any) -> None:
        def to(run: Run) -> None:
            for name, value in status.items():
                setattr(run.entities[entity], name, value)

        change_run(self.documents, self.run_id, to)

    def held(self) -> None:
        """Of the run, which has ended, titles hold their plan."""
        self.planned("titles", 1, held=["too many"])
        self.change("titles", phase="held", reason="too many")
        self.change("jobs", phase="done")
        change_run(self.documents, self.run_id, lambda run: setattr(run, "phase", "held"))
        self.documents.write(paths.ACTIVE, b'{"run_id": null}')

    def status(self, entity: Any) -> EntityStatus:
        return self.run.entities[entity]

    @property
    def batch_messages(self) -> list[Message]:
        return [message for message in self.bus.sent if message.queue == self.services.settings.batch_queue]

    @property
    def run(self) -> Run:
        return get_run(self.documents, self.run_id)


@pytest.fixture
def rig() -> StoppingRig:
    return StoppingRig()


def test_what_is_left_of_a_plan_is_sent_at_once_to_be_noted_as_not_tried(rig: StoppingRig) -> None:
    rig.planned("titles", 4, ended=1)
    stop_entity(rig.services, rig.run_id, "titles", "401 of SafetyAmp", at_hand=3)
    assert rig.status("titles").stop_reason == "401 of SafetyAmp"
    assert not rig.status("titles").cancelled
    assert [message.deliver_at for message in rig.bus.sent] == [None, None], "without 1, which ended, and 3"
    assert not rig.status("titles").ended, "each batch says what became of it first"


def test_the_first_reason_stays(rig: StoppingRig) -> None:
    rig.planned("titles", 2)
    stop_entity(rig.services, rig.run_id, "titles", "401 of SafetyAmp")
    stop_entity(rig.services, rig.run_id, "titles", "somebody's wish", cancelled=True)
    assert (rig.status("titles").stop_reason, rig.status("titles").cancelled) == ("401 of SafetyAmp", False)


def test_an_entity_that_has_ended_is_not_stopped(rig: StoppingRig) -> None:
    rig.planned("titles", 1, ended=1)
    rig.change("titles", phase="done")
    stop_entity(rig.services, rig.run_id, "titles", "too late")
    assert (rig.status("titles").phase, rig.status("titles").stop_reason) == ("done", None)


def test_where_all_has_ended_the_entity_is_ended(rig: StoppingRig) -> None:
    rig.planned("titles", 2, ended=2)
    stop_entity(rig.services, rig.run_id, "titles", "too late", cancelled=True)
    assert rig.status("titles").phase == "cancelled"


def test_the_batch_at_hand_is_not_ended_for_its_handler(rig: StoppingRig) -> None:
    rig.planned("titles", 2, ended=1)
    stop_entity(rig.services, rig.run_id, "titles", "401", at_hand=2)
    assert rig.bus.sent == []
    assert not rig.status("titles").ended


@pytest.mark.parametrize(("cancelled", "phase"), [(True, "cancelled"), (False, "failed")])
def test_without_a_plan_it_ends_there(rig: StoppingRig, cancelled: bool, phase: str) -> None:
    stop_entity(rig.services, rig.run_id, "titles", "why", cancelled=cancelled)
    assert (rig.status("titles").phase, rig.status("titles").reason) == (phase, "why")


def test_with_a_plan_that_cannot_be_read_it_ends_with_both_reasons(rig: StoppingRig) -> None:
    rig.planned("titles", 1)
    rig.documents.write(paths.plan(rig.run_id, "titles"), b"{")
    stop_entity(rig.services, rig.run_id, "titles", "401 of SafetyAmp")
    assert rig.status("titles").phase == "failed"
    assert (rig.status("titles").reason or "").startswith("401 of SafetyAmp; ")
    assert "plan.json cannot be read" in (rig.status("titles").reason or "")


@pytest.mark.parametrize("cancelled", [False, True])
def test_an_approved_plan_that_was_not_made_again_is_held_again_and_dropped_only_when_cancelled(
    rig: StoppingRig, cancelled: bool
) -> None:
    rig.planned("titles", 1, held=["too many"])
    rig.change("titles", phase="pending", approval="a1", held_because="too many")
    stop_entity(rig.services, rig.run_id, "titles", "Vista is away", cancelled=cancelled)
    status = rig.status("titles")
    assert status.phase == ("cancelled" if cancelled else "held")
    assert "Vista is away" in (status.reason or "")
    assert "too many" in (status.reason or "")
    # What is told of the run is what it held, though a plan be stored for the approval in this moment.
    assert status.approval_in_force is None


def test_a_plan_that_the_guard_holds_has_no_batches_to_end(rig: StoppingRig) -> None:
    rig.planned("titles", 2, held=["too many"])
    rig.change("titles", phase="pending")
    stop_entity(rig.services, rig.run_id, "titles", "cancelled by hand", cancelled=True)
    # An outcome would be taken for that of the plan that is made when it is approved.
    assert rig.batch_messages == []
    assert rig.status("titles").phase == "cancelled"
    assert rig.status("titles").reason == "cancelled by hand; it was held: too many"


def test_nor_has_the_plan_of_a_run_that_only_plans(rig: StoppingRig) -> None:
    rig.planned("titles", 2)
    rig.change("titles", phase="pending")
    change_run(rig.documents, rig.run_id, lambda run: setattr(run, "request", RunRequest(mode="plan")))
    stop_entity(rig.services, rig.run_id, "titles", "cancelled by hand", cancelled=True)
    assert rig.batch_messages == []
    assert (rig.status("titles").phase, rig.status("titles").reason) == ("cancelled", "cancelled by hand")


@pytest.mark.parametrize(("cancelled", "phase"), [(True, "cancelled"), (False, "failed")])
def test_what_was_stopped_while_its_plan_was_stored_is_not_held(
    rig: StoppingRig, cancelled: bool, phase: str
) -> None:
    rig.planned("titles", 2, held=["too many"])
    rig.change("titles", phase="pending", stop_reason="why", cancelled=cancelled)
    sync_entity(rig.services, EntityMessage(rig.run_id, "titles", "start"))
    assert rig.status("titles").phase == phase, "nobody waits for it, and nobody may approve it"
    assert rig.status("titles").reason == "why; it was held: too many"


def test_an_approval_that_fails_after_it_was_cancelled_is_not_held_again(rig: StoppingRig) -> None:
    rig.planned("titles", 1, held=["too many"])
    change = {"phase": "pending", "approval": "a1", "held_because": "too many"}
    rig.change("titles", **change, stop_reason="cancelled by hand", cancelled=True)
    hold_again(rig.services, rig.run, "titles", "Vista is away")
    assert (rig.status("titles").phase, rig.status("titles").approval) == ("cancelled", None)
    assert rig.status("titles").reason == "cancelled by hand; it was held: too many"


@pytest.mark.parametrize(
    "end", [apply_batch, lambda services, message: give_up_batch(services, message, "why")]
)
@pytest.mark.parametrize("status", ["held", "plan"])
def test_no_message_gives_outcomes_to_a_plan_that_is_not_to_be_applied(
    rig: StoppingRig, end: Callable[[Any, BatchMessage], None], status: str
) -> None:
    rig.planned("titles", 1, held=["too many"] if status == "held" else [])
    rig.change("titles", phase="pending", stop_reason="why", cancelled=True)
    if status == "plan":
        change_run(rig.documents, rig.run_id, lambda run: setattr(run, "request", RunRequest(mode="plan")))
    end(rig.services, BatchMessage(rig.run_id, "titles", 1, 1, "stop/1"))
    assert rig.documents.read(paths.outcome(rig.run_id, "titles", 1)) is None
    assert rig.documents.read(paths.progress(rig.run_id, "titles", 1)) is None


# -- cancelling ------------------------------------------------------------------------------------------


def test_cancelling_stops_what_has_not_ended(rig: StoppingRig) -> None:
    rig.planned("titles", 2)
    rig.change("jobs", phase="done")
    cancel(rig.services, rig.run_id, "cancelled by hand")
    assert (rig.status("titles").stop_reason, rig.status("titles").cancelled) == ("cancelled by hand", True)
    assert rig.status("jobs").stop_reason is None


def test_cancelling_a_run_that_holds_a_plan_drops_it_and_says_what_it_was_held_for(rig: StoppingRig) -> None:
    rig.held()
    cancel(rig.services, rig.run_id, "dropped by hand")
    status = rig.status("titles")
    assert (status.phase, status.cancelled, status.approval) == ("cancelled", True, None)
    assert status.reason == "dropped by hand; it was held: too many"
    assert rig.run.phase == "cancelled"
    assert rig.status("jobs").phase == "done"
    assert rig.documents.read(paths.report(rig.run_id)) is not None


def test_a_run_that_ended_and_holds_nothing_cannot_be_cancelled(rig: StoppingRig) -> None:
    rig.held()
    rig.change("titles", phase="done")
    with pytest.raises(RunConflict, match="has ended already"):
        cancel(rig.services, rig.run_id, "why")


def test_nor_can_one_that_there_is_not(rig: StoppingRig) -> None:
    with pytest.raises(UnknownRun):
        cancel(rig.services, "20260101-000000-ffffff", "why")


# -- pausing ---------------------------------------------------------------------------------------------


def test_a_pause_ends_what_is_under_way_for_that_entity_only(rig: StoppingRig) -> None:
    rig.planned("titles", 2)
    rig.planned("jobs", 2)
    pauses = pause(rig.services, ["titles"], "moving house", "pat")
    assert set(pauses) == {"titles"}
    assert (pauses["titles"].reason, pauses["titles"].who) == ("moving house", "pat")
    stop_reason = rig.status("titles").stop_reason or ""
    assert "titles is paused since" in stop_reason
    assert "moving house" in stop_reason
    assert "pat" not in stop_reason, "names are for the API alone"
    assert rig.status("titles").cancelled
    assert rig.status("jobs").stop_reason is None


def test_a_pause_that_is_repeated_keeps_its_time_and_reason(rig: StoppingRig) -> None:
    first = pause(rig.services, ["titles"], "moving house")
    rig.clock.advance(60)
    assert pause(rig.services, ["titles"], "something else") == first == read_pauses(rig.documents)


def test_what_has_ended_is_left_alone_by_a_pause(rig: StoppingRig) -> None:
    rig.change("titles", phase="done")
    pause(rig.services, ["titles", "departments"], "moving house")
    assert rig.status("titles").phase == "done"
    assert rig.status("titles").stop_reason is None


def test_without_a_run_a_pause_only_keeps_the_next_ones_away() -> None:
    rig = EngineRig()
    assert set(pause(rig.services, ["jobs"], "moving house")) == {"jobs"}
    assert active_run_id(rig.documents) is None
