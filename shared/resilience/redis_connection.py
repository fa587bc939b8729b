"""The one way to Redis: lazily connected, short timeouts, and a pause after Redis did not answer.

Redis only makes things faster and shared. Whoever uses it catches CacheError and goes on without; so that
an absent Redis does not cost every call a timeout, it is left alone for a few seconds after each failure.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from shared.clock import Clock, SystemClock
from shared.errors import CacheError, framed
from shared.resilience.redis_errors import explain, is_nonsense

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from redis import Redis

    from shared.config import Settings

T = TypeVar("T")
RedisFactory = Callable[[], "Redis"]
"""Makes a client; must not fail because Redis is away (redis-py connects at the first command)."""

TIMEOUT_SECONDS = 1.0
IDLE_CHECK_SECONDS = 30

logger = logging.getLogger(__name__)


class RedisConnection:
    """Runs operations on one lazily made client; safe to share between threads."""

    def __init__(self, factory: RedisFactory, clock: Clock, pause_seconds: float = 5.0) -> None:
        self._factory = factory
        self._clock = clock
        self._pause_seconds = pause_seconds
        self._lock = threading.Lock()
        self._client: Redis | None = None
        self._paused_until: float | None = None
        self._problem: str | None = None

    @property
    def problem(self) -> str | None:
        """Why the last operation failed, with the setting to look at; None when it did not. Asks nobody."""
        return self._problem

    @property
    def available(self) -> bool:
        """False while Redis is left alone because it did not answer; asks nobody."""
        until = self._paused_until
        return until is None or self._clock.monotonic() >= until

    def run(self, operation: Callable[[Redis], T]) -> T:
        """The operation's result. Raises CacheError when Redis is away, was away moments ago, or refuses.

        Only silence starts the pause. A refusal (memory full, wrong type) came fast and may concern this
        one command: it must not take the limiter and the breaker away from everybody.
        """
        from redis.exceptions import ConnectionError, RedisError, TimeoutError

        if not self.available:
            reason = self._problem or "Redis does not answer"
            raise CacheError(framed(reason, after=f"; it is left alone for {self._pause_seconds:g} s"))
        try:
            result = operation(self._connected())
        except (RedisError, ValueError) as error:
            self._problem = framed(explain(error), "Redis ", f" ({type(error).__name__})")
            if is_nonsense(error) or isinstance(error, ConnectionError | TimeoutError):
                self._pause()
            _forget_frames(error)
            raise CacheError(self._problem) from error
        self._problem = None
        return result

    def ping(self) -> None:
        """Ask whether Redis is there and lets us in, pause or not. Raises CacheError that says why not."""
        self._paused_until = None
        self.run(lambda client: client.ping())

    def close(self) -> None:
        """Give the connections back; the next run makes new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> Redis:
        with self._lock:
            if self._client is None:
                self._client = self._factory()
            return self._client

    def _pause(self) -> None:
        self._paused_until = self._clock.monotonic() + self._pause_seconds
        logger.warning(
            "Redis is left alone", extra={"reason": self._problem, "pause_seconds": self._pause_seconds}
        )


def _forget_frames(error: BaseException | None) -> None:
    """Drop the tracebacks of a Redis client's error and of those behind it.

    They are part of reference cycles, whose frames keep those of all callers, and so everything that a plan
    has read, until the garbage collector comes by.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__context__


def connect(
    settings: Settings,
    credential: Callable[[], TokenCredential] | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    clock: Clock | None = None,
) -> RedisFactory:
    """The factory for the Redis that the settings name; connects to nothing yet.

    `credential` gives the app's identity for REDIS_AUTH=entra (the one that Blob Storage and Service Bus get
    when omitted). A plain, not a clustered client: Azure Managed Redis with the EnterpriseCluster or
    NoCluster policy. An operation lasts at most `timeout_seconds` for each of connecting (per address of the
    host), TLS and the answer, twice when the connection broke; looking the name up is the system's business.
    """

    def factory() -> Redis:
        from redis import Redis

        options = {
            "host": settings.redis_host,
            "port": settings.redis_port,
            "socket_connect_timeout": timeout_seconds,
            "socket_timeout": timeout_seconds,
            "socket_keepalive": True,
            "health_check_interval": IDLE_CHECK_SECONDS,
            "retry": _reconnect_once(),
        }
        if settings.redis_auth == "entra":
            identity = (credential or _identity(settings))()
            return _entra_client(settings, identity, clock or SystemClock(), options)
        return Redis(**options, **_password(settings), **_encryption(settings))

    return factory


def _reconnect_once() -> Any:
    """One repeat at once over a new connection when the old one broke (Azure closes idle ones) or led to what
    has become a replica (failover); none after a timeout.

    redis-py's own default sleeps up to ten seconds between three repeats. Our scripts may be repeated:
    each call brings its own id.
    """
    from redis.backoff import NoBackoff
    from redis.exceptions import ConnectionError, ReadOnlyError
    from redis.retry import Retry

    return Retry(NoBackoff(), 1, supported_errors=(ConnectionError, ReadOnlyError))


def _password(settings: Settings) -> dict[str, Any]:
    if settings.redis_password is None:
        return {}
    return {"username": settings.redis_username, "password": settings.redis_password.get_secret_value()}


def _encryption(settings: Settings) -> dict[str, Any]:
    # The host name is checked explicitly: redis-py before 6 did not by default.
    return {"ssl": True, "ssl_check_hostname": True} if settings.redis_ssl else {}


def _identity(settings: Settings) -> Callable[[], TokenCredential]:
    from shared.identity import azure_credential

    return lambda: azure_credential(settings.azure_client_id)


def _entra_client(
    settings: Settings, identity: TokenCredential, clock: Clock, options: dict[str, Any]
) -> Redis:
    from redis import Redis
    from redis.connection import Connection, SSLConnection

    from shared.resilience.redis_identity import EntraPool

    if settings.redis_ssl:
        options |= {"connection_class": SSLConnection, "ssl_check_hostname": True}
    else:
        options |= {"connection_class": Connection}
    return Redis.from_pool(EntraPool(settings.redis_username or "", identity, clock, **options))
