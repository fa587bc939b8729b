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
from local.documents.folder import FolderDocuments
from local.host.once import approve_once, run_once
from local.host.progress import RunProgress
from local.host.stack import PROJECT, LocalStack
from local.host.upstreams import SimulatorServer
from local.simulators.safetyamp import SafetyAmpSimulator
from shared.clock import Clock, SystemClock
from shared.errors import RunConflict
from shared.storage.documents import Documents, read_json
from shared.sync.documents.active import peek_active
from shared.sync.documents.runs import RunRequest
from shared.sync.entities.employee_facts import employee_number
from shared.sync.entities.keys import title_key

PEOPLE, JOBS, VEHICLES = 45, 12, 6
CALLS, PERIOD_SECONDS = 60, 1.0
"""The limit of the stand-in: as many calls as SafetyAmp takes, in a sixtieth of the time."""

NEW_ROAD = "New Road"
"""Where people move to who move in a disaster."""

RETRY_AFTER_SECONDS = 1
"""How long SafetyAmp wants to be left alone by what it refuses in a disaster."""

POLL_SECONDS = 0.05
PATIENCE_SECONDS = 900.0
"""So long a run may take: the sweep has sent again twice by then what got lost."""

Report = dict[str, Any]


@dataclass
class Timeline:
    """What happened, in order; `tell` hears each line as it comes."""

    tell: Callable[[str], None]
    lines: list[str] = field(default_factory=list)

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        self.tell(line)


class Overdue(Exception):
    """A run does not end."""


@dataclass(frozen=True)
class Patience:
    """Shown how a run goes on, it raises Overdue after `until`, of the monotonic clock."""

    clock: Clock
    until: float

    def show(self, progress: RunProgress) -> None:
        if self.clock.monotonic() > self.until:
            raise Overdue(f"run {progress.run_id} does not end")


class World:
    """What disasters are made of. `safetyamp` is the stand-in itself: it fails when it is told to, and takes
    `calls` in `period` seconds. A run that has not ended after `patience` seconds is left: Overdue."""

    def __init__(
        self,
        folder: Path,
        tell: Callable[[str], None],
        *,
        calls: int = CALLS,
        period: float = PERIOD_SECONDS,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.clock = SystemClock()
        self.say = Timeline(tell)
        self.period, self.patience = period, patience
        self.company = demo_company(self.clock.now().date(), employees=PEOPLE, jobs=JOBS, vehicles=VEHICLES)
        self.server = SimulatorServer(self.company, folder / "simulators", calls=calls, period=period)
        self.reports: list[Report] = []
        self.doubles_before = doubles(self.safetyamp)
        self.off_before = self.off()
        self.off_meanwhile: set[int | None] = set()
        self.out_of_turn: list[str] = []
        self._left: list[Row] = []
        self._held = False
        self.environment = {
            **self.server.settings(),
            "LOCAL_FOLDER": str(folder / "documents"),
            "REDIS_PORT": "1",  # nobody listens there: the embedded Redis, not one that others use
            "MAX_PROCESSES": "1",
            "CACHE_TTL_HOURS": "0",  # what a disaster changes is read at once
            "RETRY_DELAY_SECONDS": "1",
            "BREAKER_RECOVERY_SECONDS": "2",
            "LOST_ANSWER_SECONDS": "3",  # the stand-in carries out at once what it carries out
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
        own = self.company.own_employees()
        return [row for row in own if (row["HireDate"] or "9999") <= today < (row["TermDate"] or "9999")]

    def leavers(self) -> list[Row]:
        """The rows of who has left."""
        today = vista_date(self.company.today)
        return [row for row in self.company.own_employees() if (row["TermDate"] or "9999") <= today]

    def let_go(self, people: Iterable[Row], *, held: bool) -> None:
        """Vista says that these people's last day was yesterday. `held`: they are so many that the next run
        must leave them on until somebody approves; otherwise it must switch them off, whatever else fails."""
        self._left, self._held = list(people), held
        for row in self._left:
            row["TermDate"] = vista_date(self.company.today - timedelta(days=1))
        self.publish()

    def publish(self) -> None:
        """Let the source systems show the company as it is now."""
        self.server.replace_company(self.company)

    def users(self) -> list[dict[str, Any]]:
        """SafetyAmp's users."""
        return self.safetyamp.snapshot()["users"]

    def off(self) -> set[int | None]:
        """The numbers of SafetyAmp's users who may not sign in."""
        return {employee_number(user["emp_id"]) for user in self.users() if not user["system_access"]}

    # -- the app ---------------------------------------------------------------------------------------

    @property
    def documents(self) -> Documents:
        """What the app keeps, to look into while no app runs."""
        return FolderDocuments(self.environment["LOCAL_FOLDER"], self.clock)

    def run(self, *, refresh: bool = False, prepare: Callable[[LocalStack], None] | None = None) -> Report:
        """A run to its end, told in a line. `prepare` may change the app's parts before."""
        request = RunRequest(refresh=refresh, retry_failed=refresh, cause="rehearsal")

        def run(stack: LocalStack) -> Report:
            if prepare is not None:
                prepare(stack)
            return run_once(stack, request, self._patience()).report

        return self._in_stack(run)

    def approve(self, run_id: str) -> None:
        """Let what a run holds go on; where it holds nothing, that is told."""
        try:
            self._in_stack(lambda stack: approve_once(stack, run_id, self._patience()).report)
        except RunConflict as error:
            self.say(f"it cannot be approved: {error}")

    def _patience(self) -> Patience:
        return Patience(self.clock, self.clock.monotonic() + self.patience)

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
        self._look_at_access()
        return self.reports[-1]

    def _look_at_access(self) -> None:
        """Note who may not sign in after this run, which the next one may put right again."""
        off = self.off()
        self.off_meanwhile |= off
        what = "lost access before that was approved" if self._held else "could sign in after the next run"
        wrong = [row["Employee"] for row in self._left if (row["Employee"] in off) == self._held]
        self.out_of_turn += [f"employee {number} had left and {what}" for number in wrong]
        self._left = []

    def run_and_kill(self, when: Callable[[], bool]) -> None:
        """Begin a run in a process of its own, and end that without a word as soon as `when` is true. Whether
        anything was left under way is told."""
        command = [sys.executable, "-m", "local", "once", "--json"]
        environment = {**os.environ, **self.environment}
        process = subprocess.Popen(  # noqa: S603
            command, cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = self.clock.monotonic() + self.patience
        while not when() and process.poll() is None and self.clock.monotonic() < until:
            self.clock.sleep(POLL_SECONDS)
        process.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        process.wait()
        claim = peek_active(self.documents).claim
        self.say(
            f"killed: run {claim.run_id} is left under way" if claim else "it ended before it was killed"
        )
        # SafetyAmp counts its calls for a window yet; Redis, which knew of them, went with the process.
        self.clock.sleep(self.period)


NAMES: dict[str, tuple[str, Callable[[object], object]]] = {
    "users": ("emp_id", employee_number),
    "sites": ("ext_id", str),
    "user_titles": ("name", title_key),
    "assets": ("name", str),
}
"""By which a record of each resource is known to people, and what makes spellings of it the same."""


def doubles(safetyamp: SafetyAmpSimulator) -> Counter[tuple[str, object]]:
    """Resource and name of what is there more than once, and how often."""
    rows = safetyamp.snapshot()
    counts = Counter(
        (resource, known_as(row[name]))
        for resource, (name, known_as) in NAMES.items()
        for row in rows[resource]
        if row.get(name)
    )
    return Counter({one: count for one, count in counts.items() if count > 1})


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
