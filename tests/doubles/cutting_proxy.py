"""A TCP relay that a test can cut: what a network does, while server and client know nothing of it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType


class CuttingProxy:
    """Relays to `port` while the block runs. `deaf` lets nothing of the server reach its clients."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.deaf = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self.connections = 0

    def __enter__(self) -> CuttingProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """End every connection at once; new ones are taken."""
        with self._lock:
            sockets, self._sockets = self._sockets, []
        for one in sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                with self._lock:
                    self._sockets += [client, server]
                    self.connections += 1
                for source, target, backwards in ((client, server, False), (server, client, True)):
                    threading.Thread(
                        target=self._relay, args=(source, target, backwards), daemon=True
                    ).start()

    def _relay(self, source: socket.socket, target: socket.socket, backwards: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if not (backwards and self.deaf.is_set()):
                    target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
