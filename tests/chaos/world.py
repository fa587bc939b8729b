"""The whole system in one thread on virtual time, from a seed: several processes, everything can fail."""

from __future__ import annotations

import functools
import heapq
import itertools
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

import requests

from local.bus.in_process import DEAD_LETTER_QUEUE, InProcessBus, LockedMessage, LockLost, QueueOptions
from local.company.model import Company
from local.company.vista_database import connection_string, create_vista_database
from local.documents.memory import MemoryDocuments
from local.fake_clock import FakeClock
from local.json_values import copied
from local.simulators.tenant import Tenant, build_tenant
from shared.clients.graph import GraphClient
from shared.clients.vista.client import VistaClient
from shared.clients.vista.connection_pool import ConnectionPool
from shared.errors import BusError, Paused, RunConflict, SafetyAmpError, StorageError
from shared.runtime import Parts, Runtime
from shared.storage.bus import Message
from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.documents.active import active_run_id
from shared.sync.documents.state import state_from_json
from shared.sync.runs.sweep import sweep
from tests.chaos import beginnings
from tests.chaos.breaker_watch import BreakerWatch
from tests.chaos.faults import HELD, Faults, draw_kinds
from tests.chaos.handling import QUEUES, ask_for_run, handle
from tests.chaos.hands import Hands
from tests.chaos.hr import Hr
from tests.chaos.isolation import collected_logs, deterministic
from tests.chaos.operators import Operator
from tests.chaos.ports import (
    ChaosAdapter,
    ChaosBus,
    ChaosDocuments,
    ChaosVista,
    Session,
    SkewedClock,
    VistaTables,
)
from tests.chaos.scheduler import Scheduler, Task
from tests.chaos.virtual_redis import VirtualClient, VirtualRedis

T = TypeVar("T")

NEVER = datetime.max.replace(tzinfo=UTC)
START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
COMPANY_ZONE = ZoneInfo("America/Chicago")
LIMITS, LIMIT_PERIOD = (20, 60), 61.0
MOST_DEACTIVATIONS = (1, 10)
"""With the first one the true leavers of the company's changes need an approval."""
PAGE_RECORDS = 8
"""Few, so that a small company has listings of several pages."""
ALL_QUEUES = (*QUEUES, *(queue + DEAD_LETTER_QUEUE for queue in QUEUES))
OPERATIONS = 0.001
"""How likely an operator does something at a step."""
SINGLE_RECORDS = 0.03
"""How likely an operator syncs one record at a step while no run is active."""
BREAKER_TOLD = ("success", "failure", "release")
"""The operations of the breaker's script that end a call."""
SWEEP_EVERY = timedelta(minutes=5)
STORMY = timedelta(minutes=25)
"""Faults happen for so long; then it stays calm and everything must come right."""
LAST_REQUEST = 0.85
"""When, in the storm, the last run is asked for that it disturbs."""
PATIENCE = timedelta(hours=6)
SOURCES_ARE_READ_ANEW = timedelta(hours=1, minutes=1)
"""Longer than listings of Samsara and Microsoft are kept (CACHE_TTL_HOURS)."""
TOO_LATE = timedelta(hours=2)
"""After which an operator comes who approves what is held, without looking."""
LOADED = 0.6
"""In how many worlds SafetyAmp already holds the company."""
MOST = 0.75
SOME_ACCOUNTS = 3
WITHOUT_ACCOUNT = ("hand corrects an e-mail", "odd answer to one user")
"""What needs people whose e-mail no source owns: so many accounts are disabled. They are nobody else's, and
each change of such a user reads it first."""
MOST_PROCESSES = 4
PROCESSES_PER_CALL = (0.5, 1.0, 2.0)
"""Of the limit, where there are many: with two, each process may call in every second period only."""
JUMP_SECONDS = 20.0
HAPPENINGS = (
    "hand edits",
    "hand switches off",
    "hand deletes",
    "hand changes a number",
    "hand parts two users",
    "hand moves a number",
    "hand moves a department",
    "hand corrects an e-mail",
    "leavers deleted by hand",
    "mistake in Vista",
    "phone handed over",
    "phones swapped",
    "freed phone hired",
    "holder of a shared phone leaves",
    "mail handed over",
    "mails swapped",
    "mail with an apostrophe",
    "region respelled",
    "odd row of a place",
    "made by hand first",
    "renumbered by hand first",
    "company changes",
)
"""What happens at a step of the whole system, not within an operation."""
KEY_FIELDS = {
    "site_clusters": "external_code",
    "sites": "ext_id",
    "user_titles": "name",
    "users": "emp_id",
    "assets": "serial",
}
"""By which field a record of each resource must be the only one."""


