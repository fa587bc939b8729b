"""What is worth a notice, and from when on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.notices.conditions import (
    MOST_CHARACTERS,
    Condition,
    Limits,
    Observation,
    RunTrouble,
    conditions,
    is_unknown,
    span,
)
from tests.real_parts import PROJECT

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
LIMITS = Limits(timedelta(minutes=10), timedelta(hours=3), 25)
RUN = "20260105-110000-abcdef"


def found(**seen: Any) -> list[Condition]:
    watching_since = seen.pop("watching_since", NOW)
    return conditions(Observation(NOW, **{"last_done_at": NOW, **seen}), LIMITS, watching_since)


def test_nothing_is_wrong_when_all_is_well() -> None:
    well: dict[str, Any] = {"breakers": {"safetyamp": timedelta()}, "failing": {"jobs": 25}}
    assert found(last_done_at=NOW - LIMITS.success, **well) == []


@pytest.mark.parametrize(("what", "name"), [("failed", "run-failed"), ("held", "run-held")])
def test_a_run_in_trouble_is_named_with_its_reasons(what: str, name: str) -> None:
    reasons = {"employees": "SafetyAmp answered 401\n to GET /api/users", "jobs": "x" * 1000}
    (condition,) = found(**{what: RunTrouble(RUN, 2, reasons)})
    assert (condition.key, condition.run_id) == (name, RUN)
    assert RUN in condition.title
    assert condition.lines[0] == "employees: SafetyAmp answered 401 to GET /api/users"
    assert len(condition.lines[1]) < MOST_CHARACTERS + 10
    assert condition.lines[2].startswith("2 such runs")


def test_each_breaker_is_a_condition_of_its_own_once_it_is_open_for_too_long() -> None:
    opened = {"safetyamp": timedelta(minutes=10), "graph": timedelta(minutes=10, seconds=1)}
    (condition,) = found(breakers=opened | {"vista": timedelta()})
    assert condition.key == "breaker-open/graph"
    assert condition.title == "Microsoft Graph has been failing for 10 min"


def test_with_redis_away_nobody_knows_of_breakers() -> None:
    seen = Observation(NOW, breakers=None)
    assert is_unknown("breaker-open/safetyamp", seen)
    assert not is_unknown("run-failed", seen)
    assert not is_unknown("breaker-open/safetyamp", Observation(NOW))
    assert found(breakers=None) == []


def test_no_run_for_too_long_says_since_when_and_what_is_going_on() -> None:
    last = NOW - timedelta(hours=3, seconds=1)
    (condition,) = found(last_done_at=last, active=True, paused=("jobs",))
    assert condition.key == "no-successful-run"
    assert condition.title == "No run has ended well for 3 h"
    assert condition.lines == (
        "The last one ended at 2026-01-05 08:59 UTC.",
        "A run is under way.",
        "Paused: jobs.",
    )


def test_before_the_first_run_the_time_counts_from_when_somebody_began_to_watch() -> None:
    assert found(last_done_at=None, watching_since=NOW - LIMITS.success) == []
    (condition,) = found(last_done_at=None, watching_since=NOW - timedelta(hours=4))
    assert condition.lines == ("There has been none.",)


def test_more_failing_records_than_the_limit_are_counted_by_entity() -> None:
    (condition,) = found(failing={"jobs": 20, "titles": 0, "employees": 6})
    assert condition.title == "26 records fail (limit 25)"
    assert condition.lines == ("jobs: 20", "employees: 6")


def test_every_condition_has_its_section_in_the_runbook() -> None:
    runbook = (PROJECT / "docs/runbook.md").read_text()
    everything = found(
        failed=RunTrouble(RUN),
        held=RunTrouble(RUN),
        breakers={"vista": timedelta(hours=1)},
        last_done_at=NOW - timedelta(days=1),
        failing={"jobs": 99},
    )
    assert len(everything) == 5
    assert [one.name for one in everything if f"\n### {one.name}\n" not in runbook] == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 min"), (59, "0 min"), (3600, "1 h"), (3900, "1 h 5 min"), (90061, "25 h 1 min")],
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert span(timedelta(seconds=seconds)) == text
