"""Applying a batch when answers are missing, refused or late: what is known afterwards must be true."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import (
    AccessRefused,
    APIError,
    CircuitOpen,
    IncompleteRead,
    InvalidRecord,
    UpstreamUnavailable,
)
from shared.storage.documents import read_json, to_json
from shared.sync import paths
from shared.sync.applying.looking_up import LookUp
from shared.sync.documents.change import Change
from shared.sync.documents.outcome import Outcome, read_outcomes
from shared.sync.documents.runs import EntityStatus, Run, RunRequest, get_run
from shared.sync.documents.state import OFF_BY, EntityState, Entry, read_state, rebuild
from shared.sync.messages import BatchMessage, parse_batch_message
from shared.sync.model import Action, EntityName, Target
from shared.sync.runs.batch_handler import GIVE_UP_AFTER, apply_batch, give_up_batch
from shared.sync.runs.dead_letters import DeadLetter, archive
from tests.unit.engine_rig import EngineRig, PagedSafetyAmp, a_plan

RUN = "20260105-120000-abcdef"
PLAN_ID = "0a1b2c3d"

LOST = UpstreamUnavailable("no answer", upstream="safetyamp")
OPEN = CircuitOpen("the breaker is open", 60.0)
DENIED = AccessRefused("401: check SAFETYAMP_TOKEN", 401)
ODD = APIError("answered 409", 409)


UNIQUE = {"users": "email", "sites": "ext_id", "site_clusters": "external_code"}


class ScriptedSafetyAmp(PagedSafetyAmp):
    """Unique values are refused a second time. Writes raise the errors of the script in turn
    (None: goes well); `writes` keeps what was sent.

    A `lost` write is carried out although its error is raised.
    """

    def __init__(self, *script: BaseException | None, lost: Sequence[int] = ()) -> None:
        super().__init__([[]])
        self.script = list(script)
        self.lost = set(lost)
        self.writes: list[dict[str, Any]] = []

    def create(self, resource: str, payload: dict[str, Any]) -> dict[str, Any]:
        number = len(self.writes)
        self.writes.append(payload)
        error = self.script.pop(0) if self.script else None
        unique = UNIQUE.get(resource, "")
        rows = (row for page in self.pages for row in page)
        if error is None and any(row.get(unique) == payload[unique] for row in rows if unique in payload):
            raise InvalidRecord("422", 422, field_errors={unique: ["taken"]})
        if error is None or number in self.lost:
            self.pages[0].append({"id": 100 + number, "depth": 1, **payload})
        if error is not None:
            raise error
        return {"id": 100 + number}

    def update(
        self, resource: str, target_id: int | str, payload: dict[str, Any], _anew: Any = None
    ) -> dict[str, Any]:
        self.writes.append(payload)
        if self.script and (error := self.script.pop(0)):
            raise error
        return {}


class BatchRig(EngineRig):
    """A run with one entity under way, whose plan has these batches of changes."""

    def __init__(
        self, safetyamp: ScriptedSafetyAmp, *batches: list[Change], entity: EntityName = "titles"
    ) -> None:
        super().__init__(safetyamp)
        self.entity: EntityName = entity
        run = Run(RUN, RunRequest(), self.now, {entity: EntityStatus("applying")})
        plan = a_plan(plan_id=PLAN_ID, batches=len(batches), created_at=self.now)
        self.put(paths.run(RUN), run.to_json())
        self.put(paths.plan(RUN, entity), plan)
        for number, changes in enumerate(batches, start=1):
            value = {"changes": [change.to_json() for change in changes]}
            self.put(paths.batch(RUN, entity, PLAN_ID, number), value)

    @property
    def now(self) -> str:
        return self.clock.now().isoformat()

    def put(self, path: str, value: Any) -> None:
        self.documents.write(path, to_json(value))

    def deliver(self, batch: int = 1) -> None:
        """Handle the batch's message, or the next one of it that was sent."""
        apply_batch(self.services, BatchMessage(RUN, self.entity, batch, 1, "start"))

    def deliver_to_the_end(self, batch: int = 1) -> list[Outcome]:
        """Handle the batch and its scheduled copies, moving the clock, until it has outcomes."""
        self.deliver(batch)
        while not self.outcomes(batch):
            message = self.bus.sent.pop()
            assert message.deliver_at is not None, "nothing was handed on"
            self.clock.advance_to(message.deliver_at)
            apply_batch(self.services, parse_batch_message(message.body.encode()))
        return self.outcomes(batch)

    def outcomes(self, batch: int = 1) -> list[Outcome]:
        stored = read_outcomes(self.documents, RUN, self.entity, batch)
        return stored.outcomes if stored else []

    def progress(self, batch: int = 1) -> dict[str, Any]:
        found: dict[str, Any] = read_json(self.documents, paths.progress(RUN, self.entity, batch))
        return found


