"""Vista: the connection, its clock, and whether a run's reads see what they should."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from shared.clients.receipts import Reading
from shared.clients.vista.client import VistaClient
from shared.clients.vista.driver import VistaConnection
from shared.clients.vista.queries import VistaColumns
from shared.doctor.clocks import ahead, skew
from shared.doctor.finding import Check, Finding, ms_since, of_error
from shared.doctor.vista_login import login_findings
from shared.errors import ConfigurationError, SafetyAmpError, StorageError
from shared.storage.documents import Documents
from shared.sync.documents.state import read_state
from shared.sync.model import ENTITIES
from shared.sync.planning.guard import GuardLimits, lost_much
from shared.sync.planning.limits import limits_of
from shared.sync.planning.reader import CHECK_VISTA, MAY_BE_EMPTY, vista_columns
from shared.sync.planning.rules_in_force import RULES_FILE, options_in_force

if TYPE_CHECKING:
    from shared.runtime import Runtime

SETTING = "VISTA_CONNECTION_STRING"
SQL_SERVER = "Microsoft SQL Server"
SERVER_TIME = "SELECT SYSUTCDATETIME()"
ADVICE = "Check SERVER in VISTA_CONNECTION_STRING, and that port 1433 is open from here"


@dataclass(frozen=True)
class Read:
    """A read that a run makes, and when its rows lack something.

    `blank` says of a row that it lacks what `column` should give; every row lacking it is suspicious.
    """

    check: str
    read: Callable[[VistaClient, date, VistaColumns | None], Reading[Any]]
    column: str
    blank: Callable[[Any], bool] = lambda row: False  # noqa: ARG005 - the signature


def _is_blank(value: object) -> bool:
    return value is None or not str(value).strip()


READS = (
    Read(
        "vista.departments",
        lambda vista, _, columns: vista.departments(columns),
        "VISTA_REGION_COLUMN in bPRDP",
        lambda row: _is_blank(row.region),
    ),
    Read(
        "vista.jobs",
        lambda vista, _, columns: vista.open_jobs(columns),
        "Department in bJCCM, their contracts",
        lambda row: _is_blank(row.department),
    ),
    Read(
        "vista.titles",
        lambda vista, today, columns: vista.titles(today, columns),
        "VISTA_TITLE_COLUMN in bPREH",
        _is_blank,
    ),
    Read("vista.employees", lambda vista, _, columns: vista.employees(columns), "HireDate in bPREH"),
    Read("vista.latest_jobs", lambda vista, today, _: vista.latest_open_jobs(today), "bPRJC"),
)


def quick(runtime: Runtime) -> Iterator[Finding]:
    """Whether Vista answers."""
    started = runtime.clock.monotonic()
    runtime.vista.ping()
    took = ms_since(runtime.clock, started)
    yield Finding("vista", "ok", "Vista answers", latency_ms=took, settings=(SETTING,))


def deep(runtime: Runtime) -> Iterator[Finding]:
    """The connection, the login's rights, and all reads of a run, each on its own."""
    started = runtime.clock.monotonic()
    driver, server = runtime.vista.inspect(VistaConnection.about)
    took = ms_since(runtime.clock, started)
    seen = f"{server} through {driver}"
    yield Finding("vista", "ok", seen, latency_ms=took, settings=(SETTING,))
    if server.startswith(SQL_SERVER):
        yield from _guarded("vista.clock", lambda: [_clock(runtime)])
        yield from _guarded("vista.login", lambda: runtime.vista.inspect(login_findings))
    else:
        # Both ask in SQL Server's own words.
        yield Finding("vista.login", "skipped", "no SQL Server: its file is opened for reading only")
    yield from _reads(runtime)


def _guarded(check: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return look()
    except SafetyAmpError as error:
        return [of_error(check, error, CHECK_VISTA, (SETTING,))]


def _clock(runtime: Runtime) -> Finding:
    def ask(connection: VistaConnection) -> datetime:
        ((moment,),) = connection.rows(SERVER_TIME)
        answer: datetime = moment
        return answer.replace(tzinfo=UTC)

    runtime.vista.ping()  # so that connecting is not part of the time between the two readings of our clock
    before = runtime.clock.now()
    theirs = runtime.vista.inspect(ask)
    return skew("vista.clock", "the SQL Server's", ahead(theirs, before, runtime.clock.now()))


def _reads(runtime: Runtime) -> Iterator[Finding]:
    settings = runtime.settings
    today = runtime.clock.now().astimezone(ZoneInfo(settings.default_timezone)).date()
    limits = limits_of(settings)
    columns: VistaColumns | None = None
    try:
        last = last_counts(runtime.documents)
        # Whatever the rules name is proven to be there, and to be readable by this login.
        columns = vista_columns(options_in_force(runtime).rules)
    except StorageError:
        last = {}  # the documents have a finding of their own
    except ConfigurationError as error:
        yield of_error("vista.rules", error, "Mend the rules: safetyamp-sync rules check FILE", (RULES_FILE,))
        return
    for read in READS:
        started = runtime.clock.monotonic()
        try:
            reading = read.read(runtime.vista, today, columns)
        except SafetyAmpError as error:
            yield of_error(read.check, error, CHECK_VISTA, (SETTING,))
            continue
        took = ms_since(runtime.clock, started)
        yield judged(read, reading, last, limits, took)


def last_counts(documents: Documents) -> dict[str, int]:
    """Sizes of the last good reads by what was read ("Vista employees"); raises StorageError.

    Several entities rest on the same read; the later one of a run's order counts.
    """
    counts: dict[str, int] = {}
    for entity in ENTITIES:
        state = read_state(documents, entity)
        counts.update(state.source_counts if state else {})
    return counts


def judged(
    read: Read, reading: Reading[Any], last: dict[str, int], limits: GuardLimits, took: int | None = None
) -> Finding:
    """Whether a read is plausible: not empty, not much smaller than the last good one, and with values."""
    name, count = reading.receipt.source, reading.receipt.records
    before = f"; the last good run read {last[name]}" if name in last else ""
    seen = f"{name}: {count} rows{before}"
    names = (SETTING, "VISTA_COMPANY")
    if count == 0 and (name not in MAY_BE_EMPTY or last.get(name)):
        return Finding(read.check, "failed", seen, CHECK_VISTA, took, names)
    if count == 0:
        advice = "Nothing, if payroll has not been posted to job cost yet"
        return Finding(read.check, "warning", f"{seen}, so nobody has a job", advice, took, names)
    shrunk = lost_much(limits, {name: count}, last, {})
    if shrunk:
        return Finding(
            read.check, "warning", f"the next run would be held: {shrunk[0]}", CHECK_VISTA, took, names
        )
    if all(read.blank(row) for row in reading.records):
        advice = f"Check {read.column}"
        return Finding(
            read.check, "warning", f"{seen}, all of them without a value in {read.column}", advice, took
        )
    return Finding(read.check, "ok", seen, "", took)


QUICK = Check("vista", quick, ADVICE, (SETTING,))
DEEP = Check("vista", deep, ADVICE, (SETTING,))
