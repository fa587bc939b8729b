"""The connection's behaviour when Redis is away, and what the settings make of it."""

from __future__ import annotations

import gc
import socket
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from pydantic import SecretStr
from redis import Redis
from redis.exceptions import (
    AuthenticationError,
    ConnectionError,
    InvalidResponse,
    OutOfMemoryError,
    TimeoutError,
)

from local.fake_clock import FakeClock
from shared.config import Settings
from shared.errors import CacheError
from shared.resilience.redis_connection import RedisConnection, connect

NOBODY_LISTENS = 9


class Operation:
    """An operation on Redis that fails as told and counts its runs."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.runs = 0

    def __call__(self, _: Redis) -> str:
        self.runs += 1
        if self.error is not None:
            raise self.error
        return "done"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def connection(clock: FakeClock) -> RedisConnection:
    return RedisConnection(Redis, clock, pause_seconds=5)


@pytest.mark.parametrize(
    "error", [ConnectionError("refused"), TimeoutError("silence"), InvalidResponse("nonsense"), ValueError()]
)
def test_redis_is_left_alone_for_a_while_after_it_did_not_answer(
    connection: RedisConnection, clock: FakeClock, error: Exception
) -> None:
    operation = Operation(error)
    for _ in range(3):
        with pytest.raises(CacheError):
            connection.run(operation)
    assert operation.runs == 1
    during_the_pause = connection.available
    clock.advance(5)
    assert (during_the_pause, connection.available) == (False, True)
    operation.error = None
    assert connection.run(operation) == "done"
    assert operation.runs == 2


class Listing:
    """Something large that a caller has read."""


def test_an_error_keeps_nothing_of_its_callers_alive(clock: FakeClock) -> None:
    """Else all that a plan had read stayed in memory until the garbage collector came."""
    away = RedisConnection(lambda: Redis(port=NOBODY_LISTENS), clock)

    def plan() -> weakref.ref[Listing]:
        listing = Listing()
        with suppress(CacheError):
            away.run(lambda client: client.get("x"))
        return weakref.ref(listing)

    gc.disable()
    try:
        assert plan()() is None
    finally:
        gc.enable()


def test_a_refused_command_does_not_take_redis_away_from_others(connection: RedisConnection) -> None:
    with pytest.raises(CacheError, match="OutOfMemoryError"):
        connection.run(Operation(OutOfMemoryError("maxmemory")))
    assert connection.run(Operation()) == "done"


def test_the_reason_stays_known_until_redis_answers_again(
    connection: RedisConnection, clock: FakeClock
) -> None:
    assert connection.problem is None
    with pytest.raises(CacheError):
        connection.run(Operation(AuthenticationError("WRONGPASS")))
    assert "REDIS_PASSWORD" in str(connection.problem)
    with pytest.raises(CacheError, match=r"REDIS_PASSWORD.*left alone"):
        connection.run(Operation())
    clock.advance(5)
    connection.run(Operation())
    assert connection.problem is None


def test_a_host_that_does_not_exist_is_named_as_the_problem(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(CacheError, match="no host has the name in REDIS_HOST"):
        RedisConnection(connect(Settings.model_construct(redis_host="typo.example")), clock).ping()


def test_a_host_name_that_is_none_is_named_as_the_problem(clock: FakeClock) -> None:
    with pytest.raises(CacheError, match="no host has the name in REDIS_HOST"):
        RedisConnection(connect(Settings.model_construct(redis_host="two..dots")), clock).ping()


def test_error_texts_do_not_repeat_what_redis_said(connection: RedisConnection) -> None:
    with pytest.raises(CacheError) as refused:
        connection.run(Operation(ConnectionError("user app, password secret")))
    assert "secret" not in str(refused.value)


def test_errors_that_are_not_redis_pass_through(connection: RedisConnection) -> None:
    with pytest.raises(ZeroDivisionError):
        connection.run(Operation(ZeroDivisionError()))
    assert connection.available


def test_one_client_is_made_for_all_threads_and_only_when_needed(clock: FakeClock) -> None:
    made: list[Redis] = []

    def factory() -> Redis:
        made.append(Redis())
        return made[-1]

    connection = RedisConnection(factory, clock)
    assert not made
    with ThreadPoolExecutor(20) as pool:
        clients = set(pool.map(lambda _: id(connection.run(lambda client: client)), range(100)))
    assert (len(made), len(clients)) == (1, 1)
    connection.close()
    connection.run(Operation())
    assert len(made) == 2


def options(**settings: Any) -> dict[str, Any]:
    """What a client for these settings would connect with."""
    client = connect(Settings.model_construct(**settings))()
    kwargs: dict[str, Any] = client.connection_pool.connection_kwargs
    return kwargs | {"connection": client.connection_pool.connection_class.__name__}


def test_password_and_encryption_come_from_the_settings() -> None:
    found = options(
        redis_host="cache.example.net", redis_port=10000, redis_ssl=True, redis_password=SecretStr("pass")
    )
    assert (found["host"], found["port"], found["password"]) == ("cache.example.net", 10000, "pass")
    assert found["connection"] == "SSLConnection"
    assert found["ssl_check_hostname"] is True
    assert found.get("ssl_cert_reqs", "required") == "required"


def test_without_password_and_encryption_none_is_used() -> None:
    found = options()
    assert (found["host"], found["port"], found.get("password")) == ("localhost", 6379, None)
    assert found["connection"] == "Connection"


def test_waits_a_second_at_most_and_repeats_broken_connections_only() -> None:
    found = options()
    assert (found["socket_timeout"], found["socket_connect_timeout"]) == (1, 1)
    tries = Operation(TimeoutError())
    with pytest.raises(TimeoutError):
        found["retry"].call_with_retry(lambda: tries(Redis()), lambda _: None)
    assert tries.runs == 1
    tries = Operation(ConnectionError())
    with pytest.raises(ConnectionError):
        found["retry"].call_with_retry(lambda: tries(Redis()), lambda _: None)
    assert tries.runs == 2


class Identity:
    """A credential of azure-identity; refuses when told to."""

    refuses = False

    def get_token(self, *scopes: str, **_: Any) -> Any:
        from azure.core.credentials import AccessToken
        from azure.core.exceptions import ClientAuthenticationError

        if self.refuses:
            raise ClientAuthenticationError("no identity")
        return AccessToken(f"token for {scopes[0]}", 0)


def test_the_apps_identity_logs_in_with_a_token() -> None:
    settings = Settings.model_construct(redis_auth="entra", redis_username="object-id")
    identity = Identity()
    client = connect(settings, credential=lambda: identity)()
    one: Any = client.connection_pool.make_connection()
    provider = one.credential_provider
    assert provider.get_credentials() == ("object-id", "token for https://redis.azure.com/.default")
    identity.refuses = True
    with pytest.raises(ConnectionError):
        provider.get_credentials()


@pytest.mark.parametrize("encrypted", [True, False])
def test_a_token_travels_as_the_settings_say_and_the_identity_is_the_apps(
    encrypted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []

    def credential(client_id: str | None) -> Identity:
        asked.append(client_id)
        return Identity()

    monkeypatch.setattr("shared.identity.azure_credential", credential)
    found = options(
        redis_auth="entra", redis_username="object-id", redis_ssl=encrypted, azure_client_id="identity-1"
    )
    assert found["connection"] == ("SSLConnection" if encrypted else "Connection")
    assert found.get("ssl_check_hostname") is (True if encrypted else None)
    assert found["socket_timeout"] == 1
    assert asked == ["identity-1"]
