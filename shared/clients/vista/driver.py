"""A connection to Vista as the client uses it, whichever driver is behind it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from shared.errors import DatabaseError

STATEMENT_TIMEOUT_SECONDS = 60
PING_TIMEOUT_SECONDS = 5
"""Idle connections that a firewall dropped are found one after the other; each may cost this much."""

FETCH_ROWS = 5000
UNDECODABLE_IN_SQLITE = "Could not decode to UTF-8"


@dataclass(frozen=True)
class Engine:
    """What differs between the drivers: their errors, how a date is passed, how a statement's time is
    limited (seconds), how text that cannot be decoded is replaced from now on."""

    errors: tuple[type[Exception], ...]
    translate: Callable[[Exception], DatabaseError]
    parameter: Callable[[Any], Any]
    limit: Callable[[Any, int], None]
    lenient: Callable[[Any], None] = lambda _raw: None


class Undecodable(DatabaseError):
    """A value of a column is no text in the encoding that the driver promises."""


class VistaConnection:
    """A DB-API connection whose errors are DatabaseErrors. The drivers' own texts quote data and login
    names, so they are not kept as the cause."""

    def __init__(self, raw: Any, engine: Engine) -> None:
        self._raw = raw
        self._engine = engine

    def rows(
        self, sql: str, parameters: Sequence[Any] = (), timeout_seconds: int = STATEMENT_TIMEOUT_SECONDS
    ) -> Iterator[Sequence[Any]]:
        """The rows of a SELECT, fetched some thousands at a time; dates among the parameters are
        `datetime.date`. The time is that of one wait for the server: for its first answer, or in between.

        Raises Undecodable for text that is none: once that is replaced (`replace_undecodable`, which makes
        reading slower), all rows can be read.
        """
        try:
            self._engine.limit(self._raw, timeout_seconds)
            cursor = self._raw.cursor()
            try:
                cursor.execute(sql, [self._engine.parameter(value) for value in parameters])
                while chunk := cursor.fetchmany(FETCH_ROWS):
                    yield from chunk
            finally:
                cursor.close()
        except UnicodeDecodeError:
            raise _undecodable() from None
        except self._engine.errors as error:
            if UNDECODABLE_IN_SQLITE in str(error):
                raise _undecodable() from None
            raise self._engine.translate(error) from None

    def replace_undecodable(self) -> None:
        """From now on what cannot be decoded comes as U+FFFD instead of ending the read."""
        self._engine.lenient(self._raw)

    def ping(self) -> None:
        """One round trip; raises DatabaseError when the connection is broken."""
        for _ in self.rows("SELECT 1", timeout_seconds=PING_TIMEOUT_SECONDS):
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


def _undecodable() -> Undecodable:
    return Undecodable("Vista: a value cannot be decoded: mend the text in Vista")
