"""The demo company has the dirt of real data, is the same every time, and changes as announced."""

from __future__ import annotations

import copy
import csv
import json
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from local.company.adventureworks import load_company
from local.company.demo import Company, change_company, demo_company
from local.company.vista_database import TABLES, columns, create_vista_database
from local.fake_clock import FakeClock
from local.simulators.tenant import build_tenant

TODAY = date(2026, 3, 11)


@pytest.fixture(scope="module")
def company() -> Company:
    return demo_company(TODAY)


def test_the_same_day_gives_the_same_company(company: Company) -> None:
    assert demo_company(TODAY) == company
    assert demo_company(TODAY, seed=8) != company


def test_it_has_the_promised_sizes(company: Company) -> None:
    own_jobs = [row for row in company.tables["bJCJM"] if row["JCCo"] == 1]
    assert len(company.own_employees()) == 400
    assert (len(own_jobs), sum(row["JobStatus"] == 1 for row in own_jobs)) == (120, 100)
    own_departments = [row for row in company.tables["bPRDP"] if row["PRCo"] == 1]
    assert len(own_departments) == 20
    assert len({row["udRegion"] for row in own_departments} - {None}) == 5
    assert len(company.vehicles) == 60


def test_it_has_the_dirt_of_the_employee_table(company: Company) -> None:
    people = company.own_employees()
    assert any(row["FirstName"].endswith(" ") for row in people)
    assert any(row["udEmpTitle"] is None for row in people)
    assert any(row["State"] == "LA " for row in people)
    assert any(row["Zip"].endswith("-") for row in people)
    assert any(row["HireDate"] is None for row in people)
    assert any(row["HireDate"] > f"{TODAY} 00:00:00" for row in people if row["HireDate"])
    ends = {row["TermDate"] for row in people} - {None}
    assert min(ends) < f"{TODAY} 00:00:00" < max(ends)
    assert f"{TODAY} 00:00:00" in ends
    assert any(not row["LastName"].isprintable() for row in people)
    phones = Counter(row["Phone"] for row in people)
    assert any(count == 2 and phone and len(phone) == 12 for phone, count in phones.items())
    mails = [row["Email"] for row in people if row["Email"]]
    assert len(mails) > len(set(mails))
    numbers = {row["Employee"] for row in people}
    assert any(row["PRCo"] == 2 and row["Employee"] in numbers for row in company.tables["bPREH"])


def test_it_has_the_dirt_of_the_job_tables(company: Company) -> None:
    jobs = company.tables["bJCJM"]
    numbers = Counter(row["Job"] for row in jobs)
    assert any(count == 2 for count in numbers.values())
    assert any(row["Job"].startswith(" ") for row in jobs)
    assert any("ShipCity" not in row for row in jobs)
    departments = {row["PRDept"].strip() for row in company.tables["bPRDP"]}
    assert {row["Department"].strip() for row in company.tables["bJCCM"]} - departments == {"77"}


def test_several_people_have_two_open_jobs_in_the_last_week(company: Company) -> None:
    last = max(row["PREndDate"] for row in company.tables["bPRJC"])
    week = {
        (row["Employee"], row["Job"])
        for row in company.tables["bPRJC"]
        if row["PREndDate"] == last and row["JCCo"] == 1
    }
    assert sum(count > 1 for count in Counter(employee for employee, _ in week).values()) > 20


def test_graph_accounts_are_missing_disabled_ambiguous_and_odd(company: Company) -> None:
    ids = [user["employeeId"] for user in company.graph_users if user["employeeId"]]
    assert any(value.startswith("0") for value in ids)
    assert any(value.endswith(" ") for value in ids)
    assert any(count == 2 for count in Counter(ids).values())
    assert any("onmicrosoft" in (user["mail"] or "") for user in company.graph_users)
    assert any(not user["accountEnabled"] and user["employeeId"] for user in company.graph_users)
    known = {value.strip().lstrip("0") for value in ids}
    assert len({str(row["Employee"]) for row in company.own_employees()} - known) > 30


def test_vehicles_lack_serials_plates_and_numbers_and_their_vins_are_valid(company: Company) -> None:
    for field in ("serial", "licensePlate", "vin", "staticAssignedDriver"):
        assert any(field not in vehicle for vehicle in company.vehicles), field
    assert all(len(vehicle["vin"]) == 17 for vehicle in company.vehicles if "vin" in vehicle)
    assert {driver["driverActivationStatus"] for driver in company.drivers} == {"active", "deactivated"}


def test_a_small_company_and_no_jobs_are_possible() -> None:
    tiny = demo_company(TODAY, employees=3, jobs=0, vehicles=1)
    assert len(tiny.own_employees()) == 3
    assert tiny.tables["bPRJC"] == []


