"""A rig for the doctor: upstreams whose clocks can be wrong, and a Vista that says it is SQL Server.

Load its fixtures with `pytest_plugins`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from shared.clients.vista.client import VistaClient
from shared.clients.vista.connection_pool import ConnectionPool
from shared.clients.vista.driver import Engine, VistaConnection
from shared.clients.vista.errors import sqlite_error
from shared.doctor import Finding, check_everything
from shared.doctor.vista import SERVER_TIME
from shared.doctor.vista_login import DATABASE_RIGHTS, SERVER_ROLE, TABLE_RIGHTS, TABLES
from tests.doubles.scripted_upstream import NotingBreaker
from tests.e2e.rig import HOSTS, Rig

Answers = Mapping[str, Sequence[Sequence[Any]]]


class Findings(dict[str, Finding]):
    """Findings by check: of several on one check the worst."""

    @property
    def failed(self) -> set[str]:
        return {check for check, finding in self.items() if finding.status == "failed"}

    @property
    def warned(self) -> set[str]:
        return {check for check, finding in self.items() if finding.status == "warning"}


class DoctorRig(Rig):
    """`seconds_ahead` sets an upstream's clock ("safetyamp", "samsara", "graph") apart from ours; only those
    named send a `Date`."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.seconds_ahead: dict[str, float] = {}
        super().__init__(folder, **settings)  # type: ignore[arg-type]

    def look(self, *, deep: bool = True) -> Findings:
        """What the doctor finds; no secret and nobody's name in any of it."""
        order = ("skipped", "ok", "warning", "failed")
        findings = check_everything(self.stack.runtime, deep=deep)
        self._check_discretion(findings)
        ordered = sorted(findings, key=lambda finding: order.index(finding.status))
        return Findings({finding.check: finding for finding in ordered})

    def as_sql_server(self, answers: Answers) -> None:
        """Let Vista answer the questions that are put to SQL Server alone; `answers` maps statements to rows,
        over those of a login that is as it should be."""
        good: dict[str, Sequence[Sequence[Any]]] = {
            SERVER_TIME: [(self.clock.now().replace(tzinfo=None),)],
            TABLE_RIGHTS: [(table, "SELECT") for table in TABLES],
            DATABASE_RIGHTS: [("CONNECT",)],
            SERVER_ROLE: [(0,)],
        }
        engine = Engine((sqlite3.Error,), sqlite_error, str, lambda _raw, _seconds: None)

        def connect() -> VistaConnection:
            raw = sqlite3.connect(self.database, check_same_thread=False)
            return VistaConnection(_SqlServer(raw, {**good, **answers}), engine)

        pool = ConnectionPool(connect, 4, self.clock)
        client = VistaClient(pool, 1, "udEmpTitle", "udRegion", NotingBreaker())
        vars(self.stack.runtime)["vista"] = client

    def change_vista(self, statement: str) -> None:
        """Change Vista's file behind everybody's back."""
        connection = sqlite3.connect(self.database)
        try:
            connection.execute(statement)
            connection.commit()
        finally:
            connection.close()

    def _session(self) -> requests.Session:
        session = super()._session()
        session.hooks["response"].append(self._add_date)
        return session

    def _add_date(self, response: requests.Response, **_: Any) -> None:
        for upstream, url in HOSTS.items():
            if response.url.startswith(url) and upstream in self.seconds_ahead:
                theirs = self.clock.now() + timedelta(seconds=self.seconds_ahead[upstream])
                response.headers["Date"] = format_datetime(theirs, usegmt=True)

    def _check_discretion(self, findings: Sequence[Finding]) -> None:
        told = " ".join(str(finding.to_json()) for finding in findings)
        keys = self.tenant.keys
        for secret in (keys.safetyamp_key, keys.samsara_key, keys.graph_client_key, "s3cret", "Bearer"):
            assert secret not in told
        for row in self.company.tables["bPREH"]:
            assert row["LastName"] not in told
        assert "@" not in told


MakeRig = Callable[..., DoctorRig]


@pytest.fixture
def make_rig(tmp_path: Path) -> Iterator[MakeRig]:
    """Makes rigs with these settings."""
    made: list[DoctorRig] = []

    def make(**settings: str) -> DoctorRig:
        made.append(DoctorRig(tmp_path, **settings))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


@pytest.fixture
def rig(make_rig: MakeRig) -> DoctorRig:
    """One with the usual settings."""
    return make_rig()


class _SqlServer:
    """A raw connection to SQLite that claims to be SQL Server and answers its questions."""

    def __init__(self, raw: sqlite3.Connection, answers: Answers) -> None:
        self._raw = raw
        self._answers = answers

    def cursor(self) -> Any:
        return _Cursor(self._raw.cursor(), self._answers)

    def getinfo(self, what: int) -> str:
        import pyodbc

        return {
            pyodbc.SQL_DRIVER_NAME: "libmsodbcsql-18.so",
            pyodbc.SQL_DRIVER_VER: "18.06.0002",
            pyodbc.SQL_DBMS_NAME: "Microsoft SQL Server",
            pyodbc.SQL_DBMS_VER: "15.00.4430",
        }[what]

    def close(self) -> None:
        self._raw.close()


class _Cursor:
    def __init__(self, cursor: sqlite3.Cursor, answers: Answers) -> None:
        self._cursor = cursor
        self._answers = answers
        self._canned: list[Sequence[Any]] | None = None

    def execute(self, sql: str, parameters: Sequence[Any]) -> None:
        if sql in self._answers:
            self._canned = list(self._answers[sql])
        else:
            self._cursor.execute(sql, parameters)

    def fetchmany(self, count: int) -> Sequence[Any]:
        if self._canned is None:
            return self._cursor.fetchmany(count)
        rows, self._canned = self._canned, []
        return rows

    def close(self) -> None:
        self._cursor.close()
