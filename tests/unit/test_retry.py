"""Delays between tries, and what upstreams ask for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.resilience.retry import RetryPolicy, parse_retry_after

NOW = datetime(2026, 1, 5, 12, 0, 0, tzinfo=UTC)
POLICY = RetryPolicy(max_attempts=8, max_delay_seconds=30)


@pytest.mark.parametrize(
    ("attempt", "shortest", "longest"),
    [
        (1, 0.5, 1),
        (2, 1, 2),
        (3, 2, 4),
        (5, 8, 16),
        (6, 15, 30),
        (7, 15, 30),
        (8, None, None),
        (9, None, None),
    ],
)
def test_delays_double_up_to_the_longest_and_end(
    attempt: int, shortest: float | None, longest: float | None
) -> None:
    assert POLICY.delay(attempt, None, lambda: 0.0) == shortest
    assert POLICY.delay(attempt, None, lambda: 1.0) == longest


@pytest.mark.parametrize(
    ("attempt", "retry_after", "delay"),
    [(1, 0.4, 0.4), (1, 0, 0), (7, 45, 45), (1, -1, 0), (8, 5, None)],
)
def test_the_upstreams_wish_is_obeyed_within_the_attempts(
    attempt: int, retry_after: float, delay: float | None
) -> None:
    assert POLICY.delay(attempt, retry_after, lambda: 0.5) == delay


def test_one_attempt_means_no_retry() -> None:
    assert RetryPolicy(max_attempts=1, max_delay_seconds=30).delay(1, None, lambda: 0.5) is None


def test_very_many_attempts_stay_at_the_longest_delay() -> None:
    assert RetryPolicy(10_000, 30).delay(5_000, None, lambda: 1.0) == 30


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        (" 30 ", 30.0),
        ("0", 0.0),
        ("0.40235", 0.40235),
        ("-5", 0.0),
        ("86400", 3600.0),
        ("9" * 400, 3600.0),
        ("Mon, 05 Jan 2026 12:00:20 GMT", 20.0),
        ("Monday, 05-Jan-26 12:00:20 GMT", 20.0),
        ("Mon Jan  5 12:00:20 2026", 20.0),
        ("Mon, 05 Jan 2026 11:00:00 GMT", 0.0),
        ("Tue, 05 Jan 2027 12:00:00 GMT", 3600.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("1e3", None),
        ("nan", None),
        ("inf", None),
        ("12 apples", None),
        ("Mon, 99 Jan 2026 12:00:20 GMT", None),
        ("٣٠", None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds
