"""Connections to Vista: the driver's options, read-only files, and errors that say what to do."""

from __future__ import annotations

import errno
import socket
import sqlite3
import sys
import threading
import traceback
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from shared.clients.http.server_probe import name_is_unknown
from shared.clients.vista import connection
from shared.clients.vista.connection import connect_factory
from shared.clients.vista.errors import StatementRefused, odbc_error
from shared.clients.vista.login_errors import login_error
from shared.errors import ConfigurationError, DatabaseError


@pytest.mark.parametrize(
    ("state", "text", "told", "answered"),
    [
        ("08S01", "Communication link failure (0)", "connection broke", False),
        ("HYT00", "Query timeout expired (0)", "no answer in time", False),
        ("42S02", "Invalid object name 'dbo.bPRJC'. (208)", "table dbo.bPRJC does not exist", True),
        ("42S22", "Invalid column name 'udRank'. (207)", "column udRank .*VISTA_TITLE_COLUMN", True),
        ("42000", "permission was denied on the object 'bPREH' (229)", "SELECT permission on bPREH", True),
        ("22018", "Conversion failed for value 'pat' (245)", "SQLSTATE 22018, error 245", False),
        ("The driver did not supply", "", "SQLSTATE unknown", False),
    ],
)
def test_an_odbc_error_says_what_to_do_without_names_and_data(
    state: str, text: str, told: str, answered: bool
) -> None:
    error = odbc_error(Exception(state, f"[{state}] [Microsoft][ODBC Driver 18 for SQL Server]{text}"))
    with pytest.raises(DatabaseError, match=told):
        raise error
    assert "pat" not in str(error).replace("path", "")
    assert isinstance(error, StatementRefused) is answered


PREFIX = "[Microsoft][ODBC Driver 18 for SQL Server][SQL Server]"


@pytest.mark.parametrize("function", ["", " (SQLExecDirectW)"])
@pytest.mark.parametrize(
    ("number", "told", "refused"),
    [
        *((number, "needs SELECT permission", True) for number in (229, 230, 262, 297, 300, 916)),
        (978, "ApplicationIntent=ReadOnly to VISTA_CONNECTION_STRING", True),
        *((number, "a replica that cannot be read now", False) for number in (976, 983)),
        *((number, "busy", False) for number in (701, 1205, 1222, 8645, 8651, 9002, 921, 927)),
        *((number, "busy", False) for number in (10928, 10929, 40197, 40501, 40613)),
        *((number, "busy", False) for number in (49918, 49919, 49920)),
        (102, "look the error up", False),
    ],
)
def test_what_sqlstate_42000_means_is_told_by_the_servers_number(
    number: int, told: str, refused: bool, function: str
) -> None:
    """A missing right ends the entity at once; a busy or absent server is an outage, which is tried again."""
    text = f"[42000] {PREFIX}What the server says of 'bPREH' (pat). ({number}){function}"
    for error in (odbc_error(Exception("42000", text)), login_error(Exception("42000", text))):
        if number == 102 and "login" in str(error):
            continue  # no login fails of that
        assert told in str(error)
        assert "VISTA_CONNECTION_STRING" in str(error)
        assert f"error {number}" in str(error)
        assert isinstance(error, ConfigurationError) is refused


def test_the_first_of_several_errors_is_the_one_that_is_told() -> None:
    """A statement with parameters is prepared first; that this failed too is told behind the reason."""
    consequence = f"; [42000] {PREFIX}Statement(s) could not be prepared. (8180)"
    text = f"[42S22] {PREFIX}Invalid column name 'udRank'. (207) (SQLExecDirectW){consequence}"
    assert "error 207" in str(odbc_error(Exception("42S22", text)))
    text = f"[42000] {PREFIX}SELECT was denied on the object 'bPREH'. (229) (SQLExecute){consequence}"
    assert "SELECT permission on bPREH" in str(odbc_error(Exception("42000", text)))


def test_a_wrong_setting_of_vista_is_named_as_any_other_is() -> None:
    error = odbc_error(Exception("42S02", f"[42S02] {PREFIX}Invalid object name 'bPRJC'. (208)"))
    assert isinstance(error, ConfigurationError)
    (problem,) = error.problems
    assert problem.setting == "VISTA_CONNECTION_STRING"
    assert "table bPRJC does not exist" in problem.text


