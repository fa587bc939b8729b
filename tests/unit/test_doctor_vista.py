"""What the doctor says of Vista: whether a run's reads would see what they should."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.fake_clock import FakeClock
from shared.clients.receipts import Reading, Receipt
from shared.clients.vista.driver import VistaConnection
from shared.clients.vista.errors import StatementRefused
from shared.clients.vista.queries import VistaColumns
from shared.clients.vista.rows import DepartmentRow, JobRow
from shared.doctor.finding import Finding
from shared.doctor.vista import DEEP, QUICK, SERVER_TIME, last_counts
from shared.doctor.vista_login import DATABASE_RIGHTS, SERVER_ROLE, TABLE_RIGHTS, TABLES
from shared.errors import Advised, DatabaseError, StorageError
from shared.storage.documents import to_json
from shared.sync import paths
from shared.sync.documents.state import EntityState
from shared.sync.planning.reader import CHECK_VISTA
from tests.unit.doctor_rig import DoctorRig

READS = ["vista.departments", "vista.jobs", "vista.titles", "vista.employees", "vista.latest_jobs"]
SQL_SERVER = ("libmsodbcsql-18.so 18.06.0002", "Microsoft SQL Server 15.00.4430")
SQLITE = ("Python's sqlite3", "SQLite 3.46.0")


def department(region: str | None) -> DepartmentRow:
    return DepartmentRow("01", "Ann's 5ecret", region)


def open_job(its_department: str | None) -> JobRow:
    return JobRow("100.", "5ecret bridge", its_department, None, None, None, None, None)


class Vista:
    """A Vista as the doctor asks it: `records` by what is read, `rights` by SQL Server's own questions,
    `raises` the error of one of both."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.answers = SQL_SERVER
        self.records: dict[str, list[Any]] = {
            "departments": [department("South")],
            "open jobs": [open_job("01")],
            "titles": ["Foreman"],
            "employees": ["5ecret"] * 10,
            "latest open jobs": [(7, "100.")],
        }
        self.raises: dict[str, Exception] = {}
        self.ahead = 0.0
        self.seconds_to_connect = 0.0
        self.rights: dict[str, Any] = {
            TABLE_RIGHTS: [(table, "SELECT") for table in TABLES],
            DATABASE_RIGHTS: [("CONNECT",)],
            SERVER_ROLE: [(0,)],
        }
        self.days: list[date] = []
        self.more: tuple[str, ...] = ()
        self.connected = False

    def ping(self) -> None:
        self._connect()

    def inspect(self, question: Callable[[Any], Any]) -> Any:
        self._connect()
        return self.answers if question is VistaConnection.about else question(_Connection(self))

    def departments(self, _columns: Any = None) -> Reading[Any]:
        return self._read("departments")

    def open_jobs(self, _columns: Any = None) -> Reading[Any]:
        return self._read("open jobs")

    def employees(self, columns: VistaColumns | None = None) -> Reading[Any]:
        self.more = columns.employees if columns else ()
        return self._read("employees")

    def titles(self, today: date, _columns: Any = None) -> Reading[Any]:
        self.days.append(today)
        return self._read("titles")

    def latest_open_jobs(self, today: date) -> Reading[Any]:
        self.days.append(today)
        return self._read("latest open jobs")

    def _connect(self) -> None:
        if "connect" in self.raises:
            raise self.raises["connect"]
        if not self.connected:
            self.clock.advance(self.seconds_to_connect)
        self.connected = True

    def _read(self, name: str) -> Reading[Any]:
        if name in self.raises:
            raise self.raises[name]
        rows = self.records[name]
        return Reading(rows, Receipt(f"Vista {name}", len(rows), 1, "end of rows"))


