"""One HTTP exchange: a request goes out, a complete and bounded answer comes in, or the reason why not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests

from shared.clients.http.answers import Answer, Call
from shared.clients.http.failures import (
    EXCHANGE_ERRORS,
    may_pass,
    never_connected,
    out_of_time,
    wrong_setting,
)
from shared.clients.http.timed_answers import TimedAdapter
from shared.clock import Clock
from shared.errors import ConfigurationError, SafetyAmpError, SettingProblem, UpstreamUnavailable

SessionFactory = Callable[[], requests.Session]

LARGEST_ANSWER_BYTES = 64 * 1024 * 1024
"""A page of 25 SafetyAmp users can hold 25 times a thousand whole sites, some 15 MB
(docs/contracts/safetyamp.md#resources)."""

CHUNK_BYTES = 256 * 1024
CONNECTIONS = 8

MAX_IDLE_SECONDS = 60.0
"""Older idle connections are dropped: Azure's outbound NAT forgets them after four minutes without telling
anyone, and a POST lost in one would have to be treated as if it had happened."""

BASE_URL_SETTINGS = {
    "safetyamp": "SAFETYAMP_BASE_URL",
    "samsara": "SAMSARA_BASE_URL",
    "graph": "MS_GRAPH_BASE_URL",
}


def _keep_own_authorization(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class _Session(requests.Session):
    """Follows no redirect, whoever asks it to: the credential would go along. Otherwise requests reads a
    redirect's body without any bound, and parses its target, even when it is not to be followed."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None for every answer."""


def new_session() -> requests.Session:
    """A session that threads can share: it keeps connections, and neither cookies nor .netrc logins, follows
    no redirect, and bounds each answer by the sum of its timeouts."""
    session = _Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # Without an auth object requests replaces the Authorization header by a .netrc file's login for the host.
    session.auth = _keep_own_authorization
    adapter = TimedAdapter(pool_connections=1, pool_maxsize=CONNECTIONS, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class HttpTransport:
    """Sends requests over one session, made at the first use.

    `connect_timeout` and `read_timeout` are seconds. `read_timeout` holds for each wait for data; an answer
    whose headers or body still trickle in when both together have passed is given up, because a lease of the
    caller lasts only a little longer.
    """

    def __init__(
        self, session_factory: SessionFactory, clock: Clock, connect_timeout: float, read_timeout: float
    ) -> None:
        self._session_factory = session_factory
        self._clock = clock
        self._timeouts = (connect_timeout, read_timeout)
        self._longest = connect_timeout + read_timeout
        self._session: requests.Session | None = None
        self._last_used = 0.0
        self._answered = False
        self._lock = threading.Lock()

    def send(
        self, call: Call, url: str, headers: Mapping[str, str], params: Mapping[str, Any] | None, json: Any
    ) -> Answer:
        """The answer, whatever its status.

        Raises UpstreamUnavailable when there is none or it is cut off, malformed or too large
        (`may_have_happened` is False only if no connection could be established), and ConfigurationError for
        a URL or header that cannot be sent, a host without an address and a certificate that is not trusted:
        a setting is wrong then, and nothing was sent.
        """
        deadline = self._clock.monotonic() + self._longest
        session = self._current_session()
        request = _prepared(session, call, url, headers, params, json)
        try:
            options = session.merge_environment_settings(request.url, {}, True, None, None)
            response = session.send(request, timeout=self._timeouts, allow_redirects=False, **options)
            with closing(response):
                body = self._body(call, response, deadline)
        except SafetyAmpError:
            raise
        except EXCHANGE_ERRORS as error:
            raise self._failure(call, url, error) from error
        self._answered = True
        return Answer(response.status_code, response.headers, body)

    def _failure(self, call: Call, url: str, error: Exception) -> SafetyAmpError:
        setting = BASE_URL_SETTINGS.get(call.upstream, call.upstream)
        passing = self._answered and may_pass(error)
        wrong = None if passing else wrong_setting(error, url, setting)
        return wrong or _no_answer(call, error)

    def close(self) -> None:
        """Close the idle connections; a later call opens new ones."""
        with self._lock:
            if self._session is not None:
                self._session.close()

    def _current_session(self) -> requests.Session:
        with self._lock:
            now = self._clock.monotonic()
            if self._session is None:
                self._session = self._session_factory()
            elif now - self._last_used > MAX_IDLE_SECONDS:
                self._session.close()
            self._last_used = now
            return self._session

    def _body(self, call: Call, response: requests.Response, deadline: float) -> bytes:
        body = bytearray()
        for chunk in response.iter_content(CHUNK_BYTES):
            body += chunk
            if len(body) > LARGEST_ANSWER_BYTES:
                raise _unusable(call, response, f"more than {LARGEST_ANSWER_BYTES} bytes")
            if self._clock.monotonic() > deadline:
                raise _unusable(call, response, f"a body that was not complete after {self._longest:g} s")
        return bytes(body)


def _unusable(call: Call, response: requests.Response, what: str) -> UpstreamUnavailable:
    text = f"{call.title} answered {response.status_code} to {call} with {what}"
    return UpstreamUnavailable(text, response.status_code, upstream=call.upstream)


def _prepared(
    session: requests.Session,
    call: Call,
    url: str,
    headers: Mapping[str, str],
    params: Mapping[str, Any] | None,
    json: Any,
) -> requests.PreparedRequest:
    request = requests.Request(call.method, url, params=params, json=json, headers=dict(headers))
    try:
        return session.prepare_request(request)
    except requests.exceptions.InvalidHeader:
        # The library's text quotes the header, token and all.
        raise _unsendable(call, "a header has characters that cannot be sent") from None
    except (
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        requests.exceptions.MissingSchema,
    ) as error:
        raise _unsendable(call, "is not the URL of an HTTP server") from error


def _unsendable(call: Call, what: str) -> ConfigurationError:
    setting = BASE_URL_SETTINGS.get(call.upstream, call.upstream)
    return ConfigurationError([SettingProblem(setting, f"{call} cannot be sent: {what}")])


def _no_answer(call: Call, error: Exception) -> UpstreamUnavailable:
    unsent = never_connected(error)
    if unsent:
        what = "could not be reached for"
    elif out_of_time(error):
        what = "did not answer in time to"
    else:
        what = "broke the connection during"
    return UpstreamUnavailable(
        f"{call.title} {what} {call} ({type(error).__name__})",
        upstream=call.upstream,
        may_have_happened=not unsent,
    )