def test_safetyamp_takes_the_seed(company: Company) -> None:
    tenant = build_tenant(FakeClock(), company.seed)
    content = tenant.safetyamp.snapshot()
    names = {site["name"] for site in content["sites"]}
    assert {f"{region} Office" for region in company.seed.regions} <= names
    assert Counter(user["emp_id"] for user in content["users"])["10028"] == 2
    [vehicle_type] = [row for row in content["asset_types"] if row["name"] == "Vehicle"]
    assert vehicle_type["site_id"] == tenant.seeded.vehicle_site_id


def differences(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in after if row not in before]


def test_the_changes_are_exactly_the_announced_ones(company: Company) -> None:
    changed = copy.deepcopy(company)
    expected = change_company(changed)
    assert Counter((change.entity, change.action) for change in expected) == {
        ("employees", "create"): 3,
        ("employees", "deactivate"): 2,
        ("employees", "update"): 3,
        ("jobs", "create"): 1,
        ("vehicles", "update"): 1,
    }
    people = differences(company.tables["bPREH"], changed.tables["bPREH"])
    assert {str(row["Employee"]) for row in people} == {
        change.key for change in expected if change.entity == "employees"
    }
    jobs = differences(company.tables["bJCJM"], changed.tables["bJCJM"])
    assert [row["Job"] for row in jobs] == [change.key for change in expected if change.entity == "jobs"]
    vehicles = differences(company.vehicles, changed.vehicles)
    assert [row["id"] for row in vehicles] == [
        change.key for change in expected if change.entity == "vehicles"
    ]


def test_changing_twice_changes_twice(company: Company) -> None:
    changed = copy.deepcopy(company)
    first, second = change_company(changed), change_company(changed)
    assert len({change.key for change in first if change.action == "create"} & {c.key for c in second}) == 0
    assert [change.action for change in first] == [change.action for change in second]


def test_a_company_without_ordinary_people_cannot_change() -> None:
    with pytest.raises(ValueError, match="too few"):
        change_company(demo_company(TODAY, employees=2))


def test_the_database_holds_every_row_and_can_be_refilled(company: Company, tmp_path: Path) -> None:
    path = create_vista_database(tmp_path / "vista.db", company.tables)
    path = create_vista_database(path, company.tables)
    with closing(sqlite3.connect(path)) as connection:
        for table in TABLES:
            [(count,)] = connection.execute(f"SELECT COUNT(*) FROM {table}")
            assert count == len(company.tables[table]), table
        [(first, state)] = connection.execute(
            "SELECT FirstName, State FROM bPREH WHERE PRCo = 1 AND Employee = 10002"
        )
    assert (first, state) == (
        company.tables["bPREH"][1]["FirstName"],
        company.tables["bPREH"][1]["State"],
    )


def test_some_tables_can_be_refilled_alone(company: Company, tmp_path: Path) -> None:
    path = create_vista_database(tmp_path / "vista.db", company.tables)
    create_vista_database(path, {}, ["bPRJC"])
    with closing(sqlite3.connect(path)) as connection:
        counts = {
            table: connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in TABLES
        }
    assert counts == {**{table: len(rows) for table, rows in company.tables.items()}, "bPRJC": 0}


def test_a_column_that_vista_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bPRDP has no column Region"):
        create_vista_database(tmp_path / "vista.db", {"bPRDP": [{"Region": "North"}]})


def test_a_folder_of_files_becomes_a_company(tmp_path: Path) -> None:
    rows: dict[str, dict[str, str]] = {
        "bPREH": {"PRCo": "1", "Employee": "10001", "State": "WA ", "MidName": ""},
        "bPRDP": {"PRCo": "1", "PRDept": "07", "udRegion": "Manufacturing"},
        "bPRJC": {"PRCo": "1", "PREndDate": "2025-06-29 00:00:00", "Hrs": "40.00"},
    }
    for table in TABLES:
        with (tmp_path / f"{table}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, columns(table))
            writer.writeheader()
            if table in rows:
                writer.writerow(rows[table])
    for name, key in (("graph_users", "value"), ("samsara_vehicles", "data"), ("samsara_drivers", "data")):
        (tmp_path / f"{name}.json").write_text(json.dumps({key: [{"id": "1"}]}))
    loaded = load_company(tmp_path)
    employee = loaded.tables["bPREH"][0]
    assert (employee["Employee"], employee["State"], employee["MidName"]) == (10001, "WA ", None)
    assert loaded.tables["bPRDP"][0]["PRDept"] == "07"
    assert loaded.today == date(2025, 6, 29)
    assert loaded.seed.regions == ("Manufacturing",)
    assert loaded.vehicles == [{"id": "1"}]
