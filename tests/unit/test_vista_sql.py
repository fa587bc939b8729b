"""Every statement that Vista's client sends, read as T-SQL: SELECTs of known columns only
(docs/contracts/vista.md#tables)."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest
import sqlglot
from sqlglot import exp
from sqlglot.errors import OptimizeError, ParseError
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from shared.clients.http.work import Work
from shared.clients.vista import queries
from shared.clients.vista.client import VistaClient
from shared.clients.vista.connection_pool import ConnectionPool
from shared.clients.vista.driver import Engine, VistaConnection
from shared.errors import ConfigurationError
from tests.doubles.scripted_upstream import NotingBreaker
from tests.vista_contract import READABLE

SHARED = Path(queries.__file__).resolve().parents[2]
WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Into, exp.Create, exp.Drop, exp.Command)
COLUMNS = queries.VistaColumns("udEmpTitle", "udRegion")
CASE_COUNTS = "tsql, normalization_strategy=case_sensitive"
"""As in a database with a binary collation."""

DAY = date(2025, 7, 1)
Sent = list[tuple[str, Sequence[Any]]]


class NotingCursor:
    """Notes what is executed and gives one row, so that what depends on an answer goes on."""

    def __init__(self, sent: Sent) -> None:
        self._sent = sent
        self._rows: list[tuple[Any, ...]] = []

    def execute(self, sql: str, parameters: Sequence[Any]) -> None:
        self._sent.append((sql, parameters))
        self._rows = [(DAY,) * len(parsed(sql).expressions)]

    def fetchmany(self, _count: int) -> list[tuple[Any, ...]]:
        rows, self._rows = self._rows, []
        return rows

    def close(self) -> None:
        pass


class NotingRaw:
    def __init__(self) -> None:
        self.sent: Sent = []

    def cursor(self) -> NotingCursor:
        return NotingCursor(self.sent)


class OneConnection:
    """As a pool: the same connection always, after a ping."""

    def __init__(self, connection: VistaConnection) -> None:
        self._connection = connection

    @contextmanager
    def connection(self) -> Iterator[VistaConnection]:
        self._connection.ping()
        yield self._connection

    def close(self) -> None:
        pass


ARGUMENTS: dict[str, Any] = {
    "columns": None,
    "today": DAY,
    "question": VistaConnection.ping,
    "work": Work(),
}
"""What a method is called with. Whatever is asked through `inspect` is in `shared.doctor`, whose statements
its own tests look at."""


def sent_by_the_client() -> Sent:
    """What all public methods send."""
    raw = NotingRaw()
    engine = Engine(
        (), lambda error: pytest.fail(str(error)), lambda value: value, lambda _raw, _seconds: None
    )
    pool = cast("ConnectionPool[VistaConnection]", OneConnection(VistaConnection(raw, engine)))
    client = VistaClient(pool, 1, "udEmpTitle", "udRegion", NotingBreaker())
    for name, method in inspect.getmembers(client, inspect.ismethod):
        if not name.startswith("_"):
            method(*(ARGUMENTS[parameter] for parameter in inspect.signature(method).parameters))
    return raw.sent


def templates() -> dict[str, str]:
    """The statements of the queries' module by name."""
    return {
        name: queries.with_columns(value, COLUMNS)
        for name, value in vars(queries).items()
        if name.isupper() and isinstance(value, str)
    }


def parsed(sql: str) -> exp.Expr:
    [statement] = sqlglot.parse(sql, dialect="tsql")
    assert statement is not None
    return statement


def check(sql: str) -> exp.Expr:
    """The statement with its columns resolved; raises AssertionError or OptimizeError for what may not be."""
    statement = parsed(sql)
    assert isinstance(statement, exp.Select), f"no SELECT: {sql}"
    assert not list(statement.find_all(*WRITES)), f"writes: {sql}"
    assert not list(statement.find_all(exp.Star)), f"reads all columns: {sql}"
    common = {table.alias for table in statement.find_all(exp.CTE)}
    tables = {table.name for table in statement.find_all(exp.Table)} - common
    assert tables <= READABLE.keys(), f"reads other tables: {sql}"
    return qualify(
        statement, dialect=CASE_COUNTS, schema=MappingSchema(cast("Any", READABLE), dialect=CASE_COUNTS)
    )


