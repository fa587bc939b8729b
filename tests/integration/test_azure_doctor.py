"""azure-functions-doctor over the app: clean, but for warnings that are answered here and in
CONTRIBUTING.md. A new warning fails, and so does a new finding under an answered one.

Not `python -m local doctor`, which asks the systems that the settings name.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pathspec import GitIgnoreSpec

PROJECT = Path(__file__).resolve().parents[2]
NOT_THE_APP = ("/.git", "/local", "/tests")
"""Never deployed (test_package.py); the apps within tests would be taken for ours."""

CONNECTION = r"  - SERVICE_BUS_CONNECTION \(functions/queues\.py:\w+\)\n"
ANSWERS = {
    # Core Tools are for those who have them; `python -m local up` runs the app without.
    "check_func_cli": "func not found",
    "check_func_core_tools_version": "func: not_installed",
    # The Bicep files describe every plan, and it reads them as one: only the Premium plan's module has it.
    "check_flex_runtime_config": r"linuxFxVersion is declared on a Flex Consumption app, .*",
    # It holds secrets and is in .gitignore; local.settings.json.example is what to copy.
    "check_local_settings": r"\S+/local\.settings\.json not found",
    # make runs the environment's Python without activating it.
    "check_venv": "Targets not found",
    # Both are settings of the deployed app. Without the first there is no telemetry; without the second
    # /ready answers 503 and names it.
    "check_app_insights": "Application Insights is not configured; set [A-Z]+_CONNECTION_STRING to enable .*",
    "check_binding_connection_resolution": (
        rf"Binding connections reference unconfigured settings:\n({CONNECTION})+Add the missing app.*"
    ),
    # Its wheels bring unixODBC, Azure's images the driver; dependencies are built in Azure or in the image.
    "check_native_dependency_risk": r"Native dependencies detected: pyodbc\n.*\n- pyodbc: requires [^\n]*",
    # The rules of time zones: the newest are the right ones; an upper bound would one day keep old ones.
    "check_unpinned_requirements": (
        r"Unpinned or unbounded dependencies in requirements\.txt:\n- tzdata [^\n]*\n\nFix: [^\n]*"
    ),
}
"""Check to the whole of what it may find, without the " (optional)" that is added to it."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project without environments, tests and what else is not the app."""
    lines = [*NOT_THE_APP, *(PROJECT / ".gitignore").read_text().splitlines()]
    ignored = GitIgnoreSpec.from_lines(lines)

    def left_out(folder: str, names: list[str]) -> list[str]:
        inside = Path(folder).relative_to(PROJECT)
        paths = {name: (inside / name).as_posix() for name in names}
        return [name for name, path in paths.items() if any(map(ignored.match_file, (path, f"{path}/")))]

    return Path(shutil.copytree(PROJECT, tmp_path_factory.mktemp("project") / "app", ignore=left_out))


@pytest.mark.parametrize("plan", ["premium", "flex-consumption"])
def test_it_finds_nothing_that_is_not_answered(app: Path, plan: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    ran = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("azure-functions-doctor")), "doctor", "--path", str(app)),
            *("--profile", "full", "--target-python", "3.13", "--hosting-plan", plan),
            *("--format", "json", "--output", str(report)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    items = [item for section in json.loads(report.read_text())["results"] for item in section["items"]]
    assert sum(item["status"] == "pass" for item in items) > len(ANSWERS)
    found = {item["rule_id"]: item["value"] for item in items if item["status"] not in ("pass", "skip")}
    unanswered = {
        check: text
        for check, text in found.items()
        if not re.fullmatch(ANSWERS.get(check, ""), text.replace(" (optional)", ""), re.DOTALL)
    }
    assert unanswered == {}
