"""Connections whose answers, headers and body, are complete within a time or fail, however slowly they come.

The timeouts of requests hold for each wait for data: a byte a second, with the length announced, is read to
its end, and headers are read for ever.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    from urllib3 import ProxyManager

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)
"""On `time.monotonic()`, for the answer that this thread is about to ask for. Bound and read in this module
alone: requests and urllib3 hand nothing through to the response that has to know it."""


class TimedAdapter(HTTPAdapter):
    """Bounds each answer by the sum of the connect and the read timeout that it is asked for with."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """As the base class, with timed connections."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> ProxyManager:
        """As the base class, with timed connections; a SOCKS proxy needs its own."""
        manager: ProxyManager = super().proxy_manager_for(proxy, **options)
        if proxy.lower().startswith("http"):
            manager.pool_classes_by_scheme = POOLS
        return manager

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """As the base class. Reading the body keeps to the time too, and raises what it raises for a read
        timeout."""
        with _until(timeout):
            return super().send(request, stream, timeout, verify, cert, proxies)


@contextmanager
def _until(timeout: Any) -> Iterator[None]:
    seconds = sum(timeout) if isinstance(timeout, tuple) else timeout
    token = _deadline.set(None if seconds is None else time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


class _TimedReader(io.RawIOBase):
    """The reading side of a socket, closed for good when the time is over."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: float) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer was not complete in time")
        each = self._sock.gettimeout()
        self._sock.settimeout(left if each is None else min(left, each))
        try:
            return self._raw.readinto(buffer)
        finally:
            self._sock.settimeout(each)

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _TimedResponse(HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        deadline = _deadline.get()
        if deadline is not None:
            self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock, deadline))


class _TimedConnection(HTTPConnection):
    response_class = _TimedResponse


class _TimedSecureConnection(HTTPSConnection):
    response_class = _TimedResponse


class _TimedPool(HTTPConnectionPool):
    ConnectionCls = _TimedConnection


class _TimedSecurePool(HTTPSConnectionPool):
    ConnectionCls = _TimedSecureConnection


POOLS = {"http": _TimedPool, "https": _TimedSecurePool}
