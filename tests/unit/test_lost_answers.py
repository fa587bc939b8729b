"""Creations whose answer was lost: the others go on, and what became of them is found out together."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import CircuitOpen, IncompleteRead, InvalidRecord, RateLimited, UpstreamUnavailable
from shared.storage.documents import to_json
from shared.sync import paths
from shared.sync.documents.change import Change
from shared.sync.documents.outcome import Outcome
from shared.sync.messages import parse_batch_message
from shared.sync.runs.batch_handler import GIVE_UP_AFTER, apply_batch
from shared.sync.runs.stopping import cancel
from tests.unit.test_batch_handler import (
    DENIED,
    LOST,
    ODD,
    RUN,
    BatchRig,
    ScriptedSafetyAmp,
    change,
    reference_to,
)

FULL = RateLimited("full", 30.0)


class Killed(BaseException):
    """The process is gone."""


def person(key: str) -> Change:
    return change(key, emp_id=key, email=f"{key}@example.test")


def people(safetyamp: ScriptedSafetyAmp, *batches: list[str]) -> BatchRig:
    changes = [[person(key) for key in batch] for batch in batches]
    return BatchRig(safetyamp, *changes, entity="employees")


def results(outcomes: list[Outcome]) -> list[tuple[str, str, bool]]:
    return [(outcome.key, outcome.result, outcome.adopted) for outcome in outcomes]


def finish(rig: BatchRig, *numbers: int) -> None:
    """Deliver the first messages of these batches, then all copies in the order of their time."""
    for number in numbers:
        rig.deliver(number)
    while rig.bus.sent and not all(rig.outcomes(number) for number in numbers):
        rig.bus.sent.sort(key=lambda message: message.deliver_at or rig.clock.now())
        message = rig.bus.sent.pop(0)
        if message.deliver_at:
            rig.clock.advance_to(message.deliver_at)
        apply_batch(rig.services, parse_batch_message(message.body.encode()))


class TestWhatSafetyAmpRefusesASecondTime:
    """The same body a minute later is a conditional creation."""

    def test_is_sent_again_when_the_others_are_done_and_not_listed_when_it_had_not_happened(self) -> None:
        rig = people(ScriptedSafetyAmp(LOST), ["1", "2", "3"])
        outcomes = rig.deliver_to_the_end()
        assert results(outcomes) == [(key, "created", False) for key in "123"]
        assert [write["emp_id"] for write in rig.safetyamp.writes] == ["1", "2", "3", "1"]
        assert rig.safetyamp.asked == []
        assert len({outcome.target_id for outcome in outcomes}) == 3

    def test_is_looked_for_when_it_is_there_and_adopted_with_what_it_holds(self) -> None:
        rig = people(ScriptedSafetyAmp(LOST, lost=[0]), ["1", "2"])
        outcomes = rig.deliver_to_the_end()
        assert results(outcomes) == [("1", "created", True), ("2", "created", False)]
        assert outcomes[0].target_id == 100
        assert len(rig.safetyamp.writes) == 3
        assert rig.safetyamp.asked == [0, 1]

    def test_is_not_sent_again_before_it_can_be_settled(self) -> None:
        rig = people(ScriptedSafetyAmp(LOST), ["1"])
        rig.deliver()
        assert rig.bus.sent[-1].deliver_at is not None
        assert (rig.bus.sent[-1].deliver_at - rig.clock.now()).total_seconds() == 100

    def test_is_sent_again_as_often_as_its_answer_is_lost_for_half_an_hour(self) -> None:
        rig = people(ScriptedSafetyAmp(LOST, None, LOST, LOST, LOST), ["1", "2"])
        assert results(rig.deliver_to_the_end()) == [("1", "created", False), ("2", "created", False)]
        assert [write["emp_id"] for write in rig.safetyamp.writes] == ["1", "2", "1", "1", "1", "1"]

    def test_whose_turn_came_late_is_sent_again_nevertheless_when_its_answer_is_lost_once_more(self) -> None:
        rig = people(ScriptedSafetyAmp(LOST, LOST), ["1"])
        rig.deliver()
        rig.clock.advance(2 * GIVE_UP_AFTER.total_seconds())
        rig.bus.sent.clear()
        # Another record's answer came meanwhile, so that SafetyAmp is not away.
        progress = rig.progress()
        rig.documents.write(paths.progress(RUN, "employees", 1), to_json({**progress, "blocked_since": None}))
        assert results(rig.deliver_to_the_end()) == [("1", "created", False)]

    def test_that_somebody_else_has_is_left_to_the_next_run_with_what_to_do(self) -> None:
        rig = people(ScriptedSafetyAmp(LOST), ["1"])
        rig.safetyamp.pages[0].append({"id": "zzzzz", "emp_id": "9", "email": "1@example.test"})
        [outcome] = rig.deliver_to_the_end()
        assert (outcome.result, outcome.unsure, outcome.target_id) == ("failed", True, None)
        assert "another SafetyAmp record has the same value" in (outcome.reason or "")

    def test_that_is_refused_for_another_field_was_not_there(self) -> None:
        phone = InvalidRecord("422", 422, field_errors={"mobile_phone": ["taken"]})
        taken = change("1", emp_id="1", email="1@example.test", mobile_phone="+15550001")
        rig = BatchRig(ScriptedSafetyAmp(LOST, phone), [taken], entity="employees")
        [outcome] = rig.deliver_to_the_end()
        assert (outcome.result, sorted(outcome.dropped)) == ("created", ["mobile_phone"])
        assert rig.safetyamp.asked == []

    def test_whose_first_attempt_arrives_late_is_there_once(self) -> None:
        """The repetition is carried out, so that SafetyAmp refuses the late one: a record with that e-mail is
        there. Whoever died before noting the repetition's answer finds that record."""
        rig = people(ScriptedSafetyAmp(LOST, Killed(), lost=[1]), ["1"])
        rig.deliver()
        copy = rig.bus.sent.pop()
        assert copy.deliver_at is not None
        rig.clock.advance_to(copy.deliver_at)
        with pytest.raises(Killed):
            apply_batch(rig.services, parse_batch_message(copy.body.encode()))
        [outcome] = rig.deliver_to_the_end()
        assert (outcome.result, outcome.adopted, outcome.target_id) == ("created", True, 101)
        assert len(rig.safetyamp.pages[0]) == 1

    @pytest.mark.parametrize("error", [FULL, CircuitOpen("open", 60.0)], ids=repr)
    def test_that_could_not_be_sent_again_just_now_is_sent_later(self, error: Exception) -> None:
        rig = people(ScriptedSafetyAmp(LOST, error), ["1"])
        assert results(rig.deliver_to_the_end()) == [("1", "created", False)]

    def test_that_fails_oddly_when_sent_again_may_be_there(self) -> None:
        [outcome] = people(ScriptedSafetyAmp(LOST, ODD), ["1"]).deliver_to_the_end()
        assert (outcome.result, outcome.unsure) == ("failed", True)


