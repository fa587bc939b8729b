"""Alerts: everything that must be noticed is, each with a way out in the runbook, by names that exist."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.real_parts import PROJECT
from tests.unit.infra.bicep import Expr, files, read
from tests.unit.infra.functions import background_functions
from tests.unit.infra.kusto import NAMES, alert_rules

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
    "daily-cap": 2,
    "alert-rules": 4,
}
"""What must be noticed, with the least urgent severity that will do. Cost is a budget's."""

OF_THE_ACTIVITY_LOG = 4
"""Azure gives its alerts this severity; it cannot be chosen."""

WINDOWS = {5, 10, 15, 30, 45, 60, 120, 180, 240, 300, 360, 1440, 2880}
"""Minutes that a log alert may look back: the service lists them when it refuses others."""

METRIC_WINDOWS = {1, 5, 15, 30, 60, 360, 720, 1440}

COUNTS = {"Average", "Minimum", "Maximum"}
METRICS = {
    ("Microsoft.ServiceBus/namespaces", "ActiveMessages"): COUNTS,
    ("Microsoft.ServiceBus/namespaces", "DeadletteredMessages"): COUNTS,
    ("Microsoft.ServiceBus/namespaces", "ThrottledRequests"): {"Total"},
    ("Microsoft.Cache/redisEnterprise", "usedmemorypercentage"): {"Maximum"},
}
"""How each may be aggregated: learn.microsoft.com/azure/azure-monitor/reference/metrics-index."""


def alerts() -> dict[str, int]:
    """Severity by anchor."""
    found = {
        rule["anchor"]: rule["severity"]
        for name in ("log-alerts", "metric-alerts")
        for rule in read(f"modules/{name}.bicep").variables["rules"]
    }
    availability = read("modules/availability.bicep")
    found[availability.variables["anchor"]] = availability.resource("alert").body["properties"]["severity"]
    found[read("modules/rule-alerts.bicep").variables["anchor"]] = OF_THE_ACTIVITY_LOG
    return found


def in_the_runbook() -> set[str]:
    """What has a section there."""
    return {*alerts(), read("modules/budget.bicep").variables["anchor"]}


def queries() -> dict[str, str]:
    """Queries of the log alerts, with what they share put in."""
    variables = LOG_ALERTS.variables
    return {rule["anchor"]: variables.get(rule["query"], rule["query"]) for rule in variables["rules"]}


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
    assert in_the_runbook() <= headings()


def test_the_runbook_has_no_section_for_an_alert_that_does_not_exist() -> None:
    part = RUNBOOK.partition("## Alerts")[2].partition("\n## ")[0]
    sections = set(re.findall(r"^### (.+)$", part, re.MULTILINE))
    assert sections == in_the_runbook()


def test_every_section_says_what_it_means_how_to_look_what_to_do_and_when_it_is_over() -> None:
    part = RUNBOOK.partition("## Alerts")[2].partition("\n## ")[0]
    for section in part.split("\n### ")[1:]:
        for word in ("**Means**:", "**Look**:", "**Do**:", "**Over when**:"):
            assert word in section, f"{word} is missing in {section.splitlines()[0]}"


def test_the_runbook_s_table_of_alerts_is_bicep_s() -> None:
    rows = re.findall(r"^\| \[([\w-]+)\]\(#([\w-]+)\) \| (\d|-) \|", RUNBOOK, re.MULTILINE)
    assert all(name == anchor for name, anchor, _ in rows)
    told = {name: int(severity) for name, _, severity in rows if severity != "-"}
    assert told == alerts()
    assert [name for name, _, severity in rows if severity == "-"] == ["cost"]


def test_each_section_tells_the_severity_that_bicep_gives() -> None:
    part = RUNBOOK.partition("## Alerts")[2].partition("\n## ")[0]
    for section in part.split("\n### ")[1:]:
        anchor = section.splitlines()[0]
        if anchor in alerts():
            assert f"(severity {alerts()[anchor]}" in section.replace("\n  ", " "), anchor


def test_links_within_the_runbook_lead_somewhere() -> None:
    assert set(re.findall(r"\(#([\w-]+)\)", RUNBOOK)) <= headings()


@pytest.mark.parametrize("name", ["log-alerts", "metric-alerts", "rule-alerts"])
def test_alerts_carry_the_address_of_their_section_and_tell_somebody(name: str) -> None:
    body = read(f"modules/{name}.bicep").resource("alerts").body
    anchor = "${anchor}" if name == "rule-alerts" else "${rule.anchor}"
    assert "${runbookUrl}#" + anchor in body["properties"]["description"]
    assert "actionGroupId" in str(body["properties"]["actions"])
    assert body["properties"]["enabled"] is True


def test_the_availability_test_asks_for_readiness() -> None:
    availability = read("modules/availability.bicep")
    request = availability.resource("test").body["properties"]["Request"]
    assert request["RequestUrl"] == Expr("'https://${hostName}/ready'")
    alert = availability.resource("alert").body["properties"]
    assert alert["criteria"]["webTestId"] == Expr("test.id")
    assert "${runbookUrl}#${anchor}" in alert["description"]


