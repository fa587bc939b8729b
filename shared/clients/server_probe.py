"""Why a server cannot be reached, in words: its driver only says that the time was over."""

from __future__ import annotations

import socket

from shared.clients.time_limit import TimeLimit

PROBE_SECONDS = 4.0
_limit = TimeLimit(PROBE_SECONDS)


def why_unreachable(host: str, port: int) -> str:
    """What a look-up of the name and one TCP connection show, within four seconds; names no host."""
    try:
        return _limit.run(lambda: _probe(host, port), lambda _: None)
    except TimeoutError:
        return f"port {port} of its host does not answer: a wrong address, or a firewall in between"


def _probe(host: str, port: int) -> str:
    try:
        with socket.create_connection((host, port), PROBE_SECONDS):
            return f"port {port} takes connections, but nothing answers there in time as SQL Server does"
    except (socket.gaierror, UnicodeError):
        return "the name of its host is not known here"
    except ConnectionRefusedError:
        return f"nothing listens on port {port} of its host"
    except OSError:
        return f"port {port} of its host cannot be reached: a wrong address, or a firewall in between"
