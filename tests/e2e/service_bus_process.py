"""The AMQP server as a process of its own: Service Bus, while the app's processes come and go."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import TracebackType

from tests.e2e.app_process import wait_for
from tests.e2e.processes import environment

START_SECONDS, STOP_SECONDS = 30, 10


class ServiceBusProcess:
    """`python -m local service-bus` on a free port; its output is kept in `folder`."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._output = folder / "service-bus.out"
        self._command = [sys.executable, "-m", "local", "service-bus", "--port", "0", *options]
        self._process: subprocess.Popen[bytes] | None = None
        self.settings: dict[str, str] = {}

    def __enter__(self) -> ServiceBusProcess:
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                self._command, env=environment(), stdout=output, stderr=subprocess.STDOUT
            )
        process = self._process
        wait_for(
            lambda: self._output.read_text("utf-8").endswith("\n") or process.poll() is not None,
            START_SECONDS,
        )
        assert process.poll() is None, self._output.read_text("utf-8")
        name, _, value = self._output.read_text("utf-8").splitlines()[0].partition("=")
        self.settings = {name: value}
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
