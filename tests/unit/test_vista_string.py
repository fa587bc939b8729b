"""Connection strings: the driver they name, the server, and what the driver would ignore."""

from __future__ import annotations

import pytest

from shared.clients.vista.connection_string import (
    check_server,
    ignored_parts,
    server_address,
    with_driver,
)
from shared.clients.vista.errors import StatementRefused
from shared.errors import DatabaseError


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("SERVER=tcp:h,1433;DATABASE=V", "{ODBC Driver 18 for SQL Server}"),
        ("SERVER=h;PWD={a;driver=b}", "{ODBC Driver 18 for SQL Server}"),
        ("SERVER=h;PWD={a}};driver=b}", "{ODBC Driver 18 for SQL Server}"),
        ("Driver={FreeTDS};SERVER=h", None),
        ("SERVER=h; DRIVER = {ODBC Driver 17 for SQL Server}", None),
        ("DSN=vista;UID=u", None),
    ],
)
def test_the_newest_driver_is_added_when_none_is_named(given: str, driver: str | None) -> None:
    installed = ["ODBC Driver 9 for SQL Server", "ODBC Driver 18 for SQL Server", "FreeTDS", "SQLite3"]
    assert with_driver(given, installed) == (f"DRIVER={driver};{given}" if driver else given)


def test_no_driver_at_all_says_what_to_install() -> None:
    with pytest.raises(DatabaseError, match="install the ODBC Driver 18"):
        with_driver("SERVER=h", ["FreeTDS"])


@pytest.mark.parametrize(
    ("given", "ignored"),
    [
        ("SERVER=h;DATABASE=V;UID=u;PWD={a;b={c}}d};ApplicationIntent=ReadOnly;", ""),
        (" server = h ; Mars_Connection=no;;", ""),
        ("SERVER=h;Connection Timeout=5;UID=u", "part 2 is ignored"),
        ("SERVER=h;UID=u;PWD=a;b=c;d", "parts 4, 5 are ignored"),
        ("Driver={ODBC Driver 18 for SQL Server};SEVER=h", "part 2 is ignored"),
        ("Driver=/opt/libmsodbcsql-18.so;Login Timeout=3", "part 2 is ignored"),
        ("Driver={FreeTDS};SERVER=h;TDS_Version=7.4", ""),
        ("DSN=vista;Whatever=1", ""),
    ],
)
def test_parts_that_the_driver_does_not_know_are_told_by_number(given: str, ignored: str) -> None:
    told = ignored_parts(given)
    assert told.startswith(f"; {ignored}") if ignored else told == ""


def test_a_piece_of_a_password_is_not_told() -> None:
    assert "hunter" not in ignored_parts("SERVER=h;PWD=s3cret;hunter2;hunter3=x")


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("SERVER=tcp:sql.corp.test,1444;UID=u", ("sql.corp.test", 1444)),
        ("Driver={ODBC Driver 18 for SQL Server};Server={sql.corp.test}", ("sql.corp.test", 1433)),
        ("Address=10.1.2.3 , 1500", ("10.1.2.3", 1500)),
        ("SERVER=sql\\VISTA,1500", ("sql", 1500)),
        ("SERVER=(local)", ("localhost", 1433)),
        ("SERVER=.", ("localhost", 1433)),
        ("SERVER=::1,1433", ("::1", 1433)),
        ("SERVER=sql\\VISTA", None),
        ("SERVER=np:\\\\sql\\pipe\\sql\\query", None),
        ("DSN=vista", None),
        ("PWD={SERVER=other};UID=u", None),
    ],
)
def test_where_the_server_listens(given: str, address: tuple[str, int] | None) -> None:
    assert server_address(given) == address


LEGAL = """
    sql sql.corp.test sql_1 tcp:sql tcp:sql,1433 sql\\VISTA sql\\VISTA,1500 . (local) (local)\\VISTA .\\VISTA
    localhost 10.1.2.3 10.1.2.3,1 10.1.2.3,65535 ::1 ::1,1433 [::1],1433 fe80::1%eth0 TCP:SQL s\u00f6ql
"""


@pytest.mark.parametrize("server", [*LEGAL.split(), "sql , 1433", "sql,", "{sql}"])
def test_a_server_that_can_be_one_is_left_to_the_driver(server: str) -> None:
    check_server(f"UID=u;SERVER={server}")
    check_server(f"Driver={{ODBC Driver 18 for SQL Server}};Addr={server};UID=u")


@pytest.mark.parametrize(
    "server",
    [
        *("", " ", ",1433", "sql,abc", "sql,0", "sql,65536", "sql,99999", "sql:1433", "sql,1433,1"),
        *("https://sql", "a b", "np:sql", "lpc:sql", "admin:sql", r"np:\\sql\pipe\sql\query"),
    ],
)
def test_a_server_that_can_be_none_is_refused_by_name(server: str) -> None:
    with pytest.raises(StatementRefused) as caught:
        check_server(f"SERVER={server};UID=u;PWD=s3cret")
    assert "SERVER in VISTA_CONNECTION_STRING" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "given", ["Driver={FreeTDS};SERVER=a b", "DSN=vista;SERVER=a b", "UID=u", "PWD={SERVER=a b};SERVER=sql"]
)
def test_what_another_driver_takes_or_nobody_named_is_left_alone(given: str) -> None:
    check_server(given)
