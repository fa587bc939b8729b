"""What a simulated world begins with: a small company, and a SafetyAmp that is empty or holds it already."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from local.company.demo import demo_company
from local.company.model import OWN_COMPANY, Company
from tests.chaos.hands import with_strangers

if TYPE_CHECKING:
    from tests.chaos.world import World

PEOPLE, JOBS, VEHICLES = 30, 8, 5
"""Few, so that a seed is soon done; the first 30 people have most of the dirt that matters here."""
DEPARTMENTS = ("01", "02", "03", "04", "05", "18  ", "20")
DROPPED = frozenset(f"{number:02d}" for number in range(6, 20) if number != 18)


@dataclass(frozen=True)
class Settled:
    """The documents and SafetyAmp's records after a first load in peace, and when that was."""

    at: datetime
    documents: dict[str, bytes]
    safetyamp: dict[str, Any]


def small_demo_company(today: date) -> Company:
    """The demo company with fewer departments: each costs a call in every first load."""
    company = demo_company(today, PEOPLE, jobs=JOBS, vehicles=VEHICLES)
    tables = company.tables
    tables["bPRDP"] = [
        row for row in tables["bPRDP"] if row["PRDept"] in DEPARTMENTS or row["PRCo"] != OWN_COMPANY
    ]
    for table, column in (("bPREH", "PRDept"), ("bJCCM", "Department")):
        for row in tables[table]:
            code = str(row[column]).strip()
            # Codes that no company has stay what they are.
            if code in DROPPED:
                row[column] = DEPARTMENTS[int(code) % 5]
    company.seed = with_strangers(company.seed)
    return company


@cache
def settled() -> Settled:
    """Made once per process, by a world in which nothing goes wrong."""
    from tests.chaos.world import World

    options: dict[str, Any] = {"kinds": (), "processes_count": 1, "company_changes": False}
    return settle(World(seed=-1, **options, limit_calls=60, loaded=False))


def settle(world: World) -> Settled:
    """Let a world without faults run, and keep what is there then."""
    try:
        world.run()
        documents = {
            path: document.data
            for path in world.store.list("")
            if (path == "runs/active.json" or not path.startswith("runs/"))
            and (document := world.store.read(path)) is not None
        }
        return Settled(world.clock.now(), documents, world.tenant.safetyamp.dump())
    finally:
        world.close()
