"""The Tab key in a real bash, by what `safetyamp-sync completion bash` prints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.version import PROGRAM

INSTALLED = Path(sys.executable).with_name(PROGRAM)
PRESS_TAB = """
eval "$(safetyamp-sync completion bash)"
COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 COMP_WORDBREAKS=" "
_python_argcomplete safetyamp-sync
printf "%s\\n" "${COMPREPLY[@]}"
"""


def test_the_command_is_installed_and_is_the_same_program(tmp_path: Path) -> None:
    said = subprocess.run([INSTALLED, "--version"], cwd=tmp_path, capture_output=True, check=True, text=True)
    as_module = [sys.executable, "-m", "local", "--version"]
    assert said.stdout == subprocess.run(as_module, capture_output=True, check=True, text=True).stdout


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("st", {"status"}),
        ("explain emp", {"employees"}),
        ("sync employees --re", {"--record", "--refresh", "--reason"}),
        ("status --ke", set()),
    ],
)
def test_the_tab_key_knows_commands_choices_and_options(
    typed: str, completed: set[str], tmp_path: Path
) -> None:
    pressed = subprocess.run(
        ["bash", "-c", PRESS_TAB, "bash", f"{PROGRAM} {typed}"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{INSTALLED.parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        check=True,
        text=True,
    )
    assert pressed.stderr == ""
    assert set(pressed.stdout.split()) == completed
