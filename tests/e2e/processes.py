"""Starts the simulators and runs of the command line as processes of their own, and stops them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.request import urlopen

PROJECT = Path(__file__).resolve().parents[2]
START_SECONDS, RUN_SECONDS, STOP_SECONDS = 60, 300, 15
LAST_SETTING = "VISTA_CONNECTION_STRING="
"""The settings are printed in the order of their names, and this is the last one."""

KEPT_FROM_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "SYSTEMROOT")


Snapshot = dict[str, list[dict[str, Any]]]
"""All records of SafetyAmp by resource, flat."""


def environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Nothing of this machine's settings, so that a test never reaches a real system."""
    kept = {name: os.environ[name] for name in KEPT_FROM_ENVIRONMENT if name in os.environ}
    # The simulators carry nothing out later than that, and nobody waits a minute of the wall clock.
    return {**kept, "PYTHONPATH": str(PROJECT), "LOST_ANSWER_SECONDS": "2", **(settings or {})}


class SimulatorProcess:
    """`python -m local simulators` on free ports; its content and output are kept in `folder`."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._command = [sys.executable, "-m", "local", "simulators", "--port", "0", "--login-port", "0"]
        self._command += ["--folder", str(folder / "simulators"), *options]
        self._process: subprocess.Popen[bytes] | None = None
        self.settings: dict[str, str] = {}

    def __enter__(self) -> SimulatorProcess:
        output = self._folder / "simulators.out"
        with output.open("wb") as out, (self._folder / "simulators.err").open("wb") as err:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, env=environment(), stdout=out, stderr=err
            )
        try:
            lines = self._settings_in(output)
        except BaseException:
            self._stop()
            raise
        self.settings = dict(line.split("=", 1) for line in lines)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def _settings_in(self, output: Path) -> list[str]:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            written = output.read_text("utf-8")
            if LAST_SETTING in written and written.endswith("\n"):
                return written.splitlines()
            time.sleep(0.05)
        errors = (self._folder / "simulators.err").read_text("utf-8")
        raise RuntimeError(f"the simulators did not start: {errors}")

    def _stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def snapshot(self) -> Snapshot:
        """What SafetyAmp holds now."""
        rows: Snapshot = self._ask("snapshot")
        return rows

    def stats(self) -> dict[str, Any]:
        """Figures of SafetyAmp's side since the start."""
        figures: dict[str, Any] = self._ask("stats")
        return figures

    def _ask(self, what: str) -> Any:
        url = self.settings["SAFETYAMP_BASE_URL"].removesuffix("/safetyamp")
        with urlopen(f"{url}/_sim/{what}", timeout=30) as answer:
            return json.load(answer)


@dataclass(frozen=True)
class Run:
    """A run that has ended: exit status, the report, and everything that was written beside it."""

    status: int
    report: dict[str, Any]
    log: str

    def counts(self, names: Iterable[str]) -> dict[str, dict[str, int]]:
        """The named counts by entity."""
        wanted = tuple(names)
        entities = self.report["entities"].items()
        return {entity: {name: values[name] for name in wanted} for entity, values in entities}

    def problems(self, entity: str, kind: str) -> set[str]:
        """Keys of the entity's records that were reported as `kind`."""
        problems = self.report["entities"][entity]["problems"]
        return {problem["key"] for problem in problems if problem["kind"] == kind}


def run_once(settings: Mapping[str, str], folder: Path) -> Run:
    """`python -m local once --json` with these settings and the documents in `folder`."""
    own = {**settings, "LOCAL_FOLDER": str(folder / "documents"), "MAX_PROCESSES": "1"}
    command = [sys.executable, "-m", "local", "once", "--json"]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment(own),
            capture_output=True,
            timeout=RUN_SECONDS,
            encoding="utf-8",
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise AssertionError(f"the run did not end in {RUN_SECONDS} s: {error.stderr!r}") from error
    assert done.stdout.strip(), f"no report, exit status {done.returncode}: {done.stderr}"
    return Run(done.returncode, json.loads(done.stdout), done.stderr)


@dataclass(frozen=True)
class TwoRuns:
    """Two runs one after the other, with SafetyAmp's records before, between and after them, and its figures
    at the end."""

    before: Snapshot
    first: Run
    between: Snapshot
    second: Run
    after: Snapshot
    stats: dict[str, Any]


def run_twice(folder: Path, *options: str, **settings: str) -> TwoRuns:
    """Simulators with these `options`, and two runs against them with `settings` on top of theirs."""
    with SimulatorProcess(folder, *options) as simulators:
        chosen = {**simulators.settings, **settings}
        before = simulators.snapshot()
        first, between = run_once(chosen, folder), simulators.snapshot()
        second, after = run_once(chosen, folder), simulators.snapshot()
        return TwoRuns(before, first, between, second, after, simulators.stats())