def test_columns_that_rules_name_are_selected_quoted_and_of_their_own_table() -> None:
    named = COLUMNS._replace(employees=("CellPhone", "PRGroup"), jobs=("udPlace",), departments=("udArea",))
    written = {
        name: queries.with_columns(getattr(queries, name), named)
        for name in ("EMPLOYEES", "OPEN_JOBS", "DEPARTMENTS")
    }
    selected = {
        name: [(column.table, column.name) for column in cast("Any", parsed(sql)).selects][-2:]
        for name, sql in written.items()
    }
    assert selected == {
        "EMPLOYEES": [("H", "CellPhone"), ("H", "PRGroup")],
        "OPEN_JOBS": [("J", "ShipCountry"), ("J", "udPlace")],
        "DEPARTMENTS": [("D", "udRegion"), ("D", "udArea")],
    }


@pytest.mark.parametrize("column", ['x" FROM bPREH; --', "a b", "", "ſsn"])
def test_what_is_no_column_name_is_never_part_of_a_statement(column: str) -> None:
    with pytest.raises(ConfigurationError, match=r"rules\.toml"):
        queries.with_columns(queries.EMPLOYEES, COLUMNS._replace(employees=(column,)))


def test_the_client_sends_the_modules_statements_and_a_ping_and_nothing_else() -> None:
    assert {sql for sql, _ in sent_by_the_client()} == {*templates().values(), "SELECT 1"}


@pytest.mark.parametrize("name", templates())
def test_a_statement_reads_nothing_but_known_columns(name: str) -> None:
    check(templates()[name])


def test_each_mark_has_its_parameter_and_no_value_of_a_call_stands_in_a_statement() -> None:
    for sql, parameters in sent_by_the_client():
        statement = parsed(sql)
        assert len(list(statement.find_all(exp.Placeholder))) == len(parameters)
        literals = {literal.this for literal in statement.find_all(exp.Literal) if literal.is_string}
        assert literals == set()


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT H."udEmpTitel" FROM bPREH H',
        "SELECT H.employee FROM bPREH H",
        "SELECT Employee, SSN FROM bPREH",
        "SELECT H.Employee FROM bpreh H",
        "SELECT X.Employee FROM bPREH H",
        "SELECT * FROM bPREH",
        "SELECT H.Employee INTO copy FROM bPREH H",
        "DELETE FROM bPREH",
        "UPDATE bPREH SET Email = NULL",
        "WITH a AS (SELECT H.Employee FROM bPREH H) DELETE FROM a",
        "SELECT H.Employee FROM bPREH H; DELETE FROM bPREH",
        "EXEC sp_who",
        "SELECT H.Employee FROM bPREH H WHERE",
        "SELECT H.Employee FROM bPREH H LEFT JOIN bJCJM J ON J.Nothing = H.Employee",
    ],
)
def test_the_check_itself_finds(sql: str) -> None:
    with pytest.raises((AssertionError, OptimizeError, ParseError, ValueError)):
        check(sql)


def test_one_place_executes_sql() -> None:
    """One module opens DB-API connections and one makes cursors: the statements above are all there are."""
    calling = [
        path.name
        for path in sorted(SHARED.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "cursor"
    ]
    assert calling == ["driver.py"]
    importing = [path.name for path in sorted(SHARED.rglob("*.py")) if _imports(path) & {"pyodbc", "sqlite3"}]
    # The driver asks for its version, the doctor which drivers are installed.
    assert importing == ["connection.py", "driver.py", "odbc.py"]


def _imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
