"""What the doctor says of Samsara: which key, which scope, and whether its answer is to be believed."""

from __future__ import annotations

import pytest

from shared.clients.samsara import SamsaraClient
from shared.doctor.samsara import DEEP
from tests.doubles.scripted_upstream import Step, Upstream
from tests.unit.doctor_rig import DoctorRig

VEHICLES = {
    "SAFETYAMP_VEHICLE_SITE_ID": "1",
    "SAFETYAMP_VEHICLE_ASSET_TYPE_ID": "2",
    "SAMSARA_API_KEY": "samsara-5ecret",
}


class Rig(DoctorRig):
    """An app whose Samsara answers from a script."""

    def __init__(self, *steps: Step, **settings: str) -> None:
        super().__init__(**{**VEHICLES, **settings})
        self.upstream = Upstream(*steps, name="samsara", attempts=1)
        self.put(samsara=SamsaraClient(self.upstream.pipeline))

    @property
    def asked(self) -> list[str]:
        return [path for _, path, _ in self.upstream.script.asked]


def page(*ids: str, date: str | None = None) -> Step:
    body = {
        "data": [{"id": number, "name": "5ecret"} for number in ids],
        "pagination": {"endCursor": "", "hasNextPage": False},
    }
    return 200, body, {"Date": date} if date else {}


def test_a_key_that_lists_vehicles_is_in_order_and_drivers_are_nobodys_need() -> None:
    rig = Rig(page("1", "2"))
    found = rig.look(DEEP)
    assert (found["samsara"].status, found["samsara"].seen) == ("ok", "Samsara vehicles: 2 listed")
    assert found["samsara"].latency_ms is not None
    assert set(found) == {"samsara", "samsara.permissions"}
    assert rig.asked == ["/fleet/vehicles"]


def test_drivers_are_listed_where_they_are_assigned() -> None:
    rig = Rig(page("1"), page("7", "8", "9"), VEHICLE_ASSIGN_DRIVER="true")
    found = rig.look(DEEP)
    assert (found["samsara.drivers"].status, found["samsara.drivers"].seen) == (
        "ok",
        "Samsara drivers: 3 listed",
    )
    assert rig.asked == ["/fleet/vehicles", "/fleet/drivers"]


@pytest.mark.parametrize(
    ("status", "seen", "advice"),
    [
        (401, "Samsara answered 401: the key is not accepted", "Copy SAMSARA_API_KEY again"),
        (
            403,
            "Samsara answered 403: the key lacks the scope Read Vehicles",
            "Give it the scope Read Vehicles",
        ),
    ],
)
def test_a_refused_key_says_whether_the_key_or_its_scope_is_wrong(
    status: int, seen: str, advice: str
) -> None:
    found = Rig((status, {"message": "5ecret"})).look(DEEP)["samsara"]
    assert (found.status, found.seen, found.advice) == ("failed", seen, advice)
    assert found.settings == ("SAMSARA_API_KEY",)


def test_a_key_without_the_scope_for_drivers_is_told_beside_the_vehicles_that_it_lists() -> None:
    found = Rig(page("1"), (403, {}), VEHICLE_ASSIGN_DRIVER="true").look(DEEP)
    assert found["samsara"].status == "ok"
    assert found["samsara.drivers"].status == "failed"
    assert found["samsara.drivers"].advice == "Give it the scope Read Drivers"


def test_a_key_that_sees_no_vehicle_is_not_believed() -> None:
    found = Rig(page()).look(DEEP)["samsara"]
    assert (found.status, found.seen) == ("failed", "Samsara vehicles: 0 listed")
    assert found.advice.startswith("Check the scopes and tags of SAMSARA_API_KEY")


def test_no_driver_at_all_is_believed() -> None:
    assert Rig(page("1"), page(), VEHICLE_ASSIGN_DRIVER="true").look(DEEP)["samsara.drivers"].status == "ok"


def test_without_vehicles_samsara_is_not_asked() -> None:
    off = dict.fromkeys(VEHICLES, "")
    rig = Rig(page("1"), **off)
    found = rig.only(DEEP)
    assert (found.status, found.settings) == ("skipped", ("SAFETYAMP_VEHICLE_SITE_ID",))
    assert rig.asked == []


@pytest.mark.parametrize(
    ("date", "status"),
    [
        ("Mon, 05 Jan 2026 12:00:20 GMT", "ok"),
        ("Mon, 05 Jan 2026 12:02:00 GMT", "warning"),
        ("Mon, 05 Jan 2026 11:00:00 GMT", "failed"),
        (None, None),
    ],
)
def test_its_clock_is_told_where_its_answers_have_a_date(date: str | None, status: str | None) -> None:
    found = Rig(page("1", date=date)).look(DEEP).get("samsara.clock")
    assert (found.status if found else None) == status


def test_samsara_away_is_a_failure_with_what_to_look_at() -> None:
    found = Rig((503, "5ecret")).only(DEEP)
    assert (found.check, found.status) == ("samsara", "failed")
    assert "503" in found.seen
    assert found.advice.startswith("Check SAMSARA_BASE_URL")
    assert found.settings == ("SAMSARA_API_KEY", "SAMSARA_BASE_URL")


def test_the_key_should_have_its_read_scopes_only() -> None:
    found = Rig(page("1")).look(DEEP)["samsara.permissions"]
    assert (found.status, found.advice) == ("skipped", "Give the key its Read scopes only")
