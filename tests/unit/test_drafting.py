"""From source records and state to changes, and what is reported instead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from shared.storage.documents import update_json
from shared.sync import paths
from shared.sync.documents.runs import EntityStatus, Run, RunRequest
from shared.sync.documents.state import FAILURE, EntityState, Entry
from shared.sync.findings.causes import UNEXPECTED_DATA as ODD
from shared.sync.findings.causes import Reason
from shared.sync.model import ApiRow, Desired, EntityName, FieldValues, Rejected, SourceRecord, Target
from shared.sync.planning.drafting import Draft, draft_changes
from shared.sync.planning.resolver import Resolver
from shared.sync.sources import MappingOptions
from tests.unit.engine_rig import EngineRig


@dataclass
class ThingsMapping:
    """A mapping whose facts are name, serial, and whether the thing is still there."""

    options = MappingOptions()
    rules = options.rules.vehicles
    more_columns: tuple[str, ...] = ()

    rejects: dict[str, Rejected] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    name: EntityName = "vehicles"
    version: int = 1

    def records(self, source: list[SourceRecord | Rejected]) -> Iterator[SourceRecord | Rejected]:
        return iter(source)

    def desired(self, record: SourceRecord) -> Desired | Rejected:
        if record.key in self.rejects:
            return self.rejects[record.key]
        name, serial, active = record.facts
        fields = {"name": name} if serial is None else {"name": name, "serial": serial}
        return Desired(record.key, fields, {}, active, tuple(Reason(text, ODD) for text in self.warnings))

    def target(self, row: ApiRow) -> Target | None:
        raise NotImplementedError

    def match_value(self, record: SourceRecord) -> str | None:
        serial: str | None = record.facts[1]
        return serial

    def core(self, existing: FieldValues) -> FieldValues:
        return {}


def thing(key: str, name: str = "Truck", serial: str | None = None, active: bool = True) -> SourceRecord:
    return SourceRecord(key, (name, serial, active))


class Drafter:
    """Drafts of one state."""

    def __init__(self, *, mapping: ThingsMapping | None = None, **settings: str) -> None:
        self.rig = EngineRig(**settings)
        self.mapping = mapping or ThingsMapping()
        self.state = EntityState("vehicles")

    def know(self, key: str, entry: Entry) -> None:
        self.state.put(key, entry)

    def draft(
        self, *records: SourceRecord | Rejected, trust_digests: bool = True, retry_failed: bool = False
    ) -> Draft:
        run = Run("r", RunRequest(retry_failed=retry_failed), "now", {"vehicles": EntityStatus()})
        resolver = Resolver(self.rig.services, "r", "vehicles")
        return draft_changes(
            self.rig.services,
            self.mapping,
            self.state,
            resolver,
            run,
            list(records),
            trust_digests=trust_digests,
        )


TRUCK = {"name": "Truck", "system_access": 1}


def actions(draft: Draft) -> list[tuple[str, str]]:
    return [(change.action, change.key) for change in draft.changes]


def test_a_record_that_equals_what_is_known_is_settled_and_then_not_looked_at() -> None:
    drafter = Drafter()
    drafter.know("1", Entry(7, None, TRUCK, {}))
    first = drafter.draft(thing("1"))
    assert (first.changes, first.state_changed, first.counts["unchanged"]) == ([], True, 1)
    drafter.mapping.rejects["1"] = Rejected("1", "invalid", "looked at", cause=ODD)
    second = drafter.draft(thing("1"))
    assert (second.problems, second.state_changed, second.counts["unchanged"]) == ([], False, 1)
    assert drafter.draft(thing("1"), trust_digests=False).counts["invalid"] == 1


def test_leavers_go_before_joiners_and_joiners_before_changes() -> None:
    drafter = Drafter()
    drafter.know("2", Entry(2, None, TRUCK, {}))
    drafter.know("4", Entry(4, None, TRUCK, {}))
    draft = drafter.draft(
        thing("1"), thing("2", "Van"), thing("3"), thing("4", active=False), thing("5", active=False)
    )
    assert actions(draft) == [("deactivate", "4"), ("create", "1"), ("create", "3"), ("update", "2")]
    assert draft.seen == {"1", "2", "3", "4", "5"}


def test_every_source_record_is_counted_once() -> None:
    drafter = Drafter(mapping=ThingsMapping(rejects={"3": Rejected("3", "skipped", "no serial", cause=ODD)}))
    drafter.know("2", Entry(2, None, TRUCK, {}))
    draft = drafter.draft(
        thing("1"),
        thing("2"),
        thing("3"),
        thing("4", active=False),
        Rejected("5", "invalid", "twice", cause=ODD),
    )
    assert draft.counts == {"source": 5, "create": 1, "unchanged": 1, "skipped": 2, "invalid": 1}


def test_warnings_are_reported_with_the_change() -> None:
    draft = Drafter(mapping=ThingsMapping(warnings=("phone dropped",))).draft(thing("1"))
    assert draft.problems == [
        {"key": "1", "kind": "reported", "reason": "phone dropped", "field": None, "cause": "unexpected-data"}
    ]


class TestWhatIsToBeSaidOfAnEqualRecord:
    def test_is_said_in_every_run_and_written_once(self) -> None:
        drafter = Drafter(mapping=ThingsMapping(warnings=("phone dropped",)))
        drafter.know("1", Entry(7, None, TRUCK, {}))
        drafts = [drafter.draft(thing("1"))]
        drafter.mapping.rejects["1"] = Rejected("1", "invalid", "looked at", cause=ODD)
        drafts += [drafter.draft(thing("1")) for _ in range(2)]
        assert [draft.problems[0]["reason"] for draft in drafts] == ["phone dropped"] * 3
        assert [draft.problems[0].get("cause") for draft in drafts] == [ODD.code] * 3
        assert [draft.state_changed for draft in drafts] == [True, False, False]
        assert {draft.counts["unchanged"] for draft in drafts} == {1}

    def test_is_not_said_any_more_when_it_is_mended(self) -> None:
        mapping = ThingsMapping(warnings=("phone dropped",))
        drafter = Drafter(mapping=mapping)
        drafter.know("1", Entry(7, None, TRUCK | {"serial": "S"}, {}))
        drafter.draft(thing("1"))
        mapping.warnings = ()
        assert drafter.draft(thing("1", serial="S")).problems == []
        mapping.rejects["1"] = Rejected("1", "invalid", "looked at", cause=ODD)
        assert drafter.draft(thing("1", serial="S")).problems == []

    def test_leaves_the_record_known_to_the_guard(self) -> None:
        """A digest is what tells a record of the source from one that somebody made by hand."""
        drafter = Drafter(mapping=ThingsMapping(warnings=("phone dropped",)))
        drafter.know("1", Entry(7, None, TRUCK, {}))
        drafter.draft(thing("1"))
        assert drafter.state.digest("1") is not None

    def test_somebody_whom_hands_switched_off_is_not_called_unchanged(self) -> None:
        drafter = Drafter()
        drafter.know("1", Entry(7, None, {**TRUCK, "system_access": 0}, {}))
        for _ in range(2):
            draft = drafter.draft(thing("1"))
            assert (draft.counts["unchanged"], draft.counts["skipped"]) == (0, 1)
            assert "by hand" in draft.problems[0]["reason"]


class TestTwins:
    def test_of_a_key_are_reported_with_their_ids_and_left_alone(self) -> None:
        drafter = Drafter()
        drafter.state.ambiguous["1"] = [7, 8]
        draft = drafter.draft(thing("1"))
        assert (draft.changes, draft.counts["invalid"]) == ([], 1)
        assert "ids 7, 8" in draft.problems[0]["reason"]

    def test_of_a_match_value_are_reported_too_because_a_choice_would_be_a_guess(self) -> None:
        drafter = Drafter()
        for target_id in (7, 8):
            drafter.state.add_unmatched("SN1", target_id, {})
        draft = drafter.draft(thing("1", serial="SN1"))
        assert (draft.changes, draft.counts["invalid"]) == ([], 1)
        assert "ids 7, 8" in draft.problems[0]["reason"]
        assert drafter.state.unmatched_ids("SN1") == [7, 8]

    def test_of_a_match_value_are_not_switched_off_either(self) -> None:
        """They are nobody's yet: one of them may be somebody else's."""
        drafter = Drafter()
        for target_id in (7, 8):
            drafter.state.add_unmatched("SN1", target_id, {})
        draft = drafter.draft(thing("1", serial="SN1", active=False))
        assert (draft.changes, draft.counts["invalid"]) == ([], 1)

    def test_of_a_match_value_do_not_matter_to_a_record_that_is_known(self) -> None:
        drafter = Drafter()
        for target_id in (7, 8):
            drafter.state.add_unmatched("SN1", target_id, {})
        drafter.know("1", Entry(6, None, {"name": "Truck"}, {}))
        assert actions(drafter.draft(thing("1", serial="SN1"))) == [("update", "1")]


class TestAdoption:
    def test_takes_the_record_with_the_match_value_and_makes_it_equal(self) -> None:
        drafter = Drafter()
        drafter.state.add_unmatched("SN1", 7, {"name": "Old", "serial": "SN1"})
        draft = drafter.draft(thing("1", serial="SN1"))
        [change] = draft.changes
        assert (change.action, change.target_id, change.fields) == ("update", 7, {"name": "Truck"})
        assert (draft.state_changed, drafter.state.target_id("1")) == (True, 7)

    def test_is_for_one_record_only(self) -> None:
        drafter = Drafter()
        drafter.state.add_unmatched("SN1", 7, {"name": "Truck", "serial": "SN1"})
        draft = drafter.draft(thing("1", serial="SN1"), thing("2", serial="SN1"))
        assert actions(draft) == [("create", "2")]

    def test_is_not_prevented_by_an_earlier_refusal_to_create(self) -> None:
        drafter = Drafter()
        drafter.know("1", Entry(None, None, {}, {FAILURE: {"digest": "old", "errors": {}, "at": None}}))
        drafter.state.add_unmatched("SN1", 7, {"name": "Truck", "serial": "SN1"})
        assert drafter.draft(thing("1", serial="SN1")).changes == []
        assert drafter.state.target_id("1") == 7


class TestRememberedRefusal:
    """Of a record that SafetyAmp refused: not sent again while nothing changes."""

    def refused(self, record: SourceRecord) -> Drafter:
        """A drafter that remembers the refusal of what it would do for this record."""
        drafter = Drafter()
        known = Entry(7, None, {**TRUCK, "name": "Old"}, {})
        drafter.know("1", known)
        [change] = drafter.draft(record).changes
        known.flags[FAILURE] = {"digest": change.digest, "errors": {"name": ["is taken"]}, "at": "now"}
        drafter.know("1", known)
        return drafter

    def test_is_reported_instead(self) -> None:
        draft = self.refused(thing("1")).draft(thing("1"))
        assert (draft.changes, draft.counts["invalid"]) == ([], 1)
        assert "name: is taken" in draft.problems[0]["reason"]

    def test_counts_no_longer_when_the_data_changed(self) -> None:
        assert actions(self.refused(thing("1")).draft(thing("1", "Van"))) == [("update", "1")]

    def test_counts_no_longer_when_an_operator_asks(self) -> None:
        assert actions(self.refused(thing("1")).draft(thing("1"), retry_failed=True)) == [("update", "1")]

    def test_never_keeps_a_leaver_in(self) -> None:
        """A leaver's record does not change any more, so that a remembered refusal would be for good."""
        leaver = thing("1", active=False)
        assert actions(self.refused(leaver).draft(leaver)) == [("deactivate", "1")]


