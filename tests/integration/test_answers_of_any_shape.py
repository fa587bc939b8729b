"""Answers that trickle, break the rules of HTTP or lead elsewhere, over real sockets: each ends in time, and
in the error that says whether what was asked may have happened."""

from __future__ import annotations

import contextlib
import itertools
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from shared.clients.http import transport
from shared.clients.http.pipeline import HttpPipeline
from shared.clients.safetyamp import SafetyAmpClient
from shared.clock import SystemClock
from shared.errors import APIError, SafetyAmpError, UpstreamUnavailable
from shared.resilience.retry import RetryPolicy
from tests.doubles.scripted_upstream import NotingBreaker, NotingLimiter

CONNECT_SECONDS, READ_SECONDS = 0.2, 0.5
TRICKLE_SECONDS = 0.02
"""Between two bytes: much less than the read timeout."""
GUARD_SECONDS = 60.0
CREATED = b'{"data": {"id": 7}}'

Play = Iterable[bytes]
"""What a server sends, one after the other, until the caller has gone."""


@contextlib.contextmanager
def answering(*plays: Play) -> Iterator[tuple[int, list[bytes]]]:
    """The port of a server that gives each caller the next answer (the last one again), and what it was
    asked."""
    listener = socket.create_server(("127.0.0.1", 0))
    asked: list[bytes] = []

    def serve() -> None:
        waiting = list(plays)
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                play = waiting.pop(0) if len(waiting) > 1 else waiting[0]
                threading.Thread(target=answer, args=(peer, play), daemon=True).start()

    def answer(peer: socket.socket, play: Play) -> None:
        with contextlib.suppress(OSError), peer:
            peer.settimeout(GUARD_SECONDS)
            asked.append(read_request(peer))
            for part in play:
                peer.sendall(part)
            # Closed with something unread, the system would take the answer back by a reset.
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(65536):
                pass

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield int(listener.getsockname()[1]), asked
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def read_request(peer: socket.socket) -> bytes:
    """Head and body of a request, which may come in several pieces; or the first bytes of what is no HTTP."""
    data = peer.recv(65536)
    while b"\r\n\r\n" not in data:
        more = peer.recv(65536) if data[:1].isupper() else b""
        if not more:
            return data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: *(\d+)", head.lower())
    while length and len(body) < int(length[1]) and (more := peer.recv(65536)):
        body += more
    return head + b"\r\n\r\n" + body


def pipeline(port: int, read_timeout: float = READ_SECONDS) -> HttpPipeline:
    return HttpPipeline(
        "safetyamp",
        f"http://127.0.0.1:{port}",
        lambda: {"Authorization": "Bearer not-a-real-one"},
        NotingLimiter(),
        NotingBreaker(),
        RetryPolicy(1, 1.0),
        SystemClock(),
        connect_timeout=CONNECT_SECONDS,
        read_timeout=read_timeout,
    )


def slowly(content: Iterable[bytes]) -> Iterator[bytes]:
    waiting = threading.Event()
    for part in content:
        yield part
        waiting.wait(TRICKLE_SECONDS)


def endless(content: bytes) -> Iterator[bytes]:
    return itertools.repeat(content)


def outcome_of(call: Callable[[], Any]) -> Any:
    """What the call gives or raises; fails when it does not end."""
    outcome: list[Any] = []

    def make() -> None:
        try:
            outcome.append(call())
        except SafetyAmpError as error:
            outcome.append(error)

    caller = threading.Thread(target=make, daemon=True)
    caller.start()
    caller.join(GUARD_SECONDS)
    assert outcome, "the call does not end, or raised something unexpected"
    return outcome[0]


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
TRICKLES: dict[str, Callable[[], Play]] = {
    "a body with its length": lambda: slowly([OK + b"Content-Length: 100000\r\n\r\n", *[b" "] * 99999]),
    "a body without its length": lambda: slowly(itertools.chain([OK + b"\r\n"], endless(b" "))),
    "a body in chunks": lambda: slowly(itertools.chain([CHUNKED], endless(b"1\r\n \r\n"))),
    "the size of a chunk": lambda: slowly(itertools.chain([CHUNKED], endless(b"0"))),
    "headers": lambda: slowly(itertools.chain([OK], endless(b"X"))),
    "many headers": lambda: slowly(itertools.chain([OK], endless(b"X-Y: 1\r\n"))),
    "the status line": lambda: slowly(itertools.chain([b"HTTP/1.1 200 "], endless(b"O"))),
    "one preliminary answer after the other": lambda: slowly(endless(b"HTTP/1.1 100 Continue\r\n\r\n")),
    "trailers": lambda: slowly(itertools.chain([CHUNKED + b"0\r\n"], endless(b"X-Y: 1\r\n"))),
}


@pytest.mark.parametrize("what", TRICKLES)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_trickles_is_given_up(what: str, method: str) -> None:
    with answering(TRICKLES[what]()) as (port, _):
        outcome = outcome_of(lambda: pipeline(port).request(method, "/api/users"))
    assert isinstance(outcome, UpstreamUnavailable), outcome
    assert outcome.may_have_happened


def test_an_answer_that_takes_its_time_within_the_limit_is_read() -> None:
    body = b'{"data": "slow but sure"}'
    head = OK + b"Content-Length: %d\r\n\r\n" % len(body)
    with answering(slowly([head, *(bytes([byte]) for byte in body)])) as (port, _):
        answer = outcome_of(lambda: pipeline(port, read_timeout=GUARD_SECONDS).request("GET", "/api/users"))
    assert answer == {"data": "slow but sure"}


