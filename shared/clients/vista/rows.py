"""Rows of Vista as the queries return them, columns in the order of the SELECT lists.

Values are as the driver gives them: text untrimmed, dates as `datetime` (pyodbc) or text (SQLite); the
mapping cleans them in one place. NamedTuples, because a hundred thousand of them are read per run.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, NamedTuple, TypeVar

VistaDate = datetime | date | str | None


class DepartmentRow(NamedTuple):
    """bPRDP: payroll department."""

    department: str | None
    description: str | None
    region: str | None
    more: tuple[object, ...] = ()
    """Columns that rules name, in the order in which they were asked for."""


class JobRow(NamedTuple):
    """bJCJM left join bJCCM: an open job with the department of its contract."""

    job: str | None
    description: str | None
    department: str | None
    street: str | None
    city: str | None
    state: str | None
    zip_code: str | None
    country: str | None
    more: tuple[object, ...] = ()


class EmployeeRow(NamedTuple):
    """bPREH: an employee, present, former or future (HireDate is never null here)."""

    employee: Any
    """A whole number, or what a column of another type gives."""
    first_name: str | None
    middle_name: str | None
    last_name: str | None
    street: str | None
    street2: str | None
    city: str | None
    state: str | None
    zip_code: str | None
    country: str | None
    phone: str | None
    sex: str | None
    birth_date: VistaDate
    hire_date: VistaDate
    term_date: VistaDate
    department: str | None
    email: str | None
    title: str | None
    more: tuple[object, ...] = ()


Row = TypeVar("Row", DepartmentRow, JobRow, EmployeeRow)


def row_of(kind: type[Row], values: Iterable[Any]) -> Row:
    """A row of a statement, with what is selected besides in its last member."""
    found: tuple[Any, ...] = tuple(values)
    own: int = len(kind._fields) - 1
    return kind._make((*found[:own], found[own:]))
