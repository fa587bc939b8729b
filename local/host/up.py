"""The whole app on this machine: timers, queues and HTTP."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

from rich.console import Console

from local.host.http import PAGE, HttpHost, HttpServer
from local.host.stack import LocalStack
from shared.errors import ConfigurationError
from shared.sync.runs.sweep import sweep


def serve(
    stack: LocalStack,
    console: Console,
    address: str,
    port: int,
    key: str | None,
    started: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, then let the functions at work return. `started` is called with the
    page's address, once it answers.

    Without a `key` every function is open to this machine, which is only allowed on the loopback interface.
    Raises ConfigurationError for an address or port that cannot be listened on.
    """
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        server = HttpServer(HttpHost(stack.functions, stack.options.route_prefix, key), address, port)
    except ConfigurationError:
        stack.close()
        raise
    server.start()
    # The bus of this process is empty, and another one may hold locks of a process that died: whatever an
    # earlier process left unfinished is sent anew.
    sweep(stack.runtime, at_once=True)
    stack.host.start()
    name = f"[{address}]" if ":" in address else address
    page = f"http://{name}:{server.port}{PAGE}"
    console.print(f"SafetyAmp Sync is up: {page} (Ctrl+C ends it)", markup=False, soft_wrap=True)
    if started is not None:
        started(page)
    while not ended.wait(0.5):
        pass
    console.print("stopping: the changes at hand are finished first")
    stack.runtime.shutdown.begin()
    server.stop()
    stack.close()
