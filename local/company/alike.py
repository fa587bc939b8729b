"""A company that stands in its systems as a recorded one does in its own: who has which number where."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from local.company.accounts import work_mail
from local.company.model import OPEN, OWN_COMPANY, Company, Row
from local.company.people import ascii_name
from local.probe.assumption import Shapes
from local.probe.recording import EmployeeIds, Recording, SafetyAmpSeen, SamsaraSeen
from local.simulators.safetyamp_seed import OFFICE_ADDRESS, SafetyAmpSeed

T = TypeVar("T")
NUMBER_IN_NOTES = re.compile(r"\b[0-9]{4,6}\b")
STRANGER = 800_000
"""Added to employee numbers, it makes numbers of nobody's."""

THINNED = (
    "mobile_phone",
    "date_of_birth",
    "gender",
    "current_hire_date",
    "street",
    "city",
    "state",
    "country",
)


def company_alike(company: Company, like: Recording) -> Company:
    """The company with Samsara, Graph and the content of SafetyAmp as the recording says, as far as there are
    people, jobs and vehicles for it; Vista stays as it is."""
    vehicles, drivers = company.vehicles, company.drivers
    if like.samsara is not None:
        vehicles, drivers = _fleet(vehicles, drivers, like.samsara)
    accounts = company.graph_users
    if like.graph is not None and like.graph.employee_ids.active:
        accounts = _accounts(accounts, len(company.own_employees()), like.graph.employee_ids)
    seed = _seed(company, like.safetyamp)
    return replace(company, vehicles=vehicles, drivers=drivers, graph_users=accounts, seed=seed)


