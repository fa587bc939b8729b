"""Findings of five owners in a company, as each of them is handed what is theirs; mended in the sources, the
next run closes exactly those."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.company.demo import demo_company
from shared.storage.documents import read_json, to_json
from shared.sync import paths
from shared.sync.findings.causes import CAUSES, OWNERS
from tests.e2e.http_rig import Api, api_for
from tests.e2e.rig import START, Rig
from tests.e2e.small_company import account, contract_row, job_row, new_person

SHARED = range(2001, 2021)
"""Twenty people without an account, of one address."""
WITHOUT_REGION = range(2030, 2033)
BAD_PHONE = (2040, 2041)
ODD_NAME = '=O"Brien,\u202e Jr.'


def without_account(api: Api, number: int, **columns: Any) -> None:
    new_person(api.rig.company, number, **columns)
    api.rig.company.graph_users.pop()


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """After a first load of a company with 30 findings."""
    api = api_for(tmp_path, GUARD_MAX_PERCENT="100")
    company = api.rig.company
    for number in SHARED:
        without_account(api, number, Email="crew@home.example", LastName=ODD_NAME)
    company.tables["bPRDP"].append({"PRCo": 1, "PRDept": "40", "Description": "Yard", "udRegion": None})
    for number in WITHOUT_REGION:
        new_person(company, number, PRDept="40")
    for number in BAD_PHONE:
        new_person(company, number, Phone="call the office")
    company.tables["bJCJM"].append(job_row("400."))
    company.tables["bJCCM"].append(contract_row("400.", "40"))
    company.vehicles[0] = {**company.vehicles[0], "serial": ""}
    company.graph_users.append({**account(1001), "id": "account-twin"})
    api.rig.person(1001)["Email"] = "pat@home.example"
    api.rig.publish()
    api.rig.run()
    api.rig.safetyamp.edit("users", api.rig.user(1002)["id"], system_access=0)
    api.rig.clock.advance(60)
    api.rig.run(refresh=True)
    yield api
    api.rig.close()


def counts(answer: dict[str, Any]) -> Counter[tuple[str, str]]:
    return Counter((row["owner"], row["cause"]) for row in answer["rows"])


def test_each_owner_is_handed_what_is_theirs(api: Api) -> None:
    everything = api.get("/api/fix-list")
    assert everything["total"] == 30
    assert counts(everything) == {
        ("hr", "email-shared"): 20,
        ("hr", "phone-unusable"): 2,
        ("payroll", "home-site-missing"): 3,
        ("payroll", "department-region-unusable"): 1,
        ("operations", "job-department-unknown"): 1,
        ("fleet", "gateway-missing"): 1,
        ("it", "accounts-ambiguous"): 1,
        ("safetyamp", "switched-off-by-hand"): 1,
    }
    for owner in OWNERS:
        theirs = api.get("/api/fix-list", owner=owner)
        assert theirs["rows"] == [row for row in everything["rows"] if row["owner"] == owner]
        assert theirs["owners"] == everything["owners"]
    assert everything["groups"][0]["what"] == "shared e-mail"
    assert (everything["groups"][0]["count"], everything["problems"]) == (20, [])


def test_rows_name_people_values_and_what_they_are_blocked_by(api: Api) -> None:
    rows = {row["key"]: row for row in api.get("/api/fix-list")["rows"]}
    shared, phone, off = rows["2001"], rows["2040"], rows["1002"]
    assert (shared["value"], shared["blocks"]) == ("crew@home.example", "creation")
    assert shared["where"] == "Vista > PR Employees > Info > E-mail"
    assert (phone["name"], phone["value"], phone["blocks"]) == ("Pat Worker2040", "call the office", "field")
    assert (off["name"], off["blocks"], off["again"]) == ("Pat Worker1002", "access", True)
    assert (rows["400."]["value"], rows["40"]["name"]) == ("40", "Yard")


def test_hr_opens_the_file_in_a_spreadsheet(api: Api) -> None:
    answer = api.call("GET", "/api/fix-list?owner=hr&format=csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert 'filename="fix-list-hr.csv"' in answer.headers["Content-Disposition"]
    text = answer.get_data().decode("utf-8")
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert len(rows) == 22
    assert {row["name"] for row in rows if row["cause"] == "email-shared"} == {'Pat =O"Brien, Jr.'}


def test_hr_s_list_can_be_read_as_a_page(api: Api) -> None:
    answer = api.call("GET", "/api/fix-list?owner=hr&format=html")
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "shared e-mail" in answer.text


def test_an_owner_that_is_none_is_told_which_there_are(api: Api) -> None:
    for owner in ("legal", "", "HR"):
        detail = api.get("/api/fix-list", 400, owner=owner)["detail"]
        assert detail == f"owner must be one of: {', '.join(OWNERS)}"
    assert "format" in api.get("/api/fix-list", 400, format="xlsx")["detail"]


def test_what_is_mended_is_closed_by_the_next_run_and_nothing_else_is(api: Api) -> None:
    before = {(row["key"], row["cause"]): row["since"] for row in api.get("/api/fix-list")["rows"]}
    for number in SHARED[:10]:
        api.rig.person(number)["Email"] = f"own{number}@home.example"
    api.rig.person(2040)["Phone"] = "225-555-2040"
    api.rig.publish()
    api.rig.clock.advance(3600)
    api.rig.run()
    after = {(row["key"], row["cause"]): row["since"] for row in api.get("/api/fix-list")["rows"]}
    closed = {(str(number), "email-shared") for number in SHARED[:10]} | {("2040", "phone-unusable")}
    assert before.keys() - after.keys() == closed
    assert after == {found: since for found, since in before.items() if found not in closed}


def test_plans_of_a_release_without_causes_are_told_to_it(api: Api) -> None:
    api.rig.clock.advance(60)
    run_id = api.rig.run().run_id
    path = paths.plan(run_id, "employees")
    plan = read_json(api.rig.documents, path)
    for problem in plan["problems"]:
        problem.pop("cause", None)
    api.rig.documents.write(path, to_json(plan))
    rows = [row for row in api.get("/api/fix-list")["rows"] if row["entity"] == "employees"]
    assert {(row["owner"], row["cause"]) for row in rows} == {("it", None)}
    assert {row["name"] for row in rows if row["key"] == "2040"} == {"Pat Worker2040"}


def test_every_problem_of_the_demo_company_s_runs_has_a_known_cause(tmp_path: Path) -> None:
    company = demo_company(START.date(), employees=300)
    api = Api(Rig(tmp_path, company, GUARD_MAX_PERCENT="100"))
    try:
        told: list[dict[str, Any]] = []
        for refresh in (False, False, True):
            report = api.rig.run(refresh=refresh).report
            told += [one for entity in report["entities"].values() for one in entity["problems"]]
            api.rig.clock.advance(3600)
        assert told
        assert [one for one in told if one.get("cause") not in CAUSES] == []
        found = api.get("/api/fix-list")
        assert len(found["owners"]) >= 4
        assert [row for row in found["rows"] if not row["where"]] == []
    finally:
        api.rig.close()
