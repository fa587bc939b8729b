"""The one gate to an HTTP upstream: breaker, limiter, call, verdict, and what is repeated when."""

from __future__ import annotations

import logging
import random as randomness
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shared.clients.http.answers import TOO_MANY_REQUESTS, Answer, Call, value_of
from shared.clients.http.call_meter import NO_ANSWER, Meter, UpstreamCall, endpoint_of
from shared.clients.http.origins import origin_of
from shared.clients.http.transport import HttpTransport, SessionFactory, new_session
from shared.clients.http.work import Work
from shared.clock import Clock
from shared.errors import APIError, CircuitOpen, RateLimited, RetryLater, UpstreamUnavailable
from shared.resilience.retry import RetryPolicy, parse_retry_after

if TYPE_CHECKING:
    from shared.resilience.circuit_breaker import CircuitBreaker
    from shared.resilience.rate_limiter import RateLimiter

logger = logging.getLogger(__name__)

HeaderSource = Callable[[], Mapping[str, str]]
"""Called for every attempt; may raise what a login can raise."""

PAUSE_AFTER_429_SECONDS = 30.0
"""For a 429 without Retry-After that repeats itself; 32 s were enough wherever it was seen
(docs/contracts/safetyamp.md#limit)."""

SHORTEST_WAIT_SECONDS = 0.01
PATIENT_WAITS = 3


@dataclass(frozen=True)
class _Request:
    call: Call
    url: str
    params: Mapping[str, Any] | None
    json: Any


@dataclass(frozen=True)
class _Result:
    value: Any = None
    error: APIError | None = None
    retry_after: float | None = None


class _Waits:
    """The waiting of one request: each wait at most `patience` seconds, all together three times that."""

    def __init__(self, clock: Clock, patience: float, meter: Meter) -> None:
        self._clock = clock
        self._meter = meter
        self._patience = patience
        self._left = patience * PATIENT_WAITS

    def slept(self, seconds: float) -> bool:
        """Sleep and say True, or say False at once when that would be too long."""
        seconds = max(seconds, SHORTEST_WAIT_SECONDS)
        if seconds > min(self._patience, self._left):
            return False
        self._left -= seconds
        self._clock.sleep(seconds)
        self._meter.waited_seconds += seconds
        return True


