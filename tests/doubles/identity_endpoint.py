"""The endpoint at which an app in Azure asks for its identity's tokens; load with `pytest_plugins`.

Its protocol is that of App Service and Functions (vendor page "Managed identities for App Service and Azure
Functions", REST endpoint reference): azure-identity speaks to it unmodified.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

HEADER = "proof-of-the-sandbox"
LIFETIME_SECONDS = 3600


@dataclass
class IdentityEndpoint:
    """`token` makes the token for a resource; `asked` keeps (resource, client id) of each request."""

    token: Callable[[str], str] = lambda resource: f"token for {resource}"
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    refuses: bool = False

    def answer(self, query: dict[str, list[str]]) -> tuple[int, dict[str, str]]:
        resource, client_id = query["resource"][0], query.get("client_id", [None])[0]
        self.asked.append((resource, client_id))
        if self.refuses:
            return 400, {"error": "invalid_request", "error_description": "no such identity"}
        expires = str(int(time.time()) + LIFETIME_SECONDS)
        token = {"access_token": self.token(resource), "expires_on": expires, "resource": resource}
        return 200, {**token, "token_type": "Bearer"}


@pytest.fixture
def identity_endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityEndpoint]:
    """A running endpoint to which this process's environment leads, as in Azure."""
    endpoint = IdentityEndpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers.get("X-IDENTITY-HEADER") == HEADER:
                status, body = endpoint.answer(parse_qs(urlsplit(self.path).query))
            else:
                status, body = 401, {}
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{server.server_port}/token")
    monkeypatch.setenv("IDENTITY_HEADER", HEADER)
    yield endpoint
    server.shutdown()
    server.server_close()
