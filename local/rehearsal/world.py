"""A small company, its stand-ins on real ports, and the app between them in a folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from local.company.demo import demo_company
from local.company.model import Row, vista_date
from local.host.once import approve_once, run_once
from local.host.progress import Silent
from local.host.stack import PROJECT, LocalStack
from local.host.upstreams import SimulatorServer
from local.simulators.safetyamp import SafetyAmpSimulator
from shared.clock import SystemClock
from shared.storage.documents import read_json
from shared.sync.documents.runs import RunRequest

PEOPLE, JOBS, VEHICLES = 45, 12, 6
CALLS, PERIOD_SECONDS = 60, 1.0
"""The limit of the stand-in: as many calls as SafetyAmp takes, in a sixtieth of the time."""

NEW_ROAD = "New Road"
"""Where people move to who move in a disaster."""

POLL_SECONDS = 0.05
PATIENCE_SECONDS = 60.0

Report = dict[str, Any]


@dataclass
class Timeline:
    """What happened, in order; `tell` hears each line as it comes."""

    tell: Callable[[str], None]
    lines: list[str] = field(default_factory=list)

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        self.tell(line)


class World:
    """What disasters are made of. `safetyamp` is the stand-in itself: it fails when it is told to, and takes
    `calls` in `period` seconds."""

    def __init__(
        self,
        folder: Path,
        tell: Callable[[str], None],
        *,
        calls: int = CALLS,
        period: float = PERIOD_SECONDS,
    ) -> None:
        self.clock = SystemClock()
        self.say = Timeline(tell)
        self.folder = folder
        self.company = demo_company(self.clock.now().date(), employees=PEOPLE, jobs=JOBS, vehicles=VEHICLES)
        self.server = SimulatorServer(self.company, folder / "simulators", calls=calls, period=period)
        self.reports: list[Report] = []
        self.doubles_before = doubles(self.safetyamp)
        self.environment = {
            **self.server.settings(),
            "LOCAL_FOLDER": str(folder / "documents"),
            "REDIS_PORT": "1",  # nobody listens there: the embedded Redis, not one that others use
            "MAX_PROCESSES": "1",
            "CACHE_TTL_HOURS": "0",  # what a disaster changes is read at once
            "RETRY_DELAY_SECONDS": "1",
            "BREAKER_RECOVERY_SECONDS": "2",
            "LOG_LEVEL": "ERROR",
        }

    def __enter__(self) -> World:
        self.server.start()
        os.environ["REQUESTS_CA_BUNDLE"] = self.environment["REQUESTS_CA_BUNDLE"]
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.server.stop()

    @property
    def safetyamp(self) -> SafetyAmpSimulator:
        return self.server.tenant.safetyamp

    # -- the company -----------------------------------------------------------------------------------

    def current_people(self) -> list[Row]:
        """The rows of who is employed today, in the order of their numbers."""
        today = vista_date(self.company.today)
        return [
            row
            for row in self.company.own_employees()
            if row["HireDate"] and row["HireDate"] <= today and not row["TermDate"]
        ]

    def let_go(self, people: Iterable[Row]) -> None:
        """Vista says that these people's last day was yesterday."""
        for row in people:
            row["TermDate"] = vista_date(self.company.today - timedelta(days=1))
        self.publish()

    def publish(self) -> None:
        """Let the source systems show the company as it is now."""
        self.server.replace_company(self.company)

    def users(self) -> list[dict[str, Any]]:
        """SafetyAmp's users."""
        return self.safetyamp.snapshot()["users"]

    def shorten_pages(self, records: int) -> None:
        """SafetyAmp lists so many records a page, whatever it is asked for."""
        # The stand-in is told at its making: what it holds moves to another one's pages only by this.
        self.safetyamp.page_records = records

    # -- the app ---------------------------------------------------------------------------------------

    def run(self, *, refresh: bool = False, prepare: Callable[[LocalStack], None] | None = None) -> Report:
        """A run to its end, told in a line. `prepare` may change the app's parts before."""
        request = RunRequest(refresh=refresh, retry_failed=refresh, cause="rehearsal")

        def run(stack: LocalStack) -> Report:
            if prepare is not None:
                prepare(stack)
            return run_once(stack, request, Silent()).report

        return self._in_stack(run)

    def approve(self, run_id: str) -> Report:
        """Let what a run holds go on."""
        return self._in_stack(lambda stack: approve_once(stack, run_id, Silent()).report)

    def _in_stack(self, run: Callable[[LocalStack], Report]) -> Report:
        stack = LocalStack(self.environment)
        try:
            report = run(stack)
            # As it is stored: whoever looks later finds the same.
            stored = read_json(stack.runtime.documents, f"runs/{report['run_id']}/report.json")
        finally:
            stack.close()
        self.reports.append(stored or report)
        self.say(told(self.reports[-1]))
        return self.reports[-1]

    def run_and_kill(self, when: Callable[[], bool]) -> None:
        """Begin a run in a process of its own, and end that without a word as soon as `when` is true."""
        command = [sys.executable, "-m", "local", "once", "--json"]
        environment = {**os.environ, **self.environment}
        process = subprocess.Popen(  # noqa: S603
            command, cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = self.clock.monotonic() + PATIENCE_SECONDS
        while not when() and process.poll() is None and self.clock.monotonic() < until:
            self.clock.sleep(POLL_SECONDS)
        process.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        process.wait()


NAMES = {"users": "emp_id", "sites": "ext_id", "user_titles": "name", "assets": "name"}
"""By which a record of each resource is known to people."""


def doubles(safetyamp: SafetyAmpSimulator) -> set[tuple[str, str]]:
    """Resource and name of what is there more than once."""
    rows = safetyamp.snapshot()
    counts = Counter(
        (resource, str(row[name]))
        for resource, name in NAMES.items()
        for row in rows[resource]
        if row.get(name)
    )
    return {one for one, count in counts.items() if count > 1}


def told(report: Report) -> str:
    """A run in one line: how it ended, what it did, and why where that is not a good end."""
    entities = report["entities"]
    counts = {
        name: sum(entity.get(name, 0) for entity in entities.values())
        for name in ("created", "updated", "deactivated", "failed", "waiting")
    }
    did = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing to do"
    whys = "; ".join(
        f"{name}: {entity['reason']}"
        for name, entity in entities.items()
        if entity["phase"] in ("held", "failed") and entity["reason"]
    )
    return f"run {report['run_id']} {report['phase']}: {did}" + (f" ({whys})" if whys else "")
