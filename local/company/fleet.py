"""The demo company's vehicles and drivers in Samsara."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from local.company.model import Row
from local.company.people import is_leaver

FIRST_VEHICLE_ID = 281_474_980_003_737
FIRST_DRIVER_ID = 52_330_000
MODELS = (
    ("FORD", "F-250", "1FT"),
    ("RAM", "3500", "3C6"),
    ("CHEVROLET", "SILVERADO", "1GC"),
    ("TOYOTA", "TACOMA", "3TM"),
)
YEAR_CODES = {2018: "J", 2019: "K", 2020: "L", 2021: "M", 2022: "N", 2023: "P"}
VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
VIN_VALUES = {
    **{str(digit): digit for digit in range(10)},
    **dict(zip("ABCDEFGH", range(1, 9), strict=True)),
    **dict(zip("JKLMN", range(1, 6), strict=True)),
    **{"P": 7, "R": 9},
    **dict(zip("STUVWXYZ", range(2, 10), strict=True)),
}


def build_fleet(count: int, people: Sequence[Row], random: Random) -> tuple[list[Row], list[Row]]:
    """`count` vehicles and their drivers, who are the first of our people that have not left.

    Four of five vehicles have a driver; some lack serial, plate or VIN; drivers tell their employee number
    in several ways, one not at all; one driver is deactivated but still assigned.
    """
    staff = [person for index, person in enumerate(people) if not is_leaver(index)]
    vehicles, drivers = [], []
    for index in range(count):
        vehicle = _vehicle(index, random)
        if index % 5 != 3 and index < len(staff):
            driver = _driver(index, staff[index])
            vehicle["staticAssignedDriver"] = {"id": driver["id"], "name": driver["name"]}
            driver["staticAssignedVehicle"] = {"id": vehicle["id"], "name": vehicle["name"]}
            drivers.append(driver)
        vehicles.append(vehicle)
    return vehicles, drivers


def vin(maker: str, year: int, unit: int) -> str:
    """A vehicle number with a right check digit that no maker ever gave."""
    draft = f"{maker}ZZZZZ0{YEAR_CODES[year]}0{unit:06d}"
    rest = sum(VIN_VALUES[sign] * weight for sign, weight in zip(draft, VIN_WEIGHTS, strict=True)) % 11
    return draft[:8] + ("X" if rest == 10 else str(rest)) + draft[9:]


def _vehicle(index: int, random: Random) -> Row:
    make, model, maker = MODELS[index % len(MODELS)]
    year = 2018 + index % 6
    serial = f"G{random.getrandbits(36):09X}"
    row: Row = {
        "id": str(FIRST_VEHICLE_ID + 37 * index),
        "name": f"Unit {101 + index}",
        "make": make,
        "model": model,
        "year": str(year),
        "vin": vin(maker, year, 101 + index),
        "serial": serial,
        "gateway": {"model": "VG34", "serial": f"{serial[:4]}-{serial[4:7]}-{serial[7:]}"},
        "licensePlate": f"PF{10101 + index}",
        "notes": "Spare keys in the office" if index % 6 == 1 else "",
        "vehicleRegulationMode": "mixed" if index == 2 else "unregulated" if index % 12 == 5 else "regulated",
        "createdAtTime": "2024-01-08T15:00:00Z",
        "updatedAtTime": "2024-07-26T15:00:00Z",
    }
    lacking = ("serial", "gateway") if index % 20 == 7 else ("licensePlate",) if index % 15 == 4 else ()
    for name in (*lacking, "vin") if index % 25 == 11 else lacking:
        del row[name]
    return row


def _driver(index: int, person: Row) -> Row:
    number = str(person["Employee"])
    deactivated = index == 10
    row: Row = {
        "id": str(FIRST_DRIVER_ID + index),
        "name": f"{person['FirstName'].strip()} {person['LastName']}",
        "username": f"driver{index}",
        "phone": "",
        "notes": _notes(index, number),
        "driverActivationStatus": "deactivated" if deactivated else "active",
        "isDeactivated": deactivated,
        "timezone": "America/Chicago",
        "locale": "us",
        "createdAtTime": "2024-01-11T15:00:00Z",
        "updatedAtTime": "2024-07-29T15:00:00Z",
    }
    if index % 6 == 0:
        row["externalIds"] = {"payrollId": number}
    return row


def _notes(index: int, number: str) -> str | None:
    forms = (
        f"EE# {number} - CDL",
        f"Employee ID: {number}",
        number,
        f"Hired 2009-01-14, emp no {number}",
        f"Unit 1{number}0, badge {number}",
        None,
        "Call 225-555-0100",
    )
    return forms[index % len(forms)]
