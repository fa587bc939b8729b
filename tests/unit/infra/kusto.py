"""The queries of alerts and workbook, and what Microsoft's own parser finds in them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.real_parts import KUSTO, required
from tests.unit.infra.bicep import INFRA, read

SCRIPT = Path(__file__).parent / "kusto.js"
NAMES = read("modules/telemetry-names.bicep").variables
TABLES = {
    "traces": {"timestamp": "datetime", "message": "string", "severityLevel": "int"},
    "customMetrics": {
        "timestamp": "datetime",
        "name": "string",
        "value": "real",
        "customDimensions": "dynamic",
    },
    "requests": {"timestamp": "datetime", "name": "string", "success": "string", "duration": "real"},
    "dependencies": {"timestamp": "datetime", "name": "string", "target": "string", "duration": "real"},
    "exceptions": {"timestamp": "datetime", "type": "string", "outerMessage": "string"},
    "_LogOperation": {"TimeGenerated": "datetime", "Category": "string", "Detail": "string"},
}
"""The tables that may be read, with the columns that may be used: Application Insights' in their classic
schema, and the workspace's own record of what it did (a function to Azure, used like a table)."""

MINUTES = "130"
"""For anything computed in a query's text."""


@dataclass(frozen=True)
class Query:
    """What a query is made of; `kusto.js` says what the parts are."""

    text: str
    errors: list[tuple[str, str]]
    columns: dict[str, str]
    tables: list[str]
    compared: list[tuple[str, str, list[str]]]
    read: list[tuple[str, str]]


@cache
def alert_rules() -> dict[str, dict[str, Any]]:
    """The log alerts by anchor, their queries as Azure is given them."""
    variables = read("modules/log-alerts.bicep").variables
    known = {name: str(value).strip("'") for name, value in variables.items()}
    return {
        rule["anchor"]: {
            **rule,
            "query": _complete(rule["query"], known),
            "dimension": NAMES["dimensions"].get(rule["dimension"].removeprefix("dimensions."), ""),
        }
        for rule in variables["rules"]
    }


@cache
def workbook() -> dict[str, Any]:
    """The workbook as it is deployed, but for the id of Application Insights."""
    found: dict[str, Any] = json.loads((INFRA / "modules" / "workbook.json").read_text())
    return found


def charts() -> dict[str, dict[str, Any]]:
    """The workbook's queries by title, each with how it is shown."""
    shown = [item["content"] for item in workbook()["items"] if item["type"] == 3]
    return {content["title"]: content for content in shown}


@cache
def queries() -> dict[str, Query]:
    """All queries, by alert or by title in the workbook."""
    texts = {anchor: rule["query"] for anchor, rule in alert_rules().items()}
    return parsed({**texts, **{title: content["query"] for title, content in charts().items()}})


def parsed(texts: Mapping[str, str]) -> dict[str, Query]:
    """What the parser says of each."""
    tables = {
        name: "(" + ", ".join(f"{column}: {kind}" for column, kind in columns.items()) + ")"
        for name, columns in TABLES.items()
    }
    answer = subprocess.run(
        [shutil.which("node") or "node", str(SCRIPT)],
        input=json.dumps({"tables": tables, "queries": dict(texts)}),
        capture_output=True,
        text=True,
        env={**os.environ, "NODE_PATH": required(KUSTO)},
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    return {
        name: Query(
            text,
            [tuple(error) for error in found[name]["errors"]],
            dict(found[name]["columns"]),
            found[name]["tables"],
            [tuple(one) for one in found[name]["compared"]],
            [tuple(one) for one in found[name]["read"]],
        )
        for name, text in texts.items()
    }


def _complete(text: str, variables: Mapping[str, str]) -> str:
    """What Bicep puts in for `${...}` is put in, and for a variable that is the whole query."""
    names = {
        f"{group}.{name}": value
        for group, members in NAMES.items()
        if isinstance(members, dict)
        for name, value in members.items()
    }
    known = {**names, **variables, "heartbeatFunction": NAMES["heartbeatFunction"]}
    text = str(variables.get(text, text)).strip("'")
    while "${" in text:
        text = re.sub(r"\$\{([^{}]+)\}", lambda found: known.get(found[1], MINUTES), text)
    return text
