"""Opens connections to Vista: SQL Server through ODBC, or an SQLite file with the same tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

from shared.clients.http.server_probe import name_is_unknown, why_unreachable
from shared.clients.http.time_limit import TimeLimit
from shared.clients.vista.connection_string import (
    check_server,
    ignored_parts,
    server_address,
    server_host,
    with_driver,
)
from shared.clients.vista.driver import Engine, VistaConnection
from shared.clients.vista.errors import StatementRefused, missing_driver, odbc_error, sqlite_error
from shared.clients.vista.login_errors import (
    LOGIN_TIMEOUT_SECONDS,
    OPENING_TIMEOUT_SECONDS,
    login_error,
    silent_server,
    timed_out,
    unknown_host,
)
from shared.errors import Advised
from shared.unreadable import LENIENT, register_lenient_codec

HOPELESS_SECONDS = 0.2
"""For a server whose name is not known: the driver would look it up again and again until its own time is
over, but what it has against the connection string itself it says at once."""

SQLITE_PREFIX = "sqlite:///"


def connect_factory(
    connection_string: str, opening_seconds: float = OPENING_TIMEOUT_SECONDS
) -> Callable[[], VistaConnection]:
    """What opens a connection: `sqlite:///FILE` (relative to the working directory; absolute with a fourth
    slash), else an ODBC connection string.

    Opening raises DatabaseError, and ends within `opening_seconds` plus the four of a probe; at once, as
    StatementRefused, when a setting is wrong. Connections are
    in autocommit mode, so that no transaction stays open in the payroll's database, and declared read only.
    SQLite holds to that. ODBC Driver 18 sends a write all the same (docs/contracts/vista.md#connection), so
    that there only the login's rights and our having nothing but SELECTs protect the data.
    """
    if connection_string.startswith(SQLITE_PREFIX):
        path = Path(connection_string.removeprefix(SQLITE_PREFIX))
        return lambda: _connect_sqlite(path)
    return _Odbc(connection_string, TimeLimit(opening_seconds)).connect


def _connect_sqlite(path: Path) -> VistaConnection:
    try:
        is_there = path.is_file()
    except OSError as error:
        text = f"the SQLite file {path} of VISTA_CONNECTION_STRING cannot be read ({error.strerror})"
        raise StatementRefused(text) from None
    if not is_there:
        raise StatementRefused(
            Advised(
                f"the SQLite file {path} of VISTA_CONNECTION_STRING does not exist",
                "make it first, or give an absolute path (sqlite:////...)",
            )
        )
    engine = Engine(
        (sqlite3.Error,), sqlite_error, _sqlite_parameter, lambda _raw, _seconds: None, _lenient_sqlite
    )
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


def _limit_odbc(raw: Any, seconds: int) -> None:
    raw.timeout = seconds


def _lenient_sqlite(raw: Any) -> None:
    raw.text_factory = lambda data: data.decode("utf-8", "replace")


def _lenient_odbc(raw: Any) -> None:
    import pyodbc

    register_lenient_codec()
    for kind in (pyodbc.SQL_CHAR, pyodbc.SQL_WCHAR):
        raw.setdecoding(kind, encoding=LENIENT)


class _Odbc:
    """Opens connections by an ODBC connection string."""

    def __init__(self, connection_string: str, limit: TimeLimit) -> None:
        self._string = connection_string
        self._limit = limit
        self._hopeless = TimeLimit(HOPELESS_SECONDS)
        self._opened = False

    def connect(self) -> VistaConnection:
        """Raises DatabaseError (see `connect_factory`)."""
        try:
            import pyodbc
        except ImportError:
            raise missing_driver("the ODBC driver manager is missing") from None
        # Our pool checks its connections; the driver manager's would hand out unchecked ones.
        pyodbc.pooling = False
        full = with_driver(self._string, pyodbc.drivers())
        check_server(self._string)
        unknown = self._is_unknown()
        limit = self._hopeless if unknown else self._limit
        try:
            raw = limit.run(
                lambda: pyodbc.connect(full, autocommit=True, readonly=True, timeout=LOGIN_TIMEOUT_SECONDS),
                lambda late: late.close(),
            )
        except TimeoutError:
            raise unknown_host() if unknown else silent_server(limit.seconds) from None
        except pyodbc.Error as error:
            if unknown and timed_out(error):
                raise unknown_host() from None
            address = server_address(self._string) if timed_out(error) else None
            unreachable = why_unreachable(*address) if address else ""
            raise login_error(error, unreachable, ignored_parts(self._string)) from None
        self._opened = True
        return VistaConnection(
            raw, Engine((pyodbc.Error,), odbc_error, _odbc_parameter, _limit_odbc, _lenient_odbc)
        )

    def _is_unknown(self) -> bool:
        """Whether the server's name is a wrong one. One that this process has used before did not come to be
        wrong: then the name server is, and that passes."""
        host = None if self._opened else server_host(self._string)
        return host is not None and name_is_unknown(host)
