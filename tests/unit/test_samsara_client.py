"""Samsara's client: cursor paging that ends, or says why it cannot."""

from __future__ import annotations

from typing import Any

import pytest

from shared.clients.samsara import SamsaraClient, samsara_headers
from shared.errors import AccessRefused, ConfigurationError, IncompleteRead, SafetyAmpError
from tests.doubles.scripted_upstream import Step, Upstream


def page(*ids: str, after: str | None = None) -> Step:
    pagination = {"endCursor": after or "", "hasNextPage": after is not None}
    return 200, {"data": [{"id": record_id} for record_id in ids], "pagination": pagination}


def client(*steps: Step) -> tuple[SamsaraClient, Upstream]:
    upstream = Upstream(*steps, name="samsara", attempts=1)
    return SamsaraClient(upstream.pipeline), upstream


def test_a_fleet_below_the_page_size_is_one_call() -> None:
    samsara, upstream = client(page("1", "2"))
    reading = samsara.list_vehicles()
    assert [vehicle["id"] for vehicle in reading.records] == ["1", "2"]
    assert (reading.receipt.source, reading.receipt.pages) == ("Samsara vehicles", 1)
    assert upstream.script.asked == [("GET", "/fleet/vehicles", {"limit": "512"})]


def test_all_pages_are_followed_with_the_same_parameters_even_past_an_empty_one() -> None:
    samsara, upstream = client(page("1", after="c1"), page(after="c2"), page("1", "3"))
    reading = samsara.list_active_drivers()
    assert [driver["id"] for driver in reading.records] == ["1", "3"]
    assert reading.receipt.pages == 3
    fixed = {"limit": "512", "driverActivationStatus": "active"}
    assert upstream.script.asked == [
        ("GET", "/fleet/drivers", fixed),
        ("GET", "/fleet/drivers", {**fixed, "after": "c1"}),
        ("GET", "/fleet/drivers", {**fixed, "after": "c2"}),
    ]


@pytest.mark.parametrize(
    "pages",
    [
        [page("1", after="c1"), page("2", after="c1")],
        [page("1", after="c1"), page("2", after="c2"), page("3", after="c1")],
    ],
)
def test_a_cursor_that_comes_again_ends_in_an_error(pages: list[Step]) -> None:
    samsara, upstream = client(*pages)
    with pytest.raises(IncompleteRead, match="same cursor"):
        samsara.list_vehicles()
    assert len(upstream.script.requests) == len(pages)


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"data": []},
        {"data": [], "pagination": None},
        {"data": [], "pagination": {}},
        {"data": [], "pagination": {"hasNextPage": True}},
        {"data": [], "pagination": {"hasNextPage": True, "endCursor": ""}},
        {"data": [], "pagination": {"hasNextPage": "no", "endCursor": "c"}},
        {"data": [{"name": "x"}], "pagination": {"hasNextPage": False}},
    ],
)
def test_an_answer_that_is_no_page_ends_in_an_error(body: Any) -> None:
    samsara, _ = client((200, body))
    with pytest.raises(IncompleteRead):
        samsara.list_vehicles()


def test_a_failed_page_is_never_a_short_list() -> None:
    samsara, _ = client(page("1", after="c1"), (502, b"<html>"))
    with pytest.raises(SafetyAmpError):
        samsara.list_vehicles()
    refused, _ = client((401, {"message": "invalid", "requestId": "r"}))
    with pytest.raises(AccessRefused, match="Samsara answered 401 to GET /fleet/vehicles"):
        refused.list_vehicles()


def test_a_key_that_no_header_can_carry_is_a_wrong_setting() -> None:
    assert samsara_headers("k3y")()["Authorization"] == "Bearer k3y"
    with pytest.raises(ConfigurationError, match="SAMSARA_API_KEY"):
        samsara_headers("")


@pytest.mark.parametrize(
    "odd", [{"name": "x"}, "x", None, 5, [], {"id": None}, {"id": ["1"]}, {"id": ""}, {"id": True}]
)
def test_one_record_without_an_id_costs_no_other_and_keeps_its_place(odd: Any) -> None:
    body = {"data": [{"id": "1"}, odd, {"id": "2"}], "pagination": {"hasNextPage": False}}
    samsara, _ = client((200, body))
    reading = samsara.list_vehicles()
    assert reading.records == [{"id": "1"}, {}, {"id": "2"}]
    assert reading.receipt.records == 3
