"""HTTP/1.1 over sockets for the simulators: keep-alive, no Nagle delay, optionally TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local.simulators.exchange import AnswerLost, Handler, SimRequest, SimResponse, json_response

HOST = "127.0.0.1"
NO_SUCH_PREFIX = {"message": "No simulator listens at this path."}


class Listener:
    """Serves simulators by the first part of the path on one port; an empty prefix takes the rest.

    `latency_seconds` passes before each answer, outside the simulator's lock, as on a real network.
    """

    def __init__(
        self, routes: dict[str, Handler], port: int = 0, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.latency_seconds = 0.0
        self.scheme = "https" if tls else "http"
        self._routes = routes
        self._tls = tls
        self._server = _Server((HOST, port), self)
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Serve in background threads until `stop`."""
        if self._tls is not None:
            # Shaking hands in the connection's own thread: a silent client must not block the others.
            self._server.socket = self._tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="simulator", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the port and every open connection."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._server.hang_up()

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> SimResponse:
        """Hand a request to the simulator of its prefix."""
        if self.latency_seconds:
            time.sleep(self.latency_seconds)
        host = next(
            (value for name, value in headers.items() if name.lower() == "host"), f"{HOST}:{self.port}"
        )
        url = f"{self.scheme}://{host}{target}"
        first = "/" + target.lstrip("/").split("/", 1)[0].split("?", 1)[0]
        for prefix in (first, ""):
            if prefix in self._routes:
                return self._routes[prefix].handle(SimRequest.of(method, url, headers, body, prefix))
        return json_response(404, NO_SUCH_PREFIX)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], listener: Listener) -> None:
        self.listener = listener
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, _Connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Close what clients keep alive: a stopped upstream must not go on answering."""
        with self._open_lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away in the middle are ordinary here; anything else is our mistake and shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # header and body leave in one piece
    server: _Server

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            answer = self.server.listener.answer(self.command, self.path, dict(self.headers.items()), body)
        except AnswerLost:
            # A client that waits in vain would hold a thread; cutting it off means the same to it.
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: paths are kept by the simulators themselves."""
