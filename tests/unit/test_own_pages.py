"""Which requests the local host takes for its own: by Host, Origin and what browsers say of the page."""

from __future__ import annotations

import pytest
from werkzeug.test import Client

from tests.unit.test_http_host import KEY, client

HERE = "127.0.0.1:7071"
KEYED, WRITING, ANONYMOUS = "/runs/r1/step/2", "/echo", "/health"


def read(app: Client, path: str = KEYED, **headers: str) -> int:
    return app.get(path, headers=_headers(headers)).status_code


def write(app: Client, **headers: str) -> int:
    return app.post(WRITING, data=b"{}", headers=_headers(headers)).status_code


def _headers(given: dict[str, str]) -> dict[str, str]:
    named = {name.replace("_", "-"): value for name, value in given.items()}
    return {"Host": HERE, **named}


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:7071", "127.9.8.7:80", "localhost:7071", "LocalHost", "[::1]", "[::1]:7071"],
)
def test_without_a_key_this_machines_own_names_are_answered(host: str) -> None:
    assert (read(client(), Host=host), write(client(), Host=host)) == (200, 202)
    assert read(client(), ANONYMOUS, Host=host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "elsewhere.example",
        "elsewhere.example:7071",
        "localhost.elsewhere.example:7071",
        "127.0.0.1.elsewhere.example",
        "app.localhost:7071",
        "localhost.:7071",
        "0.0.0.0:7071",
        "[::]:7071",
        "192.168.1.5:7071",
        "169.254.169.254",
        "127.0.0.1:7071,elsewhere.example",
        "elsewhere.example@127.0.0.1:7071",
        "127.0.0.1:port",
        "127.0.0.1/",
        "[::1",
    ],
)
def test_without_a_key_any_other_host_is_refused_for_every_function(host: str) -> None:
    told = (read(client(), Host=host), write(client(), Host=host), read(client(), ANONYMOUS, Host=host))
    assert told == (403, 403, 403)


def test_a_request_that_names_no_host_is_refused() -> None:
    assert client().get(KEYED, headers={"Host": ""}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": f"http://{HERE}"},
        {"Origin": "http://LOCALHOST:7071", "Host": "localhost:7071"},
        {"Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "none"},
        {"Origin": f"http://{HERE}", "Sec_Fetch_Site": "same-origin"},
    ],
)
def test_the_hosts_own_pages_and_typed_addresses_may_read_and_write(headers: dict[str, str]) -> None:
    assert (read(client(), **headers), write(client(), **headers)) == (200, 202)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:8080"},
        {"Origin": "http://localhost:7071"},
        {"Origin": f"http://{HERE}.elsewhere.example"},
        {"Origin": f"http://elsewhere.example@{HERE}"},
        {"Origin": f"http://{HERE}, https://elsewhere.example"},
        {"Origin": "file://"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "Cross-Site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "something new"},
        {"Origin": f"http://{HERE}", "Sec_Fetch_Site": "cross-site"},
    ],
)
def test_pages_of_other_origins_may_neither_read_nor_write(headers: dict[str, str]) -> None:
    """Another port is another program's page: that it is of the same site is no reason to trust it."""
    assert (read(client(), **headers), write(client(), **headers)) == (403, 403)


def test_a_link_on_another_page_still_opens_what_needs_no_key() -> None:
    assert read(client(), ANONYMOUS, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate") == 200


def test_whoever_is_refused_is_told_what_to_do() -> None:
    assert "127.0.0.1, localhost and [::1]" in client().get(KEYED, headers={"Host": "elsewhere.example"}).text
    assert "Open /dashboard" in client().get(KEYED, headers={"Host": HERE, "Origin": "null"}).text


def test_with_a_key_any_host_and_proxy_may_be_before_it() -> None:
    app, key = client(KEY), {"x_functions_key": KEY}
    assert read(app, Host="safety.example.com", **key) == 200
    assert write(app, Host="inner:7071", Origin="https://safety.example.com", **key) == 202
    assert write(app, Sec_Fetch_Site="same-origin", **key) == 202


def test_with_a_key_no_page_of_another_site_writes_even_if_it_has_the_key() -> None:
    app, key = client(KEY), {"x_functions_key": KEY}
    assert write(app, Sec_Fetch_Site="cross-site", **key) == 403
    assert write(app, Sec_Fetch_Site="same-site", **key) == 403
    assert read(app, Sec_Fetch_Site="cross-site", **key) == 200, "a link that somebody kept"


def test_with_a_key_nobody_without_it_learns_more_than_that() -> None:
    assert write(client(KEY), Sec_Fetch_Site="cross-site", Host="elsewhere.example") == 401
