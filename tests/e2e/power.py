"""Pulling the plug: a process that dies at its n-th effect on the world outside, and does nothing more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from shared.storage.bus import Bus, Message
from shared.storage.documents import Document, Documents


class Crash(BaseException):
    """The process is gone. No Exception, so that no handler of the product or the host survives it."""


class Power:
    """Counts the effects of a process. It dies right before number `dies_at`; after that even clean-up code
    reaches nothing, until `restore`."""

    def __init__(self) -> None:
        self.pulses = 0
        self.crashes = 0
        self.dies_at: int | None = None
        self.is_off = False

    def pulse(self) -> None:
        """Called before every effect; raises Crash."""
        if self.is_off:
            raise Crash
        self.pulses += 1
        if self.pulses == self.dies_at:
            self.is_off = True
            self.crashes += 1
            raise Crash

    def restore(self) -> None:
        """Another process takes over, which lives."""
        self.is_off, self.dies_at = False, None


class PoweredDocuments:
    """Implements Documents; every operation is an effect."""

    def __init__(self, inner: Documents, power: Power) -> None:
        self._inner = inner
        self._power = power

    def read(self, path: str) -> Document | None:
        self._power.pulse()
        return self._inner.read(path)

    def create(self, path: str, data: bytes) -> str:
        self._power.pulse()
        return self._inner.create(path, data)

    def replace(self, path: str, data: bytes, etag: str) -> str:
        self._power.pulse()
        return self._inner.replace(path, data, etag)

    def write(self, path: str, data: bytes, *, lease_id: str | None = None) -> str:
        self._power.pulse()
        return self._inner.write(path, data, lease_id=lease_id)

    def delete(self, path: str) -> None:
        self._power.pulse()
        self._inner.delete(path)

    def list(self, prefix: str) -> Iterator[str]:
        self._power.pulse()
        return self._inner.list(prefix)

    def folders(self, prefix: str) -> Iterator[str]:
        self._power.pulse()
        return self._inner.folders(prefix)

    def acquire_lease(self, path: str, seconds: int) -> str:
        self._power.pulse()
        return self._inner.acquire_lease(path, seconds)

    def renew_lease(self, path: str, lease_id: str) -> None:
        self._power.pulse()
        self._inner.renew_lease(path, lease_id)

    def release_lease(self, path: str, lease_id: str) -> None:
        self._power.pulse()
        self._inner.release_lease(path, lease_id)


class PoweredBus:
    """Implements Bus; every single message is an effect, because a sending can break off in the middle."""

    def __init__(self, inner: Bus, power: Power) -> None:
        self._inner = inner
        self._power = power

    def send(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._power.pulse()
            self._inner.send([message])

    def close(self) -> None:
        self._inner.close()


class PoweredAdapter(HTTPAdapter):
    """The way to an upstream; every call is an effect."""

    def __init__(self, inner: HTTPAdapter, power: Power) -> None:
        super().__init__()
        self._inner = inner
        self._power = power

    def send(self, request: requests.PreparedRequest, *how: Any, **named: Any) -> requests.Response:
        self._power.pulse()
        return self._inner.send(request, *how, **named)
