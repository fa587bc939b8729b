"""The first load by several worker processes: calls achieved against calls allowed, and time spent waiting.

Everything is real but the upstreams: processes, time, sockets, Redis. SafetyAmp's window is short, so that a
load of a few hundred people fills several of them, and its answers take a time in proportion. No call of a
window is kept back for interactive work (API_RATE_LIMIT_RESERVE is 0), so that what is allowed is the whole
window; how achieved and allowed are compared says `local.bench.call_windows.achieved_of_allowed`.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.bench.call_windows import achieved_of_allowed, calls_per_window, fullest_window
from local.company.demo import demo_company
from local.company.model import Company
from local.host.cluster import Cluster
from local.host.stopwatch import HandlerFigures
from local.simulators.simulator import Call
from shared.clock import SystemClock
from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.documents.runs import RunRequest

WORKERS = (1, 2, 4, 8)
LONGEST_LOAD_SECONDS = 120.0
TOO_MANY_REQUESTS = 429


@dataclass(frozen=True)
class Load:
    """A first load of a demo company into a SafetyAmp that accepts `calls` in `period` seconds and takes
    `latency_seconds` for each answer: 0.2 s of the real window's 61, shortened like the window."""

    employees: int = 330
    jobs: int = 24
    vehicles: int = 12
    calls: int = 60
    period: float = 3.0
    latency_seconds: float = 0.01

    def company(self) -> Company:
        """The company of today."""
        today = SystemClock().now().date()
        return demo_company(today, self.employees, jobs=self.jobs, vehicles=self.vehicles)


@dataclass(frozen=True)
class WorkersResult:
    """A first load by `workers` processes.

    `achieved_of_allowed` is None for a load of less than two windows. `fullest_window` counts all calls that
    SafetyAmp saw, `refused` ones too; `exceeded` of them were beyond the limit. `handler_seconds` is the time
    inside message handlers of all workers, `waited_seconds` the part of it that they slept.
    """

    workers: int
    calls: int
    seconds: float
    achieved_of_allowed: float | None
    calls_per_window: list[int]
    fullest_window: int
    exceeded: int
    refused: int
    changes: int
    handlers: int
    handler_seconds: float
    waited_seconds: float

    @property
    def waiting_share(self) -> float:
        """The part of the handlers' time that they slept."""
        return self.waited_seconds / self.handler_seconds if self.handler_seconds else 0.0


def measure_workers(workers: int, redis_port: int, load: Load = Load(), *, reserve: int = 0) -> WorkersResult:
    """The load by so many workers, in a folder and with upstreams of its own; `redis_port` leads to an empty
    Redis, or to none. Raises RuntimeError when the run does not end well."""
    settings = {"API_RATE_LIMIT_RESERVE": str(reserve), "MAX_PROCESSES": str(workers)}
    with (
        tempfile.TemporaryDirectory() as name,
        Cluster(
            load.company(),
            Path(name),
            redis_port=redis_port,
            calls=load.calls,
            period=load.period,
            latency_seconds=load.latency_seconds,
            settings=settings,
        ) as cluster,
    ):
        cluster.start_workers(workers)
        run_id = cluster.request(RunRequest(cause="bench"))
        cluster.wait_for_run(LONGEST_LOAD_SECONDS)
        figures = cluster.stop_workers()
        report = read_json(cluster.documents, paths.report(run_id))
        if report["phase"] != "done":
            raise RuntimeError(f"run {run_id} of {workers} workers ended as {report['phase']}: {cluster.log}")
        return _result(workers, load, cluster.safetyamp.calls, report, figures)


def _result(
    workers: int, load: Load, calls: list[Call], report: dict[str, Any], figures: HandlerFigures
) -> WorkersResult:
    times = [call.at for call in calls]
    fullest = fullest_window(times, load.period)
    return WorkersResult(
        workers=workers,
        calls=len(calls),
        seconds=times[-1] - times[0],
        achieved_of_allowed=achieved_of_allowed(times, load.calls, load.period),
        calls_per_window=calls_per_window(times, load.period),
        fullest_window=fullest,
        exceeded=max(0, fullest - load.calls),
        refused=sum(1 for call in calls if call.status == TOO_MANY_REQUESTS),
        changes=sum(sum(entity["planned"].values()) for entity in report["entities"].values()),
        handlers=figures.handlers,
        handler_seconds=figures.handler_seconds,
        waited_seconds=figures.waited_seconds,
    )
