"""Vista's reads, on SQLite: which rows count, and who works where."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.company.vista_database import connection_string, create_vista_database
from local.fake_clock import FakeClock
from shared.clients.http.work import Work
from shared.clients.vista.client import VistaClient
from shared.clients.vista.connection import connect_factory
from shared.clients.vista.connection_pool import ConnectionPool
from shared.clients.vista.driver import VistaConnection
from shared.clients.vista.errors import sqlite_error
from shared.clients.vista.rows import DepartmentRow, EmployeeRow, JobRow
from shared.errors import CircuitOpen, ConfigurationError, DatabaseError
from tests.doubles.scripted_upstream import NotingBreaker

TODAY = date(2025, 7, 1)
Row = dict[str, Any]


def day(value: date) -> str:
    return f"{value.isoformat()} 00:00:00"


def job(code: str, company: int = 1, status: int = 1, **columns: Any) -> Row:
    return {"JCCo": company, "Job": code, "JobStatus": status, **columns}


def time_row(
    employee: int, code: str, hours: float | None, ended: date, *, company: int = 1, jobs_of: int = 1
) -> Row:
    return {
        "PRCo": company,
        "PRGroup": 1,
        "PREndDate": day(ended),
        "Mth": day(ended.replace(day=1)),
        "JCCo": jobs_of,
        "Job": code,
        "Employee": employee,
        "Hrs": hours,
    }


def employee_row(number: int, hired: date | None, left: date | None = None, **columns: Any) -> Row:
    return {
        "PRCo": 1,
        "Employee": number,
        "LastName": "Last ",
        "FirstName": "First",
        "SortName": str(number),
        "Sex": "F",
        "PRGroup": 1,
        "PRDept": "07",
        "ActiveYN": "Y",
        "HireDate": day(hired) if hired else None,
        "TermDate": day(left) if left else None,
        **columns,
    }


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


class Vista:
    """A client over a fresh SQLite file with these rows."""

    def __init__(
        self, folder: Path, title: str = "udEmpTitle", region: str = "udRegion", **rows: Iterable[Row]
    ) -> None:
        path = create_vista_database(folder / "vista.db", rows)
        self.breaker = NotingBreaker()
        self.pool = ConnectionPool(
            connect_factory(connection_string(path)), 1, FakeClock(), wait_seconds=0.01
        )
        self.client = VistaClient(self.pool, 1, title, region, self.breaker)


LAST = date(2025, 6, 29)
WEEK_BEFORE = LAST - timedelta(days=7)


LATEST_JOB_CASES = [
    pytest.param([time_row(7, "A", 40, LAST)], {7: "A"}, id="the only one"),
    pytest.param(
        [time_row(7, "A", 40, WEEK_BEFORE), time_row(7, "B", 1, LAST)], {7: "B"}, id="the latest week"
    ),
    pytest.param([time_row(7, "A", 16, LAST), time_row(7, "B", 24, LAST)], {7: "B"}, id="the most hours"),
    pytest.param(
        [time_row(7, "B", 20, LAST), time_row(7, "A", 12, LAST), time_row(7, "A", 12, LAST)],
        {7: "A"},
        id="hours are summed",
    ),
    pytest.param(
        [time_row(7, "B", 20, LAST), time_row(7, "A", 20, LAST)], {7: "A"}, id="the lowest code of equals"
    ),
    pytest.param(
        [time_row(7, "B", 16.3, LAST), time_row(7, "A", 8.1, LAST), time_row(7, "A", 8.2, LAST)],
        {7: "A"},
        id="sums are not binary fractions",
    ),
    pytest.param([time_row(7, "A", None, LAST)], {7: "A"}, id="no hours"),
    pytest.param(
        [time_row(7, "A", 40, WEEK_BEFORE), time_row(7, "CLOSED", 40, LAST)],
        {7: "A"},
        id="open jobs only",
    ),
    pytest.param([time_row(7, "NONE", 40, LAST)], {}, id="a job that does not exist"),
    pytest.param([time_row(7, "A", 40, LAST, company=2)], {}, id="another payroll company"),
    pytest.param(
        [time_row(7, "A", 40, LAST, company=2), time_row(7, "B", 8, LAST)],
        {7: "B"},
        id="the same number in another payroll company",
    ),
    pytest.param(
        [time_row(7, "TWO", 40, LAST, jobs_of=2), time_row(7, "A", 40, WEEK_BEFORE)],
        {},
        id="now on another company's job",
    ),
    pytest.param(
        [time_row(7, "TWO", 40, LAST), time_row(7, "A", 40, WEEK_BEFORE)],
        {7: "A"},
        id="the job is joined by its company too",
    ),
    pytest.param(
        [time_row(7, "A", 40, LAST - timedelta(days=90)), time_row(8, "B", 8, LAST)],
        {7: "A", 8: "B"},
        id="90 days before the latest payroll",
    ),
    pytest.param(
        [time_row(7, "A", 40, LAST - timedelta(days=91)), time_row(8, "B", 8, LAST)],
        {8: "B"},
        id="91 days before the latest payroll",
    ),
    pytest.param([time_row(7, "A", 40, TODAY - timedelta(days=400))], {7: "A"}, id="payroll may lag at will"),
    pytest.param(
        [time_row(7, "A", 40, TODAY + timedelta(days=31)), time_row(7, "B", 8, LAST)],
        {7: "A"},
        id="a pay period ends after today",
    ),
    pytest.param(
        [time_row(7, "A", 40, TODAY + timedelta(days=32)), time_row(7, "B", 8, LAST)],
        {7: "B"},
        id="a period end that is a typing error",
    ),
    pytest.param([], {}, id="no payroll"),
]
"""Rows of payroll, and each employee's job by them; also read through ODBC."""

