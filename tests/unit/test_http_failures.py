"""What a failed HTTP exchange means: a setting is wrong, or the upstream is away and may have acted."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest
import requests
from urllib3.exceptions import (
    LocationParseError,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)
from urllib3.exceptions import SSLError as PoolSSLError

from shared.clients.http.failures import (
    CA_BUNDLES,
    may_pass,
    never_connected,
    out_of_time,
    wrong_setting,
)
from shared.errors import SettingProblem

URL = "https://api.example.test/api/users?token=5ecret"
SETTING = "SAFETYAMP_BASE_URL"


def certificate(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    return error


def tls(reason: str, library: str = "SSL") -> ssl.SSLError:
    error = ssl.SSLError(1, f"[{library}: {reason}] 5ecret")
    error.reason = reason
    error.library = library
    return error


def unknown_name(number: int = socket.EAI_NONAME) -> socket.gaierror:
    return socket.gaierror(number, "Name or service not known")


def within(cause: BaseException) -> requests.ConnectionError:
    """As requests and urllib3 wrap it: in an argument, which has it as its reason."""
    pool: Any = None
    return requests.ConnectionError(MaxRetryError(pool, "/api/users?token=5ecret", PoolSSLError(cause)))


def new_connection(cause: BaseException) -> requests.ConnectionError:
    pool: Any = None
    failed = NewConnectionError(pool, "failed to establish")
    failed.__cause__ = cause
    return requests.ConnectionError(MaxRetryError(pool, "/", failed))


def problem(error: Exception) -> SettingProblem | None:
    found = wrong_setting(error, URL, SETTING)
    if found is None:
        return None
    (only,) = found.problems
    assert "5ecret" not in str(found)
    return only


def the_problem(error: Exception) -> SettingProblem:
    found = problem(error)
    assert found is not None
    return found


@pytest.fixture(autouse=True)
def _no_bundles(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CA_BUNDLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "error",
    [
        requests.exceptions.InvalidURL("no host"),
        LocationParseError("5ecret"),
        within(LocationParseError("5ecret")),
    ],
    ids=["requests", "urllib3", "within"],
)
def test_what_is_no_url_is_the_settings_fault(error: Exception) -> None:
    assert the_problem(error) == SettingProblem(SETTING, "is not the URL of an HTTP server")


def test_a_proxy_that_is_no_url_is_its_own_settings_fault() -> None:
    found = the_problem(requests.exceptions.InvalidProxyURL("5ecret"))
    assert found == SettingProblem("HTTPS_PROXY", "is not the URL of an HTTP server")


def test_a_host_without_an_address_is_named() -> None:
    found = the_problem(new_connection(unknown_name()))
    assert found == SettingProblem(
        SETTING,
        "the host api.example.test is not known here: check its spelling, and which name servers this machine"
        " asks",
    )


def test_a_name_server_that_does_not_answer_says_nothing_of_the_name() -> None:
    error = new_connection(unknown_name(socket.EAI_AGAIN))
    assert problem(error) is None
    assert not may_pass(error)
    assert never_connected(error)


def test_a_proxy_without_an_address_is_not_quoted() -> None:
    error = requests.exceptions.ProxyError(unknown_name())
    assert the_problem(error).setting == "HTTPS_PROXY"
    assert the_problem(error).text.startswith("the proxy's host is not known here")


@pytest.mark.parametrize("reason", ["WRONG_VERSION_NUMBER", "HTTP_REQUEST"])
def test_what_speaks_no_tls_is_told_with_its_host(reason: str) -> None:
    found = the_problem(within(tls(reason)))
    assert found == SettingProblem(
        SETTING, "what answers at api.example.test speaks no TLS: check the address, its https and its port"
    )


@pytest.mark.parametrize(
    ("code", "setting", "told"),
    [
        (62, SETTING, "the certificate that api.example.test shows is for another name"),
        (64, SETTING, "the certificate that api.example.test shows is for another name"),
        (9, SETTING, "is not valid today: check this machine's clock"),
        (10, SETTING, "is not valid today: check this machine's clock"),
        (18, "REQUESTS_CA_BUNDLE", "is not trusted here: where a proxy looks into connections"),
        (20, "REQUESTS_CA_BUNDLE", f"else check {SETTING}"),
    ],
)
def test_a_certificate_is_told_by_what_is_wrong_with_it_and_whether_a_bundle_helps(
    code: int, setting: str, told: str
) -> None:
    found = the_problem(within(certificate(code)))
    assert (found.setting, told in found.text) == (setting, True)
    assert ("REQUESTS_CA_BUNDLE does not help" in found.text) is (setting == SETTING)


@pytest.mark.parametrize(
    ("environment", "setting"),
    [
        ({}, "REQUESTS_CA_BUNDLE"),
        ({"REQUESTS_CA_BUNDLE": "a"}, "REQUESTS_CA_BUNDLE"),
        ({"CURL_CA_BUNDLE": "b"}, "CURL_CA_BUNDLE"),
        ({"REQUESTS_CA_BUNDLE": "a", "CURL_CA_BUNDLE": "b"}, "REQUESTS_CA_BUNDLE"),
    ],
    ids=["none", "requests", "curl", "both"],
)
@pytest.mark.parametrize(
    "error",
    [
        OSError("Could not find a suitable TLS CA certificate bundle, invalid path: 5ecret"),
        within(tls("NO_CERTIFICATE_OR_CRL_FOUND", "X509")),
        within(tls("NO_START_LINE", "PEM")),
        tls("WRONG_TAG", "ASN1"),
    ],
    ids=["missing", "X509", "PEM", "ASN1"],
)
def test_a_bundle_that_cannot_be_read_is_told_by_the_variable_that_names_it(
    error: Exception, environment: dict[str, str], setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    assert the_problem(error) == SettingProblem(
        setting, "must be a file of certificates in PEM form that can be read here"
    )


@pytest.mark.parametrize(
    "error",
    [
        OSError("no route to host"),
        TimeoutError("reading the certificate took too long"),
        requests.ConnectionError("the certificate is on its way"),
        requests.ReadTimeout("slow"),
        new_connection(ConnectionRefusedError(111, "refused")),
        within(tls("UNEXPECTED_EOF_WHILE_READING")),
        requests.ConnectionError(ProtocolError("aborted", ConnectionResetError(104, "reset"))),
        ValueError("odd"),
    ],
    ids=["route", "time", "words", "slow", "refused", "cut off", "reset", "odd"],
)
def test_an_upstream_that_is_away_is_no_settings_fault(error: Exception) -> None:
    assert problem(error) is None


# -- what may have happened ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "never"),
    [
        (requests.ConnectTimeout("slow"), True),
        (requests.exceptions.ProxyError("no"), True),
        (new_connection(ConnectionRefusedError(111, "refused")), True),
        (requests.ReadTimeout("slow"), False),
        (requests.ConnectionError(ProtocolError("aborted", ConnectionResetError(104, "reset"))), False),
        (within(tls("UNEXPECTED_EOF_WHILE_READING")), False),
    ],
    ids=["connecting", "proxy", "refused", "reading", "reset", "cut off"],
)
def test_only_without_a_connection_can_nothing_have_happened(error: Exception, never: bool) -> None:
    assert never_connected(error) is never


def read_timeout() -> ReadTimeoutError:
    pool: Any = None
    return ReadTimeoutError(pool, "/", "slow")


@pytest.mark.parametrize(
    ("error", "late"),
    [
        (requests.ReadTimeout("slow"), True),
        (requests.ConnectTimeout("slow"), True),
        (requests.ConnectionError(read_timeout()), True),
        (requests.ConnectionError("broken"), False),
        (ConnectionResetError(104, "reset"), False),
    ],
    ids=["reading", "connecting", "in the body", "broken", "reset"],
)
def test_too_late_is_what_did_not_come_in_time(error: Exception, late: bool) -> None:
    assert out_of_time(error) is late


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (new_connection(unknown_name()), True),
        (within(tls("WRONG_VERSION_NUMBER")), True),
        (within(certificate(10)), False),
        (new_connection(ConnectionRefusedError(111, "refused")), False),
    ],
    ids=["name", "no TLS", "certificate", "refused"],
)
def test_of_a_host_that_was_reached_before_name_and_port_are_not_wrong_now(
    error: Exception, passing: bool
) -> None:
    assert may_pass(error) is passing


def test_errors_that_hold_one_another_come_to_an_end() -> None:
    first, second = OSError("a"), OSError("b")
    first.__cause__, second.__cause__ = second, first
    assert problem(first) is None


def test_a_url_without_a_host_is_told_as_unknown() -> None:
    found = wrong_setting(within(tls("HTTP_REQUEST")), "nonsense", SETTING)
    assert found is not None
    assert "what answers at unknown speaks no TLS" in str(found)
