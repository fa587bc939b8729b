"""A run that creates one record, in a process that dies where it is told to: again and again, cheaply.

Everything that the run does to the outside is counted, once before it happens and once after it; a death
strikes at such a count. Reads are no effects: dying there is dying after the effect before them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from local.bus.in_process import InProcessBus, LockedMessage, QueueOptions
from local.company.model import Company
from local.company.vista_database import connection_string, create_vista_database
from local.documents.memory import MemoryDocuments
from local.fake_clock import FakeClock
from local.json_values import copied
from local.simulators.adapter import SimulatorAdapter
from local.simulators.tenant import Tenant, build_tenant
from shared.clients.graph import GraphClient
from shared.runtime import Parts, Runtime
from shared.storage.bus import Message
from shared.sync.documents.active import active_run_id
from shared.sync.documents.runs import RunRequest
from shared.sync.messages import parse_batch_message, parse_entity_message
from shared.sync.model import ENTITIES, EntityName
from shared.sync.runs.batch_handler import apply_batch
from shared.sync.runs.entity_handler import sync_entity
from shared.sync.runs.requests import request_run
from shared.sync.runs.sweep import sweep
from tests.chaos.world import HOSTS, START, SimulatedTokens
from tests.e2e.power import Crash, Power
from tests.e2e.small_company import contract_row, job_row, new_person, small_company

WRITES = frozenset(
    {"create", "replace", "write", "delete", "acquire_lease", "renew_lease", "release_lease", "complete"}
)
SWEEP_EVERY = timedelta(minutes=5)
PATIENCE = timedelta(hours=12)
QUEUES = ("entity-sync", "change-batches")
PEOPLE = 3
NEW_PERSON, NEW_JOB = 1090, "900."


@dataclass(frozen=True)
class Before:
    """What there is when the run begins: sources that have one record more, and everything else settled."""

    company: Company
    database: Path
    at: datetime
    documents: dict[str, bytes]
    safetyamp: dict[str, Any]


def before_one_creation(folder: Path, entity: EntityName) -> Before:
    """A company that is synchronised, and then gets one record more of `entity`."""
    company = small_company(START.date(), PEOPLE)
    database = create_vista_database(folder / "vista.db", company.tables)
    empty = Before(company, database, START, {}, {})
    first_load = OneCreation(empty, ENTITIES)
    first_load.run()
    _add_one(company, entity)
    create_vista_database(database, company.tables)
    documents = {
        path: document.data
        for path in first_load.documents.list("")
        if (path.startswith("state/") or path == "runs/active.json")
        and (document := first_load.documents.read(path)) is not None
    }
    return Before(company, database, first_load.clock.now(), documents, first_load.tenant.safetyamp.dump())


def _add_one(company: Company, entity: EntityName) -> None:
    if entity == "departments":
        company.tables["bPRDP"].append({**company.tables["bPRDP"][0], "PRDept": "90"})
    elif entity == "jobs":
        company.tables["bJCJM"].append(job_row(NEW_JOB))
        company.tables["bJCCM"].append(contract_row(NEW_JOB, "10"))
    elif entity == "titles":
        company.tables["bPREH"][0]["udEmpTitle"] = "Diver"
    elif entity == "employees":
        new_person(company, NEW_PERSON)
    else:
        company.vehicles.append(
            {**company.vehicles[0], "id": "4242", "serial": "GNEW00000042", "name": "New"}
        )


class OneCreation:
    """The run. `dies_at` are counts of effects at which the process at work dies, in rising order; with
    `twice` every message is delivered once more after it was handled."""

    def __init__(
        self,
        before: Before,
        entities: Sequence[EntityName],
        *,
        dies_at: Sequence[int] = (),
        twice: bool = False,
    ) -> None:
        self._before = before
        self._entities = tuple(entities)
        self._deaths = list(dies_at)
        self._twice = twice
        self.clock = FakeClock(before.at)
        self.documents = MemoryDocuments(self.clock)
        for path, data in before.documents.items():
            self.documents.write(path, data)
        self.bus = InProcessBus(self.clock, dict.fromkeys(QUEUES, QueueOptions()))
        self.tenant: Tenant = build_tenant(self.clock, before.company.seed)
        if before.safetyamp:
            self.tenant.safetyamp.load(copied(before.safetyamp))
        company = before.company
        self.tenant.replace_content(company.vehicles, company.drivers, company.graph_users)
        self.power = Power()
        self.power.dies_at = self._next_death()
        self._runtime = self._new_process()
        self._next_sweep = self.clock.now() + SWEEP_EVERY

    def run(self) -> None:
        """Request the run and bring it to its end, whoever dies meanwhile. Fails when it does not end."""
        self._living(self._request)
        while active_run_id(self.documents) is None:
            self._living(self._request)
        give_up = self.clock.now() + PATIENCE
        while active_run_id(self.documents) is not None or self.bus.counts(QUEUES[0]).active:
            assert self.clock.now() < give_up, f"run {active_run_id(self.documents)} never ends"
            if not self._deliver():
                self._let_time_pass()

    def created(self) -> int:
        """Records that SafetyAmp has created in this run."""
        return sum(self.tenant.safetyamp.created.values())

    def _request(self) -> None:
        request_run(self._runtime, RunRequest(entities=self._entities))

    def _deliver(self) -> bool:
        for queue in QUEUES:
            locked = self.bus.receive(queue)
            if locked is not None:
                self._living(lambda locked=locked: self._handle(locked))  # type: ignore[misc]
                return True
        return False

    def _handle(self, locked: LockedMessage) -> None:
        for _ in range(2 if self._twice else 1):
            body = locked.message.body.encode()
            if locked.queue == QUEUES[0]:
                sync_entity(self._runtime, parse_entity_message(body))
            else:
                apply_batch(self._runtime, parse_batch_message(body))
        Effects(self.bus, self.power).complete(locked)

    def _let_time_pass(self) -> None:
        due = self.bus.next_due()
        self.clock.advance_to(min(self._next_sweep, due) if due else self._next_sweep)
        if self.clock.now() >= self._next_sweep:
            self._next_sweep += SWEEP_EVERY
            self._living(lambda: sweep(self._runtime))

    def _living(self, work: Callable[[], Any]) -> None:
        """Do it in a process that may die of it; another one is there afterwards."""
        try:
            work()
        except Crash:
            self.power.restore()
            self.power.dies_at = self._next_death()
            self._runtime = self._new_process()

    def _next_death(self) -> int | None:
        return self._deaths.pop(0) if self._deaths else None

    def _new_process(self) -> Runtime:
        parts = Parts(
            clock=self.clock,
            documents=lambda _: Effects(self.documents, self.power),
            bus=lambda _: Sending(self.bus, self.power),
            redis=lambda _: _no_redis,
            session=self._session,
        )
        runtime = Runtime(self._environment(), parts)
        tokens = SimulatedTokens(self.tenant)
        pipeline = runtime.unlimited_pipeline("graph", HOSTS["graph"] + "/v1.0", tokens.headers)
        vars(runtime)["graph"] = GraphClient(pipeline, tokens)  # type: ignore[arg-type]
        return runtime

    def _session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        for name, url in HOSTS.items():
            session.mount(url, Calling(SimulatorAdapter(getattr(self.tenant, name)), self.power))
        return session

    def _environment(self) -> dict[str, str]:
        return {
            **self.tenant.settings(),
            "SAFETYAMP_BASE_URL": HOSTS["safetyamp"],
            "SAMSARA_BASE_URL": HOSTS["samsara"],
            "MS_GRAPH_BASE_URL": HOSTS["graph"] + "/v1.0",
            "VISTA_CONNECTION_STRING": connection_string(self._before.database),
            "MAX_PROCESSES": "1",
        }


class Effects:
    """Documents or a bus whose writes are counted before and after."""

    def __init__(self, inner: Any, power: Power) -> None:
        self._inner = inner
        self._power = power

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if name not in WRITES:
            return method

        def effect(*arguments: Any, **options: Any) -> Any:
            self._power.pulse()
            result = method(*arguments, **options)
            self._power.pulse()
            return result

        return effect


class Sending:
    """The way to the bus; every message is an effect, because a sending can break off in the middle."""

    def __init__(self, inner: InProcessBus, power: Power) -> None:
        self._inner = inner
        self._power = power

    def send(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._power.pulse()
            self._inner.send([message])
            self._power.pulse()

    def close(self) -> None:
        """Nothing to close."""


class Calling(HTTPAdapter):
    """The way to an upstream; calls that change something are effects."""

    def __init__(self, inner: HTTPAdapter, power: Power) -> None:
        super().__init__()
        self._inner = inner
        self._power = power

    def send(self, request: requests.PreparedRequest, *how: Any, **named: Any) -> requests.Response:
        if request.method == "GET":
            return self._inner.send(request, *how, **named)
        self._power.pulse()
        response = self._inner.send(request, *how, **named)
        self._power.pulse()
        return response


def _no_redis() -> Any:
    """Redis is away: limiter and breaker work per process, and nothing is cached."""
    from redis.exceptions import ConnectionError

    raise ConnectionError("there is no Redis here")