def test_a_changed_setting_makes_every_record_be_looked_at() -> None:
    """Otherwise people whom REENABLE_DISABLED concerns would be found by the next refresh only."""
    off = Entry(7, None, {**TRUCK, "system_access": 0}, {})
    before, after = Drafter(), Drafter(REENABLE_DISABLED="true")
    before.know("1", off)
    assert before.draft(thing("1")).changes == []
    after.state = before.state
    assert actions(after.draft(thing("1"))) == [("reactivate", "1")]


@pytest.mark.parametrize(("assigned", "looked_at"), [("false", 0), ("true", 1)])
def test_a_driver_whom_hands_assigned_matters_only_where_the_sync_assigns_them(
    assigned: str, looked_at: int
) -> None:
    drafter = Drafter(VEHICLE_ASSIGN_DRIVER=assigned)
    drafter.mapping.options = MappingOptions(vehicle_assign_driver=assigned == "true")
    people = EntityState("employees")
    people.put("1", Entry("u1", "d", {}, {}))
    update_json(drafter.rig.documents, paths.state("employees"), lambda _: people.to_json())
    drafter.know("1", Entry(7, None, {**TRUCK, "current_user_id": "u9"}, {}))
    drafter.draft(thing("1"))
    drafter.mapping.rejects["1"] = Rejected("1", "invalid", "looked at", cause=ODD)
    assert drafter.draft(thing("1")).counts["invalid"] == looked_at
