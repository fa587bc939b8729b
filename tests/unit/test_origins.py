"""Where a link leads, for whoever connects: the token goes to the base URL's scheme, host and port only."""

from __future__ import annotations

import pytest

from shared.clients.http.origins import Origin, origin_of
from shared.errors import APIError, IncompleteRead
from tests.doubles.scripted_upstream import Upstream
from tests.unit.test_graph_client import client, page

BASE = "https://graph.test/v1.0"

LEADS_HOME = [
    "https://graph.test/v1.0/users?$skiptoken=a",
    "https://graph.test:443/v1.0/users",
    "HTTPS://GRAPH.TEST/v1.0/users",
    "https://Graph.Test:443",
    "https://graph.test/v1.0/users?$filter=mail eq 'a@b.test'",
    "https://graph.test?next=https://evil.test/",
    "https://graph.test#@evil.test/",
    " https://graph.test/v1.0/users",
    "https://graph.test:0/",  # no port for who connects
]
LEADS_ASTRAY = [
    r"https://evil.test\@graph.test/",
    r"https://graph.test\@evil.test/",
    r"https://graph.test\.evil.test/",
    r"https:\\evil.test/",
    "https://graph.test@evil.test/",
    "https://someone@graph.test/",
    "https://someone:word@graph.test/",
    "https://:@graph.test/",
    "https://graph.test.evil.test/",
    "https://graph.test./",
    "https://evil.test/?https://graph.test/",
    "https://evil.test#https://graph.test/",
    "http://graph.test/",
    "http://graph.test:443/",
    "https://graph.test:8443/",
    "https://graph.test:80/",
    "https://graph.test:port/",
    "https://graph.test:443:443/",
    "//evil.test/v1.0/users",
    "//graph.test/v1.0/users",
    "/v1.0/users",
    "users",
    "?$skiptoken=a",
    "https:/graph.test/",
    "https:graph.test/",
    "https:///graph.test/",
    "https://",
    "",
    "https://graph.test\t.evil.test/",
    "https://evil.test\t@graph.test/",
    "https://graph.test\n/",
    "\thttps://graph.test/",
    "https://gra\rph.test/",
    "https://graph.test\x00/",
    "https://graph.test%2eevil.test/",
    "https://graph.test%00/",
    "https://[graph.test]/",
    "https://[::1/",
    "https://[::1]:443@graph.test/",
    "https://evil.test;@graph.test/",
    "https://evil.test&@graph.test/",
    "https://evil.test／@graph.test/",
    "https://graph.test／evil.test/",
    "https://graph.tést/",
    "ftp://graph.test/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "httpsx://graph.test/",
]


@pytest.mark.parametrize("link", LEADS_HOME)
def test_a_link_to_the_same_scheme_host_and_port_leads_home(link: str) -> None:
    assert Upstream((200, {}), base_url=BASE).pipeline.owns(link)


@pytest.mark.parametrize("link", LEADS_ASTRAY)
def test_no_other_link_gets_the_token(link: str) -> None:
    graph, upstream = client(page("a", link=link), page())
    assert not upstream.pipeline.owns(link)
    with pytest.raises(IncompleteRead, match="MS_GRAPH_BASE_URL"):
        graph.list_users()
    assert len(upstream.script.requests) == 1
    if not link.startswith("/"):
        with pytest.raises(APIError, match="leads elsewhere"):
            upstream.pipeline.request("GET", link)
        assert len(upstream.script.requests) == 1


def test_a_path_is_below_the_base_url_whatever_it_begins_with() -> None:
    upstream = Upstream((200, {}), base_url=BASE)
    upstream.pipeline.request("GET", "//evil.test/users")
    assert origin_of(upstream.script.requests[0].url or "") == origin_of(BASE)


@pytest.mark.parametrize(
    ("base", "link", "home"),
    [
        ("http://[::1]:8080", "http://[::1]:8080/users", True),
        ("http://[::1]:8080", "http://[::1]:8081/users", False),
        ("http://[::1]:8080", "http://[::2]:8080/users", False),
        ("http://[::1]", "http://[::1]:80/", True),
        ("https://[2001:DB8::1]/v1.0", "https://[2001:db8::1]/v1.0/users", True),
        ("http://localhost:8090/graph/v1.0", "http://localhost:8090/graph/v1.0/users?x=1", True),
        ("http://localhost:8090/graph/v1.0", "http://127.0.0.1:8090/graph/v1.0/users", False),
        ("https://GRAPH.test:443/v1.0", "https://graph.TEST/v1.0/users", True),
    ],
)
def test_addresses_and_ports_are_compared_as_they_are_connected_to(base: str, link: str, home: bool) -> None:
    assert Upstream((200, {}), base_url=base).pipeline.owns(link) is home


def test_an_origin_is_told_with_its_port() -> None:
    assert origin_of("https://Graph.Test/a") == Origin("https", "graph.test", 443)
    assert origin_of("http://[::1]/a") == Origin("http", "::1", 80)
