"""Figures over all runs, kept in a document, so that every instance tells the same."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.storage.documents import Documents, read_json, update_json
from shared.sync.runs import Run, active_run_id, read_active

TOTALS = "state/totals.json"

Figures = dict[str, dict[str, float]]


def add_run(documents: Documents, run: Run, report: dict[str, Any]) -> None:
    """Count an ended run. Counting it again (after a crash, or when a held plan was approved) replaces what
    was counted for it: the last run is kept apart from those before."""
    figures = _figures_of(report)

    def change(value: Any) -> Any:
        totals = value or {"before": {}, "last": {}, "last_run": None}
        before = totals["before"]
        if totals["last_run"] not in (None, run.run_id):
            before = add_figures(before, totals["last"])
        return {"before": before, "last": figures, "last_run": run.run_id}

    update_json(documents, TOTALS, change)


def _figures_of(report: dict[str, Any]) -> Figures:
    operations: Counter[str] = Counter()
    for name, entity in report["entities"].items():
        for result in ("created", "updated", "deactivated", "failed", "waiting", "invalid"):
            operations[f"{name}/{result}"] += entity.get(result, 0)
    return {
        "operations": {name: float(count) for name, count in operations.items()},
        "calls": {name: float(count) for name, count in report["calls"].items()},
        "runs": {report["phase"]: 1.0},
        "run_seconds": {"sum": report["duration_seconds"] or 0.0, "count": 1.0},
        "waited_seconds": {"sum": report["waited_seconds"]},
    }


def add_figures(first: Figures, second: Figures) -> Figures:
    """The sum of two sets of figures, name by name."""
    total: Figures = {}
    for group in {**first, **second}:
        names = {**first.get(group, {}), **second.get(group, {})}
        total[group] = {
            name: first.get(group, {}).get(name, 0.0) + second.get(group, {}).get(name, 0.0) for name in names
        }
    return total


@dataclass(frozen=True)
class Overview:
    """What `/metrics` tells."""

    totals: Figures
    active: bool
    last_done_at: datetime | None


def overview(documents: Documents) -> Overview:
    """The figures of this moment."""
    totals = read_json(documents, TOTALS) or {"before": {}, "last": {}}
    last_done = (read_active(documents) or {}).get("last_done_at")
    return Overview(
        totals=add_figures(totals["before"], totals["last"]),
        active=active_run_id(documents) is not None,
        last_done_at=datetime.fromisoformat(last_done) if last_done else None,
    )
