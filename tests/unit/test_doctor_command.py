"""`python -m local doctor`: the table, the JSON, and the exit status."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from cli.doctor import exit_status_of, show
from cli.main import main
from shared.config import Settings
from shared.doctor import Finding

OK = Finding("vista", "ok", "Vista answers", "", 12)
WARNING = Finding("redis", "warning", "does not [answer]", "Start [it]", None, ("REDIS_HOST",))
FAILED = Finding("documents", "failed", "cannot be read")
SKIPPED = Finding("odbc", "skipped", "not used")
SETTINGS = Finding("settings", "failed", "REDIS_PORT: is no number")


@pytest.mark.parametrize(
    ("findings", "status"),
    [
        ([], 0),
        ([OK, WARNING, SKIPPED], 0),
        ([OK, FAILED], 1),
        ([OK, FAILED, SETTINGS], 2),
        ([Finding("settings.plausible", "failed", "x")], 1),
    ],
)
def test_the_exit_status_tells_the_worst(findings: list[Finding], status: int) -> None:
    assert exit_status_of(findings) == status


def test_the_table_shows_what_was_seen_and_what_to_do() -> None:
    written = io.StringIO()
    show(Console(file=written, width=100), [OK, WARNING, FAILED, SKIPPED])
    lines = [line.rstrip() for line in written.getvalue().splitlines()]
    assert any(line.startswith("✓") and "vista" in line and line.endswith("12") for line in lines)
    assert any(line.startswith("!") and "does not [answer]" in line for line in lines)
    assert any("→ Start [it]" in line for line in lines)
    assert lines[-1] == "1 failed, 1 warning, 1 ok, 1 skipped"


def test_wrong_settings_are_told_beside_what_can_be_seen_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("SAFETYAMP_TOKEN", "s3cret")
    assert main(["doctor", "--json"]) == 2
    written = capsys.readouterr()
    assert "s3cret" not in written.out + written.err
    findings = json.loads(written.out)["findings"]
    wrong = {finding["settings"][0] for finding in findings if finding["check"] == "settings"}
    assert {"SAFETYAMP_FQDN", "MS_GRAPH_TENANT_ID", "VISTA_CONNECTION_STRING"} <= wrong
    assert {"python", "packages", "host.json"} <= {finding["check"] for finding in findings}
    assert findings[-1]["check"] == "connections"
    assert findings[-1]["status"] == "skipped"