JOBS = [job("A"), job("B"), job("CLOSED", status=3), job("TWO", company=2)]


@pytest.mark.parametrize(("rows", "expected"), LATEST_JOB_CASES)
def test_the_latest_open_job(tmp_path: Path, rows: list[Row], expected: dict[int, str]) -> None:
    reading = Vista(tmp_path, bJCJM=JOBS, bPRJC=rows).client.latest_open_jobs(TODAY)
    assert dict(reading.records) == expected
    assert reading.receipt.source == "Vista latest open jobs"


def test_the_same_job_number_in_another_company_is_another_job(tmp_path: Path) -> None:
    jobs = [job("A"), job("A", company=2), job("B")]
    rows = [time_row(7, "A", 40, LAST, jobs_of=2), time_row(8, "A", 40, LAST), time_row(8, "B", 50, LAST)]
    vista = Vista(tmp_path, bJCJM=jobs, bPRJC=rows)
    assert vista.client.latest_open_jobs(TODAY).records == [(8, "B")]


def test_open_jobs_come_with_their_contracts_department_or_none(tmp_path: Path) -> None:
    jobs = [
        job("1.", Description="One ", Contract="1.", ShipState="LA ", ShipZip="70001-"),
        job("2.", Contract=None),
        job("3.", status=0),
        job("4.", status=2),
        job("1.", company=2, Contract="1."),
    ]
    contracts = [
        {"JCCo": 1, "Contract": "1.", "Department": "07", "ContractStatus": 1},
        {"JCCo": 2, "Contract": "1.", "Department": "99", "ContractStatus": 1},
    ]
    reading = Vista(tmp_path, bJCJM=jobs, bJCCM=contracts).client.open_jobs()
    assert reading.records == [
        JobRow("1.", "One ", "07", None, None, "LA ", "70001-", None),
        JobRow("2.", None, None, None, None, None, None, None),
    ]
    assert reading.receipt.records == 2


def test_departments_of_the_company_come_with_their_region(tmp_path: Path) -> None:
    rows = [
        {"PRCo": 1, "PRDept": "07", "Description": "Paving", "udRegion": "South"},
        {"PRCo": 2, "PRDept": "08", "Description": "Other", "udRegion": "North"},
    ]
    assert Vista(tmp_path, bPRDP=rows).client.departments().records == [
        DepartmentRow("07", "Paving", "South")
    ]


def test_employees_are_all_who_have_a_hire_date(tmp_path: Path) -> None:
    past, future = TODAY - timedelta(days=900), TODAY + timedelta(days=9)
    rows = [
        employee_row(3, future),
        employee_row(2, past, past),
        employee_row(1, past, Email="a@b.test ", udEmpTitle="Foreman ", Country="US", Phone="1"),
        employee_row(4, None),
        employee_row(5, past, PRCo=2),
    ]
    records = Vista(tmp_path, bPREH=rows).client.employees().records
    assert [record.employee for record in records] == [1, 2, 3]
    assert records[0] == EmployeeRow(
        *(1, "First", None, "Last ", None, None, None, None, None, "US", "1", "F", None),
        *(day(past), None, "07", "a@b.test ", "Foreman "),
    )


def test_titles_are_those_of_people_employed_today(tmp_path: Path) -> None:
    past = TODAY - timedelta(days=900)
    rows = [
        employee_row(1, TODAY, udEmpTitle="begins today"),
        employee_row(2, TODAY + timedelta(days=1), udEmpTitle="begins tomorrow"),
        employee_row(3, past, TODAY, udEmpTitle="left today"),
        employee_row(4, past, TODAY + timedelta(days=1), udEmpTitle="leaves tomorrow"),
        employee_row(5, past, udEmpTitle="untrimmed "),
        employee_row(6, past, udEmpTitle="untrimmed "),
        employee_row(7, past),
        employee_row(8, None, udEmpTitle="never hired"),
    ]
    titles = Vista(tmp_path, bPREH=rows).client.titles(TODAY).records
    assert sorted(titles, key=str) == [None, "begins today", "leaves tomorrow", "untrimmed "]


def test_each_query_is_one_call_of_the_meter_and_one_success(tmp_path: Path) -> None:
    vista = Vista(tmp_path, bJCJM=[job("A")], bPRJC=[time_row(7, "A", 8, LAST)])
    work = Work()
    vista.client.under(work).departments()
    vista.client.under(work).latest_open_jobs(TODAY)
    vista.client.departments()
    assert work.meter.requests == {"vista|departments|ok": 1, "vista|latest open jobs|ok": 2}
    assert vista.breaker.verdicts == ["succeeded"] * 4


