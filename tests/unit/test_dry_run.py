"""What planning would do with one record now: the planner's own steps, without a run, without a call to
SafetyAmp, and without writing anything."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import (
    APIError,
    CircuitOpen,
    ConfigurationError,
    DatabaseError,
    IncompleteRead,
    StorageError,
)
from shared.queries.dry_run import DryRun, dry_run
from shared.sync import paths
from shared.sync.documents.state import FAILURE, REJECTED, Entry
from shared.sync.model import EntityName
from shared.sync.planning.compare import wanted_digest
from tests.unit.operations_rig import OperationsRig, Untouched, employee, nth_run


class ProspectRig(OperationsRig):
    """Titles, and two people; what is asked must not change a document."""

    def __init__(self, **settings: str) -> None:
        super().__init__(Untouched(), **settings)
        self.sources.titles_rows = ["Foreman", "Welder"]
        self.sources.employee_rows = [employee(7, phone="504-555-0142"), employee(8, last_name=" ")]
        self.sources.latest = [(7, "100."), (8, "100.")]
        self.keep_state({"100.": Entry(5, "d", {}, {})}, "jobs")

    def ask(self, key: str = "welder", entity: EntityName = "titles") -> DryRun:
        before = self.everything()
        found = dry_run(self.services, entity, key)
        assert self.everything() == before
        assert self.bus.sent == []
        return found

    def in_safetyamp(self, **changed: Any) -> Entry:
        """Employee 7 as the source wants it, but for what is changed."""
        view = self.ask("7", "employees").view
        assert view is not None
        assert view.mapped is not None
        return Entry("u7", None, {**view.mapped, "home_site_id": 5, "system_access": 1, **changed}, {})


@pytest.fixture
def rig() -> ProspectRig:
    return ProspectRig()


def test_what_is_not_there_would_be_created(rig: ProspectRig) -> None:
    rig.keep_state({}, "titles", updated_by="r1/p1")
    found = rig.ask()
    assert found.change is not None
    assert (found.change.action, found.change.key, found.change.fields) == (
        "create",
        "welder",
        {"name": "Welder"},
    )
    assert (found.entry, found.ambiguous, found.notes, found.held) == (None, (), (), ())
    assert (found.state_known, found.updated_by, found.passed_over) == (True, "r1/p1", False)


def test_of_a_safetyamp_that_was_never_listed_that_is_told(rig: ProspectRig) -> None:
    assert rig.ask().state_known is False


def test_what_is_as_it_should_be_would_be_left_alone(rig: ProspectRig) -> None:
    rig.keep_state({"welder": Entry(3, None, {"name": "WELDER"}, {})}, "titles")
    found = rig.ask()
    assert (found.change, found.entry and found.entry.target_id) == (None, 3)
    assert found.view is not None
    assert (found.view.found, found.view.target_ids) == ("known id", (3,))


def test_a_record_that_the_source_does_not_have_is_looked_at_nevertheless(rig: ProspectRig) -> None:
    rig.keep_state({"cook": Entry(4, "d", {"name": "Cook"}, {})}, "titles")
    found = rig.ask("cook")
    assert (found.view and found.view.in_source, found.change) == (False, None)
    assert found.entry is not None


def test_several_records_of_the_key_are_all_named(rig: ProspectRig) -> None:
    rig.keep_state({}, "titles", ambiguous={"welder": [3, 4]})
    found = rig.ask()
    assert (found.ambiguous, found.change) == ((3, 4), None)
    assert "ids 3, 4" in found.notes[0]


def test_a_record_that_the_last_listing_lacked_names_the_run_that_missed_it(rig: ProspectRig) -> None:
    rig.keep_state({"welder": Entry(3, "d", {}, {})}, "titles", missing={"3": nth_run(4)})
    assert (rig.ask().missing_since, rig.ask("foreman").missing_since) == (nth_run(4), None)


@pytest.mark.parametrize(
    "error",
    [
        IncompleteRead("the read was cut off"),
        DatabaseError("the read was cut off"),
        APIError("the read was cut off", 502),
        CircuitOpen("the read was cut off", 5.0),
        ConfigurationError.of("VISTA_COMPANY", "the read was cut off"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_where_the_source_cannot_be_read_what_is_known_is_told_nevertheless(
    rig: ProspectRig, error: Exception
) -> None:
    rig.keep_state({"welder": Entry(3, "d", {}, {})}, "titles", missing={"3": nth_run(4)}, updated_by="r/p")
    rig.sources.away = error
    found = rig.ask()
    assert found.problem is not None
    assert "the read was cut off" in found.problem
    assert (found.view, found.change, found.notes, found.held) == (None, None, (), ())
    assert found.entry is not None
    assert (found.entry.target_id, found.missing_since, found.updated_by) == (3, nth_run(4), "r/p")


def test_a_source_in_which_there_is_nothing_is_not_believed(rig: ProspectRig) -> None:
    rig.sources.titles_rows = []
    assert "Vista titles" in (rig.ask().problem or "")


def test_where_documents_cannot_be_reached_nothing_is_said(
    rig: ProspectRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_path: str) -> None:
        raise StorageError("storage is away")

    monkeypatch.setattr(rig.documents, "read", away)
    with pytest.raises(StorageError):
        dry_run(rig.services, "titles", "welder")


def test_a_state_that_cannot_be_read_is_as_good_as_none(rig: ProspectRig) -> None:
    rig.keep_state({"welder": Entry(3, "d", {}, {})}, "titles")
    rig.damage(paths.state("titles"))
    found = rig.ask()
    assert (found.state_known, found.entry) == (False, None)
    assert found.change is not None


def test_nor_is_one_of_which_a_single_record_is_damaged(rig: ProspectRig) -> None:
    rig.keep_state({"7": Entry("u7", "d", {}, {}), "9": Entry("u9", "d", {}, {})})
    rig.damage_record("7")
    assert rig.ask("7", "employees").state_known is False
    assert rig.ask("8", "employees").problem is None


def test_what_only_a_listing_shows_is_said_to_be_passed_over_until_then(rig: ProspectRig) -> None:
    rig.keep_state({"7": rig.in_safetyamp(street="2 Oak")})
    change = rig.ask("7", "employees").change
    assert change is not None
    for digest, passed_over in ((None, False), ("other", False), (change.digest, True)):
        entry = rig.in_safetyamp(street="2 Oak")
        entry.digest = digest
        rig.keep_state({"7": entry})
        found = rig.ask("7", "employees")
        assert (found.passed_over, found.change and found.change.fields) == (
            passed_over,
            {"street": "1 Main St"},
        )


def test_the_guard_is_asked_about_all_records_and_only_for_a_change(rig: ProspectRig) -> None:
    there = {"welder": Entry(3, None, {"name": "Welder"}, {})}
    rig.keep_state(there, "titles", source_counts={"Vista titles": 100})
    (reason,) = rig.ask("foreman").held
    assert "2 records where the last good run read 100" in reason
    assert rig.ask("welder").held == (), "nothing is to be done for it"


def test_a_mass_deactivation_holds_the_one_who_is_asked_for_too() -> None:
    rig = ProspectRig(GUARD_MAX_DEACTIVATIONS="1")
    gone = {"term_date": "2025-01-01"}
    rig.sources.employee_rows = [employee(number, **gone) for number in (7, 8)]
    rig.keep_state({key: Entry(f"u{key}", None, {"system_access": 1, "emp_id": key}, {}) for key in "78"})
    found = rig.ask("7", "employees")
    assert found.change is not None
    assert found.change.action == "deactivate"
    assert "2 people would be deactivated, GUARD_MAX_DEACTIVATIONS is 1" in found.held


def test_only_what_concerns_the_record_is_noted(rig: ProspectRig) -> None:
    notes = {key: rig.ask(key, "employees").notes for key in ("7", "8")}
    assert notes["7"] == ()
    assert len(notes["8"]) == 1
    assert "LastName" in notes["8"][0]


def test_a_value_that_is_not_sent_is_told_with_the_reason(rig: ProspectRig) -> None:
    rig.keep_state({"7": rig.in_safetyamp()})
    assert rig.ask("7", "employees").left_out == ()
    without = rig.in_safetyamp(mobile_phone=None)
    phone = rig.in_safetyamp().fields["mobile_phone"]
    taken = Entry("u9", "d", {"mobile_phone": phone, "system_access": 1}, {})
    rig.keep_state({"7": without, "9": taken})
    rig.sources.employee_rows.append(employee(9, phone="504-555-0142"))
    found = rig.ask("7", "employees")
    assert found.change is None
    assert found.left_out == found.notes != ()
    assert "mobile_phone" in found.left_out[0]


def test_what_is_done_to_another_record_for_this_one_is_not_noted_of_it(rig: ProspectRig) -> None:
    """Somebody who has left keeps a phone that is this one's: it is cleared first."""
    phone = rig.in_safetyamp().fields["mobile_phone"]
    rig.keep_state(
        {
            "7": rig.in_safetyamp(mobile_phone=None),
            "9": Entry("u9", "d", {"mobile_phone": phone, "system_access": 0}, {}),
        }
    )
    rig.sources.employee_rows.append(employee(9, term_date="2025-01-01"))
    found = rig.ask("7", "employees")
    assert found.change is not None
    assert [beside["key"] for beside in found.change.beside] == ["9"]
    assert (found.notes, found.left_out) == ((), ())


