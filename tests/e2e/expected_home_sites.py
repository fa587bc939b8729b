"""Where employees belong: the site of the latest open job, else the office of the department's region."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta

from tests.e2e.expected_content import Content, Records
from tests.e2e.expected_places import OPEN
from tests.e2e.expected_values import Record, code, day

REACH = timedelta(days=90)
AHEAD = timedelta(days=31)
OFFICE_SUFFIX = " Office"

Job = tuple[int, str]
"""A job's company and code: equal codes of two companies are two jobs
(docs/contracts/vista.md#latest-job)."""


def latest_jobs(time: list[Record], jobs: list[Record], company: int, today: date) -> dict[int, str]:
    """Employee -> code of our company's job, when that is the latest open one.

    docs/contracts/vista.md#latest-job: the latest PREndDate of the 90 days before the newest one; then most
    hours in that week; then the lowest code. A period that ends more than a month after today is a typing
    error.
    """
    open_jobs = {(row["JCCo"], code(row["Job"])) for row in jobs if row["JobStatus"] == OPEN}
    rows = [(row, _week(row)) for row in time if row["PRCo"] == company and _week(row) <= today + AHEAD]
    newest = max((week for _, week in rows), default=today)
    hours: dict[int, dict[date, dict[Job, float]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(float))
    )
    for row, week in rows:
        job = (row["JCCo"], code(row["Job"]) or "")
        if job in open_jobs and week >= newest - REACH:
            hours[row["Employee"]][week][job] += row["Hrs"]
    latest = {employee: _first(weeks[max(weeks)]) for employee, weeks in hours.items()}
    return {employee: job for employee, (owner, job) in latest.items() if owner == company}


def _week(row: Record) -> date:
    week = day(row["PREndDate"])
    assert week is not None, "bPRJC.PREndDate is never null"
    return week


def _first(hours: dict[Job, float]) -> Job:
    return min(hours, key=lambda job: (-round(hours[job], 2), job[1], job[0]))


class HomeSites:
    """Answers which site an employee's home is."""

    def __init__(
        self, sites: Records, before: Content, regions: dict[str, str], latest: dict[int, str]
    ) -> None:
        self._sites = sites
        self._regions = regions
        self._latest = latest
        self._offices: dict[str, list[str]] = defaultdict(list)
        for key, row in before["sites"].items():
            if row["name"].endswith(OFFICE_SUFFIX):
                self._offices[row["cluster_id"]].append(key)

    def of(self, person: Record) -> str | None:
        """The key of the site; None: there is none, so the employee is skipped."""
        job = self._latest.get(person["Employee"])
        if job is not None and job in self._sites:
            return job
        offices = self._offices[self._regions.get(code(person["PRDept"]) or "", "")]
        return offices[0] if len(offices) == 1 else None
