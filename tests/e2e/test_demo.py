"""`safetyamp-sync demo --open`: the story, and then an app to look around in."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from cli import demo
from cli.main import main
from tests.e2e.app_process import STOP_SECONDS, wait_for
from tests.e2e.processes import environment

LOOK = re.compile(r"Look there: (http://127\.0\.0\.1:\d+)/dashboard#record/employees/(\d+)\n")


def test_after_the_story_the_page_is_up_until_ctrl_c(tmp_path: Path) -> None:
    written = tmp_path / "out"
    with written.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "local", "demo", "--open", "--quiet", "--employees", "40"],
            cwd=tmp_path,
            env={name: value for name, value in environment({}).items() if name not in demo.WINDOWS},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(lambda: bool(LOOK.search(written.read_text("utf-8"))) or process.poll() is not None)
        found = LOOK.search(written.read_text("utf-8"))
        assert found, written.read_text("utf-8")
        url, key = found.groups()
        assert "</html>" in requests.get(url, timeout=30).text
        explained = requests.get(f"{url}/api/records/employees/{key}", timeout=30).json()
        assert explained["next"]["verdict"] == "refused"
        process.send_signal(signal.SIGINT)
        assert process.wait(STOP_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
    said = written.read_text("utf-8")
    assert f"One whom SafetyAmp refused: {key}: SafetyAmp refused email: SafetyAmp user " in said
    assert "0 calls were made when nothing had changed, and 10 changes took 12." in said
    assert f"Employee {key} is refused, for example:\n  Vista has it.\n" in said
    assert said.endswith("The demo has ended; nothing of it is kept.\n")
    assert "planning, planned" not in said, "quiet: nothing is told on the way"


def test_a_demo_that_is_interrupted_ends_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run_demo", interrupted)
    assert main(["demo"]) == 130
    assert capsys.readouterr().err == "interrupted: nothing of the demo is kept\n"


def test_a_page_is_opened_only_where_there_are_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in demo.WINDOWS:
        monkeypatch.delenv(name, raising=False)
    assert not demo._has_browser()
    monkeypatch.setenv("DISPLAY", ":0")
    assert demo._has_browser()
