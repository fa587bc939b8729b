"""What the doctor says of SafetyAmp: what must exist there, what asking costs, and when it stops."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import requests

from local.simulators.adapter import SimulatorAdapter
from local.simulators.safetyamp import SafetyAmpSimulator
from local.simulators.safetyamp_seed import SafetyAmpSeed
from shared.clients.http.transport import new_session
from shared.clients.receipts import Reading
from shared.doctor import Finding
from shared.doctor.safetyamp import DEEP, MEND
from shared.sync.planning.lookups import role_ids
from tests.unit.doctor_rig import DoctorRig
from tests.unit.engine_rig import REQUIRED

BASE_URL = "https://safetyamp.test"
SEED = SafetyAmpSeed("Two Rivers", ("North", "South"))
SITE, TYPE = "5103", "3183"
"""Where that seed puts the fleet."""


class Rig(DoctorRig):
    """An app and its SafetyAmp; `seconds_ahead` is how far that one's clock is, None: it sends no date."""

    def __init__(self, *, vehicles: bool = False, **settings: str) -> None:
        self.seconds_ahead: float | None = None
        more = {"SAFETYAMP_BASE_URL": BASE_URL}
        if vehicles:
            more |= {
                "SAFETYAMP_VEHICLE_SITE_ID": SITE,
                "SAFETYAMP_VEHICLE_ASSET_TYPE_ID": TYPE,
                "SAMSARA_API_KEY": "samsara-5ecret",
            }
        super().__init__(**{**more, **settings})
        self.safetyamp = SafetyAmpSimulator(
            self.clock, key=REQUIRED["SAFETYAMP_TOKEN"], fqdn=REQUIRED["SAFETYAMP_FQDN"]
        )
        self.seeded = self.safetyamp.seed(SEED)

    def session(self) -> requests.Session:
        session = new_session()
        session.mount(BASE_URL, SimulatorAdapter(self.safetyamp))
        session.hooks["response"].append(self._add_date)
        return session

    def _add_date(self, response: requests.Response, **_: Any) -> None:
        if self.seconds_ahead is not None:
            theirs = self.clock.now() + timedelta(seconds=self.seconds_ahead)
            response.headers["Date"] = format_datetime(theirs, usegmt=True)

    @property
    def asked(self) -> list[str]:
        return [f"{call.method} {call.path.removeprefix('/api/')}" for call in self.safetyamp.calls]


@pytest.fixture
def rig() -> Rig:
    return Rig()


def in_order(found: Mapping[str, Finding]) -> set[str]:
    return {check for check, finding in found.items() if finding.status == "ok"}


def test_a_safetyamp_in_order_is_told_by_what_was_found() -> None:
    found = Rig(vehicles=True).look(DEEP)
    told = {check: finding.seen for check, finding in found.items()}
    assert told == {
        "safetyamp": "the token works; 3 site clusters",
        "safetyamp.root": "the root cluster is 'Two Rivers', with 2 clusters below it",
        "safetyamp.role": "new users get the role 'Field', which exists",
        "safetyamp.vehicles": "asset type 3183 exists and belongs to site 5103",
        "safetyamp.lists": "can be listed: sites, user_titles, users, assets",
        "safetyamp.permissions": "that the token may create and update cannot be seen without doing it",
    }
    assert in_order(found) == {*told} - {"safetyamp.permissions"}
    assert found["safetyamp"].latency_ms == 0


@pytest.mark.parametrize(("vehicles", "calls"), [(False, 6), (True, 9)])
def test_it_reads_only_and_keeps_to_its_calls(vehicles: bool, calls: int) -> None:
    rig = Rig(vehicles=vehicles)
    rig.findings(DEEP)
    assert {call.split()[0] for call in rig.asked} == {"GET"}
    assert len(rig.asked) == calls


