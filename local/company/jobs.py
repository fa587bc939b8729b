"""Departments and jobs of the demo company, with the dirt that such tables have."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from local.company.model import OPEN, OTHER_COMPANY, OWN_COMPANY, Row, vista_date

REGIONS = ("Headquarters", "Gulf Coast", "North Delta", "Piney Hills", "River Parishes")
DEPARTMENTS = (
    "Administration",
    "Marine Works",
    "Levees and Flood Walls",
    "Forest Roads",
    "Industrial Civil",
    "Estimating",
    "Pile Driving",
    "Bridges North",
    "Site Clearing",
    "Concrete South",
    "Equipment Shop",
    "Dredging",
    "Asphalt",
    "Utilities West",
    "Plant Maintenance",
    "Safety",
    "Offshore Support",
    "Drainage  ",
    "Survey",
    "Special Projects",
)
REGIONLESS_DEPARTMENT = "20"
PADDED_DEPARTMENT = "18"
UNKNOWN_DEPARTMENT = "77"
CLOSED_STATUSES = (0, 2, 3)
CITIES = (
    ("Baton Rouge", "70802"),
    ("Houma", "70360"),
    ("Lafayette", "70501"),
    ("Monroe", "71201"),
    ("Ruston", "71270"),
    ("Slidell", "70458"),
)
WORKS = ("Bridge Repair", "Pump Station", "Warehouse Slab", "Road Widening", "Dock Renewal", "Culvert")


@dataclass
class Works:
    """Rows of the job tables, and the codes to post time on: `open_by_department` holds jobs that end up
    as sites, `closed` those that do not."""

    jobs: list[Row] = field(default_factory=list)
    contracts: list[Row] = field(default_factory=list)
    open_by_department: dict[str, list[str]] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)


def department_rows() -> list[Row]:
    """20 departments in 5 regions, one of them without region and one with a padded code; and one of
    another company with a code of ours."""
    rows = [_department_row(number, name) for number, name in enumerate(DEPARTMENTS, 1)]
    return [*rows, {**rows[0], "PRCo": OTHER_COMPANY, "Description": "Deck Crew", "udRegion": "Overseas"}]


def region_of(department: str) -> str | None:
    """The region of one of the company's department codes."""
    if department == REGIONLESS_DEPARTMENT:
        return None
    return REGIONS[(int(department) - 1) % len(REGIONS)]


def build_works(count: int, today: date) -> Works:
    """`count` jobs, five of six open, some without address, with a padded code or an unknown department;
    and three of another company that have our numbers."""
    works = Works()
    for index in range(count):
        _add_job(works, index, today)
    for index in range(0, min(count, 18), 6):
        _add_elsewhere(works, works.jobs[min(index + 5, count - 1)])
    return works


def _department_row(number: int, name: str) -> Row:
    code = f"{number:02d}"
    return {
        "PRCo": OWN_COMPANY,
        "PRDept": code + "  " if code == PADDED_DEPARTMENT else code,
        "Description": name,
        "GLCo": OWN_COMPANY,
        "udRegion": region_of(code),
    }


def _add_job(works: Works, index: int, today: date) -> None:
    status = CLOSED_STATUSES[index // 6 % 3] if index % 6 == 5 else OPEN
    department = _contract_department(index)
    code = f"{20000 + 10 * index}."
    job = f"  {code}" if index % 50 == 17 else code
    works.contracts.append(
        {
            "JCCo": OWN_COMPANY,
            "Contract": code,
            "Description": f"Contract {index + 1}",
            "Department": department + " " if index % 30 == 7 else department,
            "ContractStatus": status,
            "StartMonth": vista_date(today.replace(month=1, day=1)),
        }
    )
    works.jobs.append(
        {
            "JCCo": OWN_COMPANY,
            "Job": job,
            "Description": f"{CITIES[index % 6][0]} {WORKS[index // 6 % 6]} {index + 1}",
            "Contract": code,
            "JobStatus": status,
            **({} if index % 45 == 20 else _ship_address(index)),
        }
    )
    if status != OPEN:
        works.closed.append(job)
    elif department not in (UNKNOWN_DEPARTMENT, REGIONLESS_DEPARTMENT):
        works.open_by_department.setdefault(department, []).append(job)


def _contract_department(index: int) -> str:
    if index % 40 == 13:
        return UNKNOWN_DEPARTMENT
    if index % 40 == 29:
        return REGIONLESS_DEPARTMENT
    return f"{index % 19 + 1:02d}"


def _ship_address(index: int) -> Row:
    city, zip_code = CITIES[index % len(CITIES)]
    return {
        "ShipAddress": f"{100 + index} Landing Road",
        "ShipCity": city,
        "ShipState": "LA " if index % 4 == 2 else "LA",
        "ShipZip": f"{zip_code}-" if index % 5 == 3 else zip_code,
        "ShipCountry": None if index % 3 else "US",
    }


def _add_elsewhere(works: Works, twin: Row) -> None:
    contract = next(row for row in works.contracts if row["Contract"] == twin["Contract"])
    works.contracts.append({**contract, "JCCo": OTHER_COMPANY, "Department": "01", "ContractStatus": OPEN})
    works.jobs.append({**twin, "JCCo": OTHER_COMPANY, "Description": "Ship Repair", "JobStatus": OPEN})
    works.elsewhere.append(twin["Job"])
