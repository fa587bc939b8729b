"""Graph's client: all accounts through next links, and logins whose failures name the setting to mend."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from msal import ConfidentialClientApplication
from msal.exceptions import MsalServiceError

from shared.clients.graph import GraphClient
from shared.clients.graph_tokens import GraphTokens, graph_scope
from shared.errors import AccessRefused, APIError, ConfigurationError, IncompleteRead, UpstreamUnavailable
from tests.doubles.scripted_upstream import Step, Upstream

GRAPH = "https://graph.test/v1.0"
TENANT = "11111111-aaaa-bbbb-cccc-222222222222"
CLIENT = "33333333-AAAA-bbbb-cccc-444444444444"


class FakeLogin:
    """Stands in for MSAL's application: answers from a list (the last one again), with a token cache."""

    def __init__(self, *results: Any) -> None:
        self.results = list(results)
        self.built: list[dict[str, Any]] = []
        self.logins = 0
        self._cached: Any = None

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.built.append(options)
        return self

    def acquire_token_for_client(self, scopes: list[str]) -> Any:
        if self._cached is None:
            self.logins += 1
            time.sleep(0.001)  # lets other threads in
            result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
            if isinstance(result, Exception):
                raise result
            if "access_token" not in result:
                return result
            self._cached = result
        return self._cached

    def remove_tokens_for_client(self) -> None:
        self._cached = None


def login(*names: str) -> FakeLogin:
    return FakeLogin(*({"access_token": name, "expires_in": 3599} for name in names))


def tokens(build: Callable[..., Any], **options: Any) -> GraphTokens:
    return GraphTokens(TENANT, CLIENT, "s3cret", build=build, **options)


def client(*steps: Step, entra: FakeLogin | None = None) -> tuple[GraphClient, Upstream]:
    source = tokens(entra or login("t1"))
    upstream = Upstream(*steps, name="graph", base_url=GRAPH, headers=source.headers, attempts=1)
    return GraphClient(upstream.pipeline, source), upstream


def page(*ids: str, link: Any = None) -> Step:
    body: dict[str, Any] = {"value": [{"id": user_id} for user_id in ids]}
    return 200, body if link is None else {**body, "@odata.nextLink": link}


def test_all_accounts_come_through_the_next_links_as_they_stand() -> None:
    link = f"{GRAPH}/users?$select=id&$skiptoken=RFNwd%2BA"
    graph, upstream = client(page("a", link=link), page(link=f"{link}2"), page("a", "b"))
    reading = graph.list_users()
    assert [user["id"] for user in reading.records] == ["a", "b"]
    assert (reading.receipt.source, reading.receipt.pages) == ("Microsoft Graph users", 3)
    method, path, query = upstream.script.asked[0]
    assert (method, path) == ("GET", "/v1.0/users")
    assert query == {"$select": "id,employeeId,mail,accountEnabled", "$top": "999"}
    assert upstream.script.requests[1].url == link


def test_each_call_has_its_own_client_request_id() -> None:
    graph, upstream = client(page(link=f"{GRAPH}/users?x=1"), page())
    graph.list_users()
    assert len({request.headers["client-request-id"] for request in upstream.script.requests}) == 2


@pytest.mark.parametrize(
    "link", ["https://evil.test/v1.0/users", "http://graph.test/v1.0/users", "/v1.0/users", "", 5]
)
def test_a_next_link_to_another_host_gets_no_token(link: Any) -> None:
    graph, upstream = client(page("a", link=link), page())
    with pytest.raises(IncompleteRead, match="MS_GRAPH_BASE_URL"):
        graph.list_users()
    assert len(upstream.script.requests) == 1


def test_a_next_link_that_comes_again_ends_in_an_error() -> None:
    graph, _ = client(page("a", link=f"{GRAPH}/users?x=1"))
    with pytest.raises(IncompleteRead, match="twice"):
        graph.list_users()


@pytest.mark.parametrize("body", [[], {}, {"value": None}, {"value": [{"mail": "x"}]}])
def test_an_answer_that_is_no_page_ends_in_an_error(body: Any) -> None:
    graph, _ = client((200, body))
    with pytest.raises(IncompleteRead):
        graph.list_users()


def test_a_refused_token_is_replaced_once() -> None:
    graph, upstream = client((401, {"error": {}}), page("a"), entra=login("old", "new"))
    assert len(graph.list_users().records) == 1
    assert [r.headers["Authorization"] for r in upstream.script.requests] == ["Bearer old", "Bearer new"]


@pytest.mark.parametrize(("status", "calls"), [(401, 2), (403, 1)])
def test_a_refusal_that_a_new_token_does_not_mend_is_raised(status: int, calls: int) -> None:
    graph, upstream = client((status, {"error": {}}), entra=login("old", "new"))
    with pytest.raises(AccessRefused) as caught:
        graph.list_users()
    assert caught.value.status_code == status
    assert len(upstream.script.requests) == calls


