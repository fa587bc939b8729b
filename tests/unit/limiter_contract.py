"""What every rate limiter does, wherever its window is kept."""

from __future__ import annotations

import random

import pytest

from shared.errors import RateLimited
from shared.resilience.rate_limiter import LONGEST_CALL_SECONDS, Permit, RateLimiter
from tests.unit.redis_rig import LocalRig

PERIOD = 61.0
SLACK = 3.0
"""Real seconds that may pass unseen while a test runs over a real Redis."""


def take(limiter: RateLimiter, calls: int, *, interactive: bool = False) -> list[Permit]:
    return [limiter.acquire(interactive=interactive) for _ in range(calls)]


def call(limiter: RateLimiter, calls: int) -> None:
    for permit in take(limiter, calls):
        limiter.complete(permit)


def refusal(limiter: RateLimiter, *, interactive: bool = False) -> float:
    """The delay of the refusal that must come."""
    with pytest.raises(RateLimited) as refused:
        limiter.acquire(interactive=interactive)
    return refused.value.delay_seconds


class LimiterContract:
    """Subclasses give the fixture `rig`."""

    def test_permits_as_many_calls_as_the_window_holds(self, rig: LocalRig) -> None:
        limiter = rig.limiter(5, PERIOD)
        call(limiter, 5)
        assert refusal(limiter) == pytest.approx(PERIOD, abs=SLACK)

    def test_leaves_the_reserve_to_interactive_work(self, rig: LocalRig) -> None:
        limiter = rig.limiter(5, PERIOD, reserve=2)
        take(limiter, 3)
        refusal(limiter)
        take(limiter, 2, interactive=True)
        refusal(limiter, interactive=True)

    def test_a_reserve_of_everything_leaves_bulk_work_what_one_change_may_need(self, rig: LocalRig) -> None:
        limiter = rig.limiter(3, PERIOD, reserve=3)
        take(limiter, 2)
        refusal(limiter)

    def test_a_slot_is_free_one_period_after_the_answer_not_after_the_request(self, rig: LocalRig) -> None:
        limiter = rig.limiter(1, PERIOD)
        permit = limiter.acquire()
        rig.advance(20)
        limiter.complete(permit)
        rig.advance(PERIOD - SLACK)
        refusal(limiter)
        rig.advance(SLACK)
        limiter.acquire()

    def test_the_delay_reaches_the_moment_at_which_a_slot_becomes_free(self, rig: LocalRig) -> None:
        limiter = rig.limiter(3, PERIOD, reserve=1)
        call(limiter, 1)
        rig.advance(10)
        call(limiter, 1)
        limiter.complete(limiter.acquire(interactive=True))
        assert refusal(limiter, interactive=True) == pytest.approx(PERIOD - 10, abs=SLACK)
        delay = refusal(limiter)
        assert delay == pytest.approx(PERIOD, abs=SLACK)
        rig.advance(delay)
        limiter.acquire()

    def test_a_call_in_flight_may_end_at_any_time_so_ask_again_after_a_period(self, rig: LocalRig) -> None:
        limiter = rig.limiter(1, PERIOD)
        limiter.acquire()
        assert refusal(limiter) == pytest.approx(PERIOD, abs=SLACK)

    def test_a_crashed_call_frees_its_slot_when_it_cannot_be_counted_any_more(self, rig: LocalRig) -> None:
        limiter = rig.limiter(1, PERIOD)
        limiter.acquire()
        rig.advance(PERIOD + LONGEST_CALL_SECONDS - SLACK)
        assert refusal(limiter) < PERIOD
        rig.advance(SLACK)
        limiter.acquire()

    def test_a_call_that_outlives_its_slot_takes_it_again_when_it_ends(self, rig: LocalRig) -> None:
        limiter = rig.limiter(1, PERIOD)
        permit = limiter.acquire()
        rig.advance(PERIOD + LONGEST_CALL_SECONDS + 1)
        limiter.complete(permit)
        refusal(limiter)

    def test_a_block_stops_everybody_for_its_time(self, rig: LocalRig) -> None:
        limiter = rig.limiter(5, PERIOD, reserve=2)
        limiter.block(40)
        limiter.block(1)
        assert refusal(limiter, interactive=True) == pytest.approx(40, abs=SLACK)
        rig.advance(40 - SLACK)
        refusal(limiter)
        rig.advance(SLACK)
        limiter.acquire()

    def test_asking_again_and_again_does_not_prolong_a_block(self, rig: LocalRig) -> None:
        limiter = rig.limiter(5, PERIOD)
        limiter.block(40)
        for _ in range(38):
            rig.advance(1)
            refusal(limiter)
        rig.advance(2)
        limiter.acquire()

    def test_usage_tells_slots_limit_and_block(self, rig: LocalRig) -> None:
        limiter = rig.limiter(5, PERIOD)
        call(limiter, 2)
        limiter.block(30)
        usage = limiter.usage()
        assert (usage.used, usage.limit) == (2, 5)
        assert usage.blocked_seconds == pytest.approx(30, abs=SLACK)
        rig.advance(PERIOD)
        assert (limiter.usage().used, limiter.usage().blocked_seconds) == (0, 0)

    @pytest.mark.parametrize("seed", range(5))
    def test_no_window_ever_holds_more_calls_however_slow_they_are(self, rig: LocalRig, seed: int) -> None:
        dice = random.Random(seed)
        limiter = rig.limiter(6, PERIOD)
        answered: list[float] = []
        in_flight: list[tuple[float, Permit]] = []
        for _ in range(150):
            overdue = in_flight and in_flight[0][0] < rig.now - LONGEST_CALL_SECONDS + 30
            if overdue or (in_flight and dice.random() < 0.5):
                limiter.complete(in_flight.pop(0)[1])
                answered.append(rig.now)
            else:
                try:
                    in_flight.append((rig.now, limiter.acquire()))
                except RateLimited:
                    rig.advance(dice.uniform(0, 25))
                    continue
            # Counted at the latest moment possible: in flight now, or when they were answered.
            recent = [moment for moment in answered if moment > rig.now - PERIOD + SLACK]
            assert len(in_flight) + len(recent) <= 6
            if dice.random() < 0.3:
                rig.advance(dice.uniform(0, 5))
        assert len(answered) > 6
