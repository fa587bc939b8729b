"""From a driver's error to a DatabaseError that says what to do, without data, names or passwords.

The SQLSTATEs and texts are those that ODBC Driver 18 gave when they were provoked (tests/integration).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from shared.errors import Advised, ConfigurationError, DatabaseError, SettingProblem, framed

SQLSTATE = re.compile(r"[0-9A-Z]{5}\Z")
NATIVE_ERROR = re.compile(r"\((-?\d{1,10})\)(?= \(SQL\w+\)|; \[|\Z)")
"""pyodbc puts the driver's records into one text, each with the server's number at its end."""

QUOTED_NAME = re.compile(r"'([A-Za-z0-9_.]{1,128})'")
SQLITE_NAME = re.compile(r"no such (table|column): \"?([A-Za-z0-9_.\"]{1,128})")

CONNECTION_SETTING = "VISTA_CONNECTION_STRING"
COLUMN_SETTINGS = ("VISTA_TITLE_COLUMN", "VISTA_REGION_COLUMN")
RULES = "rules.toml"
OF_THE_FILE = ("SQLITE_CANTOPEN", "SQLITE_NOTADB", "SQLITE_PERM", "SQLITE_AUTH")

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


NEEDS_PERMISSION = frozenset({229, 230, 262, 297, 300, 916})
"""SELECT denied on an object or a column, permissions in the database or on the server, no user there."""

READ_INTENT_ONLY = frozenset({978})
NO_READABLE_REPLICA = frozenset({976, 979, 982, 983})
BUSY_OR_AWAY = frozenset(
    {
        *(701, 802, 845, 1203, 1204, 1205, 1221, 1222, 8628, 8645, 8651, 10922, 10928, 10929, 10936),
        *(1101, 1105, 3960, 3966, 3967, 9002),
        *(596, 601, 615, 617, 669, 921, 922, 924, 926, 927, 942, 945, 952, 954, 955, 997, 1807),
        *(4221, 6005, 9515, 14355, 17142, 17197, 18401, 20041, 40143, 40166, 40197, 40501, 40540),
        *(40549, 40550, 40551, 40552, 40553, 40613, 42108, 42109, 49918, 49919, 49920, 49983),
    }
)
"""Server errors that pass: memory, locks and workers; space and versions of rows; databases that start, move
or are restored; Azure SQL's own (Microsoft's lists of transient errors and of the errors of SQL Server)."""

INTENT = (
    "the database is a replica that takes read-only connections only: add ApplicationIntent=ReadOnly to "
    f"{CONNECTION_SETTING}"
)
REPLICA = (
    "the database is a replica that cannot be read now: it changes its role, or reading it is switched off; "
    f"ask who runs the server, or name a readable one in {CONNECTION_SETTING}"
)
BUSY = (
    "the database is busy, short of memory or space, or just being started or moved: it is tried again, look "
    f"at the server that {CONNECTION_SETTING} names when that does not help"
)
NOT_KNOWN = f"the statement failed: look the error up, and into the log of the server of {CONNECTION_SETTING}"


class StatementRefused(DatabaseError, ConfigurationError):
    """Nothing is wrong with the database: a setting, a permission, a driver or a statement is.

    Trying again cannot help, so this is a ConfigurationError too; `settings` are those concerned. `where` is
    what to search the web or the server's log for.
    """

    def __init__(self, what: str, *settings: str, where: str = "") -> None:
        told = _told(what, where)
        text = told if where else what
        super().__init__(SettingProblem(setting, text) for setting in settings or (CONNECTION_SETTING,))
        self.args = (told,)
        self.where = where


class MissingColumn(StatementRefused):
    """A table lacks `column`."""

    def __init__(self, text: str, column: str, *settings: str, where: str = "") -> None:
        super().__init__(text, *settings, where=where)
        self.column = column


def _told(what: str, where: str = "") -> str:
    return framed(what, f"Vista ({where}): " if where else "Vista: ")


def failed(what: str, where: str = "") -> DatabaseError:
    """The error for a database that is not well, or of which it is not known."""
    return DatabaseError(_told(what, where))


class DriverError(NamedTuple):
    """A pyodbc error taken apart. `state` is empty when it gives none; `numbers` are the server's, the first
    one's own before those that followed from it."""

    state: str
    numbers: tuple[int, ...]
    text: str

    @classmethod
    def of(cls, error: Exception) -> DriverError:
        """From its arguments, which are SQLSTATE and text."""
        state = str(error.args[0]) if error.args else ""
        text = str(error.args[1]) if len(error.args) > 1 else ""
        numbers = tuple(int(number) for number in NATIVE_ERROR.findall(text) if int(number) > 0)
        return cls(state if SQLSTATE.match(state) else "", numbers, text)

    @property
    def where(self) -> str:
        """What to search the web or the server's log for."""
        number = f", error {self.numbers[0]}" if self.numbers else ""
        return f"SQLSTATE {self.state or 'unknown'}{number}"

    @property
    def name(self) -> str:
        """The table or column that the text quotes."""
        found = QUOTED_NAME.search(self.text)
        return found[1] if found else "unknown"

    def has(self, numbers: frozenset[int]) -> bool:
        """Whether one of the server's errors is among `numbers`."""
        return not numbers.isdisjoint(self.numbers)


