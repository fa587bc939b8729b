"""The linter of the page's scripts: it judges them as the one module that a browser gets."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.real_parts import ESLINT, PROJECT, required

USES = 'document.title = text("a");\n'
DEFINES = "const text = (value) => `${value}`;\n"


def lint(*scripts: Path, project: Path = PROJECT, **variables: str) -> subprocess.CompletedProcess[str]:
    """The linter's answer about these scripts."""
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    return subprocess.run(
        [project / ".ci" / "eslint", *scripts],
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_one_file_defines_another_may_use(tmp_path: Path) -> None:
    required(ESLINT)
    (tmp_path / "b.js").write_text(DEFINES)
    (tmp_path / "a.js").write_text(USES)
    done = lint(tmp_path / "b.js", tmp_path / "a.js")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("script", "wrong"),
    [
        (USES, "1:18 'text' is not defined. (no-undef)"),
        ("\n" + DEFINES, "2:7 'text' is assigned a value but never used. (no-unused-vars)"),
        (DEFINES + USES + DEFINES, "3:7 Parsing error: Identifier 'text' has already been declared"),
        ("document.hidden == 1;\n", "1:17 Expected '===' and instead saw '=='. (eqeqeq)"),
        (
            DEFINES + "((text) => { document.title = text; })(text);\n",
            "2:3 'text' is already declared in the upper scope on {script}:1 column 7. (no-shadow)",
        ),
    ],
    ids=["unknown", "unused", "twice", "equal", "shadow"],
)
def test_what_is_wrong_is_said_with_its_file_and_line(tmp_path: Path, script: str, wrong: str) -> None:
    required(ESLINT)
    first, second = tmp_path / "first.js", tmp_path / "second.js"
    first.write_text("// Nothing yet.\n")
    second.write_text(script)
    done = lint(first, second)
    assert done.stdout == f"{second}:{wrong.format(script=second)}\n"
    assert done.returncode == 1


@pytest.mark.parametrize(("variables", "ends"), [({}, 0), ({"CI": "true"}, 1)], ids=["at home", "in CI"])
def test_without_eslint_it_says_so_and_fails_in_ci(
    tmp_path: Path, variables: dict[str, str], ends: int
) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(PROJECT / ".ci" / "eslint", tmp_path / ".ci")
    done = lint(tmp_path, project=tmp_path, **variables)
    assert "are not linted" in done.stderr
    assert done.returncode == ends
