"""A local ingestion endpoint of Application Insights, which can also be ill."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

KEY = "1a2b3c4d-0000-4000-8000-00000000cafe"

Health = Literal["well", "500", "garbage", "silent", "partial"]


class Ingestion:
    """What came in, and how it is answered. `silent` answers nothing until `release`."""

    def __init__(self) -> None:
        self.health: Health = "well"
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self._released = threading.Event()
        self._arrived = threading.Condition()
        ingestion = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                ingestion._take(self.path, dict(self.headers), body)
                ingestion._answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def connection_string(self) -> str:
        return f"InstrumentationKey={KEY};IngestionEndpoint={self.endpoint}/"

    @property
    def envelopes(self) -> list[dict[str, Any]]:
        """All that was sent."""
        return [envelope for _, _, body in self.requests for envelope in body]

    def data(self, kind: str) -> list[dict[str, Any]]:
        """The payloads of one kind, such as RemoteDependencyData."""
        datas = [envelope["data"] for envelope in self.envelopes]
        return [data["baseData"] for data in datas if data["baseType"] == kind]

    def wait_for(self, requests: int) -> None:
        """Until so many requests have come in."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.requests) >= requests, 20)

    def release(self) -> None:
        """Let silent requests end."""
        self._released.set()

    def _take(self, path: str, headers: dict[str, str], body: Any) -> None:
        with self._arrived:
            self.requests.append((path, headers, body))
            self._arrived.notify_all()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        if self.health == "silent":
            self._released.wait(30)
            return
        if self.health == "garbage":
            handler.wfile.write(b"\x00\xff not HTTP at all\r\n\r\n")
            return
        status = {"well": 200, "500": 500, "partial": 206}[self.health]
        body = b"{}" if status == 200 else b"<html>no JSON</html>"
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@contextmanager
def ingesting() -> Iterator[Ingestion]:
    """Serve while the block runs."""
    ingestion = Ingestion()
    thread = threading.Thread(target=ingestion._server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield ingestion
    finally:
        ingestion.release()
        ingestion._server.shutdown()
        ingestion._server.server_close()
        thread.join()
