"""The simulation's ports do what those do that they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.chaos.ports import Session
from tests.chaos.world import World

URL = "https://safetyamp.test/api/users"


@pytest.fixture
def world() -> Iterator[World]:
    world = World(seed=1, kinds=(), company_changes=False, loaded=False)
    yield world
    world.close()


@pytest.mark.parametrize(
    ("method", "params", "body"),
    [
        ("GET", None, None),
        ("GET", {"page": 0, "limit": 25}, None),
        ("GET", {"$filter": "accountEnabled eq true", "$top": "999"}, None),
        ("POST", None, {"first_name": "Zoë", "roles": [1]}),
    ],
    ids=["plain", "page", "filter", "body"],
)
def test_a_request_is_prepared_as_requests_does(method: str, params: Any, body: Any) -> None:
    headers = {"Authorization": "Bearer x", "User-Agent": "SafetyAmp-Sync/1", "Accept": "application/json"}
    prepared = []
    for session in (Session(), requests.Session()):
        session.trust_env = False
        request = requests.Request(method, URL, params=params, json=body, headers=headers)
        prepared.append(session.prepare_request(request))
    ours, theirs = prepared
    assert (ours.method, ours.url, ours.body) == (theirs.method, theirs.url, theirs.body)
    assert dict(ours.headers) == dict(theirs.headers)


def test_all_processes_see_what_was_published_last(world: World) -> None:
    def titles() -> list[set[str | None]]:
        return [
            {row.title for row in process.runtime.vista.employees().records} for process in world.processes
        ]

    before = titles()
    world.company.own_employees()[0]["udEmpTitle"] = "Falconer"
    assert titles() == before
    world.publish_company()
    assert all("Falconer" in seen for seen in titles())
