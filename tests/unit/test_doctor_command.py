"""`python -m local doctor`: the table, the JSON, and the exit status."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from cli import local_commands
from cli.doctor import exit_status_of, show, show_what_failed
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


def test_before_a_run_what_fails_is_told_in_the_doctors_words(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def checked(_: object, *, deep: bool) -> list[Finding]:
        asked.append(deep)
        return [OK, WARNING, FAILED]

    monkeypatch.setattr("cli.doctor.check_everything", checked)
    written = io.StringIO()
    runtime: Any = None
    show_what_failed(Console(file=written, width=100), runtime)
    said = written.getvalue()
    assert asked == [False], "the quick part"
    assert "documents" in said
    assert "cannot be read" in said
    assert "vista" not in said
    assert said.rstrip().endswith("the run does what it can without")


def test_nothing_is_told_before_a_run_when_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.doctor.check_everything", lambda *_, **__: [OK, WARNING, SKIPPED])
    written = io.StringIO()
    runtime: Any = None
    show_what_failed(Console(file=written, width=100), runtime)
    assert written.getvalue() == ""


@pytest.mark.parametrize("words", [("once",), ("once", "--plan"), ("plan",)])
def test_a_run_begins_with_that_look(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    class Looked(Exception):
        pass

    def look(_console: object, runtime: object) -> None:
        raise Looked(runtime)

    stack = SimpleNamespace(runtime="the runtime", close=lambda: None)
    monkeypatch.setattr(local_commands, "LocalStack", lambda _: stack)
    monkeypatch.setattr(local_commands, "show_what_failed", look)
    with pytest.raises(Looked, match="the runtime"):
        main(words)
