"""A TCP proxy between a client and a real server that breaks what passes through it, as told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

HOST = "127.0.0.1"
CHUNK = 65_536


@dataclass
class TcpProxy:
    """Forwards to `target` while `mode` is "forward".

    "silent" takes connections and bytes and says nothing; "garbage" answers every connection with `nonsense`.
    `cut_answers` answers and `cut_requests` requests to come are cut: the connection ends after `cut_after`
    bytes of them, of which a request's reach the server and an answer's the client.
    """

    target: int
    mode: str = "forward"
    nonsense: bytes = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 4\r\n\r\nwhat"
    cut_answers: int = 0
    cut_requests: int = 0
    cut_after: int = 0
    connections: int = 0
    port: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _taken: threading.Condition = field(default_factory=threading.Condition)
    _open: list[socket.socket] = field(default_factory=list)

    def cut_all(self) -> None:
        """End every connection now, as a failover does."""
        with self._lock:
            ended, self._open = self._open, []
        for one in ended:
            _end(one)

    def wait_for(self, connections: int, at_most: float = 60.0) -> int:
        """How many connections there were, once there were as many: a caller may have gone on before its
        last one is taken here."""
        with self._taken:
            self._taken.wait_for(lambda: self.connections >= connections, at_most)
            return self.connections

    def serve(self, listener: socket.socket) -> None:
        """Take connections until the listener is shut down."""
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with self._taken:
                    self.connections += 1
                    self._taken.notify_all()
                threading.Thread(target=self._handle, args=(client,), daemon=True).start()

    def _handle(self, client: socket.socket) -> None:
        # Only this thread closes the sockets: another could close one under a thread that is about to read,
        # and the system might have given its number away meanwhile.
        with client, suppress(OSError):
            self._keep(client)
            if self.mode == "forward":
                self._forward(client)
            elif self.mode == "silent":
                while client.recv(CHUNK):
                    pass
            elif client.recv(CHUNK):
                client.sendall(self.nonsense)
                client.shutdown(socket.SHUT_WR)
                while client.recv(CHUNK):  # closed with something unread, the answer could get lost
                    pass

    def _forward(self, client: socket.socket) -> None:
        with socket.create_connection((HOST, self.target)) as server:
            self._keep(server)
            answers = threading.Thread(target=self._pump, args=(server, client, "answers"), daemon=True)
            answers.start()
            self._pump(client, server, "requests")
            answers.join()

    def _pump(self, source: socket.socket, sink: socket.socket, direction: str) -> None:
        passed: int | None = None  # bytes of what is to be cut
        with suppress(OSError):
            while data := source.recv(CHUNK):
                if passed is None and self._is_to_be_cut(direction):
                    passed = 0
                if passed is None:
                    sink.sendall(data)
                    continue
                rest = self.cut_after - passed
                sink.sendall(data[:rest])
                passed += len(data)
                if passed > self.cut_after:
                    break
        _end(source)
        _end(sink)

    def _is_to_be_cut(self, direction: str) -> bool:
        name = f"cut_{direction}"
        with self._lock:
            left = getattr(self, name)
            setattr(self, name, max(0, left - 1))
        return bool(left)

    def _keep(self, one: socket.socket) -> None:
        with self._lock:
            self._open.append(one)


@contextmanager
def proxy_to(target: int) -> Iterator[TcpProxy]:
    """A proxy before the server at port `target` of this machine."""
    with socket.create_server((HOST, 0)) as listener:
        proxy = TcpProxy(target, port=listener.getsockname()[1])
        serving = threading.Thread(target=proxy.serve, args=(listener,), daemon=True)
        serving.start()
        try:
            yield proxy
        finally:
            _end(listener)
            serving.join()
            proxy.cut_all()


def free_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _end(one: socket.socket) -> None:
    """Whoever reads from it or waits at it comes back at once."""
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
