"""Every query of alerts and workbook is one that Azure can run: Microsoft's own parser reads it.

A rule whose query fails does not tell anybody; after a week Azure switches it off.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.unit.infra.bicep import Expr, read
from tests.unit.infra.kusto import alert_rules, charts, parsed, queries, workbook

SHOWN = {
    "tiles": ["a number"],
    "timechart": ["a time", "a number"],
    "barchart": ["a time", "a number"],
    "table": [],
}
"""What a way of showing needs among the columns."""

KINDS = {"datetime": "a time", "long": "a number", "real": "a number", "string": "a text"}


def test_every_query_can_be_run() -> None:
    assert len(queries()) > 20
    assert not [query.text for query in queries().values() if "${" in query.text]
    assert {name: query.errors for name, query in queries().items() if query.errors} == {}


def test_the_parser_finds_what_azure_would_refuse() -> None:
    wrong = {
        "reserved": "traces | summarize last = max(timestamp)",
        "unknown table": "traces2 | count",
        "unknown column": "traces | where nothing > 1",
        "syntax": "traces | summarize count() by by",
    }
    assert all(query.errors for query in parsed(wrong).values())


def test_azure_itself_checks_each_query_when_it_is_deployed() -> None:
    body = read("modules/log-alerts.bicep").resource("alerts").body
    assert "skipQueryValidation" not in body["properties"]


def test_an_alert_splits_by_texts_that_its_query_returns() -> None:
    for anchor, rule in alert_rules().items():
        if rule["dimension"]:
            assert queries()[anchor].columns[rule["dimension"]] == "string"


def test_an_alert_asks_the_workspace_only_where_its_table_is() -> None:
    of_workspace = {anchor for anchor in alert_rules() if queries()[anchor].tables == ["_LogOperation"]}
    (scope,) = read("modules/log-alerts.bicep").resource("alerts").body["properties"]["scopes"]
    assert scope == Expr("rule.anchor == 'daily-cap' ? workspace.id : insights.id")
    assert of_workspace == {"daily-cap"}


# -- the workbook ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("title", charts())
def test_a_chart_shows_columns_that_its_query_returns(title: str) -> None:
    chart, columns = charts()[title], queries()[title].columns
    assert {KINDS[kind] for kind in columns.values()} >= set(SHOWN[chart["visualization"]])
    assert _columns_named(chart) <= columns.keys()
    # A tile shows what its settings name.
    assert ("tileSettings" in chart) == (chart["visualization"] == "tiles")


def _columns_named(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(_columns_named, value))
    if not isinstance(value, dict):
        return set()
    own = {value["columnMatch"]} if "columnMatch" in value else set()
    return own.union(*map(_columns_named, value.values()))


def test_the_workbook_s_parameters_are_there_and_used_by_every_chart() -> None:
    (parameters,) = (item["content"]["parameters"] for item in workbook()["items"] if item["type"] == 9)
    names = {parameter["name"] for parameter in parameters}
    assert all(parameter["isRequired"] and parameter["value"] for parameter in parameters)
    assert {chart["timeContextFromParameter"] for chart in charts().values()} == names
    mentioned = {name for chart in charts().values() for name in re.findall(r"\{(\w+)", chart["query"])}
    assert mentioned <= names


def test_the_workbook_that_is_deployed_names_the_resource_and_is_sound() -> None:
    (resource,) = read("modules/workbook.bicep").of_type("Microsoft.Insights/workbooks")
    how = re.fullmatch(
        r"replace\(loadTextContent\('workbook.json'\), '(.+)', insights.id\)",
        resource.body["properties"]["serializedData"],
    )
    assert how is not None
    deployed = json.loads(json.dumps(workbook()).replace(how[1], "/subscriptions/s/components/i"))
    assert deployed["fallbackResourceIds"] == ["/subscriptions/s/components/i"]
    assert "{insights" not in json.dumps(deployed)


def test_the_workbook_shows_runs_outcomes_calls_latency_and_failures() -> None:
    titles = " ".join(charts()).lower()
    for subject in ("runs", "outcomes", "calls", "latency", "failed"):
        assert subject in titles
