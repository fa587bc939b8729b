"""The whole app in one thread and in virtual time, against simulators of a demo company."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import redis
import requests

from local.company import demo_company
from local.company_model import Company
from local.fake_clock import FakeClock
from local.memory_documents import MemoryDocuments
from local.simulators.adapter import SimulatorAdapter
from local.simulators.tenant import build_tenant
from local.stack import LocalStack
from local.vista_database import connection_string, create_vista_database
from shared.clients.graph import GraphClient
from shared.runtime import Parts
from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.runs import RunRequest, active_run_id, request_run
from shared.sync.sweep import sweep

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SAFETYAMP, SAMSARA, GRAPH = "https://safetyamp.test", "https://samsara.test", "https://graph.test"
SWEEP_EVERY = timedelta(minutes=5)


class AppRig:
    """A small company, its upstreams, and the app. `settings` are put over the usual ones."""

    def __init__(self, folder: Path, company: Company | None = None, **settings: str) -> None:
        self.clock = FakeClock(START)
        self.company = company or demo_company(START.date(), 40, jobs=12, vehicles=6)
        self.tenant = build_tenant(self.clock, self.company.seed)
        self.documents = MemoryDocuments(self.clock)
        self.database = folder / "vista.db"
        self._settings = settings
        self.publish_company()
        self.stack = self.new_stack()

    @property
    def safetyamp(self) -> Any:
        return self.tenant.safetyamp

    def publish_company(self) -> None:
        """Let Vista, Graph and Samsara show the company as it is now."""
        create_vista_database(self.database, self.company.tables)
        self.tenant.replace_content(self.company.vehicles, self.company.drivers, self.company.graph_users)

    def new_stack(self) -> LocalStack:
        """A new process: empty bus and memory, the same documents and upstreams."""
        environment = {
            **self.tenant.settings(),
            "SAFETYAMP_BASE_URL": SAFETYAMP,
            "SAMSARA_BASE_URL": SAMSARA,
            "MS_GRAPH_BASE_URL": GRAPH + "/v1.0",
            "VISTA_CONNECTION_STRING": connection_string(self.database),
            "MAX_PROCESSES": "1",
            **self._settings,
        }
        parts = Parts(
            clock=self.clock,
            documents=lambda _: self.documents,
            redis=lambda _: _no_redis,
            session=self._session,
        )
        self.stack = LocalStack(environment, parts)
        runtime = self.stack.runtime
        tokens = SimulatedTokens(self.tenant.graph.login)
        pipeline = runtime.unlimited_pipeline("graph", GRAPH + "/v1.0", tokens.headers)
        # An attribute of the instance goes before the one that the class would build.
        vars(runtime)["graph"] = GraphClient(pipeline, tokens)  # type: ignore[arg-type]
        return self.stack

    def _session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.mount(SAFETYAMP, SimulatorAdapter(self.tenant.safetyamp))
        session.mount(SAMSARA, SimulatorAdapter(self.tenant.samsara))
        session.mount(GRAPH, SimulatorAdapter(self.tenant.graph))
        return session

    def run(self, **request: Any) -> dict[str, Any]:
        """Request a run and let everything happen until it has ended; returns its report."""
        run_id = request_run(self.stack.runtime, RunRequest(**request))
        self.finish()
        return self.report(run_id)

    def report(self, run_id: str) -> dict[str, Any]:
        """The stored report of a run."""
        report: dict[str, Any] = read_json(self.documents, paths.report(run_id))
        return report

    def finish(self) -> None:
        """Deliver messages, moving the clock to whatever comes next, until no run is active."""
        end = self.clock.now() + timedelta(hours=12)
        next_sweep = self.clock.now() + SWEEP_EVERY
        while active_run_id(self.documents) is not None:
            assert self.clock.now() < end, "the run does not end"
            if self.clock.now() >= next_sweep:
                sweep(self.stack.runtime)
                next_sweep = self.clock.now() + SWEEP_EVERY
            if not self.stack.host.step():
                due = self.stack.bus.next_due()
                self.clock.advance_to(min(due, next_sweep) if due else next_sweep)


class SimulatedTokens:
    """Tokens of the simulated login without MSAL, which wants https and is tested elsewhere."""

    def __init__(self, login: Any) -> None:
        self._login = login

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._login.issue()}", "Accept": "application/json"}

    def renew(self) -> None:
        """Every call has a new one."""


def _no_redis() -> redis.Redis:
    """A Redis that is away: its scripts would take their time from another clock than ours."""
    return redis.Redis(host="127.0.0.1", port=9, socket_connect_timeout=0.01)
