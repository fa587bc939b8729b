"""What the doctor tells of limiter and breakers: what Redis knows already, without any call."""

from __future__ import annotations

from contextlib import suppress

import pytest

from shared.doctor.upstreams import CHECK
from shared.errors import CircuitOpen
from tests.unit.doctor_rig import DoctorRig


@pytest.fixture
def rig() -> DoctorRig:
    return DoctorRig(API_RATE_LIMIT_CALLS="10", BREAKER_RECOVERY_SECONDS="60")


def opened(rig: DoctorRig, upstream: str) -> None:
    breaker = rig.runtime.breaker(upstream)
    with suppress(CircuitOpen):
        for _ in range(rig.runtime.settings.breaker_failure_threshold):
            breaker.before_call()
            breaker.failed()


def test_how_full_the_window_is_is_told(rig: DoctorRig) -> None:
    for _ in range(3):
        rig.runtime.safetyamp_limiter.acquire()
    found = rig.only(CHECK)
    assert (found.check, found.status) == ("upstreams", "ok")
    assert found.seen == "3 of SafetyAmp's 10 calls are in use"


def test_a_pause_that_safetyamp_asked_for_is_told_with_its_length_and_that_it_ends_by_itself(
    rig: DoctorRig,
) -> None:
    rig.runtime.safetyamp_limiter.block(500)
    found = rig.only(CHECK)
    assert found.status == "warning"
    assert found.seen == "SafetyAmp asked for a pause: no call for 500 s"
    assert found.advice == "Nothing: work goes on by itself"


@pytest.mark.parametrize("upstream", ["safetyamp", "samsara", "graph", "vista"])
def test_an_upstream_that_is_left_alone_is_told_with_the_time_of_the_next_try(
    rig: DoctorRig, upstream: str
) -> None:
    opened(rig, upstream)
    found = rig.findings(CHECK)
    assert [finding.status for finding in found] == ["ok", "warning"]
    assert found[1].seen == f"{upstream} failed repeatedly; next try in 60 s"
    assert found[1].advice == f"Look at what the doctor finds on {upstream}"
    assert found[1].settings == ("BREAKER_RECOVERY_SECONDS",)


def test_all_that_are_left_alone_are_told(rig: DoctorRig) -> None:
    for upstream in ("vista", "graph"):
        opened(rig, upstream)
    assert [finding.seen.split()[0] for finding in rig.findings(CHECK)[1:]] == ["graph", "vista"]


def test_without_redis_nothing_is_told_from_this_processs_memory(rig: DoctorRig) -> None:
    opened(rig, "vista")
    rig.redis.connected = False
    found = rig.only(CHECK)
    assert (found.status, found.settings) == ("skipped", ("REDIS_HOST",))
    assert found.seen.startswith("without Redis each process has a limiter and breakers of its own")
