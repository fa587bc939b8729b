"""The whole system in one thread on virtual time, from a seed: several processes, everything can fail."""

from __future__ import annotations

import functools
import logging
import random
import secrets
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import requests

from local.bus import DEAD_LETTER_QUEUE, InProcessBus, LockedMessage, LockLost, QueueOptions
from local.company import demo_company
from local.company_changes import change_company
from local.company_model import Company
from local.fake_clock import FakeClock
from local.memory_documents import MemoryDocuments
from local.simulators.adapter import SimulatorAdapter
from local.simulators.tenant import Tenant, build_tenant
from local.vista_database import connection_string, create_vista_database
from shared.clients.graph import GraphClient
from shared.clients.vista import VistaClient
from shared.errors import BusError, MessageError, Paused, RunConflict, SafetyAmpError, StorageError
from shared.runtime import Parts, Runtime
from shared.storage.bus import Message
from shared.storage.documents import read_json
from shared.sync.batch_handler import apply_batch
from shared.sync.dead_letters import DeadLetter, Kind, bury
from shared.sync.entity_handler import sync_entity
from shared.sync.messages import EntityMessage, parse_batch_message, parse_entity_message
from shared.sync.runs import RunRequest, active_run_id, request_run
from shared.sync.sweep import sweep
from shared.telemetry.log_format import JsonFormatter
from tests.chaos.breaker_watch import BreakerWatch
from tests.chaos.faults import CLIMATES, Weather
from tests.chaos.operators import Operator
from tests.chaos.ports import ChaosAdapter, ChaosBus, ChaosDocuments, ChaosVista, SkewedClock
from tests.chaos.scheduler import Scheduler, Task
from tests.chaos.virtual_redis import VirtualClient, VirtualRedis

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PEOPLE = 40
LIMITS, LIMIT_PERIOD = (20, 60), 61.0
MOST_DEACTIVATIONS = (1, 10)
"""With the first one the true leavers of the company's change need an approval."""
QUEUES = ("entity-sync", "change-batches")
OPERATIONS = 0.001
"""How likely an operator does something at a step."""
SINGLE_RECORDS = 0.05
"""How likely an operator syncs one record at a step while no run is active."""
BREAKER_TOLD = ("success", "failure", "release")
"""The operations of the breaker's script that end a call."""
SWEEP_EVERY = timedelta(minutes=5)
STORMY = timedelta(minutes=25)
"""Faults happen for so long; then it stays calm and everything must come right."""
PATIENCE = timedelta(hours=6)
KEY_FIELDS = {
    "site_clusters": "external_code",
    "sites": "ext_id",
    "user_titles": "name",
    "users": "emp_id",
    "assets": "serial",
}
"""By which field a record of each resource must be the only one."""
HOSTS = {
    "safetyamp": "https://safetyamp.test",
    "samsara": "https://samsara.test",
    "graph": "https://graph.test",
}


class TooLong(AssertionError):
    """The system did not come to rest."""


@dataclass
class Process:
    """A worker process: its clock's skew and its runtime, which dies with it."""

    name: str
    runtime: Runtime
    dead_until: datetime | None = None
    generation: int = 1

    @property
    def ending(self) -> bool:
        """Told to end: it finishes what it has at hand and takes nothing new."""
        return self.runtime.shutdown.begun


