"""What an operator reads when Redis is away or refuses: which setting, and none of Redis' own words."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest
from redis import exceptions
from redis.exceptions import RedisError

from shared.resilience.redis_errors import CLUSTER_NODE, NO_REDIS, explain, is_nonsense
from shared.resilience.redis_identity import NoToken

SAID = "user ann, key 5ecret"


def certificate(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, SAID)
    error.verify_code = code
    return error


def made(kind: str, text: str) -> RedisError:
    """An error of a class that is not typed."""
    error: RedisError = getattr(exceptions, kind)(text)
    return error


def within(cause: Exception) -> Exception:
    """As redis-py has it: its own error, raised while the network's was handled."""
    error = exceptions.ConnectionError(SAID)
    error.__context__ = cause
    return error


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        (certificate(62), "has a certificate for another name: REDIS_HOST must be the name"),
        (certificate(64), "has a certificate for another name: REDIS_HOST must be the name"),
        (certificate(10), "has a certificate that has expired (REDIS_HOST)"),
        (certificate(18), "has a certificate of no authority that this machine trusts: check REDIS_HOST"),
        (ssl.SSLError(1, SAID), "speaks no TLS there: check REDIS_PORT"),
        (TimeoutError("_ssl.c:989: The handshake operation timed out"), "answers no TLS handshake"),
        (socket.gaierror(socket.EAI_NONAME, SAID), "no host has the name in REDIS_HOST"),
        (UnicodeEncodeError("idna", SAID, 0, 1, "label too long"), "no host has the name in REDIS_HOST"),
        (UnicodeError("label too long"), "no host has the name in REDIS_HOST"),
        (ConnectionRefusedError(111, SAID), "nothing listens at REDIS_HOST, REDIS_PORT"),
    ],
    ids=[
        "name",
        "address",
        "expired",
        "authority",
        "no TLS",
        "handshake",
        "unknown",
        "no text",
        "no label",
        "refused",
    ],
)
def test_what_the_network_said_is_told_by_its_setting_however_deep_it_lies(
    cause: Exception, told: str
) -> None:
    for error in (cause, within(cause), within(within(cause))):
        assert told in explain(error)
        assert "5ecret" not in explain(error)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (NoToken(SAID), "the app's identity got no token for it; check REDIS_AUTH and AZURE_CLIENT_ID"),
        (exceptions.AuthenticationError(f"Authentication required. {SAID}"), "wants a login"),
        (exceptions.AuthenticationError("NOAUTH HELLO must be called: required"), "set REDIS_PASSWORD"),
        (
            exceptions.AuthenticationError(f"AUTH <password> called without any password {SAID}"),
            "has no password: remove REDIS_PASSWORD",
        ),
        (exceptions.AuthenticationError("but no password is set"), "has no password: remove REDIS_PASSWORD"),
        (
            exceptions.AuthenticationError(f"WRONGPASS {SAID}"),
            "refused the login: check REDIS_PASSWORD and REDIS_USERNAME",
        ),
        (exceptions.BusyLoadingError(SAID), "is still loading its data"),
        (exceptions.TimeoutError(f"Timeout connecting to server {SAID}"), "check REDIS_HOST, REDIS_PORT"),
        (exceptions.TimeoutError(f"Timeout reading from {SAID}"), "does not answer in time: it is overload"),
        (exceptions.ConnectionError(f"max number of clients reached {SAID}"), "as many clients as it takes"),
        (exceptions.ConnectionError(f"Connection closed by server. {SAID}"), "closed the connection: it res"),
        (exceptions.InvalidResponse(SAID), NO_REDIS),
        (ValueError(f"invalid literal for int(): {SAID}"), NO_REDIS),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_a_redis_that_cannot_be_used_is_told_by_what_to_set(error: Exception, told: str) -> None:
    assert told in explain(error)
    assert "5ecret" not in explain(error)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Timeout connecting to server", "cannot be reached in time: check REDIS_HOST"),
        ("Timeout reading from socket", "does not answer in time: it is overloaded"),
    ],
)
def test_a_wait_in_vain_is_told_by_what_was_waited_for(said: str, told: str) -> None:
    error = exceptions.TimeoutError(said)
    error.__context__ = TimeoutError("timed out")
    assert told in explain(error)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (exceptions.OutOfMemoryError(SAID), "is full: it needs more memory"),
        (exceptions.ReadOnlyError(SAID), "is a replica: a failover is under way"),
        (made("MasterDownError", SAID), "or REDIS_HOST names a replica"),
        (exceptions.NoPermissionError(SAID), "see the access policy or ACL of REDIS_USERNAME"),
        (made("MovedError", "1 127.0.0.1:7001"), CLUSTER_NODE),
        (made("AskError", "1 127.0.0.1:7001"), CLUSTER_NODE),
        (made("ClusterDownError", SAID), CLUSTER_NODE),
        (exceptions.ClusterCrossSlotError(SAID), CLUSTER_NODE),
        (exceptions.ResponseError(SAID), "refused a command"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_a_redis_that_refuses_says_why(error: Exception, told: str) -> None:
    assert told in explain(error)
    assert "5ecret" not in explain(error)


@pytest.mark.parametrize(
    ("error", "nonsense"),
    [
        (exceptions.InvalidResponse(SAID), True),
        (ValueError(SAID), True),
        (exceptions.ConnectionError(SAID), False),
        (exceptions.ResponseError(SAID), False),
        (exceptions.TimeoutError(SAID), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_only_what_no_redis_says_is_nonsense(error: Exception, nonsense: Any) -> None:
    assert is_nonsense(error) is nonsense
