"""Vista, Graph and Samsara, read as the sync reads them: what their values are like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from local.probe.assumption import Assumption, Shapes, id_forms, judged, mostly, shapes, share
from shared.clients.vista.rows import EmployeeRow
from shared.runtime import Runtime
from shared.sync.entities.employee_facts import BAD_DATES, employee_number, standing

VISTA, GRAPH, SAMSARA = (f"docs/contracts/{name}.md" for name in ("vista", "msgraph", "samsara"))

Recording = dict[str, Any]


def vista_assumptions(runtime: Runtime, recording: Recording) -> Iterator[Assumption]:
    """Row counts, types of the columns, and who is employed today. Raises DatabaseError."""
    vista, today = runtime.vista, _today(runtime)
    employees = vista.employees().records
    departments, jobs = vista.departments().records, vista.open_jobs().records
    latest, titles = vista.latest_open_jobs(today).records, vista.titles(today).records
    recording["rows"] = {
        **{"employees": len(employees), "departments": len(departments), "open_jobs": len(jobs)},
        **{"latest_jobs": len(latest), "titles": len(titles)},
    }
    recording["columns"] = {
        "employees": _columns(employees),
        "departments": _columns(departments),
        "jobs": _columns(jobs),
    }
    numbers = [row for row in employees if employee_number(row.employee) is not None]
    yield Assumption(
        "vista.employee",
        mostly(employees, numbers),
        "Employee is a whole number",
        share(employees, numbers),
        f"{VISTA}#employees",
        "Rows without one are reported and left out",
    )
    twice = [
        key for key, count in Counter(employee_number(row.employee) for row in numbers).items() if count > 1
    ]
    yield Assumption(
        "vista.one-row",
        judged(not twice if employees else None),
        "each employee has one row in the company",
        f"{len(twice)} numbers occur twice",
        f"{VISTA}#employees",
        "Neither row is used: check VISTA_COMPANY, and what the login sees",
    )
    stands = Counter(standing(row, today) for row in employees)
    yield Assumption(
        "vista.dates",
        mostly(employees, [row for row in employees if standing(row, today) not in BAD_DATES]),
        "HireDate and TermDate say who is employed today",
        ", ".join(f"{count:,} {name}" for name, count in stands.most_common()),
        f"{VISTA}#employees",
        "Bad dates are reported, and those people are left as they are: mend them in PR Employees",
    )
    active = [row for row in employees if standing(row, today) == "active"]
    worked = {number for number, _ in latest}
    sited = [
        row for row in active if employee_number(row.employee) in {employee_number(one) for one in worked}
    ]
    yield Assumption(
        "vista.latest-job",
        judged(2 * len(sited) >= len(active) if active else None),
        "most people who are employed worked at an open job lately, which is their home site",
        share(active, sited),
        f"{VISTA}#latest-job",
        "The others get their region's office (HOME_OFFICE_SUFFIX) or none, which SafetyAmp may refuse",
    )
    known = {str(row.department).strip() for row in departments}
    placed = [row for row in active if str(row.department or "").strip() in known]
    yield Assumption(
        "vista.department",
        mostly(active, placed),
        "everybody's department is one of bPRDP",
        share(active, placed),
        f"{VISTA}#employees",
        "The others have no region: without a latest job they have no home site",
    )


def graph_assumptions(runtime: Runtime, recording: Recording) -> Iterator[Assumption]:
    """How many accounts say whose they are, and how many of the employed have one. Raises APIError."""
    accounts = runtime.graph.list_users().records
    recording["accounts"] = {"count": len(accounts), "fields": shapes(accounts)}
    numbered = [one for one in accounts if employee_number(one.get("employeeId")) is not None]
    filled = [one for one in accounts if str(one.get("employeeId") or "").strip()]
    yield Assumption(
        "graph.employeeId",
        judged(bool(numbered) if accounts else None),
        "employeeId holds Vista's employee number",
        f"{share(accounts, filled)} accounts have one, {len(numbered):,} of them a number",
        f"{GRAPH}#fields",
        "Everybody counts as not being in Microsoft: e-mail comes from Vista. Let HR or IT fill employeeId",
    )
    enabled = Counter(
        employee_number(one.get("employeeId")) for one in numbered if one.get("accountEnabled") is not False
    )
    yield Assumption(
        "graph.one-account",
        mostly(enabled, [number for number, count in enabled.items() if count == 1]),
        "one enabled account per employee number",
        f"{sum(count > 1 for count in enabled.values())} numbers have several",
        f"{GRAPH}#fields",
        "Of these people neither address counts, which each run reports",
    )
    mailed = [one for one in numbered if one.get("mail")]
    yield Assumption(
        "graph.mail",
        judged(2 * len(mailed) >= len(numbered) if numbered else None),
        "accounts with a number have a mail address",
        share(numbered, mailed),
        f"{GRAPH}#fields",
        "Who has none gets no address from Microsoft: SafetyAmp needs one to create a user",
    )
    active = _active_numbers(runtime)
    there = active & {employee_number(one.get("employeeId")) for one in numbered}
    recording["employee_ids"] = {
        **{"filled": len(filled), "numbers": len(numbered), "with_mail": len(mailed)},
        **{"active": len(active), "active_there": len(there)},
    }
    yield Assumption(
        "graph.coverage",
        judged(2 * len(there) >= len(active) if active else None),
        "most people who are employed have an account",
        share(active, there),
        f"{GRAPH}#fields",
        "For the others Vista's e-mail is used, which may be a private one",
    )


def samsara_assumptions(runtime: Runtime, recording: Recording) -> Iterator[Assumption]:
    """Ids, serials, plates, and where drivers carry their employee number. Raises APIError."""
    vehicles = runtime.samsara.list_vehicles().records
    drivers = runtime.samsara.list_active_drivers().records
    ids = id_forms(one.get("id") for one in vehicles)
    recording["vehicles"] = {"count": len(vehicles), "fields": shapes(vehicles), "ids": ids}
    names = Counter(str(name) for one in drivers for name in _mapping(one.get("externalIds")))
    recording["drivers"] = {"count": len(drivers), "fields": shapes(drivers), "external_ids": dict(names)}
    digits = [one for one in vehicles if isinstance(one.get("id"), str) and one["id"].isdecimal()]
    yield Assumption(
        "samsara.id",
        mostly(vehicles, digits),
        "vehicle ids are texts of digits",
        share(vehicles, digits),
        f"{SAMSARA}#vehicles",
        "Vehicles with other ids are reported and left out",
    )
    serials = [one for one in vehicles if one.get("serial") or _mapping(one.get("gateway")).get("serial")]
    yield Assumption(
        "samsara.serial",
        judged(2 * len(serials) >= len(vehicles) if vehicles else None),
        "vehicles have their gateway's serial, by which assets of before are found",
        share(vehicles, serials),
        f"{SAMSARA}#vehicles",
        "Vehicles without one become new assets: look for those that are in SafetyAmp already",
    )
    keyed = [one for one in drivers if "payrollId" in _mapping(one.get("externalIds"))]
    yield Assumption(
        "samsara.payrollId",
        judged(bool(keyed) if drivers else None),
        "drivers carry their employee number as externalIds.payrollId",
        f"{share(drivers, keyed)}; external ids there are: {', '.join(sorted(names)) or 'none'}",
        f"{SAMSARA}#employee-number",
        "A number in the notes is used instead; VEHICLE_ASSIGN_DRIVER=false leaves drivers out",
    )


def _columns(rows: list[Any]) -> Shapes:
    return shapes({name: value for name, value in row._asdict().items() if name != "more"} for row in rows)


def _active_numbers(runtime: Runtime) -> set[int | None]:
    today = _today(runtime)
    rows: list[EmployeeRow] = runtime.vista.employees().records
    return {employee_number(row.employee) for row in rows if standing(row, today) == "active"}


def _today(runtime: Runtime) -> date:
    now: datetime = runtime.clock.now()
    return now.astimezone(ZoneInfo(runtime.settings.default_timezone)).date()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
