"""Pytest in copies of the tree: once without a fault, to see which tests reach which line, and per mutant."""

from __future__ import annotations

import importlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from importlib.util import cache_from_source
from pathlib import Path
from typing import Literal

import coverage
import pytest

from tests.mutants.faults import Mutant

PROJECT = Path(__file__).resolve().parents[2]
MUTATED = ("shared/sync", "shared/resilience")
MOST_BYTES = 4 << 30
TIMES_SLOWER = 5
SECONDS_TO_START = 30
"""A mutant has so long, beside five times what its tests took without it."""

Ended = Literal["killed", "timed out", "survived", "not reached", "no verdict"]


@dataclass
class Reached:
    """What the unit tests run: per file and line by which of them, and how long each takes."""

    tests: dict[str, dict[int, set[str]]] = field(default_factory=lambda: defaultdict(dict))
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    libraries: set[str] = field(default_factory=set)

    def by(self, mutant: Mutant, source: bytes) -> set[str]:
        """The tests that can notice it."""
        lines = self.tests.get(mutant.path, {})
        own = [lines.get(line, set()) for line in mutant.lines(source)]
        return set().union(*(own if mutant.in_function else lines.values())) - {""}

    def add(self, other: Reached) -> None:
        """What other tests run."""
        for path, lines in other.tests.items():
            for line, tests in lines.items():
                self.tests[path].setdefault(line, set()).update(tests)
        for test, seconds in other.seconds.items():
            self.seconds[test] += seconds
        self.libraries |= other.libraries


class Recorder:
    """A plugin of pytest that tells coverage which test runs."""

    def __init__(self) -> None:
        self.coverage = coverage.Coverage(data_file=None, source=MUTATED, config_file=False)
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.coverage.switch_context(without_case(nodeid))

    def pytest_runtest_logfinish(self) -> None:
        self.coverage.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[without_case(report.nodeid)] += report.duration


class Chooser:
    """A plugin of pytest that runs these tests alone. Were they named to pytest, a mutant that cannot be
    imported would be an error of usage."""

    def __init__(self, tests: set[str]) -> None:
        self.tests = tests

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if without_case(item.nodeid) in self.tests]


def without_case(nodeid: str) -> str:
    """The test of all its cases: a mutant may change how they are called."""
    return nodeid.partition("[")[0]


def copy_project(folder: Path) -> None:
    """The files that Git knows or would add, so that the tree may be worked on while mutants run."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in files:
        if (PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, folder / name)


def enter_copy(project: Path, libraries: set[str]) -> None:
    """Let this process work in, and import from, a copy of the project. Libraries that it has need not
    be imported for each mutant."""
    copy = Path(tempfile.mkdtemp(dir=project.parent))
    shutil.copytree(project, copy, dirs_exist_ok=True)
    os.chdir(copy)
    sys.path[0] = str(copy)
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    for name in sorted(libraries):
        with suppress(Exception):
            importlib.import_module(name)


def run_tests(files: set[str], plugin: Recorder | Chooser) -> tuple[int, str]:
    """How pytest ended, and what it said."""
    output = Path("pytest.out")
    with output.open("w") as to, redirect_stdout(to), redirect_stderr(to):
        code = pytest.main(["-q", "-x", "-p", "no:cacheprovider", *sorted(files)], plugins=[plugin])
    return int(code), output.read_text()


def record(files: set[str]) -> Reached:
    """Run these test files without a fault."""
    recorder = Recorder()
    recorder.coverage.start()
    code, said = run_tests(files, recorder)
    recorder.coverage.stop()
    if code:
        raise RuntimeError(f"the unit tests fail without a fault:\n{said[-3000:]}")
    data = recorder.coverage.get_data()
    reached = Reached(seconds=recorder.seconds)
    for path in data.measured_files():
        by_line = data.contexts_by_lineno(path)
        reached.tests[os.path.relpath(path)] = {line: set(tests) for line, tests in by_line.items()}
    origins = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    reached.libraries = {name for name, origin in origins.items() if "site-packages" in (origin or "")}
    return reached


def try_mutant(job: tuple[Mutant, set[str], float]) -> Ended:
    """Run the tests with the fault, in a process of their own."""
    mutant, tests, seconds = job
    if not tests:
        return "not reached"
    file = Path(mutant.path)
    source = file.read_bytes()
    # Python takes what it compiled for current where size and second are the same.
    compiled = Path(cache_from_source(mutant.path))
    compiled.unlink(missing_ok=True)
    file.write_bytes(mutant.applied_to(source))
    try:
        return ended(start(tests), seconds)
    finally:
        file.write_bytes(source)
        compiled.unlink(missing_ok=True)


def start(tests: set[str]) -> int:
    """The process that runs these tests."""
    process = os.fork()
    if process == 0:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
        try:
            code, said = run_tests({test.partition("::")[0] for test in tests}, Chooser(tests))
            if is_no_verdict(code):
                print(said[-2000:], file=sys.stderr, flush=True)
        except BaseException:
            code = 1
        os._exit(code)
    return process


def ended(process: int, seconds: float) -> Ended:
    """What became of the mutant; all that its tests have started ends with them."""
    until = time.monotonic() + seconds
    status = None
    while status is None and time.monotonic() < until:
        time.sleep(0.02)
        found, code = os.waitpid(process, os.WNOHANG)
        status = os.waitstatus_to_exitcode(code) if found else None
    with suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)
    if status is None:
        os.waitpid(process, 0)
        return "timed out"
    if status == pytest.ExitCode.OK:
        return "survived"
    return "no verdict" if is_no_verdict(status) else "killed"


def is_no_verdict(code: int) -> bool:
    """Whether pytest ended neither well nor by a test that failed or could not be imported."""
    return code > pytest.ExitCode.INTERRUPTED
