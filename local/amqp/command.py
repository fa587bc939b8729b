"""`safetyamp-sync service-bus`: the server in a process of its own."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Sequence

from local.amqp.server import ServiceBusServer
from local.bus.in_process import InProcessBus, QueueOptions
from shared.clock import SystemClock
from shared.errors import ConfigurationError


def serve(queues: Sequence[str], port: int, key: str | None, lock_seconds: float) -> None:
    """Print the connection string, then serve until SIGINT or SIGTERM; the messages end with the process.

    Raises ConfigurationError when the port is taken.
    """
    # That a client went without a word is none of its business.
    logging.getLogger("proton").setLevel(logging.CRITICAL)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    bus = InProcessBus(SystemClock(), dict.fromkeys(queues, QueueOptions(lock_seconds=lock_seconds)))
    server = ServiceBusServer(bus, port=port, key=key)
    try:
        server.start()
    except OSError as error:
        raise ConfigurationError.of("--port", f"{port} cannot be listened on: {error.__cause__}") from error
    print(f"SERVICE_BUS_CONNECTION={server.connection_string}", flush=True)
    while not ended.wait(0.5):
        if not server.running:
            raise RuntimeError("the AMQP server has ended")
    server.stop()
