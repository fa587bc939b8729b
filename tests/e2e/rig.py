"""The whole app in one thread and in virtual time: its own functions, host and bus, and three simulated
upstreams. Hours of waiting take no time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from local.company.alike import company_alike
from local.company.model import Company, Row
from local.company.vista_database import connection_string, create_vista_database
from local.documents.memory import MemoryDocuments
from local.fake_clock import FakeClock
from local.host.stack import LocalStack
from local.probe.recording import Recording
from local.simulators.adapter import SimulatorAdapter
from local.simulators.safetyamp import SafetyAmpSimulator
from local.simulators.simulator import Call
from local.simulators.tenant import KEYS, Tenant, build_tenant
from shared import runtime
from shared.clients.graph import GraphClient
from shared.clients.graph_tokens import GraphTokens
from shared.runtime import Parts, Runtime
from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.documents.active import active_run_id
from shared.sync.documents.runs import RunRequest
from shared.sync.runs.requests import request_run
from shared.sync.runs.sweep import sweep
from tests.e2e.power import Crash, Power, PoweredAdapter, PoweredBus, PoweredDocuments
from tests.e2e.small_company import small_company

if TYPE_CHECKING:
    from msal import ConfidentialClientApplication
    from redis import Redis

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""A Monday, early in the morning in the company's time zone."""

SWEEP_EVERY = timedelta(minutes=5)
PATIENCE = timedelta(hours=12)
HOSTS = {
    "safetyamp": "https://safetyamp.test",
    "samsara": "https://samsara.test",
    "graph": "https://graph.test",
}
LOGIN = "https://login.test"

NAMES = {
    "site_clusters": "name",
    "sites": "name",
    "user_titles": "name",
    "users": "emp_id",
    "assets": "name",
    "asset_types": "name",
    "roles": "name",
}
"""The field by which the tests call a record of each resource."""

REFERENCES = {
    "parent_cluster_id": "site_clusters",
    "cluster_id": "site_clusters",
    "home_site_id": "sites",
    "site_id": "sites",
    "current_title_id": "user_titles",
    "asset_type_id": "asset_types",
    "current_user_id": "users",
}
IGNORED = frozenset({"id", "path", "created_at", "updated_at", "created_by", "updated_by"})


class Stuck(AssertionError):
    """The run does not end by itself."""


@dataclass(frozen=True)
class Ran:
    """A run that has ended, and SafetyAmp's calls meanwhile."""

    run_id: str
    report: dict[str, Any]
    calls: list[Call]

    @property
    def writes(self) -> list[str]:
        """Calls that changed something or tried to, as "METHOD /path"."""
        return [f"{call.method} {call.path}" for call in self.calls if call.method != "GET"]

    @property
    def listings(self) -> list[str]:
        """Paths that were listed, one per page."""
        return [call.path for call in self.calls if call.method == "GET"]

    def entity(self, name: str) -> dict[str, Any]:
        """The report on one entity."""
        found: dict[str, Any] = self.report["entities"][name]
        return found

    def problem(self, entity: str, key: str) -> dict[str, Any]:
        """The one problem of a record."""
        (found,) = (problem for problem in self.entity(entity)["problems"] if problem["key"] == key)
        result: dict[str, Any] = found
        return result

    def count(self, result: str) -> int:
        """How many records of all entities came out as `result`."""
        return sum(entity.get(result, 0) for entity in self.report["entities"].values())


