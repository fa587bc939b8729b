"""The guard: numbers in, reasons out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, cast

import pytest

from shared.config import load_settings
from shared.errors import IncompleteRead
from shared.sync.model import Action
from shared.sync.planning.guard import (
    EMPLOYEES_ACCOUNTS,
    GuardLimits,
    Judgement,
    guard,
    keys_exchanged,
    refuse_empty,
    refuse_shrunk_listing,
    source_doubled,
)
from shared.sync.planning.limits import limits_of
from tests.unit.engine_rig import REQUIRED


def limits(count: int, percent: float) -> GuardLimits:
    guarded = {"GUARD_MAX_DEACTIVATIONS": str(count), "GUARD_MAX_PERCENT": f"{percent:g}"}
    return limits_of(load_settings({**REQUIRED, **guarded}))


LIMITS = limits(10, 20)
ACCESS: tuple[Action, ...] = ("deactivate", "reactivate")


def judged(
    limits: GuardLimits = LIMITS,
    *,
    size: int = 100,
    now: Mapping[str, int] | None = None,
    last: Mapping[str, int] | None = None,
    recent: Mapping[str, int] | None = None,
    always: Collection[Action] = (),
    **planned: int,
) -> Judgement:
    return guard(
        *(limits, planned),
        size=size,
        source_counts=now or {},
        last_counts=last or {},
        recent=recent,
        always=always,
    )


BEYOND: list[tuple[int, int, int]] = [
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


@pytest.mark.parametrize(("count", "size", "reasons"), BEYOND)
@pytest.mark.parametrize("action", ACCESS)
def test_access_that_is_taken_or_given_back_beyond_number_or_percentage_is_held(
    action: Action, count: int, size: int, reasons: int
) -> None:
    found = judged(size=size, **cast("dict[str, Any]", {action: count}))
    assert not found.everything
    assert [len(texts) for texts in found.parts.values()] == ([reasons] if reasons else [])
    assert all(str(count) in reason for reason in found.reasons_for(action))


@pytest.mark.parametrize("action", ["create", "update"])
def test_what_is_new_or_changed_has_no_limit_of_its_own(action: Action) -> None:
    assert not judged(size=1, recent={action: 900}, **cast("dict[str, Any]", {action: 5000})).parts


def test_a_part_that_is_held_holds_no_other() -> None:
    found = judged(create=5, update=7, deactivate=11)
    assert set(found.parts) == {"deactivate"}
    assert not found.reasons_for("create")


@pytest.mark.parametrize(
    ("limits", "count", "held"),
    [
        (limits(0, 100), 1, True),
        (limits(0, 100), 0, False),
        (limits(1000, 0), 1, True),
        (limits(1000, 0), 0, False),
        (limits(1000, 100), 100, False),
        (limits(1000, 0.5), 1, True),
    ],
)
def test_limits_at_their_bounds(limits: GuardLimits, count: int, held: bool) -> None:
    assert bool(judged(limits, deactivate=count).parts) is held


@pytest.mark.parametrize(
    ("recent", "count", "held"),
    [(10, 10, False), (11, 10, True), (20, 1, True), (20, 0, False), (0, 10, False)],
)
@pytest.mark.parametrize("action", ACCESS)
def test_what_nobody_approved_in_the_last_day_counts_with_what_is_planned(
    action: Action, recent: int, count: int, held: bool
) -> None:
    found = judged(size=1000, recent={action: recent}, **cast("dict[str, Any]", {action: count}))
    assert bool(found.parts) is held
    for reason in found.reasons_for(action):
        assert f"{count} people would" in reason
        assert f"after {recent} in the last 24 hours" in reason
        assert f"together {recent + count}, and 20 are the limit" in reason


def test_a_part_of_which_a_rule_says_so_is_held_whatever_its_number() -> None:
    found = judged(create=1, update=1, always=("create", "reactivate"))
    assert found.parts == {"create": ["1 records would be created, and a rule says to ask first"]}


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
def test_a_source_that_shrank_beyond_the_percentage_holds_everything(
    now: dict[str, int], last: dict[str, int], reasons: int
) -> None:
    found = judged(now=now, last=last, create=1)
    assert len(found.everything) == reasons
    assert found.reasons_for("create") == found.everything


def test_a_reason_names_both_numbers_and_the_setting() -> None:
    found = judged(now={"Vista jobs": 5}, last={"Vista jobs": 50}, deactivate=30)
    [source, number, share] = found.reasons_for("deactivate")
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
