"""Runs a script of `infra/` with a fake Azure, and a `smoke.py` whose answers a test chooses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.unit.infra import fake_azure
from tests.unit.infra.bicep import INFRA

OLDER = "20251231-100000-999999999999.zip"
OLD, NEW = "20260101-100000-aaaaaaaaaaaa.zip", "20260102-100000-bbbbbbbbbbbb.zip"

PYTHON = """#!/bin/sh
case "$1" in
  */smoke.py)
    shift
    [ "$1" != --reachable ] || exit "${REFUSED:-0}"
    echo "$* key=$SAFETYAMP_SYNC_KEY" >>"$SMOKES"
    read -r status <"$STATUSES" && sed -i 1d "$STATUSES"
    exit "${status:-0}" ;;
esac
exec "%s" -S -E "$@"
"""


@dataclass
class ScriptRig:
    """A folder with the fakes; `state` of Azure, and which addresses were smoked."""

    folder: Path

    def __post_init__(self) -> None:
        tools = self.folder / "bin"
        tools.mkdir()
        _tool(tools / "az", f'#!/bin/sh\nexec "{sys.executable}" -S -E "{fake_azure.__file__}" "$@"\n')
        _tool(tools / "azd", '#!/bin/sh\necho "$*" >>"$HOME/azd"\n')
        _tool(tools / "python3", PYTHON % sys.executable)
        (self.folder / "smokes").touch()
        (self.folder / "statuses").touch()
        (self.folder / "azd").touch()
        self.set_azure()

    def set_azure(self, **state: Any) -> None:
        """Production runs OLD, staging NEW, nothing fires, unless said otherwise."""
        start: dict[str, Any] = {
            "plan": "premium",
            "slots": {"production": OLD, "staging": NEW},
            "blobs": {OLD: "old", NEW: "new"},
            "alerts": [],
            "traffic": None,
            "deployed": None,
            "deployed_at": {OLD: "20260101100000", NEW: "20260102100000"},
            "deployments": [],
            "synchronised": [],
            "calls": [],
            "failing": {},
            "lost": None,
            "signed_out_after": None,
            "stopped_at": None,
        }
        (self.folder / "azure.json").write_text(json.dumps(start | state))

    def set_smokes(self, *statuses: int) -> None:
        """Exit statuses of the next runs of smoke.py; 0 after those."""
        (self.folder / "statuses").write_text("".join(f"{status}\n" for status in statuses))

    @property
    def azure(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "azure.json").read_text())
        return found

    @property
    def smokes(self) -> list[str]:
        return (self.folder / "smokes").read_text().splitlines()

    @property
    def azd(self) -> list[str]:
        """What `azd` was told."""
        return (self.folder / "azd").read_text().splitlines()

    def run(self, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end, for the resource group rg1."""
        return subprocess.run(
            [str(INFRA / script), *arguments],
            env={
                "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(self.folder),
                "FAKE_AZURE": str(self.folder / "azure.json"),
                "SMOKES": str(self.folder / "smokes"),
                "STATUSES": str(self.folder / "statuses"),
                "AZURE_RESOURCE_GROUP": "rg1",
                "WATCH_MINUTES": "0",
                "RETRY_PAUSE_SECONDS": "0",
                "RETRY_TIMES": "3",
                **environment,
            },
            cwd=self.folder,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
            start_new_session=True,  # its leader is the script: whom the fake `az` tells to stop
        )


def _tool(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
