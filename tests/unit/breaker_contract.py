"""What every circuit breaker does, wherever its state is kept."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from shared.errors import CircuitOpen
from shared.resilience.breaker_state import PROBE_LEASE_SECONDS
from shared.resilience.circuit_breaker import CircuitBreaker
from tests.unit.redis_rig import LocalRig

T = TypeVar("T")
RECOVERY = 300.0
SLACK = 3.0


def elsewhere(work: Callable[[], T]) -> T:
    """In another thread, as another call would be."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def fail(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        breaker.before_call()
        breaker.failed()


def succeed(breaker: CircuitBreaker) -> None:
    breaker.before_call()
    breaker.succeeded()


def refusal(breaker: CircuitBreaker) -> float:
    """The delay of the refusal that must come, to another caller."""
    with pytest.raises(CircuitOpen) as refused:
        elsewhere(breaker.before_call)
    return refused.value.delay_seconds


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The events that were logged so far."""
    return [vars(record)["event"] for record in caplog.records if "event" in vars(record)]


class BreakerContract:
    """Subclasses give the fixture `rig`."""

    def open(self, rig: LocalRig) -> CircuitBreaker:
        breaker = rig.breaker(3, RECOVERY)
        fail(breaker, 3)
        return breaker

    def probing(self, rig: LocalRig) -> CircuitBreaker:
        """Half-open, this thread's call being the probe."""
        breaker = self.open(rig)
        rig.advance(RECOVERY)
        breaker.before_call()
        return breaker

    def test_opens_after_consecutive_failures_only(self, rig: LocalRig) -> None:
        breaker = rig.breaker(3, RECOVERY)
        fail(breaker, 2)
        succeed(breaker)
        fail(breaker, 2)
        assert breaker.state().state == "closed"
        assert breaker.state().failures == 2
        fail(breaker, 1)
        assert breaker.state().state == "open"

    def test_refuses_while_open_and_tells_for_how_long(self, rig: LocalRig) -> None:
        breaker = self.open(rig)
        rig.advance(100)
        assert refusal(breaker) == pytest.approx(RECOVERY - 100, abs=SLACK)
        assert breaker.state().retry_after_seconds == pytest.approx(RECOVERY - 100, abs=SLACK)

    def test_lets_exactly_one_probe_through(self, rig: LocalRig) -> None:
        breaker = self.probing(rig)
        assert breaker.state().state == "half-open"
        assert refusal(breaker) == pytest.approx(PROBE_LEASE_SECONDS, abs=SLACK)
        refusal(breaker)

    def test_closes_when_the_probe_succeeds(self, rig: LocalRig) -> None:
        breaker = self.probing(rig)
        breaker.succeeded()
        state = breaker.state()
        assert (state.name, state.state, state.failures, state.retry_after_seconds) == (
            "target",
            "closed",
            0,
            0,
        )
        fail(breaker, 2)
        breaker.before_call()

    def test_opens_for_the_full_time_when_the_probe_fails(self, rig: LocalRig) -> None:
        breaker = self.probing(rig)
        breaker.failed()
        assert refusal(breaker) == pytest.approx(RECOVERY, abs=SLACK)

    def test_tells_for_how_long_it_is_open_whatever_probes_found(self, rig: LocalRig) -> None:
        breaker = self.open(rig)
        for _ in range(2):
            rig.advance(RECOVERY)
            fail(breaker, 1)
        rig.advance(10)
        assert breaker.state().open_seconds == pytest.approx(2 * RECOVERY + 10, abs=SLACK)
        rig.advance(RECOVERY)
        succeed(breaker)
        assert breaker.state().open_seconds == 0

    def test_logs_the_opening_and_the_closing_once_each(
        self, rig: LocalRig, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO", "shared")
        breaker = rig.breaker(3, RECOVERY)
        fail(breaker, 2)
        succeed(breaker)
        assert events(caplog) == []
        fail(breaker, 3)
        rig.advance(RECOVERY)
        fail(breaker, 1)
        assert events(caplog) == ["breaker_opened"]
        rig.advance(RECOVERY)
        succeed(breaker)
        succeed(breaker)
        assert events(caplog) == ["breaker_opened", "breaker_closed"]
        assert {vars(record)["service"] for record in caplog.records} == {"target"}

    def test_a_released_probe_goes_to_the_next_caller(self, rig: LocalRig) -> None:
        breaker = self.probing(rig)
        breaker.released()
        elsewhere(breaker.before_call)
        refusal(breaker)

    def test_a_crashed_probe_blocks_only_for_its_lease(self, rig: LocalRig) -> None:
        breaker = self.probing(rig)
        rig.advance(PROBE_LEASE_SECONDS)
        assert breaker.state().retry_after_seconds == 0
        elsewhere(breaker.before_call)
        refusal(breaker)

    def test_a_probe_that_lost_its_lease_to_another_decides_nothing(self, rig: LocalRig) -> None:
        breaker = self.probing(rig)
        rig.advance(PROBE_LEASE_SECONDS)
        elsewhere(breaker.before_call)
        breaker.succeeded()
        assert breaker.state().state == "half-open"

    @pytest.mark.parametrize("outcome", ["succeeded", "failed", "released"])
    def test_calls_from_before_the_opening_change_nothing_while_it_is_open(
        self, rig: LocalRig, outcome: str
    ) -> None:
        breaker = rig.breaker(3, RECOVERY)
        with ThreadPoolExecutor(1) as latecomer:
            latecomer.submit(breaker.before_call).result()
            fail(breaker, 3)
            rig.advance(100)
            latecomer.submit(getattr(breaker, outcome)).result()
            assert refusal(breaker) == pytest.approx(RECOVERY - 100, abs=SLACK)

    @pytest.mark.parametrize("outcome", ["succeeded", "failed", "released"])
    def test_calls_from_before_the_opening_do_not_take_the_probe_away(
        self, rig: LocalRig, outcome: str
    ) -> None:
        breaker = rig.breaker(3, RECOVERY)
        with ThreadPoolExecutor(1) as latecomer:
            latecomer.submit(breaker.before_call).result()
            fail(breaker, 3)
            rig.advance(RECOVERY)
            breaker.before_call()
            latecomer.submit(getattr(breaker, outcome)).result()
        refusal(breaker)
        breaker.succeeded()
        assert breaker.state().state == "closed"

    def test_a_call_that_said_nothing_does_not_end_a_row_of_failures(self, rig: LocalRig) -> None:
        breaker = rig.breaker(3, RECOVERY)
        fail(breaker, 2)
        breaker.before_call()
        breaker.released()
        fail(breaker, 1)
        refusal(breaker)
