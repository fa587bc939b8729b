"""Vista's client through pyodbc and a driver that really reads data: SQL text, pool and connections are those
of production."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from local.company.demo import demo_company
from local.company.vista_database import connection_string, create_vista_database
from local.fake_clock import FakeClock
from shared.clients.receipts import Reading
from shared.clients.vista.client import VistaClient
from shared.clients.vista.connection import connect_factory
from shared.clients.vista.connection_pool import ConnectionPool
from shared.clients.vista.rows import DepartmentRow, JobRow
from shared.errors import DatabaseError
from tests.doubles.scripted_upstream import NotingBreaker
from tests.integration.odbc_vista import odbc_vista
from tests.real_parts import SQLITE_ODBC, required
from tests.unit.test_vista_client import JOBS, LATEST_JOB_CASES, TODAY, Row, employee_row, job

COMPANY = demo_company(TODAY, employees=300, jobs=40, vehicles=2)


@pytest.fixture(scope="module")
def driver() -> str:
    return required(SQLITE_ODBC)


@dataclass
class Odbc:
    """Makes clients over files of one folder, all through the driver."""

    driver: str
    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "odbc.db"

    def client(self, region: str = "udRegion", **rows: Iterable[Row]) -> VistaClient:
        return client(odbc_vista(self.driver, self.path, rows), region)


@pytest.fixture
def vista(driver: str, tmp_path: Path) -> Odbc:
    return Odbc(driver, tmp_path)


def client(string: str, region: str = "udRegion") -> VistaClient:
    pool = ConnectionPool(connect_factory(string), 1, FakeClock())
    return VistaClient(pool, 1, "udEmpTitle", region, NotingBreaker())


def readings(vista: VistaClient) -> dict[str, Reading[Any]]:
    """All that the client can read."""
    return {
        "departments": vista.departments(),
        "open jobs": vista.open_jobs(),
        "titles": vista.titles(TODAY),
        "employees": vista.employees(),
        "latest open jobs": vista.latest_open_jobs(TODAY),
    }


def plain(value: Any) -> Any:
    """A date in either of its forms as `date`; text up to a NUL, where this driver ends it."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, str) and value.endswith(" 00:00:00"):
        return date.fromisoformat(value[:10])
    return value.partition("\0")[0] if isinstance(value, str) else value


def comparable(reading: Reading[Any]) -> list[Any]:
    rows = [tuple(map(plain, row)) if isinstance(row, tuple) else row for row in reading.records]
    return sorted(rows, key=repr)


def test_a_whole_company_reads_the_same_through_odbc_and_directly(vista: Odbc) -> None:
    through_odbc = readings(client(odbc_vista(vista.driver, vista.path, COMPANY.tables)))
    path = create_vista_database(vista.folder / "direct.db", COMPANY.tables)
    direct = readings(client(connection_string(path)))
    for name, reading in through_odbc.items():
        assert comparable(reading) == comparable(direct[name])
        assert reading.records, name
        assert reading.receipt == direct[name].receipt


@pytest.mark.parametrize(("rows", "expected"), LATEST_JOB_CASES)
def test_the_latest_open_job(vista: Odbc, rows: list[Row], expected: dict[int, str]) -> None:
    reading = vista.client(bJCJM=JOBS, bPRJC=rows).latest_open_jobs(TODAY)
    assert dict(reading.records) == expected


def test_values_come_as_the_driver_delivers_them(vista: Odbc) -> None:
    """Dates as `datetime`, blanks kept at the ends, NULL as None, and no truncation of what is not ASCII."""
    title = "Føreman – " + "x" * 43
    person = employee_row(
        123456, date(2024, 2, 29), FirstName="Zoë ", State="LA  ", City="", udEmpTitle=title
    )
    [row] = vista.client(bPREH=[person]).employees().records
    assert type(row.employee) is int
    assert row.employee == 123456
    assert row.hire_date == datetime(2024, 2, 29)  # noqa: DTZ001 - as pyodbc gives it
    assert (row.term_date, row.email, row.country) == (None, None, None)
    assert (row.first_name, row.state, row.city) == ("Zoë ", "LA  ", "")
    assert row.title == title


