"""A company without any oddity, so small that every call of a run can be counted by hand."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from local.company.model import OPEN, OWN_COMPANY, Company, Row, last_week_end, vista_date
from local.simulators.safetyamp_seed import SafetyAmpSeed

NAME = "Two Rivers Builders"
REGIONS = ("Coast", "Delta")
DEPARTMENTS = {"10": "Coast", "20": "Delta", "30": "Coast"}
JOBS = {"100.": "10", "200.": "20", "300.": "30"}
"""Job -> department of its contract."""
TITLES = ("Foreman", "Laborer", "Welder")
FIRST_NUMBER = 1001
PEOPLE = 10
VEHICLES = 2


def small_company(today: date, people: int = PEOPLE) -> Company:
    """Two regions (known to SafetyAmp, with offices), three departments, jobs and titles, two vehicles.

    Everybody works on a job but the last one, who belongs to the office of the department's region.
    """
    numbers = range(FIRST_NUMBER, FIRST_NUMBER + people)
    rows = [_person(number, today) for number in numbers]
    return Company(
        name=NAME,
        today=today,
        tables={
            "bPREH": rows,
            "bPRDP": [_department(code, region) for code, region in DEPARTMENTS.items()],
            "bJCJM": [job_row(job) for job in JOBS],
            "bJCCM": [contract_row(job, department) for job, department in JOBS.items()],
            "bPRJC": [_time(number, today) for number in numbers[:-1]],
        },
        graph_users=[account(number) for number in numbers],
        vehicles=[_vehicle(number) for number in range(VEHICLES)],
        drivers=[],
        seed=SafetyAmpSeed(NAME, REGIONS),
    )


def new_person(company: Company, number: int, **columns: Any) -> Row:
    """Hire somebody, with an account and without time on a job."""
    row = {**_person(number, company.today), **columns}
    company.tables["bPREH"].append(row)
    company.graph_users.append(account(number))
    return row


def job_row(job: str) -> Row:
    """An open job."""
    return {
        "JCCo": OWN_COMPANY,
        "Job": job,
        "Description": f"Works {job}",
        "Contract": job,
        "JobStatus": OPEN,
        "ShipAddress": "1 Levee Road",
        "ShipCity": "Houma",
        "ShipState": "LA",
        "ShipZip": "70360",
        "ShipCountry": "US",
    }


def contract_row(job: str, department: str) -> Row:
    """The contract of a job."""
    return {
        "JCCo": OWN_COMPANY,
        "Contract": job,
        "Description": f"Contract {job}",
        "Department": department,
        "ContractStatus": OPEN,
    }


def account(number: int) -> Row:
    """The Microsoft account of an employee."""
    mail = f"person{number}@tworivers.example"
    return {
        "id": f"account-{number}",
        "employeeId": str(number),
        "mail": mail,
        "userPrincipalName": mail,
        "accountEnabled": True,
    }


def _person(number: int, today: date) -> Row:
    return {
        "PRCo": OWN_COMPANY,
        "Employee": number,
        "FirstName": "Pat",
        "MidName": None,
        "LastName": f"Worker{number}",
        "SortName": f"WORKER{number}",
        "Address": f"{number} Cypress Street",
        "City": "Houma",
        "State": "LA",
        "Zip": "70360",
        "Country": "US",
        "Phone": f"225-555-{number}",
        "Sex": "F",
        "BirthDate": "1980-05-17 00:00:00",
        "HireDate": vista_date(today - timedelta(days=400)),
        "TermDate": None,
        "PRGroup": 1,
        "PRDept": list(DEPARTMENTS)[number % len(DEPARTMENTS)],
        "ActiveYN": "Y",
        "udEmpTitle": TITLES[number % len(TITLES)],
    }


def _department(code: str, region: str) -> Row:
    return {"PRCo": OWN_COMPANY, "PRDept": code, "Description": f"Department {code}", "udRegion": region}


def _time(number: int, today: date) -> Row:
    end = last_week_end(today)
    return {
        "PRCo": OWN_COMPANY,
        "PRGroup": 1,
        "PREndDate": vista_date(end),
        "Mth": vista_date(end.replace(day=1)),
        "JCCo": OWN_COMPANY,
        "Job": list(JOBS)[number % len(JOBS)],
        "Employee": number,
        "Hrs": 40.0,
    }


def _vehicle(number: int) -> Row:
    return {
        "id": f"28147498{number:04d}",
        "name": f"Unit {number}",
        "make": "FORD",
        "model": "F-250",
        "serial": f"GATE{number:04d}",
        "licensePlate": f"TR{number:04d}",
        "notes": "",
    }