@dataclass
class World:
    """A seeded world; `run` lets it happen. What the checks need is public."""

    seed: int
    climates: tuple[str, ...] = ()
    """Weathers to draw from. Empty: all; Redis stays where it is in even seeds, so that the checks which
    only hold with it can bite."""
    processes_count: int = 3
    company_changes: bool = True
    operated: bool = True
    """Whether an operator pauses, resumes, cancels and approves."""
    single_records: bool = True
    """Whether an operator syncs single records."""
    limit_calls: int | None = None
    """SafetyAmp's limit; None draws one. A small one makes many small batches."""
    scheduler: Scheduler = field(init=False)
    logged: list[str] = field(default_factory=list)
    sent: list[Message] = field(default_factory=list)
    redis_was_away: bool = False

    def __post_init__(self) -> None:
        self.clock = FakeClock(START)
        self.scheduler = Scheduler(self.seed, self.clock)
        self.dice = self.scheduler.dice
        self.climates = self.climates or tuple(name for name in CLIMATES if name != "redis" or self.seed % 2)
        self.limit_calls = self.limit_calls or self.dice.choice(LIMITS)
        self.most_deactivations = self.dice.choice(MOST_DEACTIVATIONS)
        self.breaker_watch = BreakerWatch(self.clock)
        self.weather = Weather(self.dice)
        self.store = MemoryDocuments(self.clock)
        self.bus = InProcessBus(self.clock, dict.fromkeys(QUEUES, QueueOptions()))
        self.redis = VirtualRedis(self.clock)
        self.company: Company = demo_company(START.date(), PEOPLE, jobs=12, vehicles=6)
        self.tenant: Tenant = build_tenant(
            self.clock, self.company.seed, calls=self.limit_calls, period=LIMIT_PERIOD
        )
        self.seeded_keys = Counter(
            (resource, row[name])
            for resource, name in KEY_FIELDS.items()
            for row in self.tenant.safetyamp.snapshot()[resource]
            if row.get(name)
        )
        self._folder = tempfile.TemporaryDirectory()
        self._vista_clients: list[VistaClient] = []
        self._database = Path(self._folder.name) / "vista.db"
        self._publish_company()
        self.processes = [self._new_process(f"p{number}") for number in range(self.processes_count)]
        self._next_sweep = self.clock.now() + SWEEP_EVERY
        self._locked: dict[str, LockedMessage] = {}
        self._doomed: set[str] = set()
        self._operator = Operator(self)

    def close(self) -> None:
        """Close the connections of all processes that ever were, and remove what is on disk."""
        for client in self._vista_clients:
            client.close()
        self._folder.cleanup()

    # -- what happens ----------------------------------------------------------------------------------

    def run(self) -> None:
        """A stormy time with runs and a change of the company, then calm, a last run, and rest."""
        with deterministic(self.dice), collected_logs(self.logged):
            storm_ends = self.clock.now() + STORMY
            change_at = self.clock.now() + timedelta(minutes=self.dice.uniform(1, 20))
            self._request()
            changed = not self.company_changes
            while self.clock.now() < storm_ends:
                if not changed and self.clock.now() >= change_at:
                    self._change_company()
                    changed = True
                self._maybe_change_weather()
                if self.dice.random() < (0.0005 if active_run_id(self.store) else 0.05):
                    self._request()
                if self.operated and self.dice.random() < OPERATIONS:
                    self._operator.does_something()
                if self.single_records and not active_run_id(self.store):
                    self._maybe_sync_one_record()
                self._step(until=storm_ends)
            if not changed:
                self._change_company()
            self._calm_down()
            self._settle()
            self._operator.resumes_everything()
            self._settle()
            for refresh in (False, True):
                self._request(refresh=refresh)
                self._settle()
                self._operator.approves_what_is_right()
                self._settle()

    def _change_company(self) -> None:
        change_company(self.company)
        self._publish_company()
        self.scheduler.note("the company changes")

    def runs(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Ids and documents of all runs, oldest first."""
        for path in sorted(self.store.list("runs/")):
            if path.endswith("/run.json"):
                yield path.split("/")[1], read_json(self.store, path)

    def act(
        self,
        title: str,
        operation: Callable[[Runtime], Any],
        refusals: tuple[type[SafetyAmpError], ...] = (),
    ) -> None:
        """Somebody asks a process for an operation, which may be refused; nothing when none is idle."""
        idle = [process for process in self.processes if self._is_idle(process)]
        if idle:
            process = self.dice.choice(idle)
            self._spawn(process, title, lambda: operation(process.runtime), refusals)

    def ever_deactivated(self) -> set[str]:
        """Employee numbers of all whose access was taken by an outcome of any run."""
        found = set()
        for path in self.store.list("runs/"):
            if "/employees/outcomes/" in path:
                for outcome in read_json(self.store, path)["outcomes"]:
                    if outcome["result"] == "deactivated":
                        found.add(outcome["key"])
        return found

    @property
    def true_leavers(self) -> set[str]:
        """Employee numbers of all with a termination date."""
        return {str(row["Employee"]).strip() for row in self.company.tables["bPREH"] if row.get("TermDate")}

    def _calm_down(self) -> None:
        self.weather.climate = "calm"
        self.redis.away = False
        self.scheduler.note("calm")

    def _settle(self) -> None:
        """Let everything come to rest; raises TooLong."""
        end = self.clock.now() + PATIENCE
        while self.scheduler.tasks or active_run_id(self.store) is not None:
            if self.clock.now() > end:
                raise TooLong(f"not at rest after {PATIENCE}: run {active_run_id(self.store)}")
            self._step(until=end)
        # Whatever is left in the queues now is a repeat and must change nothing.
        quiet = self.clock.now() + timedelta(minutes=3)
        while self.clock.now() < quiet or self.scheduler.tasks:
            self._step(until=max(quiet, self.clock.now() + timedelta(seconds=1)))

    def _maybe_sync_one_record(self) -> None:
        if self.dice.random() < SINGLE_RECORDS:
            self._operator.syncs_one_record()

    def _maybe_change_weather(self) -> None:
        if self.dice.random() < 0.004:
            self.weather.climate = self.dice.choice(self.climates)
            self.scheduler.note(f"weather: {self.weather.climate}")
        if "redis" in self.climates and self.dice.random() < 0.002:
            self._disturb_redis()

    def _disturb_redis(self) -> None:
        what = self.dice.choice(("away", "back", "emptied", "scripts lost"))
        self.scheduler.note(f"Redis: {what}")
        if what in ("away", "back"):
            self.redis.away = what == "away"
        elif what == "emptied":
            self.redis.empty()
        else:
            self.redis.forget_scripts()
        if what in ("away", "emptied"):
            self.redis_was_away = True

    def _step(self, until: datetime) -> None:
        """One thing happens: a task goes on, a process takes a message, a timer fires, or time passes."""
        runnable = self.scheduler.runnable()
        idle = [process for process in self.processes if self._is_idle(process)]
        if self.clock.now() >= self._next_sweep and idle:
            self._next_sweep += SWEEP_EVERY
            process = self.dice.choice(idle)
            self._spawn(process, "sweep", lambda: sweep(process.runtime))
            return
        if idle and (not runnable or self.dice.random() < 0.3) and self._take_message(self.dice.choice(idle)):
            return
        if runnable:
            task = self.dice.choice(runnable)
            if self.weather.strikes("crash"):
                self._crash(self._process_of(task))
            elif self.weather.strikes("sigterm"):
                self.scheduler.note(f"{task.owner} is told to end")
                self._process_of(task).runtime.shutdown.begin()
            else:
                self.scheduler.resume(task)
            return
        self._let_time_pass(until)

    def _let_time_pass(self, until: datetime) -> None:
        moments = [self.scheduler.next_wake(), self.bus.next_due(), self._next_sweep, until]
        moments += [process.dead_until for process in self.processes if process.dead_until]
        later = [moment for moment in moments if moment is not None and moment > self.clock.now()]
        self.clock.advance_to(min(later))

    # -- processes -------------------------------------------------------------------------------------

    def _process_of(self, task: Task) -> Process:
        return next(process for process in self.processes if process.name == task.owner)

    def _is_idle(self, process: Process) -> bool:
        if process.ending and process.dead_until is None and not self.scheduler.busy(process.name):
            self.scheduler.note(f"{process.name} has ended")
            process.dead_until = self.clock.now() + timedelta(seconds=self.dice.uniform(0.1, 30))
        if process.dead_until is not None:
            if self.clock.now() < process.dead_until:
                return False
            process.dead_until = None
            process.runtime = self._runtime(process.name)
        return not self.scheduler.busy(process.name)

    def _crash(self, process: Process) -> None:
        """kill -9: memory and work are gone, locks and leases run out by themselves."""
        self.scheduler.note(f"{process.name} crashes")
        self.breaker_watch.crashes(process.name)
        self._locked.pop(process.name, None)
        self.scheduler.kill(process.name)
        process.dead_until = self.clock.now() + timedelta(seconds=self.dice.uniform(0.1, 30))
        process.generation += 1

    def _take_message(self, process: Process) -> bool:
        queues = [*QUEUES, *(queue + DEAD_LETTER_QUEUE for queue in QUEUES)]
        self.dice.shuffle(queues)
        for queue in queues:
            locked = self.bus.receive(queue)
            if locked is not None:
                self._locked[process.name] = locked
                deliver = functools.partial(self._deliver, process, locked)
                self._spawn(process, locked.message.message_id, deliver)
                return True
        return False

    def _deliver(self, process: Process, locked: LockedMessage) -> None:
        if self._is_doomed(locked):
            self.scheduler.note(f"{process.name} dies of {locked.message.message_id}")
            self._locked.pop(process.name, None)
            process.dead_until = self.clock.now() + timedelta(seconds=self.dice.uniform(0.1, 30))
            return
        try:
            self._handle(process.runtime, locked)
            settle: Callable[[LockedMessage], None] = self.bus.complete
        except (SafetyAmpError, requests.RequestException) as error:
            self.scheduler.note(f"{process.name} fails: {type(error).__name__}: {error}")
            settle = self.bus.abandon
        self._settle_message(process, locked, settle)

    def _is_doomed(self, locked: LockedMessage) -> bool:
        """Whether this message kills whoever takes it, as one that needs more memory than there is."""
        if locked.queue in QUEUES and self.weather.strikes("doom"):
            self._doomed.add(locked.message.message_id)
        return locked.queue in QUEUES and locked.message.message_id in self._doomed

    def _handle(self, runtime: Runtime, locked: LockedMessage) -> None:
        """What the queue functions do."""
        kind: Kind = "entity" if locked.queue.startswith("entity") else "batch"
        body = locked.message.body.encode()
        if locked.queue not in QUEUES:
            reason = locked.dead_letter_reason or ""
            bury(runtime, DeadLetter(kind, locked.message.message_id, body, reason, locked.delivery_count))
            return
        try:
            message = parse_entity_message(body) if kind == "entity" else parse_batch_message(body)
        except MessageError as error:
            bury(runtime, DeadLetter(kind, locked.message.message_id, body, str(error), 1))
            return
        if isinstance(message, EntityMessage):
            sync_entity(runtime, message)
        else:
            apply_batch(runtime, message)

    def _settle_message(
        self, process: Process, locked: LockedMessage, settle: Callable[[LockedMessage], None]
    ) -> None:
        self._locked.pop(process.name, None)
        if self.weather.strikes("lock"):
            self.scheduler.note(f"{process.name} loses the lock of {locked.message.message_id}")
            return
        try:
            settle(locked)
        except LockLost:
            self.scheduler.note(f"{process.name} comes too late to settle")

    def _spawn(
        self,
        process: Process,
        title: str,
        work: Callable[[], Any],
        refusals: tuple[type[SafetyAmpError], ...] = (),
    ) -> None:
        expected: tuple[type[SafetyAmpError], ...] = (StorageError, BusError, *refusals)

        def guarded() -> None:
            try:
                work()
            except expected as error:
                self.scheduler.note(f"{process.name} {title} fails: {error}")

        self.scheduler.note(f"{process.name} begins {title}")
        self.scheduler.spawn(process.name, title, guarded)

    def _request(self, *, refresh: bool = False) -> None:
        """Somebody asks for a run, often twice at a time, as when an operator presses the button at the full
        hour. In calm weather the answers are waited for."""
        calm = self.weather.climate == "calm"
        idle = [process for process in self.processes if self._is_idle(process)]
        while calm and not idle:
            self._step(until=self.clock.now() + timedelta(minutes=1))
            idle = [process for process in self.processes if self._is_idle(process)]
        asked = self.dice.sample(idle, min(len(idle), self.dice.choice((1, 2))))
        for process in asked:
            ask = functools.partial(self._ask, process, refresh)
            self._spawn(process, "request", ask, (RunConflict, Paused))
        while calm and any(self.scheduler.busy(process.name) for process in asked):
            self._step(until=self.clock.now() + timedelta(minutes=1))

    def _ask(self, process: Process, refresh: bool) -> None:
        request_run(process.runtime, RunRequest(refresh=refresh, retry_failed=refresh))

    # -- building --------------------------------------------------------------------------------------

    def _publish_company(self) -> None:
        create_vista_database(self._database, self.company.tables)
        self.tenant.replace_content(self.company.vehicles, self.company.drivers, self.company.graph_users)

    def _new_process(self, name: str) -> Process:
        return Process(name, self._runtime(name))

    def _runtime(self, name: str) -> Runtime:
        clock = SkewedClock(self.scheduler, self.dice.uniform(-2.0, 2.0))
        parts = Parts(
            clock=clock,
            documents=lambda _: ChaosDocuments(self.store, self.scheduler, self.weather),
            bus=lambda _: ChaosBus(self.bus, self.scheduler, self.weather, self.sent),
            redis=lambda _: lambda: self._redis_client(name),  # type: ignore[arg-type, return-value]
            session=lambda: self._session(name),
        )
        runtime = Runtime(self._environment(), parts)
        # Attributes of the instance go before those that the class would build.
        self._vista_clients.append(runtime.vista)
        vars(runtime)["vista"] = ChaosVista(runtime.vista, self.scheduler, self.weather, self.store)
        vars(runtime)["graph"] = self._graph(runtime)
        return runtime

    def _graph(self, runtime: Runtime) -> GraphClient:
        tokens = SimulatedTokens(self.tenant)
        pipeline = runtime.unlimited_pipeline("graph", HOSTS["graph"] + "/v1.0", tokens.headers)
        return GraphClient(pipeline, tokens)  # type: ignore[arg-type]

    def _redis_client(self, owner: str) -> VirtualClient:
        def ran(operation: str) -> None:
            if operation in BREAKER_TOLD:
                self.breaker_watch.tells(owner)

        return VirtualClient(self.redis, lambda: self.scheduler.pause("Redis"), ran)

    def _session(self, owner: str) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        for name, url in HOSTS.items():
            inner = SimulatorAdapter(getattr(self.tenant, name))
            watch = self.breaker_watch if name == "safetyamp" else None
            session.mount(url, ChaosAdapter(inner, self.scheduler, self.weather, owner, watch))
        return session

    def _environment(self) -> dict[str, str]:
        return {
            **self.tenant.settings(),
            "SAFETYAMP_BASE_URL": HOSTS["safetyamp"],
            "SAMSARA_BASE_URL": HOSTS["samsara"],
            "MS_GRAPH_BASE_URL": HOSTS["graph"] + "/v1.0",
            "VISTA_CONNECTION_STRING": connection_string(self._database),
            "MAX_PROCESSES": "4",
            "GUARD_MAX_DEACTIVATIONS": str(self.most_deactivations),
            "API_RATE_LIMIT_CALLS": str(self.limit_calls),
        }


class SimulatedTokens:
    """Tokens of the simulated login without MSAL, whose own tests are elsewhere."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._tenant.graph.login.issue()}", "Accept": "application/json"}

    def renew(self) -> None:
        """Every call has a new one."""


@contextmanager
def deterministic(dice: Any) -> Iterator[None]:
    """All randomness of the product from the seed."""
    before = random.getstate()
    random.seed(dice.getrandbits(64))
    with (
        mock.patch.object(
            secrets, "token_hex", lambda count=16: f"{dice.getrandbits(8 * count):0{2 * count}x}"
        ),
        mock.patch.object(uuid, "uuid4", functools.partial(_uuid, dice)),
    ):
        try:
            yield
        finally:
            random.setstate(before)


def _uuid(dice: Any) -> uuid.UUID:
    return uuid.UUID(int=dice.getrandbits(128), version=4)


class _Collector(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))


@contextmanager
def collected_logs(lines: list[str]) -> Iterator[None]:
    """Every log line of the product goes to `lines` and nowhere else."""
    logger, collector = logging.getLogger("shared"), _Collector(lines)
    level, propagate = logger.level, logger.propagate
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(collector)
    try:
        yield
    finally:
        logger.removeHandler(collector)
        logger.setLevel(level)
        logger.propagate = propagate