class FakeCursor:
    def __init__(self, raw: FakeRaw) -> None:
        self._raw = raw
        self._rows = [(1,)]

    def execute(self, sql: str, parameters: list[Any]) -> None:
        self._raw.parameters = parameters
        if self._raw.failure:
            raise self._raw.failure

    def fetchmany(self, count: int) -> list[tuple[int]]:
        rows, self._rows = self._rows, []
        return rows

    def close(self) -> None:
        self._raw.cursors_closed += 1


class FakeRaw:
    def __init__(self) -> None:
        self.timeout = 0
        self.parameters: list[Any] = []
        self.cursors_closed = 0
        self.failure: Exception | None = None

    def cursor(self) -> FakeCursor:
        return FakeCursor(self)

    def close(self) -> None:
        if self.failure:
            raise self.failure


class FakePyodbc(ModuleType):
    """The part of pyodbc that is used; its real library needs a driver manager on the machine."""

    class Error(Exception):
        pass

    def __init__(self) -> None:
        super().__init__("pyodbc")
        self.pooling = True
        self.raw = FakeRaw()
        self.options: dict[str, Any] = {}
        self.connected = ""
        self.refusal: Exception | None = None
        self.busy: threading.Event | None = None

    def drivers(self) -> list[str]:
        return ["ODBC Driver 17 for SQL Server"]

    def connect(self, connection_string: str, **options: Any) -> FakeRaw:
        if self.busy:
            self.busy.wait(60)
        if self.refusal:
            raise self.refusal
        self.connected, self.options = connection_string, options
        return self.raw


@pytest.fixture
def pyodbc(monkeypatch: pytest.MonkeyPatch) -> FakePyodbc:
    fake = FakePyodbc()
    monkeypatch.setitem(sys.modules, "pyodbc", fake)
    monkeypatch.setattr(connection, "name_is_unknown", lambda _host: False)
    return fake


