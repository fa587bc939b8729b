"""One record looked at closely: what the source has of it, what it is mapped to, and how it was found."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from shared.clients.vista.rows import DepartmentRow, JobRow
from shared.sync.documents.state import FAILURE, EntityState, Entry
from shared.sync.entities import mappings
from shared.sync.entities.shown import shown
from shared.sync.model import EntityName, FieldValues, SourceRecord
from shared.sync.planning.reader import SourceReader, mapping_options
from shared.sync.planning.record_view import RecordView, view_record
from shared.sync.planning.resolver import Resolver
from tests.unit.planning_rig import VEHICLES_ON, PlanningRig, a_leaver, a_person

TRUCK = {"id": "281", "name": "Truck", "serial": "SN1", "licensePlate": "LA 1", "notes": "blue"}


class Looker:
    """Looks at records of one entity."""

    def __init__(self, entity: EntityName = "employees", **settings: str) -> None:
        self.rig = PlanningRig(entity, **settings)
        self.state = EntityState(entity)
        self.rig.samsara_source.records["vehicles"] = [TRUCK, {"id": "282", "name": "Retired"}]

    def source(self) -> Any:
        rig = self.rig
        resolver = Resolver(rig.services, "r", rig.entity)
        return (
            SourceReader(rig.services, resolver, mapping_options(rig.settings), refresh=True)
            .read(rig.entity, {})
            .source
        )

    def look(self, key: str, *, listed: bool = False) -> RecordView:
        mapping = mappings(mapping_options(self.rig.settings))[self.rig.entity]
        return view_record(mapping, self.state, self.source(), key, listed=listed)

    def shown(self, key: str) -> FieldValues:
        mapping = mappings(mapping_options(self.rig.settings))[self.rig.entity]
        [record] = [one for one in mapping.records(self.source()) if one.key == key]
        assert isinstance(record, SourceRecord)
        return shown(self.rig.entity, record)


@pytest.fixture
def people() -> Looker:
    looker = Looker()
    looker.rig.hire(a_person(1), a_leaver(2), a_person(3, last_name=None))
    return looker


def test_somebody_current_is_seen_with_row_fields_and_defaults(people: Looker) -> None:
    look = people.look("1")
    assert (look.key, look.in_source, look.active, look.rejected) == ("1", True, True, None)
    assert look.source is not None
    assert look.mapped is not None
    assert look.defaults is not None
    assert (look.source["last_name"], look.mapped["last_name"]) == ("Last1", "Last1")
    assert look.mapped["home_site_id"] == {"$ref": ["jobs", "100."]}
    assert look.defaults["roles"] == {"$ref": ["roles", "Field"]}
    assert "last_name" not in look.defaults


def test_somebody_who_has_left_is_seen_as_that_and_nothing_of_the_row(people: Looker) -> None:
    look = people.look("2")
    assert (look.active, look.source, look.mapped) == (False, {"standing": "left"}, {})


def test_somebody_whom_the_mapping_rejects_is_seen_with_row_and_reason(people: Looker) -> None:
    look = people.look("3")
    assert (look.in_source, look.active, look.mapped, look.defaults) == (True, None, None, None)
    assert look.source is not None
    assert look.source["last_name"] is None
    assert look.rejected == {
        "key": "3",
        "kind": "invalid",
        "reason": "LastName is empty: fill it in Vista",
        "field": "LastName",
        "cause": "last-name-missing",
    }


def test_a_number_that_vista_has_twice_is_seen_as_rejected_without_a_row(people: Looker) -> None:
    people.rig.vista.records["employees"].append(a_person(1, first_name="Twice"))
    look = people.look("1")
    assert (look.in_source, look.source, look.mapped) == (True, None, None)
    assert look.rejected is not None
    assert "two rows have this key" in look.rejected["reason"]


def test_one_that_the_source_has_not_is_seen_with_what_is_known_of_it(people: Looker) -> None:
    people.state.put("9", Entry("u9", "d", {"last_name": "Gone"}, {}))
    look = people.look("9")
    assert look == RecordView(
        "9", in_source=False, found="known id", target_ids=("u9",), known={"last_name": "Gone"}
    )
    assert people.look("10") == RecordView("10", in_source=False)


def test_what_the_mapping_warns_of_is_told(people: Looker) -> None:
    people.rig.hire(a_person(1, phone="none"))
    [warning] = people.look("1").warnings
    assert "both phones" in warning


class TestHowItWasFound:
    def test_by_the_known_id_or_listed_just_now(self, people: Looker) -> None:
        people.state.put("1", Entry("u1", "d", {"last_name": "Last1"}, {}))
        look = people.look("1")
        assert (look.found, look.target_ids, look.known) == ("known id", ("u1",), {"last_name": "Last1"})
        assert people.look("1", listed=True).found == "listed now"

    def test_by_the_known_id_when_the_listing_lacks_it(self, people: Looker) -> None:
        people.state.put("1", Entry("u1", "d", {}, {}))
        people.state.missing["u1"] = "this run"
        assert people.look("1", listed=True).found == "known id"

    def test_as_several(self, people: Looker) -> None:
        people.state.ambiguous["1"] = ["u7", "u8"]
        people.state.put("1", Entry("u1", "d", {}, {}))
        look = people.look("1")
        assert (look.found, look.target_ids, look.known) == ("several", ("u7", "u8"), None)

    def test_not_at_all_when_only_a_refusal_is_remembered(self, people: Looker) -> None:
        people.state.put("1", Entry(None, None, {}, {FAILURE: {"digest": "d", "errors": {}, "at": None}}))
        assert people.look("1").found == "nothing"

    @pytest.mark.parametrize(("ids", "found"), [((), "nothing"), ((7,), "match value"), ((7, 8), "several")])
    def test_by_a_vehicle_s_serial(self, ids: tuple[int, ...], found: str) -> None:
        looker = Looker("vehicles", **VEHICLES_ON)
        for target_id in ids:
            looker.state.add_unmatched("SN1", target_id, {"name": "Truck"})
        look = looker.look("281")
        assert (look.found, look.target_ids, look.known) == (found, ids, None)

    def test_not_by_the_serial_of_one_that_the_source_has_not(self) -> None:
        looker = Looker("vehicles", **VEHICLES_ON)
        looker.state.add_unmatched("SN1", 7, {"name": "Truck"})
        assert looker.look("999").found == "nothing"

    def test_by_the_id_before_the_serial(self) -> None:
        looker = Looker("vehicles", **VEHICLES_ON)
        looker.state.add_unmatched("SN1", 7, {"name": "Truck"})
        looker.state.put("281", Entry(5, "d", {}, {}))
        assert looker.look("281").target_ids == (5,)


class TestWhatOfARowIsShown:
    """The columns that are synced, by name; nothing else, and of nobody who is not there."""

    def test_of_a_department_and_of_a_region(self) -> None:
        looker = Looker("departments")
        looker.rig.vista.records["departments"] = [DepartmentRow("10", "Paving ", "Coast")]
        assert looker.shown("10") == {"department": "10", "description": "Paving", "region": "Coast"}
        assert looker.shown("region:Coast") == {"region": "Coast"}

    def test_of_a_job(self) -> None:
        looker = Looker("jobs")
        looker.rig.vista.records["open jobs"] = [
            JobRow("100.", "Bridge ", "10", "1 St", None, "LA", "7", None)
        ]
        assert looker.shown("100.") == {
            "job": "100.",
            "description": "Bridge ",
            "department": "10",
            "street": "1 St",
            "city": None,
            "state": "LA",
            "zip_code": "7",
            "country": None,
        }

    def test_of_a_title(self) -> None:
        assert Looker("titles").shown("welder") == {"title": "Welder"}

    def test_of_a_vehicle(self) -> None:
        assert Looker("vehicles", **VEHICLES_ON).shown("281") == {
            "name": "Truck",
            "serial": "SN1",
            "model": None,
            "notes": "blue",
            "plate": "LA 1",
            "serial_sharers": 0,
            "employee": None,
            "driver_problem": None,
        }

    def test_of_an_employee_with_the_address_that_counts_and_the_home(self) -> None:
        looker = Looker()
        looker.rig.hire(a_person(1, email="private@home.example"))
        looker.rig.graph_source.records["users"] = [
            {"id": "a1", "employeeId": "1", "mail": "Work@two-rivers.example"}
        ]
        row = looker.shown("1")
        assert row["email"] == "work@two-rivers.example"
        assert "private" not in str(row)
        assert {name: row[name] for name in ("email_from", "email_shared_with", "standing")} == {
            "email_from": "graph",
            "email_shared_with": None,
            "standing": "active",
        }
        assert (row["home_site_from"], row["home_site_key"]) == ("jobs", "100.")
        assert row["birth_date"] == "1980-02-03 00:00:00"

    @pytest.mark.parametrize(
        ("columns", "standing"),
        [
            ({"term_date": "2025-11-01 00:00:00"}, "left"),
            ({"hire_date": "2027-01-01 00:00:00"}, "future"),
            ({"hire_date": None}, "bad HireDate"),
        ],
    )
    def test_of_somebody_who_is_not_there_is_nothing_but_that(
        self, columns: dict[str, Any], standing: str
    ) -> None:
        looker = Looker()
        looker.rig.hire(a_person(1, **columns))
        assert looker.shown("1") == {"standing": standing}

    @pytest.mark.parametrize(
        ("value", "plain"),
        [
            (datetime.fromisoformat("1980-02-03T04:05:00"), "1980-02-03T04:05:00"),
            (date(1980, 2, 3), "1980-02-03"),
            (" as it is ", " as it is "),
            (b"bytes", "(no text)"),
            (1.5, "1.5"),
        ],
        ids=["time", "day", "text", "bytes", "number"],
    )
    def test_is_plain_whatever_the_driver_gives(self, value: Any, plain: Any) -> None:
        looker = Looker()
        looker.rig.hire(a_person(1, street=value))
        assert looker.shown("1")["street"] == plain
