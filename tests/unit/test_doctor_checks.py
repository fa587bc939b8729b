"""What single checks of the doctor conclude from what they see."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import ErrorLevel, exp

from shared.clients.http.call_meter import Meter
from shared.config import load_settings
from shared.doctor import host_file, machine, odbc, telemetry, vista_login
from shared.doctor.clocks import ahead, skew
from shared.doctor.graph import granted_roles
from shared.doctor.suspicions import suspicions, unknown_names
from shared.doctor.vista import SERVER_TIME
from tests.unit.engine_rig import REQUIRED

PROJECT = Path(__file__).resolve().parents[2]


# -- settings ----------------------------------------------------------------------------------------------


def suspected(**settings: str) -> list[str]:
    return [found.seen for found in suspicions(load_settings({**REQUIRED, **settings}))]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"DOCUMENTS_CONNECTION": "x", "DOCUMENTS_CONNECTION__blobServiceUri": "https://x"},
            "both set; the former is used",
        ),
        ({"REDIS_HOST": "r.example", "REDIS_PASSWORD": "s3cret"}, "password travels unencrypted"),
        ({"REDIS_HOST": "r.westus.redis.azure.net"}, "encrypted connections only"),
        ({"VISTA_CONNECTION_STRING": "SERVER=h;TrustServerCertificate=yes"}, "TrustServerCertificate=yes"),
        ({"VISTA_CONNECTION_STRING": "SERVER=h;Encrypt={no};UID=u"}, "Encrypt=no"),
        ({"VISTA_CONNECTION_STRING": "sqlite:///v.db", "ENVIRONMENT": "prod"}, "is an SQLite file"),
        ({"API_RATE_LIMIT_CALLS": "61"}, "more than SafetyAmp's 60 in 61 s"),
        ({"API_RATE_LIMIT_PERIOD": "60"}, "more than SafetyAmp's 60 in 61 s"),
        ({"GUARD_MAX_PERCENT": "100"}, "passes the guard"),
        ({"SAMSARA_API_KEY": "s3cret"}, "vehicles are off"),
        ({"VEHICLE_ASSIGN_DRIVER": "true"}, "vehicles are off"),
        ({"MS_GRAPH_BASE_URL": "https://graph.microsoft.us/v1.0"}, "different clouds"),
        ({"SAFETYAMP_FQDN": "https://x.safetyamp.com"}, "is no host name"),
        ({"SAFETYAMP_TOKEN": '"s3cret"'}, "SAFETYAMP_TOKEN stands in quotes"),
    ],
)
def test_a_suspicious_combination_is_told_without_a_secret(settings: dict[str, str], told: str) -> None:
    found = suspected(**settings)
    assert len(found) == 1
    assert told in found[0]
    assert "s3cret" not in found[0]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"REDIS_HOST": "r.westus.redis.azure.net", "REDIS_SSL": "true", "REDIS_PASSWORD": "p"},
        {"REDIS_PASSWORD": "p"},
        {"REDIS_HOST": "r.example"},
        {"VISTA_CONNECTION_STRING": "SERVER=h;Encrypt=yes;TrustServerCertificate=no;PWD={a;Encrypt=x}"},
        {"VISTA_CONNECTION_STRING": "sqlite:///v.db"},
        {"API_RATE_LIMIT_CALLS": "30", "API_RATE_LIMIT_PERIOD": "30.5"},
        {
            "MS_GRAPH_BASE_URL": "http://localhost:8090/graph/v1.0",
            "MS_GRAPH_AUTHORITY": "https://localhost:8091",
        },
        {
            "MS_GRAPH_BASE_URL": "https://graph.microsoft.us/v1.0",
            "MS_GRAPH_AUTHORITY": "https://login.microsoftonline.us",
        },
    ],
)
def test_ordinary_settings_are_not_suspected(settings: dict[str, str]) -> None:
    assert suspected(**settings) == []


def test_a_mistyped_name_is_noticed_and_others_are_left_alone() -> None:
    names = (
        "SAFETYAMP_TOKN",
        "safetyamp_fqdn",
        "PATH",
        "AzureWebJobsStorage__queueServiceUri",
        "HOME",
        "VISTA",
    )
    (found,) = unknown_names(names)
    assert "SAFETYAMP_TOKN is no setting" in found.seen
    assert "SAFETYAMP_TOKEN" in found.advice


# -- clocks ------------------------------------------------------------------------------------------------

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "status", "told"),
    [
        (0, "ok", "agree within 30 s"),
        (-30, "ok", "agree within 30 s"),
        (31, "warning", "31 s ahead of ours"),
        (-299, "warning", "299 s behind ours"),
        (300, "failed", "300 s ahead of ours"),
        (-86_400, "failed", "86400 s behind ours"),
    ],
)
def test_a_skewed_clock_is_told_by_how_much(seconds: float, status: str, told: str) -> None:
    found = skew("x.clock", "X's", seconds)
    assert (found.status, told in found.seen) == (status, True)
    assert bool(found.advice) is (status != "ok")


def test_a_slow_answer_is_no_skew() -> None:
    before, after = NOON, NOON + timedelta(seconds=20)
    assert ahead(NOON + timedelta(seconds=10), before, after) == 0


# -- Vista's login -----------------------------------------------------------------------------------------

SELECTS = [(table, "SELECT") for table in vista_login.TABLES]


@pytest.mark.parametrize(
    ("tables", "database", "sysadmin", "status", "told"),
    [
        (SELECTS, ["CONNECT"], False, "ok", "may change neither"),
        (
            [*SELECTS, ("bPREH", "UPDATE"), ("bPREH", "DELETE")],
            [],
            False,
            "failed",
            "DELETE on bPREH, UPDATE",
        ),
        ([*SELECTS, ("bJCJM", "ALTER")], [], False, "failed", "ALTER on bJCJM"),
        (SELECTS, ["CONNECT", "INSERT"], False, "failed", "INSERT in the whole database"),
        (SELECTS, ["EXECUTE"], False, "warning", "EXECUTE every procedure"),
        (SELECTS, [], True, "failed", "sysadmin"),
        (SELECTS[1:], ["CONNECT"], False, "failed", "no right at all on bPREH"),
    ],
)
def test_a_login_is_judged_by_what_it_may_do(
    tables: list[tuple[str, str]], database: list[str], sysadmin: bool, status: str, told: str
) -> None:
    found = vista_login.judged(tables, database, sysadmin)
    assert (found.status, told in found.seen) == (status, True)
    assert bool(found.advice) is (status != "ok")


@pytest.mark.parametrize(
    "statement",
    [vista_login.TABLE_RIGHTS, vista_login.DATABASE_RIGHTS, vista_login.SERVER_ROLE, SERVER_TIME],
)
def test_the_doctors_questions_are_selects_in_sql_servers_own_language(statement: str) -> None:
    (parsed,) = sqlglot.parse(statement, dialect="tsql")
    assert isinstance(parsed, exp.Select)
    assert not list(parsed.find_all(exp.Insert, exp.Update, exp.Delete, exp.Command, exp.Into))
    # The parser takes other dialects' words too; the writer refuses what T-SQL does not have.
    written = parsed.sql("tsql", unsupported_level=ErrorLevel.RAISE)
    assert written.lower().split() == statement.lower().split()
    # Anything that the parser does not know becomes an anonymous function: only SQL Server's own may.
    anonymous = {call.name.lower() for call in parsed.find_all(exp.Anonymous)}
    assert anonymous <= {"fn_my_permissions", "is_srvrolemember", "sysutcdatetime"}


# -- this machine ------------------------------------------------------------------------------------------

DRIVERS = ["ODBC Driver 18 for SQL Server", "SQLite3"]


@pytest.mark.parametrize(
    ("connection", "drivers", "status", "told"),
    [
        ("SERVER=h", DRIVERS, "ok", "the newest"),
        ("SERVER=h", ["SQLite3"], "failed", "no ODBC Driver for SQL Server"),
        ("SERVER=h", [], "failed", "installed: none"),
        ("DRIVER={SQLite3};Database=x", DRIVERS, "ok", "is there"),
        ("SERVER=h;Driver=SQLite3", DRIVERS, "ok", "is there"),
        ("DRIVER={ODBC Driver 17 for SQL Server};SERVER=h", DRIVERS, "failed", "another driver"),
        (f"DRIVER={__file__};SERVER=h", [], "ok", "is there"),
        ("DSN=vista", [], "ok", "a data source"),
    ],
)
def test_the_driver_that_is_needed_must_be_installed(
    connection: str, drivers: list[str], status: str, told: str
) -> None:
    found = odbc.judged(f"{connection};PWD=s3cret", drivers, "5.5")
    assert (found.status, told in found.seen) == (status, True)
    assert "s3cret" not in found.seen


def test_the_packages_that_are_looked_for_are_those_of_requirements_txt() -> None:
    lines = (PROJECT / "requirements.txt").read_text("utf-8").splitlines()
    names = {re.split(r"[<>=~ ;\[]", line)[0] for line in lines if line and not line.startswith("#")}
    assert names == {*machine.PACKAGES, machine.WORKER}


BUS = {"maxAutoLockRenewalDuration": "00:10:00"}


@pytest.mark.parametrize(
    ("content", "statuses"),
    [
        ({"functionTimeout": "00:10:00", "extensions": {"serviceBus": BUS}}, ["ok"]),
        ({"functionTimeout": "00:10:01", "extensions": {"serviceBus": BUS}}, ["failed"]),
        ({"functionTimeout": "1.00:00:00", "extensions": {"serviceBus": BUS}}, ["failed"]),
        ({"functionTimeout": "-1", "extensions": {"serviceBus": BUS}}, ["failed"]),
        ({"functionTimeout": "ten", "extensions": {"serviceBus": BUS}}, ["failed"]),
        ({}, ["failed"]),
        ({"functionTimeout": "00:10:00", "extensions": None}, ["failed"]),
        ({"functionTimeout": "00:10:00", "extensions": {"serviceBus": []}}, ["failed"]),
        (
            {
                "functionTimeout": "00:05:00",
                "extensions": {"serviceBus": {**BUS, "prefetchCount": 5, "autoCompleteMessages": False}},
            },
            ["warning", "failed"],
        ),
    ],
)
def test_a_lock_must_last_as_long_as_a_function(content: dict[str, Any], statuses: list[str]) -> None:
    assert [finding.status for finding in host_file.judged(content)] == statuses


KEY = "InstrumentationKey=00000000-0000-0000-0000-000000000001"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (KEY, None),
        (f"{KEY};IngestionEndpoint=https://westus-0.in.applicationinsights.azure.com/;", None),
        ("InstrumentationKey=s3cret", "no GUID"),
        ("IngestionEndpoint=https://x", "no InstrumentationKey"),
        (f"{KEY};IngestionEndpoint=http://x", "no https address"),
        (f"{KEY};IngestionEndpoint=HTTPS://x/", None),
        (f"{KEY};IngestionEndpoint=https://x?a=b", "no https address"),
        (KEY.replace("-", ""), "no GUID"),
        (KEY.replace("=", "={") + "}", "no GUID"),
        ("s3cret", "no NAME=value"),
    ],
)
def test_a_telemetry_connection_string_that_cannot_be_read_is_told(text: str, told: str | None) -> None:
    problem = telemetry.problem_of(text)
    assert (problem is None) if told is None else (problem is not None and told in problem)
    assert "s3cret" not in (problem or "")


@pytest.mark.parametrize("token", ["", "graph-0001", "a.b.c", "a..c", "a.bnVsbA.c", "a.W10.c", "é.é.é"])
def test_a_token_that_does_not_show_its_permissions_shows_none(token: str) -> None:
    assert granted_roles(token) is None


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Mon, 02 Mar 2026 12:01:30 GMT", {"graph": 90.0}),
        ("Mon, 02 Mar 2026 11:59:00 +0000", {"graph": -60.0}),
        ("Mon, 02 Mar 2026 12:00:00 -0000", {}),
        ("Mon, 02 Mar 99999999999999999999 12:00:00 GMT", {}),
        ("Mon, 02 Mar 2026 12:00:00 +99999999999999", {}),
        ("yesterday", {}),
        ("", {}),
        (None, {}),
    ],
)
def test_an_answers_date_tells_an_upstreams_clock(date: str | None, expected: dict[str, float]) -> None:
    meter = Meter()
    meter.note_server_time("graph", date, NOON)
    assert meter.seconds_ahead == expected
