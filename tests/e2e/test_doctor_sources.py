"""The doctor on the systems that the sync reads: with each thing wrong once."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from shared.doctor.vista_login import DATABASE_RIGHTS, SERVER_ROLE, TABLE_RIGHTS, TABLES

if TYPE_CHECKING:
    from tests.e2e.doctor_rig import DoctorRig, MakeRig

pytest_plugins = ("tests.e2e.doctor_rig",)


# -- Graph and Samsara -------------------------------------------------------------------------------------


def test_missing_consent_says_which_permission(rig: DoctorRig) -> None:
    rig.tenant.graph.forbidden = True
    findings = rig.look()
    assert findings.failed == {"graph.users"}
    assert "User.Read.All" in findings["graph.users"].seen
    assert "grant admin consent" in findings["graph.users"].advice


def test_an_expired_secret_is_named(rig: DoctorRig) -> None:
    rig.tenant.graph.login.expired_key = True
    findings = rig.look()
    assert findings.failed == {"graph"}
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
    assert findings.warned == {"redis", "graph.users"}


@pytest.mark.parametrize(("status", "told"), [(401, "not accepted"), (403, "lacks the scope Read Vehicles")])
def test_a_samsara_key_that_may_not_list_is_told(rig: DoctorRig, status: int, told: str) -> None:
    rig.tenant.samsara.fail_next(1, status=status)
    findings = rig.look()
    assert findings.failed == {"samsara"}
    assert told in findings["samsara"].seen


def test_drivers_are_listed_only_where_they_are_needed(make_rig: MakeRig) -> None:
    rig = make_rig(VEHICLE_ASSIGN_DRIVER="true")
    rig.tenant.samsara.fail_next(1, status=403, match="GET /fleet/drivers")
    findings = rig.look()
    assert findings.failed == {"samsara.drivers"}
    assert "Read Drivers" in findings["samsara.drivers"].seen


def test_an_empty_fleet_is_not_believed(rig: DoctorRig) -> None:
    rig.company.vehicles.clear()
    rig.publish()
    assert rig.look().failed == {"samsara"}


def test_without_vehicles_neither_samsara_nor_asset_types_are_asked(make_rig: MakeRig) -> None:
    rig = make_rig(SAFETYAMP_VEHICLE_SITE_ID="", SAFETYAMP_VEHICLE_ASSET_TYPE_ID="", SAMSARA_API_KEY="")
    findings = rig.look()
    assert findings.failed == set()
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
    assert findings.failed == checks
    assert all(told in findings[check].seen for check in checks)
    assert all(findings[check].advice for check in checks)


def test_the_wrong_company_sees_nothing(make_rig: MakeRig) -> None:
    findings = make_rig(VISTA_COMPANY="77").look()
    assert findings.failed == {"vista.departments", "vista.jobs", "vista.titles", "vista.employees"}
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
    assert findings.failed == set()
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
    assert findings.failed == {"vista"}
    assert "VISTA_CONNECTION_STRING" in findings["vista"].seen


def test_sql_server_tells_its_version_and_a_login_that_only_reads(rig: DoctorRig) -> None:
    rig.as_sql_server({})
    findings = rig.look()
    assert findings.failed == set()
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
    assert findings.failed == {"vista.login"}
    assert told in findings["vista.login"].seen
