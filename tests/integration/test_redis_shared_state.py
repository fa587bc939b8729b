"""Limiter and breaker over a real Redis: the contracts, races of threads and of processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from local.fake_clock import FakeClock
from shared.clock import SystemClock
from shared.config import Settings
from shared.errors import CircuitOpen, RateLimited
from shared.resilience.circuit_breaker import LocalCircuitBreaker, SharedCircuitBreaker
from shared.resilience.local_rate_limiter import LocalRateLimiter
from shared.resilience.redis_connection import RedisConnection, connect
from shared.resilience.shared_rate_limiter import SharedRateLimiter
from tests.unit.breaker_contract import RECOVERY, BreakerContract, fail
from tests.unit.limiter_contract import PERIOD, LimiterContract, refusal
from tests.unit.redis_rig import RedisRig, check_that_every_key_expires, make_older

if TYPE_CHECKING:
    from tests.doubles.redis_server import RedisServer

pytest_plugins = ("tests.doubles.redis_server",)

PROCESSES = 3
THREADS = 50


@pytest.fixture
def rig(redis_server: RedisServer) -> Iterator[RedisRig]:
    client = redis_server.client()
    client.flushall()
    yield RedisRig(client=client)
    check_that_every_key_expires(client)
    client.close()


class TestSharedRateLimiter(LimiterContract):
    """The limiter's contract."""


class TestSharedCircuitBreaker(BreakerContract):
    """The breaker's contract."""


def attempts(port: int, kind: str, threads: int, tries: int) -> int:
    """How many of so many tries at once pass; with a client of its own, so also in another process."""
    settings = Settings.model_construct(redis_host="127.0.0.1", redis_port=port)
    # So patient that no busy machine makes the fallback speak.
    connection = RedisConnection(connect(settings, timeout_seconds=60), SystemClock())
    attempt = {"limiter": _limiter_attempt, "breaker": _breaker_attempt}[kind](connection)
    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(lambda _: attempt(), range(tries)))


def _limiter_attempt(connection: RedisConnection) -> Callable[[], bool]:
    fallback = LocalRateLimiter(FakeClock(), 1, PERIOD)
    limiter = SharedRateLimiter(connection, "target", 40, PERIOD, 0, fallback)

    def attempt() -> bool:
        try:
            limiter.complete(limiter.acquire())
        except RateLimited:
            return False
        return True

    return attempt


def _breaker_attempt(connection: RedisConnection) -> Callable[[], bool]:
    fallback = LocalCircuitBreaker(FakeClock(), "target", 3, RECOVERY)
    breaker = SharedCircuitBreaker(connection, "target", 3, RECOVERY, fallback)

    def attempt() -> bool:
        try:
            breaker.before_call()
        except CircuitOpen:
            return False
        return True

    return attempt


def in_processes(port: int, kind: str, tries: int) -> int:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        jobs = [pool.submit(attempts, port, kind, 10, tries) for _ in range(PROCESSES)]
        return sum(job.result() for job in jobs)


@pytest.mark.usefixtures("rig")
def test_exactly_the_limit_passes_when_many_threads_ask_at_once(redis_server: RedisServer) -> None:
    assert attempts(redis_server.port, "limiter", THREADS, 400) == 40


@pytest.mark.usefixtures("rig")
def test_exactly_the_limit_passes_when_processes_ask_at_once(redis_server: RedisServer) -> None:
    assert in_processes(redis_server.port, "limiter", 100) == 40


@pytest.mark.parametrize("ask", ["threads", "processes"])
def test_exactly_one_probe_passes(redis_server: RedisServer, rig: RedisRig, ask: str) -> None:
    fail(rig.breaker(3, RECOVERY), 3)
    make_older(rig.client, RECOVERY)
    if ask == "threads":
        assert attempts(redis_server.port, "breaker", THREADS, 200) == 1
    else:
        assert in_processes(redis_server.port, "breaker", 50) == 1


def test_asking_does_not_prolong_a_block(rig: RedisRig) -> None:
    """Each answer reaches the process a little late; told back to Redis it must not move the end."""
    one, other = rig.limiter(5, PERIOD), rig.limiter(5, PERIOD)
    one.block(30)
    end = _block_ends(rig)
    for _ in range(200):
        refusal(one)
        refusal(other)
    assert _block_ends(rig) <= end + 1


def _block_ends(rig: RedisRig) -> int:
    """The end of the block, in milliseconds of Redis' clock."""
    redis: Any = rig.client
    seconds, microseconds = redis.time()
    return int(seconds * 1000 + microseconds // 1000 + redis.pttl("{safetyamp:limiter:target}:block"))
