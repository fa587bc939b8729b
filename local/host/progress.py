"""How far a run has come, read from its documents, and three ways to show it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from local.host.forecast import Forecast, told
from shared.errors import UnreadableDocument
from shared.resilience.rate_limiter import Usage
from shared.storage.documents import Documents
from shared.sync.documents.outcome import BatchOutcomes, read_outcomes
from shared.sync.documents.plans import planned_changes, read_plan
from shared.sync.documents.progress import Progress, read_progress
from shared.sync.documents.runs import Run

LINE_EVERY = 100
"""Changes of an entity between two lines where there is no terminal."""

PHASE_STYLES = {"done": "green", "failed": "bold red", "held": "yellow", "applying": "cyan", "off": "dim"}


@dataclass(frozen=True)
class EntityProgress:
    """One line of the display; `planned` is None until the plan is made."""

    name: str
    phase: str
    planned: int | None
    done: int
    failed: int
    waiting: int


@dataclass(frozen=True)
class RunProgress:
    """The whole display. `calls` are SafetyAmp's so far, `waited_seconds` what handlers waited for it."""

    run_id: str
    entities: list[EntityProgress]
    calls: int
    waited_seconds: float
    usage: Usage

    @property
    def settled(self) -> int:
        """Changes that are over, one way or the other."""
        return sum(entity.done + entity.failed + entity.waiting for entity in self.entities)

    @property
    def planned(self) -> int:
        """Changes of the plans that there are."""
        return sum(entity.planned or 0 for entity in self.entities)

    @property
    def unplanned(self) -> list[str]:
        """Entities that nobody knows the changes of yet."""
        return [entity.name for entity in self.entities if entity.phase in ("waiting", "planning")]


class Ending:
    """The words for how long it will still take."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._forecast = Forecast(clock)

    def of(self, progress: RunProgress) -> str:
        """Nothing where it cannot be told."""
        seconds = self._forecast.seconds_left(progress.settled, progress.planned)
        if seconds is None:
            return ""
        rest = f" without {', '.join(progress.unplanned)}" if progress.unplanned else ""
        return f", about {told(seconds)} to go{rest}"


def run_progress(documents: Documents, run: Run, usage: Usage) -> RunProgress:
    """Read the progress of a run; cheap enough to be called twice a second on local documents."""
    calls: Counter[str] = Counter()
    waited = 0.0
    entities = []
    for name, status in run.entities.items():
        try:
            plan = read_plan(documents, run, name)
        except UnreadableDocument:
            plan = None
        results: Counter[str] = Counter()
        if plan:
            calls.update(plan.calls)
            waited += plan.waited_seconds
        for batch in _batches(documents, run.run_id, name, plan):
            calls.update(batch.calls)
            waited += batch.waited_seconds
            for outcome in batch.outcomes:
                results["done" if outcome.went_well else outcome.result] += 1
        failed = results["failed"] + results["refused"]
        waiting = results["waiting"] + results["gone"]
        phase = status.phase if plan or status.ended else _unplanned_phase(run, name)
        planned = planned_changes(plan) if plan else None
        entities.append(EntityProgress(name, phase, planned, results["done"], failed, waiting))
    return RunProgress(run.run_id, entities, calls["safetyamp"], waited, usage)


def _unplanned_phase(run: Run, name: Any) -> str:
    return "planning" if run.ready(name) else "waiting"


def _batches(documents: Documents, run_id: str, entity: str, plan: Any) -> Iterator[BatchOutcomes | Progress]:
    """Of each batch that was begun its outcome if there is one, else its progress."""
    for number in plan.numbers if plan else ():
        with suppress(UnreadableDocument):  # a look is not where that is settled
            batch = read_outcomes(documents, run_id, entity, number) or read_progress(
                documents, run_id, entity, number
            )
            if batch is not None:
                yield batch


class Display(Protocol):
    """Where progress goes."""

    def show(self, progress: RunProgress) -> None:
        """Show the newest progress."""
        ...


class Silent:
    """Nothing is shown, for machines."""

    def show(self, progress: RunProgress) -> None:
        """Nothing."""


class PlainLines:
    """A line whenever an entity has moved, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: dict[str, EntityProgress] = {}
        self._ending = Ending()

    def show(self, progress: RunProgress) -> None:
        ending = self._ending.of(progress)
        for entity in progress.entities:
            before = self._last.get(entity.name)
            if before is None or _moved(before, entity):
                self._console.print(
                    _line(entity, progress) + ending, markup=False, highlight=False, soft_wrap=True
                )
                self._last[entity.name] = entity


def _moved(before: EntityProgress, now: EntityProgress) -> bool:
    return before.phase != now.phase or now.done // LINE_EVERY > before.done // LINE_EVERY


def _line(entity: EntityProgress, progress: RunProgress) -> str:
    planned = "-" if entity.planned is None else entity.planned
    return (
        f"{progress.run_id} {entity.name}: {entity.phase}, planned {planned}, done {entity.done}, "
        f"failed {entity.failed}, SafetyAmp calls {progress.calls}"
    )


class LiveTable:
    """A table that updates itself, for terminals."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._ending = Ending()

    def show(self, progress: RunProgress) -> None:
        self._live.update(_table(progress, self._ending.of(progress)))


def _table(progress: RunProgress, ending: str) -> Group:
    table = Table(title=f"Run {progress.run_id}", title_justify="left")
    for heading in ("entity", "state"):
        table.add_column(heading)
    for heading in ("planned", "done", "failed", "waiting"):
        table.add_column(heading, justify="right")
    for entity in progress.entities:
        planned = "" if entity.planned is None else str(entity.planned)
        style = PHASE_STYLES.get(entity.phase, "")
        failed = Text(str(entity.failed), style="bold red" if entity.failed else "")
        table.add_row(
            entity.name,
            Text(entity.phase, style),
            planned,
            str(entity.done),
            failed,
            str(entity.waiting),
        )
    usage = progress.usage
    window = f"window {usage.used} of {usage.limit or 'unlimited'} used"
    blocked = f", told to wait {usage.blocked_seconds:.0f} s" if usage.blocked_seconds else ""
    waited = f"waited {progress.waited_seconds:.1f} s for the limit"
    return Group(table, Text(f"SafetyAmp calls {progress.calls}, {window}, {waited}{blocked}{ending}"))


@contextmanager
def display(console: Console, *, silent: bool) -> Iterator[Display]:
    """The display that fits: none for machines, a live table in a terminal, lines elsewhere."""
    if silent:
        yield Silent()
    elif console.is_terminal:
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            yield LiveTable(live)
    else:
        yield PlainLines(console)