class HttpPipeline:
    """Calls one upstream on behalf of all threads of the process.

    `headers` gives the headers of each attempt; `on_call` hears of each, must be quick and must not raise.
    Waits up to `patience_seconds` are slept; for longer ones a RetryLater is raised, so that a handler can
    give its time back. A full window is waited for only by interactive work: bulk work, whose calls are
    spread over the whole window soon, would wait for nearly every one of them.
    """

    def __init__(
        self,
        upstream: str,
        base_url: str,
        headers: HeaderSource,
        limiter: RateLimiter,
        breaker: CircuitBreaker,
        retry: RetryPolicy,
        clock: Clock,
        session_factory: SessionFactory = new_session,
        *,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        patience_seconds: float = 2.0,
        random: Callable[[], float] = randomness.random,
        on_call: Callable[[UpstreamCall], None] = lambda _: None,
    ) -> None:
        self.upstream = upstream
        self._base_url = base_url.rstrip("/")
        self._headers = headers
        self._limiter = limiter
        self._breaker = breaker
        self._retry = retry
        self._clock = clock
        self._transport = HttpTransport(session_factory, clock, connect_timeout, read_timeout)
        self._patience = patience_seconds
        self._random = random
        self._on_call = on_call
        self._work = Work()

    def under(self, work: Work) -> HttpPipeline:
        """The same pipeline, for calls that belong to this work."""
        bound = copy(self)
        bound._work = work
        return bound

    def request(
        self,
        method: str,
        path_or_url: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        anew: Callable[[], Any] | None = None,
    ) -> Any:
        """The JSON value of the answer; None when it has no body (204).

        `path_or_url` is a path below the base URL, or a whole URL of the same host (a next link). A POST
        whose fate is unknown is never repeated, everything else is, as the retry policy says. What is sent
        again is `json`, or what `anew` returns then; what that raises ends the request.

        Raises RateLimited, CircuitOpen or RetryLater when going on would mean a long wait; InvalidRecord
        (400, 422), AccessRefused (401, 403), NotFound (404, 410), APIError (other 3xx and 4xx, but for a POST
        UpstreamUnavailable, because it may have happened), UpstreamUnavailable (1xx, 5xx, 408, no answer, not
        JSON) and ConfigurationError (`HttpTransport.send`). What `Work.before_call` raises ends the
        request before a call. The texts name method, path, status and fields;
        a body's excerpt is only in `response_text`, which may hold personal data.
        """
        url = self._url(path_or_url)
        call = Call(self.upstream, method.upper(), urlsplit(url).path)
        request = _Request(call, url, params, json)
        waits = _Waits(self._clock, self._patience, self._work.meter)
        for attempt in count(1):
            if attempt > 1 and anew is not None:
                request = replace(request, json=anew())
            result = self._exchange(request, waits)
            if result.error is None:
                return result.value
            if result.error.status_code == TOO_MANY_REQUESTS:
                self._wait_out(call, attempt, result, waits)
            else:
                self._back_off(call, attempt, result, result.error, waits)
        raise AssertionError("unreachable")

    def owns(self, url: str) -> bool:
        """Whether the URL leads to this pipeline's host, so that its credential may be sent there."""
        origin = origin_of(url)
        return origin is not None and origin == origin_of(self._base_url)

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()

    def _url(self, path_or_url: str) -> str:
        if path_or_url.startswith("/"):
            return self._base_url + path_or_url
        if self.owns(path_or_url):
            return path_or_url
        raise APIError(f"{self.upstream}: a link leads elsewhere than the base URL", upstream=self.upstream)

    def _exchange(self, request: _Request, waits: _Waits) -> _Result:
        """One attempt, with the breaker told how it went; asked again after a wait for the limiter, because
        it may have opened meanwhile."""
        self._work.before_call(self._clock.monotonic())
        while True:
            self._pass_breaker(waits)
            verdict = self._breaker.released
            try:
                result = self._attempt(request)
                verdict = self._verdict(result.error)
                return result
            except RateLimited as error:
                full = error
            except UpstreamUnavailable:  # the login, which the headers may need, is part of the upstream
                verdict = self._breaker.failed
                raise
            finally:
                verdict()
            if self._work.lane == "bulk" or not waits.slept(full.delay_seconds):
                raise full

    def _verdict(self, error: APIError | None) -> Callable[[], None]:
        if isinstance(error, UpstreamUnavailable):
            return self._breaker.failed
        if error is not None and error.status_code == TOO_MANY_REQUESTS:
            return self._breaker.released
        return self._breaker.succeeded

    def _attempt(self, request: _Request) -> _Result:
        headers = self._headers()
        permit = self._limiter.acquire(interactive=self._work.lane == "interactive")
        started = self._clock.monotonic()
        outcome: Answer | UpstreamUnavailable
        try:
            outcome = self._transport.send(request.call, request.url, headers, request.params, request.json)
        except UpstreamUnavailable as error:
            outcome = error
        finally:
            self._limiter.complete(permit)
        seconds = self._clock.monotonic() - started
        self._report(request.call, outcome, seconds, headers.get("client-request-id"))
        return self._result(request.call, outcome)

    def _result(self, call: Call, outcome: Answer | UpstreamUnavailable) -> _Result:
        if isinstance(outcome, UpstreamUnavailable):
            return _Result(error=outcome)
        retry_after = parse_retry_after(outcome.headers.get("Retry-After"), self._clock.now())
        if outcome.status == TOO_MANY_REQUESTS:
            text = f"{call.title} answered 429 to {call}"
            return _Result(error=APIError(text, 429, upstream=self.upstream), retry_after=retry_after)
        try:
            return _Result(value=value_of(call, outcome))
        except APIError as error:
            return _Result(error=error, retry_after=retry_after)

    def _pass_breaker(self, waits: _Waits) -> None:
        while True:
            try:
                self._breaker.before_call()
                return
            except CircuitOpen as error:
                if not waits.slept(error.delay_seconds):
                    raise

    def _wait_out(self, call: Call, attempt: int, refused: _Result, waits: _Waits) -> None:
        """After a 429 nobody calls until the upstream's window has room again; a 429 did nothing, so that
        even a POST may be repeated."""
        planned = self._retry.delay(attempt, refused.retry_after, self._random)
        delay = refused.retry_after if refused.retry_after is not None else planned
        pause = PAUSE_AFTER_429_SECONDS if delay is None else delay
        self._limiter.block(pause)
        if planned is None or not waits.slept(pause):
            raise RateLimited(f"{call.title} answered 429 to {call}", pause) from refused.error

    def _back_off(self, call: Call, attempt: int, result: _Result, error: APIError, waits: _Waits) -> None:
        """Wait before a repetition; raises the error itself when there is to be none."""
        if not isinstance(error, UpstreamUnavailable):
            error.repeated = attempt > 1
            raise error
        if call.method == "POST" and error.may_have_happened:
            raise error
        delay = self._retry.delay(attempt, result.retry_after, self._random)
        if delay is None:
            raise error
        if not waits.slept(delay):
            raise RetryLater(f"{error}; to be repeated in {delay:.0f} s", delay) from error

    def _report(
        self, call: Call, outcome: Answer | UpstreamUnavailable, seconds: float, client_id: str | None
    ) -> None:
        status = outcome.status if isinstance(outcome, Answer) else None
        endpoint = endpoint_of(call.method, call.path)
        answered = NO_ANSWER if status is None else str(status)
        counted = UpstreamCall(self.upstream, endpoint, answered, seconds)
        self._work.meter.count(counted)
        self._on_call(counted)
        if isinstance(outcome, Answer):
            self._work.meter.note_server_time(self.upstream, outcome.headers.get("Date"), self._clock.now())
        facts = {
            "service": self.upstream,
            "operation": f"{call.method} {call.path}",
            "status": status,
            "duration_ms": round(seconds * 1000),
            "request_id": outcome.request_id if isinstance(outcome, Answer) else None,
            "client_request_id": client_id,
        }
        failed = status is None or status >= 400
        logger.log(logging.WARNING if failed else logging.DEBUG, "upstream call", extra=facts)
