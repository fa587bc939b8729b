"""Alerts: everything that must be noticed is, each with a way out in the runbook, by names that exist."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

import pytest

from tests.real_parts import PROJECT
from tests.unit.infra.bicep import INFRA, Expr, files, read
from tests.unit.infra.functions import background_functions

NAMES = read("modules/telemetry-names.bicep").variables
LOG_ALERTS = read("modules/log-alerts.bicep")
RUNBOOK = (PROJECT / "docs" / "runbook.md").read_text()

AT_MOST = {
    "no-successful-run": 1,
    "run-failed": 1,
    "run-held": 2,
    "dead-letters": 2,
    "breaker-open": 2,
    "exceptions": 2,
    "not-ready": 1,
    "queue-age": 2,
    "limiter-saturated": 3,
    "redis-memory": 2,
}
"""What must be noticed, with the least urgent severity that will do. Cost is a budget's."""


def alerts() -> dict[str, int]:
    """Severity by anchor."""
    found = {
        rule["anchor"]: rule["severity"]
        for name in ("log-alerts", "metric-alerts")
        for rule in read(f"modules/{name}.bicep").variables["rules"]
    }
    availability = read("modules/availability.bicep")
    found[availability.variables["anchor"]] = availability.resource("alert").body["properties"]["severity"]
    return found


def queries() -> dict[str, str]:
    """Queries of the log alerts, with what they share put in."""
    variables = LOG_ALERTS.variables
    return {rule["anchor"]: variables.get(rule["query"], rule["query"]) for rule in variables["rules"]}


def constants(folder: str) -> set[str]:
    """The texts in the code of a part of the app."""
    trees = (ast.parse(path.read_text()) for path in (PROJECT / folder).rglob("*.py"))
    nodes = (node for tree in trees for node in ast.walk(tree))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_queries_ask_for_names_that_the_app_gives() -> None:
    in_metrics = constants("shared/telemetry")
    assert set(NAMES["metrics"].values()) <= in_metrics
    assert set(NAMES["dimensions"].values()) <= in_metrics
    assert set(NAMES["events"].values()) <= constants("shared/sync")
    assert NAMES["heartbeatFunction"] in background_functions()


def headings() -> set[str]:
    """The anchors that GitHub makes of the runbook's headings."""
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)
    }


@pytest.mark.parametrize("anchor", AT_MOST)
def test_what_must_be_noticed_has_an_alert_of_that_severity(anchor: str) -> None:
    assert alerts()[anchor] <= AT_MOST[anchor]


def test_every_alert_and_the_budget_have_a_section_in_the_runbook() -> None:
    wanted = {*alerts(), read("modules/budget.bicep").variables["anchor"]}
    assert wanted <= headings()


def test_the_runbook_has_no_section_for_an_alert_that_does_not_exist() -> None:
    part = RUNBOOK.partition("## Alerts")[2].partition("\n## ")[0]
    sections = set(re.findall(r"^### (.+)$", part, re.MULTILINE))
    assert sections == {*alerts(), read("modules/budget.bicep").variables["anchor"]}


def test_every_section_says_what_it_means_how_to_look_what_to_do_and_when_it_is_over() -> None:
    part = RUNBOOK.partition("## Alerts")[2].partition("\n## ")[0]
    for section in part.split("\n### ")[1:]:
        for word in ("**Means**:", "**Look**:", "**Do**:", "**Over when**:"):
            assert word in section, f"{word} is missing in {section.splitlines()[0]}"


def test_links_within_the_runbook_lead_somewhere() -> None:
    assert set(re.findall(r"\(#([\w-]+)\)", RUNBOOK)) <= headings()


@pytest.mark.parametrize("name", ["log-alerts", "metric-alerts"])
def test_alerts_carry_the_address_of_their_section_and_tell_somebody(name: str) -> None:
    body = read(f"modules/{name}.bicep").resource("alerts").body
    assert "${runbookUrl}#${rule.anchor}" in body["properties"]["description"]
    assert "actionGroupId" in str(body["properties"]["actions"])
    assert body["properties"]["enabled"] is True


