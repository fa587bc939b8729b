"""From a driver's error to a DatabaseError that says what to do, without data, names or passwords."""

from __future__ import annotations

import re

from shared.errors import DatabaseError

SQLSTATE = re.compile(r"[0-9A-Z]{5}\Z")
NATIVE_ERROR = re.compile(r"\((\d{1,6})\)")
QUOTED_NAME = re.compile(r"'([A-Za-z0-9_.]{1,128})'")
SQLITE_NAME = re.compile(r"no such (table|column): \"?([A-Za-z0-9_.\"]{1,128})")

CONNECTION_SETTING = "VISTA_CONNECTION_STRING"
CANNOT_OPEN_DATABASE = "4060"

UNREACHABLE = "the server cannot be reached: check SERVER in VISTA_CONNECTION_STRING, and port 1433"
TIMED_OUT = "no answer in time: the server is busy, blocked, or behind a firewall"
NO_DRIVER = "install the ODBC Driver 18 for SQL Server, or name an installed one in VISTA_CONNECTION_STRING"
ADVICE = {
    "28000": "login refused: check the login and password in VISTA_CONNECTION_STRING",
    "08001": UNREACHABLE,
    "08S01": "the connection broke",
    "08003": "the connection broke",
    "08007": "the connection broke",
    "HYT00": TIMED_OUT,
    "HYT01": TIMED_OUT,
    "IM002": NO_DRIVER,
    "01000": NO_DRIVER,
    "40001": "another transaction won a deadlock: it is safe to try again",
}


class StatementRefused(DatabaseError):
    """Nothing is wrong with the database: a setting, a permission, a driver or a statement is."""


def missing_driver(what: str) -> DatabaseError:
    """For a machine that lacks a part of ODBC; `what` is a sentence that says which."""
    return StatementRefused(f"Vista: {what}: {NO_DRIVER}")


def odbc_error(error: Exception) -> DatabaseError:
    """The error for a pyodbc error, whose arguments are SQLSTATE and text."""
    state = str(error.args[0]) if error.args else ""
    state = state if SQLSTATE.match(state) else ""
    text = str(error.args[1]) if len(error.args) > 1 else ""
    native = NATIVE_ERROR.search(text)
    number = native[1] if native else ""
    where = f"SQLSTATE {state or 'unknown'}" + (f", error {number}" if number else "")
    if state == "42000" and number == CANNOT_OPEN_DATABASE:
        return StatementRefused(
            f"Vista ({where}): the login may not open the database: check DATABASE in {CONNECTION_SETTING}"
        )
    advice = _statement_advice(state, text)
    if advice is not None:
        return StatementRefused(f"Vista ({where}): {advice}")
    kind = StatementRefused if state in ("28000", "IM002", "01000") else DatabaseError
    return kind(f"Vista ({where}): {ADVICE.get(state, 'the database failed')}")


def _statement_advice(state: str, text: str) -> str | None:
    found = QUOTED_NAME.search(text)
    name = found[1] if found else "unknown"
    if state == "42S02":
        return _missing_table(name)
    if state == "42S22":
        return _missing_column(name)
    if state == "42000":
        return f"statement refused: the login needs SELECT permission on {name}"
    return None


def sqlite_error(error: Exception) -> DatabaseError:
    """The error for an sqlite3 error, which has nothing but its text."""
    found = SQLITE_NAME.search(str(error))
    if found is None:
        return DatabaseError(
            f"Vista ({type(error).__name__}): the SQLite file in {CONNECTION_SETTING} failed"
        )
    name = found[2].replace('"', "").rpartition(".")[2]
    advice = _missing_table(name) if found[1] == "table" else _missing_column(name)
    return StatementRefused(f"Vista: {advice}")


def _missing_table(name: str) -> str:
    return (
        f"table {name} does not exist for this login: check DATABASE in {CONNECTION_SETTING} and permissions"
    )


def _missing_column(name: str) -> str:
    return (
        f"column {name} does not exist: custom columns are named by VISTA_TITLE_COLUMN and "
        "VISTA_REGION_COLUMN, upper and lower case count"
    )
