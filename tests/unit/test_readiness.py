"""What `/ready` tells anybody: settings by name and nothing else; the log says what was seen."""

from __future__ import annotations

import pytest

from shared.doctor import Finding, readiness
from shared.doctor.readiness import missing
from shared.errors import StorageError
from shared.runtime import Runtime
from tests.unit.doctor_rig import DoctorRig

SEEN = "Ann's 5ecret is not taken at host.example"


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """What the doctor's quick checks find."""
    findings: list[Finding] = []

    def check_everything(_: Runtime, *, deep: bool) -> list[Finding]:
        assert not deep
        return findings

    monkeypatch.setattr(readiness, "check_everything", check_everything)
    return findings


def told() -> list[str]:
    return missing(Runtime({}))


def test_an_app_in_order_lacks_nothing(found: list[Finding]) -> None:
    found += [Finding("documents", "ok", SEEN), Finding("vista", "skipped", SEEN, settings=("X",))]
    assert told() == []


def test_what_fails_is_named_by_its_settings_alone(
    found: list[Finding], caplog: pytest.LogCaptureFixture
) -> None:
    found += [
        Finding("vista", "failed", SEEN, "advice", settings=("VISTA_CONNECTION_STRING", "VISTA_COMPANY")),
        Finding("odd", "failed", SEEN),
    ]
    assert told() == ["vista: VISTA_CONNECTION_STRING, VISTA_COMPANY", "odd"]
    assert [record.getMessage() for record in caplog.records] == [
        f"not ready: vista: {SEEN}",
        f"not ready: odd: {SEEN}",
    ]


@pytest.mark.parametrize(
    "finding",
    [
        Finding("redis", "failed", SEEN, settings=("REDIS_HOST",)),
        Finding("redis", "warning", SEEN),
        Finding("upstreams", "warning", SEEN),
    ],
    ids=["no Redis", "Redis warns", "warning"],
)
def test_what_stops_no_run_is_not_lacking(found: list[Finding], finding: Finding) -> None:
    found.append(finding)
    assert told() == []


def test_what_is_lacking_twice_is_named_once_and_in_the_order_of_the_checks(found: list[Finding]) -> None:
    for setting in ("ENTITY_QUEUE", "BATCH_QUEUE", "ENTITY_QUEUE"):
        found.append(Finding("service_bus", "failed", SEEN, settings=(setting,)))
    assert told() == ["service_bus: ENTITY_QUEUE", "service_bus: BATCH_QUEUE"]


def test_the_quick_checks_are_those_that_are_asked() -> None:
    rig = DoctorRig(VISTA_CONNECTION_STRING="sqlite:///nowhere-5ecret.db")

    def away(_: str) -> None:
        raise StorageError("5ecret")

    vars(rig.documents)["read"] = away
    assert missing(rig.runtime) == [
        "documents: DOCUMENTS_CONNECTION, DOCUMENTS_CONTAINER",
        "vista: VISTA_CONNECTION_STRING",
    ]


def test_wrong_settings_are_named_and_nothing_else_is_tried() -> None:
    assert "settings: SAFETYAMP_TOKEN" in missing(Runtime({}))
    assert {name.split(":")[0] for name in missing(Runtime({}))} == {"settings"}
