"""A rig in which 67 records fail, for over 37 reasons and for ten causes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.e2e.http_rig import Api
from tests.e2e.rig import START, Rig
from tests.e2e.small_company import contract_row, job_row, new_person, small_company

ODD = '{"message":"invalid","errors":{"name":["validation.odd"]}}'
TAKEN = '{"message":"invalid","errors":{"last_name":["has already been taken"]}}'
REFUSALS = (("POST /api/sites", 3, ODD), ("POST /api/user_titles", 2, ODD), ("POST /api/users", 3, TAKEN))


def many_failures(folder: Path) -> Api:
    """Whose they are: HR's, IT's, of operations and of whoever administers SafetyAmp."""
    api = Api(Rig(folder, small_company(START.date(), 40), limit=600, GUARD_MAX_PERCENT="100"))
    company = api.rig.company
    api.rig.run(cause="schedule")
    api.rig.clock.advance(3600)

    def without_account(number: int, **columns: Any) -> None:
        new_person(company, number, **columns)
        company.graph_users.pop()

    for number in range(31):
        # Of pairs, so that each is told who the other is.
        without_account(2000 + number, Email=f"crew{min(number // 2, 14)}@home.example")
    for number in range(10):
        without_account(2100 + number, Email=None)
    for number in range(4):
        without_account(2110 + number, Email=f"no address {number}")
    for number in range(4):
        new_person(company, 2120 + number, LastName=" ")
    for number in range(4):
        new_person(company, 2130 + number, FirstName=" ")
    for number in range(3):
        new_person(company, 2140 + number, TermDate="1999-01-01 00:00:00")
    for number in range(3):
        # A job that SafetyAmp refuses, and somebody who works there.
        job = f"{400 + number}."
        company.tables["bJCJM"].append(job_row(job))
        company.tables["bJCCM"].append(contract_row(job, "10"))
        (worked,) = (row for row in company.tables["bPRJC"] if row["Employee"] == 1001 + number)
        worked["Job"] = job
        new_person(company, 2150 + number, udEmpTitle=f"Odd title {number}")
    api.rig.publish()
    for matches, times, text in REFUSALS:
        api.rig.safetyamp.fail_next(times, 422, text, match=matches)
    api.rig.run(cause="schedule")
    api.rig.safetyamp.heal()
    api.rig.clock.advance(3600)
    return api
