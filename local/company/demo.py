"""A made-up construction company with the dirt of real data, the same for the same seed and day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from random import Random
from typing import Any

from local.company.accounts import build_accounts, work_mail
from local.company.changes import ExpectedChange, change_company
from local.company.fleet import build_fleet
from local.company.jobs import REGIONS, build_works, department_rows, region_of
from local.company.model import Company, Row
from local.company.people import ascii_name, build_people
from local.company.posted_time import build_time
from local.simulators.safetyamp_seed import SafetyAmpSeed

__all__ = ["DEMO_EMPLOYEES", "Company", "ExpectedChange", "change_company", "demo_company"]

NAME = "Pelican Fork Builders"
DEMO_EMPLOYEES = 400
DEMO_WEEKS = 6
BENCHMARK_FROM = 5000

ADOPTED, DISABLED_BY_HAND, TWICE, MAIL_TAKEN, LEFT, LEFT_AND_CLOSED = 1, 26, 27, 28, 42, 43
"""Places of the employees whom SafetyAmp knows beforehand, in one way or another."""


def demo_company(
    today: date, employees: int = DEMO_EMPLOYEES, *, jobs: int = 120, vehicles: int = 60, seed: int = 7
) -> Company:
    """The company as of `today`: 20 departments in 5 regions, five of six jobs open.

    `employees` counts our own company's rows of bPREH, former and future people included. Large companies
    (from 5 000 people on) have one week of posted time instead of six, to be made quickly.
    """
    random = Random(seed)  # noqa: S311  repeatable data, no secret
    works = build_works(jobs, today)
    people = build_people(employees, today, random)
    own = people[:employees]
    fleet, drivers = build_fleet(vehicles, own, random)
    weeks = DEMO_WEEKS if employees < BENCHMARK_FROM else 1
    return Company(
        name=NAME,
        today=today,
        tables={
            "bPREH": people,
            "bPRDP": department_rows(),
            "bJCJM": works.jobs,
            "bJCCM": works.contracts,
            "bPRJC": build_time(own, works, today, weeks),
        },
        graph_users=build_accounts(own, random),
        vehicles=fleet,
        drivers=drivers,
        seed=SafetyAmpSeed(NAME, REGIONS, _known_users(own), _known_assets(fleet)),
    )


def _known_users(people: Sequence[Row]) -> tuple[dict[str, Any], ...]:
    users: list[dict[str, Any]] = [
        {**_account("Ann", "Admin", "ann.admin@pelicanfork.example"), "role": "Company Administrator"},
        {**_account("Sync", "Service", "sync@pelicanfork.example"), "role": "Supervisor"},
    ]
    for place in (ADOPTED, DISABLED_BY_HAND, TWICE, LEFT, LEFT_AND_CLOSED):
        if place < len(people):
            users.append(_known_user(people[place], place not in (DISABLED_BY_HAND, LEFT_AND_CLOSED)))
    if len(people) > TWICE:
        second = _known_user(people[TWICE], True)
        users.append({**second, "email": f"second.{second['email']}"})
    if len(people) > MAIL_TAKEN:
        users.append(_account("Old", "Account", work_mail(people[MAIL_TAKEN])))
    return tuple(users)


def _known_user(person: Row, system_access: bool) -> dict[str, Any]:
    first, last = ascii_name(person["FirstName"]), person["LastName"]
    return {
        **_account(first, last, work_mail(person)),
        "emp_id": str(person["Employee"]),
        "street": "1 Former Street",
        "city": person["City"],
        "state": "LA",
        "country": "US",
        "title": "Laborer",
        "region": region_of(person["PRDept"].strip()),
        "system_access": system_access,
    }


def _account(first: str, last: str, email: str) -> dict[str, Any]:
    return {"first_name": first, "last_name": last, "email": email, "timezone": "America/Chicago"}


def _known_assets(vehicles: Sequence[Row]) -> tuple[dict[str, Any], ...]:
    """One asset that was made from the third vehicle before there was a sync."""
    return tuple(
        {"name": "Old Unit", "serial": vehicle["serial"], "model": vehicle["model"], "code": "OLD-1"}
        for vehicle in vehicles[2:3]
    )
