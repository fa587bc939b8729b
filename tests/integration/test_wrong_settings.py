"""A wrong setting of an HTTP upstream is told from an outage: it ends at once, named, with what to do."""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from local.fake_clock import FakeClock
from shared.clients.http.pipeline import HttpPipeline
from shared.clients.http.transport import BASE_URL_SETTINGS, new_session
from shared.errors import ConfigurationError, SettingProblem, UpstreamUnavailable
from shared.resilience.retry import RetryPolicy
from tests.doubles.scripted_upstream import NotingBreaker, NotingLimiter
from tests.doubles.silent_server import silent_server
from tests.integration.test_answers_of_any_shape import answering, of

NO_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
NO_NAME_SERVER = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


class Caller:
    """A pipeline with three attempts, whose waits are noted."""

    def __init__(self, base_url: str, upstream: str = "safetyamp") -> None:
        self.clock = FakeClock()
        self.breaker = NotingBreaker()
        self.pipeline = HttpPipeline(
            upstream,
            base_url,
            lambda: {"Authorization": "Bearer not-a-real-one"},
            NotingLimiter(),
            self.breaker,
            RetryPolicy(3, 1.0),
            self.clock,
            new_session,
            read_timeout=0.5,
        )

    def wrong(self, method: str = "POST") -> SettingProblem:
        """The one problem with a setting, found at the first attempt."""
        with pytest.raises(ConfigurationError) as caught:
            self.pipeline.request(method, "/api/users")
        assert self.clock.sleeps == []
        assert self.breaker.verdicts == ["released"], "says nothing about the upstream"
        assert "not-a-real-one" not in str(caught.value)
        (problem,) = caught.value.problems
        return problem

    def away(self) -> UpstreamUnavailable:
        """The outage, after three attempts."""
        with pytest.raises(UpstreamUnavailable) as caught:
            self.pipeline.request("GET", "/api/users")
        assert len(self.clock.sleeps) == 2
        assert set(self.breaker.verdicts) == {"failed"}
        return caught.value


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No proxy and no bundle of the machine that the tests run on."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


