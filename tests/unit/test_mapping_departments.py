"""Departments of Vista as site clusters."""

from __future__ import annotations

from typing import Any

import pytest

from shared.clients.vista.rows import DepartmentRow
from shared.sync.entities import departments
from shared.sync.entities.regions import regions_of_departments
from shared.sync.model import Desired, Ref, Rejected, SourceRecord
from shared.sync.sources import DepartmentsSource, MappingOptions

MAPPING = departments.mapping(MappingOptions())


def mapped(*rows: DepartmentRow) -> list[Desired | Rejected]:
    source = DepartmentsSource(list(rows))
    return [
        MAPPING.desired(record) if isinstance(record, SourceRecord) else record
        for record in MAPPING.records(source)
    ]


def cluster(**more: Any) -> dict[str, Any]:
    return {"id": 7, "name": "N", "parent_cluster_id": 1, "depth": 2, "external_code": None, **more}


def test_regions_come_first_and_hang_below_the_root() -> None:
    region, *_ = mapped(DepartmentRow("01", "Yard ", " Gulf"), DepartmentRow("02", "Shop", "Gulf"))
    assert region == Desired(
        "region:Gulf",
        {"parent_cluster_id": Ref("departments", "root")},
        {"name": "Gulf", "external_code": "Gulf", "osha_establishment": 0},
    )


def test_a_department_hangs_below_its_region() -> None:
    assert mapped(DepartmentRow("01 ", "Yard ", " Gulf"))[1] == Desired(
        "01",
        {"name": "01 - Yard", "parent_cluster_id": Ref("departments", "region:Gulf")},
        {"external_code": "01", "osha_establishment": 0},
    )


@pytest.mark.parametrize(
    ("known", "region"),
    [
        ((), "Gulf"),
        (("GULF",), "GULF"),
        (("gulf", "Yard"), "gulf"),
    ],
)
def test_spellings_of_a_region_are_one_region_as_safetyamp_has_it(
    known: tuple[str, ...], region: str
) -> None:
    rows = [
        DepartmentRow(str(number), "Yard", name) for number, name in enumerate(("Gulf", "GULF ", " Gulf"))
    ]
    source = DepartmentsSource(rows, known_regions=frozenset(known))
    records = list(MAPPING.records(source))
    assert [record.key for record in records] == [f"region:{region}", "0", "1", "2"]
    assert regions_of_departments(source) == dict.fromkeys("012", region)


def test_two_regions_that_safetyamp_tells_apart_by_case_stay_two() -> None:
    rows = [DepartmentRow("1", "Yard", "Gulf"), DepartmentRow("2", "Yard", "GULF")]
    source = DepartmentsSource(rows, known_regions=frozenset({"Gulf", "GULF"}))
    assert regions_of_departments(source) == {"1": "Gulf", "2": "GULF"}


def test_a_changed_description_keeps_the_key_and_changes_the_name() -> None:
    before, after = (mapped(DepartmentRow("01", name, "Gulf"))[1] for name in ("Yard", "Dock"))
    assert isinstance(before, Desired)
    assert isinstance(after, Desired)
    assert (before.key, after.key, after.fields["name"]) == ("01", "01", "01 - Dock")


def test_a_department_with_the_code_of_a_region_is_another_record() -> None:
    assert [record.key for record in mapped(DepartmentRow("Gulf", "Yard", "Gulf"))] == ["region:Gulf", "Gulf"]


@pytest.mark.parametrize(
    ("row", "kind", "column"),
    [
        (DepartmentRow("01", None, "Gulf"), "skipped", "Description"),
        (DepartmentRow("01", "Yard", "  "), "skipped", "udRegion"),
        (DepartmentRow("  ", "Yard", "Gulf"), "invalid", "PRDept"),
        (DepartmentRow("root", "Yard", "Gulf"), "invalid", "PRDept"),
        (DepartmentRow("region:X", "Yard", "Gulf"), "invalid", "PRDept"),
    ],
)
def test_a_department_that_lacks_something_is_rejected_by_column(
    row: DepartmentRow, kind: str, column: str
) -> None:
    (rejected,) = [result for result in mapped(row) if isinstance(result, Rejected)]
    assert (rejected.kind, rejected.field) == (kind, column)


def test_codes_that_are_equal_after_trimming_are_all_rejected() -> None:
    results = mapped(DepartmentRow("01", "A", "Gulf"), DepartmentRow("01 ", "B", "Gulf"))[0:2]
    assert [(result.key, getattr(result, "kind", None)) for result in results] == [("01", "invalid")] * 2