def test_a_record_that_was_refused_as_a_whole_has_no_value_that_is_left_out(rig: ProspectRig) -> None:
    rig.keep_state({"7": rig.in_safetyamp(street="2 Oak")})
    change = rig.ask("7", "employees").change
    assert change is not None
    entry = rig.in_safetyamp(street="2 Oak")
    entry.flags[FAILURE] = {"digest": change.digest, "errors": {"city": ["no"]}, "at": None, "by": {}}
    rig.keep_state({"7": entry})
    found = rig.ask("7", "employees")
    assert (found.change, found.left_out) == (None, ())
    assert "city: no" in found.notes[0]


def test_a_read_that_once_was_not_empty_must_not_be(rig: ProspectRig) -> None:
    rig.sources.latest = []
    rig.keep_state({"7": Entry("u7", "d", {}, {})})
    assert rig.ask("7", "employees").problem is None
    rig.keep_state({"7": Entry("u7", "d", {}, {})}, source_counts={"Vista latest open jobs": 2})
    assert "Vista latest open jobs" in (rig.ask("7", "employees").problem or "")


def test_a_warning_is_noted_and_no_value_that_is_left_out(rig: ProspectRig) -> None:
    rig.sources.employee_rows = [employee(7, phone="12")]
    found = rig.ask("7", "employees")
    assert (len(found.notes), found.left_out) == (1, ())


def test_a_refused_value_is_left_out_until_it_changes(rig: ProspectRig) -> None:
    rig.keep_state({"7": rig.in_safetyamp(street="2 Oak")})
    assert rig.ask("7", "employees").change is not None
    entry = rig.in_safetyamp(street="2 Oak")
    entry.flags[REJECTED] = {"street": wanted_digest("1 Main St", "1 Main St")}
    rig.keep_state({"7": entry})
    found = rig.ask("7", "employees")
    assert found.change is None
    assert any("street left out: SafetyAmp refused this value" in note for note in found.notes)
