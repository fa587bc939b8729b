"""What the benchmark found, and the targets that it is held against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import inf
from typing import Any, NamedTuple

from local.bench.bus import BusResult
from local.bench.company import RunCalls
from local.bench.lost import LostResult
from local.bench.planning import Planning
from local.bench.waiting import WaitingResult
from local.bench.workers import WorkersResult

LARGE, TENTH_OF_LARGE = 100_000, 10_000
MOST_CPU_SECONDS = 4.0
MOST_MEGABYTES = 400.0
MOST_GROWTH = 11.0
MOST_IMPORT_SECONDS = 0.25
LEAST_OF_ALLOWED = 0.98
MOST_WAITING = 0.05
MOST_BEYOND_PER_LOST = 1.9
"""One repetition each and one listing for an entity, 450 calls for 250 lost answers among 5 000 people; a few
repetitions are lost again, and what has no unique value is read twice."""


@dataclass(frozen=True)
class SizeResult:
    """One company size. `changed` is the number of employees that were changed before `after_change`."""

    employees: int
    first_load: RunCalls
    unchanged: RunCalls
    changed: int
    after_change: RunCalls
    planning: Planning


@dataclass(frozen=True)
class ImportTimes:
    """Medians over fresh interpreters, in seconds."""

    azure_functions: float
    function_app: float

    @property
    def more(self) -> float:
        """What the app adds."""
        return self.function_app - self.azure_functions


@dataclass(frozen=True)
class BenchResult:
    """Everything; `machine` says where it was measured, and with which Redis."""

    machine: dict[str, str]
    sizes: list[SizeResult]
    imports: ImportTimes
    workers: list[WorkersResult]
    waiting: WaitingResult
    lost: LostResult
    bus: BusResult

    @property
    def growth(self) -> float | None:
        """How many times as long planning takes for ten times as many people, None when one is missing.

        Plannings after the first of a process: what happens once, however large the company is, would
        flatter the figure.
        """
        seconds = {size.employees: size.planning.cpu_seconds for size in self.sizes}
        if LARGE not in seconds or TENTH_OF_LARGE not in seconds:
            return None
        return seconds[LARGE] / seconds[TENTH_OF_LARGE]

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            **asdict(self),
            "growth": self.growth,
            "targets": [target.to_json() for target in targets(self)],
        }


class Target(NamedTuple):
    """A figure that should be at most so much, or at least so much."""

    what: str
    measured: float
    at_most: float = inf
    at_least: float = -inf

    @property
    def met(self) -> bool:
        """Whether it is."""
        return self.at_least <= self.measured <= self.at_most

    @property
    def bound(self) -> str:
        """What it should be."""
        return f"<= {self.at_most:g}" if self.at_most < inf else f">= {self.at_least:g}"

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {"what": self.what, "measured": self.measured, "bound": self.bound, "met": self.met}


def targets(result: BenchResult) -> Iterator[Target]:
    """The targets with what was measured for them."""
    for size in result.sizes:
        yield from _call_targets(size)
    large = next((size.planning for size in result.sizes if size.employees == LARGE), None)
    if large is not None:
        seconds = max(large.cpu_seconds, large.first_cpu_seconds)
        yield Target(f"{LARGE} employees: CPU seconds of planning", seconds, MOST_CPU_SECONDS)
        yield Target(f"{LARGE} employees: MB of memory while planning", large.megabytes, MOST_MEGABYTES)
    if result.growth is not None:
        yield Target(f"growth from {TENTH_OF_LARGE} to {LARGE} employees", result.growth, MOST_GROWTH)
    yield Target("seconds to import the app beyond azure.functions", result.imports.more, MOST_IMPORT_SECONDS)
    for workers in result.workers:
        yield from _workers_targets(workers)
    yield Target("real window, one worker: part of handler time waited", result.waiting.share, MOST_WAITING)
    yield from _lost_targets(result.lost)


def _lost_targets(lost: LostResult) -> Iterator[Target]:
    name = f"{lost.employees} employees, {lost.lost} answers lost"
    yield Target(f"{name}: calls beyond", lost.beyond, MOST_BEYOND_PER_LOST * lost.lost)
    yield Target(f"{name}: records missing or there twice", lost.left, 0)


def _workers_targets(result: WorkersResult) -> Iterator[Target]:
    name = f"{result.workers} workers"
    if result.achieved_of_allowed is not None:
        yield Target(
            f"{name}: calls achieved of allowed", result.achieved_of_allowed, at_least=LEAST_OF_ALLOWED
        )
    yield Target(f"{name}: calls beyond the limit, or refused", max(result.exceeded, result.refused), 0)
    yield Target(f"{name}: part of handler time waited", result.waiting_share, MOST_WAITING)


def _call_targets(size: SizeResult) -> Iterator[Target]:
    name = f"{size.employees} employees"
    first, changed = size.first_load, size.after_change
    yield Target(f"{name}: first load, pages listed again", first.repeated, 0)
    yield Target(
        f"{name}: first load, writes more or fewer than planned changes", abs(first.writes - first.planned), 0
    )
    yield Target(f"{name}: run without changes, SafetyAmp calls", size.unchanged.calls, 0)
    yield Target(
        f"{name}: {size.changed} changed, writes more or fewer", abs(changed.writes - size.changed), 0
    )
    yield Target(f"{name}: {size.changed} changed, pages listed", changed.pages, 0)
    yield Target(f"{name}: changes found by planning an unchanged company", size.planning.changes, 0)
