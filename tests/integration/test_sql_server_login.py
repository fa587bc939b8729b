"""Microsoft's ODBC Driver 18 against servers that are absent, silent or wrong, or refuse the login: what the
operator is told, and that no wait is without end."""

from __future__ import annotations

import contextlib
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from shared.clients.http import time_limit
from shared.clients.vista import connection
from shared.clients.vista.connection import connect_factory
from shared.clients.vista.errors import StatementRefused
from shared.errors import DatabaseError
from tests.doubles import sql_server_plays as plays
from tests.doubles import tds_server as tds
from tests.doubles.sql_server_plays import Play
from tests.doubles.tds_server import SqlServer, serving
from tests.real_parts import MSSQL_ODBC, required

CREDENTIALS = "UID=pat;PWD={s3cret;{x}}}"
PLAIN = "Encrypt=no"
LOGIN_FAILED = (18456, "Login failed for user 'pat'.")


@pytest.fixture(scope="module")
def driver() -> str:
    return required(MSSQL_ODBC)


@pytest.fixture
def _short_login(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second for the driver to log in, where the test is to see it run out of time."""
    monkeypatch.setattr(connection, "LOGIN_TIMEOUT_SECONDS", 1)


def address(server: SqlServer, host: str = "127.0.0.1") -> str:
    return f"{host},{server.port}"


def refusal(driver: str, server: str, *more: str, answered: bool = False, opening: float = 20) -> str:
    """What is told when opening fails; `answered`: the breaker shall not take it for an outage."""
    string = ";".join([f"Driver={driver}", f"SERVER={server}", "DATABASE=Viewpoint", CREDENTIALS, *more])
    return refused(string, answered=answered, opening=opening)


def refused(string: str, *, answered: bool, opening: float = 20) -> str:
    with pytest.raises(DatabaseError) as caught:
        connect_factory(string, opening)()
    text = str(caught.value)
    assert "VISTA_CONNECTION_STRING" in text
    assert not any(private in text for private in ("s3c", "{x}", "pat", "ret"))
    assert caught.value.__suppress_context__
    assert isinstance(caught.value, StatementRefused) is answered
    return text


@pytest.mark.usefixtures("_short_login")
def test_a_server_that_is_absent(driver: str) -> None:
    with serving(plays.silent) as server:
        pass
    text = refusal(driver, address(server))
    assert f"nothing listens on port {server.port}" in text
    assert "check SERVER" in text


@pytest.mark.parametrize("server", ["tcp:no-such-host.invalid,1433", r"no-such-host.invalid\VISTA"])
def test_a_host_whose_name_is_not_known(driver: str, server: str) -> None:
    text = refusal(driver, server, answered=True)
    assert "the name of its host is not known here: check SERVER" in text


@pytest.mark.usefixtures("_short_login")
def test_a_server_that_says_nothing_is_left_at_the_login_timeout(driver: str) -> None:
    with serving(plays.silent) as server:
        text = refusal(driver, address(server))
    assert "no login within 15 s" in text
    assert "takes connections, but nothing answers" in text


@pytest.mark.parametrize(
    ("play", "encryption"), [(plays.silent_in_tls, "Encrypt=yes"), (plays.silent_after_login, PLAIN)]
)
def test_a_server_that_falls_silent_where_the_driver_waits_for_ever(
    driver: str, play: Play, encryption: str
) -> None:
    with serving(play) as server:
        text = refusal(driver, address(server), encryption, opening=3)
    assert "fell silent before the login was through (waited 3 s)" in text


def test_a_silent_server_does_not_fill_the_process_with_waiting_threads(driver: str) -> None:
    with serving(plays.silent_in_tls) as server:
        string = f"Driver={driver};SERVER={address(server)};{CREDENTIALS};Encrypt=yes"
        connect = connect_factory(string, 0.1)
        for _ in range(2 * time_limit.MOST_LATE):
            with pytest.raises(DatabaseError, match="fell silent"):
                connect()
        assert len(server.requests) <= time_limit.MOST_LATE


def test_a_server_that_is_no_sql_server(driver: str) -> None:
    with serving(plays.garbage) as server:
        assert "what answers is no SQL Server: check SERVER" in refusal(driver, address(server))


def test_a_server_that_ends_the_connection(driver: str) -> None:
    with serving(plays.hangs_up) as server:
        assert "ended the connection during the login: check SERVER" in refusal(driver, address(server))


@pytest.mark.parametrize(
    ("number", "server_says", "told", "answered"),
    [
        (*LOGIN_FAILED, "check the login and password", True),
        (18452, "Login failed. The login is from an untrusted domain.", "check the login and password", True),
        (4060, 'Cannot open database "V" requested by the login of pat.', "check DATABASE", True),
        (18470, "Login failed for user 'pat'. Reason: The account is disabled.", "check the login", True),
        (18486, "Login failed for user 'pat' because the account is locked out.", "is locked out", True),
        (18483, "Could not connect because 'pat' is not defined as a remote login.", "check the login", True),
        (17892, "Logon failed for login 'pat' due to trigger execution.", "a logon trigger", True),
        (40532, 'Cannot open server "v" requested by the login of pat.', "check SERVER and UID", True),
        (40615, "Cannot open server 'v' requested by pat.", "firewall", True),
        (40914, "Cannot open server 'v' requested by pat.", "firewall", True),
        (47073, "Reason: the public network interface is not accessible.", "firewall", True),
        (978, "The target database is accessible with read only intent.", "ApplicationIntent=ReadOnly", True),
        (976, "The target database is currently not accessible for queries.", "a replica", False),
        (40613, "Database is not currently available.", "tried again", False),
        (916, "The server principal is not able to access the database.", "SELECT permission", True),
        (17809, "The maximum number of connections has been reached.", "no more connections", False),
    ],
)
def test_a_login_that_the_server_refuses(
    driver: str, number: int, server_says: str, told: str, answered: bool
) -> None:
    with serving(plays.login_answer(number, server_says)) as server:
        text = refusal(driver, address(server), PLAIN, answered=answered)
    assert told in text
    assert f"error {number}" in text


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ("SERVER=h;Encrypt=perhaps", "the value of Encrypt"),
        ("Data Source=h;Initial Catalog=V", "names no SERVER; parts 2, 3 are ignored"),
        ("SEVER=h", "names no SERVER; part 2 is ignored"),
    ],
)
def test_a_string_that_the_driver_does_not_take(driver: str, parts: str, told: str) -> None:
    assert told in refused(f"Driver={driver};{parts};{CREDENTIALS}", answered=True)


@pytest.mark.parametrize("server", ["127.0.0.1,abc", "np:127.0.0.1"])
def test_a_server_that_can_be_none_is_told_without_asking_the_driver(
    driver: str, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would look for one for as long as a login may take."""
    monkeypatch.setattr("pyodbc.connect", None)
    assert "is no host" in refusal(driver, server, answered=True)


def test_a_part_that_the_driver_ignores_is_told_when_the_login_fails(driver: str) -> None:
    """Here it is the rest of a password with a `;` in it."""
    with serving(plays.login_answer(*LOGIN_FAILED)) as server:
        text = refused(f"Driver={driver};SERVER={address(server)};{PLAIN};UID=pat;PWD=s3c;ret", answered=True)
    assert "check the login and password" in text
    assert "part 6 is ignored" in text


def test_a_driver_that_is_not_there(driver: str) -> None:
    for named in ("/no/such/driver.so", "{ODBC Driver 99 for SQL Server}"):
        assert "install the ODBC Driver 18" in refusal(named, "127.0.0.1,1", answered=True)


def test_the_newest_registered_driver_is_used_when_the_string_names_none(driver: str, tmp_path: Path) -> None:
    """In a process of its own, because the driver manager reads its files once."""
    (tmp_path / "odbcinst.ini").write_text(
        "[ODBC Driver 17 for SQL Server]\nDriver=/no/such/file.so\n"
        f"[ODBC Driver 18 for SQL Server]\nDriver={driver}\n"
        "[ODBC Driver 9 for SQL Server]\nDriver=/no/such/file.so\n"
    )
    code = "import sys; from shared.clients.vista.connection import connect_factory as c; c(sys.argv[1])()"
    with serving(plays.login_answer(*LOGIN_FAILED)) as server:
        string = f"SERVER={address(server)};{CREDENTIALS};{PLAIN}"
        ended = subprocess.run(
            [sys.executable, "-c", code, string],
            env={**os.environ, "ODBCSYSINI": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert "StatementRefused: Vista (SQLSTATE 28000, error 18456)" in ended.stderr
    assert "s3cret" not in ended.stderr


@pytest.mark.parametrize(("intent", "flag"), [("ReadOnly", tds.READ_ONLY_INTENT), ("ReadWrite", 0)])
def test_the_intent_of_the_string_reaches_the_server(driver: str, intent: str, flag: int) -> None:
    with serving(plays.answering()) as server:
        string = f"Driver={driver};SERVER={address(server)};{CREDENTIALS};{PLAIN}"
        connect_factory(f"{string};ApplicationIntent={intent}")().close()
    assert server.logins[0][tds.TYPE_FLAGS_AT] & tds.READ_ONLY_INTENT == flag


class Certificates:
    """Servers with certificates of an authority that this machine does not know."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA()
        self.file = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(self.file))

    def serving(self, name: str) -> contextlib.AbstractContextManager[SqlServer]:
        """A server whose certificate is for that name, and which refuses the login."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # TDS before version 8 wraps no newer handshake
        self._authority.issue_cert(name).configure_cert(context)
        answer = tds.error(*LOGIN_FAILED, severity=14)
        return serving(lambda connection, server: tds.log_in(connection, server, answer, context))


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


def test_a_certificate_that_is_not_trusted(driver: str, certificates: Certificates) -> None:
    with certificates.serving("localhost") as server:
        text = refusal(driver, address(server, "localhost"), answered=True)
        assert "certificate is not trusted" in text
        assert "TrustServerCertificate=yes" in text
        trusting = refusal(driver, address(server, "localhost"), "TrustServerCertificate=yes", answered=True)
    assert "error 18456" in trusting


def test_a_certificate_of_another_name(
    driver: str, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.file))
    with certificates.serving("sql.company.test") as server:
        text = refusal(driver, address(server), answered=True)
        assert "HostNameInCertificate=NAME" in text
        named = refusal(driver, address(server), "HostNameInCertificate=sql.company.test", answered=True)
    assert "error 18456" in named


def test_a_server_that_cannot_encrypt(driver: str) -> None:
    with serving(plays.answering()) as server:
        text = refusal(driver, address(server), answered=True)
    assert "cannot encrypt" in text
    assert "Encrypt=no" in text
