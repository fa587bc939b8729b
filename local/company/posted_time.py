"""Time that the demo company's people have posted on jobs (bPRJC), from which their home site follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from local.company.jobs import Works
from local.company.model import OTHER_COMPANY, OWN_COMPANY, Row, last_week_end, vista_date
from local.company.people import has_time

Posting = tuple[int, int, str, float]
"""Weeks before the last one, the job's company, the job, hours."""


def build_time(people: Sequence[Row], works: Works, today: date, weeks: int) -> list[Row]:
    """Rows for all who work on jobs, in the last `weeks` payroll weeks.

    `people` are our own rows only, in the order of their numbers.
    """
    jobs = [
        job for department in sorted(works.open_by_department) for job in works.open_by_department[department]
    ]
    end = last_week_end(today)
    rows: list[Row] = []
    for index, person in enumerate(people):
        if jobs and has_time(index):
            postings = _postings(index, person, works, jobs, weeks)
            rows.extend(_rows(person, postings, end))
    return rows


def _postings(index: int, person: Row, works: Works, jobs: list[str], weeks: int) -> Iterator[Posting]:
    own = works.open_by_department.get(person["PRDept"].strip(), jobs)
    main, other = own[index % len(own)], jobs[(index * 7 + 3) % len(jobs)]
    for week in range(weeks - 1, 0, -1):
        yield week, OWN_COMPANY, main, 40.0
    yield from _last_week(index, main, other, works)


def _last_week(index: int, main: str, other: str, works: Works) -> Iterator[Posting]:
    if index % 13 == 6 and works.closed:
        # The open job of the weeks before is the latest open one.
        yield 1, OWN_COMPANY, main, 8.0
        yield 0, OWN_COMPANY, works.closed[index % len(works.closed)], 40.0
    elif index % 11 == 3:
        yield 0, OWN_COMPANY, other, 16.0
        yield 0, OWN_COMPANY, main, 24.0
    elif index % 29 == 7:
        yield 0, OWN_COMPANY, main, 20.0
        yield 0, OWN_COMPANY, other, 20.0
    elif index % 17 == 2:
        yield 0, OWN_COMPANY, main, 30.0
        yield 0, OWN_COMPANY, main, 10.0
    else:
        yield 0, OWN_COMPANY, main, 40.0
    if index % 23 == 9 and works.elsewhere:
        # Our number, another company's job: more hours, and no site of ours.
        yield 0, OTHER_COMPANY, works.elsewhere[index % len(works.elsewhere)], 50.0


def _rows(person: Row, postings: Iterator[Posting], end: date) -> Iterator[Row]:
    for sequence, (week, company, job, hours) in enumerate(postings, 1):
        day = end - timedelta(weeks=week)
        yield {
            "PRCo": person["PRCo"],
            "PRGroup": person["PRGroup"],
            "PREndDate": vista_date(day),
            "Mth": vista_date(day.replace(day=1)),
            "JCCo": company,
            "Job": job,
            "PhaseGroup": 1,
            "Phase": "0100-",
            "JCCostType": 1,
            "Type": "E",
            "Employee": person["Employee"],
            "PaySeq": 1,
            "PostSeq": sequence,
            "PostDate": vista_date(day - timedelta(days=2)),
            "Hrs": hours,
        }