def fail_look_ups(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def look_up(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.mark.parametrize("upstream", sorted(BASE_URL_SETTINGS))
def test_an_unknown_host_is_named_with_its_setting(no_proxy: pytest.MonkeyPatch, upstream: str) -> None:
    fail_look_ups(no_proxy, NO_NAME)
    problem = Caller("https://api.acme.test/v1.0", upstream).wrong()
    assert problem.setting == BASE_URL_SETTINGS[upstream]
    assert "the host api.acme.test is not known here: check its spelling" in problem.text


@pytest.mark.parametrize("host", ["a..b", "a" * 70 + ".test", "*.acme.test"])
def test_a_host_that_no_name_can_be_is_a_wrong_setting_too(no_proxy: pytest.MonkeyPatch, host: str) -> None:
    fail_look_ups(no_proxy, NO_NAME)
    assert Caller(f"https://{host}").wrong().setting == "SAFETYAMP_BASE_URL"


def test_a_name_server_that_is_away_is_an_outage(no_proxy: pytest.MonkeyPatch) -> None:
    fail_look_ups(no_proxy, NO_NAME_SERVER)
    assert not Caller("https://api.acme.test").away().may_have_happened


def test_a_name_that_was_known_before_is_an_outage(no_proxy: pytest.MonkeyPatch) -> None:
    with answering(of("200 OK", b"{}", b"Connection: close")) as (port, _):
        caller = Caller(f"http://localhost:{port}")
        caller.pipeline.request("GET", "/api/users")
        caller.breaker.verdicts.clear()
        fail_look_ups(no_proxy, NO_NAME)
        assert not caller.away().may_have_happened


@pytest.mark.usefixtures("no_proxy")
def test_a_server_that_is_absent_or_silent_is_an_outage() -> None:
    with answering(of("200 OK")) as (port, _):
        pass
    assert not Caller(f"http://127.0.0.1:{port}").away().may_have_happened
    with silent_server() as port:
        assert Caller(f"http://127.0.0.1:{port}").away().may_have_happened


def test_an_unknown_proxy_is_named_as_such(no_proxy: pytest.MonkeyPatch) -> None:
    no_proxy.setenv("HTTPS_PROXY", "http://proxy.acme.test:3128")
    fail_look_ups(no_proxy, NO_NAME)
    problem = Caller("https://api.acme.test").wrong()
    assert problem.setting == "HTTPS_PROXY"
    assert "the proxy's host is not known here" in problem.text


def test_nothing_has_happened_behind_a_proxy_that_refuses(no_proxy: pytest.MonkeyPatch) -> None:
    with answering(of("407 Proxy Authentication Required")) as (port, _):
        no_proxy.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        assert not Caller("https://api.acme.test").away().may_have_happened


@pytest.mark.parametrize(
    "proxy",
    [
        "http://127.0.0.1:abc",
        "http://127.0.0.1:99999",
        "ftp://127.0.0.1:1",
        "socks5://127.0.0.1:1",
        "http://a b:1",
        "http://[::1",
        "http://pat:s3cret@127.0.0.1:abc",
    ],
)
def test_a_proxy_that_can_be_none_is_named_as_such(no_proxy: pytest.MonkeyPatch, proxy: str) -> None:
    no_proxy.setenv("HTTPS_PROXY", proxy)
    problem = Caller("https://api.acme.test").wrong()
    assert problem.setting == "HTTPS_PROXY"
    assert "must be the URL of an HTTP proxy, such as http://HOST:3128" in problem.text
    assert "s3cret" not in str(problem)


@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:1"])
def test_an_address_that_can_be_none_is_named_whatever_the_proxy(
    no_proxy: pytest.MonkeyPatch, proxy: str | None
) -> None:
    if proxy is not None:
        no_proxy.setenv("HTTPS_PROXY", proxy)
    problem = Caller("https://api.acme.test:99999").wrong()
    assert problem.setting == "SAFETYAMP_BASE_URL"
    assert "is not the URL of an HTTP server" in problem.text


# -- certificates --------------------------------------------------------------------------------------


@contextlib.contextmanager
def serving_tls(authority: trustme.CA, *names: str, **options: Any) -> Iterator[int]:
    """The port of a server on localhost whose certificate is for these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **options).configure_cert(context)
    listener = context.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)

    def serve() -> None:
        while listener.fileno() >= 0:
            with contextlib.suppress(OSError):
                peer, _ = listener.accept()
                with peer:
                    peer.recv(65536)
                    peer.sendall(of("200 OK", b"{}")[0])

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.fixture
def authority(no_proxy: pytest.MonkeyPatch, tmp_path: Path) -> trustme.CA:
    """An authority that REQUESTS_CA_BUNDLE trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    no_proxy.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    return authority


def test_a_certificate_of_a_trusted_authority_is_taken(authority: trustme.CA) -> None:
    with serving_tls(authority, "localhost") as port:
        assert Caller(f"https://localhost:{port}").pipeline.request("GET", "/api/users") == {}


@pytest.mark.parametrize("upstream", sorted(BASE_URL_SETTINGS))
def test_a_foreign_certificate_names_the_host_and_the_bundle(authority: trustme.CA, upstream: str) -> None:
    with serving_tls(trustme.CA(), "localhost") as port:
        problem = Caller(f"https://localhost:{port}", upstream).wrong()
    assert authority is not None
    assert problem.setting == "REQUESTS_CA_BUNDLE"
    assert "the certificate that localhost shows is not trusted here" in problem.text
    assert BASE_URL_SETTINGS[upstream] in problem.text


def test_a_certificate_for_another_name_is_the_addresss_fault(authority: trustme.CA) -> None:
    with serving_tls(authority, "other.acme.test") as port:
        problem = Caller(f"https://localhost:{port}").wrong()
    assert problem.setting == "SAFETYAMP_BASE_URL"
    assert "the certificate that localhost shows is for another name" in problem.text
    assert "REQUESTS_CA_BUNDLE does not help" in problem.text


def test_a_certificate_that_has_run_out_is_told_as_that(authority: trustme.CA) -> None:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    with serving_tls(authority, "localhost", not_after=long_ago) as port:
        problem = Caller(f"https://localhost:{port}").wrong()
    assert (
        "the certificate that localhost shows is not valid today: check this machine's clock" in problem.text
    )


def test_a_server_without_tls_is_the_addresss_fault(authority: trustme.CA) -> None:
    assert authority is not None
    with answering(of("400 Bad Request", b"{}")) as (port, _):
        problem = Caller(f"https://localhost:{port}").wrong()
    assert problem.setting == "SAFETYAMP_BASE_URL"
    assert "what answers at localhost speaks no TLS" in problem.text


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nxx\n"])
def test_a_bundle_that_is_none_is_named(
    no_proxy: pytest.MonkeyPatch, tmp_path: Path, name: str, content: bytes | None
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_bytes(content)
    no_proxy.setenv(name, str(bundle))
    with serving_tls(trustme.CA(), "localhost") as port:
        problem = Caller(f"https://localhost:{port}").wrong()
    assert problem.setting == name
    assert "must be a file of certificates in PEM form" in problem.text


def test_a_bundle_that_may_not_be_read_is_named(no_proxy: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody is refused a file where the tests run as root."""

    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    bundle = tmp_path / "bundle.pem"
    bundle.write_text("")
    no_proxy.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with serving_tls(trustme.CA(), "localhost") as port:
        no_proxy.setattr(ssl.SSLContext, "load_verify_locations", denied)
        problem = Caller(f"https://localhost:{port}").wrong()
    assert problem.setting == "REQUESTS_CA_BUNDLE"
    assert "that can be read here" in problem.text
