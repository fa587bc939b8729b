"""The runbook's drill: its commands make every alert fire that they say."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.ingestion import Ingestion, ingesting
from tests.unit.infra.bicep import read
from tests.unit.infra.kusto import alert_rules, queries
from tests.unit.infra.telemetry_rows import Row, holds, rows_of
from tests.unit.infra.test_alerts import RUNBOOK, in_the_runbook

DRILL = RUNBOOK.partition("## Drill")[2].partition("\n## ")[0]
SECTIONS = {part.splitlines()[0]: part for part in DRILL.split("\n### ")[1:]}
SETUP = DRILL.split("```")[1]

AZ = """#!/usr/bin/env bash
case "$*" in
  "resource list "*) echo /subscriptions/s/components/i ;;
  "resource show --ids /subscriptions/s/components/i "*) echo '{connection}' ;;
  "account get-access-token "*) echo t0ken ;;
esac
"""
COUNTED = ("exceptions", "samples", "sweeps")
"""What queries call a number of rows."""


def anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def told_in_table() -> dict[str, str]:
    """The drill of each alert, by the anchor of its section."""
    return dict(re.findall(r"^\| \[([\w-]+)\]\(.*\[\w\]\(#([\w-]+)\) \|$", RUNBOOK, re.MULTILINE))


def fired_by() -> dict[str, list[str]]:
    """The commands that make up telemetry, by the alert that each is for."""
    lines = re.findall(r"^((?:figure|failed_run|failure|for n in).*?) +# ([\w-]+)$", DRILL, re.MULTILINE)
    found: dict[str, list[str]] = {}
    for command, alert in lines:
        found.setdefault(alert, []).append(command)
    return found


def test_every_alert_has_a_drill_which_names_it() -> None:
    assert told_in_table().keys() == in_the_runbook()
    by_anchor = {anchor(title): text for title, text in SECTIONS.items()}
    for alert, section in told_in_table().items():
        assert re.search(rf"(?<![\w-]){alert}(?![\w-])", by_anchor[section]), f"{alert} is not in {section}"


def sent(commands: list[str], folder: Path) -> Ingestion:
    """What arrives when these commands are given after those that the drill begins with."""
    with ingesting() as ingestion:
        az = AZ.replace("{connection}", ingestion.connection_string + ";ApplicationId=a")
        for name, text in {"az": az, "sleep": "#!/bin/sh\n"}.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o700)
        environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "AZURE_RESOURCE_GROUP": "rg"}
        environment["no_proxy"] = "127.0.0.1"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join([SETUP, *commands])],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    return ingestion


@pytest.mark.parametrize("alert", fired_by())
def test_what_is_made_up_is_what_the_alert_fires_at(alert: str, tmp_path: Path) -> None:
    ingestion = sent(fired_by()[alert], tmp_path)
    assert {headers["Authorization"] for _, headers, _ in ingestion.requests} == {"Bearer t0ken"}
    assert {path for path, _, _ in ingestion.requests} == {"/v2.1/track"}
    query = queries()[alert]
    (table,) = query.tables
    rows = [row for row in rows_of(ingestion)[table] if all(holds(row, *one) for one in query.compared)]
    assert rows, "none that the query looks for"
    for name, operator, number in re.findall(r"(\w+) (>|==) ([\d.]+)", query.text):
        assert _passes(rows, name, operator, float(number)), f"{name} {operator} {number} is not so"


def _passes(rows: list[Row], name: str, operator: str, number: float) -> bool:
    seen: list[Any] = [len(rows)] if name in COUNTED else [row["value"] for row in rows]
    return all(one > number if operator == ">" else one == number for one in seen)


def test_a_figure_that_is_made_up_is_no_real_one_s(tmp_path: Path) -> None:
    """Except in drill B, where the app sends none."""
    (beside_the_app,) = (text for title, text in SECTIONS.items() if title.startswith("A:"))
    commands = [one for lines in fired_by().values() for one in lines if one in beside_the_app]
    for row in rows_of(sent(commands, tmp_path))["customMetrics"]:
        assert "drill" in row["customDimensions"].values()


def test_every_log_alert_that_nothing_is_made_up_for_is_the_app_s_silence_or_azure_s() -> None:
    others = {"app-silent", "no-successful-run", "daily-cap"}
    assert fired_by().keys() == alert_rules().keys() - others


def test_the_lowered_bars_are_put_back_where_bicep_has_them() -> None:
    rules = read("modules/metric-alerts.bicep").variables["rules"]
    put_back = re.findall(r"^bar ([\w-]+) (\w+) (\d+)$", DRILL, re.MULTILINE)
    assert put_back == [(rule["anchor"], "GreaterThan", str(rule["threshold"])) for rule in rules]
    lowered = re.findall(
        r"^for alert in (.+); do bar \$alert GreaterThanOrEqual 0; done$", DRILL, re.MULTILINE
    )
    assert lowered == [" ".join(rule["anchor"] for rule in rules)]
