"""A known set of changes to a company, so that a demo can compare what a run did with what it had to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import NamedTuple

from local.company.accounts import account
from local.company.model import OPEN, OWN_COMPANY, Company, Row, vista_date
from shared.sync.model import Action, EntityName

NEW_HIRES, LEAVERS, MOVERS = 3, 2, 2
NEW_PHONE_AREA = "985"


class ExpectedChange(NamedTuple):
    """One change that the next run has to make, with the sync's key."""

    entity: EntityName
    key: str
    action: Action


@dataclass(frozen=True)
class _Plain:
    """What "nothing is odd about this person" is decided by."""

    phones: Counter[str | None]
    private_mails: Counter[str | None]
    mails: Counter[str | None]
    accounts: dict[str, Row]
    account_ids: Counter[str]
    departments: frozenset[str]
    known_beforehand: frozenset[str]
    today: str


def change_company(company: Company) -> list[ExpectedChange]:
    """Change the company in place and say what follows: 3 people hired, 2 left, 2 moved, 1 promoted, 1 job
    opened, 1 vehicle renamed.

    Only people without any oddity are touched, so that the list holds whatever the rest looks like. It
    holds when everything was synchronised before. Raises ValueError when the company has too few of them.
    """
    staff = _plain_people(company)
    if len(staff) < LEAVERS + MOVERS + 2:
        raise ValueError(f"{company.name} has only {len(staff)} ordinary employees: too few to change")
    pattern, *others = staff
    leavers, others = others[:LEAVERS], others[LEAVERS:]
    movers, others = others[:MOVERS], others[MOVERS:]
    return [
        *_hire(company, pattern),
        *_let_go(company, leavers),
        *_move(company, movers),
        *_promote(others),
        *_open_job(company, pattern["PRDept"]),
        *_rename_vehicle(company),
    ]


def _hire(company: Company, pattern: Row) -> Iterator[ExpectedChange]:
    random = Random(len(company.tables["bPREH"]))  # noqa: S311  repeatable data, no secret
    first_free = max(row["Employee"] for row in company.own_employees()) + 1
    for number in range(first_free, first_free + NEW_HIRES):
        person = {
            **pattern,
            "Employee": number,
            "FirstName": "Nova",
            "LastName": f"Newhire{'ABC'[number - first_free]}",
            "SortName": f"NEWHIRE{number}",
            "HireDate": _yesterday(company),
            "Phone": f"{NEW_PHONE_AREA}-555-{number % 10_000:04d}",
            "CellPhone": None,
            "Email": None,
        }
        company.tables["bPREH"].append(person)
        company.graph_users.append(account(person, random))
        yield ExpectedChange("employees", str(number), "create")


def _yesterday(company: Company) -> str:
    # Not today: it may not have come yet where the sync's day begins later.
    return vista_date(company.today - timedelta(days=1))


def _let_go(company: Company, leavers: list[Row]) -> Iterator[ExpectedChange]:
    for person in leavers:
        person.update(TermDate=_yesterday(company), ActiveYN="N")
        yield ExpectedChange("employees", str(person["Employee"]), "deactivate")


def _move(company: Company, movers: list[Row]) -> Iterator[ExpectedChange]:
    for person in movers:
        person["Address"] = f"{len(company.tables['bPREH'])} Magnolia Bend"
        yield ExpectedChange("employees", str(person["Employee"]), "update")


def _promote(staff: list[Row]) -> Iterator[ExpectedChange]:
    person = staff[0]
    title = next((row["udEmpTitle"] for row in staff if row["udEmpTitle"] != person["udEmpTitle"]), None)
    if title is None:
        raise ValueError("all ordinary employees have one title: nobody can be promoted")
    person["udEmpTitle"] = title
    yield ExpectedChange("employees", str(person["Employee"]), "update")


def _open_job(company: Company, department: str) -> Iterator[ExpectedChange]:
    taken = (int(row["Job"].strip().rstrip(".")) for row in company.tables["bJCJM"])
    code = f"{max(taken) + 10}."
    key = {"JCCo": OWN_COMPANY, "Contract": code}
    company.tables["bJCCM"].append(
        {**key, "Description": "New Works", "Department": department, "ContractStatus": OPEN}
    )
    company.tables["bJCJM"].append(
        {
            **key,
            "Job": code,
            "Description": "New Works",
            "JobStatus": OPEN,
            "ShipAddress": "1 Start Road",
            "ShipCity": "Houma",
            "ShipState": "LA",
            "ShipZip": "70360",
            "ShipCountry": "US",
        }
    )
    yield ExpectedChange("jobs", code, "create")


def _rename_vehicle(company: Company) -> Iterator[ExpectedChange]:
    vehicle = next((row for row in reversed(company.vehicles) if row.get("serial")), None)
    if vehicle is not None:
        vehicle["name"] = f"{vehicle['name']} R"
        yield ExpectedChange("vehicles", vehicle["id"], "update")


def _plain_people(company: Company) -> list[Row]:
    employees = company.own_employees()
    enabled = [user for user in company.graph_users if user.get("employeeId")]
    plain = _Plain(
        phones=Counter(row["Phone"] for row in employees),
        private_mails=Counter(row["Email"] for row in employees),
        mails=Counter(user["mail"] for user in company.graph_users),
        accounts={user["employeeId"]: user for user in enabled if user["accountEnabled"]},
        account_ids=Counter(str(user["employeeId"]).strip().lstrip("0") for user in enabled),
        departments=_departments(company),
        known_beforehand=frozenset(
            value for user in company.seed.users for value in (user.get("emp_id"), user["email"]) if value
        ),
        today=vista_date(company.today),
    )
    return [row for row in employees if _is_plain(row, plain)]


def _departments(company: Company) -> frozenset[str]:
    """Codes of the departments that get a cluster in a region with an office."""
    return frozenset(
        row["PRDept"]
        for row in company.tables["bPRDP"]
        if row["PRCo"] == OWN_COMPANY and row["Description"] and row["udRegion"] in company.seed.regions
    )


def _is_plain(row: Row, plain: _Plain) -> bool:
    number = str(row["Employee"])
    mail = (plain.accounts.get(number) or {}).get("mail") or ""
    return (
        all(_clean(row[name]) for name in ("FirstName", "LastName", "Address", "City", "Phone", "udEmpTitle"))
        and row["TermDate"] is None
        and row["HireDate"] is not None
        and row["HireDate"] < plain.today
        and row["BirthDate"] >= "1900"
        and row["PRDept"] in plain.departments
        and plain.phones[row["Phone"]] == 1
        and len(row["Phone"]) == len("NNN-NNN-NNNN")
        and plain.private_mails[row["Email"]] == 1
        and plain.account_ids[number] == 1
        and plain.mails[mail] == 1
        and mail.isascii()
        and "onmicrosoft" not in mail
        and not plain.known_beforehand & {number, mail}
    )


def _clean(value: str | None) -> bool:
    return bool(value) and value == str(value).strip() and str(value).isprintable()
