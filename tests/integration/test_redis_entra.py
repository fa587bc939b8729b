"""Entra's tokens at a real Redis: an ACL user whose password is the token that is valid now."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from local.fake_clock import FakeClock
from shared.config import Settings
from shared.errors import CacheError
from shared.resilience.redis_connection import RedisConnection, connect
from shared.resilience.redis_identity import RENEW_BEFORE_SECONDS
from tests.doubles.tcp_proxy import proxy_to
from tests.unit.redis_rig import command

if TYPE_CHECKING:
    from redis import Redis

    from tests.doubles.identity_endpoint import IdentityEndpoint
    from tests.doubles.redis_server import TlsRedisServer

pytest_plugins = ("tests.doubles.redis_server", "tests.doubles.identity_endpoint")

OBJECT_ID = "0f3a7c1e-object-id"
LIFETIME = 3600
THREADS = 4
RENEWALS = 5


class Entra:
    """Issues tokens and tells Redis about them, as Azure does; also a credential of azure-identity.

    Each token is valid for an hour of `clock`; in its last five minutes it is replaced by a new one.
    """

    def __init__(self, admin: Redis, clock: FakeClock) -> None:
        self.admin, self.clock = admin, clock
        self.down = False
        self.issued = 0
        self._expires = 0.0
        self._lock = threading.Lock()

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        assert scopes == ("https://redis.azure.com/.default",)
        with self._lock:
            if self.down:
                raise ClientAuthenticationError("no identity")
            if self.clock.now().timestamp() >= self._expires - 300:
                self.issued += 1
                self._expires = self.clock.now().timestamp() + LIFETIME
                self._allow(f"token-{self.issued}")
            return AccessToken(f"token-{self.issued}", int(self._expires))

    def expire(self) -> None:
        """The tokens so far are worth nothing, and what was logged in with them is cut off."""
        command(self.admin, "ACL", "SETUSER", OBJECT_ID, "resetpass")
        command(self.admin, "CLIENT", "KILL", "USER", OBJECT_ID)

    def _allow(self, token: str) -> None:
        command(self.admin, "ACL", "SETUSER", OBJECT_ID, "on", f">{token}", "~*", "+@all")


@pytest.fixture
def admin(tls_redis: TlsRedisServer) -> Iterator[Redis]:
    client = tls_redis.client()
    command(client, "CONFIG", "RESETSTAT")
    yield client
    command(client, "ACL", "DELUSER", OBJECT_ID)
    client.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def entra(admin: Redis, clock: FakeClock) -> Entra:
    return Entra(admin, clock)


@pytest.fixture
def settings(tls_redis: TlsRedisServer, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_redis.authority_file))
    return Settings.model_construct(
        redis_host="localhost",
        redis_port=tls_redis.tls_port,
        redis_ssl=True,
        redis_auth="entra",
        redis_username=OBJECT_ID,
        azure_client_id="the-apps-identity",
    )


@pytest.fixture
def connection(settings: Settings, entra: Entra, clock: FakeClock) -> Iterator[RedisConnection]:
    connection = RedisConnection(connect(settings, lambda: entra, clock=clock), clock)
    yield connection
    connection.close()


def client_id(client: Redis) -> int:
    """The number that Redis gave the connection."""
    number: Any = client.client_id()
    return int(number)


def logins(admin: Redis) -> int:
    """How many AUTH commands Redis has seen since the test began."""
    statistics: Any = admin.info("commandstats")
    return int(statistics.get("cmdstat_auth", {}).get("calls", 0))


def test_the_object_id_logs_in_with_a_token(connection: RedisConnection, admin: Redis) -> None:
    assert connection.run(lambda client: client.acl_whoami()) == OBJECT_ID
    connection.run(client_id)
    assert logins(admin) == 1


def test_the_token_is_renewed_on_the_open_connection_before_it_runs_out(
    connection: RedisConnection, entra: Entra, clock: FakeClock, admin: Redis
) -> None:
    number = connection.run(client_id)
    clock.advance(LIFETIME - RENEW_BEFORE_SECONDS - 1)
    connection.run(client_id)
    before = logins(admin)
    clock.advance(1)
    assert connection.run(client_id) == number
    connection.run(client_id)
    assert (before, logins(admin), entra.issued) == (1, 2, 2)


def test_a_connection_that_breaks_while_it_logs_in_again_is_opened_anew(
    settings: Settings, entra: Entra, clock: FakeClock
) -> None:
    with proxy_to(settings.redis_port) as proxy:
        settings = settings.model_copy(update={"redis_port": proxy.port})
        connection = RedisConnection(connect(settings, lambda: entra, clock=clock), clock)
        connection.run(client_id)
        clock.advance(LIFETIME - RENEW_BEFORE_SECONDS)
        proxy.cut_requests = 1
        connection.run(client_id)
        assert (proxy.cut_requests, proxy.connections) == (0, 2)
        connection.close()


def test_a_connection_that_nobody_used_until_its_token_ran_out_is_opened_anew(
    connection: RedisConnection, entra: Entra, clock: FakeClock
) -> None:
    number = connection.run(client_id)
    clock.advance(LIFETIME)
    entra.expire()
    assert connection.run(client_id) != number


def test_a_connection_cut_off_before_its_time_is_opened_anew(
    connection: RedisConnection, entra: Entra, admin: Redis
) -> None:
    number = connection.run(client_id)
    command(admin, "CLIENT", "KILL", "USER", OBJECT_ID)
    assert connection.run(client_id) != number
    assert entra.issued == 1


def test_no_call_fails_while_tokens_are_renewed_under_load(
    connection: RedisConnection, entra: Entra, clock: FakeClock, admin: Redis
) -> None:
    """Each renewal also cuts every connection off, at whatever it is doing."""
    done = threading.Event()
    calls = [0] * THREADS

    def work(number: int) -> None:
        while not done.is_set():
            connection.run(lambda client: client.incr("calls"))
            calls[number] += 1

    def everybody_went_on() -> None:
        goal = [count + 2 for count in calls]
        while any(count < aim for count, aim in zip(calls, goal, strict=True)):
            assert not any(one.done() for one in workers), "a call failed"

    with ThreadPoolExecutor(THREADS) as pool:
        workers = [pool.submit(work, number) for number in range(THREADS)]
        try:
            for _ in range(RENEWALS):
                everybody_went_on()
                clock.advance(LIFETIME - RENEW_BEFORE_SECONDS)
                everybody_went_on()
                command(admin, "CLIENT", "KILL", "USER", OBJECT_ID)
        finally:
            done.set()
        for worker in workers:
            worker.result()
    assert entra.issued == RENEWALS + 1


def test_the_old_token_serves_while_it_is_good_and_no_new_one_can_be_had(
    connection: RedisConnection, entra: Entra, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    number = connection.run(client_id)
    entra.down = True
    clock.advance(LIFETIME - RENEW_BEFORE_SECONDS)
    assert connection.run(client_id) == number
    assert "the old one is still good" in caplog.text
    clock.advance(RENEW_BEFORE_SECONDS)
    with pytest.raises(CacheError, match="got no token for it; check REDIS_AUTH and AZURE_CLIENT_ID"):
        connection.run(client_id)
    entra.down = False
    clock.advance(5)
    connection.ping()


def test_an_identity_without_an_access_policy_is_named_as_the_problem(
    connection: RedisConnection, entra: Entra, admin: Redis
) -> None:
    entra.get_token("https://redis.azure.com/.default")
    command(admin, "ACL", "DELUSER", OBJECT_ID)
    with pytest.raises(CacheError, match="access policy assignment"):
        connection.ping()


def test_the_apps_own_identity_is_asked_where_none_is_given(
    settings: Settings, admin: Redis, identity_endpoint: IdentityEndpoint, clock: FakeClock
) -> None:
    """With azure-identity itself, at an endpoint like Azure's."""
    identity_endpoint.token = lambda resource: "a-token"
    command(admin, "ACL", "SETUSER", OBJECT_ID, "on", ">a-token", "~*", "+@all")
    connection = RedisConnection(connect(settings), clock)
    assert connection.run(lambda client: client.acl_whoami()) == OBJECT_ID
    assert identity_endpoint.asked == [("https://redis.azure.com", "the-apps-identity")]
    connection.close()


def test_an_identity_endpoint_that_answers_nonsense_is_named_as_the_problem(
    settings: Settings, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy_to(settings.redis_port) as proxy:
        nonsense = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nwhat"
        proxy.mode, proxy.nonsense = "garbage", nonsense
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{proxy.port}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "x")
        connection = RedisConnection(connect(settings), clock)
        with pytest.raises(CacheError, match="got no token for it"):
            connection.ping()


def test_an_unknown_identity_is_named_as_the_problem(
    settings: Settings, identity_endpoint: IdentityEndpoint, clock: FakeClock
) -> None:
    identity_endpoint.refuses = True
    connection = RedisConnection(connect(settings), clock)
    with pytest.raises(CacheError, match="AZURE_CLIENT_ID"):
        connection.ping()
