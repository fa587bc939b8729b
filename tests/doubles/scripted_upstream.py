"""An HTTP upstream that answers from a script, and a limiter and breaker that note what they are told."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPHeaderDict, HTTPResponse

from local.fake_clock import FakeClock
from shared.clients.http.call_meter import UpstreamCall
from shared.clients.http.pipeline import HttpPipeline
from shared.clients.http.transport import new_session
from shared.errors import CircuitOpen, RateLimited
from shared.resilience.rate_limiter import Permit, Usage, new_permit
from shared.resilience.retry import RetryPolicy

BASE_URL = "https://upstream.test"

Step = Exception | HTTPResponse | tuple[int, Any] | tuple[int, Any, Mapping[str, str]]
"""An exception to raise, a raw response, or status, body (bytes as they are, else as JSON) and headers."""


class Script(HTTPAdapter):
    """Answers the requests in turn; the last step is repeated. `requests` keeps what was sent."""

    def __init__(self, *steps: Step) -> None:
        super().__init__()
        self._steps = list(steps)
        self.requests: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        self.requests.append(request)
        step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        if isinstance(step, Exception):
            raise step
        if isinstance(step, HTTPResponse):
            return self.build_response(request, step)
        status, body, *headers = step
        raw = HTTPResponse(
            body=io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode()),
            headers=HTTPHeaderDict(headers[0] if headers else {}),
            status=status,
            preload_content=False,
        )
        return self.build_response(request, raw)

    @property
    def asked(self) -> list[tuple[str, str, dict[str, str]]]:
        """Method, path and query of each request."""
        parts = [(request.method or "", urlsplit(request.url or "")) for request in self.requests]
        return [(method, str(url.path), dict(parse_qsl(str(url.query)))) for method, url in parts]

    def sent(self, number: int = -1) -> Any:
        """The JSON body of a request."""
        return json.loads(self.requests[number].body or b"null")

    def session(self) -> requests.Session:
        session = new_session()
        session.mount("https://", self)
        session.mount("http://", self)
        return session


class NotingLimiter:
    """Lets all calls through unless `refusals` (delays in seconds) are waiting."""

    def __init__(self, *refusals: float) -> None:
        self.refusals = list(refusals)
        self.acquired: list[bool] = []
        self.completed = 0
        self.blocked: list[float] = []

    def acquire(self, *, interactive: bool = False) -> Permit:
        if self.refusals:
            raise RateLimited("full", self.refusals.pop(0))
        self.acquired.append(interactive)
        return new_permit()

    def complete(self, permit: Permit) -> None:
        self.completed += 1

    def block(self, seconds: float) -> None:
        self.blocked.append(seconds)

    def usage(self) -> Usage:
        raise NotImplementedError


class NotingBreaker:
    """Closed unless `refusals` (delays in seconds) are waiting; `verdicts` in order."""

    def __init__(self, *refusals: float) -> None:
        self.refusals = list(refusals)
        self.verdicts: list[str] = []

    def before_call(self) -> None:
        if self.refusals:
            raise CircuitOpen("open", self.refusals.pop(0))

    def succeeded(self) -> None:
        self.verdicts.append("succeeded")

    def failed(self) -> None:
        self.verdicts.append("failed")

    def released(self) -> None:
        self.verdicts.append("released")

    def state(self) -> Any:
        raise NotImplementedError


class Upstream:
    """A pipeline over a script, with everything around it at hand."""

    def __init__(
        self,
        *steps: Step,
        name: str = "safetyamp",
        base_url: str = BASE_URL,
        headers: Callable[[], Mapping[str, str]] = lambda: {"Authorization": "Bearer s3cret"},
        limiter: NotingLimiter | None = None,
        breaker: NotingBreaker | None = None,
        attempts: int = 3,
        on_call: Callable[[UpstreamCall], None] = lambda _: None,
    ) -> None:
        self.script = Script(*steps)
        self.clock = FakeClock()
        self.limiter = limiter or NotingLimiter()
        self.breaker = breaker or NotingBreaker()
        self.pipeline = HttpPipeline(
            name,
            base_url,
            headers,
            self.limiter,
            self.breaker,
            RetryPolicy(attempts, 30.0),
            self.clock,
            self.script.session,
            random=lambda: 0.0,
            on_call=on_call,
        )
