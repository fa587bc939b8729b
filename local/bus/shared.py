"""An in-process bus for the processes beside its owner: what is Service Bus to workers that may be killed.

One connection per thread of a worker, pickles over a local socket with a key. A worker that is killed takes
nothing with it but the locks of its messages, which run out.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from typing import Any, cast

from local.bus.in_process import InProcessBus, LockedMessage
from shared.errors import BusError, SafetyAmpError
from shared.storage.bus import Message

HOST = "127.0.0.1"
WAITING_CONNECTIONS = 64


@dataclass(frozen=True)
class BusAccess:
    """Where a bus is served, and the key that it asks for; both go into JSON."""

    port: int
    key: str


class BusServer:
    """Serves `bus` to other processes while the block runs."""

    def __init__(self, bus: InProcessBus) -> None:
        self._bus = bus
        key = secrets.token_hex()
        self._listener = Listener((HOST, 0), backlog=WAITING_CONNECTIONS, authkey=key.encode())
        self.access = BusAccess(cast("tuple[str, int]", self._listener.address)[1], key)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="bus-server", daemon=True)

    def __enter__(self) -> BusServer:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._ended.set()
        # Closing the listener does not wake who waits in it; one more connection does.
        with suppress(OSError, EOFError):
            _connected(self.access).close()
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            # A worker may be killed while it introduces itself.
            with suppress(OSError, EOFError, AuthenticationError):
                connection = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        with connection, suppress(OSError, EOFError):
            while True:
                method, arguments = connection.recv()
                connection.send(self._answer(method, arguments))

    def _answer(self, method: str, arguments: tuple[Any, ...]) -> tuple[bool, Any]:
        try:
            return True, getattr(self._bus, method)(*arguments)
        except SafetyAmpError as error:
            return False, error


class SharedBus:
    """The bus of another process: implements `shared.storage.bus.Bus` and `local.bus.in_process.Receiver`.

    Raises BusError when that process has gone.
    """

    def __init__(self, access: BusAccess) -> None:
        self._access = access
        self._thread = threading.local()

    def send(self, messages: Sequence[Message]) -> None:
        self._ask("send", messages)

    def close(self) -> None:
        """The connections end with their threads."""

    def receive(self, queue: str) -> LockedMessage | None:
        return cast("LockedMessage | None", self._ask("receive", queue))

    def complete(self, locked: LockedMessage) -> None:
        self._ask("complete", locked)

    def abandon(self, locked: LockedMessage) -> None:
        self._ask("abandon", locked)

    def renew_lock(self, locked: LockedMessage) -> datetime:
        return cast("datetime", self._ask("renew_lock", locked))

    def leave(self) -> None:
        """The connection ends with its thread."""

    def next_due(self, queue: str | None = None) -> datetime | None:
        return cast("datetime | None", self._ask("next_due", queue))

    def wait(self, timeout_seconds: float) -> None:
        self._ask("wait", timeout_seconds)

    def _ask(self, method: str, *arguments: Any) -> Any:
        try:
            if not hasattr(self._thread, "connection"):
                self._thread.connection = _connected(self._access)
            self._thread.connection.send((method, arguments))
            done, value = self._thread.connection.recv()
        except (OSError, EOFError) as error:
            raise BusError("the process that owns the bus has gone") from error
        if not done:
            raise value
        return value


def _connected(access: BusAccess) -> Connection:
    return Client((HOST, access.port), authkey=access.key.encode())
