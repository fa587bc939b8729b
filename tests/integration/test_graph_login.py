"""MSAL itself against a login server over https: tokens kept and renewed, refusals and trouble told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.fake_clock import FakeClock
from local.simulators import login
from local.simulators.certificate import loopback_certificate
from local.simulators.graph import GraphSimulator
from local.simulators.listener import Listener
from shared.clients import graph_tokens
from shared.clients.graph import GraphClient
from shared.clients.graph_tokens import GraphTokens
from shared.clients.http.pipeline import HttpPipeline
from shared.clients.http.transport import new_session
from shared.clock import SystemClock
from shared.errors import AccessRefused, ConfigurationError, UpstreamUnavailable
from shared.resilience.rate_limiter import UnlimitedRateLimiter
from shared.resilience.retry import RetryPolicy
from tests.doubles.scripted_upstream import NotingBreaker
from tests.doubles.silent_server import silent_server

TENANT = "11111111-2222-4333-8444-555555555555"
CLIENT = "66666666-7777-4888-9999-aaaaaaaaaaaa"
KEY = "k3y~of.the-app"
DISCOVERY, TOKEN = "GET *", "POST *"


@dataclass
class Login:
    """Graph with its login server on one https port."""

    graph: GraphSimulator
    url: str

    def tokens(self, **other: str) -> GraphTokens:
        values = {"tenant": TENANT, "client_id": CLIENT, "secret": KEY, "authority": self.url, **other}
        return GraphTokens(values["tenant"], values["client_id"], values["secret"], values["authority"])

    def client(self) -> GraphClient:
        tokens, clock = self.tokens(), FakeClock()
        limiter = UnlimitedRateLimiter(clock, "graph")
        retries = RetryPolicy(1, 0.1)
        pipeline = HttpPipeline(
            *(
                "graph",
                f"{self.url}/v1.0",
                tokens.headers,
                limiter,
                NotingBreaker(),
                retries,
                clock,
                new_session,
            ),
            patience_seconds=1,
        )
        return GraphClient(pipeline, tokens)

    def asked(self, method: str) -> int:
        return sum(call.method == method for call in self.graph.calls)


@pytest.fixture
def entra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Login]:
    graph = GraphSimulator(SystemClock(), tenant=TENANT, client_id=CLIENT, client_key=KEY)
    tls, authority = loopback_certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    listener = Listener({"": graph}, tls=tls)
    listener.start()
    yield Login(graph, f"https://localhost:{listener.port}")
    listener.stop()


def unavailable(tokens: GraphTokens) -> str:
    """What is told when the login server is in trouble: to be tried again, and nothing has happened."""
    with pytest.raises(UpstreamUnavailable) as caught:
        tokens.token()
    text = str(caught.value)
    assert "MS_GRAPH_AUTHORITY" in text
    assert not caught.value.may_have_happened
    assert not any(private in text for private in (TENANT, CLIENT, KEY))
    return text


def test_one_login_serves_all_threads_until_the_token_is_renewed(entra: Login) -> None:
    tokens = entra.tokens()
    threads = [threading.Thread(target=tokens.token) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first = tokens.token()
    assert (entra.asked("GET"), entra.asked("POST")) == (1, 1)
    tokens.renew()
    assert tokens.token() != first
    assert (entra.asked("GET"), entra.asked("POST")) == (1, 2)


def test_a_token_that_is_about_to_expire_is_replaced(entra: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "LIFETIME_SECONDS", 200)
    tokens = entra.tokens()
    assert tokens.token() != tokens.token()


def test_a_revoked_token_is_replaced_in_the_middle_of_a_listing(entra: Login) -> None:
    entra.graph.replace_users([{"id": f"u{number}", "accountEnabled": True} for number in range(5)])
    client = entra.client()
    assert len(client.list_users().records) == 5
    entra.graph.login.revoke()
    assert len(client.list_users().records) == 5
    assert entra.graph.login.issued == 2


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"secret": "wr0ng~key"}, "AADSTS7000215.*MS_GRAPH_CLIENT_SECRET is wrong"),
        ({"client_id": "77777777-7777-4888-9999-aaaaaaaaaaaa"}, "AADSTS700016.*MS_GRAPH_CLIENT_ID"),
    ],
)
def test_a_refused_login_names_the_setting(entra: Login, other: dict[str, str], told: str) -> None:
    with pytest.raises(AccessRefused, match=told) as caught:
        entra.tokens(**other).token()
    text = f"{caught.value} {caught.value.response_text}"
    assert not any(private in text for private in (TENANT, CLIENT, KEY, *other.values()))


def test_an_expired_secret(entra: Login) -> None:
    entra.graph.login.expired_key = True
    with pytest.raises(AccessRefused, match=r"AADSTS7000222.*MS_GRAPH_CLIENT_SECRET has expired"):
        entra.tokens().token()


def test_a_secret_that_is_mended_at_the_server_works_without_a_restart(entra: Login) -> None:
    entra.graph.login.expired_key = True
    tokens = entra.tokens()
    with pytest.raises(AccessRefused):
        tokens.token()
    entra.graph.login.expired_key = False
    assert tokens.token()


def test_an_unknown_tenant(entra: Login) -> None:
    with pytest.raises(ConfigurationError, match=r"MS_GRAPH_TENANT_ID: .*MS_GRAPH_AUTHORITY") as caught:
        entra.tokens(tenant="unknown.example").token()
    assert "unknown.example" not in str(caught.value)


def test_a_missing_consent_gives_a_token_and_is_told_by_graph(entra: Login) -> None:
    entra.graph.forbidden = True
    with pytest.raises(
        AccessRefused, match=r"MS_GRAPH_CLIENT_ID: User\.Read\.All with admin consent"
    ) as caught:
        entra.client().list_users()
    assert caught.value.status_code == 403
    assert entra.graph.login.issued == 1


@pytest.mark.parametrize("match", [DISCOVERY, TOKEN])
@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 503, "body": "<html>", "headers": {"Retry-After": "3600"}},
        {"status": 429, "body": '{"error": "x"}', "headers": {"Retry-After": "3600"}},
        {"status": 200, "body": "[1]"},
        {"lose": "connection"},
    ],
    ids=str,
)
def test_a_login_server_in_trouble_is_not_slept_out_and_can_be_asked_again(
    entra: Login, match: str, fault: dict[str, Any]
) -> None:
    entra.graph.fail_next(99, match=match, **fault)
    unavailable(entra.tokens())
    entra.graph.heal()
    assert entra.tokens().token()


def test_a_discovery_page_without_its_addresses(entra: Login) -> None:
    entra.graph.fail_next(1, 200, "{}", match=DISCOVERY)
    unavailable(entra.tokens())


def test_a_token_answer_that_is_no_json(entra: Login) -> None:
    entra.graph.fail_next(1, 200, "<html>", match=TOKEN)
    assert "JSONDecodeError" in unavailable(entra.tokens())


def wrong(tokens: GraphTokens) -> dict[str, str]:
    """Setting and text of each problem, where trying again cannot help."""
    with pytest.raises(ConfigurationError) as caught:
        tokens.token()
    assert not any(private in str(caught.value) for private in (TENANT, CLIENT, KEY))
    return {problem.setting: problem.text for problem in caught.value.problems}


def test_a_login_server_that_is_absent(entra: Login) -> None:
    assert "ConnectionError" in unavailable(entra.tokens(authority="https://localhost:1"))


def test_a_login_server_whose_name_is_not_known(entra: Login) -> None:
    problems = wrong(entra.tokens(authority="https://no-such-host.invalid"))
    assert "the host no-such-host.invalid is not known here" in problems["MS_GRAPH_AUTHORITY"]


def test_a_name_that_was_known_at_the_last_login_is_an_outage(
    entra: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = entra.tokens()
    tokens.token()
    tokens.renew()
    graph_tokens_session_closed(tokens)
    monkeypatch.setattr(socket, "getaddrinfo", unknown_name)
    assert "ConnectionError" in unavailable(tokens)


def unknown_name(*_: Any, **__: Any) -> Any:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def graph_tokens_session_closed(tokens: GraphTokens) -> None:
    """So that the next login needs a connection, and with it the name."""
    application = tokens._application
    assert application is not None
    application.http_client.close()


def test_a_login_server_that_is_silent(entra: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_tokens, "LOGIN_TIMEOUT_SECONDS", 0.3)
    with silent_server() as port:
        assert "Timeout" in unavailable(entra.tokens(authority=f"https://localhost:{port}"))


def test_a_login_server_that_is_not_trusted(entra: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    problems = wrong(entra.tokens())
    assert "the certificate that localhost shows is not trusted here" in problems["REQUESTS_CA_BUNDLE"]
    assert "MS_GRAPH_AUTHORITY" in problems["REQUESTS_CA_BUNDLE"]
    assert entra.graph.calls == []
