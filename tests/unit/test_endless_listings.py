"""Listings that have no end are given up; those of large companies, and those with empty pages, are not."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from local.fake_clock import FakeClock
from shared.clients import listings, safetyamp
from shared.clients.graph import GraphClient
from shared.clients.graph_tokens import GraphTokens
from shared.clients.http.pipeline import HttpPipeline
from shared.clients.http.transport import new_session
from shared.clients.listings import MOST_PAGES, MOST_RECORDS, PAGES_WITHOUT_NEWS, Pages
from shared.clients.safetyamp import PAGE_SIZE, SafetyAmpClient
from shared.clients.samsara import SamsaraClient
from shared.errors import IncompleteRead
from shared.resilience.retry import RetryPolicy
from tests.doubles.scripted_upstream import BASE_URL, NotingBreaker, NotingLimiter

LARGEST_COMPANY = 100_000
FUTILE = 3 * LARGEST_COMPANY // PAGE_SIZE
"""Nobody may read on for longer than three times the pages of the largest company."""

Page = Callable[[int], Any]


class Numbered(HTTPAdapter):
    """Answers each GET with `page(number of the call, from 1)`."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page
        self.pages = 0

    def send(self, request: requests.PreparedRequest, *_how: Any, **_named: Any) -> requests.Response:
        self.pages += 1
        assert self.pages <= FUTILE, "the listing does not end"
        body = io.BytesIO(json.dumps(self._page(self.pages)).encode())
        return self.build_response(request, HTTPResponse(body=body, status=200, preload_content=False))

    def pipeline(self, name: str) -> HttpPipeline:
        session = new_session()
        session.trust_env = False
        session.mount(BASE_URL, self)
        attempts = RetryPolicy(1, 1.0)
        return HttpPipeline(
            *(name, BASE_URL, dict, NotingLimiter(), NotingBreaker(), attempts, FakeClock(), lambda: session)
        )


def graph(page: Page) -> tuple[GraphClient, Numbered]:
    server = Numbered(page)
    tokens = GraphTokens("tenant", "client", "key", "https://login.test")
    return GraphClient(server.pipeline("graph"), tokens), server


def samsara(page: Page) -> tuple[SamsaraClient, Numbered]:
    server = Numbered(page)
    return SamsaraClient(server.pipeline("samsara")), server


def of_graph(ids: list[str], number: int, *, last: bool = False) -> dict[str, Any]:
    more = {} if last else {"@odata.nextLink": f"{BASE_URL}/users?$skiptoken={number}"}
    return {"value": [{"id": each} for each in ids], **more}


def of_samsara(ids: list[str], number: int, *, last: bool = False) -> dict[str, Any]:
    more = {"hasNextPage": not last, "endCursor": f"c{number}"}
    return {"data": [{"id": each} for each in ids], "pagination": more}


@pytest.mark.parametrize("ids", [[], ["a"]])
def test_links_that_always_change_and_bring_nothing_new_are_given_up(ids: list[str]) -> None:
    client, server = graph(lambda number: of_graph(ids, number))
    with pytest.raises(IncompleteRead, match="Graph users: 20 pages in a row brought nothing new"):
        client.list_users()
    assert server.pages <= PAGES_WITHOUT_NEWS + 1


@pytest.mark.parametrize("ids", [[], ["1"]])
@pytest.mark.parametrize("resource", ["vehicles", "drivers"])
def test_cursors_that_always_change_and_bring_nothing_new_are_given_up(ids: list[str], resource: str) -> None:
    client, server = samsara(lambda number: of_samsara(ids, number))
    read = client.list_vehicles if resource == "vehicles" else client.list_active_drivers
    with pytest.raises(IncompleteRead, match=f"Samsara {resource}: 20 pages in a row"):
        read()
    assert server.pages <= PAGES_WITHOUT_NEWS + 1


def test_links_that_go_round_in_a_large_circle_are_given_up() -> None:
    """The same hundred pages again and again, under links of their own."""
    client, server = graph(lambda number: of_graph([f"u{number % 100}"], number))
    with pytest.raises(IncompleteRead, match="nothing new"):
        client.list_users()
    assert server.pages == 100 + PAGES_WITHOUT_NEWS


def test_ids_of_safetyamp_that_are_always_new_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safetyamp, "MOST_PAGES", 50)
    server = Numbered(lambda n: {"data": [{"id": n}]})
    with pytest.raises(IncompleteRead, match="SafetyAmp users: 50 pages were read and still there are more"):
        SafetyAmpClient(server.pipeline("safetyamp")).list_all("users")
    assert server.pages == 50


def test_accounts_and_vehicles_that_are_always_new_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listings, "MOST_PAGES", 50)
    with pytest.raises(IncompleteRead, match="50 records came on 50 pages"):
        graph(lambda n: of_graph([f"u{n}"], n))[0].list_users()
    with pytest.raises(IncompleteRead, match="50 records came on 50 pages"):
        samsara(lambda n: of_samsara([f"{n}"], n))[0].list_vehicles()


def test_large_pages_of_ids_that_are_always_new_end_before_they_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listings, "MOST_RECORDS", 5_000)
    client, server = graph(lambda n: of_graph([f"{n}-{each}" for each in range(999)], n))
    with pytest.raises(IncompleteRead, match="5994 records came on 6 pages"):
        client.list_users()
    assert server.pages == 6


def test_a_listing_of_safetyamp_that_is_gone_on_with_ends_at_the_same_page() -> None:
    server = Numbered(lambda n: {"data": [{"id": n}]})
    client = SafetyAmpClient(server.pipeline("safetyamp"))
    pages = client.list_pages("users", start_page=MOST_PAGES - 2)
    assert [len(next(pages)), len(next(pages))] == [1, 1]
    with pytest.raises(IncompleteRead, match="SafetyAmp users"):
        next(pages)
    assert server.pages == 2


def test_the_bounds_leave_the_largest_company_room() -> None:
    """A hundred thousand users on SafetyAmp's pages of 25, with as many who have left; in the directory ten
    accounts for each, or pages that are as small as SafetyAmp's."""
    assert 2 * LARGEST_COMPANY // PAGE_SIZE <= MOST_PAGES <= FUTILE
    assert MOST_RECORDS >= 10 * LARGEST_COMPANY
    pages = Pages("Microsoft Graph users")
    for number in range(LARGEST_COMPANY // PAGE_SIZE):
        pages.add([{"id": f"{number}-{each}"} for each in range(PAGE_SIZE)])
        pages.expect_more()
    assert len(pages.records) == LARGEST_COMPANY


def test_some_empty_pages_in_a_row_are_not_the_end() -> None:
    first, quiet = 1, PAGES_WITHOUT_NEWS - 1

    def page(number: int) -> Any:
        if number == first:
            return of_graph(["a"], number)
        return of_graph([] if number <= first + quiet else ["b"], number, last=number > first + quiet)

    client, server = graph(page)
    reading = client.list_users()
    assert [user["id"] for user in reading.records] == ["a", "b"]
    assert (reading.receipt.pages, server.pages) == (quiet + 2, quiet + 2)


def test_an_empty_last_page_is_a_good_end_however_quiet_it_was_before() -> None:
    client, _ = samsara(lambda n: of_samsara([], n, last=n == PAGES_WITHOUT_NEWS))
    assert client.list_vehicles().records == []
