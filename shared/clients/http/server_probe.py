"""Why a server cannot be reached, in words: its driver only says that the time was over."""

from __future__ import annotations

import socket

from shared.clients.http.time_limit import TimeLimit

PROBE_SECONDS = 4.0
UNKNOWN_NAME = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
"""A name server's word that there is no such host. EAI_AGAIN is not: then no name server answered."""

_limit = TimeLimit(PROBE_SECONDS)


def name_is_unknown(host: str) -> bool:
    """Whether the name servers say that there is no such host; not when none answers, within four seconds."""
    try:
        _limit.run(lambda: socket.getaddrinfo(host, None), lambda _: None)
    except socket.gaierror as error:
        return error.errno in UNKNOWN_NAME
    except UnicodeError:
        return True
    except (TimeoutError, OSError):
        return False
    return False


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
