"""The command line where names look like markup, and where its output leads to an odd place: a pipe of
another encoding, one that nobody reads any more, or nowhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from cli.remote.address import URL_SETTING
from local.company.demo import demo_company
from local.host.upstreams import SimulatorServer
from tests.e2e.app_process import UpProcess, app_settings, local
from tests.e2e.processes import environment

ODD = "[/x] [bold]Jos\u00e9 \u4e2d[/bold] \\[y]"
REFUSED = json.dumps({"errors": {"first_name": [f"{ODD} is no name."]}})
SECONDS = 60


@dataclass(frozen=True)
class World:
    """An app that knows odd people, and what to ask it about."""

    settings: dict[str, str]
    folder: Path
    url: str
    run_id: str
    person: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("odd")
    company = demo_company(date(2026, 3, 2), employees=20)
    people = company.tables["bPREH"]
    for row in people:
        row["LastName"], row["udEmpTitle"] = f"{ODD} {row['LastName']}", ODD
    people[0]["LastName"] = " "
    with SimulatorServer(company, folder / "simulators", calls=1000, period=1.0) as server:
        server.tenant.safetyamp.fail_next(3, 422, REFUSED, match="POST /api/users")
        settings = app_settings(server.settings(), folder)
        done = local({**settings, "PYTHONIOENCODING": "ascii"}, folder, "once", "--json")
        assert "Traceback" not in done.stderr
        report = json.loads(done.stdout)
        refused = [p for p in report["entities"]["employees"]["problems"] if p["kind"] == "refused"]
        with UpProcess(settings, folder) as app:
            yield World(settings, folder, app.url, report["run_id"], refused[0]["key"])


def typed(world: World, encoding: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A command with its output in a pipe of this encoding."""
    settings = {**world.settings, URL_SETTING: world.url, "PYTHONIOENCODING": encoding}
    return subprocess.run(
        [sys.executable, "-m", "local", *words],
        cwd=world.folder,
        env=environment(settings),
        capture_output=True,
        timeout=SECONDS,
        encoding=encoding,
        check=False,
    )


def shown(text: str, encoding: str) -> str:
    return text.encode(encoding, "replace").decode(encoding)


COMMANDS = {
    "runs": ("runs",),
    "a run": ("runs", "RUN"),
    "changes": ("changes", "RUN", "--entity", "employees"),
    "explain": ("explain", "employees", "PERSON"),
    "search": ("search", "jos\u00e9"),
    "search for markup": ("search", "[/x]"),
    "failures": ("failures",),
    "status": ("status",),
    "sync": ("sync", "employees", "--record", "PERSON", "--plan"),
}
WITHOUT_NAMES = ("runs", "status", "a run")


@pytest.mark.parametrize(
    ("name", "encoding"), [*((name, "ascii") for name in COMMANDS), ("search", "cp1252"), ("search", "utf-8")]
)
def test_a_running_app_is_asked_about_odd_names(world: World, name: str, encoding: str) -> None:
    words = [word.replace("RUN", world.run_id).replace("PERSON", world.person) for word in COMMANDS[name]]
    said = typed(world, encoding, *words)
    assert "Traceback" not in said.stderr
    assert said.returncode in (0, 1)
    assert said.stdout
    if name not in (*WITHOUT_NAMES, "failures"):
        flat = "".join(said.stdout.split())
        assert "".join(shown("[/x] [bold]Jos\u00e9", encoding).split()) in flat
    asked = typed(world, encoding, *words, "--json")
    assert json.loads(asked.stdout)


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_run_here_tells_of_odd_names(world: World, tmp_path: Path, encoding: str) -> None:
    settings = {**world.settings, "LOCAL_FOLDER": str(tmp_path / encoding)}
    own = World(settings, tmp_path, "", "", "")
    said = typed(own, encoding, "once", "--plan")
    assert "Traceback" not in said.stderr
    assert "LastName is empty" in said.stdout
    assert json.loads(typed(own, encoding, "once", "--plan", "--json").stdout)["phase"] == "planned"