class _Connection:
    """The connection that a question is put to."""

    def __init__(self, vista: Vista) -> None:
        self._vista = vista

    def rows(self, sql: str) -> Iterator[Sequence[Any]]:
        if sql in self._vista.raises:
            raise self._vista.raises[sql]
        if sql == SERVER_TIME:
            theirs = self._vista.clock.now() + timedelta(seconds=self._vista.ahead)
            return iter([(theirs.replace(tzinfo=None),)])
        return iter(self._vista.rights[sql])


class Rig(DoctorRig):
    """An app and its Vista."""

    def __init__(self, **settings: str) -> None:
        super().__init__(**settings)
        self.vista = Vista(self.clock)
        self.put(vista=self.vista)

    def last_read(self, **counts: int) -> None:
        """What the last good run read of Vista's employees and so on."""
        state = EntityState("employees")
        state.source_counts = {f"Vista {name.replace('_', ' ')}": count for name, count in counts.items()}
        self.documents.write(paths.state("employees"), to_json(state.to_json()))

    def deep(self) -> dict[str, Finding]:
        return self.look(DEEP)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_the_quick_look_only_asks_whether_vista_answers(rig: Rig) -> None:
    found = rig.only(QUICK)
    assert (found.check, found.status, found.seen) == ("vista", "ok", "Vista answers")
    assert rig.vista.days == []


@pytest.mark.parametrize("check", [QUICK, DEEP], ids=["quick", "deep"])
def test_a_vista_that_is_away_is_one_failure_with_what_to_look_at(rig: Rig, check: Any) -> None:
    rig.vista.raises["connect"] = DatabaseError("Vista: no connection")
    found = rig.only(check)
    assert (found.check, found.status, found.seen) == ("vista", "failed", "Vista: no connection")
    assert found.advice.startswith("Check SERVER in VISTA_CONNECTION_STRING, and that port 1433 is open")
    assert found.settings == ("VISTA_CONNECTION_STRING",)


def test_a_sql_server_in_order_is_told_by_version_clock_login_and_reads(rig: Rig) -> None:
    rig.vista.seconds_to_connect = 0.5
    found = rig.deep()
    assert list(found) == ["vista", "vista.clock", "vista.login", *READS]
    assert {finding.status for finding in found.values()} == {"ok"}
    assert found["vista"].seen == "Microsoft SQL Server 15.00.4430 through libmsodbcsql-18.so 18.06.0002"
    assert found["vista"].latency_ms == 500
    assert found["vista.employees"].seen == "Vista employees: 10 rows"


def test_what_is_no_sql_server_is_not_asked_in_its_words(rig: Rig) -> None:
    rig.vista.answers = SQLITE
    rig.vista.rights = {}
    found = rig.deep()
    assert list(found) == ["vista", "vista.login", *READS]
    assert found["vista.login"].status == "skipped"


@pytest.mark.parametrize(
    ("ahead", "status", "told"),
    [(30, "ok", "agree"), (-31, "warning", "31 s behind"), (21_600, "failed", "21600 s ahead of ours")],
)
def test_the_clock_of_the_sql_server_is_compared_with_ours(
    rig: Rig, ahead: float, status: str, told: str
) -> None:
    rig.vista.ahead = ahead
    found = rig.deep()["vista.clock"]
    assert (found.status, told in found.seen) == (status, True)


def test_the_time_that_connecting_takes_is_no_wrong_clock(rig: Rig) -> None:
    rig.vista.seconds_to_connect = 120
    inspect = rig.vista.inspect

    def forgets_afterwards(question: Callable[[Any], Any]) -> Any:
        answer = inspect(question)
        rig.vista.connected = False
        return answer

    vars(rig.vista)["inspect"] = forgets_afterwards
    assert rig.deep()["vista.clock"].status == "ok"


def test_a_login_that_may_write_is_a_failure(rig: Rig) -> None:
    rig.vista.rights[TABLE_RIGHTS].append(("bPREH", "UPDATE"))
    rig.vista.rights[DATABASE_RIGHTS] = [("CONNECT",)]
    found = rig.deep()["vista.login"]
    assert (found.status, found.seen) == ("failed", "the login may UPDATE on bPREH")


