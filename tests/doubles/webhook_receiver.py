"""A webhook's receiver on this machine, which can also be ill."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET_PATH = "/hooks/5ecret-path"


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    data: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.data)

    @property
    def notice_id(self) -> str:
        return self.headers["webhook-id"]


class Receiver:
    """Keeps what comes in; `answer` is the status, "silent" (none at all), "trickle" (a header that never
    ends) or "malformed" (taken, with a header that is none)."""

    def __init__(self) -> None:
        self.answer: int | str = 202
        self.received: list[Received] = []
        self.released = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.received.append(Received(self.path, headers, data))
                receiver._answer(self)

            do_GET = do_POST

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}{SECRET_PATH}?sig=5ecret"

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        if self.answer == "silent":
            self.released.wait(30)
        elif self.answer == "trickle":
            request.wfile.write(b"HTTP/1.1 202 Accepted\r\nX: ")
            while not self.released.wait(0.05):
                request.wfile.write(b"x")
        elif self.answer == "malformed":
            request.wfile.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nno header\r\nX: y\r\n\r\n")
        else:
            request.send_response(int(self.answer))
            if 300 <= int(self.answer) < 400:
                request.send_header("Location", "/elsewhere")
            request.send_header("Content-Length", "0")
            request.end_headers()

    @property
    def ids(self) -> list[str]:
        """Of all notices that came in, told twice or not."""
        return [received.notice_id for received in self.received]

    @property
    def titles(self) -> list[str]:
        return [received.body["data"]["title"] for received in self.received]

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.01)

    def stop(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver while the block runs."""
    receiver = Receiver()
    thread = threading.Thread(target=receiver.serve, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.stop()
        thread.join()
