"""The doctor on a whole company: healthy, and with each thing wrong once."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.doctor import service_bus
from shared.doctor.running import run_checks
from shared.doctor.vista import SERVER_TIME
from shared.doctor.vista_login import DATABASE_RIGHTS, SERVER_ROLE, TABLE_RIGHTS, TABLES
from shared.errors import BusError, ConfigurationError, LeaseHeld, StorageError
from shared.runtime import Runtime
from tests.e2e.doctor_rig import DoctorRig
from tests.unit.engine_rig import REQUIRED

DEEP_CALLS = 9
"""Calls to SafetyAmp that the doctor may cost (shared/doctor/safetyamp.py)."""

MakeRig = Callable[..., DoctorRig]


@pytest.fixture
def make_rig(tmp_path: Path) -> Iterator[MakeRig]:
    made: list[DoctorRig] = []

    def make(**settings: str) -> DoctorRig:
        made.append(DoctorRig(tmp_path, **settings))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


@pytest.fixture
def rig(make_rig: MakeRig) -> DoctorRig:
    return make_rig()


def failed(findings: dict[str, Any]) -> set[str]:
    return {check for check, finding in findings.items() if finding.status == "failed"}


def warned(findings: dict[str, Any]) -> set[str]:
    return {check for check, finding in findings.items() if finding.status == "warning"}


# -- a company in order ------------------------------------------------------------------------------------


def test_a_healthy_company_has_nothing_but_its_missing_redis(rig: DoctorRig) -> None:
    findings = rig.look()
    assert failed(findings) == set()
    assert warned(findings) == {"redis"}
    redis = findings["redis"]
    assert "does not answer" in redis.seen
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
    assert failed(findings) == set()
    calls = [*rig.safetyamp.calls, *rig.tenant.samsara.calls, *rig.tenant.graph.calls]
    assert calls == []


def test_every_finding_that_is_not_in_order_says_what_to_do(make_rig: MakeRig) -> None:
    rig = make_rig(SAFETYAMP_TOKEN="s3cret-wrong", SAFETYAMP_DEFAULT_ROLE="Astronaut")
    rig.tenant.graph.forbidden = True
    rig.change_vista("DROP TABLE bPRJC")
    findings = rig.look()
    assert len(failed(findings)) >= 3
    assert [check for check in failed(findings) | warned(findings) if not findings[check].advice] == []


# -- SafetyAmp ---------------------------------------------------------------------------------------------


def test_a_wrong_token_costs_one_call_and_is_named(make_rig: MakeRig) -> None:
    rig = make_rig(SAFETYAMP_TOKEN="s3cret-wrong")
    findings = rig.look()
    assert failed(findings) == {"safetyamp"}
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
    assert failed(findings) == {check}
    assert told in findings[check].seen
    assert findings["safetyamp.lists"].status == "ok", "one prerequisite hides no other"


def test_a_role_that_was_removed_since_it_was_kept_is_missed(rig: DoctorRig) -> None:
    rig.look()
    rig.safetyamp.edit("roles", rig.record("roles", "Field")["id"], name="Crew")
    assert failed(rig.look()) == {"safetyamp.role"}


def test_a_listing_that_the_token_may_not_read_is_named(rig: DoctorRig) -> None:
    rig.safetyamp.fail_next(1, status=403, match="GET /api/users")
    findings = rig.look()
    assert failed(findings) == {"safetyamp.lists"}
    assert "users may not be listed (403)" in findings["safetyamp.lists"].seen


def test_a_full_window_is_no_fault(rig: DoctorRig) -> None:
    limiter = rig.stack.runtime.safetyamp_limiter
    for _ in range(60):
        limiter.complete(limiter.acquire(interactive=True))
    findings = rig.look()
    assert failed(findings) == set()
    assert findings["safetyamp"].status == "warning"
    assert "not looked at" in findings["safetyamp"].seen
    assert rig.safetyamp.calls == []


def test_it_may_use_what_bulk_work_leaves_free(rig: DoctorRig) -> None:
    limiter = rig.stack.runtime.safetyamp_limiter
    for _ in range(51):
        limiter.complete(limiter.acquire())
    assert failed(rig.look()) == set()
    assert len(rig.safetyamp.calls) == DEEP_CALLS


def test_safetyamp_away_hides_no_other(rig: DoctorRig) -> None:
    rig.safetyamp.fail_next(99, status=503)
    findings = rig.look()
    assert failed(findings) == {"safetyamp"}
    assert findings["vista.employees"].status == "ok"


# -- Graph and Samsara -------------------------------------------------------------------------------------


def test_missing_consent_says_which_permission(rig: DoctorRig) -> None:
    rig.tenant.graph.forbidden = True
    findings = rig.look()
    assert failed(findings) == {"graph.users"}
    assert "User.Read.All" in findings["graph.users"].seen
    assert "grant admin consent" in findings["graph.users"].advice


def test_an_expired_secret_is_named(rig: DoctorRig) -> None:
    rig.tenant.graph.login.expired_key = True
    findings = rig.look()
    assert failed(findings) == {"graph"}
    assert "MS_GRAPH_CLIENT_SECRET" in findings["graph"].seen + findings["graph"].advice


def jwt(*roles: str) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"roles": roles}).encode()).decode().rstrip("=")
    return f"e30.{claims}.c2ln"


@pytest.mark.parametrize(
    ("roles", "status", "told"),
    [
        (("User.Read.All",), "ok", "reads only: User.Read.All"),
        (
            ("User.Read.All", "Directory.ReadWrite.All"),
            "warning",
            "may write in the tenant: Directory.ReadWr",
        ),
        (("Mail.Read",), "warning", "not User.Read.All"),
        ((), "warning", "no permission"),
    ],
)
def test_the_tokens_permissions_are_told_where_it_shows_them(
    rig: DoctorRig, roles: tuple[str, ...], status: str, told: str
) -> None:
    login = rig.tenant.graph.login
    issue = login.issue

    def issue_jwt() -> str:
        bearer = jwt(*roles)
        login._valid_until[bearer] = login._valid_until[issue()]
        return bearer

    vars(login)["issue"] = issue_jwt
    found = rig.look()["graph.permissions"]
    assert (found.status, told in found.seen) == (status, True)


def test_accounts_without_employee_numbers_are_noticed(rig: DoctorRig) -> None:
    for account in rig.company.graph_users:
        account["employeeId"] = None
    rig.publish()
    findings = rig.look()
    assert "0 of the first 10 accounts" in findings["graph.users"].seen
    assert warned(findings) == {"redis", "graph.users"}


@pytest.mark.parametrize(("status", "told"), [(401, "not accepted"), (403, "lacks the scope Read Vehicles")])
def test_a_samsara_key_that_may_not_list_is_told(rig: DoctorRig, status: int, told: str) -> None:
    rig.tenant.samsara.fail_next(1, status=status)
    findings = rig.look()
    assert failed(findings) == {"samsara"}
    assert told in findings["samsara"].seen


def test_drivers_are_listed_only_where_they_are_needed(make_rig: MakeRig) -> None:
    rig = make_rig(VEHICLE_ASSIGN_DRIVER="true")
    rig.tenant.samsara.fail_next(1, status=403, match="GET /fleet/drivers")
    findings = rig.look()
    assert failed(findings) == {"samsara.drivers"}
    assert "Read Drivers" in findings["samsara.drivers"].seen


def test_an_empty_fleet_is_not_believed(rig: DoctorRig) -> None:
    rig.company.vehicles.clear()
    rig.publish()
    assert failed(rig.look()) == {"samsara"}


def test_without_vehicles_neither_samsara_nor_asset_types_are_asked(make_rig: MakeRig) -> None:
    rig = make_rig(SAFETYAMP_VEHICLE_SITE_ID="", SAFETYAMP_VEHICLE_ASSET_TYPE_ID="", SAMSARA_API_KEY="")
    findings = rig.look()
    assert failed(findings) == set()
    assert (findings["samsara"].status, findings["safetyamp.vehicles"].status) == ("skipped", "skipped")
    assert rig.tenant.samsara.calls == []
    assert "/api/asset_types" not in {call.path for call in rig.safetyamp.calls}


# -- Vista -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "checks", "told"),
    [
        ("DROP TABLE bPRJC", {"vista.latest_jobs"}, "table bPRJC does not exist"),
        ("DROP TABLE bJCCM", {"vista.jobs"}, "table bJCCM does not exist"),
        (
            "ALTER TABLE bPREH DROP COLUMN udEmpTitle",
            {"vista.titles", "vista.employees"},
            "column udEmpTitle does not exist",
        ),
        ("ALTER TABLE bPRDP DROP COLUMN udRegion", {"vista.departments"}, "column udRegion does not exist"),
        ("DELETE FROM bPREH", {"vista.titles", "vista.employees"}, "0 rows"),
        ("DELETE FROM bJCJM", {"vista.jobs"}, "0 rows"),
    ],
)
def test_what_a_run_would_miss_in_vista_is_named(
    rig: DoctorRig, statement: str, checks: set[str], told: str
) -> None:
    rig.change_vista(statement)
    findings = rig.look()
    assert failed(findings) == checks
    assert all(told in findings[check].seen for check in checks)
    assert all(findings[check].advice for check in checks)


def test_the_wrong_company_sees_nothing(make_rig: MakeRig) -> None:
    findings = make_rig(VISTA_COMPANY="77").look()
    assert failed(findings) == {"vista.departments", "vista.jobs", "vista.titles", "vista.employees"}
    assert "VISTA_COMPANY" in findings["vista.employees"].advice
    assert findings["vista.latest_jobs"].status == "warning", "a new company may have no payroll yet"


@pytest.mark.parametrize(
    ("statement", "check", "told"),
    [
        ("UPDATE bPREH SET udEmpTitle = ' '", "vista.titles", "VISTA_TITLE_COLUMN"),
        ("UPDATE bPRDP SET udRegion = NULL", "vista.departments", "VISTA_REGION_COLUMN"),
        ("DELETE FROM bJCCM", "vista.jobs", "bJCCM"),
    ],
)
def test_a_column_without_any_value_is_suspicious(
    rig: DoctorRig, statement: str, check: str, told: str
) -> None:
    rig.change_vista(statement)
    findings = rig.look()
    assert failed(findings) == set()
    assert findings[check].status == "warning"
    assert told in findings[check].advice


def test_a_read_is_compared_with_the_last_good_run(rig: DoctorRig) -> None:
    rig.run()
    assert "10 rows; the last good run read 10" in rig.look()["vista.employees"].seen
    rig.change_vista("DELETE FROM bPREH WHERE Employee > 1007")
    found = rig.look()["vista.employees"]
    assert found.status == "warning"
    assert "7 records where the last good run read 10" in found.seen
    rig.change_vista("DELETE FROM bPRJC")
    assert rig.look()["vista.latest_jobs"].status == "failed", "payroll that was there is gone"


def test_a_vista_that_is_not_there_is_named(make_rig: MakeRig) -> None:
    findings = make_rig(VISTA_CONNECTION_STRING="sqlite:///nowhere.db").look()
    assert failed(findings) == {"vista"}
    assert "VISTA_CONNECTION_STRING" in findings["vista"].seen


def test_sql_server_tells_its_version_and_a_login_that_only_reads(rig: DoctorRig) -> None:
    rig.as_sql_server({})
    findings = rig.look()
    assert failed(findings) == set()
    assert findings["vista"].seen == ("Microsoft SQL Server 15.00.4430 through libmsodbcsql-18.so 18.06.0002")
    assert (findings["vista.login"].status, findings["vista.clock"].status) == ("ok", "ok")


@pytest.mark.parametrize(
    ("statement", "rows", "told"),
    [
        (TABLE_RIGHTS, [*((table, "SELECT") for table in TABLES), ("bPREH", "UPDATE")], "UPDATE on bPREH"),
        (DATABASE_RIGHTS, [("CONNECT",), ("DELETE",)], "DELETE in the whole database"),
        (SERVER_ROLE, [(1,)], "sysadmin"),
    ],
)
def test_a_login_that_may_write_fails(
    rig: DoctorRig, statement: str, rows: list[tuple[Any, ...]], told: str
) -> None:
    rig.as_sql_server({statement: rows})
    findings = rig.look()
    assert failed(findings) == {"vista.login"}
    assert told in findings["vista.login"].seen


# -- clocks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("upstream", ["safetyamp", "samsara", "graph"])
def test_an_upstream_whose_clock_is_wrong_is_told(rig: DoctorRig, upstream: str) -> None:
    rig.seconds_ahead = {"safetyamp": 0, "samsara": 0, "graph": 0, upstream: -120}
    findings = rig.look()
    assert warned(findings) == {"redis", f"{upstream}.clock"}
    assert "120 s behind ours" in findings[f"{upstream}.clock"].seen
    others = {"safetyamp", "samsara", "graph"} - {upstream}
    assert all(findings[f"{other}.clock"].status == "ok" for other in others)


def test_a_sql_server_whose_clock_is_wrong_is_told(rig: DoctorRig) -> None:
    theirs = rig.clock.now().replace(tzinfo=None) + timedelta(hours=6)
    rig.as_sql_server({SERVER_TIME: [(theirs,)]})
    findings = rig.look()
    assert failed(findings) == {"vista.clock"}
    assert "21600 s ahead" in findings["vista.clock"].seen


# -- documents, bus, Redis ---------------------------------------------------------------------------------


def refuse(*_: Any, **__: Any) -> Any:
    raise StorageError("refused: check DOCUMENTS_CONNECTION")


@pytest.mark.parametrize("operation", ["create", "acquire_lease", "delete"])
def test_documents_that_can_be_read_only_are_told(rig: DoctorRig, operation: str) -> None:
    vars(rig.documents)[operation] = refuse
    findings = rig.look()
    assert failed(findings) == {"documents"}
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
    assert failed(rig.look()) == {"documents"}
    assert list(rig.documents.list("doctor/")) == []


class AskedBus:
    """A bus that can be asked about queues; `away` are those that are not there."""

    def __init__(self, *away: str) -> None:
        self.away = away

    def check(self, queue: str) -> None:
        if queue in self.away:
            raise BusError(f"queue {queue!r} does not exist")


@pytest.mark.parametrize("deep", [True, False])
def test_a_queue_that_is_missing_is_named_and_the_other_is_still_asked(rig: DoctorRig, deep: bool) -> None:
    vars(rig.stack.runtime)["bus"] = AskedBus("change-batches")
    findings = rig.look(deep=deep)
    assert failed(findings) == {"service_bus"}
    assert "BATCH_QUEUE" in findings["service_bus"].settings
    assert "'change-batches' does not exist" in findings["service_bus"].seen


def test_a_bus_whose_settings_are_missing_is_told() -> None:
    (finding,) = run_checks(Runtime(REQUIRED), [service_bus.CHECK], 60)
    assert (finding.status, finding.settings) == ("failed", ("SERVICE_BUS_CONNECTION",))


# -- Key Vault ---------------------------------------------------------------------------------------------


def test_a_vault_that_is_away_is_a_warning_while_the_environment_has_all_secrets(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(url: str, client_id: str | None) -> Callable[[str], str]:
        def read(setting: str) -> str:
            raise ConfigurationError.of(setting, "the vault could not be reached; check AZURE_KEY_VAULT_URL")

        return read

    monkeypatch.setattr("shared.key_vault.key_vault_secrets", away)
    findings = make_rig(AZURE_KEY_VAULT_URL="https://v.vault.azure.net", REDIS_PASSWORD="s3cret").look()
    assert failed(findings) == set()
    assert warned(findings) == {"redis", "key_vault"}
    assert findings["key_vault"].advice == "Check AZURE_KEY_VAULT_URL"
