"""When a schedule comes next: NCRONTAB's rules, where they are cron's beside croniter's verdict."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from croniter import croniter

from shared.ncrontab import next_time

MONDAY = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ("0 0 * * * *", "2026-03-02 12:00:00", "2026-03-02 13:00:00"),
        ("0 0 * * * *", "2026-03-02 11:59:59.999", "2026-03-02 12:00:00"),
        ("0 0 * * * *", "2026-03-02 12:00:00.5", "2026-03-02 13:00:00"),
        ("0 30 8 * * *", "2026-03-02 12:00:00", "2026-03-03 08:30:00"),
        ("0 */5 * * * *", "2026-12-31 23:57:00", "2027-01-01 00:00:00"),
        ("0 0 9 * * Mon-Fri", "2026-03-06 09:00:00", "2026-03-09 09:00:00"),
        ("0 0 9 * * fri-mon", "2026-03-06 09:00:00", "2026-03-09 09:00:00"),
        ("0 0 0 29 feb *", "2026-03-02 12:00:00", "2028-02-29 00:00:00"),
        ("0 0 0 29 2 *", "2096-03-01 00:00:00", "2104-02-29 00:00:00"),
        ("0 5/15 * * * *", "2026-03-02 12:36:00", "2026-03-02 12:50:00"),
        ("10,40 0 0 1 1,jul *", "2026-07-01 00:00:10", "2026-07-01 00:00:40"),
    ],
)
def test_the_next_moment(schedule: str, after: str, expected: str) -> None:
    found = next_time(schedule, datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_day_and_weekday_must_both_match() -> None:
    # Cron's rule, one of both, would say Tuesday the 3rd.
    assert next_time("0 0 0 13 * 5", MONDAY) == datetime(2026, 3, 13, tzinfo=UTC)
    assert next_time("0 0 0 14 * 5", MONDAY) == datetime(2026, 8, 14, tzinfo=UTC)


def test_what_never_comes_is_none() -> None:
    assert next_time("0 0 0 31 2 *", MONDAY) is None


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        ("", "0 fields"),
        ("0 0 * * *", "5 fields"),
        ("0 0 * * * * *", "7 fields"),
        ("60 * * * * *", "'60' is no second"),
        ("0 61 * * * *", "'61' is no minute"),
        ("0 x * * * *", "'x' is no minute"),
        ("0 ² * * * *", "'²' is no minute"),
        ("0 1- * * * *", "'1-' is no minute"),
        ("0 -1 * * * *", "'-1' is no minute"),
        ("0 */x * * * *", "'[*]/x' is no minute"),
        ("0 1,,2 * * * *", "'' is no minute"),
        ("0 *-5 * * * *", "'[*]-5' is no minute"),
        ("0 0 24 * * *", "'24' is no hour"),
        ("0 0 18-24 * * *", "'18-24' is no hour"),
        ("0 0 0 0 * *", "'0' is no day"),
        ("0 0 0 ? * *", "'[?]' is no day"),
        ("0 0 0 1 13 *", "'13' is no month"),
        ("0 0 0 * Mon *", "'Mon' is no month"),
        ("0 0 0 * * 7", "'7' is no weekday"),
        ("0 0 0 * * Som", "'Som' is no weekday"),
    ],
)
def test_what_is_no_schedule_is_refused_by_field(schedule: str, told: str) -> None:
    with pytest.raises(ValueError, match=f"^{told}"):
        next_time(schedule, MONDAY)


def test_agrees_with_croniter_wherever_both_have_the_same_rule() -> None:
    dice = random.Random(7)
    for _ in range(400):
        schedule = " ".join(
            _field(dice, lowest, highest)
            for lowest, highest in ((0, 59), (0, 59), (0, 23), (1, 28), (1, 12), (0, 6))
        )
        after = MONDAY + timedelta(seconds=dice.randrange(400 * 86_400))
        oracle = croniter(
            schedule, after, second_at_beginning=True, day_or=False, max_years_between_matches=60
        )
        expected = oracle.get_next(datetime)
        if expected - after < timedelta(days=366 * 9):
            assert next_time(schedule, after) == expected, (schedule, after)


def _field(dice: random.Random, lowest: int, highest: int) -> str:
    # Two different values: croniter takes 6-6/2 for a range all the way round.
    first, second = sorted(dice.sample(range(lowest, highest + 1), 2))
    return dice.choice(
        [
            *("*", "*", f"*/{dice.randint(1, 20)}", str(first)),
            *(f"{first}-{second}", f"{first},{second}", f"{first}-{second}/{dice.randint(1, 5)}"),
        ]
    )
