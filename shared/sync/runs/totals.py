"""Figures over all runs, kept in a document, so that every instance tells the same."""

from __future__ import annotations

import logging
import operator
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from typing import TYPE_CHECKING, TypedDict

from shared.clients.http.call_meter import folded
from shared.errors import UnreadableDocument
from shared.storage.decoding import decode
from shared.storage.documents import Documents, read_document, update_json
from shared.sync import paths
from shared.sync.documents.active import active_run_id, read_active
from shared.sync.documents.control import read_pauses
from shared.sync.documents.report import CountName, Report
from shared.sync.documents.runs import Run
from shared.sync.model import ENTITIES, EntityName, JsonValue
from shared.sync.runs.backlog import Backlog, backlogs

if TYPE_CHECKING:
    from shared.config import Settings

TOTALS = "state/totals.json"

RUNS_KEPT_APART = 50
"""Two days of hourly runs: a plan that is approved later than that is counted as one more run."""

COUNTED: tuple[CountName, ...] = ("created", "updated", "deactivated", "failed", "waiting", "invalid")
"""The counts of a report that go into the totals."""

Figures = dict[str, dict[str, float]]

logger = logging.getLogger(__name__)


class _Later(TypedDict, total=False):
    failing: dict[str, int]


class _Totals(_Later):
    before: Figures
    recent: dict[str, Figures]


def add_run(documents: Documents, run: Run, report: Report) -> None:
    """Count an ended run.

    Counting it again (after a crash, by a handler that comes late, or when a held plan was approved) only
    adds what is new: the last runs are kept apart from those before. Nothing ever gets less, or Prometheus
    would take it for a restart; an approved run has ended both as held and as done.
    """
    figures = _figures_of(run, report)
    failing: dict[str, int] = {
        name: status.failing for name, status in run.entities.items() if status.failing is not None
    }

    def change(value: JsonValue) -> JsonValue:
        totals = _totals(value)
        before, recent = totals["before"], dict(totals["recent"])
        newest = run.run_id >= max(recent, default="")
        recent[run.run_id] = greatest_figures(recent.get(run.run_id, {}), figures)
        for run_id in sorted(recent)[:-RUNS_KEPT_APART]:
            before = add_figures(before, recent.pop(run_id))
        known = totals.get("failing", {})
        # The last run knows best; one that was approved later still knows more than nobody.
        after: _Totals = {
            "before": before,
            "recent": recent,
            "failing": {**known, **failing} if newest else {**failing, **known},
        }
        return None if after == value else after

    update_json(documents, TOTALS, change, lost=_tell_lost)


def read_totals(documents: Documents) -> _Totals:
    """The figures as they are kept. Raises UnreadableDocument."""
    return _without_ids(read_document(documents, TOTALS, _Totals) or {"before": {}, "recent": {}})


def _totals(value: JsonValue) -> _Totals:
    if value is None:
        return {"before": {}, "recent": {}}
    return _without_ids(decode(_Totals, value, TOTALS))


def _tell_lost(error: UnreadableDocument) -> None:
    """Statistics never stop a sync: what cannot be read is begun anew."""
    logger.error("%s; the figures of all runs begin anew", error, extra={"event": "document_unreadable"})


def _figures_of(run: Run, report: Report) -> Figures:
    operations: Counter[str] = Counter()
    requests: Counter[str] = Counter()
    for status in run.entities.values():
        requests.update(status.requests)
    for name, entity in report["entities"].items():
        for result in COUNTED:
            operations[f"{name}/{result}"] += entity.get(result, 0)
    figures: Figures = {
        "operations": {name: float(count) for name, count in operations.items()},
        "requests": {name: float(count) for name, count in requests.items()},
        "runs": {report["phase"]: 1.0},
        "run_seconds": {"sum": report["duration_seconds"] or 0.0, "count": 1.0},
        "waited_seconds": {"sum": report["waited_seconds"]},
    }
    phases = {name: status.phase for name, status in run.entities.items()}
    figures["held"] = {name: 1.0 for name, phase in phases.items() if phase == "held"}
    if run.request.keys:
        return {**figures, "single_records": {"runs": 1.0}}
    # A plan that was only looked at takes nobody's place.
    return {**figures, "planned": {name: 1.0 for name, phase in phases.items() if phase in ("done", "held")}}


def _without_ids(totals: _Totals) -> _Totals:
    """The document with the requests of all runs by endpoint, as they count today."""

    def of(figures: Figures) -> Figures:
        return {**figures, "requests": folded(figures["requests"])} if "requests" in figures else figures

    recent = {run_id: of(figures) for run_id, figures in totals["recent"].items()}
    return {**totals, "before": of(totals["before"]), "recent": recent}


def add_figures(first: Figures, second: Figures) -> Figures:
    """The sum of two sets of figures, name by name."""
    return _combined(first, second, operator.add)


def greatest_figures(first: Figures, second: Figures) -> Figures:
    """The greater of each two figures, name by name."""
    return _combined(first, second, max)


def _combined(first: Figures, second: Figures, combine: Callable[[float, float], float]) -> Figures:
    combined: Figures = {}
    for group in {**first, **second}:
        one, other = first.get(group, {}), second.get(group, {})
        combined[group] = {
            name: combine(one.get(name, 0.0), other.get(name, 0.0)) for name in {**one, **other}
        }
    return combined


@dataclass(frozen=True)
class Overview:
    """What the documents say of all runs.

    `totals` has operations ("jobs/created"), requests (by `UpstreamCall.key`), runs (by phase),
    run_seconds and waited_seconds; calls (by service) are those of versions that knew no requests.
    `dead_letters` and `queues` go by queue, `failing` (records that SafetyAmp refuses or that failed in the
    last run) by entity. `held_run_ids` are runs that hold the newest plan of an entity, `failed_run_ids`
    those since the last one that ended well, the newest first; runs of single records say nothing of the
    rest, so that they neither end well nor fail here.
    """

    totals: Figures
    active: bool
    last_done_at: datetime | None
    paused: tuple[EntityName, ...] = ()
    dead_letters: Mapping[str, int] = field(default_factory=dict)
    queues: Mapping[str, Backlog] = field(default_factory=dict)
    failing: Mapping[str, int] = field(default_factory=dict)
    held_run_ids: tuple[str, ...] = ()
    failed_run_ids: tuple[str, ...] = ()

    @property
    def runs_held(self) -> int:
        return len(self.held_run_ids)


def overview(documents: Documents, settings: Settings, now: datetime) -> Overview:
    """The figures of this moment. Raises StorageError."""
    try:
        totals = read_totals(documents)
    except UnreadableDocument:
        totals = _totals(None)
    last_done = read_active(documents).last_done_at
    return Overview(
        totals=reduce(add_figures, totals["recent"].values(), totals["before"]),
        active=active_run_id(documents) is not None,
        last_done_at=datetime.fromisoformat(last_done) if last_done else None,
        paused=_paused(documents),
        dead_letters=_dead_letters(documents, settings),
        queues=backlogs(documents, settings, now),
        failing=totals.get("failing", {}),
        held_run_ids=_held(totals["recent"]),
        failed_run_ids=_failed_since_the_last_good(totals["recent"]),
    )


def _paused(documents: Documents) -> tuple[EntityName, ...]:
    """Where nobody can tell nothing is started for any of them."""
    try:
        return tuple(read_pauses(documents))
    except UnreadableDocument:
        return ENTITIES


def _dead_letters(documents: Documents, settings: Settings) -> dict[str, int]:
    """By queue, also where there are none: a figure that vanishes would be remembered as it last was."""
    counted = Counter(path.split("/")[1] for path in documents.list(paths.DEAD_LETTERS))
    return {**dict.fromkeys((settings.entity_queue, settings.batch_queue), 0), **counted}


def _held(recent: Mapping[str, Figures]) -> tuple[str, ...]:
    """The newest plan of an entity takes the place of those before, whether it is held too or not."""
    found = []
    planned: set[str] = set()
    for run_id in sorted(recent, reverse=True):
        figures = recent[run_id]
        # Release 0.1.0 did not note of which entities a run made plans.
        if _is_held(figures) and not planned.issuperset(figures.get("held", ENTITIES)):
            found.append(run_id)
        planned.update(figures.get("planned", ENTITIES if _is_good(figures) else ()))
    return tuple(found)


def _failed_since_the_last_good(recent: Mapping[str, Figures]) -> tuple[str, ...]:
    """What failed before the last run that ended well is no longer waited for."""
    found = []
    for run_id in sorted(recent, reverse=True):
        if _is_good(recent[run_id]):
            break
        if _is_failed(recent[run_id]):
            found.append(run_id)
    return tuple(found)


def _is_good(figures: Figures) -> bool:
    return "done" in figures.get("runs", {}) and not _is_of_single_records(figures)


def _is_held(figures: Figures) -> bool:
    """Ended as held and in no other way since."""
    return list(figures.get("runs", {})) == ["held"]


def _is_failed(figures: Figures) -> bool:
    return "failed" in figures.get("runs", {}) and not _is_of_single_records(figures)


def _is_of_single_records(figures: Figures) -> bool:
    return "single_records" in figures
