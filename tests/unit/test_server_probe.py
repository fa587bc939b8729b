"""Why a server cannot be reached, as one look at its name and port shows it; without naming the host."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from shared.clients.http import server_probe
from shared.clients.http.server_probe import PROBE_SECONDS, name_is_unknown, why_unreachable

HOST = "sql.5ecret.test"


class OpenSocket:
    """A connection that was made; `closed` says whether it was given back."""

    closed = False

    def __enter__(self) -> OpenSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True


class Network:
    """What connecting and looking up come to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error: Exception | None = None
        self.socket = OpenSocket()
        self.tried: list[tuple[Any, Any]] = []
        monkeypatch.setattr(socket, "create_connection", self._connect)
        monkeypatch.setattr(socket, "getaddrinfo", self._look_up)

    def _connect(self, address: Any, timeout: Any) -> OpenSocket:
        self.tried.append((address, timeout))
        if self.error is not None:
            raise self.error
        return self.socket

    def _look_up(self, *_: Any, **__: Any) -> list[Any]:
        if self.error is not None:
            raise self.error
        return []


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network(monkeypatch)


class Overdue:
    """A time limit that is over at once."""

    def run(self, call: Callable[[], Any], discard: Callable[[Any], object]) -> Any:
        raise TimeoutError


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            None,
            "port 1433 takes connections, but nothing answers there in time as SQL Server does",
        ),
        (socket.gaierror(socket.EAI_NONAME, HOST), "the name of its host is not known here"),
        (UnicodeError("label too long"), "the name of its host is not known here"),
        (ConnectionRefusedError(111, HOST), "nothing listens on port 1433 of its host"),
        (
            OSError(113, "No route to host"),
            "port 1433 of its host cannot be reached: a wrong address, or a firewall in between",
        ),
        (
            TimeoutError(HOST),
            "port 1433 of its host cannot be reached: a wrong address, or a firewall in between",
        ),
    ],
    ids=["open", "unknown", "no name", "refused", "no route", "silent"],
)
def test_what_the_connection_comes_to_is_told_by_its_port(
    network: Network, error: Exception | None, told: str
) -> None:
    network.error = error
    assert why_unreachable(HOST, 1433) == told
    assert network.tried == [((HOST, 1433), PROBE_SECONDS)]
    assert network.socket.closed is (error is None)


def test_a_look_that_takes_too_long_is_told_as_silence(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_probe, "_limit", Overdue())
    assert why_unreachable(HOST, 1433) == (
        "port 1433 of its host does not answer: a wrong address, or a firewall in between"
    )


def test_a_name_server_that_takes_too_long_says_nothing(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    network.error = socket.gaierror(socket.EAI_NONAME, HOST)
    monkeypatch.setattr(server_probe, "_limit", Overdue())
    assert not name_is_unknown(HOST)
