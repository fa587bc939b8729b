"""Faults in words: what calls meet, and sentences for what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.main import main
from local.fake_clock import FakeClock
from local.simulators.exchange import AnswerLost, Headers, SimRequest, SimResponse
from local.simulators.fault_text import ALWAYS, EXAMPLE, BadFault, fault_of
from local.simulators.inspection import Inspection
from local.simulators.safetyamp_seed import SafetyAmpSeed
from local.simulators.tenant import KEYS, Tenant, build_tenant

SENT = {
    "Authorization": f"Bearer {KEYS.safetyamp_key}",
    "Fqdn": KEYS.safetyamp_fqdn,
    "User-Agent": "Acme-Sync/1.0",
    "Accept": "application/json",
    "Content-Type": "application/json",
}
TITLE = json.dumps({"name": "Foreman"}).encode()


@pytest.fixture
def tenant() -> Tenant:
    return build_tenant(FakeClock(), SafetyAmpSeed("Acme"), calls=None)


def call(tenant: Tenant, method: str = "POST", body: bytes = TITLE) -> SimResponse:
    return tenant.safetyamp.handle(SimRequest(method, "/api/user_titles", {}, Headers(SENT), body))


def titles(tenant: Tenant) -> int:
    return len(tenant.safetyamp.records("user_titles"))


@pytest.mark.parametrize(
    ("text", "status", "there"),
    [
        ("POST /api/user_titles 503", 503, 0),
        ("safetyamp * * 429", 429, 0),
        ("POST /api/* 500 after-write", 500, 1),
        ("POST * 422 field=name", 422, 0),
    ],
)
def test_the_next_call_that_fits_meets_the_fault_and_the_one_after_it_does_not(
    text: str, status: int, there: int, tenant: Tenant
) -> None:
    tenant.plan(*fault_of(text))
    assert call(tenant, "GET").status == (429 if "* *" in text else 200)
    if "* *" not in text:
        assert call(tenant).status == status
    assert titles(tenant) == there
    assert call(tenant).status == 201


def test_a_lost_answer_breaks_the_connection_when_the_call_was_carried_out(tenant: Tenant) -> None:
    tenant.plan(*fault_of("POST /api/user_titles lost x2 after-write"))
    for made in (1, 2):
        with pytest.raises(AnswerLost):
            call(tenant)
        assert titles(tenant) == made


def test_a_refused_field_is_named_and_a_wait_is_told(tenant: Tenant) -> None:
    tenant.plan(*fault_of("POST * 422 field=mobile_phone"))
    assert call(tenant).json()["errors"].keys() == {"mobile_phone"}
    tenant.plan(*fault_of("POST * 429 retry-after=30"))
    assert call(tenant).headers["Retry-After"] == "30"


def test_for_ever_is_ended_by_hand(tenant: Tenant) -> None:
    inspection = Inspection(tenant)
    said = inspection.handle(SimRequest("POST", "/faults", body=b"POST * 503 x*"))
    assert said.status == 200
    assert fault_of("POST * 503 x*")[1].remaining == ALWAYS
    assert {call(tenant).status for _ in range(5)} == {503}
    assert inspection.handle(SimRequest("DELETE", "/faults")).status == 200
    assert call(tenant).status == 201


def test_each_system_has_its_own(tenant: Tenant) -> None:
    tenant.plan(*fault_of("graph * * 503 x*"))
    tenant.plan(*fault_of("samsara * * 503 x*"))
    assert call(tenant).status == 201
    sent = Headers({"Authorization": f"Bearer {KEYS.samsara_key}"})
    assert tenant.samsara.handle(SimRequest("GET", "/fleet/vehicles", {}, sent)).status == 503


@pytest.mark.parametrize("name", ["empty", "cut", "html"])
def test_a_success_that_is_none(name: str, tenant: Tenant) -> None:
    tenant.plan(*fault_of(f"GET * {name}"))
    answer = call(tenant, "GET")
    assert answer.status == 200
    if name == "empty":
        assert answer.json()["data"] == []
    else:
        with pytest.raises(ValueError, match="Expecting"):
            answer.json()


BAD: dict[str, str] = {
    "": f"such as {EXAMPLE}",
    "POST /api/users": "must be [SYSTEM] METHOD PATH ANSWER",
    "SEND /api/users 503": "'SEND' is none of GET, POST, PUT, PATCH, *",
    "POST api/users 503": "begin with / or *",
    "POST /api/users 99": "'99' is no answer: a status from 200 to 599, lost, empty, cut, html",
    "POST /api/users 503 3": "'3' is none of xTIMES",
    "POST /api/users 503 x٣": "is none of xTIMES",
    "POST /api/users 503 x1 x2 x3 x4 x5 x6 x7": "has more words than",
}


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_fault_is_told_with_what_is_one(
    text: str, tenant: Tenant, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BadFault) as told:
        fault_of(text)
    assert BAD[text] in str(told.value)
    answer: Any = Inspection(tenant).handle(SimRequest("POST", "/faults", body=text.encode()))
    assert answer.status == 400
    assert BAD[text] in answer.json()["message"]
    with pytest.raises(SystemExit) as ended:
        main(["simulators", "--fault", text])
    assert ended.value.code == 2
    assert "argument --fault: " in capsys.readouterr().err
