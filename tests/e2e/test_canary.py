"""Personal data stays where it belongs: a company of canaries, every kind of trouble, and none of them in
logs, messages, metrics, telemetry, notices, or what the host is told."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest
from azure.functions.timer import TimerRequest

from local.bus.in_process import InProcessBus
from local.company.model import Company, vista_date
from shared.clients.vista.driver import VistaConnection
from shared.errors import SafetyAmpError
from shared.storage.bus import Message
from shared.sync.entities.employees import EmployeesMapping
from shared.telemetry.log_format import OUR_LOGGERS, JsonFormatter, ReadableFormatter
from tests.doubles.ingestion import Ingestion, ingesting
from tests.doubles.webhook_receiver import receiving
from tests.e2e.rig import START, Rig
from tests.e2e.small_company import FIRST_NUMBER, new_person, small_company

CANARIES = ("canaria", "zyxwvut", "225999", "225-999", "canary street", "private.example", "drivercanary")
"""Parts of every name, phone, address and e-mail of this company, in lower case."""

QUOTING = json.dumps(
    {
        "message": "Zyxwvut1001 is no name",
        "errors": {
            "mobile_phone": ["The phone 225-999-1001 of Canaria Zyxwvut1001 is no number."],
            "email": ["canary1001@private.example has already been taken."],
            "first_name": ["Canaria is not allowed."],
        },
    }
)


def canary_company() -> Company:
    """The small company, with people whom nobody may see."""
    company = small_company(START.date())
    for row in company.tables["bPREH"]:
        _disguise(row)
    for account in company.graph_users:
        account["mail"] = account["userPrincipalName"] = f"canary{account['employeeId']}@private.example"
    company.drivers = [
        {
            "id": "77",
            "name": "Drivercanary Zyxwvut1001",
            "username": "drivercanary",
            "driverActivationStatus": "active",
            "staticAssignedVehicle": {"id": company.vehicles[0]["id"], "name": "Unit 0"},
            "externalIds": {"employeeId": str(FIRST_NUMBER)},
        }
    ]
    return company


def _disguise(row: dict[str, Any]) -> None:
    number = row["Employee"]
    row |= {"FirstName": "Canaria", "LastName": f"Zyxwvut{number}", "SortName": f"ZYXWVUT{number}"}
    row |= {"Address": f"{number} Canary Street", "Phone": f"225-999-{number}"}


@dataclass
class Seen:
    """Everything that left the process other than to SafetyAmp and the documents."""

    lines: list[str] = field(default_factory=list)
    readable: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    telemetry: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    host: list[str] = field(default_factory=list)


class _Collector(logging.Handler):
    def __init__(self, seen: Seen) -> None:
        super().__init__(logging.DEBUG)
        self._seen = seen

    def emit(self, record: logging.LogRecord) -> None:
        self._seen.lines.append(JsonFormatter().format(record))
        self._seen.readable.append(ReadableFormatter().format(record))
        if record.name == "local.host.host":
            # The real host is told of an error with all that it carries.
            self._seen.host.append(logging.Formatter().format(record))


@contextmanager
def watched(seen: Seen) -> Iterator[None]:
    """Keep all log lines of ours and the libraries' warnings, and all messages."""
    root, send = logging.getLogger(), InProcessBus.send
    ours = [logging.getLogger(name) for name in OUR_LOGGERS]
    collector = _Collector(seen)

    def keeping(bus: InProcessBus, messages: Any) -> None:
        seen.messages.extend(repr(message) for message in messages)
        send(bus, messages)

    with ExitStack() as restored:
        patch = pytest.MonkeyPatch()
        restored.callback(patch.undo)
        patch.setattr(InProcessBus, "send", keeping)
        for logger in ours:
            restored.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.DEBUG)
        root.addHandler(collector)
        restored.callback(root.removeHandler, collector)
        yield


