"""What a month in Azure costs, by size of the installation and of the company.

    python3 infra/costs.py

README's section *Costs* is what this prints, and a test compares them. Needs Python 3.11 and nothing else.
Prices are recalled, not looked up: the calculator decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

INFRA = Path(__file__).resolve().parent
PEOPLE = (400, 5_000, 50_000)
HOURS = 730

PRICES_OF = "November 2026"
"""US regions, pay as you go, USD; recalled list prices, none of them looked up."""
FLEX_GB_SECOND, FLEX_FREE_GB_SECONDS = 0.000026, 100_000
EP1_HOUR = 0.22
CONTAINER_CPU_SECOND, CONTAINER_FREE_CPU_SECONDS = 0.000024, 180_000
CONTAINER_GB_SECOND, CONTAINER_FREE_GB_SECONDS = 0.000003, 360_000
REGISTRY_MONTH = 5.0
REDIS_NODE_HOUR = 0.0164
BUS_STANDARD_HOUR = 0.0135
"""Basic has no base charge, and a million operations cost 0.05."""
ENDPOINT_HOUR, ZONE_MONTH = 0.01, 0.5
STORAGE_WRITES_10_000, STORAGE_READS_10_000, STORAGE_GB = 0.0625, 0.005, 0.025
LOGS_GB, LOGS_FREE_GB = 2.8, 5.0
LOG_ALERT = {"PT1M": 3.0, "PT5M": 1.5, "PT10M": 1.0}
LOG_ALERT_SLOWER = 0.5
METRIC_ALERT = 0.1
AVAILABILITY_TEST = 0.0006

RUNS, SWEEPS, NIGHTS, READY_TESTS = 720, 8_640, 30, 2_880
"""A month: hourly, every five minutes, nightly, every quarter of an hour per place."""
CHANGED_A_DAY = 0.01

RUN_READS, RUN_WRITES, RUN_MESSAGES = 50, 35, 8
"""Of a run in which 1 % has changed, at most, counted in the benchmark's company of 400 and of 5 000 people:
reads of documents; their writes, listings and leases, which cost alike; messages."""
SWEEP_READS, SWEEP_WRITES = 1, 0
"""Of a sweep while no run is under way, counted there too."""
HOST_WRITES = 300_000
"""What the Functions host does by itself (leases, timers, keys): an estimate, not counted."""

MEMORY_GB = 2
SHORTEST_SECONDS = 1
"""Flex Consumption counts at least so long for each execution; the benchmark's plan takes less CPU."""
SECONDS_OF_A_CALL = 1.0
"""One call of SafetyAmp, at most: its limit is 60 in 61 seconds."""
READY_SECONDS = 2
RECORDS_A_PAGE = 25
PAGES_BESIDES_PEOPLE = 13


@dataclass(frozen=True)
class Installation:
    """A size with what of it costs."""

    name: str
    plan: str
    places: int = 5
    private: bool = True
    redis: bool = True


INSTALLATIONS = (
    Installation("`small`, `redis=none`", "flex", places=1, private=False, redis=False),
    Installation("`small`", "flex", places=1, private=False),
    Installation("`private`", "flex"),
    Installation("`slots`", "premium"),
    Installation("`container`", "container"),
)


def reading_seconds(people: int) -> float:
    """How long an entity's function reads and compares: an assumption, by the slowest, Vista."""
    return 5 if people <= PEOPLE[1] else 20


def flex_seconds(installation: Installation, people: int) -> float:
    """Seconds of execution in a month."""
    entities = 5
    run = SHORTEST_SECONDS * (1 + RUN_MESSAGES - entities) + reading_seconds(people) * entities
    pages = people / RECORDS_A_PAGE * 1.5 + PAGES_BESIDES_PEOPLE
    changes = people * CHANGED_A_DAY * NIGHTS
    return (
        SWEEPS * SHORTEST_SECONDS
        + RUNS * run
        + READY_TESTS * installation.places * READY_SECONDS
        + (NIGHTS * pages + changes) * SECONDS_OF_A_CALL
    )


def plan_cost(installation: Installation, people: int) -> float:
    """Where the app runs."""
    if installation.plan == "premium":
        return EP1_HOUR * HOURS
    if installation.plan == "container":
        seconds = HOURS * 3600
        cpu = (seconds * 0.5 - CONTAINER_FREE_CPU_SECONDS) * CONTAINER_CPU_SECOND
        return cpu + (seconds - CONTAINER_FREE_GB_SECONDS) * CONTAINER_GB_SECOND + REGISTRY_MONTH
    gb_seconds = flex_seconds(installation, people) * MEMORY_GB
    return max(0.0, gb_seconds - FLEX_FREE_GB_SECONDS) * FLEX_GB_SECOND


def endpoints_cost(installation: Installation, _people: int) -> float:
    """Private endpoints and their zones: host storage three, documents, vault, Redis."""
    if not installation.private:
        return 0.0
    endpoints = 6 if installation.redis else 5
    return endpoints * ENDPOINT_HOUR * HOURS + (endpoints - 1) * ZONE_MONTH


