"""Connections to Vista: the driver's options, read-only files, and errors that say what to do."""

from __future__ import annotations

import sqlite3
import sys
import traceback
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from shared.clients.vista_connection import connect_factory
from shared.clients.vista_errors import StatementRefused, odbc_error
from shared.errors import DatabaseError


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

    def drivers(self) -> list[str]:
        return ["ODBC Driver 17 for SQL Server"]

    def connect(self, connection_string: str, **options: Any) -> FakeRaw:
        if self.refusal:
            raise self.refusal
        self.connected, self.options = connection_string, options
        return self.raw


@pytest.fixture
def pyodbc(monkeypatch: pytest.MonkeyPatch) -> FakePyodbc:
    fake = FakePyodbc()
    monkeypatch.setitem(sys.modules, "pyodbc", fake)
    return fake


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
