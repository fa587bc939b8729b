"""Entra's tokens for Redis: one login per connection, repeated on the open connection before it runs out.

Azure Managed Redis ends a connection whose token has run out; its vendor asks for a new AUTH at least three
minutes before (learn.microsoft.com/azure/redis/entra-for-authentication). The vendor's library redis-entraid
is not used: its renewal runs in a thread of its own over all idle connections, and ends for good when one of
them is broken (seen with 1.2.2), and it would bring an identity of its own. Here each connection looks after
itself when it is taken from the pool; one that nobody takes may end, and is opened anew when it is needed.

Import it only where Redis is used: it imports redis.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from redis import ConnectionPool
from redis.credentials import CredentialProvider
from redis.exceptions import AuthenticationError, RedisError

from shared.clock import Clock

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

ENTRA_SCOPE = "https://redis.azure.com/.default"
RENEW_BEFORE_SECONDS = 270
"""Later than azure-identity fetches a new token (300 s before the end), earlier than the vendor's 180 s."""
ASK_AGAIN_SECONDS = 30
"""When the token is still the old one: azure-identity itself asks no more often."""

logger = logging.getLogger(__name__)


class NoToken(AuthenticationError):
    """Entra, or the machine's identity endpoint, gave no token."""


class EntraCredentials(CredentialProvider):
    """The login of one connection: the identity's object id and its token."""

    def __init__(self, username: str, credential: TokenCredential, clock: Clock) -> None:
        self._username = username
        self._credential = credential
        self._clock = clock
        self._expires = self._renew_at = 0.0

    @property
    def due(self) -> bool:
        """Whether the token of the last login is about to run out."""
        return self._now() >= self._renew_at

    @property
    def expired(self) -> bool:
        """Whether it has."""
        return self._now() >= self._expires

    def get_credentials(self) -> tuple[str, str]:
        """User name and token for AUTH. Raises NoToken."""
        from azure.core.exceptions import AzureError

        self._renew_at = self._now() + ASK_AGAIN_SECONDS
        try:
            token = self._credential.get_token(ENTRA_SCOPE)
        except (AzureError, ValueError) as error:  # ValueError: an answer that is no JSON
            raise NoToken("no Entra token for Redis") from error
        self._expires = token.expires_on
        self._renew_at = max(self._renew_at, token.expires_on - RENEW_BEFORE_SECONDS)
        return self._username, token.token

    def _now(self) -> float:
        return self._clock.now().timestamp()


class EntraPool(ConnectionPool):
    """A pool whose connections log in again in time. Takes the options of redis-py's pool."""

    def __init__(self, username: str, credential: TokenCredential, clock: Clock, **options: Any) -> None:
        self._login = (username, credential, clock)
        super().__init__(**options)

    def make_connection(self) -> Any:
        connection: Any = super().make_connection()
        connection.credential_provider = EntraCredentials(*self._login)
        return connection

    def get_connection(self, *args: Any, **options: Any) -> Any:
        connection = super().get_connection(*args, **options)
        try:
            _log_in_again(connection)
        except BaseException:
            self.release(connection)
            raise
        return connection


def _log_in_again(connection: Any) -> None:
    login: EntraCredentials = connection.credential_provider
    if not login.due:
        return
    try:
        user, token = login.get_credentials()
    except NoToken:
        if login.expired:
            raise
        logger.warning("no new Entra token for Redis; the old one is still good")
        return
    try:
        connection.send_command("AUTH", user, token, check_health=False)
        connection.read_response()
    except RedisError:
        # The connection was at its end already; a new one logs in as any does.
        connection.disconnect()
        connection.connect()
