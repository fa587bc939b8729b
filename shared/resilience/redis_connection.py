"""The one way to Redis: lazily connected, short timeouts, and a pause after Redis did not answer.

Redis only makes things faster and shared. Whoever uses it catches CacheError and goes on without; so that
an absent Redis does not cost every call a timeout, it is left alone for a few seconds after each failure.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from shared.clock import Clock
from shared.errors import CacheError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from redis import Redis
    from redis.credentials import CredentialProvider

    from shared.config import Settings

T = TypeVar("T")
RedisFactory = Callable[[], "Redis"]
"""Makes a client; must not fail because Redis is away (redis-py connects at the first command)."""

TIMEOUT_SECONDS = 1.0
IDLE_CHECK_SECONDS = 30
ENTRA_SCOPE = "https://redis.azure.com/.default"

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
            raise CacheError(f"Redis did not answer and is left alone for {self._pause_seconds:g} s")
        try:
            return operation(self._connected())
        except (ConnectionError, TimeoutError) as error:
            self._pause(error)
            _forget_frames(error)
            raise CacheError(f"Redis does not answer ({type(error).__name__}); see REDIS_HOST") from error
        except RedisError as error:
            raise CacheError(f"Redis refused a command ({type(error).__name__})") from error

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

    def _pause(self, error: Exception) -> None:
        self._paused_until = self._clock.monotonic() + self._pause_seconds
        logger.warning(
            "Redis does not answer",
            extra={"error": type(error).__name__, "pause_seconds": self._pause_seconds},
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
) -> RedisFactory:
    """The factory for the Redis that the settings name; connects to nothing yet.

    `credential` gives the app's identity for REDIS_AUTH=entra (azure-identity's default when omitted).
    A plain, not a clustered client: Azure Managed Redis with the EnterpriseCluster or NoCluster policy.
    """

    def factory() -> Redis:
        from redis import Redis

        return Redis(
            host=settings.redis_host,
            port=settings.redis_port,
            socket_connect_timeout=timeout_seconds,
            socket_timeout=timeout_seconds,
            socket_keepalive=True,
            health_check_interval=IDLE_CHECK_SECONDS,
            retry=_reconnect_once(),
            **_credentials(settings, credential),
            **_encryption(settings),
        )

    return factory


def _reconnect_once() -> Any:
    """One repeat at once when the connection broke (Azure closes idle ones), none after a timeout.

    redis-py's own default sleeps up to ten seconds between three repeats. Our scripts may be repeated:
    each call brings its own id.
    """
    from redis.backoff import NoBackoff
    from redis.exceptions import ConnectionError
    from redis.retry import Retry

    return Retry(NoBackoff(), 1, supported_errors=(ConnectionError,))


def _credentials(settings: Settings, credential: Callable[[], TokenCredential] | None) -> dict[str, Any]:
    if settings.redis_auth == "entra":
        return {"credential_provider": _entra_credentials(settings.redis_username or "", credential)}
    if settings.redis_password is None:
        return {}
    return {"username": settings.redis_username, "password": settings.redis_password.get_secret_value()}


def _encryption(settings: Settings) -> dict[str, Any]:
    # The host name is checked explicitly: redis-py before 6 did not by default.
    return {"ssl": True, "ssl_check_hostname": True} if settings.redis_ssl else {}


def _entra_credentials(username: str, credential: Callable[[], TokenCredential] | None) -> CredentialProvider:
    """A token of the app's identity for every new connection (vendor page: user name = object id).

    Redis closes a connection whose token ran out; the one reconnect then brings a fresh token, which
    azure-identity renews from its own cache.
    """
    from azure.core.exceptions import AzureError
    from azure.identity import DefaultAzureCredential
    from redis.credentials import CredentialProvider
    from redis.exceptions import AuthenticationError

    identity = (credential or DefaultAzureCredential)()

    class EntraCredentials(CredentialProvider):
        def get_credentials(self) -> tuple[str, str]:
            try:
                return username, identity.get_token(ENTRA_SCOPE).token
            except AzureError as error:
                raise AuthenticationError("no Entra token for Redis; see REDIS_AUTH") from error

    return EntraCredentials()
