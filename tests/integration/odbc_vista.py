"""Vista's tables in an SQLite file that is read through ODBC, as production reads SQL Server."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.vista_contract import READABLE

SQLITE_ODBC_TYPES = {"smalldatetime": "datetime"}
"""The driver knows the type that it shall give as `datetime` under this name only."""

DAY_CHARACTERS = len("2025-07-01")


def odbc_vista(driver: str, path: Path, rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> str:
    """Writes `rows` by table (columns as in docs/contracts/vista.md) and gives the connection string.

    Days are stored without a time: SQLite compares text, and ODBC hands it a date parameter as `YYYY-MM-DD`.
    """
    with closing(sqlite3.connect(path)) as connection, connection:
        for table, columns in READABLE.items():
            types = [f"{name} {SQLITE_ODBC_TYPES.get(kind, kind)}" for name, kind in columns.items()]
            connection.execute(f"CREATE TABLE {table} ({', '.join(types)})")
            marks = ", ".join("?" * len(columns))
            values = [
                [_stored(columns[name], row.get(name)) for name in columns] for row in rows.get(table, ())
            ]
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", values)
    return f"Driver={driver};Database={path};NoCreat=1;Timeout=200"


def _stored(kind: str, value: Any) -> Any:
    return value[:DAY_CHARACTERS] if kind == "smalldatetime" and value else value
