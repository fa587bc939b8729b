"""Samsara's vehicles as assets, and who drives them."""

from __future__ import annotations

from typing import Any

import pytest

from shared.sync.entities import mappings, vehicles
from shared.sync.findings.causes import VEHICLE_TEXT_UNUSABLE, Reason
from shared.sync.model import ENTITIES, Desired, Ref, Rejected, SourceRecord
from shared.sync.sources import MappingOptions, VehiclesSource

OPTIONS = MappingOptions(vehicle_site_id=5, vehicle_asset_type_id=6)
ASSIGNING = MappingOptions(vehicle_site_id=5, vehicle_asset_type_id=6, vehicle_assign_driver=True)
MAPPING = vehicles.mapping(OPTIONS)
VEHICLE: dict[str, Any] = {
    "id": "281474980003737",
    "name": "Unit 101 ",
    "serial": "GFRV43NVGX",
    "model": "F-150",
    "licensePlate": "AW10101",
    "notes": "blue",
    "vehicleRegulationMode": "unregulated",
    "staticAssignedDriver": {"id": "52", "name": "Ann Lee"},
}
EMPLOYEES = frozenset({"10027", "10028", "2009", "987"})


def mapped(
    *rows: dict[str, Any], options: MappingOptions = OPTIONS, drivers: list[dict[str, Any]] | None = None
) -> list[Desired | Rejected]:
    mapping, source = vehicles.mapping(options), VehiclesSource(list(rows), drivers or [], EMPLOYEES)
    return [
        mapping.desired(record) if isinstance(record, SourceRecord) else record
        for record in mapping.records(source)
    ]


def wanted(row: dict[str, Any], **more: Any) -> Desired:
    (result,) = mapped(row, **more)
    assert isinstance(result, Desired)
    return result


def test_a_vehicle_becomes_an_asset_of_the_configured_site_and_type() -> None:
    assert wanted(VEHICLE) == Desired(
        "281474980003737",
        {
            "name": "Unit 101",
            "serial": "GFRV43NVGX",
            "model": "F-150",
            "description": "blue",
            "code": "AW10101",
            "status": 1,
            "site_id": 5,
            "asset_type_id": 6,
        },
    )


@pytest.mark.parametrize(
    ("change", "field", "expected"),
    [
        ({"licensePlate": ""}, "code", "Unit_3737"),
        ({"licensePlate": None}, "code", "Unit_3737"),
        ({"name": " "}, "name", "AW10101"),
        ({"serial": "GFRV-43N-VGX"}, "serial", "GFRV43NVGX"),
        ({"serial": "", "gateway": {"serial": "GFRV-43N-VGX"}}, "serial", "GFRV43NVGX"),
        ({"vehicleRegulationMode": "mixed"}, "status", 1),
    ],
)
def test_a_field_has_its_rule(change: dict[str, Any], field: str, expected: Any) -> None:
    assert wanted({**VEHICLE, **change}).fields[field] == expected


def test_a_replaced_gateway_keeps_the_key() -> None:
    replaced = wanted({**VEHICLE, "serial": "NEW"})
    assert (replaced.key, replaced.fields["serial"]) == ("281474980003737", "NEW")


def test_a_vehicle_without_gateway_is_skipped() -> None:
    (result,) = mapped({"id": "1", "name": "Old", "createdAtTime": "2024-01-08T15:00:00Z"})
    assert isinstance(result, Rejected)
    assert (result.kind, result.field) == ("skipped", "serial")


def test_vehicles_without_gateway_do_not_share_a_serial() -> None:
    results = mapped({"id": "1"}, {"id": "2"})
    assert [result.kind for result in results if isinstance(result, Rejected)] == ["skipped", "skipped"]


def test_two_vehicles_with_one_serial_are_invalid_and_adopt_nothing() -> None:
    rows = [VEHICLE, {**VEHICLE, "id": "2", "serial": "GFRV-43N-VGX"}]
    assert [getattr(result, "kind", None) for result in mapped(*rows)] == ["invalid", "invalid"]
    records = MAPPING.records(VehiclesSource(rows, [], EMPLOYEES))
    assert [MAPPING.match_value(record) for record in records if isinstance(record, SourceRecord)] == [
        None,
        None,
    ]


def test_rows_without_id_or_with_the_same_id_are_rejected() -> None:
    results = mapped({"name": "?"}, VEHICLE, VEHICLE)
    assert [(type(result), result.key) for result in results] == [
        (Rejected, "? (row 1)"),
        (Rejected, VEHICLE["id"]),
        (Rejected, VEHICLE["id"]),
    ]


