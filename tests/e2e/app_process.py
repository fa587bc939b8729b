"""The app as processes of their own: `python -m local up`, and a `once` that can be killed."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import requests

from tests.e2e.processes import environment

START_SECONDS, STOP_SECONDS, RUN_SECONDS = 60, 30, 120
ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+)/dashboard")


def app_settings(settings: Mapping[str, str], folder: Path, **more: str) -> dict[str, str]:
    """A process's settings, with its documents in `folder`."""
    return {**settings, "LOCAL_FOLDER": str(folder / "documents"), "MAX_PROCESSES": "1", **more}


def local(settings: Mapping[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m local ARGUMENTS`, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "local", *arguments],
        cwd=folder,
        env=environment(settings),
        capture_output=True,
        timeout=RUN_SECONDS,
        encoding="utf-8",
        check=False,
    )


def kill_once_when(settings: Mapping[str, str], folder: Path, moment: Callable[[], bool]) -> None:
    """`python -m local once`, killed as soon as `moment` has come; fails when it ends before."""
    with _once(settings, folder) as process:
        _wait_in(process, moment)


def end_once_when(
    settings: Mapping[str, str], folder: Path, moment: Callable[[], bool]
) -> subprocess.CompletedProcess[str]:
    """`python -m local once`, told to end by SIGTERM as soon as `moment` has come; fails when it ends
    before."""
    with _once(settings, folder) as process:
        _wait_in(process, moment)
        process.terminate()
        written, said = process.communicate(timeout=STOP_SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, written, said)


@contextmanager
def _once(settings: Mapping[str, str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "local", "once", "--json"],
        cwd=folder,
        env=environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def _wait_in(process: subprocess.Popen[str], moment: Callable[[], bool]) -> None:
    wait_for(lambda: moment() or process.poll() is not None)
    assert process.poll() is None, f"once ended with status {process.returncode} before its moment"


def wait_for(condition: Callable[[], bool], seconds: float = RUN_SECONDS) -> None:
    """Wait until something is so; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so after {seconds:g} s"
        time.sleep(0.05)


class UpProcess:
    """`python -m local up` on a free port."""

    def __init__(self, settings: Mapping[str, str], folder: Path, *options: str) -> None:
        self._folder = folder
        self._settings = settings
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._session = requests.Session()
        self._session.trust_env = False
        self.url = ""

    def __enter__(self) -> UpProcess:
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "local", "up", "--port", "0", *self._options],
                cwd=self._folder,
                env=environment(self._settings),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        wait_for(lambda: self._address() is not None or self._ended(), START_SECONDS)
        self.url = self._address() or ""
        if not self.url:
            self._kill()
            raise AssertionError(f"it did not start: {self.output}")
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._session.close()
        self._kill()

    @property
    def output(self) -> str:
        """Everything that it has printed."""
        return self._output.read_text("utf-8")

    def ask(self, method: str, path: str, **how: Any) -> requests.Response:
        """An HTTP call."""
        return self._session.request(method, self.url + path, timeout=30, **how)

    def terminate(self) -> int:
        """SIGTERM; returns the exit status."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(STOP_SECONDS)

    @property
    def _output(self) -> Path:
        return self._folder / "up.out"

    def _address(self) -> str | None:
        found = ADDRESS.search(self.output)
        return found[1] if found else None

    def _ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def _kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
