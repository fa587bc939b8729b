"""Several worker processes on one bus, one folder of documents, one Redis and one set of simulators.

The process that makes a `Cluster` owns the bus and the simulators; workers and Redis may be killed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from local.bus.in_process import InProcessBus, QueueOptions
from local.bus.shared import BusServer
from local.company.model import Company
from local.documents.folder import FolderDocuments
from local.host.redis_server import HOST
from local.host.stack import PROJECT
from local.host.stopwatch import HandlerFigures
from local.host.upstreams import SimulatorServer
from local.host.worker import READY, Order
from local.simulators.safetyamp import SafetyAmpSimulator
from shared.clock import SystemClock
from shared.resilience.redis_connection import connect
from shared.runtime import Parts, Runtime
from shared.sync.documents.active import active_run_id
from shared.sync.documents.runs import RunRequest
from shared.sync.runs.requests import request_run

LOCK_SECONDS = 3.0
"""A message of a killed worker comes again after so long; the others' locks are renewed every second."""

SWEEP_SECONDS = 2.0
STOP_SECONDS = 60.0
POLL_SECONDS = 0.1
LOG_TAIL = 4000


class WorkerProcess:
    """`python -m local.host.worker`; what it logs goes to `log`."""

    def __init__(self, order: Order, log: Path) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "local.host.worker"],
                cwd=PROJECT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                encoding="utf-8",
            )
        assert self._process.stdin is not None
        self._process.stdin.write(order.to_json() + "\n")
        self._process.stdin.flush()

    def wait_until_ready(self) -> None:
        """Return when it handles messages. Raises RuntimeError when it ended instead."""
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != READY:
            raise RuntimeError(f"a worker did not start, exit status {self._process.wait()}")

    def kill(self) -> None:
        """As a crash would: at whatever instruction it is."""
        self._process.kill()
        self._process.communicate()

    def stop(self) -> HandlerFigures:
        """Let it finish what it has in hand, and end. Raises RuntimeError when it does not end well."""
        # Closes its input, which tells it to end.
        output, _ = self._process.communicate(timeout=STOP_SECONDS)
        if self._process.returncode:
            raise RuntimeError(f"a worker ended with status {self._process.returncode}")
        return HandlerFigures(**json.loads(output.splitlines()[-1]))


class Cluster:
    """What the workers share; leaving the block kills the workers that are left.

    SafetyAmp accepts `calls` in `period` seconds, and every answer takes `latency_seconds`. `settings` are
    put over those of the simulators.
    """

    def __init__(
        self,
        company: Company,
        folder: Path,
        *,
        redis_port: int,
        calls: int,
        period: float,
        latency_seconds: float = 0.0,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.period, self.calls = period, calls
        self.workers: list[WorkerProcess] = []
        self._folder = folder
        self._server = SimulatorServer(company, folder / "upstreams", calls=calls, period=period)
        self._server.slow_down(latency_seconds)
        self.settings = {
            **self._server.settings(),
            "REDIS_HOST": HOST,
            "REDIS_PORT": str(redis_port),
            "LOCAL_FOLDER": str(folder / "documents"),
            **(settings or {}),
        }
        clock = SystemClock()
        self.documents = FolderDocuments(folder / "documents", clock)
        parts = Parts(clock=clock, documents=lambda _: self.documents, bus=lambda _: self.bus, redis=connect)
        self.runtime = Runtime(self.settings, parts)
        self._queues = (self.runtime.settings.entity_queue, self.runtime.settings.batch_queue)
        self.bus = InProcessBus(clock, dict.fromkeys(self._queues, QueueOptions(lock_seconds=LOCK_SECONDS)))
        self._bus_server = BusServer(self.bus)
        self._running = ExitStack()

    def __enter__(self) -> Cluster:
        self._running.enter_context(self._server)
        self._running.enter_context(self._bus_server)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for worker in self.workers:
            worker.kill()
        self._running.close()

    @property
    def safetyamp(self) -> SafetyAmpSimulator:
        """The simulated SafetyAmp."""
        return self._server.tenant.safetyamp

    @property
    def log(self) -> str:
        """Everything that the workers have logged, killed ones included."""
        return self._log.read_text("utf-8") if self._log.exists() else ""

    def start_workers(self, count: int) -> None:
        """Start so many more, and return when they handle messages."""
        started = [self.start_worker() for _ in range(count)]
        for worker in started:
            worker.wait_until_ready()

    def start_worker(self) -> WorkerProcess:
        """Start one more; it becomes ready by itself."""
        worker = WorkerProcess(Order(self._bus_server.access, self.settings, SWEEP_SECONDS), self._log)
        self.workers.append(worker)
        return worker

    def kill_worker(self, worker: WorkerProcess) -> None:
        """Kill one of them."""
        self.workers.remove(worker)
        worker.kill()

    def stop_workers(self) -> HandlerFigures:
        """Let all of them end; their figures together."""
        figures = HandlerFigures()
        while self.workers:
            figures += self.workers.pop().stop()
        return figures

    def request(self, request: RunRequest) -> str:
        """Request a run; returns its id. Raises RunConflict."""
        return request_run(self.runtime, request)

    def is_active(self) -> bool:
        """Whether a run is under way."""
        return active_run_id(self.documents) is not None

    def wait_for_run(self, seconds: float) -> None:
        """Return when no run is under way. Raises TimeoutError after so long, with what is in the queues and
        the end of the workers' log."""
        deadline = time.monotonic() + seconds
        while self.is_active():
            if time.monotonic() > deadline:
                queues = {name: self.bus.counts(name) for name in self._queues}
                raise TimeoutError(
                    f"the run has not ended after {seconds:g} s: {queues}\n{self.log[-LOG_TAIL:]}"
                )
            time.sleep(POLL_SECONDS)

    @property
    def _log(self) -> Path:
        return self._folder / "workers.log"
