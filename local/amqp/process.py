"""The server as a process of its own: Service Bus, while the app's processes come and go."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

PROJECT = Path(__file__).resolve().parents[2]
START_SECONDS, STOP_SECONDS = 30.0, 10.0


class ServiceBusProcess:
    """`python -m local service-bus` on a free port while the block runs; its output is kept in `folder`.

    `settings` leads other processes to it.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self._output = folder / "service-bus.out"
        self._command = [sys.executable, "-m", "local", "service-bus", "--port", "0", *options]
        self._process: subprocess.Popen[bytes] | None = None
        self.settings: dict[str, str] = {}

    def __enter__(self) -> ServiceBusProcess:
        environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603  our own module
                self._command, env=environment, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            name, _, value = self._first_line().partition("=")
        except BaseException:
            self._stop()
            raise
        self.settings = {name: value}
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def _first_line(self) -> str:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            written = self._output.read_text("utf-8")
            if "\n" in written:
                return written.splitlines()[0]
            time.sleep(0.05)
        raise RuntimeError(f"the AMQP server did not start: {self._output.read_text('utf-8')}")

    def _stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
