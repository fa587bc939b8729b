"""The guard: numbers in, reasons out."""

from __future__ import annotations

import pytest

from shared.errors import IncompleteRead
from shared.sync.planning.guard import (
    EMPLOYEES_ACCOUNTS,
    GuardLimits,
    guard,
    keys_exchanged,
    refuse_empty,
    refuse_shrunk_listing,
    source_doubled,
)

LIMITS = GuardLimits(max_deactivations=10, max_percent=20)

DEACTIVATIONS: list[tuple[int, int, int]] = [
    (0, 0, 0),
    (0, 100, 0),
    (10, 50, 0),
    (10, 49, 1),
    (11, 1000, 1),
    (11, 20, 2),
    (1, 5, 0),
    (1, 4, 1),
    (1, 0, 1),
]


@pytest.mark.parametrize(("deactivations", "size", "reasons"), DEACTIVATIONS)
def test_deactivations_beyond_number_or_percentage_are_held(
    deactivations: int, size: int, reasons: int
) -> None:
    found = guard(LIMITS, deactivations=deactivations, size=size, source_counts={}, last_counts={})
    assert len(found) == reasons
    assert all(str(deactivations) in reason for reason in found)


@pytest.mark.parametrize(
    ("limits", "deactivations", "held"),
    [
        (GuardLimits(0, 100), 1, True),
        (GuardLimits(0, 100), 0, False),
        (GuardLimits(1000, 0), 1, True),
        (GuardLimits(1000, 0), 0, False),
        (GuardLimits(1000, 100), 100, False),
        (GuardLimits(1000, 0.5), 1, True),
    ],
)
def test_limits_at_their_bounds(limits: GuardLimits, deactivations: int, held: bool) -> None:
    found = guard(limits, deactivations=deactivations, size=100, source_counts={}, last_counts={})
    assert bool(found) is held


SOURCES: list[tuple[dict[str, int], dict[str, int], int]] = [
    ({"Vista jobs": 80}, {"Vista jobs": 100}, 0),
    ({"Vista jobs": 79}, {"Vista jobs": 100}, 1),
    ({"Vista jobs": 1000}, {"Vista jobs": 100}, 0),
    ({"Vista jobs": 0}, {"Vista jobs": 0}, 0),
    ({"Vista jobs": 1}, {}, 0),
    ({}, {"Vista jobs": 100}, 0),
    ({"a": 1, "b": 2}, {"a": 10, "b": 20}, 2),
    ({EMPLOYEES_ACCOUNTS: 2}, {EMPLOYEES_ACCOUNTS: 12}, 0),
    ({EMPLOYEES_ACCOUNTS: 1}, {EMPLOYEES_ACCOUNTS: 12}, 1),
    ({EMPLOYEES_ACCOUNTS: 80}, {EMPLOYEES_ACCOUNTS: 100}, 0),
]


@pytest.mark.parametrize(("now", "last", "reasons"), SOURCES)
def test_a_source_that_shrank_beyond_the_percentage_is_held(
    now: dict[str, int], last: dict[str, int], reasons: int
) -> None:
    found = guard(LIMITS, deactivations=0, size=100, source_counts=now, last_counts=last)
    assert len(found) == reasons


def test_a_reason_names_both_numbers_and_the_setting() -> None:
    [number, share, source] = guard(
        LIMITS, deactivations=30, size=100, source_counts={"Vista jobs": 5}, last_counts={"Vista jobs": 50}
    )
    assert "30" in number
    assert "GUARD_MAX_DEACTIVATIONS is 10" in number
    assert "30 of 100" in share
    assert "GUARD_MAX_PERCENT is 20" in share
    assert "Vista jobs: 5 records where the last good run read 50" in source


def test_an_empty_source_is_an_error_and_says_what_was_there() -> None:
    refuse_empty("Vista jobs", 1, 100, "Check it")
    with pytest.raises(IncompleteRead, match=r"Vista jobs.*last good run read 100.*Check it"):
        refuse_empty("Vista jobs", 0, 100, "Check it")
    with pytest.raises(IncompleteRead, match="Check it"):
        refuse_empty("Vista jobs", 0, None, "Check it")


@pytest.mark.parametrize(
    ("count", "last", "believed"),
    [
        *[(80, 100, True), (79, 100, False), (0, 100, False), (3, 4, True), (2, 4, False)],
        *[(0, None, True), (0, 0, True), (300, 100, True)],
    ],
)
def test_a_listing_that_lost_much_is_not_believed(count: int, last: int | None, believed: bool) -> None:
    if believed:
        refuse_shrunk_listing("jobs", count, last, LIMITS, "state/jobs.json.gz")
        return
    with pytest.raises(IncompleteRead, match=r"state/jobs\.json\.gz"):
        refuse_shrunk_listing("jobs", count, last, LIMITS, "state/jobs.json.gz")


EXCHANGES: list[tuple[str, int, int, int, bool]] = [
    ("a renumbered company", 500, 500, 500, True),
    ("a fifth of it", 500, 100, 100, False),
    ("more than a fifth", 500, 101, 101, True),
    ("a renumbered company of eight", 8, 8, 8, True),
    ("half of eight", 8, 4, 4, True),
    ("less than half of eight", 8, 3, 3, False),
    ("both of two", 2, 2, 2, True),
    ("one of two", 2, 1, 1, False),
    ("the only one", 1, 1, 1, False),
    ("everybody stays, and many come", 500, 0, 400, False),
    ("many vanish, and nobody comes", 500, 400, 0, False),
    ("many vanish, and few come", 500, 400, 10, False),
    ("ten of forty", 40, 10, 10, False),
    ("eleven of forty", 40, 11, 11, True),
    ("a first load", 0, 0, 500, False),
    ("another, smaller company", 500, 480, 200, True),
    ("another, larger company", 200, 190, 900, True),
]


@pytest.mark.parametrize(
    ("known", "vanished", "created", "held"), [case[1:] for case in EXCHANGES], ids=[c[0] for c in EXCHANGES]
)
def test_keys_that_look_exchanged_are_held(known: int, vanished: int, created: int, held: bool) -> None:
    found = keys_exchanged(LIMITS, known=known, vanished=vanished, created=created)
    assert bool(found) is held
    assert all(f"{vanished} of {known}" in reason and "VISTA_COMPANY" in reason for reason in found)


@pytest.mark.parametrize(
    ("count", "last", "held"),
    [(100, 50, False), (101, 50, True), (98, 49, False), (1000, 49, False), (5, None, False), (5, 0, False)],
)
def test_a_source_that_more_than_doubled_is_held_unless_it_was_small(
    count: int, last: int | None, held: bool
) -> None:
    assert bool(source_doubled("Vista employees", count, last)) is held
