"""Workflows pass actionlint, scripts pass ShellCheck."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.real_parts import ACTIONLINT, PROJECT, SHELLCHECK, required
from tests.unit.infra.bicep import INFRA


def scripts() -> list[Path]:
    """Shell scripts of the deployment: by their first line, or what they source."""
    found = [path for path in sorted(INFRA.iterdir()) if path.is_file() and path.suffix in ("", ".sh")]
    return [path for path in found if "bash" in "".join(path.read_text().splitlines()[:2])]


def test_workflows_pass_actionlint() -> None:
    shellcheck = required(SHELLCHECK)
    workflows = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
    assert len(workflows) == 3
    done = subprocess.run(
        [required(ACTIONLINT), "-shellcheck", shellcheck, *map(str, workflows)],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], "HOME": str(PROJECT)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_scripts_pass_shellcheck() -> None:
    names = {path.name for path in scripts()}
    assert {
        "deploy",
        "first-release",
        "lib.sh",
        "package",
        "packages",
        "release",
        "rollback",
        "watch",
    } <= names
    done = subprocess.run(
        [required(SHELLCHECK), *map(str, scripts())],
        cwd=PROJECT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_scripts_can_be_run_and_stop_at_the_first_error() -> None:
    for path in scripts():
        if path.suffix:
            continue
        assert os.access(path, os.X_OK), path.name
        assert "set -euo pipefail" in path.read_text(), path.name
