"""SafetyAmp's client: complete listings, and records created and updated at the right path."""

from __future__ import annotations

from typing import Any

import pytest

from shared.clients.safetyamp import SafetyAmpClient, safetyamp_headers
from shared.errors import (
    ConfigurationError,
    IncompleteRead,
    InvalidRecord,
    NotFound,
    SafetyAmpError,
    UpstreamUnavailable,
)
from tests.doubles.scripted_upstream import Step, Upstream


def page(*ids: int | str) -> Step:
    return 200, {"data": [{"id": record_id} for record_id in ids]}


def client(*steps: Step) -> tuple[SafetyAmpClient, Upstream]:
    upstream = Upstream(*steps, attempts=1)
    return SafetyAmpClient(upstream.pipeline), upstream


FULL = page(*range(25))


@pytest.mark.parametrize(
    ("pages", "found", "calls"),
    [
        ([page()], 0, 1),
        ([page("a", "b"), page()], 2, 2),
        ([FULL, page(25), page(26), page()], 27, 4),  # a short page is not the end
        ([FULL, FULL, page(25), page()], 26, 4),  # page 0 and page 1 are the same
        ([FULL, FULL, page(25), page(25), page(26), page()], 27, 6),  # two repeats, but not in a row
        ([FULL, page(24, 25), page()], 26, 3),  # something was inserted meanwhile
        ([FULL, page(25), page(25), page(25)], 26, 4),  # the last page for all that follow
    ],
)
def test_a_listing_goes_to_its_end_and_drops_repeats(pages: list[Step], found: int, calls: int) -> None:
    safetyamp, upstream = client(*pages)
    reading = safetyamp.list_all("users")
    assert len({record["id"] for record in reading.records}) == len(reading.records) == found
    assert reading.receipt.records == found
    assert reading.receipt.source == "SafetyAmp users"
    assert [query for _, _, query in upstream.script.asked] == [
        {"page": str(number), "limit": "25"} for number in range(calls)
    ]


def test_a_listing_can_go_on_where_it_stopped() -> None:
    safetyamp, upstream = client(page(50), page(50), page(51), page())
    assert list(safetyamp.list_pages("sites", start_page=2)) == [[{"id": 50}], [], [{"id": 51}]]
    assert upstream.script.asked[0] == ("GET", "/api/sites", {"page": "2", "limit": "25"})


@pytest.mark.parametrize(
    "bad",
    [
        (200, {}),
        (200, []),
        (200, None),
        (200, {"data": None}),
        (200, {"data": {"id": 1}}),
        (200, {"data": [{"name": "x"}]}),
        (200, {"data": [{"id": None}]}),
        (200, {"data": [{"id": True}]}),
        (200, {"data": ["x"]}),
    ],
)
@pytest.mark.parametrize("resource", ["users", "site_clusters"])
def test_a_page_that_is_no_page_ends_in_an_error(bad: Step, resource: str) -> None:
    safetyamp, _ = client(*([bad] if resource == "site_clusters" else [FULL, bad]))
    with pytest.raises(IncompleteRead, match="SafetyAmp"):
        safetyamp.list_site_clusters() if resource == "site_clusters" else safetyamp.list_all("users")


@pytest.mark.parametrize("failure", [(500, {}), (404, {"message": "?"}), (400, {"message": "Bad Request"})])
def test_a_failed_page_is_never_a_short_list(failure: Step) -> None:
    safetyamp, _ = client(FULL, failure)
    with pytest.raises(SafetyAmpError):
        safetyamp.list_all("assets")


def cluster(record_id: int, *children: dict[str, Any]) -> dict[str, Any]:
    return {"id": record_id, "name": f"c{record_id}", "children": list(children)}


def test_the_cluster_tree_is_flattened_to_any_depth_and_without_repeats() -> None:
    chain = cluster(100, cluster(1))
    for record_id in range(99, 0, -1):
        chain = cluster(record_id, chain)
    safetyamp, upstream = client((200, {"data": [chain, cluster(1), {"id": 101, "children": None}]}))
    records = safetyamp.list_site_clusters().records
    assert sorted(record["id"] for record in records) == [*range(1, 102)]
    assert [record["id"] for record in records if record["id"] <= 100] == [*range(1, 101)]
    assert records[0] == {"id": 1, "name": "c1"}
    assert upstream.script.asked == [("GET", "/api/site_clusters", {})]


def test_a_created_record_is_returned_with_its_id() -> None:
    safetyamp, upstream = client((201, {"data": {"id": "x7k2p", "emp_id": "10027"}}))
    assert safetyamp.create("users", {"emp_id": "10027"})["id"] == "x7k2p"
    assert upstream.script.asked == [("POST", "/api/users", {})]
    assert upstream.script.sent() == {"emp_id": "10027"}


@pytest.mark.parametrize("body", [None, {}, {"data": None}, {"data": {}}, {"data": {"id": ""}}, {"data": []}])
def test_a_creation_without_an_id_may_have_happened(body: Any) -> None:
    safetyamp, _ = client((201, body))
    with pytest.raises(UpstreamUnavailable) as caught:
        safetyamp.create("sites", {"name": "x"})
    assert caught.value.may_have_happened


@pytest.mark.parametrize(
    ("resource", "target_id", "method", "path"),
    [
        ("users", "x7k2p", "PATCH", "/api/users/x7k2p"),
        ("users", "a/../b?c", "PATCH", "/api/users/a%2F..%2Fb%3Fc"),
        ("sites", 5145, "PUT", "/api/sites/5145"),
        ("site_clusters", 7, "PUT", "/api/site_clusters/7"),
        ("assets", 9, "PUT", "/api/assets/9"),
    ],
)
def test_an_update_goes_to_its_record(resource: str, target_id: int | str, method: str, path: str) -> None:
    safetyamp, upstream = client((200, {"data": {"id": target_id, "name": "n"}}))
    assert safetyamp.update(resource, target_id, {"name": "n"}) == {"id": target_id, "name": "n"}
    assert upstream.script.asked == [(method, path, {})]
    assert upstream.script.sent() == {"name": "n"}


def test_refused_records_and_lost_ones_are_told_apart() -> None:
    safetyamp, _ = client((422, {"errors": {"ext_id": ["taken"]}}), (404, {"message": "none"}))
    with pytest.raises(InvalidRecord) as caught:
        safetyamp.create("sites", {})
    assert caught.value.field_errors == {"ext_id": ["taken"]}
    with pytest.raises(NotFound):
        safetyamp.update("sites", 1, {})


def test_the_headers_are_those_that_the_vendor_asks_for() -> None:
    assert safetyamp_headers("acme.safetyamp.com", "t0ken", "1.0.0")() == {
        "Authorization": "Bearer t0ken",
        "Fqdn": "acme.safetyamp.com",
        "Accept": "application/json",
        "Content-Type": "application/json",
        "User-Agent": "acme-safetyamp-sync/1.0.0 (acme.safetyamp.com)",
    }
    with pytest.raises(ConfigurationError, match="SAFETYAMP_FQDN"):
        safetyamp_headers("acme.safetyamp.com\n", "t0ken", "1.0.0")


@pytest.mark.parametrize("odd", ["x", None, [], {"name": "x"}, {"id": None}, {"id": True}])
def test_one_record_without_an_id_costs_no_other(odd: Any) -> None:
    safetyamp, _ = client((200, {"data": [{"id": 1}, odd, {"id": 2}]}), page())
    assert safetyamp.list_all("users").records == [{"id": 1}, {"id": 2}]