def evenly(rows: Sequence[T], wanted: int) -> list[T]:
    """`wanted` of the rows, from all over the list; all when there are not so many."""
    most = min(max(wanted, 0), len(rows))
    return [row for i, row in enumerate(rows) if (i + 1) * most // len(rows) > i * most // len(rows)]


# -- SafetyAmp -----------------------------------------------------------------------------------------


def _seed(company: Company, seen: SafetyAmpSeen) -> SafetyAmpSeed:
    wanted = max(seen.users.seen, seen.page_sizes.get("100", 0))
    users = _once_each(company.seed.users)
    users += _known_people(company, users)[: max(wanted - len(users), 0)]
    for field in THINNED:
        share = seen.share("users", field)
        if share is not None:
            _thin(users, field, round(share * len(users)))
    if seen.users.seen:
        _number(users, seen)
    return replace(company.seed, users=tuple(users), sites=tuple(_known_sites(company, seen)))


def _once_each(users: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Without those who have another one's employee number: how many there are the recording says."""
    taken: set[Any] = set()
    kept = []
    for user in users:
        number = user.get("emp_id")
        if number is None or number not in taken:
            kept.append(dict(user))
            taken.add(number)
    return kept


def _known_people(company: Company, known: Iterable[Row]) -> list[Row]:
    """Employees whom SafetyAmp does not have, as another hand would have entered them."""
    taken = {value for user in known for value in (user.get("emp_id"), user.get("email"))}
    phones: set[str] = set()
    people = []
    for index, row in enumerate(row for row in company.own_employees() if not row["TermDate"]):
        if str(row["Employee"]) in taken or work_mail(row) in taken:
            continue
        phone = _phone(row["Phone"])
        region = company.seed.regions[index % len(company.seed.regions)] if company.seed.regions else None
        people.append(
            {
                **{
                    "first_name": ascii_name(row["FirstName"]) or "N.",
                    "last_name": ascii_name(row["LastName"]),
                },
                **{"email": work_mail(row), "emp_id": str(row["Employee"]), "region": region},
                **{"mobile_phone": None if phone in phones else phone, "timezone": "America/Chicago"},
                **{"date_of_birth": _day(row["BirthDate"]), "current_hire_date": _day(row["HireDate"])},
                **{"gender": {"M": 1, "F": 0}.get(str(row["Sex"])), "title": "Laborer"},
                **{"street": "1 Former Street", "city": row["City"], "state": "LA", "country": "US"},
            }
        )
        phones.add(phone or "")
    return people


def _phone(text: Any) -> str | None:
    digits = re.sub(r"[^0-9]", "", str(text or ""))
    return f"+1{digits}" if len(digits) == 10 else None


def _day(text: Any) -> str | None:
    return str(text)[:10] if text else None


def _thin(rows: Iterable[Row], field: str, wanted: int) -> None:
    """Leave the field to so many of the rows."""
    having = [row for row in rows if row.get(field) is not None]
    kept = {id(row) for row in evenly(having, wanted)}
    for row in having:
        if id(row) not in kept:
            row[field] = None


def _number(users: Sequence[Row], seen: SafetyAmpSeen) -> None:
    """So many employee numbers as were seen: some of nobody's, at two users, or none at all."""
    found = seen.users
    scale = len(users) / found.seen
    _thin(users, "emp_id", round(scale * found.with_emp_id))
    numbered = [user for user in users if user.get("emp_id")]
    odd = numbered[: round(scale * found.no_number)]
    for user in odd:
        user["emp_id"] = f"X{user['emp_id']}"
    plain = numbered[len(odd) :]
    pairs = round(scale * found.twice)
    for first, second in zip(plain[: 2 * pairs : 2], plain[1 : 2 * pairs : 2], strict=False):
        second["emp_id"] = first["emp_id"]
    strangers = round(scale * (found.numbers - found.employees))
    for user in evenly(plain[2 * pairs :], strangers):
        user["emp_id"] = str(int(user["emp_id"]) + STRANGER)


def _known_sites(company: Company, seen: SafetyAmpSeen) -> list[Row]:
    """Sites of open jobs beside the offices, with their code where the recording has it."""
    count = sum(seen.ids.get("sites", {}).values())
    jobs = [row for row in company.tables["bJCJM"] if row["JobStatus"] == OPEN and row["JCCo"] == OWN_COMPANY]
    jobs = jobs[: max(count - len(company.seed.regions) - 1, 0)]
    sites: list[Row] = []
    for index, job in enumerate(jobs):
        region = company.seed.regions[index % len(company.seed.regions)] if company.seed.regions else None
        code = str(job["Job"]).strip()
        codes = {"ext_id": code, "external_code": code}
        sites.append({"name": str(job["Description"]), "region": region, **OFFICE_ADDRESS, **codes})
    for field in ("ext_id", "external_code"):
        _thin(sites, field, round((seen.share("sites", field) or 0.0) * count))
    return sites


# -- Samsara -------------------------------------------------------------------------------------------


def _fleet(vehicles: list[Row], drivers: list[Row], seen: SamsaraSeen) -> tuple[list[Row], list[Row]]:
    vehicles, drivers = [dict(row) for row in vehicles], [dict(row) for row in drivers]
    if seen.vehicles.count:
        _leave_fields(vehicles, seen.vehicles.fields, seen.vehicles.count)
        _give_ids(vehicles, drivers, seen.vehicles.ids)
    if seen.drivers.count:
        _give_external_ids(drivers, seen.drivers.external_ids, seen.drivers.count)
    return vehicles, drivers


def _leave_fields(rows: list[Row], fields: Shapes, count: int) -> None:
    """Each field to so great a share of the rows as was seen."""
    for name in {name for row in rows for name in row} - {"id", "name"}:
        wanted = round(sum(fields.get(name, {}).values()) / count * len(rows))
        _thin(rows, name, wanted)


def _give_ids(vehicles: list[Row], drivers: list[Row], forms: Mapping[str, int]) -> None:
    """Ids of the form that most have."""
    usual = max(forms, key=forms.__getitem__, default="digits")
    if usual.partition(" ")[2] == "digits":
        return

    def made(known: Any) -> Any:
        return int(known) if usual == "number" else f"v{known}"

    for vehicle in vehicles:
        vehicle["id"] = made(vehicle["id"])
    for driver in drivers:
        assigned = driver.get("staticAssignedVehicle")
        if assigned:
            driver["staticAssignedVehicle"] = {**assigned, "id": made(assigned["id"])}


def _give_external_ids(drivers: list[Row], names: Mapping[str, int], count: int) -> None:
    """The employee number below the names that were seen, for so great a share of the drivers."""
    numbers = [_number_of(driver) for driver in drivers]
    for driver in drivers:
        driver.pop("externalIds", None)
    numbered = [(driver, number) for driver, number in zip(drivers, numbers, strict=True) if number]
    for name, much in names.items():
        for driver, number in evenly(numbered, round(much / count * len(drivers))):
            driver["externalIds"] = {**driver.get("externalIds", {}), name: number}


def _number_of(driver: Row) -> str | None:
    known = (driver.get("externalIds") or {}).get("payrollId")
    found = NUMBER_IN_NOTES.search(str(driver.get("notes") or ""))
    return known or (found[0] if found else None)


# -- Graph ---------------------------------------------------------------------------------------------


def _accounts(accounts: list[Row], people: int, seen: EmployeeIds) -> list[Row]:
    """`employeeId` for so great a share of the people as was seen; texts that are none for so many more."""
    accounts = [dict(account) for account in accounts]
    numbered = [account for account in accounts if str(account.get("employeeId") or "").strip()]
    covered = round(seen.active_there / seen.active * people)
    odd = round((seen.filled - seen.numbers) / seen.active * people)
    kept = {id(account) for account in evenly(numbered, covered)}
    others = [account for account in numbered if id(account) not in kept]
    for index, account in enumerate(others):
        account["employeeId"] = "see HR" if index < odd else None
    mailed = round(seen.with_mail / max(seen.numbers, 1) * len(kept))
    _thin([account for account in accounts if id(account) in kept], "mail", mailed)
    return accounts
