"""A company of a given size and the whole app in virtual time, for counting calls.

The simulated SafetyAmp has its real limit, so a first load of 100 000 people takes 30 virtual hours; with
the simulators in this process and a clock that moves only when nothing else can happen, it takes minutes.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import requests

from local.bench.counting import counted
from local.company.demo import demo_company
from local.company.model import Company, Row
from local.documents.memory import MemoryDocuments
from local.fake_clock import FakeClock
from local.host.host import LocalHost
from local.host.stack import LocalStack
from local.host.stopwatch import Stopwatch
from local.host.upstreams import SimulatorServer
from local.simulators.adapter import SimulatorAdapter
from local.simulators.exchange import Handler
from local.simulators.safetyamp import SafetyAmpSimulator
from shared.clock import SystemClock
from shared.resilience.redis_connection import connect
from shared.runtime import Parts
from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.documents.active import active_run_id
from shared.sync.documents.runs import RunRequest
from shared.sync.documents.state import EntityState, state_from_json
from shared.sync.model import EntityName
from shared.sync.runs.requests import request_run
from shared.sync.runs.sweep import sweep

SWEEP_EVERY = timedelta(minutes=5)
NOON_UTC = 18
EMPLOYEES_PER_JOB, EMPLOYEES_PER_VEHICLE, SMALLEST_JOBS = 50, 20, 120
NOBODY_LISTENS = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": "9"}
"""A Redis that is away: a real one, or its scripts' clock, has no place in virtual time."""


Lost = Literal["before", "after"]
"""When a request is lost: before or after it was carried out."""


ONE_USER = "/api/users/"
READ_TWICE = ("/api/user_titles", "/api/assets")
"""Listings by which records are created that SafetyAmp would take a second time, in a first load."""


@dataclass(frozen=True)
class RunCalls:
    """What one run asked of SafetyAmp. `pages` are pages of listings, `repeated` those asked for more often
    than meant, `single` reads of one user whose e-mail an update repeats and the sources do not own, `writes`
    creations and updates; `planned` are the changes that the plans held. Beside SafetyAmp: operations on
    `documents`, and `messages` sent."""

    pages: int
    repeated: int
    single: int
    writes: int
    planned: int
    documents: int
    messages: int

    @property
    def calls(self) -> int:
        """All of them."""
        return self.pages + self.single + self.writes


