"""Batches of a plan: which have no outcome yet, and sending them on their way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.messages import BatchMessage
from shared.sync.model import EntityName
from shared.sync.runs import Run
from shared.sync.services import Services


def missing_batches(services: Services, run: Run, entity: EntityName, plan: dict[str, Any]) -> list[int]:
    """Numbers of the batches without an outcome."""
    there = set(services.documents.list(paths.outcomes(run.run_id, entity)))
    return [
        number
        for number in range(1, plan["batches"] + 1)
        if paths.outcome(run.run_id, entity, number) not in there
    ]


def due_at(services: Services, run: Run, entity: EntityName, plan: dict[str, Any], number: int) -> datetime:
    """When a batch without an outcome is meant to go on."""
    progress = read_json(services.documents, paths.progress(run.run_id, entity, number))
    if progress and progress["next_at"]:
        return datetime.fromisoformat(progress["next_at"])
    spread = timedelta(seconds=(number - 1) * services.settings.api_rate_limit_period)
    return datetime.fromisoformat(plan["created_at"]) + spread


def send_batches(
    services: Services,
    run: Run,
    entity: EntityName,
    numbers: Sequence[int],
    *,
    cause: str,
    spread: bool = True,
) -> None:
    """Send batches, one window apart; without `spread` all at once."""
    now, period = services.clock.now(), services.settings.api_rate_limit_period
    queue = services.settings.batch_queue
    services.bus.send(
        [
            BatchMessage(run.run_id, entity, number, 1, cause).to(
                queue, now + timedelta(seconds=place * period) if spread and place else None
            )
            for place, number in enumerate(numbers)
        ]
    )
