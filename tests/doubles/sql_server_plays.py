"""How the SQL Server of the driver's tests behaves: one function per way of answering, or of not doing so."""

from __future__ import annotations

from collections.abc import Callable

from tests.doubles import tds_server as tds
from tests.doubles.tds_server import Connection, SqlServer

Play = Callable[[Connection, SqlServer], None]

SOME_ROWS = tds.columns(PRDept=tds.VARCHAR) + tds.row(tds.varchar("07")) * 3


def silent(connection: Connection, server: SqlServer) -> None:
    """Takes the connection, no more."""
    server.requests.append(connection.receive())
    tds.wait(connection)


def silent_in_tls(connection: Connection, server: SqlServer) -> None:
    """Agrees to encrypt, then nothing."""
    server.requests.append(connection.receive())
    connection.send(tds.prelogin(tds.ENCRYPT_ON))
    tds.wait(connection)


def silent_after_login(connection: Connection, server: SqlServer) -> None:
    """Does not even answer what the driver asks by itself after a login."""
    tds.log_in(connection, server)
    tds.wait(connection)


def garbage(connection: Connection, server: SqlServer) -> None:
    """A web server."""
    connection.receive()
    connection.send_raw(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" * 4)


def hangs_up(connection: Connection, server: SqlServer) -> None:
    """Ends the connection at the first word."""
    connection.receive()


def login_answer(number: int, text: str) -> Play:
    """Refuses the login with an error of SQL Server."""
    return lambda connection, server: tds.log_in(connection, server, tds.error(number, text, severity=14))


def answering(*answers: bytes) -> Play:
    """Logs in, then answers each request with the next of `answers`; silent after the last."""

    def play(connection: Connection, server: SqlServer) -> None:
        tds.log_in(connection, server)
        left = list(answers)
        for _ in tds.requests(connection, server):
            if left:
                connection.send(left.pop(0))

    return play


def begins_rows(connection: Connection, server: SqlServer) -> None:
    """Sends three rows of an answer."""
    tds.log_in(connection, server)
    next(tds.requests(connection, server))
    connection.send(SOME_ROWS, complete=False)


def stalls_in_rows(connection: Connection, server: SqlServer) -> None:
    """As `begins_rows`, and keeps the connection."""
    begins_rows(connection, server)
    tds.wait(connection)


def one_answer(connection: Connection, server: SqlServer) -> None:
    """Answers a ping and ends the connection."""
    tds.log_in(connection, server)
    next(tds.requests(connection, server))
    connection.send(tds.columns(N=tds.INT) + tds.row(tds.integer(1)) + tds.done(tds.DONE_COUNT, 1))