@pytest.fixture
def looked_up(pyodbc: FakePyodbc, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts that were looked up; a name server knows none of them, and the driver waits for one."""
    hosts: list[str] = []

    def unknown(host: str) -> bool:
        hosts.append(host)
        return True

    monkeypatch.setattr(connection, "name_is_unknown", unknown)
    monkeypatch.setattr(connection, "HOPELESS_SECONDS", 0.01)
    return hosts


@pytest.mark.parametrize("server", ["tcp:sql.acme.test,1433", r"sql.acme.test\VISTA", "sql.acme.test"])
def test_an_unknown_server_is_not_waited_for(pyodbc: FakePyodbc, looked_up: list[str], server: str) -> None:
    pyodbc.busy = threading.Event()
    try:
        with pytest.raises(ConfigurationError, match="name of its host is not known here: check SERVER"):
            connect_factory(f"SERVER={server}")()
    finally:
        pyodbc.busy.set()
    assert looked_up == ["sql.acme.test"]


def test_what_the_driver_says_at_once_of_the_string_goes_before_an_unknown_name(
    pyodbc: FakePyodbc, looked_up: list[str]
) -> None:
    pyodbc.refusal = pyodbc.Error("IM002", "Data source name not found")
    with pytest.raises(ConfigurationError, match="install the ODBC Driver"):
        connect_factory("SERVER=sql.acme.test")()
    assert looked_up == ["sql.acme.test"]


def test_a_name_that_was_known_before_is_an_outage_of_the_name_server(
    pyodbc: FakePyodbc, looked_up: list[str]
) -> None:
    connect = connect_factory("SERVER=sql.acme.test")
    connect()
    pyodbc.refusal = pyodbc.Error("08S01", "the link failed")
    with pytest.raises(DatabaseError) as caught:
        connect()
    assert not isinstance(caught.value, ConfigurationError)
    assert looked_up == ["sql.acme.test"]


@pytest.mark.parametrize(
    "string", ["DSN=vista", r"Driver={FreeTDS};SERVER=np:\\host\pipe\sql", "Driver={FreeTDS};SERVER=", ""]
)
def test_no_name_is_looked_up_where_the_string_has_none(
    pyodbc: FakePyodbc, looked_up: list[str], string: str
) -> None:
    connect_factory(string)()
    assert looked_up == []


@pytest.mark.parametrize(
    ("fault", "unknown"),
    [
        (socket.gaierror(socket.EAI_NONAME, "not known"), True),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), False),
        (socket.gaierror(socket.EAI_FAIL, "failed"), False),
        (UnicodeError("label too long"), True),
        (OSError("no sockets"), False),
        (None, False),
    ],
)
def test_only_a_name_server_can_say_that_a_name_is_unknown(
    monkeypatch: pytest.MonkeyPatch, fault: Exception | None, unknown: bool
) -> None:
    def look_up(*_: Any) -> list[Any]:
        if fault:
            raise fault
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert name_is_unknown("sql.acme.test") is unknown


def test_sql_server_is_opened_read_only_with_both_timeouts(pyodbc: FakePyodbc) -> None:
    connection = connect_factory("SERVER=h")()
    assert pyodbc.connected == "DRIVER={ODBC Driver 17 for SQL Server};SERVER=h"
    assert pyodbc.options == {"autocommit": True, "readonly": True, "timeout": 15}
    assert not pyodbc.pooling
    assert list(connection.rows("SELECT 1", (1, date(2025, 7, 1)))) == [(1,)]
    assert pyodbc.raw.parameters == [1, date(2025, 7, 1)]
    assert pyodbc.raw.timeout == 60
    assert pyodbc.raw.cursors_closed == 1
    connection.ping()
    assert pyodbc.raw.timeout == 5


def test_neither_password_nor_data_are_in_what_a_failure_prints(pyodbc: FakePyodbc) -> None:
    connection = connect_factory("SERVER=h;PWD=s3cret")()
    pyodbc.raw.failure = pyodbc.Error("22018", "converting the value 'private'")
    pyodbc.refusal = pyodbc.Error("28000", "Login failed for 's3cret'")
    with pytest.raises(DatabaseError) as statement:
        connection.ping()
    with pytest.raises(DatabaseError) as login:
        connect_factory("SERVER=h;PWD=" + "s3cret")()
    for caught in (statement, login):
        told = "".join(traceback.format_exception(caught.value))
        assert "Login failed" not in told
        assert "converting" not in told
    assert "SQLSTATE 28000" in str(login.value)
    connection.close()


def test_a_machine_without_odbc_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyodbc", None)
    with pytest.raises(DatabaseError, match="driver manager is missing"):
        connect_factory("SERVER=h")()


def test_a_file_that_does_not_exist_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="does not exist"):
        connect_factory(f"sqlite:///{tmp_path}/no.db")()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "why"), [(errno.EACCES, "Permission denied"), (errno.ENAMETOOLONG, "File name too long")]
)
def test_a_file_that_cannot_be_looked_at_is_named(
    code: int, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(code, why)

    monkeypatch.setattr("pathlib.Path.stat", refuse)
    with pytest.raises(StatementRefused, match=rf"of VISTA_CONNECTION_STRING cannot be read \({why}\)"):
        connect_factory("sqlite:///some.db")()


def test_a_file_is_read_only_and_dates_compare_as_vista_prints_them(tmp_path: Path) -> None:
    path = tmp_path / "with # and ?.db"
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE t (d smalldatetime)")
        raw.execute("INSERT INTO t VALUES ('2025-07-01 00:00:00')")
    raw.close()
    connection = connect_factory(f"sqlite:///{path}")()
    assert len(list(connection.rows("SELECT d FROM t WHERE d = ?", (date(2025, 7, 1),)))) == 1
    with pytest.raises(DatabaseError):
        list(connection.rows("DELETE FROM t"))
    with pytest.raises(DatabaseError, match="table nothere does not exist"):
        list(connection.rows("SELECT 1 FROM nothere"))
    connection.ping()
    connection.close()
    with pytest.raises(DatabaseError):
        connection.ping()


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "text.db"
    path.write_text("no database " * 100)
    with pytest.raises(DatabaseError, match="SQLite file in VISTA_CONNECTION_STRING"):
        list(connect_factory(f"sqlite:///{path}")().rows("SELECT 1 FROM t"))
