"""The version, which a build completes by what it is made of."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from shared.version import VERSION, version_of_build
from tests.real_parts import PROJECT


def test_from_a_working_copy_it_is_the_version_alone(tmp_path: Path) -> None:
    assert version_of_build(tmp_path / "build.json") == VERSION


def test_of_a_build_it_has_the_commit(tmp_path: Path) -> None:
    file = tmp_path / "build.json"
    file.write_text('{"commit": "1a2b3c4d5e6f", "date": "2026-11-29T12:00:00+00:00"}')
    assert version_of_build(file) == f"{VERSION}+1a2b3c4d5e6f"


@pytest.mark.parametrize("text", ["", "[]", "{}", "7", "\ufffe"])
def test_a_stamp_that_cannot_be_read_is_no_reason_not_to_start(tmp_path: Path, text: str) -> None:
    file = tmp_path / "build.json"
    file.write_text(text, encoding="utf-16")
    assert version_of_build(file) == f"{VERSION}+unknown"


def test_the_stamp_of_a_build_names_commit_and_date(tmp_path: Path) -> None:
    """And tells where the package's files are not those of the commit."""

    def git(*arguments: str) -> str:
        made_by = ("-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", *made_by, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def stamp() -> dict[str, str]:
        done = subprocess.run([tmp_path / "infra" / "stamp"], check=True, capture_output=True, text=True)
        found: dict[str, str] = json.loads(done.stdout)
        return found

    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "stamp").write_bytes((PROJECT / "infra" / "stamp").read_bytes())
    (tmp_path / "infra" / "stamp").chmod(0o755)
    (tmp_path / "host.json").write_text("{}")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    assert stamp()["commit"] == git("rev-parse", "--short=12", "HEAD")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", stamp()["date"])
    (tmp_path / "README.md").write_text("not in the package")
    assert not stamp()["commit"].endswith(".changed")
    (tmp_path / "host.json").write_text("{ }")
    assert stamp()["commit"] == git("rev-parse", "--short=12", "HEAD") + ".changed"


def test_where_there_is_no_git_there_is_no_stamp(tmp_path: Path) -> None:
    (tmp_path / "infra").mkdir()
    script = tmp_path / "infra" / "stamp"
    script.write_bytes((PROJECT / "infra" / "stamp").read_bytes())
    script.chmod(0o755)
    done = subprocess.run([script], check=True, capture_output=True, text=True)
    assert done.stdout == ""
