"""What SafetyAmp must hold after a complete first run, worked out without any of the product's code.

The facts are those of docs/contracts/, the rules those of docs/what-it-does.md and, where it leaves a
choice, the decisions stated in the docstrings of the product's mappings. Slow and plain on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from local.company.model import Company
from tests.e2e.expected_content import Content
from tests.e2e.expected_fleet import Drivers, expect_assets
from tests.e2e.expected_home_sites import HomeSites, latest_jobs
from tests.e2e.expected_mail import Accounts
from tests.e2e.expected_people import expect_titles, expect_users
from tests.e2e.expected_places import expect_clusters, expect_sites, regions_of
from tests.e2e.expected_tally import Tally
from tests.e2e.expected_values import Record

COMPANY = 1
FLEET = {"site_id": "Fleet Yard", "asset_type_id": "Vehicle"}
"""Where the simulated tenant keeps its vehicles, and as what."""

RESOURCE_OF = {
    "departments": "site_clusters",
    "jobs": "sites",
    "titles": "user_titles",
    "employees": "users",
    "vehicles": "assets",
}

Counts = dict[str, dict[str, int]]
"""Counts of a run's report by entity and name."""


@dataclass(frozen=True)
class Expectation:
    """`content` after the first run, and the `counts` of its report."""

    content: Content
    counts: Counts
    without_phone: int = 0
    """People who are in SafetyAmp without the phone that the source says, because somebody else has it."""
    off_by_hand: int = 0
    """People of whom something was updated and who are without access, because somebody switched them off."""

    def created(self) -> dict[str, int]:
        """Records that the run creates, by resource; those with none are left out."""
        counts = {RESOURCE_OF[entity]: values["created"] for entity, values in self.counts.items()}
        return {resource: count for resource, count in counts.items() if count}

    def second_counts(self) -> Counts:
        """The report of a run after it when nothing changes: what was done is unchanged, what SafetyAmp
        refused is not tried again but reported as invalid, who goes without a phone that somebody else
        has waits for it, and who was switched off by hand is skipped."""
        second = {entity: _second(values) for entity, values in self.counts.items()}
        second["employees"]["unchanged"] -= self.without_phone
        second["employees"]["waiting"] += self.without_phone
        second["employees"]["unchanged"] -= self.off_by_hand
        second["employees"]["skipped"] += self.off_by_hand
        return second


def expect(company: Company, today: date, before: Content, *, assign_drivers: bool = False) -> Expectation:
    """The expectation for `company`, whose SafetyAmp tenant holds `before`.

    `today` is the day in the company's time zone, `assign_drivers` the setting VEHICLE_ASSIGN_DRIVER.
    """
    tables = company.tables
    departments, people = _own(tables["bPRDP"], "PRCo"), _own(tables["bPREH"], "PRCo")
    jobs, contracts = _own(tables["bJCJM"], "JCCo"), _own(tables["bJCCM"], "JCCo")
    clusters = expect_clusters(departments, before)
    sites = expect_sites(jobs, contracts, clusters, before)
    latest = latest_jobs(tables["bPRJC"], tables["bJCJM"], COMPANY, today)
    homes = HomeSites(sites.records, before, regions_of(departments, before), latest)
    users = expect_users(people, Accounts(company.graph_users), homes, today, before)
    drivers = Drivers(company.drivers, users.records.keys()) if assign_drivers else None
    tallies = {
        "departments": clusters,
        "jobs": sites,
        "titles": expect_titles(people, today, before),
        "employees": users,
        "vehicles": expect_assets(company.vehicles, drivers, FLEET, before),
    }
    counts = {entity: tally.report() for entity, tally in tallies.items()}
    return Expectation(_content(tallies), counts, users.going_without, users.skipped_later)


def _own(rows: list[Record], column: str) -> list[Record]:
    return [row for row in rows if row[column] == COMPANY]


def _content(tallies: dict[str, Tally]) -> Content:
    return {RESOURCE_OF[entity]: tally.records for entity, tally in tallies.items()}


def _second(first: dict[str, int]) -> dict[str, int]:
    done = sum(first[name] for name in ("unchanged", "created", "updated", "deactivated"))
    left = {"skipped": first["skipped"], "invalid": first["invalid"] + first["failed"]}
    return {**dict.fromkeys(first, 0), "source": first["source"], "unchanged": done, **left}
