"""Telemetry over HTTP to a local ingestion endpoint: what is sent, and that its failures are nobody's."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from opencensus.common.schedule import QueueEvent
from opencensus.ext.azure.statsbeat import statsbeat

from local.documents.memory import MemoryDocuments
from local.fake_clock import FakeClock
from shared import identity
from shared.clients.http.call_meter import UpstreamCall
from shared.config import load_settings
from shared.context import Trace, bound
from shared.figures.sending import send_figures
from shared.runtime import Parts, Runtime
from shared.telemetry import application_insights
from shared.telemetry.application_insights import ApplicationInsights
from shared.telemetry.backend import telemetry_for
from shared.telemetry.invocation import invocation, note_call
from shared.telemetry.metrics import Metric
from shared.telemetry.telemetry import Dependency, NoTelemetry
from tests.doubles.ingestion import KEY, Health, Ingestion, ingesting
from tests.unit.engine_rig import REQUIRED

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ENDED = datetime(2026, 3, 2, 12, 0, 1, tzinfo=UTC)
CREATED = UpstreamCall("safetyamp", "POST /api/users", "201", 0.25)
REFUSED = UpstreamCall("safetyamp", "PATCH /api/users/{id}", "422", 0.1)
LOST = UpstreamCall("graph", "GET /v1.0/users", "no answer", 35.0)
QUERIED = UpstreamCall("vista", "employees", "ok", 1.5)
METRICS = [
    Metric(
        "api_requests_total",
        "counter",
        "Calls.",
        [
            ("", (("service", "graph"), ("status", "2xx")), 7),
            ("", (("service", "vista"), ("status", "ok")), 2),
        ],
    ),
    Metric("sync_duration_seconds", "summary", "Runs.", [("_sum", (), 60.5), ("_count", (), 2)]),
    Metric("sync_paused", "gauge", "None.", []),
]
PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ingestion(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ingestion]:
    monkeypatch.delenv("APPLICATIONINSIGHTS_CONNECTION_STRING", raising=False)
    with ingesting() as server:
        yield server


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application_insights, "LONGEST_WAIT_SECONDS", 0.3)


def dependency(call: UpstreamCall, **facts: str) -> Dependency:
    return Dependency(call, Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"), ENDED, facts)


def send(ingestion: Ingestion, *calls: UpstreamCall) -> None:
    backend = ApplicationInsights(ingestion.connection_string)
    for call in calls:
        backend.dependency(dependency(call, run="r-1", entity="jobs"))
    backend.flush()


# -- what is sent ---------------------------------------------------------------------------------------


def test_calls_are_dependencies_of_the_hosts_invocation(
    ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBSITE_SITE_NAME", "sync-app")
    monkeypatch.setenv("WEBSITE_INSTANCE_ID", "instance-1")
    send(ingestion, CREATED)
    [envelope] = ingestion.envelopes
    assert (envelope["name"], envelope["iKey"]) == ("Microsoft.ApplicationInsights.RemoteDependency", KEY)
    assert envelope["time"] == "2026-03-02T12:00:00.750000Z"
    assert envelope["tags"]["ai.operation.id"] == "0af7651916cd43dd8448eb211c80319c"
    assert envelope["tags"]["ai.operation.parentId"] == "b7ad6b7169203331"
    assert envelope["tags"]["ai.cloud.role"] == "sync-app"
    assert envelope["tags"]["ai.cloud.roleInstance"] == "instance-1"
    data = envelope["data"]["baseData"]
    assert len(data.pop("id")) == 16
    assert {name: value for name, value in data.items() if value is not None} == {
        "ver": 2,
        "name": "POST /api/users",
        "type": "HTTP",
        "target": "safetyamp",
        "resultCode": "201",
        "duration": "0.00:00:00.250",
        "success": True,
        "properties": {"run": "r-1", "entity": "jobs"},
    }


def test_success_is_the_upstreams_answer(ingestion: Ingestion) -> None:
    send(ingestion, REFUSED, LOST, QUERIED)
    told = [
        (one["type"], one["target"], one["resultCode"], one["success"])
        for one in ingestion.data("RemoteDependencyData")
    ]
    assert told == [
        ("HTTP", "safetyamp", "422", False),
        ("HTTP", "graph", "no answer", False),
        ("SQL", "vista", "ok", True),
    ]


def test_figures_have_the_names_and_labels_of_metrics(ingestion: Ingestion) -> None:
    ApplicationInsights(ingestion.connection_string).metrics(METRICS, ENDED)
    told = [(data["metrics"][0], data["properties"]) for data in ingestion.data("MetricData")]
    assert [(point["name"], point["value"], labels) for point, labels in told] == [
        ("api_requests_total", 7, {"service": "graph", "status": "2xx"}),
        ("api_requests_total", 2, {"service": "vista", "status": "ok"}),
        ("sync_duration_seconds_sum", 60.5, {}),
        ("sync_duration_seconds_count", 2, {}),
    ]
    assert {envelope["time"] for envelope in ingestion.envelopes} == {"2026-03-02T12:00:01+00:00"}


def test_nothing_else_is_sent_and_nothing_is_kept_on_disk(
    ingestion: Ingestion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.delenv("APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL", raising=False)
    send(ingestion, CREATED)
    assert statsbeat._STATSBEAT_METRICS is None, "its statistics about itself, which go to Microsoft"
    assert [path for path, _, _ in ingestion.requests] == ["/v2.1/track"]
    assert {envelope["iKey"] for envelope in ingestion.envelopes} == {KEY}
    assert list(tmp_path.iterdir()) == []


def test_all_calls_are_sent_before_the_execution_ends_also_while_a_batch_is_being_collected(
    ingestion: Ingestion,
) -> None:
    backend = ApplicationInsights(ingestion.connection_string)
    for number in range(3):
        backend.dependency(dependency(CREATED))
        # Its thread has taken the call from the queue and waits for more to come.
        while not backend._calls.pending.empty():
            pass
        backend.flush()
        assert len(ingestion.data("RemoteDependencyData")) == number + 1


def test_an_entra_identity_signs_in(ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def credential(client_id: str | None) -> Any:
        def get_token(*scopes: str) -> Any:
            asked.append((client_id, *scopes))
            return SimpleNamespace(token="t0ken")

        return SimpleNamespace(get_token=get_token)

    monkeypatch.setattr(identity, "azure_credential", credential)
    backend = ApplicationInsights(ingestion.connection_string, "ClientId=me;Authorization=AAD")
    backend.dependency(dependency(CREATED))
    backend.flush()
    [(_, headers, _)] = ingestion.requests
    assert headers["Authorization"] == "Bearer t0ken"
    assert asked == [("me", "https://monitor.azure.com//.default")]


@pytest.mark.parametrize(
    "form",
    [
        "InstrumentationKey={key};IngestionEndpoint={endpoint}/;",
        "instrumentationkey={key} ; IngestionEndpoint={endpoint} ;LiveEndpoint=https://live/;ApplicationId=a=b",
        "Authorization=AAD;InstrumentationKey={upper};IngestionEndpoint={endpoint}",
    ],
)
def test_every_connection_string_that_azure_allows_works_also_in_the_environment(
    ingestion: Ingestion, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = form.format(key=KEY, upper=KEY.upper(), endpoint=ingestion.endpoint)
    monkeypatch.setenv("APPLICATIONINSIGHTS_CONNECTION_STRING", text)
    backend = telemetry_for(
        load_settings({**REQUIRED, "APPLICATIONINSIGHTS_CONNECTION_STRING": text}),
    )
    backend.dependency(dependency(CREATED))
    backend.flush()
    assert [envelope["iKey"] for envelope in ingestion.envelopes] == [KEY]


# -- what goes wrong ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["nonsense", "InstrumentationKey=1", f"InstrumentationKey={KEY};IngestionEndpoint=ftp://x", ";;"]
)
def test_a_wrong_connection_string_is_one_warning_and_no_telemetry(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = load_settings({**REQUIRED, "APPLICATIONINSIGHTS_CONNECTION_STRING": text})
    assert isinstance(telemetry_for(settings), NoTelemetry)
    [record] = caplog.records
    assert "APPLICATIONINSIGHTS_CONNECTION_STRING" in record.getMessage()
    assert KEY not in record.getMessage()


def test_without_the_package_there_is_no_telemetry(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "shared.telemetry.application_insights", None)
    text = f"InstrumentationKey={KEY}"
    settings = load_settings({**REQUIRED, "APPLICATIONINSIGHTS_CONNECTION_STRING": text})
    assert isinstance(telemetry_for(settings), NoTelemetry)
    assert len(caplog.records) == 1


def works(runtime: Runtime) -> None:
    """An execution with a call, and figures at its end."""
    with invocation(runtime, "sweep", TRACEPARENT), bound(run="r"):
        note_call(runtime, CREATED)
        send_figures(runtime)


def process(connection_string: str) -> Runtime:
    clock = FakeClock()
    documents = MemoryDocuments(clock)
    parts = Parts(clock=clock, documents=lambda _: documents, redis=lambda _: _no_redis)
    return Runtime({**REQUIRED, "APPLICATIONINSIGHTS_CONNECTION_STRING": connection_string}, parts)


def _no_redis() -> Any:
    from redis.exceptions import ConnectionError

    raise ConnectionError("there is no Redis here")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("health", ["500", "garbage", "silent", "partial"])
def test_an_ill_endpoint_fails_no_execution_and_is_told_once(
    ingestion: Ingestion, health: Health, caplog: pytest.LogCaptureFixture
) -> None:
    ingestion.health = health
    runtime = process(ingestion.connection_string)
    works(runtime)  # Silence would last until the fixture ends: that this returns is the point.
    works(runtime)
    ingestion.wait_for(1)
    assert _complaints(caplog) == ["Application Insights takes no telemetry, it is dropped"]


@pytest.mark.usefixtures("impatient")
def test_a_refused_connection_fails_no_execution_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with ingesting() as gone:
        text = gone.connection_string
    runtime = process(text)
    works(runtime)
    works(runtime)
    assert _complaints(caplog) == ["Application Insights takes no telemetry, it is dropped"]


def test_an_endpoint_that_recovers_is_told_and_gets_what_comes_next(
    ingestion: Ingestion, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "shared.telemetry")
    ingestion.health = "500"
    runtime = process(ingestion.connection_string)
    works(runtime)
    ingestion.health = "well"
    ingestion.requests.clear()
    works(runtime)
    assert ingestion.data("RemoteDependencyData")
    assert "active_syncs" in {data["metrics"][0]["name"] for data in ingestion.data("MetricData")}
    assert caplog.records[-1].getMessage() == "Application Insights takes telemetry again"


@pytest.mark.usefixtures("impatient")
def test_after_a_wait_in_vain_nobody_waits_for_a_while(
    ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingestion.health = "silent"
    backend = ApplicationInsights(ingestion.connection_string)
    backend.dependency(dependency(CREATED))
    backend.flush()

    def waits(self: QueueEvent, timeout: float | None = None) -> bool:
        raise AssertionError("it waits again")

    with monkeypatch.context() as patched:
        patched.setattr(QueueEvent, "wait", waits)
        backend.dependency(dependency(CREATED))
        backend.flush()


@pytest.mark.usefixtures("impatient")
def test_calls_that_nobody_takes_are_dropped_and_not_kept(ingestion: Ingestion) -> None:
    ingestion.health = "silent"
    backend = ApplicationInsights(ingestion.connection_string)
    for _ in range(application_insights.QUEUE_CAPACITY + 500):
        backend.dependency(dependency(CREATED))
    backend.flush()
    assert backend._calls.pending.qsize() <= application_insights.QUEUE_CAPACITY


def _complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    records = [record for record in caplog.records if record.name.startswith("shared.telemetry")]
    return [record.getMessage().split(":")[0] for record in records if record.levelno >= logging.WARNING]


# -- in a process of its own ----------------------------------------------------------------------------

APP = """
import json, sys, os
import function_app
from fakeredis import FakeStrictRedis
from local.fake_clock import FakeClock
from local.host.index import index
from local.documents.memory import MemoryDocuments
from azure.functions.timer import TimerRequest
from shared import runtime
from shared.runtime import Parts, Runtime
clock = FakeClock()
documents = MemoryDocuments(clock)
parts = Parts(clock=clock, documents=lambda _: documents, redis=lambda _: FakeStrictRedis)
runtime.use(Runtime(os.environ, parts))
names = {"ENTITY_QUEUE": "e", "BATCH_QUEUE": "b"}
names |= {f"{name}_SCHEDULE": "0 * * * * *" for name in ("SYNC", "REFRESH", "SWEEP")}
[sweep] = [function for function in index(function_app.app, names) if function.name == "sweep"]
sweep.call(timer=TimerRequest(past_due=False))
print(json.dumps([name for name in sys.modules if name.startswith("opencensus")]))
"""


def app(**environment: str) -> list[str]:
    """Runs the sweep function of the app; returns what it imported of opencensus."""
    given = {
        **REQUIRED,
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "HOME": os.environ.get("HOME", "/"),
        **environment,
    }
    command = [sys.executable, "-c", APP]
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=True, cwd=PROJECT)
    modules: list[str] = json.loads(done.stdout.splitlines()[-1])
    return modules


def test_the_sweep_sends_the_shared_figures(ingestion: Ingestion) -> None:
    app(APPLICATIONINSIGHTS_CONNECTION_STRING=ingestion.connection_string)
    names = {data["metrics"][0]["name"] for data in ingestion.data("MetricData")}
    assert {"active_syncs", "runs_held", "queue_age_seconds", "sync_duration_seconds_count"} <= names


def test_without_a_connection_string_nothing_is_sent_or_imported() -> None:
    assert app() == []


def test_a_wrong_connection_string_does_not_keep_the_app_from_working() -> None:
    app(APPLICATIONINSIGHTS_CONNECTION_STRING="nonsense")