def missing_driver(what: str) -> DatabaseError:
    """For a machine that lacks a part of ODBC; `what` is a sentence that says which."""
    return StatementRefused(Advised(what, NO_DRIVER))


def odbc_error(error: Exception) -> DatabaseError:
    """The error for what pyodbc raised while a statement ran."""
    found = DriverError.of(error)
    known = numbered_error(found)
    if known is not None:
        return known
    if found.state == "42S02":
        return StatementRefused(_missing_table(found.name), where=found.where)
    if found.state == "42S22":
        return missing_column(found.name, found.where)
    unknown = NOT_KNOWN if found.state == "42000" else FAILED
    return failed(ADVICE.get(found.state, unknown), found.where)


def numbered_error(error: DriverError) -> DatabaseError | None:
    """The error for one that the server's number tells, at a login or later; None for any other. SQLSTATE
    42000 says nothing by itself: the driver gives it for a missing right and for a busy server alike."""
    if error.has(NO_READABLE_REPLICA):
        return failed(REPLICA, error.where)
    if error.has(BUSY_OR_AWAY):
        return failed(ADVICE.get(error.state, BUSY), error.where)
    if error.has(READ_INTENT_ONLY):
        return StatementRefused(INTENT, where=error.where)
    if error.has(NEEDS_PERMISSION):
        needed = f"the login of {CONNECTION_SETTING} needs SELECT permission on {error.name}"
        return StatementRefused(f"statement refused: {needed}", where=error.where)
    return None


def sqlite_error(error: Exception) -> DatabaseError:
    """The error for an sqlite3 error; only its text says what is missing."""
    found = SQLITE_NAME.search(str(error))
    if found is None:
        name = getattr(error, "sqlite_errorname", "") or type(error).__name__
        text = f"the SQLite file in {CONNECTION_SETTING} failed"
        if name in OF_THE_FILE:
            advice = "give one that can be read here and is an SQLite database"
            return StatementRefused(Advised(text, advice), where=name)
        return failed(text, name)
    name = found[2].replace('"', "").rpartition(".")[2]
    if found[1] == "table":
        return StatementRefused(_missing_table(name))
    return missing_column(name)


def missing_column(name: str, where: str = "", setting: str | None = None) -> MissingColumn:
    """The error for a column that Vista lacks; `setting` is the one that names it, if that is known."""
    if setting == RULES:
        advice = "correct the name there, and preview rules before they are in force"
        text = f"column {name}, which the rules name, does not exist"
        return MissingColumn(Advised(text, advice), name, setting, where=where)
    if setting is not None:
        advice = f"set {setting} to a column that this Vista has, upper and lower case count"
        return MissingColumn(Advised(f"column {name} does not exist", advice), name, setting, where=where)
    text = (
        f"column {name} does not exist: custom columns are named by VISTA_TITLE_COLUMN and "
        "VISTA_REGION_COLUMN, upper and lower case count"
    )
    return MissingColumn(text, name, *COLUMN_SETTINGS, where=where)


def _missing_table(name: str) -> str:
    return Advised(
        f"table {name} does not exist for this login",
        f"check DATABASE in {CONNECTION_SETTING} and permissions",
    )
