"""The breaker over this process's memory and over fakeredis, and its going from one to the other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fakeredis import FakeServer

from shared.errors import CacheError, CircuitOpen
from shared.resilience.breaker_state import BreakerRecord, BreakerRules, after_failure
from shared.resilience.circuit_breaker import CircuitBreaker
from tests.unit.breaker_contract import RECOVERY, SLACK, BreakerContract, events, fail, refusal
from tests.unit.redis_rig import LocalRig, RedisRig, check_that_every_key_expires, client_of


class TestLocalCircuitBreaker(BreakerContract):
    @pytest.fixture
    def rig(self) -> LocalRig:
        return LocalRig()


class TestSharedCircuitBreaker(BreakerContract):
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


def probes(breakers: list[CircuitBreaker], tries: int) -> int:
    """How many of so many calls at once were let through."""

    def attempt(number: int) -> bool:
        try:
            breakers[number % len(breakers)].before_call()
        except CircuitOpen:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        return sum(pool.map(attempt, range(tries)))


def test_failures_of_all_processes_count_together(rig: RedisRig) -> None:
    one, other = rig.breaker(3, RECOVERY), rig.breaker(3, RECOVERY)
    fail(one, 2)
    fail(other, 1)
    refusal(one)
    assert (one.state().state, one.state().failures) == ("open", 3)


def test_one_probe_passes_through_all_processes_at_once(rig: RedisRig) -> None:
    breakers: list[CircuitBreaker] = [rig.breaker(3, RECOVERY) for _ in range(5)]
    fail(breakers[0], 3)
    rig.advance(RECOVERY)
    assert probes(breakers, 60) == 1


def test_one_probe_passes_through_all_threads_at_once() -> None:
    local = LocalRig()
    breaker = local.breaker(3, RECOVERY)
    fail(breaker, 3)
    local.advance(RECOVERY)
    assert probes([breaker], 500) == 1


def test_a_failed_probe_reopens_although_the_threshold_has_been_raised(rig: RedisRig) -> None:
    """As by a deployment while the breaker is open."""
    fail(rig.breaker(3, RECOVERY), 3)
    rig.advance(RECOVERY)
    fail(rig.breaker(9, RECOVERY), 1)
    assert refusal(rig.breaker(9, RECOVERY)) == pytest.approx(RECOVERY, abs=SLACK)
    opened = BreakerRecord(failures=3, opened_at=0.0, since=0.0, probe="token")
    rules = BreakerRules(threshold=9, recovery_seconds=RECOVERY)
    assert after_failure(opened, "token", RECOVERY, rules) == BreakerRecord(4, RECOVERY, since=0.0)


def test_an_opening_that_an_older_version_noted_is_as_old_as_its_last_one(rig: RedisRig) -> None:
    fail(rig.breaker(3, RECOVERY), 3)
    rig.advance(RECOVERY)
    fail(rig.breaker(3, RECOVERY), 1)
    [key] = rig.client.scan_iter()
    rig.client.hdel(key, "since")
    rig.advance(10)
    assert rig.breaker(3, RECOVERY).state().open_seconds == pytest.approx(10, abs=SLACK)


def test_processes_that_hear_of_an_opening_do_not_log_it(
    rig: RedisRig, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = rig.breaker(3, RECOVERY), rig.breaker(3, RECOVERY)
    fail(one, 3)
    refusal(other)
    other.state()
    assert events(caplog) == ["breaker_opened"]


def test_what_is_shared_is_not_answered_from_memory(rig: RedisRig, server: FakeServer) -> None:
    breaker = rig.breaker(3, RECOVERY)
    fail(breaker, 3)
    assert breaker.shared_state().state == "open"
    server.connected = False
    with pytest.raises(CacheError):
        breaker.shared_state()
    assert breaker.state().state == "open"


def test_every_key_expires(rig: RedisRig) -> None:
    breaker = rig.breaker(2, RECOVERY)
    redis: Any = rig.client

    def lifetimes() -> list[int]:
        return [redis.ttl(key) for key in redis.scan_iter()]

    fail(breaker, 1)
    assert lifetimes() == [pytest.approx(86_400 + RECOVERY + 60, abs=SLACK)]
    fail(breaker, 1)
    assert lifetimes() == [pytest.approx(86_400 + RECOVERY + 60, abs=SLACK)]
    rig.advance(RECOVERY)
    breaker.before_call()
    assert lifetimes() == [pytest.approx(86_400 + RECOVERY + 60, abs=SLACK)]
    breaker.succeeded()
    assert lifetimes() == []


def test_an_open_breaker_stays_open_when_redis_goes_away(rig: RedisRig, server: FakeServer) -> None:
    one, other = rig.breaker(3, RECOVERY), rig.breaker(3, RECOVERY)
    fail(one, 3)
    refusal(other)
    server.connected = False
    assert refusal(other) == pytest.approx(RECOVERY, abs=SLACK)
    assert other.state().state == "open"


def test_with_redis_away_each_process_opens_and_closes_its_own(rig: RedisRig, server: FakeServer) -> None:
    one, other = rig.breaker(3, RECOVERY), rig.breaker(3, RECOVERY)
    server.connected = False
    fail(one, 3)
    refusal(one)
    other.before_call()
    other.succeeded()
    rig.clock.advance(RECOVERY)
    one.before_call()
    refusal(one)
    one.succeeded()
    assert one.state().state == "closed"


def test_a_probe_counts_although_redis_went_away_meanwhile(rig: RedisRig, server: FakeServer) -> None:
    breaker = rig.breaker(3, RECOVERY)
    fail(breaker, 3)
    rig.advance(RECOVERY)
    breaker.before_call()
    server.connected = False
    breaker.succeeded()
    assert breaker.state().state == "closed"


@pytest.mark.parametrize("seed", range(10))
def test_the_script_is_the_same_machine_as_the_pure_functions(seed: int) -> None:
    """Random calls, outcomes and times give the same answers from both, step by step."""
    dice = random.Random(seed)
    local, shared = LocalRig(), RedisRig()
    breakers = local.breaker(3, RECOVERY), shared.breaker(3, RECOVERY)
    seen = set()
    callers = [ThreadPoolExecutor(1) for _ in range(3)]
    for _ in range(120):
        seconds = dice.choice([0, 0, 0, 40, RECOVERY])
        local.advance(seconds)
        shared.advance(seconds)
        step = dice.choice(["before_call", "before_call", "succeeded", "failed", "failed", "released"])
        caller = dice.choice(callers)
        answers = [caller.submit(answer, breaker, step).result() for breaker in breakers]
        assert answers[0] == answers[1]
        seen.add(answers[0][1])
    assert seen == {"closed", "open", "half-open"}


def answer(breaker: CircuitBreaker, step: str) -> tuple[bool, str, int]:
    """Whether the step was allowed, and the state and failures after it."""
    allowed = True
    try:
        getattr(breaker, step)()
    except CircuitOpen:
        allowed = False
    state = breaker.state()
    return allowed, state.state, state.failures