def test_the_servers_own_role_is_seen(rig: Rig) -> None:
    rig.vista.rights[SERVER_ROLE] = [(1,)]
    assert "sysadmin" in rig.deep()["vista.login"].seen


@pytest.mark.parametrize(
    ("statement", "check"), [(SERVER_TIME, "vista.clock"), (TABLE_RIGHTS, "vista.login")]
)
def test_a_question_that_is_refused_hides_neither_the_other_nor_the_reads(
    rig: Rig, statement: str, check: str
) -> None:
    rig.vista.raises[statement] = DatabaseError("Vista: the statement failed")
    found = rig.deep()
    assert [name for name, finding in found.items() if finding.status == "failed"] == [check]
    assert (found[check].advice, found[check].settings) == (CHECK_VISTA, ("VISTA_CONNECTION_STRING",))
    assert list(found) == ["vista", "vista.clock", "vista.login", *READS]


def test_a_read_that_is_refused_names_its_own_setting_and_hides_no_other(rig: Rig) -> None:
    rig.vista.raises["titles"] = StatementRefused(
        Advised("the column udX does not exist", "check VISTA_TITLE_COLUMN"), "VISTA_TITLE_COLUMN"
    )
    found = rig.deep()
    assert [name for name, finding in found.items() if finding.status == "failed"] == ["vista.titles"]
    assert "udX does not exist" in found["vista.titles"].seen
    assert found["vista.titles"].advice == "Check VISTA_TITLE_COLUMN"
    assert found["vista.titles"].settings == ("VISTA_TITLE_COLUMN",)
    assert list(found)[-5:] == READS


def test_who_is_hired_today_is_asked_by_the_companys_day(rig: Rig) -> None:
    rig.clock.advance_to(datetime.fromisoformat("2026-01-06T05:59:00+00:00"))
    rig.deep()
    rig.clock.advance(60)
    rig.deep()
    assert rig.vista.days == [date(2026, 1, 5)] * 2 + [date(2026, 1, 6)] * 2


@pytest.mark.parametrize("read", ["departments", "open jobs", "titles", "employees"])
def test_a_read_that_finds_nothing_fails(rig: Rig, read: str) -> None:
    rig.vista.records[read] = []
    failed = [finding for finding in rig.deep().values() if finding.status == "failed"]
    (found,) = failed
    assert found.seen == f"Vista {read}: 0 rows"
    assert found.advice == CHECK_VISTA
    assert found.settings == ("VISTA_CONNECTION_STRING", "VISTA_COMPANY")


def test_a_new_company_may_have_no_payroll_yet(rig: Rig) -> None:
    rig.vista.records["latest open jobs"] = []
    found = rig.deep()["vista.latest_jobs"]
    assert (found.status, found.seen) == (
        "warning",
        "Vista latest open jobs: 0 rows, so nobody has a job",
    )
    assert found.advice == "Nothing, if payroll has not been posted to job cost yet"


def test_payroll_that_was_there_and_is_gone_fails(rig: Rig) -> None:
    rig.last_read(latest_open_jobs=3)
    rig.vista.records["latest open jobs"] = []
    found = rig.deep()["vista.latest_jobs"]
    assert (found.status, found.seen) == (
        "failed",
        "Vista latest open jobs: 0 rows; the last good run read 3",
    )


@pytest.mark.parametrize(
    ("count", "status"), [(10, "ok"), (12, "ok"), (8, "ok"), (7, "warning"), (1, "warning")]
)
def test_a_read_that_the_guard_would_hold_is_told_before_the_run_is(
    rig: Rig, count: int, status: str
) -> None:
    rig.last_read(employees=10)
    rig.vista.records["employees"] = ["5ecret"] * count
    found = rig.deep()["vista.employees"]
    assert found.status == status
    if status == "ok":
        assert found.seen == f"Vista employees: {count} rows; the last good run read 10"
    else:
        assert found.seen.startswith("the next run would be held: ")
        assert f"{count} records where the last good run read 10" in found.seen
        assert found.advice == CHECK_VISTA


