"""Connection strings: the driver they name, the server, and what the driver would ignore."""

from __future__ import annotations

import pytest

from shared.clients.vista.connection_string import ignored_parts, server_address, with_driver
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
