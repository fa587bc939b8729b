"""A message that is given up: kept with its reason, and what it stood for is ended, once."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import BusError, StorageError
from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.documents.plans import planning_path
from shared.sync.documents.runs import Run, get_run
from shared.sync.messages import BatchMessage, EntityMessage
from shared.sync.runs.dead_letters import LONGEST_BODY, DeadLetter, archive
from tests.unit.planning_rig import PlanningRig
from tests.unit.test_batch_handler import RUN, BatchRig, ScriptedSafetyAmp, change

REASON = "its message was given up at delivery 10: MaxDeliveryCountExceeded"


def letter(message: EntityMessage | BatchMessage, message_id: str = "m-1") -> DeadLetter:
    kind: Any = "entity" if isinstance(message, EntityMessage) else "batch"
    body = message.to("queue").body.encode()
    return DeadLetter(kind, message_id, body, "MaxDeliveryCountExceeded", 10)


def kept(rig: Any) -> dict[str, Any]:
    """The documents of dead letters, by the rest of their path."""
    found = rig.documents.list(paths.DEAD_LETTERS)
    return {path.removeprefix(paths.DEAD_LETTERS): read_json(rig.documents, path) for path in found}


class TestWhatIsKept:
    def test_says_what_came_and_why_it_was_given_up(self) -> None:
        rig = PlanningRig()
        archive(rig.services, DeadLetter("entity", "r/titles/start/1", b"no JSON", "TTLExpiredException", 3))
        [(path, document)] = kept(rig).items()
        assert path.startswith("entity-sync/r+titles+start+1-")
        assert document == {
            "message_id": "r/titles/start/1",
            "reason": "TTLExpiredException",
            "delivery_count": 3,
            "at": rig.clock.now().isoformat(),
            "body": "no JSON",
        }

    def test_is_one_document_however_often_it_is_delivered(self) -> None:
        rig = PlanningRig()
        for count in (10, 11):
            archive(rig.services, DeadLetter("batch", "m", b"x", "why", count))
            rig.clock.advance(60)
        [document] = kept(rig).values()
        assert document["delivery_count"] == 10

    def test_is_another_document_for_another_body_or_queue(self) -> None:
        rig = PlanningRig()
        for kind, body in (("batch", b"x"), ("batch", b"y"), ("entity", b"x")):
            archive(rig.services, DeadLetter(kind, "m", body, "why", 1))  # type: ignore[arg-type]
        assert [path.partition("/")[0] for path in kept(rig)] == ["change-batches"] * 2 + ["entity-sync"]

    def test_has_a_name_also_when_the_message_had_none(self) -> None:
        rig = PlanningRig()
        archive(rig.services, DeadLetter("batch", "", b"x", "why", 1))
        assert next(iter(kept(rig))).startswith("change-batches/unnamed-")

    def test_is_the_beginning_of_a_long_body_whatever_is_in_it(self) -> None:
        rig = PlanningRig()
        archive(rig.services, DeadLetter("batch", "m", b"\xff" + b"a" * LONGEST_BODY, "why", 1))
        [document] = kept(rig).values()
        assert document["body"] == "\ufffd" + "a" * (LONGEST_BODY - 1)

    def test_is_told_in_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        archive(PlanningRig().services, DeadLetter("batch", "m", b"x", "why", 4))
        [record] = [one for one in caplog.records if vars(one).get("event") == "dead_letter"]
        assert (vars(record)["kind"], record.getMessage()) == (
            "batch",
            "message m is given up at delivery 4: why",
        )


class TestAnEntityMessage:
    @pytest.fixture
    def rig(self) -> PlanningRig:
        return PlanningRig()

    @pytest.fixture
    def run(self, rig: PlanningRig) -> Run:
        return rig.run()

    def archive(self, rig: PlanningRig, run: Run) -> None:
        archive(rig.services, letter(EntityMessage(run.run_id, rig.entity, "start")))

    def test_ends_its_entity_as_failed(self, rig: PlanningRig, run: Run) -> None:
        self.archive(rig, run)
        assert (rig.status(run).phase, rig.status(run).reason) == ("failed", REASON)
        assert get_run(rig.documents, run.run_id).phase == "failed"

    def test_ends_nothing_that_is_planned_already(self, rig: PlanningRig, run: Run) -> None:
        rig.deliver(run)
        self.archive(rig, run)
        assert (rig.status(run).phase, rig.status(run).stop_reason) == ("applying", None)

    def test_ends_nothing_that_somebody_plans_at_this_moment(self, rig: PlanningRig, run: Run) -> None:
        rig.documents.acquire_lease(planning_path(run, "titles"), 60)
        self.archive(rig, run)
        assert rig.status(run).phase == "pending"

    def test_ends_nothing_that_has_ended(self, rig: PlanningRig, run: Run) -> None:
        def end(status: Any) -> None:
            status.phase, status.reason = "cancelled", "not wanted"

        rig.change_status(run, end)
        self.archive(rig, run)
        assert (rig.status(run).phase, rig.status(run).reason) == ("cancelled", "not wanted")

    def test_ends_nothing_that_waits_for_others(self) -> None:
        rig = PlanningRig("jobs")
        run = rig.run(entities=("departments", "jobs"))
        self.archive(rig, run)
        assert rig.status(run).phase == "pending"

    @pytest.mark.parametrize("run_id", ["20260101-000000-aaaaaa", None], ids=["no such run", "not in it"])
    def test_of_what_there_is_not_is_only_kept(self, rig: PlanningRig, run: Run, run_id: str | None) -> None:
        entity: Any = "jobs" if run_id is None else "titles"
        archive(rig.services, letter(EntityMessage(run_id or run.run_id, entity, "start")))
        assert len(kept(rig)) == 1
        assert rig.status(run).phase == "pending"


class TestABatchMessage:
    MESSAGE = BatchMessage(RUN, "titles", 1, 1, "start")

    def test_leaves_its_changes_to_the_next_run(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(), [change("A")])
        archive(rig.services, letter(self.MESSAGE))
        [outcome] = rig.outcomes()
        assert (outcome.result, outcome.reason) == ("failed", f"not tried: {REASON}")
        assert rig.safetyamp.writes == []

    @pytest.mark.parametrize("body", [b"no JSON", b"{}", b'{"version": 1, "run_id": "x"}'])
    def test_that_nobody_can_read_is_only_kept(self, body: bytes, caplog: pytest.LogCaptureFixture) -> None:
        rig = BatchRig(ScriptedSafetyAmp(), [change("A")])
        archive(rig.services, DeadLetter("batch", "m", body, "why", 1))
        assert (len(kept(rig)), rig.outcomes()) == (1, [])
        assert "could not be ended" not in caplog.text


@pytest.mark.parametrize("error", [StorageError("away"), BusError("away")], ids=["documents", "bus"])
def test_what_could_not_be_stored_or_sent_is_delivered_again(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr("shared.sync.runs.dead_letters.give_up_batch", fail)
    rig = BatchRig(ScriptedSafetyAmp(), [change("A")])
    with pytest.raises(type(error)):
        archive(rig.services, letter(TestABatchMessage.MESSAGE))
    assert len(kept(rig)) == 1
