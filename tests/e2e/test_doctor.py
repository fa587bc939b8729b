"""The doctor on a whole company: healthy, and with SafetyAmp, clocks or storage wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.doctor import service_bus
from shared.doctor.running import run_checks
from shared.doctor.vista import SERVER_TIME
from shared.errors import Advised, BusError, ConfigurationError, LeaseHeld, StorageError
from shared.runtime import Runtime
from shared.storage.service_bus import ServiceBusBus
from tests.unit.engine_rig import REQUIRED

if TYPE_CHECKING:
    from tests.e2e.doctor_rig import DoctorRig, MakeRig

pytest_plugins = ("tests.e2e.doctor_rig",)

DEEP_CALLS = 9
"""Calls to SafetyAmp that the doctor may cost (shared/doctor/safetyamp.py)."""


# -- a company in order ------------------------------------------------------------------------------------


def test_a_healthy_company_has_nothing_but_its_missing_redis(rig: DoctorRig) -> None:
    findings = rig.look()
    assert findings.failed == set()
    assert findings.warned == {"redis"}
    redis = findings["redis"]
    assert "each process keeps to its MAX_PROCESSES-th part" in redis.seen
    assert {"safetyamp.root", "safetyamp.role", "safetyamp.vehicles", "safetyamp.lists"} <= findings.keys()
    assert {"documents.write", "graph.users", "samsara", "vista.employees", "python", "host.json"} <= set(
        findings
    )


def test_it_writes_nothing_and_keeps_to_its_calls(rig: DoctorRig) -> None:
    rig.look()
    calls = [*rig.safetyamp.calls, *rig.tenant.samsara.calls]
    assert {call.method for call in calls} == {"GET"}
    assert len(rig.safetyamp.calls) == DEEP_CALLS
    assert list(rig.documents.list("doctor/")) == []


def test_the_quick_checks_call_no_upstream(rig: DoctorRig) -> None:
    findings = rig.look(deep=False)
    assert {"settings", "documents", "service_bus", "redis", "vista"} <= findings.keys()
    assert findings.failed == set()
    calls = [*rig.safetyamp.calls, *rig.tenant.samsara.calls, *rig.tenant.graph.calls]
    assert calls == []


def test_every_finding_that_is_not_in_order_says_what_to_do(make_rig: MakeRig) -> None:
    rig = make_rig(SAFETYAMP_TOKEN="s3cret-wrong", SAFETYAMP_DEFAULT_ROLE="Astronaut")
    rig.tenant.graph.forbidden = True
    rig.change_vista("DROP TABLE bPRJC")
    findings = rig.look()
    assert len(findings.failed) >= 3
    assert [check for check in findings.failed | findings.warned if not findings[check].advice] == []


# -- SafetyAmp ---------------------------------------------------------------------------------------------


def test_a_wrong_token_costs_one_call_and_is_named(make_rig: MakeRig) -> None:
    rig = make_rig(SAFETYAMP_TOKEN="s3cret-wrong")
    findings = rig.look()
    assert findings.failed == {"safetyamp"}
    assert "401" in findings["safetyamp"].seen
    assert "SAFETYAMP_TOKEN" in findings["safetyamp"].advice
    assert len(rig.safetyamp.calls) == 1


@pytest.mark.parametrize(
    ("settings", "check", "told"),
    [
        ({"SAFETYAMP_ROOT_CLUSTER": "Elsewhere"}, "safetyamp.root", "SafetyAmp has: 'Two Rivers Builders'"),
        ({"SAFETYAMP_DEFAULT_ROLE": "Astronaut"}, "safetyamp.role", "no role 'Astronaut'; it has: Company"),
        ({"SAFETYAMP_VEHICLE_SITE_ID": "1"}, "safetyamp.vehicles", "but SAFETYAMP_VEHICLE_SITE_ID is 1"),
        ({"SAFETYAMP_VEHICLE_ASSET_TYPE_ID": "1"}, "safetyamp.vehicles", "no asset type 1"),
    ],
)
def test_what_must_exist_in_safetyamp_is_named_when_it_does_not(
    make_rig: MakeRig, settings: dict[str, str], check: str, told: str
) -> None:
    findings = make_rig(**settings).look()
    assert findings.failed == {check}
    assert told in findings[check].seen
    assert findings["safetyamp.lists"].status == "ok", "one prerequisite hides no other"


def test_a_role_that_was_removed_since_it_was_kept_is_missed(rig: DoctorRig) -> None:
    rig.look()
    rig.safetyamp.edit("roles", rig.record("roles", "Field")["id"], name="Crew")
    assert rig.look().failed == {"safetyamp.role"}


def test_a_listing_that_the_token_may_not_read_is_named(rig: DoctorRig) -> None:
    rig.safetyamp.fail_next(1, status=403, match="GET /api/users")
    findings = rig.look()
    assert findings.failed == {"safetyamp.lists"}
    assert "users may not be listed (403)" in findings["safetyamp.lists"].seen


def test_a_full_window_is_no_fault(rig: DoctorRig) -> None:
    limiter = rig.stack.runtime.safetyamp_limiter
    for _ in range(60):
        limiter.complete(limiter.acquire(interactive=True))
    findings = rig.look()
    assert findings.failed == set()
    assert findings["safetyamp"].status == "warning"
    assert "not looked at" in findings["safetyamp"].seen
    assert rig.safetyamp.calls == []


def test_it_may_use_what_bulk_work_leaves_free(rig: DoctorRig) -> None:
    limiter = rig.stack.runtime.safetyamp_limiter
    for _ in range(51):
        limiter.complete(limiter.acquire())
    assert rig.look().failed == set()
    assert len(rig.safetyamp.calls) == DEEP_CALLS


def test_safetyamp_away_hides_no_other(rig: DoctorRig) -> None:
    rig.safetyamp.fail_next(99, status=503)
    findings = rig.look()
    assert findings.failed == {"safetyamp"}
    assert findings["vista.employees"].status == "ok"


# -- clocks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("upstream", ["safetyamp", "samsara", "graph"])
def test_an_upstream_whose_clock_is_wrong_is_told(rig: DoctorRig, upstream: str) -> None:
    rig.seconds_ahead = {"safetyamp": 0, "samsara": 0, "graph": 0, upstream: -120}
    findings = rig.look()
    assert findings.warned == {"redis", f"{upstream}.clock"}
    assert "120 s behind ours" in findings[f"{upstream}.clock"].seen
    others = {"safetyamp", "samsara", "graph"} - {upstream}
    assert all(findings[f"{other}.clock"].status == "ok" for other in others)


def test_a_sql_server_whose_clock_is_wrong_is_told(rig: DoctorRig) -> None:
    theirs = rig.clock.now().replace(tzinfo=None) + timedelta(hours=6)
    rig.as_sql_server({SERVER_TIME: [(theirs,)]})
    findings = rig.look()
    assert findings.failed == {"vista.clock"}
    assert "21600 s ahead" in findings["vista.clock"].seen


# -- documents, bus, Redis ---------------------------------------------------------------------------------


def refuse(*_: Any, **__: Any) -> Any:
    raise StorageError(Advised("refused", "check DOCUMENTS_CONNECTION"))


@pytest.mark.parametrize("operation", ["create", "acquire_lease", "delete"])
def test_documents_that_can_be_read_only_are_told(rig: DoctorRig, operation: str) -> None:
    vars(rig.documents)[operation] = refuse
    findings = rig.look()
    assert findings.failed == {"documents"}
    assert findings["documents"].advice == "Check DOCUMENTS_CONNECTION"


def test_leases_that_do_not_hold_are_told(rig: DoctorRig) -> None:
    vars(rig.documents)["write"] = lambda *_, **__: "etag"
    assert "leases do not hold" in rig.look()["documents"].seen


def test_a_document_that_comes_back_different_is_told(rig: DoctorRig) -> None:
    create = rig.documents.create
    vars(rig.documents)["create"] = lambda path, data: create(path, data + b"!")
    assert "not read as it was written" in rig.look()["documents"].seen


def test_the_probe_is_removed_also_when_something_fails(rig: DoctorRig) -> None:
    def held(*_: Any, **__: Any) -> Any:
        raise LeaseHeld("leased by somebody else")

    vars(rig.documents)["acquire_lease"] = held
    assert rig.look().failed == {"documents"}
    assert list(rig.documents.list("doctor/")) == []


@pytest.mark.parametrize("deep", [True, False])
def test_something_that_is_no_redis_is_only_a_warning(rig: DoctorRig, deep: bool) -> None:
    def factory() -> Any:
        raise ValueError("invalid literal for int(): s3cret")

    vars(rig.stack.runtime)["redis_factory"] = factory
    findings = rig.look(deep=deep)
    assert findings.failed == set()
    assert findings.warned == {"redis"}


class AskedBus(ServiceBusBus):
    """A bus that can be asked about queues; `away` are those that are not there."""

    def __init__(self, *away: str) -> None:
        self.away = away

    def check(self, queue: str, *, receive: bool) -> None:
        if queue in self.away:
            raise BusError(f"queue {queue!r} does not exist")


@pytest.mark.parametrize("deep", [True, False])
def test_a_queue_that_is_missing_is_named_and_the_other_is_still_asked(rig: DoctorRig, deep: bool) -> None:
    vars(rig.stack.runtime)["bus"] = AskedBus("change-batches")
    findings = rig.look(deep=deep)
    assert findings.failed == {"service_bus"}
    assert "BATCH_QUEUE" in findings["service_bus"].settings
    assert "'change-batches' does not exist" in findings["service_bus"].seen


def test_a_bus_whose_settings_are_missing_is_told() -> None:
    (finding,) = run_checks(Runtime(REQUIRED), [service_bus.QUICK], 60)
    assert (finding.status, finding.settings) == ("failed", ("SERVICE_BUS_CONNECTION",))


# -- Key Vault ---------------------------------------------------------------------------------------------


def test_a_vault_that_is_away_is_a_warning_while_the_environment_has_all_secrets(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(url: str, client_id: str | None) -> Callable[[str], str]:
        def read(setting: str) -> str:
            text = Advised("the vault could not be reached", "check AZURE_KEY_VAULT_URL")
            raise ConfigurationError.of(setting, text)

        return read

    monkeypatch.setattr("shared.key_vault.key_vault_secrets", away)
    findings = make_rig(
        AZURE_KEY_VAULT_URL="https://v.vault.azure.net",
        REDIS_PASSWORD="s3cret",
        NOTICE_WEBHOOK_URL="https://hooks.example.com/x",
        NOTICE_WEBHOOK_SECRET="whsec_" + "A" * 32,
    ).look()
    assert findings.failed == set()
    assert findings.warned == {"redis", "key_vault"}
    assert findings["key_vault"].advice == "Check AZURE_KEY_VAULT_URL"
