"""Every query of alerts and workbook is one that Azure can run: Microsoft's own parser reads it.

A rule whose query fails does not tell anybody; after a week Azure switches it off.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.real_parts import KUSTO, required
from tests.unit.infra.bicep import INFRA, read
from tests.unit.infra.test_alerts import NAMES

SCRIPT = Path(__file__).parent / "kusto.js"
TABLES = {
    "traces": "(timestamp: datetime, message: string, severityLevel: int, customDimensions: dynamic)",
    "customMetrics": "(timestamp: datetime, name: string, value: real, customDimensions: dynamic)",
    "requests": "(timestamp: datetime, name: string, success: string, duration: real)",
    "dependencies": "(timestamp: datetime, name: string, target: string, duration: real)",
    "exceptions": "(timestamp: datetime, type: string, outerMessage: string)",
}
"""Application Insights' tables, with the columns that may be used (classic schema)."""

MINUTES = "130"
"""For anything computed in a query's text."""


def complete(text: str, variables: dict[str, str]) -> str:
    """The query that Azure is given: what Bicep puts in for `${...}` is put in."""
    names = {
        f"{group}.{name}": value
        for group in NAMES
        if group != "heartbeatFunction"
        for name, value in NAMES[group].items()
    }
    known = {**names, **variables, "heartbeatFunction": NAMES["heartbeatFunction"]}
    while "${" in text:
        text = re.sub(r"\$\{([^{}]+)\}", lambda found: known.get(found[1], MINUTES), text)
    return text


@cache
def queries() -> dict[str, str]:
    """All queries, by alert or by title in the workbook."""
    variables = {
        name: str(value).strip("'") for name, value in read("modules/log-alerts.bicep").variables.items()
    }
    rules = read("modules/log-alerts.bicep").variables["rules"]
    alerts = {
        rule["anchor"]: complete(str(variables.get(rule["query"], rule["query"])).strip("'"), variables)
        for rule in rules
    }
    workbook = json.loads((INFRA / "modules" / "workbook.json").read_text())
    charts = {
        item["content"]["title"]: item["content"]["query"] for item in workbook["items"] if item["type"] == 3
    }
    return {**alerts, **charts}


def complaints(texts: dict[str, str]) -> list[list[str]]:
    """What the parser says: name of the query, code, message."""
    environment = {**os.environ, "NODE_PATH": required(KUSTO)}
    given = json.dumps({"tables": TABLES, "queries": texts})
    node = shutil.which("node") or "node"
    answer = subprocess.run(
        [node, str(SCRIPT)], input=given, capture_output=True, text=True, env=environment, timeout=120
    )
    assert answer.returncode == 0, answer.stderr
    found: list[list[str]] = json.loads(answer.stdout)
    return found


def test_every_query_can_be_run() -> None:
    assert len(queries()) > 20
    assert not [text for text in queries().values() if "${" in text]
    assert complaints(queries()) == []


def test_the_parser_finds_what_azure_would_refuse() -> None:
    wrong = {
        "reserved": "traces | summarize last = max(timestamp)",
        "unknown table": "traces2 | count",
        "unknown column": "traces | where nothing > 1",
        "syntax": "traces | summarize count() by by",
    }
    assert {name for name, _, _ in complaints(wrong)} == wrong.keys()


def test_azure_itself_checks_each_query_when_it_is_deployed() -> None:
    body = read("modules/log-alerts.bicep").resource("alerts").body
    assert "skipQueryValidation" not in body["properties"]
