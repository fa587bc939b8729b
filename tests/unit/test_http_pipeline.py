"""The gate to an HTTP upstream: what is repeated, what is raised, what breaker, limiter and meter learn."""

from __future__ import annotations

import io
import logging
import threading
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from urllib3 import HTTPResponse
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import MaxRetryError, NewConnectionError

from local.fake_clock import FakeClock
from shared.clients.http import transport
from shared.clients.http.answers import LONGEST_NAME, MOST_FIELDS, Call
from shared.clients.http.call_meter import UpstreamCall
from shared.clients.http.headers import bearer_headers, user_agent
from shared.clients.http.pipeline import HttpPipeline
from shared.clients.http.transport import MAX_IDLE_SECONDS, HttpTransport, new_session
from shared.clients.http.work import Work
from shared.errors import (
    AccessRefused,
    APIError,
    CircuitOpen,
    ConfigurationError,
    InvalidRecord,
    LeaseLost,
    NotFound,
    RateLimited,
    RetryLater,
    Stopping,
    UpstreamUnavailable,
)
from shared.resilience.retry import RetryPolicy
from tests.doubles.scripted_upstream import BASE_URL, NotingBreaker, NotingLimiter, Step, Upstream

OK: Step = (200, {"data": 1})
INTERACTIVE = Work("interactive")
LOST = requests.ReadTimeout("read timed out")
BROKEN = requests.ConnectionError("connection aborted")
NEVER_CONNECTED = requests.ConnectionError(
    MaxRetryError(
        HTTPConnectionPool("upstream.test"),
        "/",
        NewConnectionError(HTTPConnection("upstream.test"), "refused"),
    )
)
TAKEN = {
    "message": "The email has already been taken. (and 1 more error)",
    "errors": {"email": ["The email ann@example.com has been taken."], "mobile_phone": "validation.phone"},
}


def test_an_answer_is_returned_as_json() -> None:
    upstream = Upstream((200, {"data": [1, None, "é"]}))
    assert upstream.pipeline.request("GET", "/api/users", params={"page": 0}) == {"data": [1, None, "é"]}
    assert upstream.script.asked == [("GET", "/api/users", {"page": "0"})]
    assert upstream.breaker.verdicts == ["succeeded"]
    assert upstream.limiter.completed == 1


def test_an_answer_without_a_body_is_none() -> None:
    assert Upstream((204, b"")).pipeline.request("PUT", "/api/sites/1", json={}) is None


@pytest.mark.parametrize(
    "failure", [(500, {}), (503, b"<html>"), (408, {}), (200, b"<html>"), (404, b"<html>"), LOST, BROKEN]
)
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_what_can_be_repeated_is_repeated(method: str, failure: Step) -> None:
    upstream = Upstream(failure, failure, OK)
    assert upstream.pipeline.request(method, "/api/x") == {"data": 1}
    assert upstream.clock.sleeps == [0.5, 1.0]
    assert upstream.breaker.verdicts == ["failed", "failed", "succeeded"]
    assert upstream.limiter.completed == 3


@pytest.mark.parametrize("failure", [(500, {}), (201, b"<html>"), (404, b"<html>"), LOST, BROKEN])
def test_a_post_of_unknown_fate_is_never_repeated(failure: Step) -> None:
    upstream = Upstream(failure, OK)
    with pytest.raises(UpstreamUnavailable) as caught:
        upstream.pipeline.request("POST", "/api/users", json={})
    assert caught.value.may_have_happened
    assert len(upstream.script.requests) == 1
    assert upstream.breaker.verdicts == ["failed"]


@pytest.mark.parametrize("failure", [NEVER_CONNECTED, requests.ConnectTimeout("slow"), (429, {})])
def test_a_post_that_certainly_did_nothing_is_repeated(failure: Step) -> None:
    upstream = Upstream(failure, OK)
    assert upstream.pipeline.request("POST", "/api/users", json={}) == {"data": 1}


def test_repeating_ends_with_the_policys_attempts() -> None:
    upstream = Upstream((500, {"message": "Server Error"}))
    with pytest.raises(UpstreamUnavailable) as caught:
        upstream.pipeline.request("GET", "/api/users")
    assert len(upstream.script.requests) == 3
    assert str(caught.value) == "SafetyAmp answered 500 to GET /api/users"
    assert caught.value.status_code == 500