def unique_key(resource: str, value: Any) -> Any:
    """What must be there once: two clusters whose codes differ in case only are one region made twice."""
    return value.casefold() if resource == "site_clusters" and isinstance(value, str) else value


HOSTS = {
    "safetyamp": "https://safetyamp.test",
    "samsara": "https://samsara.test",
    "graph": "https://graph.test",
}


class TooLong(AssertionError):
    """The system did not come to rest."""


@dataclass
class Process:
    """A worker process: its clock and its runtime, which die with it."""

    name: str
    runtime: Runtime
    clock: SkewedClock
    dead_until: datetime | None = None
    ending: bool = False
    """Told to end: it finishes what it has at hand and takes nothing new."""

    def end(self) -> None:
        """Tell it to."""
        self.ending = True
        self.runtime.shutdown.begin()


@dataclass
class World:
    """A seeded world; `run` lets it happen. What the checks need is public.

    `kinds` are the kinds of faults; None: a subset of those that the engine stands, drawn from the seed.
    Redis stays where it is in even seeds, so that the checks which only hold with it can bite. `often`
    multiplies the strikes, and lets them follow each other so much faster. `loaded`: whether
    SafetyAmp already holds the company; None draws it.
    """

    seed: int
    kinds: tuple[str, ...] | None = None
    often: int = 1
    processes_count: int = 3
    company_changes: bool = True
    operated: bool = True
    """Whether an operator pauses, resumes, cancels and approves."""
    single_records: bool = True
    """Whether an operator syncs single records."""
    limit_calls: int | None = None
    """SafetyAmp's limit; None draws one. A small one makes many small batches."""
    loaded: bool | None = None
    drawn_from: tuple[str, ...] = HELD
    """What `kinds` are drawn from where they are not given."""
    duplicate_window_seconds: float = QueueOptions.duplicate_window_seconds
    """For which the bus knows the ids of messages; 0: it drops no duplicate, like Service Bus Basic."""
    scheduler: Scheduler = field(init=False)
    logged: list[str] = field(default_factory=list)
    sent: list[Message] = field(default_factory=list)
    redis_was_away: bool = False
    redis_is_gone: bool = False
    run_without_redis: str | None = None
    """Its id, where there was one."""
    not_shown: set[str] = field(default_factory=set)
    """Users of whom something else was shown than what they are when they were asked for by id."""
    verdict: tuple[Any, Any] | None = None
    """What the checks found SafetyAmp to hold, and what it should: worked out once for all of them."""
    last_rows: dict[str, list[dict[str, Any]]] | None = None
    unlisted: tuple[dict[str, list[dict[str, Any]]], date] | None = None
    """SafetyAmp's records after the hourly run of the calm, before anybody listed them, and its day."""

    def __post_init__(self) -> None:
        self.clock = FakeClock(START)
        self.scheduler = Scheduler(self.seed, self.clock)
        self.dice = self.scheduler.dice
        self.breaker_watch = BreakerWatch(self.clock)
        self.store = MemoryDocuments(self.clock)
        options = QueueOptions(duplicate_window_seconds=self.duplicate_window_seconds)
        self.bus = InProcessBus(self.clock, dict.fromkeys(QUEUES, options))
        self.redis = VirtualRedis(self.clock)
        self._draw()
        self.company: Company = beginnings.small_demo_company(START.date())
        self.tenant: Tenant = build_tenant(
            self.clock,
            self.company.seed,
            calls=self.limit_calls,
            period=LIMIT_PERIOD,
            page_records=PAGE_RECORDS if self.dice.random() < 0.5 else 25,
        )
        if self.loaded:
            self._load(self._beginning())
        self.faults = Faults(self.dice, self.clock, self.kinds or (), STORMY * LAST_REQUEST, self.often)
        self.seeded_keys = Counter(
            (resource, unique_key(resource, row[name]))
            for resource, name in KEY_FIELDS.items()
            for row in self.tenant.safetyamp.records(resource)
            if row.get(name)
        )
        self.hands = Hands(self)
        self.hr = Hr(self)
        if not self.faults.names.isdisjoint(WITHOUT_ACCOUNT):
            self.hr.disables_accounts(SOME_ACCOUNTS)
        if "hand parts two users" in self.faults.names:
            self.hands.doubles_a_user()
        self._happenings = [name for name in HAPPENINGS if name in self.faults.names]
        self._quiet_until = self.faults.quiet_until(self._happenings)
        self._late: list[tuple[datetime, int, Callable[[], None]]] = []
        self._late_numbers = itertools.count()
        self._folder = tempfile.TemporaryDirectory()
        self._database = Path(self._folder.name) / "vista.db"
        self._published: dict[str, list[dict[str, Any]]] = {}
        self._vista = VistaTables(connection_string(self._database))
        self.publish_company()
        self.processes = [self._new_process(f"p{number}") for number in range(self.processes_count)]
        self._next_sweep = self.clock.now() + SWEEP_EVERY
        self._seen: dict[str, tuple[str | None, Any]] = {}
        self._locked: dict[str, LockedMessage] = {}
        self._doomed: set[str] = set()
        self._operator = Operator(self)
        self.nothing_until = self.clock.now()
        """No message can be received before; whoever sends one or gives one back sets it back."""
        self.calm = False

    def _draw(self) -> None:
        if self.kinds is None:
            self.kinds = draw_kinds(self.dice, self.drawn_from, redis=bool(self.seed % 2))
        if self.company_changes:
            self.kinds = (*self.kinds, "company changes")
        self.limit_calls = self.limit_calls or self.dice.choice(LIMITS)
        self.most_deactivations = 1 if "late approval" in self.kinds else self.dice.choice(MOST_DEACTIVATIONS)
        self.most_processes = MOST_PROCESSES
        if "many processes without Redis" in self.kinds:
            self.most_processes = round(self.limit_calls * self.dice.choice(PROCESSES_PER_CALL))
        if self.loaded is None:
            self.loaded = self.dice.random() < LOADED

    def _beginning(self) -> beginnings.Settled:
        return beginnings.settled()

    def _load(self, settled: beginnings.Settled) -> None:
        self.clock.advance_to(settled.at)
        for path, data in settled.documents.items():
            self.store.write(path, data)
        # A copy: the simulator goes on with the rows that it is given.
        self.tenant.safetyamp.load(copied(settled.safetyamp))

    def violations(self) -> list[str]:
        """Everything that does not hold when all is over, one line each."""
        from tests.chaos.checks import violations

        return violations(self)

    def close(self) -> None:
        """Close the connections of all processes that ever were, and remove what is on disk."""
        self._vista.end()
        self._folder.cleanup()

    # -- what happens ----------------------------------------------------------------------------------

    def run(self) -> None:
        """A stormy time with runs and changes of the company, then calm, last runs, and rest."""
        with deterministic(self.dice), collected_logs(self.logged):
            self._rage()
            self._calm_down()
            self._settle()
            if self.hr.is_mistaken:
                self.hr.mends()
            self._operator.resumes_everything()
            self._settle()
            if "many processes without Redis" in self.faults.names:
                self._run_without_redis()
            if "late approval" in self.faults.names:
                self._approve_late()
            if self.company_changes:
                self.hr.takes_back()
                self.clock.advance(SOURCES_ARE_READ_ANEW)
            # Two listings in a row: only then is a record that vanished believed to be gone.
            for refresh in (False, True, True):
                self._request(refresh=refresh)
                self._settle()
                self._operator.approves_what_is_right()
                self._settle()
                if not refresh:
                    self.unlisted = self.tenant.safetyamp.snapshot(), self.today

    def _rage(self) -> None:
        ends = self.clock.now() + STORMY
        requests_at = [self.clock.now() + STORMY * share for share in self._shares_of_requests()]
        while self.clock.now() < ends:
            if self.clock.now() >= requests_at[-1] and any(map(self._is_idle, self.processes)):
                requests_at.pop()
                self._request(refresh=self.dice.random() < 0.4)
            if self.operated and self.dice.random() < OPERATIONS:
                self._operator.does_something()
            if self.single_records and not self._active_run_id():
                self._maybe_sync_one_record()
            self._happen()
            self._step(until=min(requests_at[-1], ends))

    def _shares_of_requests(self) -> list[float]:
        """When in the storm runs are asked for, the first one last; then one that never comes."""
        between = [self.dice.random() * LAST_REQUEST for _ in range(self.dice.randint(0, 2))]
        return sorted([0.0, *between, LAST_REQUEST, 2.0], reverse=True)

    def _happen(self) -> None:
        """What people do meanwhile."""
        if self.clock.now() >= self._quiet_until:
            for name in self._happenings:
                ready = {
                    "mistake in Vista": self.most_are_known,
                    # What two readings of a listing under way hide one after the other is not found.
                    "made by hand first": lambda: self._active_run_id() is None,
                }.get(name)
                if self.faults.strikes(name, ready):
                    self._let_happen(name)
                    self._quiet_until = self.faults.quiet_until(self._happenings)
        if self.hr.is_mistaken and self.clock.now() >= self.hr.mend_at:
            self.hr.mends()
        self.hr.mends_places()

    def _let_happen(self, name: str) -> None:
        hands = {
            "hand edits": self.hands.edits,
            "hand switches off": self.hands.switches_off,
            "hand deletes": self.hands.deletes,
            "hand changes a number": self.hands.changes_a_number,
            "hand parts two users": self.hands.parts_two_users,
            "hand moves a number": self.hands.moves_a_number,
            "hand moves a department": self.hands.moves_a_department,
            "hand corrects an e-mail": self.hands.corrects_a_mail,
            "leavers deleted by hand": self.hands.deletes_leavers,
            "company changes": self.hr.changes_something,
        }
        if name in hands:
            hands[name]()
        else:
            self.hr.happens(name)

    def _run_without_redis(self) -> None:
        """One run for which each process has its small share of the limit only."""
        self.faults.count("many processes without Redis")
        self.redis_is_gone = True
        self._request()
        self._settle()
        self.redis_is_gone = False
        self.run_without_redis = [run_id for run_id, _ in self.runs()][-1]

    def _approve_late(self) -> None:
        self.clock.advance(TOO_LATE)
        for run_id in self._operator.held_runs():
            self.faults.count("late approval")
            self._operator.approves(run_id)
            self._settle()

    def arrives_late(self, seconds: float, effect: Callable[[], None]) -> None:
        """Carry out a request after its client has given up."""
        moment = self.clock.now() + timedelta(seconds=seconds)
        heapq.heappush(self._late, (moment, next(self._late_numbers), effect))

    @property
    def today(self) -> date:
        """The day at the company."""
        return self.clock.now().astimezone(COMPANY_ZONE).date()

    def most_are_known(self) -> bool:
        """Whether most employees are in SafetyAmp, as far as the sync knows."""
        known = self._of_version(paths.state("employees"), self._count_known)
        return known > len(self.company.own_employees()) * MOST

    def _count_known(self) -> int:
        state = state_from_json("employees", read_json(self.store, paths.state("employees")))
        return sum(1 for record in state.records.values() if record[0] is not None) if state else 0

    def tells_half_from_all(self) -> bool:
        """Whether half of the accounts or vehicles is no damage. A first read cannot be told from the truth,
        and whose disabled account it lacks gets the address of Vista, also over that of a hand."""
        return self.faults.names.isdisjoint(WITHOUT_ACCOUNT) or self.most_are_known()

    def runs(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Ids and documents of all runs, oldest first."""
        for path in sorted(self.store.list("runs/")):
            if path.endswith("/run.json"):
                yield path.split("/")[1], read_json(self.store, path)

    def act(
        self,
        title: str,
        operation: Callable[..., Any],
        *arguments: Any,
        refusals: tuple[type[SafetyAmpError], ...] = (),
    ) -> None:
        """Somebody asks a process for an operation, which may be refused; nothing when none is idle."""
        idle = [process for process in self.processes if self._is_idle(process)]
        if idle:
            process = self.dice.choice(idle)
            work = functools.partial(self._call, process, operation, *arguments)
            self._spawn(process, title, work, refusals)

    @property
    def has_older_release(self) -> bool:
        """Whether code of a release before is at work, too."""
        return False

    def uncounted(self, plan: dict[str, Any] | None) -> int:
        """How many source records may be in no count of the plan's entity."""
        return 0

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
        """Employee numbers of all who have left, those who are shown so by mistake not among them."""
        return self.hr.left

    def _calm_down(self) -> None:
        self.calm = True
        self.faults.calm()
        self.redis.away = False
        self.hands.mends_numbers()
        self.scheduler.note("calm")

    def _settle(self) -> None:
        """Let everything come to rest; raises TooLong."""
        end = self.clock.now() + PATIENCE
        while self.scheduler.tasks or self._active_run_id() is not None:
            if self.clock.now() > end:
                raise TooLong(f"not at rest after {PATIENCE}: run {self._active_run_id()}")
            self._step(until=end)
        # Whatever is left in the queues now is a repeat and must change nothing.
        quiet = self.clock.now() + timedelta(minutes=3)
        while self.clock.now() < quiet or self.scheduler.tasks:
            self._step(until=max(quiet, self.clock.now() + timedelta(seconds=1)))

    def _active_run_id(self) -> str | None:
        return self._of_version(paths.ACTIVE, lambda: active_run_id(self.store))

    def _of_version(self, path: str, look: Callable[[], T]) -> T:
        """What `look` sees in the document. Asked at every step; decoding it each time took a third of a
        seed."""
        etag = self.store.etag(path)
        seen = self._seen.get(path)
        if seen is None or seen[0] != etag:
            seen = self._seen[path] = etag, look()
        return cast(T, seen[1])

    def _maybe_sync_one_record(self) -> None:
        if self.dice.random() < SINGLE_RECORDS:
            self._operator.syncs_one_record()

    def _disturb_redis(self) -> None:
        self.scheduler.pause("Redis")
        self.redis.away = self.redis_is_gone or self.faults.rages("Redis away")
        if self.faults.strikes("Redis loses its data"):
            self.redis.empty()
            self.redis_was_away = True
        if self.faults.strikes("Redis loses its scripts"):
            self.redis.forget_scripts()
        self.redis_was_away |= self.redis.away

    def _step(self, until: datetime) -> None:
        """One thing happens: a task goes on, a process takes a message, a timer fires, or time passes."""
        while self._late and self._late[0][0] <= self.clock.now():
            self.scheduler.note("a request arrives late")
            heapq.heappop(self._late)[2]()
        runnable = self.scheduler.runnable()
        busy = self.scheduler.at_work
        idle = [process for process in self.processes if not busy[process.name] and self._is_idle(process)]
        if self.clock.now() >= self._next_sweep and idle:
            self._next_sweep += SWEEP_EVERY
            process = self.dice.choice(idle)
            self._spawn(process, "sweep", functools.partial(self._call, process, sweep))
            return
        if idle and (not runnable or self.dice.random() < 0.3) and self._take_message(self.dice.choice(idle)):
            return
        if runnable:
            task = self.dice.choice(runnable)
            if self._dies(task):
                self._crash(self._process_of(task))
                return
            self._disturb_process(task)
            self.scheduler.resume(task)
            return
        self._let_time_pass(until)

    def _dies(self, task: Task) -> bool:
        """Whether its process does, where the task stands."""
        return self.faults.strikes("crash after an effect" if task.after else "crash before an effect")

    def _disturb_process(self, task: Task) -> None:
        if self.faults.strikes("told to end"):
            self.scheduler.note(f"{task.owner} is told to end")
            self._process_of(task).end()
        if self.faults.strikes("clock jumps"):
            seconds = self.dice.uniform(-JUMP_SECONDS, JUMP_SECONDS)
            self._process_of(task).clock.skew = timedelta(seconds=seconds)
            self.scheduler.note(f"the clock of {task.owner} jumps to {seconds:+.3f} s")

    def _let_time_pass(self, until: datetime) -> None:
        moments = [self.scheduler.next_wake(), self.bus.next_due(), self._next_sweep, until]
        moments += [process.dead_until for process in self.processes if process.dead_until]
        moments += [self._late[0][0]] if self._late else []
        now = self.clock.now()
        later = [moment for moment in moments if moment is not None and moment > now]
        self.clock.advance_to(min(later))

    # -- processes -------------------------------------------------------------------------------------

    def _process_of(self, task: Task) -> Process:
        return next(process for process in self.processes if process.name == task.owner)

    def _is_idle(self, process: Process) -> bool:
        if self.scheduler.busy(process.name):
            return False
        if process.ending and process.dead_until is None:
            self.scheduler.note(f"{process.name} has ended")
            process.dead_until = self.clock.now() + timedelta(seconds=self.dice.uniform(0.1, 30))
        if process.dead_until is not None:
            if self.clock.now() < process.dead_until:
                return False
            process.dead_until, process.ending = None, False
            process.runtime, process.clock = self._runtime(process.name)
        return True

    def _crash(self, process: Process) -> None:
        """kill -9: memory and work are gone, locks and leases run out by themselves."""
        self.scheduler.note(f"{process.name} crashes")
        self.breaker_watch.crashes(process.name)
        self._locked.pop(process.name, None)
        self.scheduler.kill(process.name)
        process.dead_until = self.clock.now() + timedelta(seconds=self.dice.uniform(0.1, 30))

    def _take_message(self, process: Process) -> bool:
        if self.clock.now() < self.nothing_until:
            return False
        queues = list(self._queues_of(process))
        self.dice.shuffle(queues)
        for queue in queues:
            locked = self._receive(queue)
            if locked is not None:
                self._locked[process.name] = locked
                deliver = functools.partial(self._deliver, process, locked)
                self._spawn(process, locked.message.message_id, deliver)
                return True
        if len(queues) == len(ALL_QUEUES):
            self.nothing_until = self.bus.next_due() or NEVER
        return False

    def _queues_of(self, process: Process) -> tuple[str, ...]:
        """From which queues the process takes messages."""
        return ALL_QUEUES

    def _receive(self, queue: str) -> LockedMessage | None:
        """The next message; or the one behind it, or one that somebody else gets at the same time."""
        locked = self.bus.receive(queue)
        if locked is None or queue not in QUEUES:
            return locked
        if "delivered out of order" in self.faults.names and (other := self.bus.receive(queue)):
            if self.faults.strikes("delivered out of order"):
                locked, other = other, locked
            self.bus.release(other)
        if self.faults.strikes("delivered twice at once"):
            self.bus.abandon(locked)
        self.nothing_until = self.clock.now()
        return locked

    def _deliver(self, process: Process, locked: LockedMessage) -> None:
        if self._is_doomed(locked):
            self.scheduler.note(f"{process.name} dies of {locked.message.message_id}")
            self._locked.pop(process.name, None)
            process.dead_until = self.clock.now() + timedelta(seconds=self.dice.uniform(0.1, 30))
            return
        try:
            self._handle(process, locked)
            settle: Callable[[LockedMessage], None] = self.bus.complete
        except (SafetyAmpError, requests.RequestException) as error:
            self.scheduler.note(f"{process.name} fails: {type(error).__name__}: {error}")
            settle = self.bus.abandon
        self._settle_message(process, locked, settle)

    def _is_doomed(self, locked: LockedMessage) -> bool:
        """Whether this message kills whoever takes it, as one that needs more memory than there is."""
        if locked.queue in QUEUES and self.faults.strikes("poison message"):
            self._doomed.add(locked.message.message_id)
        return locked.queue in QUEUES and locked.message.message_id in self._doomed

    def _handle(self, process: Process, locked: LockedMessage) -> None:
        message = locked.message
        reason, deliveries = locked.dead_letter_reason, locked.delivery_count
        body = message.body.encode()
        self._call(process, handle, locked.queue, message.message_id, body, reason, deliveries)

    def _call(self, process: Process, operation: Callable[..., Any], *arguments: Any) -> Any:
        """Let a process do something with its own code."""
        return operation(process.runtime, *arguments)

    def _settle_message(
        self, process: Process, locked: LockedMessage, settle: Callable[[LockedMessage], None]
    ) -> None:
        self._locked.pop(process.name, None)
        if self.faults.strikes("lock lost"):
            self.scheduler.note(f"{process.name} loses the lock of {locked.message.message_id}")
            return
        self.nothing_until = self.clock.now()
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
        idle = [process for process in self.processes if self._is_idle(process)]
        while self.calm and not idle:
            self._step(until=self.clock.now() + timedelta(minutes=1))
            idle = [process for process in self.processes if self._is_idle(process)]
        asked = self.dice.sample(idle, min(len(idle), self.dice.choice((1, 2))))
        for process in asked:
            ask = functools.partial(self._call, process, ask_for_run, refresh)
            self._spawn(process, "request", ask, (RunConflict, Paused))
        while self.calm and any(self.scheduler.busy(process.name) for process in asked):
            self._step(until=self.clock.now() + timedelta(minutes=1))

    # -- building --------------------------------------------------------------------------------------

    def publish_company(self) -> None:
        """Let the sources show the company as it is now."""
        changed = [name for name, rows in self.company.tables.items() if rows != self._published.get(name)]
        create_vista_database(self._database, self.company.tables, changed)
        self._vista.forget()
        self._published |= {name: copied(self.company.tables[name]) for name in changed}
        self.tenant.replace_content(self.company.vehicles, self.company.drivers, self.company.graph_users)

    def _new_process(self, name: str) -> Process:
        return Process(name, *self._runtime(name))

    def _runtime(self, name: str) -> tuple[Runtime, SkewedClock]:
        clock = SkewedClock(self.scheduler, self.dice.uniform(-2.0, 2.0))
        newer = "newer release" in self.faults.names and self.dice.random() < 0.5
        if newer:
            self.faults.count("newer release")
            self.scheduler.note(f"{name} is of a newer release")
        parts = Parts(
            clock=clock,
            documents=lambda _: ChaosDocuments(self, newer=newer),
            bus=lambda _: ChaosBus(self, newer=newer),
            redis=lambda _: lambda: self._redis_client(name),  # type: ignore[arg-type, return-value]
            session=lambda: self._session(name),
        )
        runtime = Runtime(self._environment(), parts)
        # Attributes of the instance go before those that the class would build.
        vars(runtime)["vista"] = self._vista_client(runtime)
        vars(runtime)["graph"] = self._graph(runtime)
        return runtime, clock

    def _vista_client(self, runtime: Runtime) -> ChaosVista:
        settings = runtime.settings
        columns = settings.vista_title_column, settings.vista_region_column
        pool = ConnectionPool(lambda: self._vista, 1, runtime.clock)
        client = VistaClient(pool, settings.vista_company, *columns, runtime.breaker("vista"))  # type: ignore[arg-type]
        return ChaosVista(client, self)

    def _graph(self, runtime: Runtime) -> GraphClient:
        tokens = SimulatedTokens(self.tenant)
        pipeline = runtime.unlimited_pipeline("graph", HOSTS["graph"] + "/v1.0", tokens.headers)
        return GraphClient(pipeline, tokens)  # type: ignore[arg-type]

    def _redis_client(self, owner: str) -> VirtualClient:
        def ran(operation: str) -> None:
            if operation in BREAKER_TOLD:
                self.breaker_watch.tells(owner)

        return VirtualClient(self.redis, self._disturb_redis, ran)

    def _session(self, owner: str) -> requests.Session:
        session = Session()
        session.trust_env = False
        for name, url in HOSTS.items():
            session.mount(url, ChaosAdapter(self, name, owner))
        return session

    def _environment(self) -> dict[str, str]:
        return {
            **self.tenant.settings(),
            "SAFETYAMP_BASE_URL": HOSTS["safetyamp"],
            "SAMSARA_BASE_URL": HOSTS["samsara"],
            "MS_GRAPH_BASE_URL": HOSTS["graph"] + "/v1.0",
            "VISTA_CONNECTION_STRING": connection_string(self._database),
            "MAX_PROCESSES": str(self.most_processes),
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