def test_the_availability_test_asks_for_readiness() -> None:
    availability = read("modules/availability.bicep")
    request = availability.resource("test").body["properties"]["Request"]
    assert request["RequestUrl"] == Expr("'https://${hostName}/ready'")
    alert = availability.resource("alert").body["properties"]
    assert alert["criteria"]["webTestId"] == Expr("test.id")
    assert "${runbookUrl}#${anchor}" in alert["description"]


def test_queries_take_every_metric_dimension_and_event_from_the_one_list() -> None:
    for anchor, query in queries().items():
        named = re.findall(
            r'name == "([^"]*)"|customDimensions\["([^"]*)"\]|record\.event\) == "([^"]*)"', query
        )
        for literal in (one for names in named for one in names if one):
            assert re.fullmatch(r"\$\{(metrics|dimensions|events)\.\w+\}|\$\{heartbeatFunction\}", literal), (
                f"{anchor} names {literal} itself"
            )


def test_queries_use_names_that_are_in_the_list_and_the_list_holds_no_others() -> None:
    text = str(queries().values()) + str(LOG_ALERTS.variables["rules"])
    for group in ("metrics", "dimensions", "events"):
        used = set(re.findall(rf"\b{group}\.(\w+)", text))
        assert used == NAMES[group].keys()


def test_the_heartbeat_is_a_function_of_the_app() -> None:
    assert NAMES["heartbeatFunction"] in background_functions()


def test_no_success_is_noticed_after_two_schedules_and_also_when_all_is_silent() -> None:
    query = LOG_ALERTS.variables["noSuccess"]
    assert "${2 * syncIntervalMinutes + 10}" in query
    assert "isnull(newest)" in query
    (module,) = (one for one in read("modules/watching.bicep").modules if one.symbol == "logAlerts")
    assert module.params["syncIntervalMinutes"] == Expr("syncIntervalMinutes")


def test_a_breaker_counts_after_ten_minutes() -> None:
    assert queries()["breaker-open"].endswith("where value > 600'")


def test_the_workbook_is_sound_and_names_metrics_that_exist() -> None:
    workbook: dict[str, Any] = json.loads((INFRA / "modules" / "workbook.json").read_text())
    found = [item["content"]["query"] for item in workbook["items"] if item["type"] == 3]
    titles = " ".join(item["content"]["title"].lower() for item in workbook["items"] if item["type"] == 3)
    for subject in ("runs", "outcomes", "calls", "latency", "failed"):
        assert subject in titles
    metrics = {
        name for query in found for name in re.findall(r'customMetrics \| where name == "(\w+)"', query)
    }
    counters = {"sync_runs_total", "sync_operations_total", "api_requests_total"}
    assert metrics <= {*NAMES["metrics"].values(), *counters}
    assert {name for query in found for name in re.findall(r'record\.event\) == "(\w+)"', query)} <= set(
        NAMES["events"].values()
    )


def test_the_workbook_and_the_budget_are_deployed() -> None:
    assert {"workbook", "budget", "availability", "logAlerts", "metricAlerts"} <= {
        module.symbol for module in read("modules/watching.bicep").modules
    }
    assert "watching" in {module.symbol for module in read("main.bicep").modules}
    (workbook,) = read("modules/workbook.bicep").of_type("Microsoft.Insights/workbooks")
    assert "loadTextContent('workbook.json')" in workbook.body["properties"]["serializedData"]


def test_whatever_holds_data_or_serves_people_sends_its_logs_to_the_workspace() -> None:
    with_logs = {file.path.stem for file in files() if file.of_type("Microsoft.Insights/diagnosticSettings")}
    assert with_logs == {
        "container-app",
        "function-flex",
        "function-premium",
        "key-vault",
        "redis",
        "service-bus",
        "storage-account",
    }