def test_a_long_retry_after_of_a_5xx_gives_the_time_back() -> None:
    upstream = Upstream((503, {}, {"Retry-After": "40"}))
    with pytest.raises(RetryLater) as caught:
        upstream.pipeline.request("GET", "/api/users")
    assert caught.value.delay_seconds == 40
    assert upstream.clock.sleeps == []


def test_a_429_blocks_the_limiter_for_all_and_is_no_breaker_failure() -> None:
    upstream = Upstream((429, {}, {"Retry-After": "1.5"}), OK)
    assert upstream.pipeline.request("GET", "/api/users") == {"data": 1}
    assert upstream.limiter.blocked == [1.5]
    assert upstream.clock.sleeps == [1.5]
    assert upstream.breaker.verdicts == ["released", "succeeded"]


@pytest.mark.parametrize(
    ("headers", "attempts", "delay"), [({"Retry-After": "32"}, 3, 32.0), ({}, 1, 30.0), ({}, 3, 30.0)]
)
def test_a_429_that_would_take_long_is_rate_limited(
    headers: dict[str, str], attempts: int, delay: float
) -> None:
    upstream = Upstream((429, {"message": "Too Many Attempts."}, headers), attempts=attempts)
    with pytest.raises(RateLimited) as caught:
        upstream.pipeline.request("POST", "/api/users", json={})
    assert caught.value.delay_seconds == delay
    assert upstream.limiter.blocked[-1] == delay


def test_a_near_slot_is_waited_for_and_a_far_one_gives_the_time_back() -> None:
    near = Upstream(OK, limiter=NotingLimiter(1.5, 0.5))
    assert near.pipeline.under(INTERACTIVE).request("GET", "/api/users") == {"data": 1}
    assert near.clock.sleeps == [1.5, 0.5]

    far = Upstream(OK, limiter=NotingLimiter(2.5))
    with pytest.raises(RateLimited):
        far.pipeline.under(INTERACTIVE).request("GET", "/api/users")
    assert far.clock.sleeps == []
    assert far.script.requests == []
    assert far.breaker.verdicts == ["released"]


def test_bulk_work_never_waits_for_a_slot() -> None:
    upstream = Upstream(OK, limiter=NotingLimiter(0.1))
    with pytest.raises(RateLimited):
        upstream.pipeline.request("GET", "/api/users")
    assert upstream.clock.sleeps == []


def test_many_short_waits_end_too() -> None:
    crowded = Upstream(OK, limiter=NotingLimiter(*[1.0] * 50))
    with pytest.raises(RateLimited):
        crowded.pipeline.under(INTERACTIVE).request("GET", "/api/users")
    assert sum(crowded.clock.sleeps) == 6


def test_an_open_breaker_takes_no_slot() -> None:
    upstream = Upstream(OK, breaker=NotingBreaker(45.0))
    with pytest.raises(CircuitOpen):
        upstream.pipeline.request("GET", "/api/users")
    assert upstream.limiter.acquired == []
    assert upstream.breaker.verdicts == []


def test_a_breaker_that_opened_during_the_wait_for_a_slot_is_obeyed() -> None:
    upstream = Upstream(OK, limiter=NotingLimiter(1.5), breaker=NotingBreaker())
    wait = upstream.clock.sleep

    def wait_and_open(seconds: float) -> None:
        wait(seconds)
        upstream.breaker.refusals.append(45.0)

    vars(upstream.clock)["sleep"] = wait_and_open
    with pytest.raises(CircuitOpen):
        upstream.pipeline.under(INTERACTIVE).request("GET", "/api/users")
    assert upstream.script.requests == []
    # A probe that waited was given back, or nobody could have made another one meanwhile.
    assert upstream.breaker.verdicts == ["released"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, APIError),
        (400, InvalidRecord),
        (401, AccessRefused),
        (403, AccessRefused),
        (404, NotFound),
        (405, APIError),
        (410, NotFound),
        (422, InvalidRecord),
    ],
)
def test_each_refusal_has_its_error_and_is_not_repeated(status: int, kind: type[APIError]) -> None:
    upstream = Upstream((status, {"message": "no"}), OK)
    with pytest.raises(APIError) as caught:
        upstream.pipeline.request("GET", "/api/users/abcde")
    assert type(caught.value) is kind
    assert caught.value.status_code == status
    assert caught.value.upstream == "safetyamp"
    assert upstream.breaker.verdicts == ["succeeded"]
    assert len(upstream.script.requests) == 1