def change(key: str, action: Action = "create", **fields: Any) -> Change:
    return Change(key, action, None if action == "create" else 5, fields or {"name": key}, {}, {}, "digest")


def reference_to(key: str) -> dict[str, Any]:
    return {"$ref": ["departments", key]}


def test_what_the_last_change_became_is_noted_before_the_lost_ones_are_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The listing takes long, and who dies in it leaves no creation in doubt that was answered."""
    safetyamp = ScriptedSafetyAmp(LOST, lost=[0])
    rig = BatchRig(safetyamp, [change("Welder"), change("Pilot")])

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(LookUp, "targets", die)
        with pytest.raises(KeyboardInterrupt):
            rig.deliver()
    assert [outcome["result"] for outcome in rig.progress()["outcomes"] if outcome] == ["failed", "created"]


def test_a_creation_without_an_answer_is_looked_up_and_not_repeated_when_it_is_there() -> None:
    rig = BatchRig(ScriptedSafetyAmp(LOST, lost=[0]), [change("Welder")])
    [outcome] = rig.deliver_to_the_end()
    assert (outcome.result, outcome.target_id, outcome.adopted) == ("created", 100, True)
    assert len(rig.safetyamp.writes) == 1


def test_an_adopted_record_is_known_with_what_it_holds_and_not_with_what_was_sent() -> None:
    """Else the next comparison would find nothing to do, whatever somebody had made of it."""
    safetyamp = ScriptedSafetyAmp(LOST, lost=[0])
    rig = BatchRig(safetyamp, [change("10", name="10 - Paving", external_code="10")], entity="departments")
    rig.deliver()
    found = {"id": 100, "depth": 2, "parent_cluster_id": 2, "external_code": "10", "name": "10 - Old"}
    root = {"id": 1, "depth": 0, "parent_cluster_id": None, "name": "Root"}
    safetyamp.clusters = [root, {**root, "id": 2, "depth": 1, "parent_cluster_id": 1}, found]
    [outcome] = rig.deliver_to_the_end()
    assert (outcome.adopted, outcome.target_id, outcome.fields["name"]) == (True, 100, "10 - Old")


def test_a_creation_without_an_answer_is_sent_again_when_it_is_not_there() -> None:
    rig = BatchRig(ScriptedSafetyAmp(LOST), [change("Welder")])
    [outcome] = rig.deliver_to_the_end()
    assert (outcome.result, outcome.target_id, outcome.adopted) == ("created", 101, False)


def test_of_several_records_of_the_key_none_is_taken_and_the_next_run_lists_safetyamp() -> None:
    rig = BatchRig(ScriptedSafetyAmp(LOST, lost=[0]), [change("Welder")])
    rig.safetyamp.pages[0].append({"id": 7, "name": "Welder"})
    [outcome] = rig.deliver_to_the_end()
    assert (outcome.result, outcome.unsure, outcome.target_id) == ("failed", True, None)
    assert "7, 100" in (outcome.reason or "")


def test_a_creation_that_failed_after_a_lost_attempt_may_be_there() -> None:
    rig = BatchRig(ScriptedSafetyAmp(LOST, ODD), [change("Welder")])
    [outcome] = rig.deliver_to_the_end()
    assert (outcome.result, outcome.unsure) == ("failed", True)
    rig = BatchRig(ScriptedSafetyAmp(ODD), [change("Welder")])
    [outcome] = rig.deliver_to_the_end()
    assert (outcome.result, outcome.unsure) == ("failed", False)


@pytest.mark.parametrize("status", [302, 405, 409, 413])
def test_an_odd_answer_to_one_creation_again_and_again_does_not_hold_up_the_others(status: int) -> None:
    """SafetyAmp is there, so this is no outage to sit out; what became of the record, the next run sees."""
    odd = UpstreamUnavailable(f"answered {status}", status, upstream="safetyamp")
    rig = BatchRig(ScriptedSafetyAmp(odd, odd, odd), [change("A"), change("B")])
    first, other = rig.deliver_to_the_end()
    assert (first.result, first.unsure) == ("failed", True)
    assert str(status) in (first.reason or "")
    assert other.result == "created"
    assert len(rig.safetyamp.writes) == 4


@pytest.mark.parametrize("status", [408, 404, 503])
def test_what_something_in_between_answers_is_sat_out(status: int) -> None:
    away = UpstreamUnavailable(f"answered {status}", status, upstream="safetyamp")
    changes = [change(key, name=key, email=f"{key}@example.test") for key in "AB"]
    rig = BatchRig(ScriptedSafetyAmp(*[away] * 5), changes, entity="employees")
    assert [outcome.result for outcome in rig.deliver_to_the_end()] == ["created", "created"]


def test_a_look_up_that_is_cut_off_is_tried_again_later() -> None:
    rig = BatchRig(ScriptedSafetyAmp(LOST, lost=[0]), [change("Welder")])
    rig.safetyamp.fail_at = {0: IncompleteRead("the answer has no 'data'")}
    [outcome] = rig.deliver_to_the_end()
    assert (outcome.result, outcome.adopted) == ("created", True)


class TestAPlanThatIsTooOld:
    """Its changes may no longer be true: they are left to the next run."""

    JUST_IN_TIME = timedelta(hours=2, seconds=2 * 2 * 61)
    """Of a plan of two batches."""

    def rig(self, safetyamp: ScriptedSafetyAmp, *changes: Change, entity: EntityName = "titles") -> BatchRig:
        return BatchRig(safetyamp, list(changes), [change("last")], entity=entity)

    @pytest.mark.parametrize("batch", [1, 2])
    @pytest.mark.parametrize("late", [timedelta(), timedelta(seconds=1), timedelta(hours=40)])
    def test_is_not_applied_any_more(self, batch: int, late: timedelta) -> None:
        rig = self.rig(ScriptedSafetyAmp(), change("A"))
        rig.clock.advance(self.JUST_IN_TIME + late)
        [outcome] = rig.deliver_to_the_end(batch)
        if not late:
            assert outcome.result == "created"
            return
        assert (outcome.result, outcome.unsure, rig.safetyamp.writes) == ("failed", False, [])
        assert outcome.reason == (
            "not tried: planned at 2026-01-05 12:00 UTC, too long ago: the next run plans it anew"
        )

    def test_is_noticed_between_two_changes(self) -> None:
        class Slow(ScriptedSafetyAmp):
            def create(self, resource: str, payload: dict[str, Any]) -> dict[str, Any]:
                rig.clock.advance(timedelta(seconds=30))
                return super().create(resource, payload)

        rig = self.rig(Slow(), change("A"), change("B"))
        rig.clock.advance(self.JUST_IN_TIME)
        assert [outcome.result for outcome in rig.deliver_to_the_end()] == ["created", "failed"]

    @pytest.mark.parametrize(
        ("entity", "written"), [("titles", True), ("employees", True), ("employees", False)]
    )
    def test_leaves_a_lost_answer_to_the_listing_of_the_next_run(
        self, entity: EntityName, written: bool
    ) -> None:
        creation = change("1", email="a@example.test")
        rig = self.rig(ScriptedSafetyAmp(LOST, lost=[0] if written else []), creation, entity=entity)
        rig.deliver()
        rig.clock.advance(timedelta(hours=3))
        [outcome] = rig.deliver_to_the_end()
        assert (outcome.result, outcome.unsure, len(rig.safetyamp.writes)) == ("failed", True, 1)
        assert "may have been created, no answer came: planned at" in (outcome.reason or "")

    def test_ends_its_entity_as_failed_with_that_reason(self) -> None:
        rig = self.rig(ScriptedSafetyAmp(), change("A"))
        rig.deliver_to_the_end(1)
        rig.clock.advance(timedelta(hours=3))
        rig.deliver_to_the_end(2)
        status = get_run(rig.documents, RUN).entities["titles"]
        assert (status.phase, "too long ago" in (status.reason or "")) == ("failed", True)
        assert (status.counts["created"], status.counts["failed"]) == (1, 1)

    def test_that_was_carried_out_in_time_is_no_failure_whenever_it_ends(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(), [change("A")])
        rig.deliver_to_the_end()
        rig.clock.advance(timedelta(hours=40))
        rig.deliver()
        assert get_run(rig.documents, RUN).entities["titles"].phase == "done"


class TestStopping:
    """`unsure` is what makes the next run list SafetyAmp before it creates: too few is a record twice."""

    def test_a_refused_credential_tried_nothing_and_leaves_no_doubt(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(None, DENIED), [change("A"), change("B"), change("C")])
        created, refused, other = rig.deliver_to_the_end()
        assert created.result == "created"
        for outcome in (refused, other):
            assert (outcome.result, outcome.unsure) == ("failed", False)
            assert outcome.not_tried
            assert "not tried" in (outcome.reason or "")
            assert "SAFETYAMP_TOKEN" in (outcome.reason or "")
        assert len(rig.safetyamp.writes) == 2

    def test_a_refused_credential_after_a_lost_attempt_leaves_the_doubt(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(LOST, DENIED), [change("A"), change("B")])
        first, other = rig.deliver_to_the_end()
        assert (first.unsure, other.unsure) == (True, False)

    def test_a_stop_by_another_batch_leaves_the_doubt_of_a_lost_attempt(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(LOST, DENIED), [change("A"), change("B")], [change("C")])
        rig.deliver(1)
        rig.deliver(2)
        first, other = rig.deliver_to_the_end(1)
        assert (first.unsure, other.unsure) == (True, False)
        assert "may have been created" in (first.reason or "")
        assert len(rig.safetyamp.writes) == 2

    def test_a_kill_in_the_middle_of_a_creation_leaves_the_doubt(self) -> None:
        class Killed(BaseException):
            """The process is gone."""

        rig = BatchRig(ScriptedSafetyAmp(), [change("A")], [change("B")])
        rig.safetyamp.script = [Killed()]
        with pytest.raises(Killed):
            rig.deliver(1)
        rig.safetyamp.script = [DENIED]
        rig.deliver(2)
        [outcome] = rig.deliver_to_the_end(1)
        assert outcome.unsure

    def test_a_stop_leaves_the_doubt_of_a_switching_off_that_was_sent(self) -> None:
        """Or a rehired person would be taken for one whom somebody switched off by hand."""
        off = [change(key, "deactivate", system_access=0) for key in ("1", "2", "3")]
        rig = BatchRig(ScriptedSafetyAmp(None, LOST, DENIED), off, [change("4")], entity="employees")
        rig.deliver(1)
        rig.deliver(2)
        done, lost, other = rig.deliver_to_the_end(1)
        assert (done.result, done.target_id) == ("deactivated", 5)
        assert (lost.result, lost.target_id) == ("failed", 5)
        assert "may have been switched off" in (lost.reason or "")
        assert (other.target_id, "not tried" in (other.reason or "")) == (None, True)
        assert (done.not_tried, lost.not_tried, other.not_tried) == (False, False, True)

    def test_a_kill_in_the_middle_of_switching_off_leaves_the_doubt(self) -> None:
        class Killed(BaseException):
            """The process is gone."""

        off = [change(key, "deactivate", system_access=0) for key in ("1", "2")]
        rig = BatchRig(ScriptedSafetyAmp(None, Killed()), off, [change("4")], entity="employees")
        with pytest.raises(Killed):
            rig.deliver(1)
        rig.safetyamp.script = [DENIED]
        rig.deliver(2)
        assert {outcome.target_id for outcome in rig.deliver_to_the_end(1)} == {5}

    def test_of_a_batch_that_nobody_began_nothing_is_in_doubt(self) -> None:
        off = [change("1", "deactivate", system_access=0)]
        rig = BatchRig(ScriptedSafetyAmp(DENIED), off, [change("4")], entity="employees")
        rig.deliver(2)
        [outcome] = rig.deliver_to_the_end(1)
        assert outcome.target_id is None

    @pytest.mark.parametrize(("error", "unsure"), [(OPEN, False), (LOST, True)], ids=["open", "lost"])
    def test_an_upstream_that_stays_away_ends_the_entity(
        self, monkeypatch: pytest.MonkeyPatch, error: Exception, unsure: bool
    ) -> None:
        def away(*_: Any, **__: Any) -> Any:
            raise error

        rig = BatchRig(ScriptedSafetyAmp(*[error] * 500), [change("A"), change("B")])
        monkeypatch.setattr(rig.safetyamp, "list_pages", away)
        began = rig.clock.now()
        first, other = rig.deliver_to_the_end()
        assert GIVE_UP_AFTER <= rig.clock.now() - began < GIVE_UP_AFTER + timedelta(minutes=5)
        assert (first.unsure, other.unsure) == (unsure, unsure)
        status = get_run(rig.documents, RUN).entities["titles"]
        assert status.phase == "failed"
        assert "no usable answer since 2026-01-05 12:00" in (status.reason or "")

    def test_the_other_batches_are_sent_at_once(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(DENIED), [change("A")], [change("B")], [change("C")])
        rig.deliver(2)
        sent = [(parse_batch_message(one.body.encode()).batch, one.deliver_at) for one in rig.bus.sent]
        assert sent == [(1, None), (3, None)]


class TestReactivation:
    """Access goes alone, then the rest; each may be refused."""

    ON = change("1001", "reactivate", system_access=1, city="Coast", mobile_phone="+15550001")

    def outcome(self, *script: Exception | None) -> tuple[Outcome, list[dict[str, Any]]]:
        rig = BatchRig(ScriptedSafetyAmp(*script), [self.ON], entity="employees")
        [outcome] = rig.deliver_to_the_end()
        return outcome, rig.safetyamp.writes

    def test_sends_access_first(self) -> None:
        outcome, writes = self.outcome()
        assert outcome.result == "reactivated"
        assert writes == [{"system_access": 1}, {"city": "Coast", "mobile_phone": "+15550001"}]

    def test_access_that_was_taken_is_known_when_the_rest_is_refused(self) -> None:
        refusal = InvalidRecord("422", 422, field_errors={"email": ["taken"]})
        outcome, _ = self.outcome(None, refusal)
        assert (outcome.result, outcome.fields) == ("refused", {"system_access": 1})

    def test_access_that_was_taken_is_not_sent_again_without_the_refused_field(self) -> None:
        refusal = InvalidRecord("422", 422, field_errors={"mobile_phone": ["taken"]})
        outcome, writes = self.outcome(None, refusal)
        assert (outcome.result, outcome.fields) == ("reactivated", {"system_access": 1, "city": "Coast"})
        assert writes[2:] == [{"city": "Coast"}]

    def test_access_that_was_refused_is_not_known(self) -> None:
        refusal = InvalidRecord("422", 422, field_errors={"email": ["taken"]})
        outcome, writes = self.outcome(refusal)
        assert (outcome.result, outcome.fields, len(writes)) == ("refused", {}, 1)


class TestReferencesIntoTheSameEntity:
    REGION = change("region:Coast", name="Coast")
    DEPARTMENT = change("10", name="10 - Paving", parent_cluster_id=reference_to("region:Coast"))

    def rig(self, *batches: list[Change]) -> BatchRig:
        return BatchRig(ScriptedSafetyAmp(), *batches, entity="departments")

    def test_are_found_within_the_batch(self) -> None:
        region, department = self.rig([self.REGION, self.DEPARTMENT]).deliver_to_the_end()
        assert department.fields["parent_cluster_id"] == region.target_id

    def test_are_found_in_an_earlier_batch(self) -> None:
        rig = self.rig([self.REGION], [self.DEPARTMENT])
        [region] = rig.deliver_to_the_end(1)
        [department] = rig.deliver_to_the_end(2)
        assert department.fields["parent_cluster_id"] == region.target_id

    def test_wait_for_the_earlier_batches_and_not_for_as_many_others(self) -> None:
        rig = self.rig([self.REGION], [self.DEPARTMENT], [change("20", name="20 - Steel")])
        rig.deliver_to_the_end(3)
        rig.deliver(2)
        assert rig.outcomes(2) == []
        copy = rig.bus.sent.pop()
        [region] = rig.deliver_to_the_end(1)
        apply_batch(rig.services, parse_batch_message(copy.body.encode()))
        [department] = rig.outcomes(2)
        assert department.fields["parent_cluster_id"] == region.target_id

    def test_are_found_when_the_earlier_batch_ended_while_this_one_was_at_work(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rig = self.rig([self.REGION], [change("20", name="20 - Steel"), self.DEPARTMENT])
        create = rig.safetyamp.create

        def end_the_other_batch_first(resource: str, payload: dict[str, Any]) -> Any:
            if payload["name"] == "20 - Steel":
                rig.deliver(1)
            return create(resource, payload)

        monkeypatch.setattr(rig.safetyamp, "create", end_the_other_batch_first)
        rig.deliver(2)
        [region] = rig.outcomes(1)
        _, department = rig.outcomes(2)
        assert department.fields["parent_cluster_id"] == region.target_id

    def test_that_nobody_created_wait_for_the_next_run(self) -> None:
        rig = self.rig([self.DEPARTMENT])
        [outcome] = rig.deliver_to_the_end()
        assert (outcome.result, outcome.unsure) == ("waiting", False)
        assert rig.safetyamp.writes == []


class TestMerging:
    """The state is merged into once, and only while it is the one that the plan was made from."""

    def rig(self, **plan: Any) -> BatchRig:
        rig = BatchRig(ScriptedSafetyAmp(), [change("Welder")])
        path = paths.plan(RUN, "titles")
        rig.put(path, {**read_json(rig.documents, path), "state_by": "earlier/plan", **plan})
        return rig

    def state(self, updated_by: str | None, **ids: int) -> dict[str, Any]:
        state = EntityState("titles", updated_by=updated_by)
        for key, target_id in ids.items():
            state.put(key, Entry(target_id, "digest", {"name": key}, {}))
        return state.to_json()

    def records(self, rig: BatchRig) -> dict[str, Any] | None:
        value = read_json(rig.documents, paths.state("titles"))
        return None if value is None else {key: record[0] for key, record in value["records"].items()}

    def test_adds_the_outcomes_to_what_was_known(self) -> None:
        rig = self.rig()
        rig.put(paths.state("titles"), self.state("earlier/plan", Foreman=1))
        rig.deliver()
        assert self.records(rig) == {"foreman": 1, "welder": 100}
        assert read_json(rig.documents, paths.state("titles"))["updated_by"] == f"{RUN}/{PLAN_ID}"

    def test_starts_from_what_planning_found(self) -> None:
        rig = self.rig(base=paths.base(RUN, "titles", PLAN_ID), state_by=None)
        rig.put(paths.base(RUN, "titles", PLAN_ID), self.state(None, Foreman=1))
        rig.deliver()
        assert self.records(rig) == {"foreman": 1, "welder": 100}

    def test_by_a_handler_that_comes_late_does_not_undo_a_later_run(self) -> None:
        rig = self.rig(base=paths.base(RUN, "titles", PLAN_ID))
        rig.put(paths.base(RUN, "titles", PLAN_ID), self.state("earlier/plan", Foreman=1))
        rig.put(paths.state("titles"), self.state("later/plan", Foreman=1, Welder=100, Mason=101))
        rig.deliver()
        assert self.records(rig) == {"Foreman": 1, "Welder": 100, "Mason": 101}

    def listed_without_a_state(self, known_by: str) -> BatchRig:
        """Planned by release 0.1.0, which cannot read the state of titles and lists SafetyAmp."""
        rig = self.rig(base=paths.base(RUN, "titles", PLAN_ID), state_by=None)
        rig.put(paths.base(RUN, "titles", PLAN_ID), {**self.state(None, Foreman=1), "version": 1})
        rig.put(paths.state("titles"), self.state(known_by, foreman=1))
        return rig

    def test_takes_the_place_of_a_state_that_the_release_before_could_not_read(self) -> None:
        rig = self.listed_without_a_state("20260105-110000-abcdef/plan")
        rig.deliver()
        assert self.records(rig) == {"foreman": 1, "welder": 100}

    def test_does_not_take_the_place_of_what_a_later_run_has_noted(self) -> None:
        rig = self.listed_without_a_state("20260105-130000-abcdef/plan")
        rig.deliver()
        assert self.records(rig) == {"foreman": 1}

    def test_makes_no_state_of_these_outcomes_alone_when_the_document_was_deleted_meanwhile(self) -> None:
        """The next run would take all others for missing, and create them again."""
        rig = self.rig()
        rig.deliver()
        assert self.records(rig) is None
        assert get_run(rig.documents, RUN).entities["titles"].phase == "done"


class TestUnexpectedErrors:
    """Nobody thought of them, and they would come again for ever."""

    POISON = frozenset({"no JSON"})

    def refused_with(self, texts: Any) -> InvalidRecord:
        return InvalidRecord("refused", 422, field_errors={"name": texts})

    def deliver_all(self, rig: BatchRig, most: int = 30) -> int:
        """Handle the batch and all that is sent on; how many messages that were."""
        rig.deliver()
        for number in range(1, most):
            waiting = [message for message in rig.bus.sent if message.queue == "change-batches"]
            if not waiting:
                return number
            rig.bus.sent.clear()
            if waiting[0].deliver_at:
                rig.clock.advance_to(waiting[0].deliver_at)
            apply_batch(rig.services, parse_batch_message(waiting[0].body.encode()))
        raise AssertionError("it goes on and on")

    def test_half_a_character_in_a_refusal_is_stored_with_it(self) -> None:
        safetyamp = ScriptedSafetyAmp(self.refused_with(["bad: \ud83d"]))
        rig = BatchRig(safetyamp, [change("Foreman"), change("Laborer")])
        rig.deliver()
        assert [outcome.result for outcome in rig.outcomes()] == ["refused", "created"]
        assert len(safetyamp.writes) == 2

    def test_an_answer_that_cannot_be_stored_ends_after_three_tries_and_the_rest_is_left(self) -> None:
        safetyamp = ScriptedSafetyAmp(*[self.refused_with(self.POISON)] * 20)
        rig = BatchRig(safetyamp, [change("Foreman"), change("Laborer")])
        assert self.deliver_all(rig) == 4
        assert len(safetyamp.writes) <= 3
        results = [(outcome.result, outcome.unsure) for outcome in rig.outcomes()]
        assert results == [("failed", True), ("failed", True)]
        assert "unexpected TypeError" in (rig.outcomes()[1].reason or "")
        assert get_run(rig.documents, RUN).entities["titles"].ended

    def test_tries_are_counted_in_the_progress_and_not_by_deliveries(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(*[self.refused_with(self.POISON)] * 20), [change("Foreman")])
        rig.deliver()
        assert rig.progress()["tries"] == 1
        for _ in range(2):  # it is put off, and then looked for and sent anew
            rig.clock.advance(300)
            rig.deliver()
        assert rig.progress()["tries"] == 2

    def test_a_change_that_came_through_starts_the_count_anew(self) -> None:
        poison = self.refused_with(self.POISON)
        rig = BatchRig(ScriptedSafetyAmp(poison), [change("Foreman"), change("Laborer")])
        for _ in range(3):
            rig.deliver()
            rig.clock.advance(101)
        assert [outcome.result for outcome in rig.outcomes()] == ["created", "created"]
        assert rig.progress()["tries"] == 0

    def test_giving_up_a_batch_ends_it_whatever_happens(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rig = BatchRig(ScriptedSafetyAmp(), [change("Foreman"), change("Old", "update")])

        def fail(*_: Any) -> None:
            raise KeyError("nobody thought of it")

        monkeypatch.setattr("shared.sync.runs.batch_handler.Resolver", fail)
        give_up_batch(rig.services, BatchMessage(RUN, "titles", 1, 1, "start"), "given up")
        assert [outcome.result for outcome in rig.outcomes()] == ["failed", "failed"]
        assert get_run(rig.documents, RUN).entities["titles"].ended

    def test_what_fails_also_while_it_is_given_up_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rig = BatchRig(ScriptedSafetyAmp(), [change("Foreman"), change("Old", "update")])

        def fail(*_: Any) -> None:
            raise KeyError("nobody thought of it")

        monkeypatch.setattr("shared.sync.runs.batch_handler.Resolver", fail)
        assert self.deliver_all(rig) == 3
        assert [(outcome.result, outcome.unsure) for outcome in rig.outcomes()] == [
            ("failed", True),
            ("failed", False),
        ]
        assert get_run(rig.documents, RUN).entities["titles"].phase == "failed"

    def test_a_dead_letter_whose_work_cannot_be_ended_is_not_delivered_for_ever(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rig = BatchRig(ScriptedSafetyAmp(), [change("Foreman")])

        def fail(*_: Any) -> None:
            raise KeyError("nobody thought of it")

        monkeypatch.setattr("shared.sync.runs.dead_letters.give_up_batch", fail)
        body = BatchMessage(RUN, "titles", 1, 1, "start").to("change-batches").body.encode()
        archive(rig.services, DeadLetter("batch", "m-1", body, "MaxDeliveryCountExceeded", 10))
        assert len(list(rig.documents.list(paths.DEAD_LETTERS))) == 1

    def test_merging_that_fails_ends_the_entity_and_has_safetyamp_listed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rig = BatchRig(ScriptedSafetyAmp(), [change("Foreman")])
        rig.put(paths.state("titles"), EntityState("titles").to_json())

        def fail(*_: Any) -> None:
            raise KeyError("nobody thought of it")

        monkeypatch.setattr("shared.sync.runs.finish.merge_outcomes", fail)
        rig.deliver()
        status = get_run(rig.documents, RUN).entities["titles"]
        assert (status.phase, "unexpected KeyError" in (status.reason or "")) == ("failed", True)
        state = read_state(rig.documents, "titles")
        assert state is not None
        assert state.needs_listing()


def test_what_a_lost_outcome_was_is_found_out_by_the_next_listing() -> None:
    """Who was switched off by it is known as switched off by us, if SafetyAmp then says so."""
    rig = BatchRig(ScriptedSafetyAmp(), [change("1", "deactivate", system_access=0)], entity="employees")
    state = EntityState("employees")
    state.put("1", Entry("abcde", "d", {"system_access": 1}, {}))
    rig.put(paths.state("employees"), state.to_json())
    rig.documents.write(paths.outcome(RUN, "employees", 1), b"{")
    rig.deliver()
    after = read_state(rig.documents, "employees")
    assert after is not None
    assert after.needs_listing()
    target = Target("abcde", "1", {"system_access": 0})
    entry = rebuild("employees", [target], after, RUN).entry("1")
    assert entry is not None
    assert entry.flags == {OFF_BY: RUN}
    target = Target("abcde", "1", {"system_access": 1})
    entry = rebuild("employees", [target], after, RUN).entry("1")
    assert entry is not None
    assert entry.flags == {}
