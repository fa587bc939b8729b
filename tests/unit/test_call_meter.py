"""How calls are named in figures: never by a record."""

from __future__ import annotations

from collections import Counter

import pytest

from shared.clients.http.call_meter import (
    Meter,
    UpstreamCall,
    endpoint_of,
    folded,
)


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/api/users", "GET /api/users"),
        ("/api/users/17", "GET /api/users/{id}"),
        ("/api/site_clusters/osu7j", "GET /api/site_clusters/{id}"),
        ("/api/assets/a1b2c3d4-0000-4000-8000-00000000cafe", "GET /api/assets/{id}"),
        ("/v1.0/users", "GET /v1.0/users"),
        ("/v1.0/users/ann@example.com/mail", "GET /v1.0/users/{id}/mail"),
        ("/fleet/vehicles", "GET /fleet/vehicles"),
        ("/api/users/Ann", "GET /api/users/{id}"),
        ("/api/users/qbxyz", "GET /api/users/{id}"),
        ("/api/users/users", "GET /api/users/{id}"),
        ("/api/users/v1", "GET /api/users/{id}"),
        ("/api/users/qbxyz/roles", "GET /api/users/{id}/roles"),
        ("/safetyamp/api/users/roles", "GET /safetyamp/api/users/{id}"),
        ("/api/users/", "GET /api/users/"),
        ("/api/something_new/qbxyz", "GET /api/something_new/{id}"),
        ("/fleet/vehicles/abcdefg", "GET /fleet/vehicles/{id}"),
        ("/graph/v1.0/users/someone", "GET /graph/v1.0/users/{id}"),
        ("/api/users/%41nn", "GET /api/users/{id}"),
        ("/" + "x" * 50, "GET /{id}"),
        ("", "GET "),
    ],
)
def test_an_endpoint_has_no_ids(path: str, endpoint: str) -> None:
    assert endpoint_of("GET", path) == endpoint


@pytest.mark.parametrize(
    ("outcome", "status", "well"),
    [
        ("200", "2xx", True),
        ("204", "2xx", True),
        ("302", "3xx", True),
        ("422", "4xx", False),
        ("429", "429", False),
        ("503", "5xx", False),
        ("no answer", "no answer", False),
        ("ok", "ok", True),
        ("error", "error", False),
    ],
)
def test_a_call_counts_by_class_of_status_and_a_429_alone(outcome: str, status: str, well: bool) -> None:
    call = UpstreamCall("graph", "GET /v1.0/users", outcome)
    assert call.key == f"graph|GET /v1.0/users|{status}"
    assert call.went_well is well


def test_a_meter_counts_calls_and_nothing_else_with_them() -> None:
    meter = Meter()
    meter.count(UpstreamCall("vista", "titles", "ok"))
    assert meter == Meter(calls=Counter(vista=1), requests=Counter({"vista|titles|ok": 1}))


OLD = {
    "safetyamp|PATCH /api/users/qbxyz|2xx": 1,
    "safetyamp|PATCH /api/users/abcde|2xx": 2,
    "safetyamp|PATCH /api/users/{id}|2xx": 4,
    "safetyamp|PATCH /api/users/abcde|429": 1,
    "vista|titles|ok": 3,
    "what an editor left": 1,
}
NEW = {
    "safetyamp|PATCH /api/users/{id}|2xx": 7,
    "safetyamp|PATCH /api/users/{id}|429": 1,
    "vista|titles|ok": 3,
    "what an editor left": 1,
}


def test_counts_by_ids_of_letters_are_folded_and_no_call_is_lost() -> None:
    assert folded(OLD) == NEW
    assert folded(NEW) == NEW
    meter = Meter()
    meter.add({}, OLD, 0.0)
    assert meter.requests == NEW