@pytest.mark.parametrize("status", [404, 410])
def test_gone_is_no_refusal_of_a_creation(status: int) -> None:
    """It can be the new record that was not found when it was read back."""
    upstream = Upstream((status, {"message": "No query results"}))
    with pytest.raises(UpstreamUnavailable) as caught:
        upstream.pipeline.request("POST", "/api/assets", json={})
    assert caught.value.may_have_happened


def test_a_422_tells_its_fields_and_keeps_values_out_of_the_text() -> None:
    upstream = Upstream((422, TAKEN, {"X-Request-Id": "abc-1"}))
    with pytest.raises(InvalidRecord) as caught:
        upstream.pipeline.request(
            "POST", "/api/users", params={"q": "ann"}, json={"email": "ann@example.com"}
        )
    error = caught.value
    assert str(error) == (
        "SafetyAmp answered 422 to POST /api/users: fields email, mobile_phone (request id abc-1)"
    )
    assert error.field_errors["mobile_phone"] == ["validation.phone"]
    assert list(error.field_errors) == ["email", "mobile_phone"]
    assert error.response_text is not None
    assert "ann@example.com" in error.response_text


@pytest.mark.parametrize(
    "body", [[], "no", None, {}, {"errors": None}, {"errors": ["email is wrong"]}, {"errors": "email"}]
)
def test_a_422_of_another_shape_is_still_an_invalid_record(body: Any) -> None:
    with pytest.raises(InvalidRecord) as caught:
        Upstream((422, body)).pipeline.request("POST", "/api/users", json={})
    assert caught.value.field_errors == {}


def test_a_422_names_so_many_fields_as_a_record_has_and_no_endless_ones() -> None:
    errors = {f"{number}{'x' * 1000}": ["is odd"] for number in range(20_000)}
    with pytest.raises(InvalidRecord) as caught:
        Upstream((422, {"errors": errors})).pipeline.request("POST", "/api/users", json={})
    assert len(caught.value.field_errors) == MOST_FIELDS
    assert {len(name) for name in caught.value.field_errors} == {LONGEST_NAME}


def test_neither_texts_nor_logs_hold_token_query_or_body(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="shared")
    upstream = Upstream((500, {"message": "private"}))
    with pytest.raises(UpstreamUnavailable) as caught:
        upstream.pipeline.request("GET", "/api/users", params={"q": "private"})
    records = [str(vars(record)) for record in caplog.records if record.name.startswith("shared")]
    texts = "".join([*traceback.format_exception(caught.value), repr(upstream.pipeline), *records])
    assert records
    assert "s3cret" not in texts
    assert "private" not in texts.replace('"private"', "")  # the lines of this test's source


def test_a_token_that_no_header_can_carry_is_refused_without_quoting_it() -> None:
    with pytest.raises(ConfigurationError) as early:
        bearer_headers("SAFETYAMP_TOKEN", "s3cret\n")
    late = Upstream(OK, headers=lambda: {"Authorization": "Bearer s3cret\r\n"})
    with pytest.raises(ConfigurationError) as caught:
        late.pipeline.request("GET", "/api/users")
    for error in (early.value, caught.value):
        lines = [line for line in traceback.format_exception(error) if "scripted" not in line]
        assert "s3cret" not in "".join(line for line in lines if "test_http_pipeline" not in line)
    assert "SAFETYAMP_TOKEN" in str(early.value)
    assert late.breaker.verdicts == ["released"]