@pytest.mark.parametrize(
    ("words", "told"),
    [(("doctor",), "vista"), (("doctor", "--json"), "vista"), (("once", "--approve", ODD), "[/x]")],
)
def test_what_is_wrong_is_told_in_any_encoding(world: World, words: tuple[str, ...], told: str) -> None:
    settings = {**world.settings, "SAFETYAMP_ROOT_CLUSTER": ODD, "LOCAL_FOLDER": str(world.folder / "d")}
    said = typed(World(settings, world.folder, "", "", ""), "ascii", *words)
    assert "Traceback" not in said.stderr
    assert said.returncode in (1, 2)
    assert told in said.stdout + said.stderr


def test_a_wrong_setting_that_looks_like_markup_is_named(world: World) -> None:
    settings = {**world.settings, "SYNC_SCHEDULE": ODD}
    said = typed(World(settings, world.folder, "", "", ""), "ascii", "once", "--plan")
    assert "Traceback" not in said.stderr
    assert (said.returncode, "SYNC_SCHEDULE: must be NCRONTAB" in said.stderr) == (2, True)


def test_the_demo_is_shown_in_ascii(tmp_path: Path) -> None:
    said = local({"PYTHONIOENCODING": "ascii"}, tmp_path, "demo", "--employees", "40")
    assert "Traceback" not in said.stderr
    assert "second run: 0 changes" in said.stdout


@pytest.mark.parametrize(
    "words", [("changes", "RUN"), ("runs", "--json"), ("once", "--plan"), ("once", "--json")]
)
def test_a_reader_that_went_away_ends_nothing_with_a_stack_trace(
    world: World, tmp_path: Path, words: tuple[str, ...]
) -> None:
    settings = {**world.settings, URL_SETTING: world.url, "LOCAL_FOLDER": str(tmp_path / "documents")}
    reading, writing = os.pipe()
    os.close(reading)
    try:
        said = subprocess.run(
            [sys.executable, "-m", "local", *(word.replace("RUN", world.run_id) for word in words)],
            cwd=tmp_path,
            env=environment(settings),
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=SECONDS,
            encoding="utf-8",
            check=False,
        )
    finally:
        os.close(writing)
    assert "Traceback" not in said.stderr
    assert "BrokenPipe" not in said.stderr
    assert said.returncode in (0, 1)
    if words[0] == "once":
        assert list((tmp_path / "documents" / "runs").glob("*/report.json")), "the run went on to its end"


@pytest.mark.parametrize("words", ["search jos", "failures --json", "once --plan", "completion bash"])
def test_without_an_output_a_command_does_its_work(world: World, tmp_path: Path, words: str) -> None:
    settings = {**world.settings, URL_SETTING: world.url, "LOCAL_FOLDER": str(tmp_path / "documents")}
    said = subprocess.run(
        ["/bin/sh", "-c", f'"{sys.executable}" -m local {words} >&-'],
        cwd=tmp_path,
        env=environment(settings),
        stderr=subprocess.PIPE,
        timeout=SECONDS,
        encoding="utf-8",
        check=False,
    )
    assert "Traceback" not in said.stderr
    assert said.returncode in (0, 1)


@pytest.mark.parametrize("words", ["settings", "settings --json", "once --plan", "once --json"])
def test_an_output_on_a_full_disk_is_told_in_a_sentence(world: World, tmp_path: Path, words: str) -> None:
    settings = {**world.settings, "LOCAL_FOLDER": str(tmp_path / "documents")}
    with open("/dev/full", "w") as full:
        said = subprocess.run(
            [sys.executable, "-m", "local", *words.split()],
            cwd=tmp_path,
            env=environment(settings),
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=SECONDS,
            encoding="utf-8",
            check=False,
        )
    assert "Traceback" not in said.stderr
    assert said.returncode == 1
    assert "not done: the output cannot be written: its disk is full" in said.stderr
