"""The simulators on real ports, for demos, load tests and runs against another process."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from local.company.adventureworks import load_company
from local.company.alike import company_alike
from local.company.demo import DEMO_EMPLOYEES, Company, demo_company
from local.company.vista_database import connection_string, create_vista_database
from local.host.ports import telling_of_port
from local.probe.recording import Recording
from local.simulators.certificate import loopback_certificate
from local.simulators.exchange import Handler
from local.simulators.faults import Fault
from local.simulators.inspection import PREFIX, Inspection
from local.simulators.listener import HOST, Listener
from local.simulators.tenant import Tenant, build_tenant
from shared.clock import Clock, SystemClock

SAVED_CONTENT = "safetyamp.json"


class SimulatorServer:
    """SafetyAmp under `/safetyamp`, Samsara under `/samsara`, Graph under `/graph/v1.0` on `port`, the login
    authority over https on `login_port` (0: any free one), and Vista as a SQLite file in `folder`.

    `keep` saves SafetyAmp's content in the folder at `stop` and takes it up again at the next start. With
    `like` they imitate what was recorded; what they keep is then of that recording only.
    """

    def __init__(
        self,
        company: Company,
        folder: Path,
        port: int = 0,
        login_port: int = 0,
        calls: int | None = 60,
        period: float = 61.0,
        *,
        keep: bool = False,
        clock: Clock | None = None,
        like: Recording | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if like is not None:
            company = company_alike(company, like)
        seen = None if like is None else like.safetyamp
        self.tenant: Tenant = build_tenant(
            clock or SystemClock(), company.seed, calls=calls, period=period, like=seen
        )
        self._limit = {} if calls is None else _limit_settings(calls, period)
        self._saved = folder.resolve() / _saved_content(like) if keep else None
        self._database = folder.resolve() / "vista.db"
        self.replace_company(company)
        tls, self._authority_file = loopback_certificate(folder.resolve())
        routes: dict[str, Handler] = {
            "/safetyamp": self.tenant.safetyamp,
            "/samsara": self.tenant.samsara,
            "/graph": self.tenant.graph,
            PREFIX: Inspection(self.tenant),
        }
        with telling_of_port("--port", port, HOST):
            self._http = Listener(routes, port)
        with telling_of_port("--login-port", login_port, HOST):
            self._login = Listener({"": self.tenant.graph}, login_port, tls=tls)

    def start(self) -> None:
        """Take up saved content and serve in background threads."""
        if self._saved is not None and self._saved.exists():
            self.tenant.safetyamp.load(json.loads(self._saved.read_text("utf-8")))
        self._http.start()
        self._login.start()

    def stop(self) -> None:
        """Close ports and connections, and save what is to be kept."""
        self._http.stop()
        self._login.stop()
        if self._saved is not None:
            _write(self._saved, json.dumps(self.tenant.safetyamp.dump()))

    def __enter__(self) -> SimulatorServer:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def replace_company(self, company: Company) -> None:
        """Put the company's present content into Vista, Samsara and Graph; SafetyAmp keeps what it has."""
        create_vista_database(self._database, company.tables)
        self.tenant.replace_content(company.vehicles, company.drivers, company.graph_users)

    def slow_down(self, latency_seconds: float) -> None:
        """Let every answer of SafetyAmp, Samsara and Graph take so much longer."""
        self._http.latency_seconds = latency_seconds

    @property
    def url(self) -> str:
        """Where the simulators listen; `/_sim/stats` and `/_sim/snapshot` are below it."""
        return f"http://{HOST}:{self._http.port}"

    def settings(self) -> dict[str, str]:
        """The environment settings that point the product at this server."""
        return {
            **self.tenant.settings(),
            **self._limit,
            "SAFETYAMP_BASE_URL": f"{self.url}/safetyamp",
            "SAMSARA_BASE_URL": f"{self.url}/samsara",
            "MS_GRAPH_BASE_URL": f"{self.url}/graph/v1.0",
            "MS_GRAPH_AUTHORITY": f"https://localhost:{self._login.port}",
            "REQUESTS_CA_BUNDLE": str(self._authority_file),
            "VISTA_CONNECTION_STRING": connection_string(self._database),
        }


def run_simulators(
    port: int,
    folder: Path,
    data_folder: Path | None = None,
    calls: int | None = 60,
    period: float = 61.0,
    *,
    employees: int = DEMO_EMPLOYEES,
    login_port: int = 0,
    like: Recording | None = None,
    faults: Sequence[tuple[str, Fault]] = (),
    show: Callable[[str], None] = lambda line: print(line, flush=True),
    ready: Callable[[], None] | None = None,
) -> None:
    """Show the settings as `NAME=value` lines and serve until SIGINT or SIGTERM.

    The company is the one in `data_folder` (CSV and JSON files), or the demo company of today. SafetyAmp's
    content is kept in `folder` over restarts. `like` is what they imitate, `faults` what their next calls
    meet, by system. `ready` is called when all is shown. Call it from the main thread, which alone receives
    signals.
    """
    today = SystemClock().now().date()
    company = load_company(data_folder, today) if data_folder else demo_company(today, employees=employees)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with SimulatorServer(company, folder, port, login_port, calls, period, keep=True, like=like) as server:
        for system, fault in faults:
            server.tenant.plan(system, fault)
        for name, value in sorted(server.settings().items()):
            show(f"{name}={value}")
        if ready is not None:
            ready()
        while not ended.wait(0.5):  # a timeout, so that Windows notices Ctrl+C
            pass


def _saved_content(like: Recording | None) -> str:
    """A file of its own for each recording: ids have other forms there."""
    if like is None:
        return SAVED_CONTENT
    return f"safetyamp-{hashlib.sha256(like.model_dump_json().encode()).hexdigest()[:8]}.json"


def _limit_settings(calls: int, period: float) -> dict[str, str]:
    return {"API_RATE_LIMIT_CALLS": str(calls), "API_RATE_LIMIT_PERIOD": f"{period:g}"}


def _write(path: Path, text: str) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(text, "utf-8")
    os.replace(draft, path)