# -- that they can fire, and end ------------------------------------------------------------------------


def minutes(duration: str) -> list[int]:
    """The durations in a text, such as PT15M or P2D."""
    units = {"D": 1440, "H": 60, "M": 1}
    return [int(number) * units[unit] for number, unit in re.findall(r"P[T]?(\d+)([DHM])", duration)]


@pytest.mark.parametrize("anchor", alert_rules())
def test_a_log_alert_looks_back_and_as_often_as_azure_allows(anchor: str) -> None:
    rule = alert_rules()[anchor]
    (frequency,) = minutes(rule["frequency"])
    assert minutes(rule["window"])
    assert set(minutes(rule["window"])) <= WINDOWS
    # Less often, and Azure would not know whether the rule works. Never longer than it looks back, or
    # something could come and go unseen.
    assert frequency in (5, 15)
    assert frequency <= min(minutes(rule["window"]))


def test_a_log_alert_fires_at_the_first_row_and_ends_when_there_is_none() -> None:
    properties = LOG_ALERTS.resource("alerts").body["properties"]
    (criterion,) = properties["criteria"]["allOf"]
    asked = {name: criterion[name] for name in ("timeAggregation", "operator", "threshold")}
    assert asked == {"timeAggregation": "Count", "operator": "GreaterThan", "threshold": 0}
    # More than one look would need a column of times in each result.
    assert criterion["failingPeriods"] == {"numberOfEvaluationPeriods": 1, "minFailingPeriodsToAlert": 1}
    assert properties["autoMitigate"] is True
    assert properties["enabled"] is True


@pytest.mark.parametrize("anchor", alert_rules())
def test_a_query_that_counts_or_sums_returns_no_row_when_all_is_well(anchor: str) -> None:
    """`summarize` without `by` always returns one."""
    *before, final = str(alert_rules()[anchor]["query"]).split(" | ")
    assert "summarize" not in final
    assert not any(part.startswith("summarize") for part in before[-1:]) or final.startswith("where ")


@pytest.mark.parametrize("rule", read("modules/metric-alerts.bicep").variables["rules"])
def test_a_metric_alert_asks_for_what_azure_has_and_looks_back_as_it_allows(rule: dict[str, Any]) -> None:
    properties = read("modules/metric-alerts.bicep").resource("alerts").body["properties"]
    assert rule["aggregation"] in METRICS[rule["type"], rule["metric"]]
    assert set(minutes(rule["window"])) <= METRIC_WINDOWS
    assert minutes(properties["evaluationFrequency"]) <= minutes(rule["window"])
    assert properties["autoMitigate"] is True


def test_readiness_is_judged_over_two_questions_at_least() -> None:
    availability = read("modules/availability.bicep")
    alert, test = (availability.resource(name).body["properties"] for name in ("alert", "test"))
    assert minutes(alert["windowSize"])[0] * 60 >= 2 * test["Frequency"]


def test_a_rule_that_does_not_work_is_noticed() -> None:
    """The names are those of Azure's documentation: an example of the event, and the states of health."""
    failing, disabled = read("modules/rule-alerts.bicep").variables["rules"]
    assert {event["equals"] for event in failing["events"]} == {"Unavailable", "Degraded"}
    assert failing["category"] == "ResourceHealth"
    assert disabled["category"] == "Administrative"
    assert [event["equals"] for event in disabled["events"]] == [
        "Microsoft.Insights/ScheduledQueryRules/disable/action"
    ]
    properties = read("modules/rule-alerts.bicep").resource("alerts").body["properties"]
    assert properties["scopes"] == [Expr("resourceGroup().id")]
    category, kind, _ = properties["condition"]["allOf"]
    assert category == {"field": "category", "equals": Expr("rule.category")}
    assert kind == {"field": "resourceType", "equals": "Microsoft.Insights/scheduledQueryRules"}


# -- the names that queries use -------------------------------------------------------------------------


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


def test_the_heartbeat_is_started_by_a_timer() -> None:
    """A request that somebody makes would be no sign of life."""
    assert NAMES["heartbeatFunction"] in background_functions()


def test_no_success_is_noticed_after_two_schedules_and_also_when_all_is_silent() -> None:
    query = LOG_ALERTS.variables["noSuccess"]
    assert "${2 * syncIntervalMinutes + 10}" in query
    assert "isnull(newest)" in query
    (module,) = (one for one in read("modules/watching.bicep").modules if one.symbol == "logAlerts")
    assert module.params["syncIntervalMinutes"] == Expr("syncIntervalMinutes")


def test_a_breaker_counts_after_ten_minutes() -> None:
    assert queries()["breaker-open"].endswith("where value > 600'")


def test_the_workbook_and_the_budget_are_deployed() -> None:
    assert {"workbook", "budget", "availability", "logAlerts", "metricAlerts", "ruleAlerts"} <= {
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
