"""infra/smoke.py against the real app: what a release relies on is what the app answers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.e2e.app_process import UpProcess, app_settings
from tests.e2e.processes import SimulatorProcess, environment
from tests.real_parts import PROJECT

COMPANY = ("--employees", "20", "--calls", "120", "--period", "1")
KEY = "k3y"


def smoke(url: str, key: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROJECT / "infra" / "smoke.py"), url, "--plan", "--minutes", "0.5"],
        env=environment({"SAFETYAMP_SYNC_KEY": key}),
        capture_output=True,
        encoding="utf-8",
        timeout=180,
        check=False,
    )


def test_the_app_that_is_deployed_passes_the_smoke_test_which_changes_nothing(tmp_path: Path) -> None:
    with (
        SimulatorProcess(tmp_path, *COMPANY) as upstreams,
        UpProcess(app_settings(upstreams.settings, tmp_path), tmp_path, "--key", KEY) as app,
    ):
        before = upstreams.snapshot()
        done = smoke(app.url, KEY)
        assert done.returncode == 0, done.stderr + app.output
        assert "healthy and ready, version" in done.stdout
        assert "employees: planned" in done.stdout
        assert upstreams.snapshot() == before
        refused = smoke(app.url, "wrong")
    assert refused.returncode == 1
    assert "to the key in SAFETYAMP_SYNC_KEY" in refused.stderr
