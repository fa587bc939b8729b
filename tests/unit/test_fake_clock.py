"""A clock that moves only when told to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from local.fake_clock import START, FakeClock


def test_sleeping_moves_the_time_and_is_remembered() -> None:
    clock = FakeClock()
    before = clock.monotonic()
    clock.sleep(90)
    clock.sleep(0.5)
    assert clock.now() - START == timedelta(seconds=90.5)
    assert clock.monotonic() - before == 90.5
    assert clock.sleeps == [90, 0.5]


def test_time_only_moves_forward() -> None:
    clock = FakeClock(datetime(2026, 3, 1, tzinfo=UTC))
    clock.advance_to(datetime(2026, 3, 2, tzinfo=UTC))
    clock.advance_to(datetime(2026, 2, 1, tzinfo=UTC))
    assert clock.now() == datetime(2026, 3, 2, tzinfo=UTC)
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-1)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        FakeClock(datetime(2026, 3, 1))  # noqa: DTZ001
