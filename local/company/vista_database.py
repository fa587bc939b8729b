"""Vista's tables in a SQLite file, with the columns that the sync reads and their neighbours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Rows = Mapping[str, Iterable[Mapping[str, Any]]]

ADDRESS = ("Address TEXT", "Address2 TEXT", "City TEXT", "State TEXT", "Zip TEXT", "Country TEXT")
SHIP_ADDRESS = tuple(f"Ship{column}" for column in ADDRESS)

TABLES: dict[str, tuple[str, ...]] = {
    "bPREH": (
        "PRCo INTEGER NOT NULL",
        "Employee INTEGER NOT NULL",
        "LastName TEXT NOT NULL",
        "FirstName TEXT",
        "MidName TEXT",
        "SortName TEXT NOT NULL",
        *ADDRESS,
        "Phone TEXT",
        "CellPhone TEXT",
        "Sex TEXT NOT NULL",
        "BirthDate TEXT",
        "HireDate TEXT",
        "TermDate TEXT",
        "PRGroup INTEGER NOT NULL",
        "PRDept TEXT NOT NULL",
        "ActiveYN TEXT NOT NULL",
        "Email TEXT",
        "JCCo INTEGER",
        "Job TEXT",
        "Craft TEXT",
        "Class TEXT",
        "udEmpTitle TEXT",
    ),
    "bPRDP": (
        "PRCo INTEGER NOT NULL",
        "PRDept TEXT NOT NULL",
        "Description TEXT",
        "GLCo INTEGER",
        "udRegion TEXT",
    ),
    "bJCJM": (
        "JCCo INTEGER NOT NULL",
        "Job TEXT NOT NULL",
        "Description TEXT",
        "Contract TEXT",
        "JobStatus INTEGER NOT NULL DEFAULT 0",
        *SHIP_ADDRESS,
    ),
    "bJCCM": (
        "JCCo INTEGER NOT NULL",
        "Contract TEXT NOT NULL",
        "Description TEXT",
        "Department TEXT NOT NULL",
        "ContractStatus INTEGER NOT NULL",
        "StartMonth TEXT",
    ),
    "bPRJC": (
        "PRCo INTEGER NOT NULL",
        "PRGroup INTEGER NOT NULL",
        "PREndDate TEXT NOT NULL",
        "Mth TEXT NOT NULL",
        "JCCo INTEGER NOT NULL",
        "Job TEXT NOT NULL",
        "PhaseGroup INTEGER",
        "Phase TEXT",
        "JCCostType INTEGER",
        "Type TEXT",
        "JCFields TEXT",
        "Employee INTEGER NOT NULL",
        "PaySeq INTEGER",
        "PostSeq INTEGER",
        "PostDate TEXT",
        "Craft TEXT",
        "Class TEXT",
        "Hrs NUMERIC",
        "Amt NUMERIC",
    ),
}
"""Columns by table (docs/contracts/vista.md#tables), and neighbours that real tables have; dates are text
`YYYY-MM-DD 00:00:00`, as smalldatetime prints."""

INDEXES = {
    "bPREH": ("UNIQUE", "PRCo, Employee"),
    "bPRDP": ("UNIQUE", "PRCo, PRDept"),
    "bJCJM": ("UNIQUE", "JCCo, Job"),
    "bJCCM": ("UNIQUE", "JCCo, Contract"),
    "bPRJC": ("", "PRCo, PREndDate, Employee"),
}


def create_vista_database(path: Path, rows: Rows, tables: Iterable[str] = tuple(TABLES)) -> Path:
    """Create or refill these `tables` of the file at `path` with `rows` by table; returns the absolute path.

    All of them exist afterwards. Refilling is one transaction, so that readers see the old content or the
    new one. Columns that a row lacks are NULL; a column that the table lacks raises ValueError.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        # Whoever loses the machine's power makes the file anew; waiting for the disk takes longest.
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN IMMEDIATE")
        for table in tables:
            _create(connection, table)
            _fill(connection, table, rows.get(table, ()))
        connection.execute("COMMIT")
    finally:
        connection.close()
    return path


def connection_string(path: Path) -> str:
    """The value of VISTA_CONNECTION_STRING for such a file."""
    return f"sqlite:///{path.resolve().as_posix()}"


def columns(table: str) -> tuple[str, ...]:
    """The names of a table's columns."""
    return tuple(column.split(" ", 1)[0] for column in TABLES[table])


def _create(connection: sqlite3.Connection, table: str) -> None:
    unique, key = INDEXES[table]
    connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(TABLES[table])})")
    connection.execute(f"CREATE {unique} INDEX IF NOT EXISTS {table}_key ON {table} ({key})")


def _fill(connection: sqlite3.Connection, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    names = columns(table)
    known = frozenset(names)
    marks = ", ".join("?" * len(names))

    def values(row: Mapping[str, Any]) -> tuple[Any, ...]:
        if not row.keys() <= known:
            raise ValueError(f"{table} has no column {', '.join(sorted(row.keys() - known))}")
        return tuple(map(row.get, names))

    connection.execute(f"DELETE FROM {table}")  # noqa: S608  the name is one of ours
    connection.executemany(f"INSERT INTO {table} VALUES ({marks})", map(values, rows))  # noqa: S608
