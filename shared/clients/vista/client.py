"""Viewpoint Vista: what the sync reads from payroll and job cost."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from shared.clients.http.call_meter import UpstreamCall
from shared.clients.http.work import Work
from shared.clients.receipts import Reading, Receipt
from shared.clients.vista.connection_pool import ConnectionPool, NoFreeConnection
from shared.clients.vista.driver import Undecodable, VistaConnection
from shared.clients.vista.errors import MissingColumn, StatementRefused, missing_column
from shared.clients.vista.queries import (
    CURRENT_TITLES,
    DEPARTMENTS,
    EMPLOYEES,
    LATEST_OPEN_JOBS,
    LATEST_PAYROLL,
    OPEN_JOBS,
    VistaColumns,
    with_columns,
)
from shared.clients.vista.rows import DepartmentRow, EmployeeRow, JobRow, row_of
from shared.errors import DatabaseError

if TYPE_CHECKING:
    from shared.resilience.circuit_breaker import CircuitBreaker

logger = logging.getLogger(__name__)

Row = TypeVar("Row")
Answer = TypeVar("Answer")

UPSTREAM = "vista"

PAYROLL_REACH = timedelta(days=90)
"""How far below the latest payroll an employee's latest job is looked for
(docs/contracts/vista.md#latest-job)."""

PAYROLL_AHEAD = timedelta(days=31)
"""Pay periods end after today; what ends later than this is taken for a typing error."""


class VistaClient:
    """Reads of one company. Text comes untrimmed, dates as the driver gives them. `columns` are the
    customer's, those of the settings where none are given.

    Raises DatabaseError (StatementRefused where a setting is wrong), or CircuitOpen while the breaker is
    open. That a read is complete does not mean that
    the login may see all rows: Vista's data security hides rows silently (docs/contracts/vista.md#access), so
    a shrunken read is for the guard to judge.
    """

    def __init__(
        self,
        pool: ConnectionPool[VistaConnection],
        company: int,
        title_column: str,
        region_column: str,
        breaker: CircuitBreaker,
        on_call: Callable[[UpstreamCall], None] = lambda _: None,
    ) -> None:
        self._pool = pool
        self._company = company
        self._columns = VistaColumns(title_column, region_column)
        self._breaker = breaker
        self._on_call = on_call
        self._work = Work()

    def under(self, work: Work) -> VistaClient:
        """The same client, for reads that belong to this work."""
        bound = copy(self)
        bound._work = work
        return bound

    def departments(self, columns: VistaColumns | None = None) -> Reading[DepartmentRow]:
        """All payroll departments."""
        make = partial(row_of, DepartmentRow)
        return self._read("departments", DEPARTMENTS, (self._company,), make, columns)

    def open_jobs(self, columns: VistaColumns | None = None) -> Reading[JobRow]:
        """All jobs with status 1, those without a contract too (their department is None)."""
        return self._read("open jobs", OPEN_JOBS, (self._company,), partial(row_of, JobRow), columns)

    def titles(self, today: date, columns: VistaColumns | None = None) -> Reading[str | None]:
        """Distinct titles of those who are hired and have not left on `today`; None among them."""
        return self._read("titles", CURRENT_TITLES, (self._company, today, today), _first, columns)

    def employees(self, columns: VistaColumns | None = None) -> Reading[EmployeeRow]:
        """Everybody who has a hire date: present, former and future employees."""
        return self._read("employees", EMPLOYEES, (self._company,), partial(row_of, EmployeeRow), columns)

    def latest_open_jobs(self, today: date) -> Reading[tuple[int, str]]:
        """Employee number and code of the open job where the employee last worked, by the time of payroll.

        The latest pay period counts, in it the job with the most hours, of equal ones the lowest code. Only
        the 90 days up to the company's latest payroll are looked at, and not the 90 days up to today, so that
        a payroll that lags moves nobody. Employees whose latest open job is another company's are left out.
        """
        name = "latest open jobs"
        newest = self._read(name, LATEST_PAYROLL, (self._company, today + PAYROLL_AHEAD), _first)
        last = _as_date(newest.records[0]) if newest.records else None
        if last is None:
            return Reading([], Receipt(f"Vista {name}", 0, pages=1, ended="no payroll yet"))
        parameters = (self._company, last - PAYROLL_REACH, last, self._company)
        return self._read(name, LATEST_OPEN_JOBS, parameters, _employee_and_job)

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    def ping(self) -> None:
        """Prove that Vista answers; raises DatabaseError."""
        with self._pool.connection():
            pass

    def inspect(self, question: Callable[[VistaConnection], Answer]) -> Answer:
        """What `question` learns over one connection; past the breaker, because whoever asks wants to know
        what is wrong and not that something is."""
        with self._pool.connection() as connection:
            return question(connection)

    def _read(
        self,
        name: str,
        template: str,
        parameters: Sequence[Any],
        make: Callable[[Iterable[Any]], Row],
        columns: VistaColumns | None = None,
    ) -> Reading[Row]:
        columns = columns or self._columns
        sql = with_columns(template, columns)
        self._breaker.before_call()
        verdict = self._breaker.released
        try:
            records = self._query(name, sql, parameters, make, columns)
            verdict = self._breaker.succeeded
        except NoFreeConnection:
            raise
        except StatementRefused:
            verdict = self._breaker.succeeded
            raise
        except DatabaseError:
            verdict = self._breaker.failed
            raise
        finally:
            verdict()
        return Reading(records, Receipt(f"Vista {name}", len(records), pages=1, ended="end of rows"))

    def _query(
        self,
        name: str,
        sql: str,
        parameters: Sequence[Any],
        make: Callable[[Iterable[Any]], Row],
        columns: VistaColumns,
    ) -> list[Row]:
        with self._pool.connection() as connection:
            outcome, started = "error", time.monotonic()
            try:
                records = _all(connection, sql, parameters, make)
                outcome = "ok"
                return records
            except MissingColumn as error:
                raise _by_setting(error, columns) from None
            finally:
                call = UpstreamCall(UPSTREAM, name, outcome, time.monotonic() - started)
                self._work.meter.count(call)
                self._on_call(call)


def _by_setting(error: MissingColumn, columns: VistaColumns) -> MissingColumn:
    """The error with the setting that names the column, where one does."""
    setting = columns.settings().get(error.column)
    if setting is None:
        return error
    return missing_column(error.column, error.where, setting)


def _all(
    connection: VistaConnection, sql: str, parameters: Sequence[Any], make: Callable[[Iterable[Any]], Row]
) -> list[Row]:
    """All rows; read once more when a value cannot be decoded, because it must not cost the others."""
    try:
        return [make(row) for row in connection.rows(sql, parameters)]
    except Undecodable:
        logger.warning("Vista holds text that cannot be decoded: it is read without those characters")
        connection.replace_undecodable()
        return [make(row) for row in connection.rows(sql, parameters)]


def _first(row: Iterable[Any]) -> Any:
    return next(iter(row))


def _employee_and_job(row: Iterable[Any]) -> tuple[int, str]:
    employee, job = row
    return employee, job


def _as_date(value: datetime | date | str | None) -> date | None:
    """The day of a Vista date: pyodbc gives `datetime`, SQLite text."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, str):
        return date.fromisoformat(value[:10])
    return value
