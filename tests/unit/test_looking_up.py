"""The one listing in which lost creations are looked for: when it is made, by whom, and that it is new."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import IncompleteRead, UpstreamUnavailable
from shared.storage.documents import create_json
from shared.sync import paths
from shared.sync.applying.looking_up import LookUp, TooEarly
from shared.sync.documents.change import Change
from shared.sync.documents.plans import plan_at
from shared.sync.documents.progress import OpenCreation, Progress
from shared.sync.documents.runs import get_run
from shared.sync.entities import mappings
from shared.sync.messages import BatchMessage
from shared.sync.model import EntityName
from shared.sync.planning.reader import mapping_options
from tests.unit.engine_rig import last_long
from tests.unit.test_batch_handler import RUN, BatchRig, ScriptedSafetyAmp, change

SETTLED_AFTER = 100.0
"""LOST_ANSWER_SECONDS."""


class LookUpRig(BatchRig):
    """A run whose batches of one creation each got no answer; SafetyAmp has what `there` says."""

    def __init__(
        self, *keys: str, entity: EntityName = "employees", there: list[dict[str, Any]] | None = None
    ) -> None:
        self.keys = keys
        batches: list[list[Change]] = [[change(key)] for key in keys]
        super().__init__(ScriptedSafetyAmp(), *batches, entity=entity)
        self.safetyamp.pages = [there or []]
        self.sent_at = self.clock.now().isoformat()
        for number in range(1, len(keys) + 1):
            self.note(number)

    def progress_of(self, number: int, *, waiting: bool = True, at: str | None = None) -> Progress:
        at = at or self.sent_at
        creation = OpenCreation(self.keys[number - 1], at=at, since=at)
        return Progress(open={"0": creation}, waiting=waiting, next_at=at)

    def note(self, number: int, **how: Any) -> None:
        self.put(paths.progress(RUN, self.entity, number), self.progress_of(number, **how).to_json())

    def look(self, number: int = 1, **how: Any) -> list[int | str]:
        """The ids that batch `number` is shown."""
        plan = plan_at(self.documents, paths.plan(RUN, self.entity))
        assert plan is not None
        message = BatchMessage(RUN, self.entity, number, 1, "start")
        mapping = mappings(mapping_options(self.settings))[self.entity]
        look_up = LookUp(self.services, get_run(self.documents, RUN), plan, message, mapping)
        return [target.target_id for target in look_up.targets(self.progress_of(number, **how))]

    def too_early(self, number: int = 1, **how: Any) -> float:
        with pytest.raises(TooEarly) as raised:
            self.look(number, **how)
        return raised.value.delay_seconds


def a_user(key: str, target_id: str | None = None) -> dict[str, Any]:
    return {"id": target_id or f"u{key}", "emp_id": key}


class TestTheTime:
    def test_is_when_the_last_of_all_batches_is_settled_and_not_before(self) -> None:
        rig = LookUpRig("1", "2", there=[a_user("1"), a_user("2")])
        rig.clock.advance(40)
        rig.note(2, at=rig.clock.now().isoformat())
        rig.clock.advance(SETTLED_AFTER - 1)
        assert rig.too_early() == 1.0
        assert rig.safetyamp.asked == []
        rig.clock.advance(1)
        assert rig.look() == ["u1", "u2"]

    def test_is_not_while_another_batch_may_still_create(self) -> None:
        rig = LookUpRig("1", "2", "3")
        rig.clock.advance(SETTLED_AFTER)
        later = rig.clock.now()
        rig.note(2, waiting=False, at=later.isoformat())
        assert rig.too_early() == SETTLED_AFTER
        rig.documents.delete(paths.progress(RUN, "employees", 2))
        assert rig.too_early() == SETTLED_AFTER
        rig.documents.write(paths.progress(RUN, "employees", 2), b"{")
        assert rig.too_early() == SETTLED_AFTER
        assert rig.safetyamp.asked == []

    def test_of_a_batch_that_goes_on_later_is_after_that(self) -> None:
        rig = LookUpRig("1", "2")
        at = rig.clock.now().isoformat()
        rig.clock.advance(SETTLED_AFTER)
        progress = rig.progress_of(2, waiting=False, at=at)
        progress.next_at = rig.clock.now().replace(hour=13).isoformat()
        rig.put(paths.progress(RUN, "employees", 2), progress.to_json())
        assert rig.too_early() == 3600.0

    def test_does_not_wait_for_batches_that_have_ended(self) -> None:
        rig = LookUpRig("1", "2", there=[a_user("1")])
        rig.clock.advance(SETTLED_AFTER)
        rig.note(2, waiting=False)
        create_json(rig.documents, paths.outcome(RUN, "employees", 2), {"outcomes": []})
        assert rig.look() == ["u1"]


class TestWhoReads:
    def test_is_the_first_batch_and_the_others_find_it_there(self) -> None:
        rig = LookUpRig("1", "2", there=[a_user("1"), a_user("2"), a_user("9")])
        rig.clock.advance(SETTLED_AFTER)
        assert rig.too_early(2) == SETTLED_AFTER
        assert rig.safetyamp.asked == []
        assert rig.look(1) == rig.look(2) == ["u1", "u2"]
        assert rig.safetyamp.asked == [0, 1]

    def test_is_one_at_a_time(self) -> None:
        rig = LookUpRig("1")
        rig.clock.advance(SETTLED_AFTER)
        rig.documents.acquire_lease(paths.look_up_pages(RUN, "employees"), 60)
        assert rig.too_early() == 60.0
        assert rig.safetyamp.asked == []

    def test_keeps_the_others_from_it_however_long_it_takes(self) -> None:
        rig = LookUpRig("1", there=[a_user("1")])
        rig.safetyamp.pages += [[a_user("2")], [a_user("3")]]
        rig.clock.advance(SETTLED_AFTER)
        listed = last_long(rig, paths.look_up_pages(RUN, "employees"))
        assert (rig.look(), len(listed)) == (["u1"], 3)

    def test_of_departments_is_each_for_itself_when_its_own_is_settled(self) -> None:
        """A department needs the region that an earlier batch looks for."""
        rig = LookUpRig("10", "20", entity="departments")
        rig.safetyamp.clusters = [{"id": 1, "depth": 0, "parent_cluster_id": None, "name": "Root"}]
        rig.note(1, waiting=False)
        assert rig.too_early(2) == SETTLED_AFTER
        rig.clock.advance(SETTLED_AFTER)
        assert rig.look(2) == [1]
        assert rig.documents.read(paths.look_up(RUN, "departments")) is None


class TestWhatIsRead:
    @pytest.mark.parametrize(
        ("entity", "rows"),
        [
            ("employees", [a_user("1"), a_user("9"), a_user(" 1 ", "twin"), {"id": "no number"}]),
            ("titles", [{"id": "u1", "name": "1"}, {"id": "x", "name": "9"}, {"id": "twin", "name": "1"}]),
        ],
    )
    def test_is_kept_only_where_somebody_looks_for_it(
        self, entity: EntityName, rows: list[dict[str, Any]]
    ) -> None:
        rig = LookUpRig("1", entity=entity, there=rows)
        rig.clock.advance(SETTLED_AFTER)
        assert rig.look() == ["u1", "twin"]

    def test_of_assets_is_kept_where_it_can_be_recognised(self) -> None:
        rows = [{"id": 1, "name": "Truck", "serial": "SN1"}, {"id": 2, "name": "Ladder"}]
        rig = LookUpRig("281", entity="vehicles", there=rows)
        rig.clock.advance(SETTLED_AFTER)
        assert rig.look() == [1]

    @pytest.mark.parametrize(
        ("entity", "readings"), [("employees", 1), ("jobs", 1), ("titles", 2), ("vehicles", 2)]
    )
    def test_is_read_twice_where_what_is_not_found_is_created_anew(
        self, entity: EntityName, readings: int
    ) -> None:
        rig = LookUpRig("1", entity=entity, there=[{"id": 1, "name": "x"}])
        rig.clock.advance(SETTLED_AFTER)
        rig.look()
        assert rig.safetyamp.asked == [0, 1] * readings

    def test_is_made_anew_when_what_was_noted_cannot_be_read(self) -> None:
        rig = LookUpRig("1", there=[a_user("1")])
        rig.clock.advance(SETTLED_AFTER)
        for damaged in (b"{", b'{"targets": 1}'):
            rig.safetyamp.asked.clear()
            rig.documents.write(paths.look_up(RUN, "employees"), damaged)
            assert rig.look() == ["u1"]
            assert rig.safetyamp.asked == [0, 1]

    def test_is_made_anew_for_what_is_in_doubt_since_then(self) -> None:
        """Somebody died after the listing, and what they had begun last is not among what was looked for."""
        rig = LookUpRig("1", "2", there=[a_user("1"), a_user("2")])
        rig.clock.advance(SETTLED_AFTER)
        assert rig.look() == ["u1", "u2"]
        rig.clock.advance(10)
        later = rig.clock.now().isoformat()
        assert rig.too_early(at=later) == SETTLED_AFTER
        rig.clock.advance(SETTLED_AFTER)
        assert rig.look(at=later) == ["u1", "u2"]
        assert rig.safetyamp.asked == [0, 1] * 2

    def test_is_made_anew_where_an_older_release_noted_no_time(self) -> None:
        rig = LookUpRig("1", there=[a_user("1")])
        rig.clock.advance(SETTLED_AFTER)
        rig.put(paths.look_up(RUN, "employees"), {"targets": []})
        assert rig.look() == ["u1"]

    def test_is_no_listing_that_was_made_for_the_plan(self) -> None:
        """It was made before the creations were sent, and shows none of them."""
        rig = LookUpRig("1", there=[a_user("1")])
        kept = {"page": 1, "targets": [], "listing": {"page": 1, "complete": True, "targets": []}}
        rig.put(paths.planning(RUN, "employees"), kept)
        rig.clock.advance(SETTLED_AFTER)
        assert rig.look() == ["u1"]

    @pytest.mark.parametrize(
        "error", [IncompleteRead("cut off"), UpstreamUnavailable("503", 503)], ids=["cut off", "away"]
    )
    def test_is_nothing_while_it_is_not_whole(self, error: Exception) -> None:
        rig = LookUpRig("1", there=[a_user("1")])
        rig.safetyamp.pages.append([a_user("2")])
        rig.safetyamp.fail_at = {1: error}
        rig.clock.advance(SETTLED_AFTER)
        with pytest.raises(type(error)):
            rig.look()
        assert rig.documents.read(paths.look_up(RUN, "employees")) is None
        assert rig.look() == ["u1"]
