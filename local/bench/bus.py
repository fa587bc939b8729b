"""What Service Bus's wire costs: messages per second through the SDK and the AMQP server, which is a process
of its own, and a first load over it beside one over the bus in this process.

The service itself is farther away: these figures are about the SDK and the local server.
"""

from __future__ import annotations

import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.servicebus import ServiceBusClient

from local.amqp.process import ServiceBusProcess
from local.bus.service_bus_receiver import SdkReceiver
from local.company.demo import demo_company
from local.documents.memory import MemoryDocuments
from local.host.once import run_once
from local.host.progress import Silent
from local.host.redis_server import HOST, redis_for_all
from local.host.stack import LocalStack
from local.host.upstreams import SimulatorServer
from shared.clock import SystemClock
from shared.runtime import Parts
from shared.storage.bus import Message
from shared.storage.service_bus import ServiceBusBus
from shared.storage.service_bus_connection import ServiceBusConnection
from shared.sync.documents.runs import RunRequest

MESSAGES = 2_000
RECEIVERS = 2
"""host.json's maxConcurrentCalls."""

EMPLOYEES = 1_950
"""A first load of some 2 000 changes."""

CALLS, PERIOD_SECONDS = 10_000, 1.0
"""SafetyAmp's limit is out of the way."""

QUEUE, BODY = "entity-sync", '{"run": "20260131-120000-0a1b2c", "batch": 17}'


@dataclass(frozen=True)
class BusResult:
    """`messages` were sent one by one, in batches, and received by `receivers` threads that complete each;
    `changes` were made by a run over the wire in `run_seconds`, and by one without it."""

    messages: int
    receivers: int
    single_sends_per_second: float
    batched_sends_per_second: float
    receives_per_second: float
    changes: int
    run_seconds: float
    run_seconds_in_process: float


def measure_bus() -> BusResult:
    """Everything, with servers of its own."""
    with (
        tempfile.TemporaryDirectory() as name,
        ServiceBusProcess(Path(name)) as server,
        redis_for_all(Path(name)) as (_, port),
    ):
        single, batched, received = _messages(server.settings["SERVICE_BUS_CONNECTION"])
        redis = {"REDIS_HOST": HOST, "REDIS_PORT": str(port)}
        changes, seconds = _run(Path(name) / "wire", {**redis, **server.settings})
        _, seconds_in_process = _run(Path(name) / "in-process", redis)
    return BusResult(
        messages=MESSAGES,
        receivers=RECEIVERS,
        single_sends_per_second=single,
        batched_sends_per_second=batched,
        receives_per_second=received,
        changes=changes,
        run_seconds=seconds,
        run_seconds_in_process=seconds_in_process,
    )


def _messages(connection_string: str) -> tuple[float, float, float]:
    def connect(**options: Any) -> ServiceBusClient:
        return ServiceBusClient.from_connection_string(connection_string, **options)

    connection = ServiceBusConnection(connect, "the AMQP server")
    bus, receiver = ServiceBusBus(connection), SdkReceiver(connection)
    bus.send([Message(QUEUE, "first", BODY)])  # opens the link
    try:
        half = MESSAGES // 2
        started = time.perf_counter()
        for number in range(half):
            bus.send([Message(QUEUE, f"single-{number}", BODY)])
        single = half / (time.perf_counter() - started)
        started = time.perf_counter()
        bus.send([Message(QUEUE, f"batched-{number}", BODY) for number in range(half)])
        batched = half / (time.perf_counter() - started)
        return single, batched, _receive_all(receiver)
    finally:
        receiver.close()
        bus.close()


def _receive_all(receiver: SdkReceiver) -> float:
    """Messages per second from each thread's first to the last of all."""

    def work(_: int) -> tuple[int, float, float]:
        taken, first, last = 0, 0.0, 0.0
        while (locked := receiver.receive(QUEUE)) is not None:
            receiver.complete(locked)
            taken, last = taken + 1, time.perf_counter()
            first = first or last
        receiver.leave()
        return taken, first, last

    with ThreadPoolExecutor(RECEIVERS) as pool:
        done = list(pool.map(work, range(RECEIVERS)))
    taken = sum(one for one, _, _ in done)
    assert taken == MESSAGES + 1, f"{taken} of {MESSAGES + 1} messages arrived"
    return taken / (max(last for _, _, last in done) - min(first for _, first, _ in done))


def _run(folder: Path, parts: dict[str, str]) -> tuple[int, float]:
    """A first load: how many changes it made, in how many seconds."""
    company = demo_company(SystemClock().now().date(), EMPLOYEES)
    with SimulatorServer(company, folder, calls=CALLS, period=PERIOD_SECONDS) as simulators:
        settings = {**simulators.settings(), **parts, "MAX_PROCESSES": "1"}
        os.environ["REQUESTS_CA_BUNDLE"] = settings["REQUESTS_CA_BUNDLE"]
        # Documents in memory: a disk would be most of what is measured.
        documents = MemoryDocuments(SystemClock())
        stack = LocalStack(settings, Parts(documents=lambda _: documents))
        try:
            started = time.perf_counter()
            report = run_once(stack, RunRequest(cause="bench"), Silent()).report
            seconds = time.perf_counter() - started
        finally:
            stack.close()
    entities = report["entities"].values()
    return sum(entity[what] for entity in entities for what in ("created", "updated", "deactivated")), seconds