def test_a_connection_is_as_patient_with_its_next_answer() -> None:
    """The time that one answer took is not taken from the next one on the same connection."""
    answer = OK + b"Content-Length: 2\r\n\r\n{}"
    listener = socket.create_server(("127.0.0.1", 0))
    caller = pipeline(listener.getsockname()[1], read_timeout=1.5)
    waiting = threading.Event()

    def serve() -> None:
        peer, _ = listener.accept()
        with contextlib.suppress(OSError), peer:
            while peer.recv(65536):
                waiting.wait(0.4)
                peer.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    with contextlib.closing(listener):
        assert [outcome_of(lambda: caller.request("GET", "/api/a")) for _ in range(5)] == [{}] * 5
    caller.close()


def of(status: str, body: bytes = b"", *headers: bytes) -> list[bytes]:
    lines = [b"HTTP/1.1 " + status.encode(), b"Content-Length: %d" % len(body), *headers]
    return [b"\r\n".join(lines) + b"\r\n\r\n" + body]


UNREADABLE: dict[str, list[bytes]] = {
    "two lengths": of("201 Created", CREATED, b"Content-Length: 5"),
    "cut off": [b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n" + CREATED],
    "cut off in the headers": [b"HTTP/1.1 201 Created\r\nContent-Le"],
    "nothing": [],
    "a chunk that is none": [CHUNKED.replace(b"200 OK", b"201 Created") + b"xyz\r\n"],
    "no http": [b"SSH-2.0-OpenSSH_9.6\r\n"],
    "a garbled status": [b"HTTP/1.1 2O1 Created\r\n\r\n"],
    "a status out of range": [b"HTTP/1.1 99 Odd\r\n\r\n"],
    "more headers than anybody reads": of("201 Created", CREATED, *[b"X-Y: 1"] * 500),
    "an endless header": of("201 Created", CREATED, b"X-Y: " + b"1" * 100_000),
    "not compressed as it says": of("201 Created", CREATED, b"Content-Encoding: gzip"),
    "no json": of("201 Created", b"<html>"),
    "json that is cut": of("201 Created", CREATED[:-1]),
    "json of another form": of("201 Created", b'[{"id": 7}]'),
    "no id": of("201 Created", b'{"data": {}}'),
    "an empty body": of("201 Created"),
    "no body": [b"HTTP/1.1 204 No Content\r\n\r\n"],
    "another success without a record": of("202 Accepted", b"{}"),
    "bytes that are no text": of("201 Created", b"\xff\xfe\xfd"),
    "early hints": [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"],
    "another protocol": [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"],
    "elsewhere": of("302 Found", b"{}", b"Location: /api/elsewhere"),
    "elsewhere, body and all": of("307 Temporary Redirect", b"{}", b"Location: http://127.0.0.1:9/"),
    "nowhere": of("301 Moved Permanently", b"{}", b"Location: http://[::1"),
    "not modified": [b"HTTP/1.1 304 Not Modified\r\n\r\n"],
    "a conflict": of("409 Conflict", b"{}"),
    "a refusal that nobody expects": of("418 I'm a teapot", b"{}"),
    "a gateway's refusal of the record": of("422 Unprocessable", b"<html>"),
    "a gateway's timeout": of("504 Gateway Timeout", b"{}"),
    "a status of nobody": of("799 Odd", b"{}"),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_creation_whose_answer_cannot_be_read_may_have_happened(what: str) -> None:
    with answering(UNREADABLE[what]) as (port, asked):
        outcome = outcome_of(lambda: SafetyAmpClient(pipeline(port)).create("assets", {"name": "Unit 1"}))
    assert isinstance(outcome, UpstreamUnavailable), outcome
    assert outcome.may_have_happened
    assert len(asked) == 1, "neither repeated nor sent elsewhere"


def test_an_answer_without_end_is_given_up_before_it_fills_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transport, "LARGEST_ANSWER_BYTES", 1_000_000)
    for head in (OK + b"\r\n", b"HTTP/1.1 302 Found\r\nLocation: /a\r\n\r\n"):
        with answering(itertools.chain([head], endless(b" " * 65536))) as (port, _):
            outcome = outcome_of(lambda: pipeline(port, read_timeout=GUARD_SECONDS).request("POST", "/api/a"))
        assert isinstance(outcome, UpstreamUnavailable)
        assert "more than 1000000 bytes" in str(outcome)


@pytest.mark.parametrize("resource", ["users", "sites"])
@pytest.mark.parametrize(
    "answer",
    [
        [b"HTTP/1.1 204 No Content\r\n\r\n"],
        of("200 OK"),
        of("200 OK", b"\r\n"),
        of("202 Accepted"),
        [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"],
        [CHUNKED + b"0\r\n\r\n"],
    ],
)
def test_an_update_that_succeeds_without_a_body_is_a_success(resource: str, answer: list[bytes]) -> None:
    with answering(answer) as (port, _):
        client = SafetyAmpClient(pipeline(port))
        assert outcome_of(lambda: client.update(resource, 7, {"name": "a"})) == {}


def test_a_listing_without_a_body_is_no_answer() -> None:
    with answering(of("200 OK")) as (port, _):
        outcome = outcome_of(lambda: SafetyAmpClient(pipeline(port)).list_all("users"))
    assert isinstance(outcome, UpstreamUnavailable)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "POST"])
def test_a_redirect_takes_the_token_nowhere(status: int, method: str) -> None:
    with answering(of("200 OK", b"{}")) as (elsewhere, stolen):
        location = f"Location: http://127.0.0.1:{elsewhere}/api/users".encode()
        with answering(of(f"{status} Moved", b"{}", location)) as (port, _):
            outcome = outcome_of(lambda: pipeline(port).request(method, "/api/users"))
    assert isinstance(outcome, APIError)
    assert str(status) in str(outcome)
    assert "check the base URL" in str(outcome)
    assert stolen == []
