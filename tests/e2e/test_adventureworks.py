"""The AdventureWorks sample as Vista, Graph and Samsara: public data that nobody made for this program."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.company.adventureworks import load_company
from tests.e2e.expectation import Expectation, expect
from tests.e2e.expected_content import Content, differences, read_content
from tests.e2e.expected_tally import COUNTS
from tests.e2e.processes import TwoRuns, run_twice

DATA = "SAFETYAMP_ADVENTUREWORKS"
CALLS, PERIOD = 60, 2

NOTHING = dict.fromkeys(COUNTS, 0)
FIRST = {
    "departments": {**NOTHING, "source": 22, "unchanged": 6, "created": 16},
    "jobs": {**NOTHING, "source": 83, "created": 83},
    "titles": {**NOTHING, "source": 67, "created": 67},
    "employees": {**NOTHING, "source": 290, "created": 280, "invalid": 10},
    "vehicles": {**NOTHING, "source": 60, "created": 58, "skipped": 2},
}
"""6 regions with their clusters and 16 departments; the open ones of 120 jobs; 2 vehicles without gateway."""

SECOND = {
    "departments": {**NOTHING, "source": 22, "unchanged": 22},
    "jobs": {**NOTHING, "source": 83, "unchanged": 83},
    "titles": {**NOTHING, "source": 67, "unchanged": 67},
    "employees": {**NOTHING, "source": 290, "unchanged": 278, "invalid": 10, "waiting": 2},
    "vehicles": {**NOTHING, "source": 60, "unchanged": 58, "skipped": 2},
}

WITHOUT_MAIL = {"10040", "10080", "10120", "10160", "10184", "10200", "10240", "10248", "10280"}
"""In neither system (the sample's own description)."""

ACCENT_IN_MAIL = {"10270"}
"""Has no Microsoft account, and an address in Vista that is not ASCII."""


@pytest.fixture(scope="module")
def folder() -> Path:
    """The sample's folder."""
    if not os.environ.get(DATA):
        pytest.skip(f"{DATA} is not set: it names the folder with the AdventureWorks sample")
    return Path(os.environ[DATA])


@pytest.fixture(scope="module")
def runs(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> TwoRuns:
    """With drivers, whose numbers stand in their notes in five ways."""
    options = ("--data", str(folder), "--calls", str(CALLS), "--period", str(PERIOD))
    return run_twice(tmp_path_factory.mktemp("adventureworks"), *options, VEHICLE_ASSIGN_DRIVER="true")


@pytest.fixture(scope="module")
def expected(folder: Path, runs: TwoRuns) -> Expectation:
    """Nobody is hired or leaves after 2013, so the day does not matter."""
    today = datetime.now(UTC).date()
    return expect(load_company(folder), today, read_content(runs.before), assign_drivers=True)


@pytest.fixture(scope="module")
def content(runs: TwoRuns) -> Content:
    return read_content(runs.between)


def test_after_the_first_run_safetyamp_holds_what_the_contracts_ask_for(
    content: Content, expected: Expectation
) -> None:
    assert differences(expected.content, content) == []


def test_the_first_run_does_what_the_samples_figures_say(runs: TwoRuns, expected: Expectation) -> None:
    assert expected.counts == FIRST
    assert runs.first.counts(COUNTS) == FIRST
    assert runs.first.status == 0


def test_people_without_a_usable_address_are_named(runs: TwoRuns) -> None:
    assert runs.first.problems("employees", "invalid") == WITHOUT_MAIL | ACCENT_IN_MAIL


def test_figures_of_the_samples_description_are_found_again(content: Content) -> None:
    """255 people have posted time, two pairs share a phone, four phones begin with 1 (11) and are none, six
    people live abroad; what is less than that is among the ten without an address."""
    users = content["users"].values()
    assert sum(not user["home_site_id"].endswith(" Office") for user in users) == 248
    shared = [user for user in users if user["work_phone"] is not None and user["mobile_phone"] is None]
    assert {user["emp_id"] for user in shared} == {"10086", "10229"}
    assert sum(user["work_phone"] is None for user in users) == 4
    assert sum(user["country"] != "US" for user in users) == 6
    assert sum(asset["current_user_id"] is not None for asset in content["assets"].values()) == 44


def test_a_second_run_changes_nothing_and_calls_safetyamp_never(runs: TwoRuns, expected: Expectation) -> None:
    assert runs.second.report["calls"].get("safetyamp", 0) == 0
    assert runs.second.counts(COUNTS) == SECOND == expected.second_counts()
    assert runs.after == runs.between
    assert runs.second.status == 0


def test_nothing_is_created_twice_and_the_limit_is_kept(runs: TwoRuns, expected: Expectation) -> None:
    assert runs.stats["created"] == expected.created()
    assert runs.stats["peak_window"] <= CALLS
    assert runs.stats["throttled"] == 0
