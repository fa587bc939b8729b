"""What can be known of the image without building it: its commands, run here, and what it promises.

hadolint reads the Dockerfile in `make check`; `test_package.py` compares the files.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
DRIVER = "ODBC Driver 18 for SQL Server"


@pytest.fixture(scope="module")
def steps() -> list[tuple[str, str]]:
    """The Dockerfile's instructions and their arguments."""
    text = (PROJECT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1].strip()) for line in lines]


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    """Answers a request with `status`, and knows the `path` that was asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            vars(server)["path"] = self.path
            self.send_response(vars(server)["status"])
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join(5)
    server.server_close()


def test_the_image_has_the_python_that_the_worker_is_pinned_for(steps: list[tuple[str, str]]) -> None:
    (base,) = (argument for name, argument in steps if name == "FROM")
    assert base == "mcr.microsoft.com/azure-functions/python:4-python3.13"
    assert re.search(
        r'^azure-functions-runtime==\S+ ; python_version >= "3\.13"$', _requirements(), re.MULTILINE
    )


def test_the_app_runs_as_a_numbered_user_on_a_port_that_it_may_open(steps: list[tuple[str, str]]) -> None:
    (user,) = (argument for name, argument in steps if name == "USER")
    (port,) = (argument for name, argument in steps if name == "EXPOSE")
    assert int(user) > 0
    assert int(port) > 1023
    assert f"ASPNETCORE_URLS=http://+:{port}" in str(steps)


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (404, False), (503, False)])
def test_the_health_check_asks_for_health(
    steps: list[tuple[str, str]], server: HTTPServer, status: int, healthy: bool
) -> None:
    (check,) = (argument for name, argument in steps if name == "HEALTHCHECK")
    command = json.loads(check[check.index("[") :])
    vars(server)["status"] = status
    assert command[0] == "python"
    here = command[-1].replace("127.0.0.1:8080", f"127.0.0.1:{server.server_port}")
    ran = subprocess.run([sys.executable, *command[1:-1], here], capture_output=True, check=False)
    assert (ran.returncode == 0) is healthy
    assert vars(server)["path"] == "/health"


@pytest.mark.parametrize(("registered", "built"), [("SQLite3", False), (DRIVER, True)])
def test_there_is_no_image_without_the_driver(
    steps: list[tuple[str, str]], tmp_path: Path, registered: str, built: bool
) -> None:
    (command,) = (part for _, run in steps for part in run.split("&&") if DRIVER in part)
    (tmp_path / "odbcinst.ini").write_text(f"[{registered}]\nDriver=/opt/driver.so\n")
    python, *arguments = shlex.split(command)
    assert python == "python"
    ran = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "ODBCSYSINI": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert (ran.returncode == 0) is built


def _requirements() -> str:
    return (PROJECT / "requirements.txt").read_text()
