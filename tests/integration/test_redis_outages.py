"""A real Redis that crashes, freezes, restarts and forgets its scripts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from redis import Redis

from local.fake_clock import FakeClock
from local.host.embedded_redis import embedded_redis
from shared.config import Settings
from shared.errors import CacheError
from shared.resilience.local_rate_limiter import LocalRateLimiter
from shared.resilience.redis_connection import RedisConnection, connect
from shared.resilience.shared_rate_limiter import SharedRateLimiter
from shared.storage.cache import Cache
from tests.unit.limiter_contract import PERIOD, refusal, take

if TYPE_CHECKING:
    from tests.doubles.redis_server import RedisServer

pytest_plugins = ("tests.doubles.redis_server",)


def ping(client: Redis) -> bool:
    return bool(client.ping())


@pytest.fixture
def server(redis_server: RedisServer) -> Iterator[RedisServer]:
    """Running and empty before and after each test, whatever the test did to it."""
    yield redis_server
    with suppress(AssertionError):
        redis_server.thaw()
    redis_server.kill()
    redis_server.start()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def settings_for(port: int) -> Settings:
    return Settings.model_construct(redis_host="127.0.0.1", redis_port=port)


@pytest.fixture
def connection(server: RedisServer, clock: FakeClock) -> Iterator[RedisConnection]:
    connection = RedisConnection(connect(settings_for(server.port)), clock)
    yield connection
    connection.close()


@pytest.fixture
def limiter(connection: RedisConnection, clock: FakeClock) -> SharedRateLimiter:
    fallback = LocalRateLimiter(clock, 24, PERIOD, share=1 / 4)
    return SharedRateLimiter(connection, "target", 24, PERIOD, 0, fallback)


def test_a_crashed_redis_is_missed_at_once_and_found_again(
    server: RedisServer, connection: RedisConnection, clock: FakeClock
) -> None:
    assert connection.run(ping)
    server.kill()
    with pytest.raises(CacheError):
        connection.run(ping)
    server.start()
    with pytest.raises(CacheError):
        connection.run(ping)
    clock.advance(5)
    assert connection.run(ping)


def test_a_frozen_redis_is_given_up(
    server: RedisServer, connection: RedisConnection, clock: FakeClock
) -> None:
    assert connection.run(ping)
    server.freeze()
    with pytest.raises(CacheError, match="TimeoutError"):
        connection.run(ping)
    server.thaw()
    clock.advance(5)
    assert connection.run(ping)


def test_a_restart_between_two_commands_goes_unnoticed(
    server: RedisServer, connection: RedisConnection
) -> None:
    assert connection.run(ping)
    server.kill()
    server.start()
    assert connection.run(ping)


def test_a_restarted_redis_learns_scripts_and_calls_again(
    server: RedisServer, limiter: SharedRateLimiter
) -> None:
    take(limiter, 15)
    server.kill()
    server.start()
    take(limiter, 9)
    refusal(limiter)
    assert limiter.usage().used == 24


def test_calls_go_on_within_the_share_while_redis_is_away(
    server: RedisServer, limiter: SharedRateLimiter, clock: FakeClock
) -> None:
    server.kill()
    take(limiter, 6)
    refusal(limiter)
    server.start()
    clock.advance(5)
    take(limiter, 18)
    refusal(limiter)


def test_the_cache_works_over_a_real_redis(connection: RedisConnection, clock: FakeClock) -> None:
    cache = Cache(connection, clock)
    people = [{"id": number} for number in range(20_000)]
    assert cache.get_cached_data("people", lambda: people, 1) == people
    assert cache.get_cached_data("people", lambda: None, 1) == people
    assert cache.statistics()["people"].hits == 1
    assert cache.clear_cache() == 1


def test_a_running_redis_is_preferred_to_the_embedded_one(server: RedisServer) -> None:
    choice = embedded_redis(settings_for(server.port))
    choice().set("seen", "yes", ex=60)
    assert server.client().get("seen") == b"yes"
    assert (choice.embedded, choice.description) == (False, f"Redis at 127.0.0.1:{server.port}")


def test_without_a_redis_the_embedded_one_serves_the_whole_process(server: RedisServer) -> None:
    server.kill()
    one, other = embedded_redis(settings_for(server.port)), embedded_redis(settings_for(server.port))
    one().set("seen", "yes", ex=60)
    assert other().get("seen") == b"yes"
    assert one.embedded
    assert "ConnectionError" in one.description


def test_a_redis_that_does_not_answer_within_half_a_second_is_not_used(server: RedisServer) -> None:
    server.freeze()
    assert embedded_redis(settings_for(server.port)).embedded
