"""Microsoft's ODBC Driver 18 after the login: values, and statements that end badly."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from local.fake_clock import FakeClock
from shared.clients.vista.client import VistaClient
from shared.clients.vista.connection import connect_factory
from shared.clients.vista.connection_pool import ConnectionPool
from shared.clients.vista.driver import VistaConnection
from shared.clients.vista.errors import StatementRefused
from shared.errors import DatabaseError
from tests.doubles import sql_server_plays as plays
from tests.doubles import tds_server as tds
from tests.doubles.scripted_upstream import NotingBreaker
from tests.doubles.sql_server_plays import Play
from tests.doubles.tds_server import SqlServer, serving
from tests.real_parts import MSSQL_ODBC, required


@pytest.fixture(scope="module")
def driver() -> str:
    return required(MSSQL_ODBC)


def string(driver: str, server: SqlServer) -> str:
    return f"Driver={driver};SERVER=127.0.0.1,{server.port};UID=pat;PWD=s3cret;Encrypt=no"


def opened(driver: str, server: SqlServer) -> VistaConnection:
    return connect_factory(string(driver, server))()


def test_values_come_as_the_rows_say(driver: str) -> None:
    answer = (
        tds.columns(Employee=tds.INT, FirstName=tds.VARCHAR, HireDate=tds.SMALLDATETIME)
        + tds.row(tds.integer(1234), tds.varchar("Zoë  "), tds.smalldatetime(date(2025, 7, 2)))
        + tds.row(tds.integer(None), tds.varchar(None), tds.smalldatetime(None))
        + tds.done(tds.DONE_COUNT, 2)
    )
    with serving(plays.answering(answer)) as server:
        rows = list(opened(driver, server).rows("SELECT H.Employee, H.FirstName, H.HireDate FROM bPREH H"))
    hired = datetime(2025, 7, 2)  # noqa: DTZ001 - as pyodbc gives it
    assert [tuple(row) for row in rows] == [(1234, "Zoë  ", hired), (None, None, None)]


@pytest.mark.parametrize(
    ("play", "told"),
    [
        pytest.param(
            plays.begins_rows, "SQLSTATE 08S01, error 10054.*connection broke", id="cut in the rows"
        ),
        pytest.param(plays.stalls_in_rows, "HYT00.*no answer in time", id="silent in the rows"),
        pytest.param(plays.answering(), "HYT00.*no answer in time", id="silent from the start"),
        pytest.param(
            plays.answering(plays.SOME_ROWS + b"HTTP/1.1 400"), "HY000.*the database failed", id="no protocol"
        ),
        pytest.param(
            plays.answering(plays.SOME_ROWS + tds.error(1205, "Process 51 was deadlocked.", 13)),
            "SQLSTATE 40001, error 1205.*safe to try again",
            id="victim of a deadlock",
        ),
    ],
)
def test_a_statement_that_ends_badly_raises_and_is_no_short_read(driver: str, play: Play, told: str) -> None:
    with serving(play) as server:
        connection = opened(driver, server)
        with pytest.raises(DatabaseError, match=told) as caught:
            list(
                connection.rows("SELECT D.PRDept FROM bPRDP D", timeout_seconds=1 if "HYT00" in told else 20)
            )
        connection.close()
    assert "51" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_connection_that_broke_while_idle_is_replaced(driver: str) -> None:
    with serving(plays.one_answer) as server:
        pool = ConnectionPool(connect_factory(string(driver, server)), 1, FakeClock())
        for _ in range(2):
            with pool.connection() as connection:
                connection.ping()
        pool.close()
    assert len(server.logins) == 2


@pytest.mark.parametrize(
    ("number", "server_says", "told"),
    [
        (207, "Invalid column name 'udRegion'.", "column udRegion .*VISTA_REGION_COLUMN"),
        (208, "Invalid object name 'bPRDP'.", "table bPRDP .*DATABASE in VISTA_CONNECTION_STRING"),
        (229, "The SELECT permission was denied on the object 'bPRDP'", "SELECT permission on bPRDP"),
    ],
)
def test_what_a_query_lacks_is_named_and_is_no_outage(
    driver: str, number: int, server_says: str, told: str
) -> None:
    breaker = NotingBreaker()
    with serving(plays.answering(tds.error(number, server_says))) as server:
        pool = ConnectionPool(connect_factory(string(driver, server)), 1, FakeClock())
        with pytest.raises(StatementRefused, match=told):
            VistaClient(pool, 1, "udEmpTitle", "udRegion", breaker).departments()
        pool.close()
    assert breaker.verdicts == ["succeeded"]


def test_parameters_travel_beside_the_statement_and_a_date_as_a_date(driver: str) -> None:
    with serving(plays.answering(tds.error(208, "Invalid object name 'bPREH'."))) as server:
        with pytest.raises(DatabaseError):
            list(
                opened(driver, server).rows(
                    "SELECT 1 FROM bPREH H WHERE H.HireDate <= ?", (date(2025, 7, 1),)
                )
            )
        [(kind, content)] = server.requests
    assert kind == tds.RPC
    assert "@P1 date".encode("utf-16le") in content
    assert "H.HireDate <= @P1".encode("utf-16le") in content


def test_the_driver_holds_no_write_back(driver: str) -> None:
    """A connection declared read only is no guard: test_vista_sql.py is why nothing but SELECT is sent."""
    with serving(plays.answering(tds.done())) as server:
        with pytest.raises(DatabaseError):
            list(opened(driver, server).rows("DELETE FROM bPREH"))
        assert server.requests == [(tds.BATCH, server.requests[0][1])]
        assert server.requests[0][1].endswith("DELETE FROM bPREH".encode("utf-16le"))
