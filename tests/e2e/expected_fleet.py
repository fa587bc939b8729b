"""Vehicles: which assets there must be, and who drives them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection

from tests.e2e.expected_content import Content
from tests.e2e.expected_tally import Tally
from tests.e2e.expected_values import Record, code, employee_number, text

LABELLED = re.compile(r"\b(?:ee|emp|employee)\b[ #:]*(?:id|no)?\b[ #:]*([0-9]+)", re.IGNORECASE)
ALONE = re.compile(r"(?<![0-9-])[0-9]+(?![0-9-])")
"""Digits that are no part of a date or a phone number."""


class Drivers:
    """Employee numbers of active drivers (docs/contracts/samsara.md#employee-number)."""

    def __init__(self, drivers: list[Record], users: Collection[str]) -> None:
        self._drivers = {row["id"]: row for row in drivers if row["driverActivationStatus"] == "active"}
        self._users = users

    def of(self, vehicle: Record) -> str | None:
        """The one of the assigned driver, if that is a user: the payroll number of externalIds, else a number
        in the notes that says what it is, else the only digits there that are somebody's."""
        driver = self._drivers.get(vehicle.get("staticAssignedDriver", {}).get("id"))
        if driver is None:
            return None
        notes = driver.get("notes") or ""
        stated = [driver.get("externalIds", {}).get("payrollId") or ""]
        evidence = stated if stated[0] else LABELLED.findall(notes) or self._somebodys(ALONE.findall(notes))
        numbers = {number for digits in evidence if (number := employee_number(digits)) in self._users}
        return numbers.pop() if len(numbers) == 1 else None

    def _somebodys(self, digits: list[str]) -> list[str]:
        return [found for found in digits if found in self._users]


def expect_assets(
    vehicles: list[Record], drivers: Drivers | None, settings: Record, before: Content
) -> Tally:
    """One asset per vehicle with a gateway; an asset that is there with the same serial is taken over.

    `settings` are the site and the asset type that all vehicles get. Without `drivers` nobody is assigned.
    docs/contracts/samsara.md#vehicles: every listed vehicle is active.
    """
    tally = Tally("assets", before)
    claims = Counter(_serial(vehicle) for vehicle in vehicles)
    for vehicle in vehicles:
        serial = _serial(vehicle)
        if serial is None:
            tally.count("skipped")
        elif claims[serial] > 1:
            tally.count("invalid")
        else:
            driver = drivers.of(vehicle) if drivers else None
            fields = {**_asset(vehicle, serial), **settings, "current_user_id": driver}
            (tally.update if serial in tally.records else tally.create)(serial, fields)
    return tally


def _asset(vehicle: Record, serial: str) -> Record:
    plate = text(vehicle.get("licensePlate")) or f"Unit_{vehicle['id'][-4:]}"
    return {
        "name": text(vehicle.get("name")) or plate,
        "serial": serial,
        "model": text(vehicle.get("model")),
        "description": text(vehicle.get("notes")),
        "code": plate,
        "status": 1,
    }


def _serial(vehicle: Record) -> str | None:
    """Of the gateway, which writes it with hyphens in one place and without in another."""
    serial = code(vehicle.get("serial")) or code(vehicle.get("gateway", {}).get("serial")) or ""
    return serial.replace("-", "").upper() or None