def test_rows_of_two_tables_come_in_the_order_of_their_fields(vista: Odbc) -> None:
    contract = {"JCCo": 1, "Contract": "1.", "Department": "07", "ContractStatus": 1}
    reader = vista.client(
        bJCJM=[job("1.", Contract="1.", ShipState="LA "), job("2.")],
        bJCCM=[contract],
        bPRDP=[{"PRCo": 1, "PRDept": "07", "Description": "Paving", "udRegion": "South"}],
    )
    assert reader.open_jobs().records == [
        JobRow("1.", None, "07", None, None, "LA ", None, None),
        JobRow("2.", None, None, None, None, None, None, None),
    ]
    assert reader.departments().records == [DepartmentRow("07", "Paving", "South")]


def test_empty_tables_are_empty_readings_with_receipts(vista: Odbc) -> None:
    for name, reading in readings(vista.client()).items():
        assert reading.records == []
        assert reading.receipt.source == f"Vista {name}"
        assert reading.receipt.ended in {"end of rows", "no payroll yet"}


def test_more_rows_than_one_fetch_are_all_read(vista: Odbc) -> None:
    rows = [employee_row(number, date(2020, 1, 1)) for number in range(1, 12_001)]
    reading = vista.client(bPREH=rows).employees()
    assert [row.employee for row in reading.records] == list(range(1, 12_001))
    assert reading.receipt.records == 12_000


def test_a_column_that_is_not_there_is_an_error_and_no_empty_reading(vista: Odbc) -> None:
    with pytest.raises(DatabaseError, match="VISTA_CONNECTION_STRING"):
        vista.client(region="udNoRegion", bPRDP=[{"PRCo": 1, "PRDept": "07"}]).departments()


def test_a_database_that_another_process_holds_is_an_error_in_time(vista: Odbc) -> None:
    reader = vista.client(bPRDP=[{"PRCo": 1, "PRDept": "07"}])
    with closing(sqlite3.connect(vista.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseError, match="VISTA_CONNECTION_STRING"):
            reader.departments()
    assert len(reader.departments().records) == 1


def test_a_file_that_is_no_database_is_an_error(vista: Odbc) -> None:
    vista.path.write_text("no database " * 100)
    with pytest.raises(DatabaseError, match="VISTA_CONNECTION_STRING") as caught:
        client(f"Driver={vista.driver};Database={vista.path};NoCreat=1").departments()
    assert str(vista.path) not in str(caught.value)


def test_a_file_that_is_not_there_is_an_error(vista: Odbc) -> None:
    with pytest.raises(DatabaseError, match="VISTA_CONNECTION_STRING"):
        client(f"Driver={vista.driver};Database={vista.folder}/no/such.db;NoCreat=1").ping()


def test_one_text_that_cannot_be_decoded_costs_no_other_row(vista: Odbc) -> None:
    """Half of a surrogate pair ends pyodbc's own decoding, in the middle of a fetch of all rows."""
    rows = [employee_row(number, date(2020, 1, 1), FirstName="Zoë", udEmpTitle=None) for number in (1, 2, 3)]
    reader = vista.client(bPREH=rows)
    with closing(sqlite3.connect(vista.path)) as connection, connection:
        half = b"L\xed\xa0\xbd"
        connection.execute("UPDATE bPREH SET FirstName = CAST(? AS TEXT) WHERE Employee = 2", (half,))
    for _ in range(2):
        one, two, three = reader.employees().records
        assert (one.first_name, three.first_name, two.employee, two.title) == ("Zoë", "Zoë", 2, None)
        assert str(two.first_name).startswith("L\ufffd")
        assert two.hire_date == datetime(2020, 1, 1)  # noqa: DTZ001 - as pyodbc gives it
