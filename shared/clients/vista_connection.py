"""Connections to Vista: SQL Server through ODBC, or an SQLite file with the same tables."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

from shared.clients.vista_errors import missing_driver, odbc_error, sqlite_error
from shared.errors import DatabaseError

SQLITE_PREFIX = "sqlite:///"
LOGIN_TIMEOUT_SECONDS = 15
STATEMENT_TIMEOUT_SECONDS = 60
FETCH_ROWS = 5000

BRACED = re.compile(r"\{(?:[^}]|\}\})*\}")
NAMES_DRIVER = re.compile(r"(?:^|;)\s*(?:driver|dsn|filedsn)\s*=", re.IGNORECASE)
SQL_SERVER_DRIVER = re.compile(r"ODBC Driver (\d+) for SQL Server\Z")


@dataclass(frozen=True)
class Engine:
    """What differs between the drivers: their errors, and how a date is passed."""

    errors: tuple[type[Exception], ...]
    translate: Callable[[Exception], DatabaseError]
    parameter: Callable[[Any], Any]


class VistaConnection:
    """A DB-API connection whose errors are DatabaseErrors. The drivers' own texts quote data and login
    names, so they are not kept as the cause."""

    def __init__(self, raw: Any, engine: Engine) -> None:
        self._raw = raw
        self._engine = engine

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[Sequence[Any]]:
        """The rows of a SELECT, fetched some thousands at a time; dates among the parameters are
        `datetime.date`."""
        try:
            cursor = self._raw.cursor()
            try:
                cursor.execute(sql, [self._engine.parameter(value) for value in parameters])
                while chunk := cursor.fetchmany(FETCH_ROWS):
                    yield from chunk
            finally:
                cursor.close()
        except self._engine.errors as error:
            raise self._engine.translate(error) from None

    def ping(self) -> None:
        """One round trip; raises DatabaseError when the connection is broken."""
        for _ in self.rows("SELECT 1"):
            pass

    def about(self) -> tuple[str, str]:
        """The driver and the server, each with its version, as the driver names them."""
        if isinstance(self._raw, sqlite3.Connection):
            return "Python's sqlite3", f"SQLite {sqlite3.sqlite_version}"
        import pyodbc

        try:
            return (
                f"{self._raw.getinfo(pyodbc.SQL_DRIVER_NAME)} {self._raw.getinfo(pyodbc.SQL_DRIVER_VER)}",
                f"{self._raw.getinfo(pyodbc.SQL_DBMS_NAME)} {self._raw.getinfo(pyodbc.SQL_DBMS_VER)}",
            )
        except self._engine.errors as error:
            raise self._engine.translate(error) from None

    def close(self) -> None:
        """Close; an error while closing a broken connection means nothing."""
        with suppress(*self._engine.errors):
            self._raw.close()


def connect_factory(connection_string: str) -> Callable[[], VistaConnection]:
    """What opens a connection: `sqlite:///FILE` (relative to the working directory; absolute with a fourth
    slash), else an ODBC connection string.

    Opening raises DatabaseError. Every connection is read only and in autocommit mode, so that no
    transaction stays open in the payroll's database.
    """
    if connection_string.startswith(SQLITE_PREFIX):
        path = Path(connection_string.removeprefix(SQLITE_PREFIX))
        return lambda: _connect_sqlite(path)
    return lambda: _connect_odbc(connection_string)


def _connect_sqlite(path: Path) -> VistaConnection:
    if not path.is_file():
        raise DatabaseError(
            f"Vista: the SQLite file {path} of VISTA_CONNECTION_STRING does not exist: make it first, "
            "or give an absolute path (sqlite:////...)"
        )
    engine = Engine((sqlite3.Error,), sqlite_error, _sqlite_parameter)
    try:
        raw = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro",
            uri=True,
            timeout=LOGIN_TIMEOUT_SECONDS,
            isolation_level=None,
            check_same_thread=False,  # the pool gives a connection to one thread at a time
        )
    except sqlite3.Error as error:
        raise sqlite_error(error) from None
    return VistaConnection(raw, engine)


def _sqlite_parameter(value: Any) -> Any:
    # SQLite compares text, and Vista's dates are there as smalldatetime prints them.
    return f"{value.isoformat()} 00:00:00" if isinstance(value, date) else value


def _odbc_parameter(value: Any) -> Any:
    # A date stays a date: text would be read by the login's language (day before month), and a datetime
    # outranks the column's smalldatetime, so that every row would be converted before it is compared.
    return value


def _connect_odbc(connection_string: str) -> VistaConnection:
    try:
        import pyodbc
    except ImportError:
        raise missing_driver("the ODBC driver manager is missing") from None
    # Our pool checks its connections; the driver manager's would hand out unchecked ones.
    pyodbc.pooling = False
    engine = Engine((pyodbc.Error,), odbc_error, _odbc_parameter)
    try:
        raw = pyodbc.connect(
            with_driver(connection_string, pyodbc.drivers()),
            autocommit=True,
            readonly=True,
            timeout=LOGIN_TIMEOUT_SECONDS,
        )
        raw.timeout = STATEMENT_TIMEOUT_SECONDS
    except pyodbc.Error as error:
        raise odbc_error(error) from None
    return VistaConnection(raw, engine)


def with_driver(connection_string: str, installed: Iterable[str]) -> str:
    """The connection string, with the newest installed SQL Server driver when it names none."""
    if NAMES_DRIVER.search(BRACED.sub("", connection_string)):
        return connection_string
    versions = [int(found[1]) for name in installed if (found := SQL_SERVER_DRIVER.match(name))]
    if not versions:
        raise missing_driver("no ODBC driver for SQL Server is installed")
    return f"DRIVER={{ODBC Driver {max(versions)} for SQL Server}};{connection_string}"