@pytest.mark.parametrize(
    ("row", "key"),
    [
        (cluster(name="Company", parent_cluster_id=None, depth=0), "root"),
        (cluster(name="Gulf ", depth=1), "region:Gulf"),
        (cluster(name="Gulf", depth=1, external_code="Gulf"), "region:Gulf"),
        (cluster(name="Gulf", depth=1, external_code="GULF "), "region:Gulf"),
        (cluster(name="Gulf", depth=1, external_code="G"), None),
        (cluster(external_code="01 "), "01"),
        (cluster(external_code=None), None),
    ],
)
def test_a_cluster_is_recognised_by_its_depth_and_code(row: dict[str, Any], key: str | None) -> None:
    target = MAPPING.target(row)
    assert target is not None
    assert target.key == key


@pytest.mark.parametrize(
    ("row", "match"),
    [
        (cluster(name="01 - Yard", external_code="01 ", depth=3), "01"),
        (cluster(name="Yard", external_code="01", depth=4), "01"),
        (cluster(name="01 - Yard", external_code="01", depth=1), "01"),
        (cluster(name="01", external_code="01", depth=2), "01"),
        (cluster(name="Gulf", external_code="G", depth=1), None),
        (cluster(depth=3), None),
    ],
)
def test_a_cluster_elsewhere_has_no_key_of_its_own_and_a_department_is_found_by_its_code(
    row: dict[str, Any], match: str | None
) -> None:
    target = MAPPING.target(row)
    assert target is not None
    assert (target.key, target.match) == (None, match)


def test_a_deleted_cluster_is_not_there() -> None:
    assert MAPPING.target(cluster(deleted_at="2025-01-01 00:00:00")) is None


def test_only_departments_are_found_by_their_code() -> None:
    source = DepartmentsSource([DepartmentRow("01 ", "Yard", "Gulf")])
    found = [MAPPING.match_value(row) for row in MAPPING.records(source) if isinstance(row, SourceRecord)]
    assert found == [None, "01"]


def test_every_update_repeats_all_that_a_cluster_needs() -> None:
    target = MAPPING.target(cluster(osha_establishment=None))
    assert target is not None
    assert MAPPING.core(target.fields) == {"name": "N", "parent_cluster_id": 1, "osha_establishment": 0}


@pytest.mark.parametrize("position", [0, 1])
def test_what_was_created_needs_no_update(position: int) -> None:
    wanted = mapped(DepartmentRow("01", " Yard\t& Dock ", "Gulf"))[position]
    assert isinstance(wanted, Desired)
    created = {**wanted.create_only, **wanted.fields, "id": 5, "parent_cluster_id": 4, "depth": 1 + position}
    target = MAPPING.target(created)
    assert target is not None
    assert target.key == wanted.key
    assert {**wanted.fields, "parent_cluster_id": 4}.items() <= target.fields.items()


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (DepartmentRow("01", b"Yard", "Gulf"), "Description"),  # type: ignore[arg-type]
        (DepartmentRow("01", "Yard", True), "udArea"),  # type: ignore[arg-type]
        (DepartmentRow(b"01", "Yard", "Gulf"), "PRDept"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_text_is_invalid_under_the_name_that_the_column_has(
    row: DepartmentRow, field: str
) -> None:
    mapping = departments.mapping(MappingOptions(region_column="udArea"))
    source = DepartmentsSource([row, DepartmentRow("02", "Shop", "Gulf")])
    results = [
        mapping.desired(record) if isinstance(record, SourceRecord) else record
        for record in mapping.records(source)
    ]
    (odd,) = (result for result in results if isinstance(result, Rejected))
    assert (odd.kind, odd.field) == ("invalid", field)
    assert "is no text" in odd.reason
    assert "02" in {result.key for result in results}


def test_an_empty_region_is_told_with_the_column_and_its_setting() -> None:
    mapping = departments.mapping(MappingOptions(region_column="udArea"))
    source = DepartmentsSource([DepartmentRow("01", "Yard", None)])
    (record,) = mapping.records(source)
    assert isinstance(record, SourceRecord)
    rejected = mapping.desired(record)
    assert isinstance(rejected, Rejected)
    assert rejected.field == "udArea"
    assert rejected.reason.startswith("udArea (setting VISTA_REGION_COLUMN) is empty")


def test_a_number_as_code_is_its_text() -> None:
    (_, department) = mapped(DepartmentRow(7, "Yard", "Gulf"))  # type: ignore[arg-type]
    assert department.key == "7"
