"""The ODBC drivers of this machine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from shared.clients.vista.connection import SQLITE_PREFIX
from shared.clients.vista.connection_string import SQL_SERVER_DRIVER
from shared.clients.vista.errors import NO_DRIVER
from shared.doctor.finding import Check, Finding

if TYPE_CHECKING:
    from shared.runtime import Runtime

NAME = "odbc"
SETTINGS = ("VISTA_CONNECTION_STRING",)
DRIVER = re.compile(
    r"(?:^|;)\s*driver\s*=\s*(?:\{(?P<braced>(?:[^}]|\}\})*)\}|(?P<plain>[^;]*))", re.IGNORECASE
)
SOURCE = re.compile(r"(?:^|;)\s*(?:dsn|filedsn)\s*=", re.IGNORECASE)
ADVICE = NO_DRIVER[:1].upper() + NO_DRIVER[1:]


def check(runtime: Runtime) -> Iterator[Finding]:
    """Whether the driver that VISTA_CONNECTION_STRING needs is installed."""
    text = runtime.settings.vista_connection_string.get_secret_value()
    if text.startswith(SQLITE_PREFIX):
        yield Finding(NAME, "skipped", "not used: Vista is an SQLite file", settings=SETTINGS)
        return
    try:
        import pyodbc
    except ImportError:
        seen = "the ODBC driver manager (unixODBC) is missing"
        yield Finding(NAME, "failed", seen, "Install unixODBC and " + ADVICE[8:], settings=SETTINGS)
        return
    yield judged(text, pyodbc.drivers(), pyodbc.version)


def judged(connection_string: str, installed: Iterable[str], version: str) -> Finding:
    """The finding for a connection string where these drivers are installed; `version` is pyodbc's."""
    drivers = sorted(installed)
    listed = f"installed: {', '.join(drivers) or 'none'}; pyodbc {version}"
    if SOURCE.search(connection_string):
        return Finding(NAME, "ok", f"the connection string names a data source; {listed}", settings=SETTINGS)
    found = DRIVER.search(connection_string)
    named = (found["braced"] or found["plain"] or "").strip() if found else None
    if named is None:
        there = any(SQL_SERVER_DRIVER.match(name) for name in drivers)
        seen = "the newest ODBC Driver for SQL Server is used" if there else "no ODBC Driver for SQL Server"
    else:
        there = named in drivers or Path(named).is_file()
        seen = "the driver that the connection string names is there" if there else "it names another driver"
    if there:
        return Finding(NAME, "ok", f"{seen}; {listed}", settings=SETTINGS)
    return Finding(NAME, "failed", f"{seen}; {listed}", ADVICE, settings=SETTINGS)


CHECK = Check(NAME, check, ADVICE, SETTINGS)
