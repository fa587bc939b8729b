"""What an operator reads when Redis is away or refuses: what is wrong, and the setting to look at.

Redis' own words are left out: they can hold user names, keys and arguments.
"""

from __future__ import annotations

import socket
import ssl

from shared.causes import causes
from shared.errors import Advised

CLUSTER_NODE = (
    "is a node of a cluster, and this app needs one endpoint: in Azure Managed Redis the clustering policy "
    "EnterpriseCluster or NoCluster"
)
NO_REDIS = Advised("answers in no language of Redis", "check REDIS_HOST and REDIS_PORT")

# X509_V_ERR_* of OpenSSL (x509_vfy.h).
EXPIRED = 10
OTHER_NAME = (62, 64)


def explain(error: BaseException) -> str:
    """The rest of a sentence that begins with "Redis", for an error of redis-py (or what its parser raises
    for nonsense)."""
    for cause in causes(error):
        text = _network(cause)
        if text is not None:
            return text
    return _silence(error) or _refusal(error) or "refused a command"


def is_nonsense(error: BaseException) -> bool:
    """Whether something answered that is no Redis; the parser raises ValueError for some of it."""
    from redis.exceptions import InvalidResponse

    return isinstance(error, InvalidResponse | ValueError)


def _network(cause: BaseException) -> str | None:
    """What the socket or TLS said; redis-py keeps it only as its own error's context."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _certificate(cause)
    if isinstance(cause, ssl.SSLError):
        return Advised(
            "speaks no TLS there",
            "check REDIS_PORT (10000 in Azure Managed Redis), or set REDIS_SSL to false",
        )
    if isinstance(cause, TimeoutError) and "handshake" in str(cause):
        return Advised(
            "answers no TLS handshake", "check REDIS_PORT (10000 in Azure Managed Redis) and REDIS_SSL"
        )
    if isinstance(cause, socket.gaierror | UnicodeEncodeError) or type(cause) is UnicodeError:
        return "was not found: no host has the name in REDIS_HOST (or the private DNS zone is not linked)"
    if isinstance(cause, ConnectionRefusedError):
        return "does not answer: nothing listens at REDIS_HOST, REDIS_PORT"
    return None


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in OTHER_NAME:
        return "has a certificate for another name: REDIS_HOST must be the name in the certificate"
    if error.verify_code == EXPIRED:
        return "has a certificate that has expired (REDIS_HOST)"
    return Advised(
        "has a certificate of no authority that this machine trusts",
        "check REDIS_HOST, and whether a proxy unpacks TLS on the way",
    )


def _silence(error: BaseException) -> str | None:
    """Redis could not be used at all."""
    from redis.exceptions import AuthenticationError, BusyLoadingError, ConnectionError, TimeoutError

    from shared.resilience.redis_identity import NoToken

    if isinstance(error, NoToken):
        return Advised(
            "was not asked: the app's identity got no token for it",
            "check REDIS_AUTH and AZURE_CLIENT_ID",
            "; ",
        )
    if isinstance(error, AuthenticationError):
        return _login(str(error))
    if isinstance(error, BusyLoadingError):
        return "is still loading its data"
    if isinstance(error, TimeoutError):
        if "connecting" in str(error):
            return Advised("cannot be reached in time", "check REDIS_HOST, REDIS_PORT and the network rules")
        return "does not answer in time: it is overloaded, or stands behind REDIS_HOST no more"
    if isinstance(error, ConnectionError):
        if "max number of clients" in str(error):
            return "has as many clients as it takes"
        return "closed the connection: it restarts, or expects TLS (REDIS_SSL, REDIS_PORT)"
    return NO_REDIS if is_nonsense(error) else None


def _login(said: str) -> str:
    if "required" in said:
        return Advised("wants a login", "set REDIS_PASSWORD, or REDIS_AUTH to entra")
    if "without any password" in said or "no password is set" in said:
        return "has no password: remove REDIS_PASSWORD"
    return Advised(
        "refused the login",
        "check REDIS_PASSWORD and REDIS_USERNAME; with REDIS_AUTH=entra, REDIS_USERNAME must be the object "
        "id of the app's identity, and have an access policy assignment",
    )


def _refusal(error: BaseException) -> str | None:
    """Redis answered, but does not do what was asked."""
    from redis import exceptions

    if isinstance(error, exceptions.OutOfMemoryError):
        return "is full: it needs more memory"
    if isinstance(error, exceptions.ReadOnlyError | exceptions.MasterDownError):
        return "is a replica: a failover is under way, or REDIS_HOST names a replica"
    if isinstance(error, exceptions.NoPermissionError):
        return "does not allow a command to this login: see the access policy or ACL of REDIS_USERNAME"
    clustered = (
        exceptions.MovedError,
        exceptions.AskError,
        exceptions.ClusterDownError,
        exceptions.ClusterCrossSlotError,
    )
    return CLUSTER_NODE if isinstance(error, clustered) else None