def storage_cost(_installation: Installation, people: int) -> float:
    """Three accounts: operations, and documents of 90 days."""
    writes = RUNS * RUN_WRITES + SWEEPS * SWEEP_WRITES + HOST_WRITES + people * CHANGED_A_DAY * NIGHTS
    reads = RUNS * RUN_READS + SWEEPS * SWEEP_READS
    gigabytes = 1 + people / 2_500
    return (
        writes / 10_000 * STORAGE_WRITES_10_000
        + reads / 10_000 * STORAGE_READS_10_000
        + gigabytes * STORAGE_GB
    )


def logs_cost(_installation: Installation, people: int) -> float:
    """Gigabytes of logs with LOG_LEVEL=INFO: an assumption."""
    return max(0.0, 2 + people / 10_000 - LOGS_FREE_GB) * LOGS_GB


def alerts_cost(installation: Installation, _people: int) -> float:
    """By the rules as they stand beside this file; without Redis one less of each kind."""
    rules = re.findall(r"frequency: '(\w+)'", (INFRA / "modules" / "log-alerts.bicep").read_text())
    metrics = (INFRA / "modules" / "metric-alerts.bicep").read_text().count("    anchor: ")
    cost = sum(LOG_ALERT.get(frequency, LOG_ALERT_SLOWER) for frequency in rules)
    cost += (metrics + 1) * METRIC_ALERT  # and the one on /ready
    return cost if installation.redis else cost - LOG_ALERT_SLOWER - METRIC_ALERT


@dataclass(frozen=True)
class Item:
    """A line of the table: what it is, its unit prices, and what it costs a month."""

    name: str
    price: str
    cost: Callable[[Installation, int], float]


ITEMS = (
    Item(
        "the app's plan",
        f"Flex {FLEX_GB_SECOND:.6f} a GB-s after {FLEX_FREE_GB_SECONDS:,}; EP1 {EP1_HOUR} an hour; ".replace(
            ",", " "
        )
        + f"containers {CONTAINER_CPU_SECOND:.6f} a core-s, {CONTAINER_GB_SECOND:.6f} a GB-s, "
        + f"registry {REGISTRY_MONTH:.0f}",
        plan_cost,
    ),
    Item(
        "Managed Redis Balanced B0, one node",
        f"{REDIS_NODE_HOUR} an hour",
        lambda one, _: REDIS_NODE_HOUR * HOURS if one.redis else 0.0,
    ),
    Item(
        "Service Bus: Basic in `small`, else Standard",
        f"Basic 0.05 a million operations; Standard {BUS_STANDARD_HOUR} an hour",
        lambda one, _: BUS_STANDARD_HOUR * HOURS if one.private else 0.0,
    ),
    Item(
        "private endpoints and DNS zones",
        f"{ENDPOINT_HOUR} an hour; {ZONE_MONTH} a month",
        endpoints_cost,
    ),
    Item(
        "storage, three accounts",
        f"10 000 writes {STORAGE_WRITES_10_000}, reads {STORAGE_READS_10_000}; a GB {STORAGE_GB}",
        storage_cost,
    ),
    Item("Log Analytics", f"{LOGS_GB} a GB after {LOGS_FREE_GB:.0f}", logs_cost),
    Item(
        "alerts",
        f"log {LOG_ALERT_SLOWER}, every 5 minutes {LOG_ALERT['PT5M']}; metric {METRIC_ALERT}",
        alerts_cost,
    ),
    Item(
        "availability test",
        f"{AVAILABILITY_TEST} each",
        lambda one, _: READY_TESTS * one.places * AVAILABILITY_TEST,
    ),
)


def costs(installation: Installation, people: int) -> dict[str, int]:
    """Whole dollars a month by item, so that what is printed adds up."""
    return {item.name: round(item.cost(installation, people)) for item in ITEMS}


def total(installation: Installation, people: int) -> int:
    """Dollars a month."""
    return sum(costs(installation, people).values())


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """The lines of a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def lines() -> list[str]:
    """Both tables: by item for the smallest company, and in all for each."""
    names = [one.name for one in INSTALLATIONS]
    smallest = PEOPLE[0]
    by_item = [
        [item.name, item.price, *(str(costs(one, smallest)[item.name]) for one in INSTALLATIONS)]
        for item in ITEMS
    ]
    in_all = [[f"**{people:,} people**".replace(",", " "), ""] for people in PEOPLE]
    for row, people in zip(in_all, PEOPLE, strict=True):
        row += [f"**{total(one, people)}**" for one in INSTALLATIONS]
    return table(
        [f"{smallest} people, USD a month", f"unit prices, recalled, {PRICES_OF}", *names],
        [*by_item, *in_all],
    )


if __name__ == "__main__":
    print("\n".join(lines()))
