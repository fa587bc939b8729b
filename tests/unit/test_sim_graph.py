"""The Graph simulator logs in like Entra ID and lists users like Microsoft Graph."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from local.fake_clock import FakeClock
from local.simulators.exchange import Headers, SimRequest, SimResponse
from local.simulators.graph import GraphSimulator

ROOT = "https://graph.example/root"
FORM = {
    "grant_type": "client_credentials",
    "client_id": "client",
    "client_secret": "good",
    "scope": "https://graph.microsoft.com/.default",
}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def graph(clock: FakeClock) -> GraphSimulator:
    simulator = GraphSimulator(clock, tenant="tenant", client_id="client", client_key="good")
    simulator.replace_users(
        {"id": str(number), "employeeId": f"10{number:03d}", "accountEnabled": number % 2 == 0, "mail": None}
        for number in range(250)
    )
    return simulator


def login(graph: GraphSimulator, tenant: str = "tenant", **changes: str) -> SimResponse:
    body = urlencode({**FORM, **changes}).encode()
    return graph.handle(SimRequest("POST", f"/{tenant}/oauth2/v2.0/token", {}, Headers(), body))


def users(graph: GraphSimulator, bearer: str | None = None, **query: str) -> SimResponse:
    bearer = bearer or login(graph).json()["access_token"]
    parameters = {f"${name}": value for name, value in query.items()}
    headers = Headers({"authorization": f"Bearer {bearer}"})
    return graph.handle(SimRequest("GET", "/v1.0/users", parameters, headers, root=ROOT))


@pytest.mark.parametrize(
    ("changes", "status", "error", "code"),
    [
        ({"client_secret": "bad"}, 401, "invalid_client", "AADSTS7000215"),
        ({"client_id": "other"}, 400, "unauthorized_client", "AADSTS700016"),
        ({"scope": "User.Read"}, 400, "invalid_scope", "AADSTS1002012"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", "AADSTS70003"),
        ({"tenant": "other"}, 400, "invalid_tenant", "AADSTS90002"),
    ],
)
def test_a_refused_login_carries_its_code(
    graph: GraphSimulator, changes: dict[str, Any], status: int, error: str, code: str
) -> None:
    answer = login(graph, **changes)
    assert (answer.status, answer.json()["error"]) == (status, error)
    assert answer.json()["error_description"].startswith(f"{code}:")


def test_an_expired_secret_has_its_own_code(graph: GraphSimulator) -> None:
    graph.login.expired_key = True
    assert login(graph).json()["error_description"].startswith("AADSTS7000222:")


def test_only_a_token_that_still_holds_opens_the_listing(graph: GraphSimulator, clock: FakeClock) -> None:
    bearer = login(graph).json()["access_token"]
    assert users(graph, bearer).status == 200
    assert users(graph, "other").json()["error"]["code"] == "InvalidAuthenticationToken"
    clock.advance(3600)
    assert users(graph, bearer).status == 401
    bearer = login(graph).json()["access_token"]
    graph.login.revoke()
    assert users(graph, bearer).status == 401


def test_a_missing_permission_is_403(graph: GraphSimulator) -> None:
    graph.forbidden = True
    answer = users(graph)
    assert (answer.status, answer.json()["error"]["code"]) == (403, "Authorization_RequestDenied")


def test_only_selected_fields_come_and_the_default_set_has_no_employee_id(graph: GraphSimulator) -> None:
    assert users(graph, select="id,employeeId").json()["value"][3] == {"id": "3", "employeeId": "10003"}
    default = users(graph).json()["value"][0]
    assert "mail" in default
    assert not {"employeeId", "accountEnabled"} & set(default)


def test_next_links_hold_the_called_host_and_the_parameters(graph: GraphSimulator) -> None:
    page = users(graph, select="id", top="100").json()
    seen = [user["id"] for user in page["value"]]
    bearer = login(graph).json()["access_token"]
    while "@odata.nextLink" in page:
        link = page["@odata.nextLink"]
        assert link.startswith(f"{ROOT}/v1.0/users?")
        request = SimRequest.of("GET", link, {"Authorization": f"Bearer {bearer}"}, prefix="/root")
        page = graph.handle(request).json()
        assert all(set(user) == {"id"} for user in page["value"])
        seen += [user["id"] for user in page["value"]]
    assert seen == [str(number) for number in range(250)]


def test_pages_hold_100_without_top(graph: GraphSimulator) -> None:
    assert len(users(graph).json()["value"]) == 100


@pytest.mark.parametrize(("wanted", "rest"), [("true", 0), ("false", 1)])
def test_filters_by_enabled_accounts(graph: GraphSimulator, wanted: str, rest: int) -> None:
    page = users(graph, select="id", filter=f"accountEnabled eq {wanted}", top="999").json()["value"]
    assert {int(user["id"]) % 2 for user in page} == {rest}
    assert len(page) == 125


@pytest.mark.parametrize(
    "query",
    [{"top": "1000"}, {"top": "0"}, {"skip": "5"}, {"select": "salary"}, {"filter": "mail ne null"}],
)
def test_malformed_queries_are_400(graph: GraphSimulator, query: dict[str, str]) -> None:
    assert users(graph, **query).status == 400
