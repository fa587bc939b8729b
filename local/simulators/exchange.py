"""One HTTP request and its answer as values, so that the simulators need no sockets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from urllib.parse import parse_qsl, urlsplit

Lost = Literal["connection", "timeout"]


class Headers:
    """Header fields whose names are compared without regard to case."""

    def __init__(self, fields: Mapping[str, str] | None = None) -> None:
        self._fields = {name.lower(): value for name, value in (fields or {}).items()}

    def get(self, name: str) -> str:
        """The field's value; empty when there is none."""
        return self._fields.get(name.lower(), "")


@dataclass(frozen=True)
class SimRequest:
    """A request as the simulator sees it.

    `path` begins with `/` and has no query; `root` is what stood before it in the URL that the client
    called (scheme, host and prefix), for answers that must hold absolute links.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    root: str = "http://simulator"

    @classmethod
    def of(
        cls, method: str, url: str, headers: Mapping[str, str], body: bytes = b"", prefix: str = ""
    ) -> SimRequest:
        """The request to an absolute URL; `prefix` is the part of its path that belongs to the root."""
        parts = urlsplit(url)
        return cls(
            method=method.upper(),
            path=parts.path.removeprefix(prefix),
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers=Headers(headers),
            body=body,
            root=f"{parts.scheme}://{parts.netloc}{prefix}",
        )


@dataclass(frozen=True)
class SimResponse:
    """An answer; `headers` name the content type, the length is the transport's business."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body's JSON value."""
        return json.loads(self.body)


class AnswerLost(Exception):
    """The client gets no answer: its connection breaks, or it waits until it gives up.

    Raised by `handle` instead of returning; `written` tells whether the request was carried out first.
    """

    def __init__(self, how: Lost, *, written: bool) -> None:
        super().__init__(f"{how} lost {'after' if written else 'before'} the request was carried out")
        self.how = how
        self.written = written


class Handler(Protocol):
    """Whatever answers requests: all simulators do."""

    def handle(self, request: SimRequest) -> SimResponse:
        """The answer; raises AnswerLost where a fault says that none arrives."""
        ...


def json_response(status: int, value: Any, headers: Mapping[str, str] | None = None) -> SimResponse:
    """An answer with a JSON body."""
    try:
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half a character, which JSON can only spell
        body = json.dumps(value, separators=(",", ":")).encode()
    return SimResponse(status, {"Content-Type": "application/json", **(headers or {})}, body)