def test_a_missing_custom_column_is_named_and_no_failure_of_the_database(tmp_path: Path) -> None:
    vista = Vista(tmp_path, title="udNoTitle", region="udNoRegion")
    work = Work()
    with pytest.raises(DatabaseError, match=r"udNoRegion .*VISTA_REGION_COLUMN"):
        vista.client.under(work).departments()
    with pytest.raises(DatabaseError, match=r"udNoTitle .*VISTA_TITLE_COLUMN"):
        vista.client.employees()
    assert vista.breaker.verdicts == ["succeeded"] * 2
    assert work.meter.requests == {"vista|departments|error": 1}


def test_a_column_name_that_is_none_reaches_no_statement(tmp_path: Path) -> None:
    vista = Vista(tmp_path, region='x" FROM bPREH --')
    with pytest.raises(ConfigurationError, match="VISTA_REGION_COLUMN"):
        vista.client.departments()


def test_the_breaker_learns_of_outages_and_keeps_an_open_one_from_being_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vista = Vista(tmp_path)
    away = DatabaseError("Vista (SQLSTATE 08S01): the connection broke")
    monkeypatch.setattr(VistaConnection, "rows", raising(away))
    with pytest.raises(DatabaseError, match="broke"):
        vista.client.departments()
    vista.breaker.refusals = [30.0]
    with pytest.raises(CircuitOpen):
        vista.client.departments()
    assert vista.breaker.verdicts == ["failed"]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"title": "udNoTitle"}, "VISTA_TITLE_COLUMN"),
        ({"region": "udregion_"}, "VISTA_REGION_COLUMN"),
    ],
)
def test_a_column_that_vista_lacks_is_told_by_the_setting_that_names_it(
    tmp_path: Path, settings: dict[str, Any], named: str
) -> None:
    vista = Vista(tmp_path, **settings)
    read = vista.client.departments if "region" in settings else vista.client.employees
    with pytest.raises(ConfigurationError) as caught:
        read()
    (problem,) = caught.value.problems
    (column,) = settings.values()
    assert problem.setting == named
    assert f"column {column} does not exist: set {named}" in problem.text
    assert vista.breaker.verdicts == ["succeeded"]


def test_another_column_that_vista_lacks_is_told_by_its_own_name(tmp_path: Path) -> None:
    vista = Vista(tmp_path)
    with sqlite3.connect(tmp_path / "vista.db") as raw:
        raw.execute('ALTER TABLE bPREH RENAME COLUMN "MidName" TO "Middle"')
    with pytest.raises(ConfigurationError, match="column MidName does not exist"):
        vista.client.employees()


@pytest.mark.parametrize("harm", ["removed", "no database"])
def test_a_vista_file_that_cannot_be_one_is_a_wrong_setting(tmp_path: Path, harm: str) -> None:
    vista = Vista(tmp_path)
    path = tmp_path / "vista.db"
    path.unlink() if harm == "removed" else path.write_bytes(b"no database at all" * 100)
    with pytest.raises(ConfigurationError, match="VISTA_CONNECTION_STRING") as caught:
        vista.client.departments()
    assert isinstance(caught.value, DatabaseError)
    assert vista.breaker.verdicts == ["succeeded"]


def test_a_vista_file_that_is_locked_is_an_outage() -> None:
    assert not isinstance(sqlite_error(sqlite3.OperationalError("database is locked")), ConfigurationError)


def test_a_crowded_pool_says_nothing_about_the_database(tmp_path: Path) -> None:
    vista = Vista(tmp_path)
    with vista.pool.connection(), pytest.raises(DatabaseError, match="in use"):
        vista.client.departments()
    assert vista.breaker.verdicts == ["released"]


UNDECODABLE = [b"Jos\xe9", b"L\xed\xa0\xbd", b"\xff\xfe"]


@pytest.mark.parametrize("data", UNDECODABLE)
def test_one_text_that_cannot_be_decoded_costs_no_other_row(tmp_path: Path, data: bytes) -> None:
    rows = [employee_row(number, date(2020, 1, 1), FirstName="Zoë") for number in (1, 2, 3)]
    vista = Vista(tmp_path, bPREH=rows)
    with closing(sqlite3.connect(tmp_path / "vista.db")) as connection, connection:
        connection.execute("UPDATE bPREH SET FirstName = CAST(? AS TEXT) WHERE Employee = 2", (data,))
    for _ in range(2):
        one, two, three = vista.client.employees().records
        assert (one.first_name, three.first_name) == ("Zoë", "Zoë")
        assert "\ufffd" in str(two.first_name)
        assert vista.breaker.verdicts[-1] == "succeeded"


def test_a_binary_value_comes_as_it_is(tmp_path: Path) -> None:
    vista = Vista(tmp_path, bPREH=[employee_row(1, date(2020, 1, 1), FirstName=b"Pat")])
    (row,) = vista.client.employees().records
    assert repr(row.first_name) == "b'Pat'"
