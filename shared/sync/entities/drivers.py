"""Which employee drives a vehicle: Samsara has no field for the employee number, so it must be found
(docs/contracts/samsara.md#employee-number).

Names and notes of drivers are personal data and never part of an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from shared.sync.entities import cleaning
from shared.sync.model import ApiRow, JsonValue

_LABELLED = re.compile(
    r"\b(?:employee|payroll|emp|ee)[\s.]*(?:number|num|no|nr|id)?[\s.:#=-]*([0-9]+)(?![0-9]|[-/.][0-9])",
    re.IGNORECASE,
)
_GROUPED_DIGITS = re.compile(r"[0-9]+(?:[-/.][0-9]+)+|\([0-9]+\)[\s0-9-]+")
"""Dates, phone and unit numbers, part of which can look like an employee number."""

_DIGITS = re.compile(r"[0-9]+")


class Driver(NamedTuple):
    """An employee number, or why there is none; both None: the vehicle has no driver."""

    employee: str | None = None
    problem: str | None = None


class Drivers:
    """Active drivers by their id, asked for the employee number of a vehicle's driver."""

    def __init__(self, drivers: Iterable[ApiRow], employees: frozenset[str], external_id: str) -> None:
        self._by_id = {str(driver["id"]): driver for driver in drivers if driver.get("id") is not None}
        self._employees = employees
        self._external_id = external_id

    def of(self, vehicle: ApiRow) -> Driver:
        """The driver permanently assigned to a vehicle as Samsara returns it."""
        assigned = _member(vehicle, "staticAssignedDriver", "id")
        if not assigned:
            return Driver()
        driver = self._by_id.get(str(assigned))
        if driver is None:
            return Driver(problem="its driver is not active in Samsara")
        return self._employee(driver)

    def _employee(self, driver: ApiRow) -> Driver:
        """The first kind of evidence decides, even against itself: after a number that says what it is,
        other digits in the notes are no evidence."""
        stated = cleaning.number(_member(driver, "externalIds", self._external_id))
        if stated is not None:
            return self._known({stated}, f"the driver's external id {self._external_id}")
        notes = cleaning.text(driver.get("notes")) or ""
        labelled = _numbers(_LABELLED.findall(notes))
        if labelled:
            return self._known(labelled, "the employee number in the driver's notes")
        found = _numbers(_DIGITS.findall(_GROUPED_DIGITS.sub(" ", notes))) & self._employees
        if not found:
            return Driver(problem="no employee number is known of its driver")
        return self._known(found, "the number in the driver's notes")

    def _known(self, numbers: set[str], origin: str) -> Driver:
        if len(numbers) > 1:
            return Driver(problem=f"{origin} is ambiguous")
        employee = numbers.pop()
        if employee not in self._employees:
            return Driver(problem=f"{origin} is no current employee's with access to SafetyAmp")
        return Driver(employee=employee)


def _member(row: ApiRow, outer: str, inner: str) -> JsonValue:
    """`row[outer][inner]`, None where either is missing or `outer` is no object."""
    value = row.get(outer)
    return value.get(inner) if isinstance(value, dict) else None


def _numbers(texts: Iterable[str]) -> set[str]:
    return {number for text in texts if (number := cleaning.number(text)) is not None}