def test_without_vehicles_neither_assets_nor_their_types_are_asked(rig: Rig) -> None:
    found = rig.look(DEEP)
    assert (found["safetyamp.vehicles"].status, found["safetyamp.vehicles"].seen) == (
        "skipped",
        "vehicles are off",
    )
    assert not {"GET assets", "GET asset_types"} & set(rig.asked)
    assert "assets" not in found["safetyamp.lists"].seen


def test_its_calls_may_use_what_is_kept_for_an_operator_who_waits() -> None:
    rig = Rig(API_RATE_LIMIT_CALLS="20", API_RATE_LIMIT_RESERVE="10")
    limiter = rig.runtime.safetyamp_limiter
    for _ in range(10):
        limiter.complete(limiter.acquire())
    assert "safetyamp.lists" in in_order(rig.look(DEEP))


def test_a_token_that_is_refused_is_named_and_nothing_more_is_asked() -> None:
    rig = Rig(SAFETYAMP_TOKEN="other-5ecret")
    found = rig.only(DEEP)
    assert (found.check, found.status) == ("safetyamp", "failed")
    assert "401" in found.seen
    assert "SAFETYAMP_TOKEN" in found.advice
    assert rig.asked == ["GET site_clusters"]


def test_a_full_window_is_told_as_what_could_not_be_looked_at_yet() -> None:
    rig = Rig(API_RATE_LIMIT_CALLS="2", API_RATE_LIMIT_RESERVE="0")
    limiter = rig.runtime.safetyamp_limiter
    for _ in range(2):
        limiter.complete(limiter.acquire(interactive=True))
    found = rig.only(DEEP)
    assert found.status == "warning"
    assert found.seen.startswith("not looked at: safetyamp has its window of calls full")
    assert found.advice.startswith("Ask again in ")
    assert rig.asked == []


@pytest.mark.parametrize(
    ("match", "before"),
    [
        ("GET /api/site_clusters", []),
        ("GET /api/roles", ["safetyamp", "safetyamp.root"]),
        ("GET /api/users", ["safetyamp", "safetyamp.root", "safetyamp.role", "safetyamp.vehicles"]),
    ],
)
def test_once_safetyamp_is_away_no_further_call_is_spent_and_what_was_seen_is_kept(
    match: str, before: list[str]
) -> None:
    rig = Rig(MAX_RETRY_ATTEMPTS="1")
    rig.safetyamp.fail_next(99, status=503, match=match)
    found = rig.findings(DEEP)
    assert [finding.check for finding in found] == [*before, "safetyamp"]
    assert found[-1].status == "failed"
    assert "503" in found[-1].seen
    assert rig.asked[-1] == match.replace("/api/", "")


@pytest.mark.parametrize(
    ("settings", "check", "told", "setting"),
    [
        (
            {"SAFETYAMP_ROOT_CLUSTER": "Elsewhere"},
            "safetyamp.root",
            "'Two Rivers'",
            "SAFETYAMP_ROOT_CLUSTER",
        ),
        (
            {"SAFETYAMP_DEFAULT_ROLE": "Astronaut"},
            "safetyamp.role",
            "SafetyAmp has no role 'Astronaut'; it has: Company Administrator, Field, Safety Representative,"
            " Supervisor",
            "SAFETYAMP_DEFAULT_ROLE",
        ),
        (
            {"SAFETYAMP_VEHICLE_SITE_ID": "9"},
            "safetyamp.vehicles",
            "asset type 3183 belongs to site 5103, but SAFETYAMP_VEHICLE_SITE_ID is 9",
            "SAFETYAMP_VEHICLE_ASSET_TYPE_ID",
        ),
        (
            {"SAFETYAMP_VEHICLE_ASSET_TYPE_ID": "9"},
            "safetyamp.vehicles",
            "SafetyAmp has no asset type 9",
            "SAFETYAMP_VEHICLE_ASSET_TYPE_ID",
        ),
    ],
)
def test_what_a_run_would_miss_is_named_with_its_setting_and_hides_no_other(
    settings: dict[str, str], check: str, told: str, setting: str
) -> None:
    found = Rig(vehicles=True, **settings).look(DEEP)
    assert [name for name, finding in found.items() if finding.status == "failed"] == [check]
    assert told in found[check].seen
    assert found[check].advice
    assert setting in found[check].settings
    assert found["safetyamp.lists"].status == "ok"


