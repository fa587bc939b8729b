"""How long a run will still take is told to within a fifth, when half of it is over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from local.company.demo import change_company, demo_company
from local.host.forecast import Forecast, told
from local.host.progress import run_progress
from shared.sync.documents.active import active_run_id
from shared.sync.documents.runs import RunRequest, get_run
from shared.sync.runs.requests import request_run
from tests.e2e.rig import START, Rig


class Seen(NamedTuple):
    """At `at` seconds of the run: what was told of the rest."""

    at: float
    left: float | None


def watched(rig: Rig) -> tuple[list[Seen], float]:
    """A run, looked at before each message and every second while it waits; and how long it took."""
    clock = rig.clock
    began = clock.monotonic()
    run_id = request_run(rig.stack.runtime, RunRequest())
    forecast = Forecast(clock.monotonic)
    seen: list[Seen] = []

    def look() -> None:
        usage = rig.stack.runtime.safetyamp_limiter.usage()
        progress = run_progress(rig.documents, get_run(rig.documents, run_id), usage)
        left = forecast.seconds_left(progress.settled, progress.planned)
        seen.append(Seen(clock.monotonic() - began, left))

    while active_run_id(rig.documents) == run_id:
        look()
        if not rig.step():
            due = rig.stack.bus.next_due()
            assert due is not None
            while clock.now() < due:
                clock.advance_to(min(due, clock.now() + timedelta(seconds=1)))
                look()
    return seen, clock.monotonic() - began


@pytest.mark.parametrize("employees", [120, 400])
def test_at_the_half_of_a_first_load_its_end_is_told_to_within_a_fifth(
    employees: int, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, demo_company(START.date(), employees=employees), limit=60)
    try:
        seen, took = watched(rig)
    finally:
        rig.close()
    at, left = next(one for one in reversed(seen) if one.at <= took / 2)
    assert left is not None
    assert 0.8 * took < at + left < 1.2 * took


def test_nothing_is_told_of_a_run_that_has_next_to_nothing_to_do(tmp_path: Path) -> None:
    company = demo_company(START.date(), employees=60, jobs=10, vehicles=5)
    rig = Rig(tmp_path, company, limit=6000)
    try:
        rig.run()
        assert len(change_company(company)) < 20
        rig.publish()
        seen, _ = watched(rig)
    finally:
        rig.close()
    assert {one.left for one in seen} == {None}


def paced(done_at: Callable[[int], int], planned: int, until: int) -> float | None:
    """What is told at the second `until` of a run that has done so many changes at each second."""
    now = 0

    def clock() -> float:
        return float(now)

    forecast, left = Forecast(clock), None
    for now in range(until + 1):
        left = forecast.seconds_left(done_at(now), planned)
    return left


def test_a_steady_pace_goes_on() -> None:
    assert paced(lambda second: second, 600, 300) == pytest.approx(300, rel=0.05)


@pytest.mark.parametrize("until", [244, 290, 304, 306])
def test_windows_of_calls_are_no_change_of_pace(until: int) -> None:
    """60 changes in the first 6 s of each 61 s: ten windows for 600, the last of them short."""
    left = paced(lambda second: second // 61 * 60 + min(second % 61, 6) * 10, 600, until)
    assert left is not None
    assert until + left == pytest.approx(10 * 61, rel=0.05)


def test_of_what_is_done_nothing_is_left_to_tell() -> None:
    assert paced(lambda second: min(2 * second, 100), 100, 60) is None


def test_in_the_first_wait_nothing_is_told() -> None:
    assert paced(lambda second: min(second, 6) * 10, 600, 40) is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(3, "10 s"), (44, "40 s"), (52, "1 min"), (200, "3 min"), (9000, "2.5 h")]
)
def test_it_is_told_no_more_exactly_than_it_is_known(seconds: float, words: str) -> None:
    assert told(seconds) == words
