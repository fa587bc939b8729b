"""What the active run still waits for, by queue, from documents: the queues themselves tell only their owner.

A message that got lost shows here too, because what counts is work without an outcome.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.errors import UnreadableDocument
from shared.storage.documents import Documents
from shared.sync.applying.batches import due_at, goes_on_at, missing_batches
from shared.sync.documents.active import active_run_id
from shared.sync.documents.plans import Plan, read_plan
from shared.sync.documents.runs import Run, read_run
from shared.sync.model import ENTITY_NEEDS, EntityName

if TYPE_CHECKING:
    from shared.config import Settings

MOST_LOOKED_AT = 20
"""Batches whose progress is read, the first ones: they were due first, and there can be thousands."""


@dataclass(frozen=True)
class Backlog:
    """How much has no outcome yet, and for how many seconds the oldest that is due has waited (0: none)."""

    waiting: int = 0
    oldest_seconds: float = 0.0


def backlogs(documents: Documents, settings: Settings, now: datetime) -> dict[str, Backlog]:
    """By the queues' names: entities that can be planned and are not, batches without an outcome."""
    run_id = active_run_id(documents)
    try:
        run = read_run(documents, run_id) if run_id else None
    except UnreadableDocument:
        run = None  # It is about to be given up.
    entities: list[datetime] = []
    batches: list[datetime] = []
    waiting = 0
    for entity, status in run.entities.items() if run else ():
        if run is None or status.ended:
            continue
        try:
            plan = None if status.phase == "pending" else read_plan(documents, run, entity)
        except UnreadableDocument:
            continue  # It is about to be given up.
        if plan is None:
            entities += [_ready_since(run, entity)] if run.ready(entity) else []
        else:
            missing = missing_batches(documents, run, entity, plan)
            waiting += len(missing)
            batches += _due(documents, settings, run, entity, plan, missing[:MOST_LOOKED_AT])
    return {
        settings.entity_queue: Backlog(len(entities), _age(entities, now)),
        settings.batch_queue: Backlog(waiting, _age(batches, now)),
    }


def _due(
    documents: Documents,
    settings: Settings,
    run: Run,
    entity: EntityName,
    plan: Plan,
    numbers: Iterable[int],
) -> list[datetime]:
    if run.entities[entity].approved:
        # Release 0.1.0 sent the held plan itself, which may have been made hours before.
        moments = [goes_on_at(documents, run, entity, number) for number in numbers]
        return [moment for moment in moments if moment is not None]
    return [due_at(documents, settings, run, entity, plan, number) for number in numbers]


def _ready_since(run: Run, entity: EntityName) -> datetime:
    """When the last of what the entity needs had ended, or the run was asked for or approved."""
    needs = [run.entities[need].finished_at for need in ENTITY_NEEDS[entity] if need in run.entities]
    return datetime.fromisoformat(max([run.begun_at, *(at for at in needs if at)]))


def _age(moments: Iterable[datetime], now: datetime) -> float:
    return max((max(0.0, (now - moment).total_seconds()) for moment in moments), default=0.0)