def test_what_is_missing_without_advice_of_its_own_is_to_be_made_or_the_setting_mended() -> None:
    found = Rig(SAFETYAMP_DEFAULT_ROLE="Astronaut").look(DEEP)["safetyamp.role"]
    assert found.advice == MEND


def test_a_tenant_without_any_role_says_so(rig: Rig) -> None:
    for role in list(rig.seeded.role_ids.values()):
        rig.safetyamp.remove("roles", role)
    assert "it has: none" in rig.look(DEEP)["safetyamp.role"].seen


@pytest.mark.parametrize("odd", [{"id": 99}, {"name": "Odd"}, {"id": None, "name": None}])
def test_a_role_without_name_or_id_costs_no_other(
    rig: Rig, odd: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = rig.runtime.safetyamp.list_all("roles")
    with_odd = Reading([odd, *listed.records], listed.receipt)
    monkeypatch.setattr(rig.runtime.safetyamp, "list_all", lambda _: with_odd)
    assert role_ids(rig.runtime, refresh=True) == rig.seeded.role_ids


def test_a_role_that_was_there_when_it_was_kept_and_is_gone_now_is_missed(rig: Rig) -> None:
    rig.look(DEEP)
    rig.safetyamp.edit("roles", rig.seeded.role_ids["Field"], name="Crew")
    assert rig.look(DEEP)["safetyamp.role"].status == "failed"


def test_an_asset_type_that_moved_to_another_site_since_it_was_kept_is_noticed() -> None:
    rig = Rig(vehicles=True)
    rig.look(DEEP)
    rig.safetyamp.edit("asset_types", int(TYPE), site_id=rig.seeded.office_ids["North"])
    assert "belongs to site 5101" in rig.look(DEEP)["safetyamp.vehicles"].seen


def test_each_listing_that_the_token_may_not_read_is_named_beside_those_that_it_may(rig: Rig) -> None:
    rig.safetyamp.fail_next(1, status=403, match="GET /api/sites")
    rig.safetyamp.fail_next(1, status=403, match="GET /api/users")
    found = [finding for finding in rig.findings(DEEP) if finding.check == "safetyamp.lists"]
    assert [(finding.status, finding.seen) for finding in found] == [
        ("failed", "sites may not be listed (403)"),
        ("failed", "users may not be listed (403)"),
        ("ok", "can be listed: user_titles"),
    ]
    assert found[0].advice == "Let the key of SAFETYAMP_TOKEN read sites"


def test_where_nothing_may_be_listed_nothing_is_in_order(rig: Rig) -> None:
    for resource in ("sites", "user_titles", "users"):
        rig.safetyamp.fail_next(1, status=403, match=f"GET /api/{resource}")
    found = [finding.status for finding in rig.findings(DEEP) if finding.check == "safetyamp.lists"]
    assert found == ["failed"] * 3


@pytest.mark.parametrize(
    ("seconds", "status"), [(0, "ok"), (31, "warning"), (-31, "warning"), (-300, "failed"), (None, None)]
)
def test_its_clock_is_told_where_its_answers_have_a_date(
    rig: Rig, seconds: float | None, status: str | None
) -> None:
    rig.seconds_ahead = seconds
    found = rig.look(DEEP).get("safetyamp.clock")
    assert (found.status if found else None) == status


def test_that_the_token_may_write_is_not_tried(rig: Rig) -> None:
    found = rig.look(DEEP)["safetyamp.permissions"]
    assert found.status == "skipped"
    assert found.advice
