"""What the times of calls say about a limit."""

from __future__ import annotations

import pytest

from local.bench.call_windows import achieved_of_allowed, calls_per_window, fullest_window

PERIOD = 10.0


@pytest.mark.parametrize(
    ("times", "fullest"),
    [([], 0), ([5.0], 1), ([0.0, 9.9], 2), ([0.0, 10.0], 1), ([0.0, 6.0, 9.0, 15.0, 15.5, 20.0], 4)],
)
def test_the_fullest_window_is_half_open_and_may_begin_anywhere(times: list[float], fullest: int) -> None:
    assert fullest_window(times, PERIOD) == fullest


def test_calls_are_counted_window_by_window_from_the_first_call_on() -> None:
    assert calls_per_window([3.0, 4.0, 12.9, 13.0, 35.0], PERIOD) == [3, 1, 0, 1]
    assert calls_per_window([], PERIOD) == []


def bursts(windows: int, spread: float, cycle: float) -> list[float]:
    return [window * cycle + place * spread for window in range(windows) for place in range(4)]


@pytest.mark.parametrize("spread", [0.0, 0.5, 2.5])
def test_calls_as_early_as_the_limit_allows_achieve_all_of_it_however_they_are_spread(spread: float) -> None:
    assert achieved_of_allowed(bursts(3, spread, PERIOD), 4, PERIOD) == 1.0


def test_windows_that_come_late_achieve_less_and_the_last_unfilled_one_does_not_count() -> None:
    late = [*bursts(3, 0.1, 12.5), 37.5, 49.0]
    assert achieved_of_allowed(late, 4, PERIOD) == pytest.approx(0.8)


def test_too_few_calls_say_nothing() -> None:
    assert achieved_of_allowed([0.0, 1.0, 2.0, 3.0], 4, PERIOD) is None
