"""A worker process: the function app on a host of its own, at a bus that another process owns.

`python -m local.host.worker` reads one line of JSON, an `Order`, says `ready`, and works until its standard
input ends, so that no worker outlives the process that started it. Then it lets the handlers at work return
and prints its `HandlerFigures` as JSON. A sweep runs every few seconds, as the timer would in Azure; other
timers do not tick: runs are requested by whoever uses the workers.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import function_app
from local.bus.shared import BusAccess, SharedBus
from local.documents.folder import FolderDocuments
from local.host.host import LocalHost
from local.host.index import host_options, index
from local.host.stack import DEFAULT_NAMES, PROJECT
from local.host.stopwatch import HandlerFigures, Stopwatch
from shared import runtime
from shared.clock import Clock, SystemClock
from shared.resilience.redis_connection import connect
from shared.runtime import Parts, Runtime
from shared.telemetry.log_format import JsonFormatter

READY = "ready"


@dataclass(frozen=True)
class Order:
    """What a worker is told: `settings` alone count, not the environment's."""

    bus: BusAccess
    settings: Mapping[str, str]
    sweep_seconds: float

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))


def order_from_json(text: str) -> Order:
    """The order of a line."""
    value = json.loads(text)
    return Order(**{**value, "bus": BusAccess(**value["bus"])})


def work(order: Order, ended: threading.Event) -> HandlerFigures:
    """Handle messages until `ended`; says `ready` when it begins."""
    clock = SystemClock()
    stopwatch = Stopwatch(clock)
    host = _host(order, clock, stopwatch)
    host.start(timers=False)
    print(READY, flush=True)
    while not ended.wait(order.sweep_seconds):
        host.run_timer("sweep")
    host.stop()
    return stopwatch.figures


def _host(order: Order, clock: Clock, stopwatch: Stopwatch) -> LocalHost:
    bus = SharedBus(order.bus)
    parts = Parts(
        clock=stopwatch,
        documents=lambda settings: FolderDocuments(Path(settings.local_folder), clock),
        bus=lambda _: bus,
        redis=connect,
    )
    services = Runtime(order.settings, parts)
    runtime.use(services)
    names = {name.upper(): str(getattr(services.settings, name)) for name in DEFAULT_NAMES}
    functions = [stopwatch.around(function) for function in index(function_app.app, names)]
    return LocalHost(functions, bus, clock, host_options(PROJECT / "host.json"))


def _end_with_input(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def main() -> None:
    """Take the order and work."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    order = order_from_json(sys.stdin.readline())
    # MSAL has a session of its own, which finds the simulated login's certificate in the environment only.
    os.environ.update(order.settings)
    ended = threading.Event()
    threading.Thread(target=_end_with_input, args=(ended,), name="input", daemon=True).start()
    print(json.dumps(asdict(work(order, ended))), flush=True)


if __name__ == "__main__":
    main()
