"""A real Redis behind a network that breaks, as a replica, full, and forgetful; and what is read of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from local.fake_clock import FakeClock
from shared.config import Settings
from shared.errors import CacheError, CircuitOpen
from shared.resilience.circuit_breaker import LocalCircuitBreaker, SharedCircuitBreaker
from shared.resilience.local_rate_limiter import LocalRateLimiter
from shared.resilience.redis_connection import RedisConnection, connect
from shared.resilience.shared_rate_limiter import SharedRateLimiter
from shared.storage.cache import Cache
from tests.doubles.tcp_proxy import TcpProxy, proxy_to
from tests.unit.limiter_contract import PERIOD, refusal, take
from tests.unit.redis_rig import command

if TYPE_CHECKING:
    from redis import Redis

    from tests.doubles.redis_server import RedisServer

pytest_plugins = ("tests.doubles.redis_server",)

LIMIT = 24
SHARE = 6
"""What a process may call when it is alone: a quarter of LIMIT."""
SHORT_SECONDS = 0.2
NOBODY_LISTENS = 9


@pytest.fixture
def admin(redis_server: RedisServer) -> Iterator[Redis]:
    """A client that no proxy disturbs; Redis is an empty primary before and after each test."""
    client = redis_server.client()
    client.flushall()
    yield client
    command(client, "REPLICAOF", "NO", "ONE")
    client.config_set("maxmemory", 0)
    client.flushall()
    client.close()


@pytest.fixture
def proxy(redis_server: RedisServer, admin: Redis) -> Iterator[TcpProxy]:
    with proxy_to(redis_server.port) as proxy:
        yield proxy


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def connection(proxy: TcpProxy, clock: FakeClock) -> Iterator[RedisConnection]:
    settings = Settings.model_construct(redis_host="127.0.0.1", redis_port=proxy.port)
    connection = RedisConnection(connect(settings), clock)
    yield connection
    connection.close()


def impatient(proxy: TcpProxy, clock: FakeClock) -> RedisConnection:
    """A connection that gives up soon, so that the test does not wait the second that the app does."""
    settings = Settings.model_construct(redis_host="127.0.0.1", redis_port=proxy.port)
    return RedisConnection(connect(settings, timeout_seconds=SHORT_SECONDS), clock)


@pytest.fixture
def limiter(connection: RedisConnection, clock: FakeClock) -> SharedRateLimiter:
    fallback = LocalRateLimiter(clock, LIMIT, PERIOD, share=SHARE / LIMIT)
    return SharedRateLimiter(connection, "target", LIMIT, PERIOD, 0, fallback)


@pytest.fixture
def breaker(connection: RedisConnection, clock: FakeClock) -> SharedCircuitBreaker:
    return SharedCircuitBreaker(
        connection, "target", 2, 60, LocalCircuitBreaker(clock, "target", threshold=2, recovery_seconds=60)
    )


def problem_of(connection: RedisConnection) -> str:
    with pytest.raises(CacheError) as refused:
        connection.ping()
    return str(refused.value)


class TestBrokenConnections:
    def test_a_call_whose_answer_was_lost_takes_one_slot(
        self, proxy: TcpProxy, limiter: SharedRateLimiter
    ) -> None:
        take(limiter, 3)
        proxy.cut_answers = 1
        take(limiter, 1)
        assert (proxy.cut_answers, proxy.connections) == (0, 2)
        assert limiter.usage().used == 4

    def test_a_call_cut_while_it_was_sent_takes_one_slot(
        self, proxy: TcpProxy, limiter: SharedRateLimiter
    ) -> None:
        take(limiter, 3)
        proxy.cut_requests, proxy.cut_after = 1, 20
        take(limiter, 1)
        assert limiter.usage().used == 4

    def test_a_failure_whose_answer_was_lost_is_counted_at_least_once(
        self, proxy: TcpProxy, breaker: SharedCircuitBreaker
    ) -> None:
        """Repeated it may count twice: opening early is harmless, never opening is not."""
        breaker.before_call()
        proxy.cut_answers = 1
        breaker.failed()
        assert breaker.state().failures in (1, 2)

    def test_a_failover_between_two_calls_goes_unnoticed(
        self, proxy: TcpProxy, limiter: SharedRateLimiter, connection: RedisConnection
    ) -> None:
        take(limiter, 3)
        proxy.cut_all()
        take(limiter, 1)
        assert connection.problem is None
        assert limiter.usage().used == 4

    def test_connections_that_redis_ends_go_unnoticed(
        self, admin: Redis, limiter: SharedRateLimiter, connection: RedisConnection
    ) -> None:
        take(limiter, 3)
        command(admin, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        take(limiter, 1)
        assert limiter.usage().used == 4
        assert connection.problem is None

    def test_a_connection_that_breaks_twice_is_given_up(
        self, proxy: TcpProxy, connection: RedisConnection
    ) -> None:
        connection.ping()
        proxy.cut_answers = 9
        assert "closed the connection" in problem_of(connection)

    def test_one_who_says_nothing_is_given_up_and_left_alone(self, proxy: TcpProxy, clock: FakeClock) -> None:
        proxy.mode = "silent"
        connection = impatient(proxy, clock)
        assert "does not answer in time" in problem_of(connection)
        with pytest.raises(CacheError, match="left alone for 5 s"):
            connection.run(lambda client: client.ping())
        assert proxy.wait_for(1) == 1

    @pytest.mark.parametrize(
        "nonsense", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$what\r\n", b":one\r\n", b"\x15\x03\x03\x00\r\n"]
    )
    def test_one_who_is_no_redis_is_given_up_and_left_alone(
        self, proxy: TcpProxy, clock: FakeClock, nonsense: bytes
    ) -> None:
        proxy.mode, proxy.nonsense = "garbage", nonsense
        connection = impatient(proxy, clock)
        assert "answers in no language of Redis: check REDIS_HOST" in problem_of(connection)
        assert not connection.available

    def test_nobody_there_is_named_as_the_problem(self, clock: FakeClock) -> None:
        settings = Settings.model_construct(redis_host="127.0.0.1", redis_port=NOBODY_LISTENS)
        away = RedisConnection(connect(settings), clock)
        assert "nothing listens at REDIS_HOST, REDIS_PORT" in problem_of(away)


class TestAStateThatRedisIsIn:
    def test_forgotten_scripts_are_taught_again_in_the_middle_of_work(
        self, admin: Redis, limiter: SharedRateLimiter, breaker: SharedCircuitBreaker
    ) -> None:
        permit = limiter.acquire()
        admin.script_flush()
        limiter.complete(permit)
        admin.script_flush()
        assert limiter.usage().used == 1
        breaker.before_call()
        admin.script_flush()
        breaker.failed()
        admin.script_flush()
        assert breaker.state().failures == 1

    def test_a_replica_is_named_and_the_primary_is_used_again_at_once(
        self, admin: Redis, limiter: SharedRateLimiter, connection: RedisConnection
    ) -> None:
        take(limiter, 1)
        command(admin, "REPLICAOF", "127.0.0.1", str(NOBODY_LISTENS))
        take(limiter, SHARE - 1)
        refusal(limiter)
        assert "is a replica" in str(connection.problem)
        assert connection.available
        command(admin, "REPLICAOF", "NO", "ONE")
        take(limiter, LIMIT - SHARE)
        refusal(limiter)
        assert connection.problem is None

    def test_a_connection_to_what_became_a_replica_is_opened_anew(
        self, admin: Redis, limiter: SharedRateLimiter, proxy: TcpProxy
    ) -> None:
        """So it reaches the new primary as soon as the name leads there."""
        take(limiter, 1)
        command(admin, "REPLICAOF", "127.0.0.1", str(NOBODY_LISTENS))
        take(limiter, 1)
        assert proxy.connections == 2

    def test_a_full_redis_is_named_and_the_fallbacks_decide(
        self,
        admin: Redis,
        limiter: SharedRateLimiter,
        breaker: SharedCircuitBreaker,
        connection: RedisConnection,
    ) -> None:
        admin.config_set("maxmemory-policy", "noeviction")
        admin.config_set("maxmemory", 1)
        take(limiter, SHARE)
        refusal(limiter)
        assert "is full: it needs more memory" in str(connection.problem)
        for _ in range(2):
            breaker.before_call()
            breaker.failed()
        with pytest.raises(CircuitOpen):
            breaker.before_call()
        assert connection.available

    def test_a_full_redis_costs_the_cache_one_fetch(
        self, admin: Redis, connection: RedisConnection, clock: FakeClock
    ) -> None:
        admin.config_set("maxmemory", 1)
        people = [{"id": number} for number in range(100)]
        cache = Cache(connection, clock)
        for _ in range(2):
            assert cache.get_cached_data("people", lambda: people, 1) == people
        admin.config_set("maxmemory", 0)
        assert "people" not in {key.decode() for key in admin.scan_iter()}

    def test_clocks_of_instances_do_not_matter(self, admin: Redis, connection: RedisConnection) -> None:
        """Scripts ask Redis for the time: two instances whose clocks are a day apart share one window."""
        early, late = FakeClock(), FakeClock()
        late.advance(86_400)
        limiters = [
            SharedRateLimiter(connection, "t", LIMIT, PERIOD, 0, LocalRateLimiter(clock, LIMIT, PERIOD))
            for clock in (early, late)
        ]
        for limiter in limiters * (LIMIT // 2):
            limiter.complete(limiter.acquire())
        for limiter in limiters:
            assert refusal(limiter) == pytest.approx(PERIOD, abs=3)
        members: Any = admin.zrange("{safetyamp:limiter:t}:calls", 0, -1, withscores=True)
        seconds: Any = admin.time()
        assert all(abs(score / 1_000_000 - seconds[0]) < 3 for _, score in members)