@pytest.mark.parametrize(
    ("error", "description", "names"),
    [
        ("invalid_client", "AADSTS7000215: Invalid client secret for app", "MS_GRAPH_CLIENT_SECRET is wrong"),
        ("invalid_client", "AADSTS7000222: expired", "MS_GRAPH_CLIENT_SECRET has expired"),
        ("unauthorized_client", "AADSTS700016: Application not found", "MS_GRAPH_CLIENT_ID"),
        ("invalid_request", "AADSTS90002: Tenant not found", "MS_GRAPH_TENANT_ID"),
        ("invalid_request", "AADSTS53003: blocked", "AADSTS53003"),
        ("invalid_scope", None, "invalid_scope"),
    ],
)
def test_a_refused_login_names_the_setting_and_masks_ids(
    error: str, description: str | None, names: str
) -> None:
    text = f"{description} {TENANT.upper()} {CLIENT.lower()} s3cret" if description else None
    entra = FakeLogin({"error": error, "error_description": text})
    graph, upstream = client(page(), entra=entra)
    with pytest.raises(AccessRefused, match=names) as caught:
        graph.list_users()
    told = f"{caught.value} {caught.value.response_text}".lower()
    assert not any(private in told for private in (TENANT.lower(), CLIENT.lower(), "s3cret"))
    assert upstream.script.requests == []
    assert entra.logins == 1


@pytest.mark.parametrize(
    "trouble",
    [
        requests.ConnectionError(f"https://login/{TENANT}"),
        requests.ReadTimeout(),
        MsalServiceError("HTTP Error: 503", error=None, error_description=None),
        json.JSONDecodeError("not json", "<html>", 0),
        {"error": "temporarily_unavailable", "error_description": "AADSTS90033"},
    ],
)
def test_trouble_at_the_login_server_is_momentary(trouble: Any) -> None:
    with pytest.raises(UpstreamUnavailable) as caught:
        tokens(FakeLogin(trouble)).token()
    assert TENANT not in str(caught.value)
    assert not caught.value.may_have_happened


def test_an_unknown_tenant_is_a_wrong_setting() -> None:
    def build(*arguments: Any, **options: Any) -> Any:
        raise ValueError(f"OIDC Discovery failed on https://login/{TENANT}. HTTP status: 400")

    with pytest.raises(ConfigurationError, match="MS_GRAPH_TENANT_ID") as caught:
        tokens(build).token()
    assert TENANT not in str(caught.value)


def test_the_application_is_built_once_at_the_first_token() -> None:
    entra = login("t1")
    source = tokens(entra)
    source.renew()
    assert entra.built == []
    threads = [threading.Thread(target=source.headers) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(entra.built) == 1
    assert entra.logins == 1
    assert "s3cret" not in repr(source)


@pytest.mark.parametrize(
    ("authority", "discovery"),
    [
        ("https://login.microsoftonline.com", None),
        ("https://login.microsoftonline.us/", None),
        ("https://localhost:8443", False),
    ],
)
def test_instance_discovery_is_off_for_unknown_login_servers(authority: str, discovery: bool | None) -> None:
    entra = login("t1")
    tokens(entra, authority=authority).token()
    assert entra.built[0]["instance_discovery"] is discovery
    assert entra.built[0]["authority"] == f"{authority.rstrip('/')}/{TENANT}"


@pytest.mark.parametrize(
    ("base_url", "scope"),
    [
        ("https://graph.microsoft.com/v1.0", "https://graph.microsoft.com/.default"),
        ("https://graph.microsoft.us/v1.0", "https://graph.microsoft.us/.default"),
        ("http://127.0.0.1:7000/graph/v1.0", "https://graph.microsoft.com/.default"),
    ],
)
def test_the_scope_is_that_of_the_cloud(base_url: str, scope: str) -> None:
    assert graph_scope(base_url) == scope


class _LoginPages:
    """An `http_client` for the real MSAL, which serves the two pages of a login server."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []

    def get(self, url: str, **options: Any) -> requests.Response:
        self.asked.append((url, None))
        base = url.removesuffix("/v2.0/.well-known/openid-configuration")
        page = {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
        }
        return _response(200, page)

    def post(self, url: str, data: Any = None, **options: Any) -> requests.Response:
        self.asked.append((url, data))
        if data["client_secret"] != "right":
            return _response(401, {"error": "invalid_client", "error_description": "AADSTS7000215: no"})
        number = len(self.asked)
        return _response(200, {"access_token": f"t{number}", "expires_in": 3600, "token_type": "Bearer"})

    def close(self) -> None:
        pass


def _response(status: int, body: Any) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = json.dumps(body).encode()
    return response


def _real(pages: _LoginPages, secret: str) -> GraphTokens:
    def build(*arguments: Any, **options: Any) -> Any:
        return ConfidentialClientApplication(*arguments, **options, http_client=pages)

    return GraphTokens(TENANT, CLIENT, secret, "https://login.test", build=build)


def test_the_real_msal_keeps_a_token_until_it_is_renewed() -> None:
    pages = _LoginPages()
    source = _real(pages, "right")
    first = source.token()
    assert source.token() == first
    source.renew()
    assert source.token() != first
    posted = [data for _, data in pages.asked if data]
    assert len(posted) == 2
    assert "https://graph.microsoft.com/.default" in str(posted[0]["scope"])


def test_the_real_msals_refusal_is_understood() -> None:
    with pytest.raises(APIError, match=r"AADSTS7000215.*MS_GRAPH_CLIENT_SECRET"):
        _real(_LoginPages(), "wrong").token()


@pytest.mark.parametrize("odd", ["x", None, [], {"mail": "x"}, {"id": []}])
def test_one_account_without_an_id_costs_no_other(odd: Any) -> None:
    graph, _ = client((200, {"value": [{"id": "a"}, odd, {"id": "b"}]}))
    assert [user["id"] for user in graph.list_users().records] == ["a", "b"]
