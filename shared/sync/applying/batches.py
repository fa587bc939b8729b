"""Batches of a plan: which have no outcome yet, and sending them on their way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.errors import UnreadableDocument
from shared.storage.documents import Documents
from shared.sync import paths
from shared.sync.documents.progress import read_progress
from shared.sync.documents.runs import Run
from shared.sync.messages import BatchMessage
from shared.sync.model import EntityName
from shared.sync.services import Services

if TYPE_CHECKING:
    from shared.config import Settings
    from shared.sync.documents.plans import Plan


def all_batches(plan: Plan) -> list[int]:
    """Their numbers."""
    return list(plan.numbers)


def missing_batches(documents: Documents, run: Run, entity: EntityName, plan: Plan) -> list[int]:
    """Numbers of the batches without an outcome."""
    if not plan.batches:
        return []
    there = set(documents.list(paths.outcomes(run.run_id, entity)))
    return [number for number in all_batches(plan) if paths.outcome(run.run_id, entity, number) not in there]


def due_at(
    documents: Documents, settings: Settings, run: Run, entity: EntityName, plan: Plan, number: int
) -> datetime:
    """When the batch was meant to go on: as its progress says, else as the plan spread the batches."""
    spread = timedelta(seconds=(number - plan.numbers.start) * settings.api_rate_limit_period)
    planned = datetime.fromisoformat(plan.created_at) + spread
    return goes_on_at(documents, run, entity, number) or planned


TOO_OLD_AFTER = timedelta(hours=2)
SLOWNESS = 2
"""How long a plan may be applied: what it says gets less true with every hour, and the next run plans anew
what is left. Two hours are for a SafetyAmp that is away for one, restarts and retries. On top comes twice the
time that its batches need at SafetyAmp's limit (31 hours for a first load of 50 000 people, which takes 15),
because a change may need two calls. Not the time up to the batch at hand: where each change needs two, the
first batch ends last, since new ones find the slots."""


def good_until(settings: Settings, plan: Plan) -> datetime:
    """Until when changes of the plan in force may be sent."""
    needed = timedelta(seconds=plan.batches * settings.api_rate_limit_period)
    return datetime.fromisoformat(plan.created_at) + TOO_OLD_AFTER + SLOWNESS * needed


def goes_on_at(documents: Documents, run: Run, entity: EntityName, number: int) -> datetime | None:
    """When the batch was meant to go on, None for one that nobody has had in hand, or whose progress cannot
    be read: whoever gets it ends it."""
    try:
        progress = read_progress(documents, run.run_id, entity, number)
    except UnreadableDocument:
        return None
    return datetime.fromisoformat(progress.next_at) if progress and progress.next_at else None


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