@pytest.mark.parametrize(
    ("driver", "employee"),
    [
        ({"externalIds": {"payrollId": "010027"}, "notes": "emp no 10028"}, "10027"),
        ({"externalIds": {"other": "10028"}, "notes": "EE# 10027 - CDL"}, "10027"),
        ({"notes": "Employee ID: 10027"}, "10027"),
        ({"notes": "Hired 2009-01-14, emp no 10027"}, "10027"),
        ({"notes": "payroll number 010027."}, "10027"),
        ({"notes": "10027"}, "10027"),
        ({"notes": "unit 4711, 10027"}, "10027"),
        ({"notes": "10027, tel. 504-555-2009 or (504) 555 2009"}, "10027"),
        ({"notes": "payroll 2009-01-14, 10027"}, "10027"),
        ({"notes": "10027 since 01/14/2009"}, "10027"),
        ({"notes": "10027 or 10028"}, None),
        ({"notes": "emp no 10027, emp no 10028"}, None),
        ({"notes": "emp no 4711, 10027"}, None),
        ({"externalIds": {"payrollId": "4711"}, "notes": "10027"}, None),
        ({"notes": "Hired 2009-01-14"}, None),
        ({"notes": "unit 110027"}, None),
        ({"notes": "employee since 2008"}, None),
        ({}, None),
    ],
)
def test_the_drivers_employee_number_is_found_or_nobody_is_assigned(
    driver: dict[str, Any], employee: str | None
) -> None:
    desired = wanted(VEHICLE, options=ASSIGNING, drivers=[{"id": "52", "name": "Ann Lee", **driver}])
    assert desired.fields.get("current_user_id") == (Ref("employees", employee) if employee else None)
    assert len(desired.warnings) == (0 if employee else 1)


def test_warnings_about_drivers_hold_nothing_of_theirs() -> None:
    driver = {"id": "52", "name": "Ann Lee", "notes": "Ann 10027 or 10028"}
    (warning,) = wanted(VEHICLE, options=ASSIGNING, drivers=[driver]).warnings
    assert not {"Ann", "Lee", "10027", "10028"} & set(warning.text.replace(",", " ").split())


def test_a_driver_who_is_not_active_is_a_warning() -> None:
    assert "not active" in wanted(VEHICLE, options=ASSIGNING, drivers=[]).warnings[0].text


def test_a_vehicle_without_driver_has_no_warning() -> None:
    assert wanted({**VEHICLE, "staticAssignedDriver": None}, options=ASSIGNING).warnings == ()


def test_drivers_count_only_where_they_are_assigned() -> None:
    driver = {"id": "52", "externalIds": {"payrollId": "10027"}}
    assert "current_user_id" not in wanted(VEHICLE, drivers=[driver]).fields
    records = [list(MAPPING.records(VehiclesSource([VEHICLE], found, EMPLOYEES))) for found in ([], [driver])]
    assert records[0] == records[1]


def test_an_asset_is_adopted_by_the_serial_and_never_by_key() -> None:
    record = next(MAPPING.records(VehiclesSource([VEHICLE], [], EMPLOYEES)))
    target = MAPPING.target({"id": 3, "name": "x", "serial": "gfrv-43n-vgx"})
    assert target is not None
    assert isinstance(record, SourceRecord)
    assert (target.key, target.match) == (None, MAPPING.match_value(record))


def test_a_deleted_asset_is_none() -> None:
    assert MAPPING.target({"id": 3, "deleted_at": "2025-01-01 00:00:00"}) is None


@pytest.mark.parametrize(
    "change", [{}, {"notes": " two\nlines ", "serial": "GFRV-43N-VGX", "licensePlate": ""}]
)
def test_what_was_created_needs_no_update(change: dict[str, Any]) -> None:
    desired = wanted({**VEHICLE, **change})
    target = MAPPING.target({"id": 3, **desired.fields, "current_user_id": None})
    assert target is not None
    assert desired.fields.items() <= target.fields.items()
    assert MAPPING.core(target.fields) == {"name": "Unit 101", "site_id": 5, "asset_type_id": 6}


def test_every_entity_has_its_mapping_in_the_order_of_a_run() -> None:
    offered = mappings(OPTIONS)
    assert tuple(offered) == ENTITIES
    assert [mapping.name for mapping in offered.values()] == list(ENTITIES)


ODD: list[Any] = [["x"], {"a": "x"}, True, "\ud83d", "\u3164", 1.5]


@pytest.mark.parametrize("value", ODD, ids=repr)
@pytest.mark.parametrize(
    "member", ["name", "serial", "model", "licensePlate", "notes", "gateway", "staticAssignedDriver"]
)
def test_one_odd_member_costs_no_other_vehicle(member: str, value: Any) -> None:
    other = {**VEHICLE, "id": "7", "serial": "OTHER"}
    results = mapped(
        {**VEHICLE, member: value}, other, options=ASSIGNING, drivers=[{"id": "52", "externalIds": value}]
    )
    assert [result for result in results if isinstance(result, Desired) and result.key == "7"]
    assert not [
        result
        for result in results
        if "['x']" in repr(result.fields if isinstance(result, Desired) else result)
    ]


def test_a_member_that_is_no_text_is_dropped_with_a_warning() -> None:
    desired = wanted({**VEHICLE, "model": ["F-150"]})
    assert "model" not in desired.fields
    assert desired.warnings == (Reason("model dropped: no text", VEHICLE_TEXT_UNUSABLE),)


def test_a_number_as_serial_or_id_is_its_text() -> None:
    desired = wanted({**VEHICLE, "id": 281474980003737, "serial": 12345})
    assert (desired.key, desired.fields["serial"]) == ("281474980003737", "12345")


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        ({}, "id is empty"),
        ({"id": None}, "id is empty"),
        ({"id": ["1"]}, "id is no text"),
        ("no object", "id cannot be read"),
    ],
)
def test_a_vehicle_without_an_id_is_reported_by_its_place(odd: Any, told: str) -> None:
    results = mapped(VEHICLE, odd)
    (rejected,) = (result for result in results if isinstance(result, Rejected))
    assert (rejected.key, rejected.kind) == ("? (row 2)", "invalid")
    assert told in rejected.reason
    assert len(results) == 2