class BenchCompany:
    """The company, its upstreams and the app."""

    def __init__(
        self,
        employees: int,
        server: SimulatorServer,
        company: Company,
        clock: FakeClock,
        answer_seconds: Callable[[], float] | None = None,
        lose_every: int | None = None,
    ) -> None:
        self.employees = employees
        self.lost = 0
        self._lose_every = lose_every
        self._creations = 0
        self._answer_seconds = answer_seconds
        self._server = server
        self._company = company
        self._clock = clock
        self._requests: Counter[tuple[str, str]] = Counter()
        self._documents = MemoryDocuments(clock)
        self.stopwatch = Stopwatch(clock)
        parts = Parts(
            clock=self.stopwatch, documents=lambda _: self._documents, redis=connect, session=self._session
        )
        self._stack = LocalStack({**self.settings(), "MAX_PROCESSES": "1"}, parts)
        self._operations = counted(self._stack.runtime)
        functions = [self.stopwatch.around(function) for function in self._stack.functions]
        self._host = LocalHost(functions, self._stack.bus, clock, self._stack.options)

    def settings(self) -> dict[str, str]:
        """Settings for this process and others."""
        return {**self._server.settings(), **NOBODY_LISTENS}

    @property
    def now(self) -> datetime:
        """The virtual time."""
        return self._clock.now()

    @property
    def safetyamp(self) -> SafetyAmpSimulator:
        """The simulated SafetyAmp."""
        return self._server.tenant.safetyamp

    def close(self) -> None:
        """Stop the app."""
        self._stack.close()

    def run(self) -> RunCalls:
        """A whole run of all entities. Raises RuntimeError when an entity does not end well."""
        self._requests.clear()
        self._operations.clear()
        run_id = request_run(self._stack.runtime, RunRequest(cause="bench"))
        self._finish()
        report: dict[str, Any] = read_json(self._documents, paths.report(run_id))
        if report["phase"] != "done":
            raise RuntimeError(f"run {run_id} of {self.employees} employees ended as {report['phase']}")
        reads = {url: count for (method, url), count in self._requests.items() if method == "GET"}
        single = sum(count for url, count in reads.items() if ONE_USER in url)
        pages = {url: count for url, count in reads.items() if ONE_USER not in url}
        return RunCalls(
            pages=sum(pages.values()),
            repeated=sum(
                max(0, count - 1 - any(name in url for name in READ_TWICE)) for url, count in pages.items()
            ),
            single=single,
            writes=self._requests.total() - sum(reads.values()),
            planned=sum(sum(entity["planned"].values()) for entity in report["entities"].values()),
            documents=self._operations.documents.total(),
            messages=self._operations.messages.total(),
        )

    def change(self, count: int) -> None:
        """Give `count` current employees another address."""
        people = self._synchronised()
        for number in range(count):
            person = people[number * len(people) // count]
            person["Address"] = f"{number} Changed Street"
        self._server.replace_company(self._company)

    def save_states(self, folder: Path) -> None:
        """Write the state documents where FolderDocuments finds them."""
        for path in self._documents.list("state/"):
            document = self._documents.read(path)
            assert document is not None, "the documents belong to this thread alone"
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(document.data)

    def _synchronised(self) -> list[Row]:
        """Employees who are current and in SafetyAmp."""
        state = self._state("employees")
        return [
            person
            for person in self._company.own_employees()
            if person["HireDate"] and not person["TermDate"] and state.target_id(str(person["Employee"]))
        ]

    def _state(self, entity: EntityName) -> EntityState:
        state = state_from_json(entity, read_json(self._documents, paths.state(entity)))
        assert state is not None, "there has been a run"
        return state

    def _finish(self) -> None:
        """Deliver messages, moving the clock to whatever comes next, until no run is active."""
        next_sweep = self._clock.now() + SWEEP_EVERY
        while active_run_id(self._documents) is not None:
            while self._host.step():
                pass
            due = self._stack.bus.next_due()
            self._clock.advance_to(min(due, next_sweep) if due else next_sweep)
            if self._clock.now() >= next_sweep:
                sweep(self._stack.runtime)
                next_sweep += SWEEP_EVERY

    def _count(self, method: str, url: str) -> None:
        self._requests[method, url] += 1
        if self._answer_seconds is not None:
            self._clock.sleep(self._answer_seconds())

    def _lose(self, method: str) -> Lost | None:
        """Whether the answer is lost, every so many creations, and if so when, in turns."""
        if self._lose_every is None or method != "POST":
            return None
        self._creations += 1
        if self._creations % self._lose_every:
            return None
        self.lost += 1
        return "after" if self.lost % 2 else "before"

    def _session(self) -> requests.Session:
        tenant = self._server.tenant
        session = requests.Session()
        session.trust_env = False
        url = self._server.url
        session.mount(f"{url}/safetyamp", _Counting(tenant.safetyamp, "/safetyamp", self._count, self._lose))
        session.mount(f"{url}/samsara", SimulatorAdapter(tenant.samsara, "/samsara"))
        session.mount(f"{url}/graph", SimulatorAdapter(tenant.graph, "/graph"))
        return session


class _Counting(SimulatorAdapter):
    """Tells of each request, by method and whole URL, before it is answered."""

    def __init__(
        self,
        simulator: Handler,
        prefix: str,
        count: Callable[[str, str], None],
        lose: Callable[[str], Lost | None],
    ) -> None:
        super().__init__(simulator, prefix)
        self._count = count
        self._lose = lose

    def send(self, request: requests.PreparedRequest, *how: Any, **named: Any) -> requests.Response:
        self._count(request.method or "", request.url or "")
        lost = self._lose(request.method or "")
        if lost != "before":
            answer = super().send(request, *how, **named)
        if lost is not None:
            raise requests.ReadTimeout(f"lost {lost} it was carried out", request=request)
        return answer


@contextmanager
def bench_company(
    employees: int,
    folder: Path,
    answer_seconds: Callable[[], float] | None = None,
    lose_every: int | None = None,
) -> Iterator[BenchCompany]:
    """The company with nothing of it in SafetyAmp yet but what the demo company has there; its simulators
    listen while the block runs, so that other processes can read from Graph and Vista too. `answer_seconds`
    says how long SafetyAmp's next answer takes (None: no time); of its creations, the answer to one in
    `lose_every` is lost."""
    # About noon it is the same day in UTC and in the company's time zone: who leaves on that day is gone.
    clock = FakeClock(SystemClock().now().replace(hour=NOON_UTC))
    company = demo_company(
        clock.now().date(),
        employees,
        jobs=max(SMALLEST_JOBS, employees // EMPLOYEES_PER_JOB),
        vehicles=employees // EMPLOYEES_PER_VEHICLE,
    )
    with SimulatorServer(company, folder, clock=clock) as server:
        app = BenchCompany(employees, server, company, clock, answer_seconds, lose_every)
        # MSAL has a session of its own, which goes to the login's real port.
        os.environ["REQUESTS_CA_BUNDLE"] = app.settings()["REQUESTS_CA_BUNDLE"]
        try:
            yield app
        finally:
            app.close()
