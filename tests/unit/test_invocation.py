"""The frame around a function: trace, dependencies, and what an error may take out of it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

import azure.functions as func
import pytest
from fakeredis import FakeServer

from functions.invocations import invoked
from functions.responses import answers_problems
from local.bus.in_process import InProcessBus, QueueOptions
from local.fake_clock import FakeClock
from local.host.host import LocalHost
from local.host.index import HostOptions, index
from local.host.invocation_context import LocalContext
from shared import runtime
from shared.clients.http.call_meter import UpstreamCall
from shared.context import Trace, bound, bound_facts, current_trace, message_properties
from shared.errors import ConfigurationError, StorageError
from shared.runtime import Parts, Runtime
from shared.storage.bus import Message
from shared.telemetry.invocation import invocation, note_call
from shared.telemetry.metrics import Metric
from shared.telemetry.telemetry import Dependency, Guarded
from tests.unit.engine_rig import REQUIRED
from tests.unit.redis_rig import client_of

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CALL = UpstreamCall("safetyamp", "POST /api/users", "201", 0.25)
CANARY = "Ann Canary"


class KeptTelemetry:
    """Keeps what it is told, in order."""

    enabled = True

    def __init__(self) -> None:
        self.dependencies: list[Dependency] = []
        self.flushed = 0
        self.broken = False

    def dependency(self, dependency: Dependency) -> None:
        if self.broken:
            raise RuntimeError(CANARY)
        self.dependencies.append(dependency)

    def metrics(self, metrics: Iterable[Metric], at: datetime) -> None:
        raise NotImplementedError

    def flush(self) -> None:
        self.flushed = len(self.dependencies)


@pytest.fixture
def process() -> Iterator[Runtime]:
    server = FakeServer()
    built = Runtime(REQUIRED, Parts(clock=FakeClock(), redis=lambda _: lambda: client_of(server)))
    runtime.use(built)
    yield built
    runtime.use(None)


@pytest.fixture
def telemetry(process: Runtime) -> KeptTelemetry:
    kept = KeptTelemetry()
    # An attribute of the instance goes before the one that the class would build.
    vars(process)["telemetry"] = Guarded(kept)
    return kept


def test_a_call_is_a_dependency_of_the_invocation_and_flushed_at_its_end(
    process: Runtime, telemetry: KeptTelemetry
) -> None:
    with invocation(process, "apply_batch", PARENT), bound(run="r", entity="jobs", batch=2, key="no"):
        note_call(process, CALL)
        assert telemetry.flushed == 0
    facts = {"run": "r", "entity": "jobs", "batch": "2", "function": "apply_batch"}
    parent = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    assert telemetry.dependencies == [Dependency(CALL, parent, process.clock.now(), facts)]
    assert telemetry.flushed == 1
    note_call(process, CALL)
    assert len(telemetry.dependencies) == 1


def test_without_the_hosts_trace_the_invocation_begins_one(process: Runtime) -> None:
    with invocation(process, "sweep", None):
        assert current_trace() is not None
        assert message_properties()
        assert bound_facts()["function"] == "sweep"
    assert current_trace() is None


def test_telemetry_is_flushed_when_the_work_fails(process: Runtime, telemetry: KeptTelemetry) -> None:
    def fails() -> None:
        note_call(process, CALL)
        raise StorageError("away")

    with pytest.raises(StorageError), invocation(process, "sweep", PARENT):
        fails()
    assert telemetry.flushed == 1


def test_a_backend_that_raises_is_off_and_the_work_goes_on(
    process: Runtime, telemetry: KeptTelemetry, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry.broken = True
    with invocation(process, "sweep", PARENT):
        note_call(process, CALL)
        note_call(process, CALL)
    telemetry.broken = False
    with invocation(process, "sweep", PARENT):
        note_call(process, CALL)
    assert telemetry.dependencies == []
    assert [record.getMessage() for record in caplog.records] == [
        "telemetry failed and is off until the process ends"
    ]


def test_wrong_settings_are_not_the_invocations_complaint() -> None:
    process = Runtime({})
    with invocation(process, "sweep", PARENT):
        note_call(process, CALL)
    with pytest.raises(ConfigurationError):
        _ = process.settings


@pytest.mark.parametrize("raised", [ValueError(CANARY), StorageError("away")], ids=["unexpected", "ours"])
def test_the_host_is_told_neither_causes_nor_unexpected_texts(process: Runtime, raised: Exception) -> None:
    with pytest.raises(Exception, match=r"unexpected ValueError in sweep|away") as caught:
        _fail_within(process, raised)
    told = "".join(traceback.format_exception(caught.value))
    assert CANARY not in told
    assert "KeyError" not in told


def _fail_within(process: Runtime, raised: Exception) -> None:
    with invocation(process, "sweep", PARENT):
        try:
            raise KeyError(CANARY)
        except KeyError as error:
            raise raised from error


# -- through the functions ------------------------------------------------------------------------------


def test_a_handler_that_answers_problems_is_given_the_invocation(process: Runtime) -> None:
    @answers_problems
    def show(req: func.HttpRequest) -> func.HttpResponse:
        trace = current_trace()
        return func.HttpResponse(trace.trace_id if trace else "none")

    app = func.FunctionApp()
    app.route("show")(show)
    [function] = index(app, {})
    assert function.name == "show"
    request = func.HttpRequest("GET", "/show", headers={"traceparent": PARENT}, body=b"")
    assert function.call(req=request).get_body().decode() == PARENT.split("-")[1]
    assert function.call(req=func.HttpRequest("GET", "/show", body=b"")).get_body() != b"none"


def test_the_trace_goes_from_function_to_queue_to_function(process: Runtime) -> None:
    clock = FakeClock()
    bus = InProcessBus(clock, {"one": QueueOptions(), "two": QueueOptions()})
    seen: list[Any] = []
    app = func.FunctionApp()

    def passing(queue: str, work: Callable[[], None]) -> None:
        @app.function_name(queue)
        @app.service_bus_queue_trigger(arg_name="message", queue_name=queue, connection="BUS")
        def handle(message: func.ServiceBusMessage, context: func.Context) -> None:
            with invoked(context):
                seen.append(current_trace())
                work()

    passing("one", lambda: bus.send([Message("two", "m2", "{}", properties=message_properties())]))
    passing("two", lambda: None)
    host = LocalHost(index(app, {}), bus, clock, HostOptions("", 1, timedelta(minutes=1)))
    bus.send([Message("one", "m1", "{}", properties={"Diagnostic-Id": PARENT, "traceparent": PARENT})])
    while host.step():
        pass
    assert [trace.trace_id for trace in seen] == [PARENT.split("-")[1]] * 2
    assert len({trace.span_id for trace in seen} | {PARENT.split("-")[2]}) == 3


def test_a_context_is_what_the_worker_s_is() -> None:
    context = LocalContext("sweep", Trace("a" * 32, "b" * 16))
    assert isinstance(context, func.Context)
    assert context.trace_context.trace_parent == f"00-{'a' * 32}-{'b' * 16}-01"
