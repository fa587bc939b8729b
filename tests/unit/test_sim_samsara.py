"""The Samsara simulator pages by cursor and answers as docs/contracts/samsara.md has it."""

from __future__ import annotations

from typing import Any

import pytest

from local.fake_clock import FakeClock
from local.simulators.exchange import Headers, SimRequest, SimResponse
from local.simulators.samsara import SamsaraSimulator


@pytest.fixture
def samsara() -> SamsaraSimulator:
    simulator = SamsaraSimulator(FakeClock(), key="key", calls_per_second=2)
    drivers = [
        {"id": "1", "driverActivationStatus": "active"},
        {"id": "2", "driverActivationStatus": "deactivated"},
        {"id": "3", "driverActivationStatus": "active"},
    ]
    simulator.replace_fleet([{"id": str(number), "vin": None} for number in range(5)], drivers)
    return simulator


def get(simulator: SamsaraSimulator, path: str, key: str = "key", **query: str) -> SimResponse:
    headers = Headers({"Authorization": f"Bearer {key}"})
    return simulator.handle(SimRequest("GET", path, query, headers))


def test_follows_cursors_to_the_end(samsara: SamsaraSimulator) -> None:
    first = get(samsara, "/fleet/vehicles", limit="3").json()
    assert first["pagination"]["hasNextPage"] is True
    last = get(samsara, "/fleet/vehicles", limit="3", after=first["pagination"]["endCursor"]).json()
    assert last["pagination"] == {"endCursor": "", "hasNextPage": False}
    assert [row["id"] for row in first["data"] + last["data"]] == ["0", "1", "2", "3", "4"]


def test_a_page_that_holds_exactly_the_rest_is_the_last(samsara: SamsaraSimulator) -> None:
    assert get(samsara, "/fleet/vehicles", limit="5").json()["pagination"]["hasNextPage"] is False


def test_leaves_out_fields_without_value(samsara: SamsaraSimulator) -> None:
    assert get(samsara, "/fleet/vehicles").json()["data"][0] == {"id": "0"}


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({}, ["1", "3"]),
        ({"driverActivationStatus": "active"}, ["1", "3"]),
        ({"driverActivationStatus": "deactivated"}, ["2"]),
    ],
)
def test_lists_active_drivers_unless_asked(
    samsara: SamsaraSimulator, query: dict[str, str], ids: list[str]
) -> None:
    assert [row["id"] for row in get(samsara, "/fleet/drivers", **query).json()["data"]] == ids


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/fleet/vehicles", {"limit": "513"}, 400),
        ("/fleet/vehicles", {"limit": "0"}, 400),
        ("/fleet/vehicles", {"after": "nonsense"}, 400),
        ("/fleet/drivers", {"driverActivationStatus": "all"}, 400),
        ("/fleet/nothing", {}, 404),
        ("/fleet/vehicles", {"key": "other"}, 401),
    ],
)
def test_refuses_with_a_message_and_a_request_id(
    samsara: SamsaraSimulator, path: str, query: dict[str, Any], status: int
) -> None:
    answer = get(samsara, path, **query)
    assert answer.status == status
    assert set(answer.json()) == {"message", "requestId"}


def test_more_than_the_limit_per_second_is_429_with_a_decimal_retry_after() -> None:
    clock = FakeClock()
    simulator = SamsaraSimulator(clock, key="key", calls_per_second=1)
    assert get(simulator, "/fleet/vehicles").status == 200
    clock.advance(0.75)
    answer = get(simulator, "/fleet/vehicles")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "0.25000")
    clock.advance(0.25)
    assert get(simulator, "/fleet/vehicles").status == 200
