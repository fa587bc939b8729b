"""From a driver's error to a DatabaseError that says what to do, without data, names or passwords.

The SQLSTATEs and texts are those that ODBC Driver 18 gave when they were provoked (tests/integration).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from shared.errors import DatabaseError

SQLSTATE = re.compile(r"[0-9A-Z]{5}\Z")
NATIVE_ERROR = re.compile(r"\((-?\d{1,10})\)(?: \(SQL\w+\))?\Z")
QUOTED_NAME = re.compile(r"'([A-Za-z0-9_.]{1,128})'")
SQLITE_NAME = re.compile(r"no such (table|column): \"?([A-Za-z0-9_.\"]{1,128})")

CONNECTION_SETTING = "VISTA_CONNECTION_STRING"

BROKE = f"the connection broke: look at the server that {CONNECTION_SETTING} names and at the network to it"
TIMED_OUT = "no answer in time: the server is busy, or another session blocks the tables"
NO_DRIVER = f"install the ODBC Driver 18 for SQL Server, or name an installed one in {CONNECTION_SETTING}"
FAILED = f"the database failed: look into the log of the server that {CONNECTION_SETTING} names"
ADVICE = {
    "08001": BROKE,
    "08S01": BROKE,
    "08003": BROKE,
    "08007": BROKE,
    "HYT00": TIMED_OUT,
    "HYT01": TIMED_OUT,
    "40001": "another transaction won a deadlock: it is safe to try again",
}


class StatementRefused(DatabaseError):
    """Nothing is wrong with the database: a setting, a permission, a driver or a statement is."""


class DriverError(NamedTuple):
    """A pyodbc error taken apart. `state` and `number` (the server's) are empty when it gives none."""

    state: str
    number: str
    text: str

    @classmethod
    def of(cls, error: Exception) -> DriverError:
        """From its arguments, which are SQLSTATE and text."""
        state = str(error.args[0]) if error.args else ""
        text = str(error.args[1]) if len(error.args) > 1 else ""
        native = NATIVE_ERROR.search(text)
        number = native[1] if native and int(native[1]) > 0 else ""
        return cls(state if SQLSTATE.match(state) else "", number, text)

    @property
    def where(self) -> str:
        """What to search the web or the server's log for."""
        return f"SQLSTATE {self.state or 'unknown'}" + (f", error {self.number}" if self.number else "")


def missing_driver(what: str) -> DatabaseError:
    """For a machine that lacks a part of ODBC; `what` is a sentence that says which."""
    return StatementRefused(f"Vista: {what}: {NO_DRIVER}")


def odbc_error(error: Exception) -> DatabaseError:
    """The error for what pyodbc raised while a statement ran."""
    found = DriverError.of(error)
    advice = _statement_advice(found)
    if advice is not None:
        return StatementRefused(f"Vista ({found.where}): {advice}")
    return DatabaseError(f"Vista ({found.where}): {ADVICE.get(found.state, FAILED)}")


def _statement_advice(error: DriverError) -> str | None:
    found = QUOTED_NAME.search(error.text)
    name = found[1] if found else "unknown"
    if error.state == "42S02":
        return _missing_table(name)
    if error.state == "42S22":
        return _missing_column(name)
    if error.state == "42000":
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
