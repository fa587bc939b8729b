"""A transport for `requests` that asks a simulator in this process instead of the network."""

from __future__ import annotations

import io
from http.client import responses as reason_phrases
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPHeaderDict, HTTPResponse

from local.simulators.exchange import AnswerLost, Handler, SimRequest, SimResponse


class SimulatorAdapter(HTTPAdapter):
    """Mount it for a URL: `session.mount("https://api.safetyamp.com", SimulatorAdapter(simulator))`.

    `prefix` is the part of the URL's path in front of the simulator's own paths. Lost answers come out
    as requests' ConnectionError or ReadTimeout.
    """

    def __init__(self, simulator: Handler, prefix: str = "") -> None:
        super().__init__()
        self._simulator = simulator
        self._prefix = prefix

    def send(self, request: requests.PreparedRequest, *_how: Any, **_named: Any) -> requests.Response:
        """The simulator's answer; timeouts, certificates and proxies have no meaning here."""
        try:
            answer = self._simulator.handle(self.request_of(request))
        except AnswerLost as lost:
            kind = requests.ReadTimeout if lost.how == "timeout" else requests.ConnectionError
            raise kind(str(lost), request=request) from lost
        return self.response_of(request, answer)

    def request_of(self, request: requests.PreparedRequest) -> SimRequest:
        """The request as a simulator reads it."""
        body = request.body or b""
        content = body if isinstance(body, bytes) else str(body).encode()
        return SimRequest.of(
            request.method or "GET", request.url or "", request.headers, content, self._prefix
        )

    def response_of(self, request: requests.PreparedRequest, answer: SimResponse) -> requests.Response:
        """The answer as `requests` gives it to its caller."""
        raw = HTTPResponse(
            body=io.BytesIO(answer.body),
            headers=HTTPHeaderDict(answer.headers),
            status=answer.status,
            reason=reason_phrases.get(answer.status, "unknown"),
            preload_content=False,
        )
        return self.build_response(request, raw)