def test_the_guards_own_limit_decides(rig: Rig) -> None:
    strict = Rig(GUARD_MAX_PERCENT="0")
    strict.last_read(employees=11)
    assert strict.deep()["vista.employees"].status == "warning"


def test_each_read_is_compared_with_its_own(rig: Rig) -> None:
    rig.last_read(open_jobs=50)
    found = rig.deep()
    assert [name for name, finding in found.items() if finding.status == "warning"] == ["vista.jobs"]


@pytest.mark.parametrize(
    ("read", "check", "rows", "told"),
    [
        (
            "departments",
            "vista.departments",
            [department(None), department(" ")],
            "VISTA_REGION_COLUMN in bPRDP",
        ),
        (
            "open jobs",
            "vista.jobs",
            [open_job(None), open_job("")],
            "Department in bJCCM, their contracts",
        ),
        ("titles", "vista.titles", [None, "  "], "VISTA_TITLE_COLUMN in bPREH"),
    ],
)
def test_a_column_without_any_value_is_named(
    rig: Rig, read: str, check: str, rows: list[Any], told: str
) -> None:
    rig.vista.records[read] = rows
    found = rig.deep()[check]
    assert found.status == "warning"
    assert found.seen == f"Vista {read}: 2 rows, all of them without a value in {told}"
    assert found.advice == f"Check {told}"


@pytest.mark.parametrize(
    ("read", "check", "rows"),
    [
        ("departments", "vista.departments", [department(None), department("South")]),
        ("open jobs", "vista.jobs", [open_job(None), open_job("01")]),
        ("titles", "vista.titles", [None, "Foreman"]),
        ("employees", "vista.employees", [None, None]),
    ],
)
def test_a_column_with_a_value_in_one_row_is_not_suspected(
    rig: Rig, read: str, check: str, rows: list[Any]
) -> None:
    rig.vista.records[read] = rows
    assert rig.deep()[check].status == "ok"


def test_documents_that_are_away_have_a_finding_of_their_own_and_cost_vista_none(rig: Rig) -> None:
    def away(_: str) -> Any:
        raise StorageError("away")

    vars(rig.documents)["read"] = away
    found = rig.deep()
    assert {finding.status for finding in found.values()} == {"ok"}
    assert list(found)[-5:] == READS


# -- how much the last good run read ---------------------------------------------------------------------


def test_without_a_run_nothing_is_known_of_earlier_reads(rig: Rig) -> None:
    assert last_counts(rig.documents) == {}


def test_of_a_read_that_several_entities_rest_on_the_later_entity_counts(rig: Rig) -> None:
    for entity, counts in (
        ("employees", {"Vista employees": 10, "Vista departments": 5}),
        ("departments", {"Vista departments": 4}),
    ):
        state = EntityState(entity)
        state.source_counts = counts
        rig.documents.write(paths.state(entity), to_json(state.to_json()))
    assert last_counts(rig.documents) == {"Vista employees": 10, "Vista departments": 5}


def test_columns_that_the_rules_name_are_asked_for(tmp_path: Path) -> None:
    """So that one which this Vista lacks, or this login may not read, is told before a run needs it."""
    file = tmp_path / "rules.toml"
    file.write_text('version = 1\n[employees.fields]\nstreet2 = { from = "udUnit" }')
    rig = Rig(RULES_FILE=str(file))
    rig.deep()
    assert rig.vista.more == ("udUnit",)


def test_rules_that_cannot_be_read_are_told_instead_of_reading_without_them(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text("version = 1\n[emploees]")
    found = Rig(RULES_FILE=str(file)).deep()
    assert [name for name, one in found.items() if one.status == "failed"] == ["vista.rules"]
    assert "emploees" in found["vista.rules"].seen
    assert "vista.employees" not in found