class TestOneListing:
    """However many answers were lost, in however many batches."""

    def test_is_shared_by_all_batches(self) -> None:
        rig = people(
            ScriptedSafetyAmp(LOST, None, LOST, None, LOST, lost=[0, 2, 4]), ["1", "2"], ["3", "4"], ["5"]
        )
        finish(rig, 1, 2, 3)
        assert rig.safetyamp.asked == [0, 1]
        found = [outcome for number in (1, 2, 3) for outcome in rig.outcomes(number)]
        assert results(found) == [(key, "created", key in "135") for key in "12345"]
        assert len(rig.safetyamp.pages[0]) == 5

    def test_waits_for_the_batches_that_still_create(self) -> None:
        rig = people(ScriptedSafetyAmp(LOST, lost=[0]), ["1"], ["2"])
        rig.deliver(1)
        for _ in range(5):
            copy = rig.bus.sent.pop()
            assert copy.deliver_at is not None
            rig.clock.advance_to(copy.deliver_at)
            apply_batch(rig.services, parse_batch_message(copy.body.encode()))
        assert (rig.outcomes(1), rig.safetyamp.asked) == ([], [])
        finish(rig, 2, 1)
        assert results(rig.outcomes(1)) == [("1", "created", True)]
        assert rig.safetyamp.asked == [0, 1]

    @pytest.mark.parametrize(
        "error", [FULL, UpstreamUnavailable("503", 503), IncompleteRead("cut off"), ODD], ids=repr
    )
    def test_goes_on_later_when_it_was_interrupted(self, error: Exception) -> None:
        rig = people(ScriptedSafetyAmp(LOST, lost=[0]), ["1"])
        rig.safetyamp.fail_at = {1: error}
        assert results(rig.deliver_to_the_end()) == [("1", "created", True)]
        assert rig.safetyamp.asked[-1] == 1

    def test_is_leased_by_who_reads_it(self) -> None:
        rig = people(ScriptedSafetyAmp(LOST, lost=[0]), ["1"])
        for _ in range(2):
            rig.deliver()
            rig.clock.advance(61)
        lease_id = rig.documents.acquire_lease(paths.look_up_pages(RUN, "employees"), 60)
        rig.deliver()
        assert (len(rig.safetyamp.writes), rig.safetyamp.asked) == (2, [])
        rig.documents.release_lease(paths.look_up_pages(RUN, "employees"), lease_id)
        assert results(rig.deliver_to_the_end()) == [("1", "created", True)]


