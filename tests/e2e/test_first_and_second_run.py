"""Two runs of the command line, simulators and runs each a process of its own: everything arrives, once."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest

from local.company.demo import Company, demo_company
from tests.e2e.expectation import Expectation, expect
from tests.e2e.expected_content import differences, read_content
from tests.e2e.expected_tally import COUNTS
from tests.e2e.processes import TwoRuns, run_twice

EMPLOYEES = 200
"""Everything odd about the demo company's people comes once in so many."""

CALLS, PERIOD = 60, 2
COMPANY_ZONE = ZoneInfo("America/Chicago")
LONGEST = timedelta(minutes=3)
"""More than both runs take."""


def _today(zone: tzinfo) -> date:
    """The day there, which does not end before the runs do: they must all see the same one."""
    now = datetime.now(zone)
    if (now + LONGEST).date() != now.date():
        time.sleep(LONGEST.total_seconds())
    return datetime.now(zone).date()


@pytest.fixture(scope="module")
def days() -> tuple[date, date]:
    """The day of the simulators (UTC) and the company's own one."""
    return _today(UTC), _today(COMPANY_ZONE)


@pytest.fixture(scope="module")
def company(days: tuple[date, date]) -> Company:
    return demo_company(days[0], employees=EMPLOYEES)


@pytest.fixture(scope="module")
def runs(days: tuple[date, date], tmp_path_factory: pytest.TempPathFactory) -> TwoRuns:
    options = ("--employees", str(EMPLOYEES), "--calls", str(CALLS), "--period", str(PERIOD))
    return run_twice(tmp_path_factory.mktemp("demo"), *options)


@pytest.fixture(scope="module")
def expected(company: Company, days: tuple[date, date], runs: TwoRuns) -> Expectation:
    return expect(company, days[1], read_content(runs.before))


def test_after_the_first_run_safetyamp_holds_what_the_contracts_ask_for(
    runs: TwoRuns, expected: Expectation
) -> None:
    """Field by field, records that were there before included."""
    assert differences(expected.content, read_content(runs.between)) == []


def test_the_first_run_reports_what_it_did(runs: TwoRuns, expected: Expectation) -> None:
    assert runs.first.counts(COUNTS) == expected.counts


def test_the_company_has_every_kind_of_result(expected: Expectation) -> None:
    """Or the two tests above would prove little."""
    employees = expected.counts["employees"]
    assert [name for name in COUNTS if not employees[name]] == ["waiting"]
    assert expected.counts["vehicles"]["updated"] == 1, "an asset is adopted"


def test_a_refused_record_is_named_and_ends_the_first_run_with_status_1(
    company: Company, runs: TwoRuns
) -> None:
    """Somebody else's user has the e-mail of one employee."""
    (old,) = (user for user in company.seed.users if user["first_name"] == "Old")
    (owner,) = (user["employeeId"] for user in company.graph_users if user["mail"] == old["email"])
    assert runs.first.problems("employees", "refused") == {owner}
    assert runs.first.status == 1


def test_a_second_run_changes_nothing_and_calls_safetyamp_never(runs: TwoRuns, expected: Expectation) -> None:
    assert runs.second.report["calls"].get("safetyamp", 0) == 0
    assert runs.second.counts(COUNTS) == expected.second_counts()
    assert runs.after == runs.between
    assert runs.second.status == 0


def test_nothing_is_created_twice(runs: TwoRuns, expected: Expectation) -> None:
    """Creations that SafetyAmp counted over both runs are as many as there are new keys."""
    assert runs.stats["created"] == expected.created()


def test_only_the_address_that_somebody_has_costs_a_refused_call(
    runs: TwoRuns, expected: Expectation
) -> None:
    """What SafetyAmp is known to refuse (a shared phone, a malformed one) is not sent."""
    employees = expected.counts["employees"]
    sent = runs.stats["requests"]["POST /api/users"]
    assert sent == employees["created"] + employees["failed"]


def test_safetyamps_limit_is_never_exceeded(runs: TwoRuns) -> None:
    """The limiter keeps within the window by itself: not one call is turned away."""
    assert runs.stats["peak_window"] <= CALLS
    assert runs.stats["throttled"] == 0


def test_output_holds_no_personal_data_and_no_secrets(company: Company, runs: TwoRuns) -> None:
    """An address, a name or a key in a report or a log would be kept by whatever collects them."""
    written = "".join(f"{run.report}{run.log}" for run in (runs.first, runs.second))
    names = {row["LastName"].strip() for row in company.own_employees()}
    assert [
        text for text in ("@", "Cypress Street", "local-safetyamp", *sorted(names)) if text in written
    ] == []
