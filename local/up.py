"""The whole app on this machine: timers, queues and HTTP."""

from __future__ import annotations

import signal
import threading

from rich.console import Console

from local.http_host import HttpHost, HttpServer
from local.stack import LocalStack
from shared.sync.sweep import sweep


def serve(stack: LocalStack, console: Console, address: str, port: int, key: str | None) -> None:
    """Serve until SIGINT or SIGTERM, then let the functions at work return.

    Without a `key` every function is open, which is only allowed on the loopback interface.
    """
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    server = HttpServer(HttpHost(stack.functions, stack.options.route_prefix, key), address, port)
    server.start()
    # The bus of this process is empty, and another one may hold locks of a process that died: whatever an
    # earlier process left unfinished is sent anew.
    sweep(stack.runtime, at_once=True)
    stack.host.start()
    console.print(f"SafetyAmp Sync is up: http://{address}:{server.port}/health (Ctrl+C ends it)")
    while not ended.wait(0.5):
        pass
    console.print("stopping: the changes at hand are finished first")
    stack.runtime.shutdown.begin()
    server.stop()
    stack.close()