class TestWithoutAUniqueValue:
    """Titles and assets: looked for when it is settled, created when they are not there."""

    def test_what_is_not_there_is_created_after_the_others(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(LOST, None, LOST, lost=[2]), [change("A"), change("B"), change("C")])
        assert results(rig.deliver_to_the_end()) == [
            ("A", "created", False),
            ("B", "created", False),
            ("C", "created", True),
        ]
        assert [write["name"] for write in rig.safetyamp.writes] == ["A", "B", "C", "A"]
        assert rig.safetyamp.asked == [0, 1, 0, 1]

    def test_what_arrives_within_the_minute_is_adopted(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(LOST), [change("A")])
        rig.deliver()
        rig.safetyamp.pages[0].append({"id": 7, "name": "A"})
        assert results(rig.deliver_to_the_end()) == [("A", "created", True)]
        assert len(rig.safetyamp.writes) == 1

    def test_several_pages_are_read_twice_because_one_reading_can_miss_it(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(LOST, lost=[0]), [change("A")])
        rig.safetyamp.pages += [[{"id": 8, "name": "X"}]]
        rig.deliver_to_the_end()
        assert rig.safetyamp.asked == [0, 1, 2, 0, 1, 2]

    def test_what_is_lost_once_more_is_left_to_the_next_run(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(LOST, LOST), [change("A")])
        [outcome] = rig.deliver_to_the_end()
        assert (outcome.result, outcome.unsure, len(rig.safetyamp.writes)) == ("failed", True, 2)
        assert rig.safetyamp.asked == [0, 1, 0, 1]

    def test_a_full_window_before_it_is_created_anew_is_waited_for(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(LOST, FULL, FULL), [change("A")])
        assert results(rig.deliver_to_the_end()) == [("A", "created", False)]
        assert rig.safetyamp.asked == [0, 1, 0, 1]

    @pytest.mark.parametrize("carried_out", [False, True])
    def test_a_death_while_it_is_created_anew_leaves_it_to_the_next_run(self, carried_out: bool) -> None:
        rig = BatchRig(ScriptedSafetyAmp(LOST, Killed(), lost=[1] if carried_out else []), [change("A")])
        with pytest.raises(Killed):
            rig.deliver_to_the_end()
        rig.clock.advance(61)
        [outcome] = rig.deliver_to_the_end()
        assert (outcome.result, outcome.unsure, len(rig.safetyamp.writes)) == ("failed", True, 2)


class TestTheProgress:
    def test_says_in_the_meantime_what_an_older_release_may_take_for_the_last_word(self) -> None:
        rig = people(ScriptedSafetyAmp(LOST), ["1", "2"])
        rig.deliver()
        first, second = rig.progress()["outcomes"]
        assert (first["result"], first["unsure"], second["result"]) == ("failed", True, "created")
        assert list(rig.progress()["open"]) == ["0"]

    def test_of_an_older_release_that_died_in_the_middle_is_gone_on_with(self) -> None:
        rig = people(ScriptedSafetyAmp(), ["1", "2"])
        old: dict[str, Any] = {
            "outcomes": [],
            "started": 0,
            "looked_up": True,
            "attempts": 1,
            "next_at": None,
        }
        rig.documents.write(paths.progress(RUN, "employees", 1), to_json(old))
        assert results(rig.deliver_to_the_end()) == [("1", "created", False), ("2", "created", False)]
        assert [write["emp_id"] for write in rig.safetyamp.writes] == ["2", "1"]


class TestStopping:
    def test_leaves_the_doubt_of_what_is_open(self) -> None:
        rig = people(ScriptedSafetyAmp(LOST), ["1", "2"])
        rig.deliver()
        cancel(rig.services, RUN, "no longer wanted")
        first, second = rig.deliver_to_the_end()
        assert (first.result, first.unsure, second.result) == ("failed", True, "created")
        assert "may have been created, no answer came: no longer wanted" in (first.reason or "")

    def test_a_refused_credential_while_settling_leaves_it_too(self) -> None:
        first, second = people(ScriptedSafetyAmp(LOST, None, DENIED), ["1", "2"]).deliver_to_the_end()
        assert (first.unsure, second.result) == (True, "created")
        assert "SAFETYAMP_TOKEN" in (first.reason or "")

    def test_an_outage_that_lasts_ends_the_entity(self) -> None:
        rig = people(ScriptedSafetyAmp(*[LOST] * 100), ["1"])
        began = rig.clock.now()
        [outcome] = rig.deliver_to_the_end()
        assert outcome.unsure
        assert rig.clock.now() - began <= GIVE_UP_AFTER


def test_a_region_whose_answer_was_lost_is_settled_before_its_departments() -> None:
    region = change("region:Coast", name="Coast", external_code="Coast", parent_cluster_id=1)
    other = change("30", name="30 - Steel", external_code="30", parent_cluster_id=1)
    department = change(
        "10", name="10 - Paving", external_code="10", parent_cluster_id=reference_to("region:Coast")
    )
    for lost in ([], [0]):
        safetyamp = ScriptedSafetyAmp(LOST, lost=lost)
        rig = BatchRig(safetyamp, [region, other, department], entity="departments")
        root = {"id": 1, "depth": 0, "parent_cluster_id": None, "name": "Root"}
        rig.safetyamp.clusters = [root, {"id": 100, "depth": 1, **region.fields}] if lost else [root]
        found, beside, made = rig.deliver_to_the_end()
        assert (found.result, found.adopted, beside.result, made.result) == (
            "created",
            bool(lost),
            "created",
            "created",
        )
        assert made.fields["parent_cluster_id"] == found.target_id
