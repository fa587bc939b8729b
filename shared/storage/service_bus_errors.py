"""What went wrong with Service Bus, in words that lead to the remedy."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

from shared.errors import Advised, BusError, BusFailure, framed

SETTING = "SERVICE_BUS_CONNECTION"


@dataclass(frozen=True)
class _Reason:
    failure: BusFailure
    seen: str
    advice: str = ""

    @property
    def text(self) -> str:
        return Advised(self.seen, self.advice, "; ") if self.advice else self.seen


def bus_error(error: BaseException, what: str, where: str, seconds: float) -> BusError:
    """A BusError that says what was not done (`what` names the queue), why, and which setting to look at.

    `where` is the namespace's host, `seconds` how long an answer was waited for. Nothing of the SDK's texts
    is taken over: they may hold a token.
    """
    reason = _reason(error, where, seconds)
    return BusError(framed(reason.text, f"{what}: ", f" ({SETTING}: {where})"), reason.failure)


def _reason(error: BaseException, where: str, seconds: float) -> _Reason:
    from azure.core.exceptions import ClientAuthenticationError
    from azure.servicebus import exceptions as sdk

    chain = list(_chain(error))
    for found in chain:
        if isinstance(found, socket.gaierror):
            return _Reason("name", f"the name {where} cannot be resolved", "check the namespace and the DNS")
        if isinstance(found, ConnectionRefusedError):
            return _Reason("refused", f"{where} refuses connections", "check host and port, and that it runs")
        if isinstance(found, ssl.SSLError):
            return _Reason("connection", f"TLS with {where} failed", "check the host, and what is between")
    lost = _Reason("lock lost", "its lock has run out; it is delivered again")
    known: list[tuple[tuple[type[BaseException], ...], _Reason]] = [
        ((sdk.MessageLockLostError, sdk.MessageAlreadySettled), lost),
        (
            (sdk.ServiceBusAuthenticationError, sdk.ServiceBusAuthorizationError, ClientAuthenticationError),
            _Reason(
                "unauthorized",
                "access was refused",
                "check the key, or the identity's roles Azure Service Bus Data Sender and Data Receiver",
            ),
        ),
        (
            (sdk.MessagingEntityNotFoundError,),
            _Reason(
                "not found", "there is no such queue", "check ENTITY_QUEUE, BATCH_QUEUE and the namespace"
            ),
        ),
        ((sdk.MessagingEntityDisabledError,), _Reason("refused", "the queue is disabled; enable it again")),
        ((sdk.MessageSizeExceededError,), _Reason("too large", "a message is larger than the queue takes")),
        (
            (sdk.ServiceBusQuotaExceededError,),
            _Reason("full", "the queue is full, or the namespace has too many connections"),
        ),
        ((sdk.ServiceBusServerBusyError,), _Reason("busy", "the namespace is busy; it is throttled")),
        (
            (sdk.OperationTimeoutError, TimeoutError),
            _Reason("timeout", f"{where} did not answer within {seconds:g} s", "check firewalls on the way"),
        ),
    ]
    for kinds, reason in known:
        if any(isinstance(found, kinds) for found in chain):
            return reason
    if isinstance(error, ValueError) and not isinstance(error, sdk.ServiceBusError):
        return _Reason("malformed", "the connection string cannot be read", "copy it anew from the portal")
    return _Reason("connection", f"the connection to {where} broke ({type(error).__name__})")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from; the SDK keeps causes in three ways."""
    seen: set[int] = set()
    pending = [error]
    while pending:
        found = pending.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        for name in ("__cause__", "__context__", "inner_exception", "error"):
            cause = getattr(found, name, None)
            if isinstance(cause, BaseException):
                pending.append(cause)


def host_of(connection_string: str) -> str:
    """The namespace's host in a connection string, which is no secret; empty when there is none."""
    found = re.search(r"(?i)(?:^|;)\s*Endpoint\s*=\s*[a-z]+://([^;/\s]+)", connection_string)
    return found[1] if found else ""
