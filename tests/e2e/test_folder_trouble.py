"""`python -m local` with a LOCAL_FOLDER that cannot hold documents: one sentence and exit status 2."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.app_process import local
from tests.e2e.processes import SimulatorProcess
from tests.unit.engine_rig import REQUIRED

SETTINGS_WRONG = 2


def check_one_sentence(done: subprocess.CompletedProcess[str], why: str) -> None:
    assert done.returncode == SETTINGS_WRONG, done.stderr
    assert "Traceback" not in done.stderr
    (said,) = (line for line in done.stderr.splitlines() if line.startswith("not done: "))
    assert "LOCAL_FOLDER" in said
    assert why in said


@pytest.mark.parametrize(
    "command", [("once",), ("once", "--plan"), ("once", "--json"), ("up", "--port", "0")]
)
def test_a_file_in_its_place(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "documents").write_text("not a folder")
    settings = {**REQUIRED, "LOCAL_FOLDER": str(tmp_path / "documents")}
    check_one_sentence(local(settings, tmp_path, *command), "it is a file")


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    settings = {**REQUIRED, "LOCAL_FOLDER": str(tmp_path / ("x" * 300))}
    check_one_sentence(local(settings, tmp_path, "once"), "too long")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=80k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk can only be mounted by root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_full_in_the_middle_of_a_run(tmp_path: Path, small_disk: Path) -> None:
    with SimulatorProcess(tmp_path, "--employees", "20", "--calls", "1000") as upstreams:
        settings = {**upstreams.settings, "LOCAL_FOLDER": str(small_disk / "documents"), "MAX_PROCESSES": "1"}
        done = local(settings, tmp_path, "once")
        check_one_sentence(done, "no space left")
        settings["LOCAL_FOLDER"] = str(tmp_path / "documents")
        (small_disk / "documents").rename(small_disk / "moved")
        subprocess.run(["cp", "-r", str(small_disk / "moved"), settings["LOCAL_FOLDER"]], check=True)
        done = local(settings, tmp_path, "once")
        assert done.returncode == 0, "with room again, the same command goes on"


def test_pauses_that_cannot_be_read_are_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "control.json").write_text("{")
    done = local({**REQUIRED, "LOCAL_FOLDER": str(tmp_path / "documents")}, tmp_path, "once")
    assert done.returncode == SETTINGS_WRONG, done.stderr
    (said,) = (line for line in done.stderr.splitlines() if line.startswith("not done: "))
    assert "control.json cannot be read" in said
    assert "resume all entities" in said
