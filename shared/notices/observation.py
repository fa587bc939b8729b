"""Looking: the shared figures, and of the runs in trouble why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from shared.errors import UnreadableDocument
from shared.figures.figures import read_figures
from shared.notices.conditions import Observation, RunTrouble
from shared.storage.documents import Documents
from shared.sync.documents.runs import read_run

if TYPE_CHECKING:
    from shared.runtime import Runtime


def observe(runtime: Runtime) -> Observation:
    """What all instances share of this moment. Raises StorageError and ConfigurationError."""
    # Before the figures: whoever observed earlier must not seem to know better.
    at = runtime.clock.now()
    figures = read_figures(runtime)
    runs, shared = figures.runs, figures.shared
    open_for = {name: timedelta(seconds=state.open_seconds) for name, state in shared.breakers.items()}
    return Observation(
        at=at,
        last_done_at=runs.last_done_at,
        active=runs.active,
        paused=tuple(runs.paused),
        failed=_trouble(runtime.documents, runs.failed_run_ids, "failed"),
        held=_trouble(runtime.documents, runs.held_run_ids, "held"),
        breakers=open_for if shared.up else None,
        failing=runs.failing,
    )


def _trouble(documents: Documents, run_ids: Sequence[str], phase: str) -> RunTrouble | None:
    if not run_ids:
        return None
    # Run documents are deleted after a while, figures are not.
    try:
        run = read_run(documents, run_ids[0])
    except UnreadableDocument as error:
        return RunTrouble(run_ids[0], len(run_ids), {"run": str(error)})
    entities = run.entities.items() if run else ()
    reasons: dict[str, str] = {
        # A run that failed in one entity may hold the plan of another.
        name if status.phase == phase else f"{name} ({status.phase})": status.reason or status.phase
        for name, status in entities
        if status.phase in ("failed", "held")
    }
    return RunTrouble(run_ids[0], len(run_ids), reasons)
