"""The limiter over this process's memory and over fakeredis, and its going from one to the other."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fakeredis import FakeServer

from local.fake_clock import FakeClock
from shared.errors import RateLimited
from shared.resilience.local_rate_limiter import LocalRateLimiter
from shared.resilience.rate_limiter import LONGEST_CALL_SECONDS, RateLimiter, UnlimitedRateLimiter
from shared.resilience.shared_rate_limiter import ACQUIRE
from tests.unit.limiter_contract import PERIOD, SLACK, LimiterContract, call, refusal, take
from tests.unit.redis_rig import LocalRig, RedisRig, check_that_every_key_expires, client_of


class TestLocalRateLimiter(LimiterContract):
    @pytest.fixture
    def rig(self) -> LocalRig:
        return LocalRig()


class TestSharedRateLimiter(LimiterContract):
    @pytest.fixture
    def rig(self) -> Iterator[RedisRig]:
        rig = RedisRig()
        yield rig
        check_that_every_key_expires(rig.client)


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def rig(server: FakeServer) -> RedisRig:
    return RedisRig(client=client_of(server))


def permitted(limiter: RateLimiter, tries: int, threads: int) -> int:
    """How many of so many tries at once got a permit."""

    def attempt(_: int) -> bool:
        try:
            limiter.acquire()
        except RateLimited:
            return False
        return True

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(attempt, range(tries)))


def test_two_processes_share_one_window(rig: RedisRig) -> None:
    one, other = rig.limiter(5, PERIOD), rig.limiter(5, PERIOD)
    take(one, 2)
    take(other, 3)
    refusal(one)
    assert one.usage().used == 5


def test_a_block_reaches_other_processes(rig: RedisRig) -> None:
    one, other = rig.limiter(5, PERIOD), rig.limiter(5, PERIOD)
    one.block(30)
    assert refusal(other) == pytest.approx(30, abs=SLACK)


def test_a_shorter_block_of_another_process_does_not_shorten_a_longer_one(rig: RedisRig) -> None:
    one, other, third = (rig.limiter(5, PERIOD) for _ in range(3))
    one.block(40)
    other.block(1)
    assert refusal(third) == pytest.approx(40, abs=SLACK)


def test_other_processes_see_a_call_that_outlived_its_slot(rig: RedisRig) -> None:
    one, other = rig.limiter(1, PERIOD), rig.limiter(1, PERIOD)
    permit = one.acquire()
    rig.advance(PERIOD + LONGEST_CALL_SECONDS + 1)
    one.complete(permit)
    refusal(other)


def test_the_same_request_sent_twice_takes_one_slot(rig: RedisRig) -> None:
    """As after a connection that broke before the answer came: redis-py sends the script again."""
    keys = ["{safetyamp:limiter:target}:calls", "{safetyamp:limiter:target}:block"]
    for _ in range(2):
        granted, _wait, _blocked = ACQUIRE.run(rig.client, keys, ["permit", 1, 61_000_000, 60_000_000, 0])
        assert granted
    assert rig.limiter(1, PERIOD).usage().used == 1


def test_exactly_the_limit_passes_when_many_threads_ask_at_once(rig: RedisRig) -> None:
    assert permitted(rig.limiter(20, PERIOD), tries=60, threads=20) == 20


def test_exactly_the_limit_passes_locally_when_many_threads_ask_at_once() -> None:
    assert permitted(LocalRig().limiter(20, PERIOD), tries=500, threads=50) == 20


def test_every_key_expires(rig: RedisRig) -> None:
    limiter = rig.limiter(5, PERIOD)
    permit = limiter.acquire()
    rig.client.flushall()
    limiter.complete(permit)
    limiter.block(30)
    redis: Any = rig.client
    lifetimes = {key: redis.pttl(key) for key in redis.scan_iter()}
    assert len(lifetimes) == 2
    assert all(0 < lifetime < 3_600_000 for lifetime in lifetimes.values())
    assert all(key.startswith(b"{safetyamp:limiter:target}:") for key in lifetimes)


def test_with_redis_away_a_process_keeps_to_its_share(rig: RedisRig, server: FakeServer) -> None:
    limiter = rig.limiter(24, PERIOD)
    server.connected = False
    take(limiter, 6)
    refusal(limiter)
    assert (limiter.usage().used, limiter.usage().limit) == (6, 6)


def test_calls_made_before_redis_went_away_still_count(rig: RedisRig, server: FakeServer) -> None:
    limiter = rig.limiter(24, PERIOD)
    call(limiter, 15)
    server.connected = False
    assert refusal(limiter) == pytest.approx(PERIOD, abs=SLACK)


def test_a_block_outlives_redis(rig: RedisRig, server: FakeServer) -> None:
    one, other = rig.limiter(8, PERIOD), rig.limiter(8, PERIOD)
    one.block(30)
    refusal(other)
    server.connected = False
    assert refusal(other) == pytest.approx(30, abs=SLACK)


def test_calls_and_blocks_from_while_redis_was_away_count_when_it_is_back(
    rig: RedisRig, server: FakeServer
) -> None:
    limiter = rig.limiter(8, PERIOD)
    server.connected = False
    call(limiter, 2)
    server.connected = True
    rig.advance(5)
    take(limiter, 6)
    assert refusal(limiter) == pytest.approx(PERIOD - 5, abs=SLACK)


def test_a_block_from_while_redis_was_away_reaches_others_when_it_is_back(
    rig: RedisRig, server: FakeServer
) -> None:
    one, other = rig.limiter(8, PERIOD), rig.limiter(8, PERIOD)
    server.connected = False
    one.block(30)
    server.connected = True
    rig.advance(5)
    refusal(one)
    assert refusal(other) == pytest.approx(25, abs=SLACK)


def test_a_redis_that_forgot_everything_is_told_again(rig: RedisRig) -> None:
    limiter = rig.limiter(5, PERIOD)
    call(limiter, 3)
    rig.client.flushall()
    take(limiter, 2)
    refusal(limiter)


@pytest.mark.parametrize(
    ("calls", "share", "permits", "after"),
    [
        (60, 1 / 4, 15, 61),
        (60, 1 / 7, 8, 61),
        (60, 1 / 3, 20, 61),
        (2, 1 / 4, 2, 244),
        (60, 1 / 120, 6, 732),
        (1, 1 / 4, 1, 244),
        (98, 1 / 49, 6, 183),
    ],
)
def test_shares_of_all_processes_stay_within_the_limit(
    calls: int, share: float, permits: int, after: float
) -> None:
    clock = FakeClock()
    limiter = LocalRateLimiter(clock, calls, 61, share=share)
    call(limiter, permits)
    assert refusal(limiter) == after


def test_an_unlimited_upstream_is_left_alone_when_it_asks_for_it() -> None:
    clock = FakeClock()
    limiter = UnlimitedRateLimiter(clock, "samsara")
    call(limiter, 1000)
    limiter.block(0.4)
    limiter.block(0.1)
    assert refusal(limiter) == pytest.approx(0.4)
    clock.advance(0.4)
    limiter.acquire()
