"""`requests` can be answered by a simulator in this process."""

from __future__ import annotations

import pytest
import requests

from local.fake_clock import FakeClock
from local.simulators.adapter import SimulatorAdapter
from local.simulators.safetyamp_seed import SafetyAmpSeed
from local.simulators.tenant import KEYS, Tenant, build_tenant

TITLES = "https://api.example/tenant/api/user_titles"


@pytest.fixture
def tenant() -> Tenant:
    return build_tenant(FakeClock(), SafetyAmpSeed("Acme"), calls=None)


@pytest.fixture
def session(tenant: Tenant) -> requests.Session:
    session = requests.Session()
    session.mount("https://api.example/tenant", SimulatorAdapter(tenant.safetyamp, prefix="/tenant"))
    session.headers.update(
        {
            "Authorization": f"Bearer {KEYS.safetyamp_key}",
            "Fqdn": KEYS.safetyamp_fqdn,
            "Accept": "application/json",
            "User-Agent": "Acme-Sync/1.0",
        }
    )
    return session


def test_requests_reach_the_simulator_with_query_and_body(session: requests.Session) -> None:
    assert session.post(TITLES, json={"name": "Forgeron é"}).json()["data"]["name"] == "Forgeron é"
    answer = session.get(TITLES, params={"page": 1, "limit": 1}, stream=True)
    assert answer.json() == {"data": []}
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("lose", "error"), [("connection", requests.ConnectionError), ("timeout", requests.ReadTimeout)]
)
@pytest.mark.parametrize("written", [True, False])
def test_lost_answers_are_the_librarys_errors(
    tenant: Tenant,
    session: requests.Session,
    lose: str,
    error: type[requests.RequestException],
    written: bool,
) -> None:
    tenant.safetyamp.fail_next(lose=lose, after_write=written)  # type: ignore[arg-type]
    with pytest.raises(error):
        session.post(TITLES, json={"name": "Foreman"})
    assert len(tenant.safetyamp.snapshot()["user_titles"]) == int(written)
