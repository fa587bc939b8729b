"""The code of a release as processes: from git, forked in a moment, each at the other end of a socket."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import requests

from shared import errors
from shared.clock import Clock
from shared.errors import SafetyAmpError
from shared.shutdown import Shutdown
from tests.chaos.release_process import Beginning

ROOT = Path(__file__).parents[2]
RELEASE_BEFORE = "7be49eb"
"""Release 0.1.0."""
CODE = ("shared", "local", "functions", "function_app.py")
PROGRAM = "tests.chaos.release_process"


class CodeFault(Exception):
    """An error that the code of a release did not raise on purpose."""


def unpack(commit: str, folder: Path) -> Path:
    """The code of a commit, in `folder`."""
    # The gate runs as root in a clone of somebody else's.
    git = ("git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT))
    archive = subprocess.run((*git, "archive", commit, *CODE), capture_output=True, check=False)
    if archive.returncode:
        told = archive.stderr.decode(errors="replace").strip()
        raise AssertionError(
            f"commit {commit} is not in this clone; fetch the whole history: git fetch --unshallow ({told})"
        )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


@dataclass(frozen=True)
class Release:
    """A release by its name, and the folder of its code."""

    name: str
    folder: Path


@cache
def _program_of(folder: Path) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """The program that forks processes of this code, and where to send it a socket for one. It ends with this
    process."""
    ours, theirs = socket.socketpair()
    environment: dict[str, str] = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ},
        "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT))),
        # Texts hash alike in each run of a seed.
        "PYTHONHASHSEED": "0",
    }
    command = (sys.executable, "-P", "-m", PROGRAM)
    with theirs:
        program = subprocess.Popen(command, stdin=theirs.fileno(), env=environment, cwd=folder)
    return ours, program


class RemoteRuntime:
    """A process of a release, of which the simulation knows what it knows of a runtime of its own."""

    def __init__(
        self, release: Release, beginning: Beginning, ports: Mapping[str, object], clock: Clock
    ) -> None:
        self.release = release
        self.shutdown = Shutdown()
        self.logged: list[str] = []
        self._ports = ports
        self._clock = clock
        self._connection = self._fork()
        self._send(beginning)

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Let the process call its own release's function of this name, with its runtime and `arguments`.

        Raises its SafetyAmpError, and CodeFault for an error that is none. Where this is ended from outside,
        the process is gone.
        """
        self._send((function.__module__, function.__name__, arguments))
        try:
            while (said := self._connection.recv())[0] == "port":
                self._send(self._answer(*said[1:]))
        except BaseException:
            self.kill()
            raise
        self.logged += said[3]
        if said[0] == "failed":
            raise _error(*said[1:])

    def kill(self) -> None:
        """End it where it stands: it waits for an answer, and ends at once when none can come any more."""
        self._connection.close()

    def _fork(self) -> Connection:
        ours, theirs = socket.socketpair()
        with theirs:
            orders, _ = _program_of(self.release.folder)
            socket.send_fds(orders, [b"f"], [theirs.fileno()])
        return Connection(ours.detach())

    def _send(self, what: Any) -> None:
        self._connection.send((what, self._clock.now(), self._clock.monotonic(), self.shutdown.begun))

    def _answer(
        self, port: str, method: str, arguments: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[str, Any]:
        try:
            return "value", getattr(self._ports[port], method)(*arguments, **named)
        except Exception as error:
            return "error", error


def _error(name: str, text: str, _logged: list[str], ours: bool) -> Exception:
    if not ours:
        return CodeFault(f"{name}: {text}")
    kind: type[Exception] = getattr(errors, name, getattr(requests, name, SafetyAmpError))
    # Its own constructor may want more than its text.
    error = kind.__new__(kind)
    error.args = (text,)
    return error
