"""The systems that a run needs, for a page that asks every few seconds: what is said of each, and how long it
is kept."""

from __future__ import annotations

from typing import Any

import pytest

from local.fake_clock import FakeClock
from shared.doctor import Finding
from shared.queries.dependencies import KEEP_SECONDS, dependencies
from shared.runtime import Parts, Runtime


class Doctor:
    """Finds what a test says; `asked` counts, and says how deep."""

    def __init__(self, *findings: Finding) -> None:
        self.findings = list(findings)
        self.asked: list[bool] = []

    def __call__(self, _runtime: Runtime, *, deep: bool) -> list[Finding]:
        self.asked.append(deep)
        return list(self.findings)


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch) -> Doctor:
    doctor = Doctor(Finding("vista", "ok", "answers"))
    monkeypatch.setattr("shared.queries.dependencies.check_everything", doctor)
    return doctor


def a_runtime() -> Runtime:
    return Runtime({}, Parts(clock=FakeClock()))


def advance(runtime: Runtime, seconds: float) -> None:
    assert isinstance(runtime.clock, FakeClock)
    runtime.clock.advance(seconds)


def seen(runtime: Runtime) -> list[Any]:
    return [told["text"] for told in dependencies(runtime)]


def test_a_finding_is_told_with_what_to_do(doctor: Doctor) -> None:
    doctor.findings = [
        Finding("redis", "failed", "no answer", "Check REDIS_HOST", 1000, ("REDIS_HOST", "REDIS_PORT"))
    ]
    assert dependencies(a_runtime()) == [
        {
            "name": "redis",
            "status": "failed",
            "ok": False,
            "text": "no answer",
            "advice": "Check REDIS_HOST",
            "latency_ms": 1000,
            "settings": ["REDIS_HOST", "REDIS_PORT"],
        }
    ]


@pytest.mark.parametrize("status", ["ok", "warning", "failed", "skipped"])
def test_only_what_failed_needs_somebody_to_act(doctor: Doctor, status: Any) -> None:
    doctor.findings = [Finding("vista", status, "seen")]
    assert [told["ok"] for told in dependencies(a_runtime())] == [status != "failed"]


def test_all_findings_are_told_in_their_order_by_quick_checks_alone(doctor: Doctor) -> None:
    doctor.findings = [Finding(name, "ok", name) for name in ("vista", "redis", "documents")]
    assert seen(a_runtime()) == ["vista", "redis", "documents"]
    assert doctor.asked == [False]


def test_a_finding_is_kept_for_a_while_and_then_made_anew(doctor: Doctor) -> None:
    runtime = a_runtime()
    assert seen(runtime) == ["answers"]
    doctor.findings = [Finding("vista", "failed", "no answer")]
    advance(runtime, KEEP_SECONDS - 0.5)
    assert (seen(runtime), len(doctor.asked)) == (["answers"], 1)
    advance(runtime, 0.5)
    assert (seen(runtime), len(doctor.asked)) == (["no answer"], 2)
    advance(runtime, KEEP_SECONDS - 0.5)
    assert len(dependencies(runtime)) == 1
    assert len(doctor.asked) == 2, "kept again from the second look"


def test_what_is_kept_is_one_runtimes_own(doctor: Doctor) -> None:
    one, another = a_runtime(), a_runtime()
    assert seen(one) == ["answers"]
    doctor.findings = [Finding("vista", "failed", "no answer")]
    assert (seen(another), seen(one)) == (["no answer"], ["answers"])