def test_the_credential_is_not_sent_to_another_host() -> None:
    upstream = Upstream(OK)
    for url in (
        "https://evil.test/x",
        "https://upstream.test@evil.test/",
        "http://upstream.test:443/",
        "x:y:z",
    ):
        with pytest.raises(APIError):
            upstream.pipeline.request("GET", url)
    assert upstream.script.requests == []
    assert upstream.pipeline.request("GET", f"{BASE_URL}:443/api/users?a=1") == {"data": 1}


def test_interactive_work_may_use_the_reserve() -> None:
    upstream = Upstream(OK)
    upstream.pipeline.request("GET", "/a")
    upstream.pipeline.under(INTERACTIVE).request("GET", "/a")
    upstream.pipeline.request("GET", "/a")
    assert upstream.limiter.acquired == [False, True, False]


def test_a_meter_counts_calls_statuses_and_waits_of_its_work_only() -> None:
    upstream, work = Upstream((500, {}), LOST, OK), Work()
    upstream.pipeline.under(work).request("GET", "/a")
    upstream.pipeline.request("GET", "/a")
    upstream.pipeline.under(Work()).request("GET", "/a")
    meter = work.meter
    assert meter.calls == {"safetyamp": 3}
    assert meter.requests == {
        "safetyamp|GET /a|5xx": 1,
        "safetyamp|GET /a|no answer": 1,
        "safetyamp|GET /a|2xx": 1,
    }
    assert meter.waited_seconds == 1.5
    meter.add({"safetyamp": 2, "vista": 1}, {"vista|titles|ok": 1}, 0.5)
    assert meter.calls == {"safetyamp": 5, "vista": 1}
    assert meter.requests["vista|titles|ok"] == 1
    assert meter.waited_seconds == 2.0


def test_work_is_kept_alive_before_each_call_and_can_end_the_request() -> None:
    upstream = Upstream((500, {}), OK)
    kept: list[int] = []

    def keep_alive() -> None:
        kept.append(len(upstream.script.requests))
        if len(kept) == 3:
            raise LeaseLost("gone")

    pipeline = upstream.pipeline.under(Work(keep_alive=keep_alive))
    pipeline.request("GET", "/a")
    assert kept == [0, 1]
    with pytest.raises(LeaseLost):
        pipeline.request("GET", "/a")
    assert len(upstream.script.requests) == 2
    assert upstream.breaker.verdicts == ["failed", "succeeded"]


def test_no_call_is_begun_at_the_deadline_and_a_lease_is_not_renewed_for_it() -> None:
    upstream, kept = Upstream(OK), list[int]()
    pipeline = upstream.pipeline.under(
        Work(deadline=upstream.clock.monotonic() + 10, keep_alive=lambda: kept.append(1))
    )
    upstream.clock.advance(9.9)
    pipeline.request("GET", "/a")
    upstream.clock.advance(0.1)
    with pytest.raises(Stopping):
        pipeline.request("GET", "/a")
    assert (len(upstream.script.requests), kept) == (1, [1])


def test_each_call_is_told_whatever_work_it_belongs_to() -> None:
    told: list[UpstreamCall] = []
    upstream = Upstream((500, {}), OK, on_call=told.append)
    upstream.pipeline.under(Work()).request("GET", "/a")
    assert [call.key for call in told] == ["safetyamp|GET /a|5xx", "safetyamp|GET /a|2xx"]


def test_an_answer_that_trickles_in_is_given_up() -> None:
    upstream = Upstream(OK)

    class Trickle(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            upstream.clock.advance(36)
            return super().read(1)

    raw = HTTPResponse(body=Trickle(b"{}"), status=200, preload_content=False)
    transport = HttpTransport(Upstream(raw).script.session, upstream.clock, 5, 30)
    with pytest.raises(UpstreamUnavailable, match="not complete after 35 s"):
        transport.send(Call("safetyamp", "GET", "/a"), BASE_URL, {}, None, None)


@pytest.mark.parametrize(
    ("login", "verdict"),
    [(UpstreamUnavailable("no login"), "failed"), (AccessRefused("wrong secret"), "released")],
)
def test_a_login_that_fails_leaves_a_verdict_and_no_slot(login: APIError, verdict: str) -> None:
    def headers() -> dict[str, str]:
        raise login

    upstream = Upstream(OK, headers=headers)
    with pytest.raises(type(login)):
        upstream.pipeline.request("GET", "/a")
    assert upstream.breaker.verdicts == [verdict]
    assert upstream.limiter.acquired == []


def test_an_answer_larger_than_the_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "LARGEST_ANSWER_BYTES", 100)
    with pytest.raises(UpstreamUnavailable, match="more than 100 bytes"):
        Upstream((200, b"1" * 101), attempts=1).pipeline.request("GET", "/a")