class Rig:
    """A company, its upstreams, and the app between them.

    `folder` holds the Vista file, `limit` is what SafetyAmp takes in 61 seconds. After a crash another
    process goes on: beside the same Service Bus, or with `bus_dies` as on one machine, where the bus was
    part of the process. With `like` the upstreams are as they were recorded.
    """

    def __init__(
        self,
        folder: Path,
        company: Company | None = None,
        *,
        limit: int = 60,
        bus_dies: bool = False,
        like: Recording | None = None,
        **settings: str,
    ) -> None:
        self.clock = FakeClock(START)
        self.bus_dies = bus_dies
        self.power = Power()
        self.company = company or small_company(START.date())
        if like is not None:
            self.company = company_alike(self.company, like)
        self.documents = MemoryDocuments(self.clock)
        seen = None if like is None else like.safetyamp
        self.tenant: Tenant = build_tenant(self.clock, self.company.seed, calls=limit, like=seen)
        self.database = folder / "vista.db"
        self.settings = {"API_RATE_LIMIT_CALLS": str(limit), **settings}
        self._next_sweep = self.clock.now() + SWEEP_EVERY
        self.publish()
        self.stack = self._new_stack()

    def close(self) -> None:
        """Forget the process's runtime."""
        self.stack.close()

    # -- the world -------------------------------------------------------------------------------------

    @property
    def safetyamp(self) -> SafetyAmpSimulator:
        return self.tenant.safetyamp

    def publish(self) -> None:
        """Let the source systems show the company as it is now."""
        create_vista_database(self.database, self.company.tables)
        self.tenant.replace_content(self.company.vehicles, self.company.drivers, self.company.graph_users)

    def person(self, number: int) -> Row:
        """The Vista row of an employee."""
        return next(row for row in self.company.tables["bPREH"] if row["Employee"] == number)

    def record(self, resource: str, name: str) -> dict[str, Any]:
        """The one SafetyAmp record of this name."""
        (found,) = (row for row in self.safetyamp.snapshot()[resource] if row[NAMES[resource]] == name)
        return found

    def user(self, number: int) -> dict[str, Any]:
        """The SafetyAmp user of an employee."""
        return self.record("users", str(number))

    def content(self) -> dict[str, list[dict[str, Any]]]:
        """All that SafetyAmp holds, without ids and times, references as names: what two ways that lead to
        the same must have in common. Records that are there twice are in it twice."""
        rows = self.safetyamp.snapshot()
        names = {
            (resource, row["id"]): row[field] for resource, field in NAMES.items() for row in rows[resource]
        }

        def plain(row: dict[str, Any]) -> dict[str, Any]:
            return {
                field: names.get((REFERENCES[field], value)) if field in REFERENCES else value
                for field, value in row.items()
                if field not in IGNORED
            }

        return {resource: sorted(map(plain, rows[resource]), key=repr) for resource in NAMES}

    @property
    def active(self) -> str:
        """The run under way."""
        run_id = active_run_id(self.documents)
        assert run_id is not None, "no run is under way"
        return run_id

    # -- running ---------------------------------------------------------------------------------------

    def run(self, **request: Any) -> Ran:
        """Request a run and let it come to its end."""
        before = len(self.safetyamp.calls)
        return self.finish(request_run(self.stack.runtime, RunRequest(**request)), since=before)

    def finish(self, run_id: str, *, since: int | None = None, sweeping: bool = False) -> Ran:
        """Let the run come to its end; raises Stuck. Without `sweeping` it must not need the sweep."""
        before = len(self.safetyamp.calls) if since is None else since
        self.until(lambda: active_run_id(self.documents) != run_id, sweeping=sweeping)
        report = read_json(self.documents, paths.report(run_id))
        return Ran(run_id, report, self.safetyamp.calls[before:])

    def until(self, ended: Callable[[], bool], *, sweeping: bool = False) -> None:
        """Deliver what is due and let time pass, until `ended`; raises Stuck."""
        give_up = self.clock.now() + PATIENCE
        while not ended():
            if self.clock.now() > give_up:
                raise Stuck(f"run {active_run_id(self.documents)} goes on and on")
            if not self.step() and not self._let_time_pass(sweeping):
                raise Stuck(f"run {active_run_id(self.documents)} waits for a message that nobody sent")

    def step(self) -> bool:
        """Deliver one message that is due; False when there is none."""
        try:
            return self.stack.host.step()
        except Crash:
            self.take_over()
            return True

    def drain(self) -> None:
        """Deliver all messages that are left, also those scheduled for later."""
        while self.step() or self._let_time_pass(sweeping=False):
            pass

    def _let_time_pass(self, sweeping: bool) -> bool:
        due = self.stack.bus.next_due()
        moments = [moment for moment in (due, self._next_sweep if sweeping else None) if moment is not None]
        if not moments:
            return False
        self.clock.advance_to(min(moments))
        if sweeping and self.clock.now() >= self._next_sweep:
            self._next_sweep = self.clock.now() + SWEEP_EVERY
            self._sweep()
        return True

    def _sweep(self) -> None:
        try:
            self.stack.host.run_timer("sweep")
        except Crash:
            self.take_over()

    # -- processes -------------------------------------------------------------------------------------

    def request(self, **request: Any) -> str | None:
        """Ask for a run; None when the process died of it before the run stood."""
        try:
            return request_run(self.stack.runtime, RunRequest(**request))
        except Crash:
            self.take_over()
            return active_run_id(self.documents)

    def take_over(self) -> None:
        """After a crash: go on in another process, in the way that this rig is for."""
        (self.start_again if self.bus_dies else self._join)()

    def _join(self) -> None:
        """Another process of the same app, beside the same Service Bus: memory is lost, messages are not."""
        self.power.restore()
        self.stack.runtime = self._prepared(Runtime(self._environment(), self._parts(self.stack.bus.send)))
        runtime.use(self.stack.runtime)

    def start_again(self) -> None:
        """The embedded stack in a new process: its bus is empty, only the documents are as they were."""
        self.power.restore()
        self.stack.close()
        self.stack = self._new_stack()
        sweep(self.stack.runtime, at_once=True)

    def _new_stack(self) -> LocalStack:
        def send(messages: Any) -> None:
            stack.bus.send(messages)

        stack = LocalStack(self._environment(), self._parts(send))
        self._prepared(stack.runtime)
        complete = stack.bus.complete

        def powered_complete(locked: Any) -> None:
            self.power.pulse()
            complete(locked)

        # A process can also die between the end of its work and telling so.
        vars(stack.bus)["complete"] = powered_complete
        return stack

    def _prepared(self, built: Runtime) -> Runtime:
        # An attribute of the instance goes before the one that the class would build.
        vars(built)["graph"] = self._graph(built)
        return built

    def _parts(self, send: Callable[[Any], None]) -> Parts:
        return Parts(
            clock=self.clock,
            documents=lambda _: PoweredDocuments(self.documents, self.power),
            bus=lambda _: PoweredBus(_Sending(send), self.power),
            redis=lambda _: _no_redis,
            session=self._session,
        )

    def _session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        for name, url in HOSTS.items():
            session.mount(url, PoweredAdapter(SimulatorAdapter(getattr(self.tenant, name)), self.power))
        session.mount(LOGIN, SimulatorAdapter(self.tenant.graph))
        return session

    def _graph(self, built: Runtime) -> GraphClient:
        tokens = GraphTokens(
            KEYS.graph_tenant, KEYS.graph_client, KEYS.graph_client_key, LOGIN, build=self._msal
        )
        pipeline = built.unlimited_pipeline("graph", f"{HOSTS['graph']}/v1.0", tokens.headers)
        return GraphClient(pipeline, tokens)

    def _msal(self, *arguments: Any, **options: Any) -> ConfidentialClientApplication:
        from msal import ConfidentialClientApplication

        return ConfidentialClientApplication(*arguments, **options, http_client=self._session())

    def _environment(self) -> dict[str, str]:
        return {
            **self.tenant.settings(),
            "SAFETYAMP_BASE_URL": HOSTS["safetyamp"],
            "SAMSARA_BASE_URL": HOSTS["samsara"],
            "MS_GRAPH_BASE_URL": f"{HOSTS['graph']}/v1.0",
            "VISTA_CONNECTION_STRING": connection_string(self.database),
            "MAX_PROCESSES": "1",
            **self.settings,
        }


class _Sending:
    """Implements Bus by a function."""

    def __init__(self, send: Callable[[Any], None]) -> None:
        self.send = send

    def close(self) -> None:
        """Nothing to give back."""


def _no_redis() -> Redis:
    """Redis is away: limiter and breaker work per process, and nothing is cached."""
    from redis.exceptions import ConnectionError

    raise ConnectionError("there is no Redis here")


def doubles(rows: Iterable[dict[str, Any]], field: str) -> set[Any]:
    """Values of a field that occur more than once."""
    values = [row[field] for row in rows if row.get(field) is not None]
    return {value for value in values if values.count(value) > 1}
