"""One HTTP exchange: a request goes out, a complete and bounded answer comes in, or the reason why not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NewConnectionError

from shared.clients.http_answers import Answer, Call
from shared.clock import Clock
from shared.errors import ConfigurationError, SettingProblem, UpstreamUnavailable

SessionFactory = Callable[[], requests.Session]

LARGEST_ANSWER_BYTES = 64 * 1024 * 1024
"""A page of 25 SafetyAmp users can hold 25 times a thousand whole sites (recorded traffic: 1116 in one
user), some 15 MB."""

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


def new_session() -> requests.Session:
    """A session that threads can share: it keeps connections, and neither cookies nor .netrc logins."""
    session = requests.Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # Without an auth object requests replaces the Authorization header by a .netrc file's login for the host.
    session.auth = _keep_own_authorization
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=CONNECTIONS, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class HttpTransport:
    """Sends requests over one session, made at the first use.

    `connect_timeout` and `read_timeout` are seconds. `read_timeout` holds for each wait for data; an answer
    that still trickles in when both together have passed is given up, because a lease of the caller
    lasts only a little longer.
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
        self._lock = threading.Lock()

    def send(
        self, call: Call, url: str, headers: Mapping[str, str], params: Mapping[str, Any] | None, json: Any
    ) -> Answer:
        """The answer, whatever its status.

        Raises UpstreamUnavailable when there is none or it is cut off or too large (`may_have_happened` is
        False only if no connection could be established), and ConfigurationError for a URL or header that
        cannot be sent.
        """
        deadline = self._clock.monotonic() + self._longest
        try:
            response = self._current_session().request(
                call.method,
                url,
                params=params,
                json=json,
                headers=dict(headers),
                timeout=self._timeouts,
                allow_redirects=False,
                stream=True,
            )
            with closing(response):
                return Answer(response.status_code, response.headers, self._body(call, response, deadline))
        except requests.exceptions.InvalidHeader:
            # The library's text quotes the header, token and all.
            raise _unsendable(call, "a header has characters that cannot be sent") from None
        except (
            requests.exceptions.InvalidURL,
            requests.exceptions.InvalidSchema,
            requests.exceptions.MissingSchema,
        ) as error:
            raise _unsendable(call, "is not the URL of an HTTP server") from error
        except requests.RequestException as error:
            raise _no_answer(call, error) from error

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


def _unsendable(call: Call, what: str) -> ConfigurationError:
    setting = BASE_URL_SETTINGS.get(call.upstream, call.upstream)
    return ConfigurationError([SettingProblem(setting, f"{call} cannot be sent: {what}")])


def _no_answer(call: Call, error: requests.RequestException) -> UpstreamUnavailable:
    if _never_connected(error):
        what, may_have_happened = "could not be reached for", False
    elif isinstance(error, requests.Timeout):
        what, may_have_happened = "did not answer in time to", True
    else:
        what, may_have_happened = "broke the connection during", True
    return UpstreamUnavailable(
        f"{call.title} {what} {call} ({type(error).__name__})",
        upstream=call.upstream,
        may_have_happened=may_have_happened,
    )


def _never_connected(error: requests.RequestException) -> bool:
    """Whether no connection was established: timeout while connecting, refused, or name not resolved."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)
