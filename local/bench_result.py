"""What the benchmark found, and the targets that it is held against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from local.bench_company import RunCalls
from local.bench_planning import Planning

LARGE, TENTH_OF_LARGE = 100_000, 10_000
MOST_CPU_SECONDS = 4.0
MOST_MEGABYTES = 400.0
MOST_GROWTH = 11.0
MOST_IMPORT_SECONDS = 0.25


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
    """Everything; `machine` says where it was measured."""

    machine: dict[str, str]
    sizes: list[SizeResult]
    imports: ImportTimes

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
            "targets": [{**target._asdict(), "met": target.met} for target in targets(self)],
        }


class Target(NamedTuple):
    """A figure that should be at most so much."""

    what: str
    measured: float
    at_most: float

    @property
    def met(self) -> bool:
        """Whether it is."""
        return self.measured <= self.at_most


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