class Flood:
    """Trouble after trouble."""

    def __init__(self, rig: Rig, seen: Seen) -> None:
        self.rig = rig
        self.seen = seen
        self.patch = pytest.MonkeyPatch()

    def everything(self) -> None:
        """A first load with refusals, then changes during one failure after the other."""
        safetyamp, graph = self.rig.safetyamp, self.rig.tenant.graph
        safetyamp.fail_next(4, 422, QUOTING, "POST /api/users")
        self.run()
        self.hold()
        for status, body in (
            (500, QUOTING),
            (400, "Canaria <b>Zyxwvut1001</b>"),
            (404, QUOTING),
            (403, QUOTING),
        ):
            self.change()
            safetyamp.fail_next(3, status, body, "P* /api/users*")
            self.run(retry_failed=True)
        self.change()
        safetyamp.fail_next(2, 200, "canary1001@private.example", "PATCH /api/users/*")
        safetyamp.fail_next(1, lose="timeout", match="PATCH /api/users/*")
        safetyamp.fail_next(1, lose="connection", after_write=True, match="POST /api/users*")
        self.run(retry_failed=True)
        for status in (500, 400, 200):
            self.change()
            graph.fail_next(3, status, QUOTING, "GET /v1.0/users*")
            self.run(refresh=True)
        self.unexpected_errors()
        self.vista_errors()
        self.unreadable_messages()
        self.over_http()
        self.rig.clock.advance(4 * 3600)
        self.tick()

    def run(self, **request: Any) -> None:
        # Ids tell which of two runs is newer by their time.
        self.rig.clock.advance(1)
        self.rig.run(**request)
        self.scrape()
        self.tick()
        self.rig.safetyamp.heal()
        self.rig.tenant.graph.heal()

    def change(self) -> None:
        """Others move, and somebody comes."""
        number = FIRST_NUMBER + 50 + len(self.rig.company.tables["bPREH"])
        _disguise(new_person(self.rig.company, number))
        self.rig.company.graph_users[-1]["mail"] = f"canary{number}@private.example"
        for row in self.rig.company.tables["bPREH"][:4]:
            row["Address"] = f"{number} Canary Street"
        self.rig.publish()

    def hold(self) -> None:
        """So many leave that the guard holds the plan."""
        people = self.rig.company.tables["bPREH"]
        for row in people[4:9]:
            row["TermDate"] = vista_date(START.date())
        self.rig.publish()
        self.run()
        for row in people[4:9]:
            row["TermDate"] = None
        self.rig.publish()

    def unexpected_errors(self) -> None:
        """Errors that nobody thought of, while planning and while applying, whose texts quote a person."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(EmployeesMapping, "desired", _raising(lambda: ValueError("Canaria Zyxwvut1001")))
            self.change()
            self.run()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "shared.sync.applying.applier.ChangeApplier.apply", _raising(lambda: KeyError("225-999-1001"))
            )
            self.run()

    def vista_errors(self) -> None:
        """A driver whose text quotes a row."""
        error = sqlite3.OperationalError("could not convert 'Canaria Zyxwvut1001' in bPREH")
        with pytest.MonkeyPatch.context() as patch:
            rows = VistaConnection.rows

            def quoting(connection: VistaConnection, sql: str, parameters: Any = ()) -> Any:
                if "bPREH" in sql:
                    connection._raw = _RaisingDriver(error)
                return rows(connection, sql, parameters)

            patch.setattr(VistaConnection, "rows", quoting)
            self.run()

    def unreadable_messages(self) -> None:
        """A message that is none of ours, and one whose handling fails again and again."""
        queue = self.rig.stack.runtime.settings.batch_queue
        self.rig.stack.bus.send([Message(queue, "not-ours", '{"name": "nobody"}')])
        entity_queue = self.rig.stack.runtime.settings.entity_queue
        with pytest.MonkeyPatch.context() as patch:
            raising = _raising(lambda: RuntimeError("Canaria Zyxwvut1001"))
            patch.setattr("shared.sync.runs.entity_handler.readable_run", raising)
            body = json.dumps({"version": 1, "run_id": "r", "entity": "jobs", "cause": "start", "attempt": 1})
            self.rig.stack.bus.send([Message(entity_queue, "fails", body)])
            self.rig.drain()

    def over_http(self) -> None:
        """An HTTP function that fails unexpectedly, as its host would see it."""
        [show] = [function for function in self.rig.stack.functions if function.name == "show_control"]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "functions.control_api.read_pauses", _raising(lambda: KeyError("canary1001@private.example"))
            )
            try:
                show.call(req=func.HttpRequest("GET", "/api/control", body=b""))
            except SafetyAmpError:
                logging.getLogger("local.host.host").exception("function %s failed", show.name)

    def scrape(self) -> None:
        [metrics] = [function for function in self.rig.stack.functions if function.name == "metrics"]
        answer = metrics.call(req=func.HttpRequest("GET", "/metrics", body=b""))
        self.seen.metrics.append(answer.get_body().decode())

    def tick(self) -> None:
        [sweep] = [function for function in self.rig.stack.functions if function.name == "sweep"]
        sweep.call(timer=TimerRequest(past_due=False))


class _RaisingDriver:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def cursor(self) -> Any:
        raise self._error

    def close(self) -> None:
        """Nothing to close."""


def _raising(make: Callable[[], Exception]) -> Callable[..., Any]:
    def call(*_arguments: Any, **_named: Any) -> Any:
        raise make()

    return call


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    seen = Seen()
    with ingesting() as ingestion, receiving() as receiver, watched(seen):
        rig = Rig(
            Path(tmp_path_factory.mktemp("canary")),
            canary_company(),
            APPLICATIONINSIGHTS_CONNECTION_STRING=ingestion.connection_string,
            VEHICLE_ASSIGN_DRIVER="true",
            GUARD_MAX_DEACTIVATIONS="3",
            RETRY_DELAY_SECONDS="1",
            NOTICE_WEBHOOK_URL=receiver.url,
            NOTICE_FAILED_RECORDS="0",
        )
        try:
            Flood(rig, seen).everything()
        finally:
            rig.close()
        seen.telemetry.extend(_texts(ingestion))
        seen.notices.extend(f"{received.headers} {received.data.decode()}" for received in receiver.received)
    return seen


def _texts(ingestion: Ingestion) -> list[str]:
    return [
        json.dumps([path, headers, body], ensure_ascii=False) for path, headers, body in ingestion.requests
    ]


@pytest.mark.parametrize(
    "channel", ["lines", "readable", "messages", "metrics", "telemetry", "notices", "host"]
)
def test_no_canary_leaves_by(channel: str, seen: Seen) -> None:
    texts: list[str] = getattr(seen, channel)
    assert texts
    leaks = [text for text in texts if any(canary in text.lower() for canary in CANARIES)]
    assert not leaks, f"{len(leaks)} of {len(texts)}, the first: {leaks[0]}"


def test_the_flood_reached_what_it_was_meant_for(seen: Seen) -> None:
    """Or the silence would prove nothing."""
    lines = [json.loads(line) for line in seen.lines]
    events = {line["event"] for line in lines if "event" in line}
    assert events >= {
        *("run_requested", "run_ended", "run_held", "entity_planned", "batch_applied"),
        *("guard_held", "dead_letter"),
    }
    statuses = {line.get("status") for line in lines if line["message"] == "upstream call"}
    assert statuses >= {400, 403, 404, 422, 500, None}, "None: no answer"
    assert {line["exception"]["type"] for line in lines if "exception" in line} >= {
        *("ValueError", "KeyError", "RuntimeError"),
    }
    assert any("Vista" in line["message"] for line in lines)
    assert any("POST /api/users" in text for text in seen.telemetry)
    names = ("run-failed", "run-held", "failed-records", "no-successful-run")
    assert [name for name in names if not any(f'"notice":"{name}"' in text for text in seen.notices)] == []
    assert any('"state":"over"' in text for text in seen.notices)
    assert any("/api/users/{id}" in text for text in seen.metrics)


def test_every_line_below_a_handler_says_where_it_belongs(seen: Seen) -> None:
    lines = [json.loads(line) for line in seen.lines]
    calls = [line for line in lines if line["message"] == "upstream call"]
    assert calls
    assert all({"run", "entity", "trace_id", "function", "duration_ms"} <= line.keys() for line in calls)
    assert all("batch" in line for line in calls if line["operation"].startswith(("POST", "PATCH", "PUT")))
