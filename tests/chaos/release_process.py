"""A program: processes of one release. Nothing in their code is simulated, the whole world around them is.

`shared` and `local` come from the folder of the release (it stands first in PYTHONPATH), this program from
today's tests. It loads the release's code once and forks a process for each socket that arrives at its
standard input. Whatever such a process does to the world outside is a question to the other end of its
socket, which answers when the simulation wants it to, or kills the process.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import random
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any, cast

import requests
from redis.commands.core import Script

import shared
from local.simulators.adapter import SimulatorAdapter
from local.simulators.exchange import SimResponse
from shared.clients.graph import GraphClient
from shared.errors import SafetyAmpError
from shared.runtime import Parts, Runtime
from tests.chaos.isolation import collected_logs, deterministic
from tests.chaos.virtual_redis import Pipeline

NOT_USED = ("shared.storage.blob", "shared.storage.service_bus", "shared.key_vault", "shared.identity")
"""Their SDKs take long to load."""

CALLED = ("tests.chaos.handling", "tests.chaos.operators")
"""What of the tests is done in these processes, with the release's code."""

PLACES_BEFORE = {
    "shared.queries.on_demand": "shared.operations.on_demand",
    "shared.sync.decisions.approve": "shared.sync.runs",
    "shared.sync.documents.active": "shared.sync.runs",
    "shared.sync.documents.control": "shared.sync.control",
    "shared.sync.documents.runs": "shared.sync.runs",
    "shared.sync.runs.batch_handler": "shared.sync.batch_handler",
    "shared.sync.runs.dead_letters": "shared.sync.dead_letters",
    "shared.sync.runs.entity_handler": "shared.sync.entity_handler",
    "shared.sync.runs.requests": "shared.sync.runs",
    "shared.sync.runs.stopping": "shared.sync.stopping",
    "shared.sync.runs.sweep": "shared.sync.sweep",
}
"""Where release 0.1.0 has what CALLED imports, and what it is told to do."""


@dataclass(frozen=True)
class Beginning:
    """What a process is told first: its settings, where the upstreams are, and the seed of its own dice."""

    environment: dict[str, str]
    hosts: dict[str, str]
    seed: int


class World:
    """The other end of the socket. With each answer comes the time, and whether the process is to end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._now, self._monotonic = datetime.min.replace(tzinfo=UTC), 0.0
        self.end: Callable[[], None] = lambda: None

    def receive(self) -> Any:
        """The next order or answer. Where none comes any more the process is dead: as after kill -9, nothing
        of it cleans up."""
        try:
            what, self._now, self._monotonic, ending = self._connection.recv()
        except EOFError:
            os._exit(0)
        if ending:
            self.end()
        return what

    def send(self, what: Any) -> None:
        self._connection.send(what)

    def ask(self, port: str, method: str, *arguments: Any, **named: Any) -> Any:
        """The value of a method of a port, or its error."""
        self.send(("port", port, method, arguments, named))
        kind, value = self.receive()
        if kind == "error":
            raise value
        return value

    # As a clock.

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        self.ask("clock", "sleep", seconds)


class Port:
    """One of the world's ports, with all its methods."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def ask(*arguments: Any, **named: Any) -> Any:
            return self._world.ask(self._name, method, *arguments, **named)

        return ask


class Encoder:
    """What the releases before ask redis-py for."""

    encoding = "utf-8"

    def encode(self, value: str) -> bytes:
        return value.encode()


class RedisClient(Port):
    """What of redis-py's client needs no server."""

    def register_script(self, text: str) -> Script:
        return Script(self, text)  # type: ignore[arg-type]

    def get_encoder(self) -> Any:
        return Encoder()

    def pipeline(self, transaction: bool = True) -> Any:
        return Pipeline(self.reach)


class Adapter(SimulatorAdapter):
    """The way to an upstream, whose simulator is in the other process."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(cast(Any, None))
        self._world = world
        self._name = name

    def send(self, request: requests.PreparedRequest, *_how: Any, **_named: Any) -> requests.Response:
        answer = self._world.ask("upstreams", "send", self._name, request)
        return self.response_of(request, SimResponse(*answer))


class Vista:
    """The release's own client on the company's database; the world is asked before each query."""

    def __init__(self, world: World, inner: Any) -> None:
        self._world = world
        self._inner = inner

    def under(self, work: Any) -> Vista:
        """The same, for reads that belong to this work; 0.1.0 has none."""
        return Vista(self._world, self._inner.under(work))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def query(*arguments: Any) -> Any:
            self._world.ask("vista", "before", name)
            return getattr(self._inner, name)(*arguments)

        return query


def main() -> None:
    """Load the code, then fork until the standard input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _load_code()
    orders = socket.socket(fileno=sys.stdin.fileno())
    while True:
        text, sockets, _, _ = socket.recv_fds(orders, 1, 1)
        if not text:
            return
        if os.fork() == 0:
            orders.close()
            _live(World(Connection(sockets[0])))
        os.close(sockets[0])


def _load_code() -> None:
    names = [module.name for module in pkgutil.walk_packages(shared.__path__, "shared.")]
    for name in names:
        if not name.startswith(NOT_USED):
            importlib.import_module(name)
    if "shared.queries" not in names:
        _name_as_today()
    for name in CALLED:
        importlib.import_module(name)


def _name_as_today() -> None:
    """Let the release's modules be found where they are today, too."""
    for today, before in PLACES_BEFORE.items():
        sys.modules[today] = importlib.import_module(before)
    letters: Any = sys.modules["shared.sync.runs.dead_letters"]
    letters.archive = letters.bury


def _live(world: World) -> None:
    """Do what is ordered until killed."""
    beginning: Beginning = world.receive()
    runtime = _runtime(world, beginning)
    world.end = runtime.shutdown.begin
    logged: list[str] = []
    with deterministic(random.Random(beginning.seed)), collected_logs(logged):
        while True:
            module, name, arguments = world.receive()
            try:
                getattr(importlib.import_module(module), name)(runtime, *arguments)
                world.send(("done", None, "", logged))
            except Exception as error:
                ours = isinstance(error, (SafetyAmpError, requests.RequestException))
                world.send(("failed", type(error).__name__, _text(error), logged, ours))
            logged.clear()


def _text(error: Exception) -> str:
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" at {place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else ""
    return f"{error}{'' if isinstance(error, SafetyAmpError) else where}"


def _runtime(world: World, beginning: Beginning) -> Runtime:
    def session() -> requests.Session:
        made = requests.Session()
        made.trust_env = False
        for name, url in beginning.hosts.items():
            made.mount(url, Adapter(world, name))
        return made

    parts: dict[str, Any] = {
        "clock": world,
        "documents": lambda _: Port(world, "documents"),
        "bus": lambda _: Port(world, "bus"),
        "redis": lambda _: lambda: RedisClient(world, "redis"),
        "session": session,
    }
    runtime = Runtime(beginning.environment, Parts(**parts))
    tokens: Any = Port(world, "tokens")
    pipeline = runtime.unlimited_pipeline("graph", beginning.hosts["graph"] + "/v1.0", tokens.headers)
    # Attributes of the instance go before those that the class would build.
    vars(runtime)["vista"] = Vista(world, runtime.vista)
    vars(runtime)["graph"] = GraphClient(pipeline, tokens)
    return runtime


if __name__ == "__main__":
    main()
