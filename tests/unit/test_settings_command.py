"""`safetyamp-sync settings`: what counts here, line by line, and the exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import main
from cli.settings_file import FILE_NAME
from shared.config import Settings
from tests.unit.engine_rig import REQUIRED

SECRETS = [text for name, text in REQUIRED.items() if "5ecret" in text]


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A local.settings.json with what is required, in a folder and an environment without anything else."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for name in (*Settings.model_fields, "safetyamp_sync_url"):
        monkeypatch.delenv(name.upper(), raising=False)
    return written(tmp_path / FILE_NAME)


def written(path: Path, **more: str) -> Path:
    path.write_text(json.dumps({"Values": {**REQUIRED, **more}}))
    return path


def test_what_is_set_is_told_with_where_it_comes_from_and_secrets_are_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VISTA_COMPANY", "2")
    assert main(["settings"]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert "Vista docs/settings.md#vista" in lines
    assert "  environment          VISTA_COMPANY=2  (default 1)" in lines
    assert "  local.settings.json  SAFETYAMP_FQDN=two-rivers.safetyamp.test" in lines
    assert "  local.settings.json  SAFETYAMP_TOKEN=(set, not shown)" in lines
    assert lines[-2] == f"{len(Settings.model_fields) - 7} more are as they are by default: --all shows them"
    assert lines[-1].startswith("next: ")
    assert not [secret for secret in SECRETS if secret in out]


def test_all_of_them_are_told_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "--all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum("=" in line for line in lines) == len(Settings.model_fields)
    assert "  default              HOME_OFFICE_SUFFIX= Office" in lines
    assert "  not set              SERVICE_BUS_CONNECTION__fullyQualifiedNamespace=" in lines


def test_a_wrong_one_is_told_in_its_place_and_by_the_exit_status(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(file, REDIS_PORT="many", SAFETYAMP_TOKEN="")
    assert main(["settings"]) == 2
    lines = capsys.readouterr().out.splitlines()
    at = lines.index("  local.settings.json  REDIS_PORT=many  (default 6379)")
    assert lines[at + 1].startswith("    ✗ REDIS_PORT input should be a valid integer")
    assert any(line.startswith("    ✗ SAFETYAMP_TOKEN is not set") for line in lines)


def test_json_has_all_of_them_and_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "--json"]) == 0
    out = capsys.readouterr().out
    assert len(json.loads(out)["settings"]) == len(Settings.model_fields)
    assert not [secret for secret in SECRETS if secret in out]


def test_who_works_with_an_app_elsewhere_is_told_that_these_are_not_its_own(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(file, SAFETYAMP_SYNC_URL="https://app.example")
    main(["settings"])
    told = capsys.readouterr().out.splitlines()[-2]
    assert (
        told == "These are read here; what the app at SAFETYAMP_SYNC_URL has is on its page, below Settings"
    )