def test_an_unparsable_depth_of_json_is_no_json() -> None:
    with pytest.raises(UpstreamUnavailable, match="not JSON"):
        Upstream((200, b"[" * 200_000), attempts=1).pipeline.request("GET", "/a")


def test_connections_that_idled_too_long_are_not_used() -> None:
    closed: list[bool] = []

    class NotingSession(requests.Session):
        def close(self) -> None:
            closed.append(True)

    upstream = Upstream(OK)
    session = NotingSession()
    session.mount("https://", upstream.script)
    transport = HttpTransport(lambda: session, upstream.clock, 5, 30)
    for idle, count in ((0, 0), (MAX_IDLE_SECONDS - 1, 0), (MAX_IDLE_SECONDS + 1, 1)):
        upstream.clock.advance(idle)
        transport.send(Call("safetyamp", "GET", "/a"), BASE_URL, {}, None, None)
        assert len(closed) == count


def test_the_user_agent_names_the_organisation() -> None:
    assert user_agent("acme.safetyamp.com", "1.2.0") == "acme-safetyamp-sync/1.2.0 (acme.safetyamp.com)"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    peers: set[Any] = set()  # noqa: RUF012 - shared by the handlers of one server on purpose
    seen: list[dict[str, str]] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.peers.add(self.client_address)
        self.seen.append(dict(self.headers))
        if self.path == "/cut":
            self._answer(200, b"{", length=100)
            self.close_connection = True
        elif self.path == "/moved":
            self._answer(302, b"{}", ("Location", "/elsewhere"))
        else:
            self._answer(200, b"{}", ("Set-Cookie", "a=b"))

    def _answer(self, status: int, body: bytes, *headers: tuple[str, str], length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def served() -> Iterator[Callable[[], HttpPipeline]]:
    _Handler.peers.clear()
    _Handler.seen.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    pipelines: list[HttpPipeline] = []

    def pipeline() -> HttpPipeline:
        base_url = f"http://127.0.0.1:{server.server_address[1]}"
        pipelines.append(
            HttpPipeline(
                "safetyamp",
                base_url,
                lambda: {"Authorization": "Bearer own"},
                NotingLimiter(),
                NotingBreaker(),
                RetryPolicy(1, 30),
                FakeClock(),
                new_session,
            )
        )
        return pipelines[-1]

    yield pipeline
    for used in pipelines:
        used.close()
    server.shutdown()
    thread.join()
    server.server_close()


def test_one_connection_serves_many_calls_without_cookies_or_netrc(
    served: Callable[[], HttpPipeline], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    pipeline = served()
    for _ in range(3):
        pipeline.request("GET", "/")
    assert len(_Handler.peers) == 1
    assert [seen["Authorization"] for seen in _Handler.seen] == ["Bearer own"] * 3
    assert not any("Cookie" in seen for seen in _Handler.seen)


def test_a_body_that_is_cut_off_is_no_answer(served: Callable[[], HttpPipeline]) -> None:
    with pytest.raises(UpstreamUnavailable, match="broke the connection"):
        served().request("GET", "/cut")


def test_a_redirect_is_not_followed(served: Callable[[], HttpPipeline]) -> None:
    with pytest.raises(APIError, match="302"):
        served().request("GET", "/moved")
    assert len(_Handler.seen) == 1


def test_a_server_that_is_not_there_was_never_reached() -> None:
    transport = HttpTransport(new_session, FakeClock(), 1, 1)
    with pytest.raises(UpstreamUnavailable) as caught:
        transport.send(Call("safetyamp", "POST", "/a"), "http://127.0.0.1:9/a", {}, None, {})
    assert not caught.value.may_have_happened
