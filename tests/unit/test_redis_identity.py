"""Logging in to Redis with Entra's tokens: again on the open connection, before the token runs out."""

from __future__ import annotations

import os
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from redis.exceptions import AuthenticationError, ConnectionError

from local.fake_clock import FakeClock
from shared.resilience.redis_identity import (
    ASK_AGAIN_SECONDS,
    ENTRA_SCOPE,
    RENEW_BEFORE_SECONDS,
    EntraCredentials,
    EntraPool,
    NoToken,
)

LIFETIME = 3600


class Entra:
    """A credential of azure-identity: each token is good for an hour, and in its last `renews` seconds the
    next one is given. `error` is why it gives none."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.renews = 300
        self.error: Exception | None = None
        self.asked: list[tuple[str, ...]] = []
        self.issued = 0
        self._expires = 0.0

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.asked.append(scopes)
        if self.error is not None:
            raise self.error
        now = self.clock.now().timestamp()
        if now >= self._expires - self.renews:
            self.issued += 1
            self._expires = now + LIFETIME
        return AccessToken(f"5ecret-{self.issued}", int(self._expires))


class Connection:
    """A connection of redis-py as its pool uses it. `said` is what Redis was told over it; `refuses` is what
    Redis says to the next AUTH."""

    def __init__(self, **_: Any) -> None:
        self.pid = os.getpid()
        self.credential_provider: Any = None
        self.said: list[tuple[str, ...]] = []
        self.refuses: Exception | None = None
        self._open = False

    def connect(self) -> None:
        if not self._open:
            self._open = True
            self.said.append(("login", *self.credential_provider.get_credentials()))

    def disconnect(self, *_: Any) -> None:
        self._open = False
        self.said.append(("bye",))

    def re_auth(self) -> None:
        """For libraries that renew tokens in a thread of their own."""

    def can_read(self, timeout: float = 0) -> bool:
        return False

    def send_command(self, *words: str, check_health: bool = True) -> None:
        assert not check_health, "a health check would go over a connection whose login is about to end"
        self.said.append(words)

    def read_response(self) -> bytes:
        if self.refuses is not None:
            error, self.refuses = self.refuses, None
            raise error
        return b"OK"


class Rig:
    """A pool, and the identity with which its connections log in."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.entra = Entra(self.clock)
        credential: Any = self.entra
        self.pool = EntraPool("object-id", credential, self.clock, connection_class=Connection)

    def used(self) -> Connection:
        """A connection that is taken from the pool and given back."""
        connection: Any = self.pool.get_connection()
        self.pool.release(connection)
        assert isinstance(connection, Connection)
        return connection

    def later(self, seconds: float) -> Connection:
        self.clock.advance(seconds)
        return self.used()


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_connection_logs_in_as_the_identity_with_a_token_for_redis(rig: Rig) -> None:
    assert rig.used().said == [("login", "object-id", "5ecret-1")]
    assert rig.entra.asked == [(ENTRA_SCOPE,)]


def test_it_logs_in_again_on_the_open_connection_before_the_token_runs_out_and_not_earlier(rig: Rig) -> None:
    rig.used()
    assert len(rig.later(LIFETIME - RENEW_BEFORE_SECONDS - 1).said) == 1
    connection = rig.later(1)
    assert connection.said == [("login", "object-id", "5ecret-1"), ("AUTH", "object-id", "5ecret-2")]
    assert len(rig.later(0).said) == 2, "once"


def test_a_token_that_is_still_the_old_one_is_asked_for_again_after_a_while(rig: Rig) -> None:
    rig.entra.renews = 200
    rig.used()
    rig.later(LIFETIME - RENEW_BEFORE_SECONDS)
    assert len(rig.entra.asked) == 2
    rig.later(ASK_AGAIN_SECONDS - 1)
    assert len(rig.entra.asked) == 2
    rig.later(1)
    assert len(rig.entra.asked) == 3
    assert rig.later(ASK_AGAIN_SECONDS).said[-1] == ("AUTH", "object-id", "5ecret-1")
    assert rig.later(ASK_AGAIN_SECONDS).said[-1] == ("AUTH", "object-id", "5ecret-2")


def test_each_connection_looks_after_its_own_login(rig: Rig) -> None:
    first: Any = rig.pool.get_connection()
    rig.clock.advance(LIFETIME - RENEW_BEFORE_SECONDS)
    second: Any = rig.pool.get_connection()
    assert first is not second
    assert second.said == [("login", "object-id", "5ecret-2")]
    rig.pool.release(second)
    rig.pool.release(first)
    assert rig.used() is first
    assert first.said[-1][0] == "AUTH"


@pytest.mark.parametrize(
    "error",
    [ClientAuthenticationError("no identity for ann"), ValueError("no JSON")],
    ids=["refused", "no JSON"],
)
def test_without_a_new_token_the_old_one_is_used_as_long_as_it_is_good(
    rig: Rig, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    rig.used()
    rig.entra.error = error
    assert len(rig.later(LIFETIME - RENEW_BEFORE_SECONDS).said) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "no new Entra token for Redis; the old one is still good"
    ]
    rig.used()
    assert len(caplog.records) == 1, "nobody asks again at once"
    with pytest.raises(NoToken):
        rig.later(RENEW_BEFORE_SECONDS)
    assert "ann" not in caplog.text


def test_a_connection_without_a_token_goes_back_into_the_pool_and_is_used_once_there_is_one(
    rig: Rig,
) -> None:
    rig.used()
    rig.entra.error = ClientAuthenticationError("no identity")
    for _ in range(2):
        with pytest.raises(NoToken):
            rig.later(LIFETIME)
    rig.entra.error = None
    assert rig.later(ASK_AGAIN_SECONDS).said[-1] == ("AUTH", "object-id", "5ecret-2")
    assert rig.pool._created_connections == 1


def test_who_gets_no_token_at_all_is_told_by_an_error_of_redis_without_the_identitys_words(rig: Rig) -> None:
    rig.entra.error = ClientAuthenticationError("ann's 5ecret")
    with pytest.raises(AuthenticationError, match=r"\Ano Entra token for Redis\Z") as raised:
        rig.pool.get_connection()
    assert isinstance(raised.value, NoToken)


@pytest.mark.parametrize(
    "error", [ConnectionError("gone"), AuthenticationError("WRONGPASS")], ids=["gone", "refused"]
)
def test_a_connection_that_breaks_while_it_logs_in_again_is_opened_anew(rig: Rig, error: Exception) -> None:
    rig.used().refuses = error
    connection = rig.later(LIFETIME - RENEW_BEFORE_SECONDS)
    assert connection.said[1:] == [
        ("AUTH", "object-id", "5ecret-2"),
        ("bye",),
        ("login", "object-id", "5ecret-2"),
    ]


def test_a_token_is_due_when_it_is_about_to_end_and_expired_when_it_has(rig: Rig) -> None:
    credential: Any = rig.entra
    login = EntraCredentials("object-id", credential, rig.clock)
    assert (login.due, login.expired) == (True, True), "nobody has logged in yet"
    login.get_credentials()
    assert (login.due, login.expired) == (False, False)
    rig.clock.advance(LIFETIME - RENEW_BEFORE_SECONDS)
    assert (login.due, login.expired) == (True, False)
    rig.clock.advance(RENEW_BEFORE_SECONDS - 1)
    assert not login.expired
    rig.clock.advance(1)
    assert login.expired
