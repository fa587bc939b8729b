"""Names beside numbers: as SafetyAmp has them, and only where that tells none as the source has them."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import DatabaseError
from shared.queries.names import names
from shared.sync import paths
from shared.sync.documents.state import FAILURE, Entry
from shared.sync.model import EntityName
from tests.unit.operations_rig import OperationsRig, Untouched, answers, employee


def known(**fields: Any) -> Entry:
    return Entry("u1", "d", fields, {})


class NamesRig(OperationsRig):
    def __init__(self) -> None:
        super().__init__(Untouched())
        self.sources.employee_rows = [employee(7, last_name="Weiß"), employee(8)]

    def told(self, *keys: str, entity: EntityName = "employees") -> dict[str, str]:
        found: dict[str, str] = answers("name_records", names(self.services, entity, keys))["names"]
        return found


@pytest.fixture
def rig() -> NamesRig:
    return NamesRig()


def test_what_safetyamp_is_known_to_have_is_told_without_asking_the_source(rig: NamesRig) -> None:
    rig.keep_state({"7": known(first_name="Ann", last_name="Married"), "8": known(first_name="Ben")})
    rig.sources.away = DatabaseError("Vista is away")
    found = names(rig.services, "employees", ["7", "8", "7"])
    assert found == {"names": {"7": "Ann Married", "8": "Ben"}, "problems": []}


def test_whoever_is_not_in_safetyamp_has_the_name_of_the_source(rig: NamesRig) -> None:
    rig.keep_state({"8": Entry(None, None, {}, {FAILURE: {"digest": "d", "errors": {}, "at": None}})})
    assert rig.told("7", "8") == {"7": "Ann Weiß", "8": "Ann Lee"}


def test_also_where_the_source_s_record_cannot_be_used(rig: NamesRig) -> None:
    rig.sources.employee_rows = [employee(8, hire_date="1800-01-01")]
    assert rig.told("8") == {"8": "Ann Lee"}


def test_whom_nobody_knows_has_no_name(rig: NamesRig) -> None:
    assert rig.told("9") == {}
    rig.sources.employee_rows = [employee(7, first_name=" ", last_name=" ")]
    assert rig.told("7") == {}


def test_a_source_that_is_away_costs_its_names_alone_and_is_named(rig: NamesRig) -> None:
    rig.keep_state({"7": known(first_name="Ann")})
    rig.sources.away = DatabaseError("Vista is away")
    found = names(rig.services, "employees", ["7", "8"])
    assert found == {"names": {"7": "Ann"}, "problems": ["employees: Vista is away"]}


def test_a_record_that_cannot_be_read_is_named_by_the_source(rig: NamesRig) -> None:
    rig.keep_state({"7": known(first_name="Ann", last_name="Married")})
    rig.damage_record("7")
    assert rig.told("7") == {"7": "Ann Weiß"}


@pytest.mark.parametrize(
    ("entity", "fields", "name"),
    [
        ("jobs", {"name": "100. - Bridge"}, "100. - Bridge"),
        ("titles", {"name": "Welder"}, "Welder"),
        ("vehicles", {"name": "Unit 7", "code": "28147"}, "Unit 7 28147"),
    ],
)
def test_things_are_called_as_they_are_in_the_search(
    rig: NamesRig, entity: EntityName, fields: dict[str, Any], name: str
) -> None:
    rig.keep_state({"7": known(**fields)}, entity)
    assert rig.told("7", entity=entity) == {"7": name}
    assert rig.documents.read(paths.state("employees")) is None
