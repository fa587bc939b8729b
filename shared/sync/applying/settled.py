"""The outcomes of batches that have ended, also of those whose documents cannot be read."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from shared.errors import UnreadableDocument
from shared.storage.documents import Documents
from shared.sync.applying.batches import all_batches, missing_batches
from shared.sync.documents.change import Change
from shared.sync.documents.outcome import BatchOutcomes, Outcome, in_doubt, read_outcomes
from shared.sync.documents.plans import Plan, read_batch
from shared.sync.documents.runs import Run
from shared.sync.model import EntityName

logger = logging.getLogger(__name__)


def settled(documents: Documents, run: Run, entity: EntityName, plan: Plan) -> Iterator[BatchOutcomes]:
    """The outcomes of the plan's batches that have ended; only of several is it asked first which have.

    Where they cannot be read, what was done is not known: then all changes of the batch count as failed, and
    SafetyAmp has to be listed."""
    missing = missing_batches(documents, run, entity, plan) if plan.batches > 1 else ()
    for number in sorted(set(all_batches(plan)).difference(missing)):
        outcomes = _settled(documents, run.run_id, entity, plan.plan_of(number), number)
        if outcomes is not None:
            yield outcomes


def settled_before(documents: Documents, run: Run, entity: EntityName, plan: Plan) -> Iterator[BatchOutcomes]:
    """The outcomes of what was applied before the rest was approved, which is this plan."""
    for number in range(1, plan.numbers.start):
        outcomes = _settled(documents, run.run_id, entity, plan.plan_of(number), number)
        if outcomes is not None:
            yield outcomes


def _settled(
    documents: Documents, run_id: str, entity: str, plan_id: str, number: int
) -> BatchOutcomes | None:
    try:
        return read_outcomes(documents, run_id, entity, number)
    except UnreadableDocument as error:
        logger.error("%s", error, extra={"event": "document_unreadable"})
        return unknown_outcomes(documents, run_id, entity, plan_id, number, str(error))


def unknown_outcomes(
    documents: Documents, run_id: str, entity: str, plan_id: str, number: int, reason: str
) -> BatchOutcomes:
    """What is left to say of a batch of which nobody knows how far it came. Without its own document not even
    which changes there were."""
    try:
        changes = read_batch(documents, run_id, entity, plan_id, number)
    except UnreadableDocument:
        changes = []
    return BatchOutcomes([_unknown(change, reason) for change in changes], reason=reason, list_anew=True)


def _unknown(change: Change, reason: str) -> Outcome:
    outcome = in_doubt(change, "failed", f"whether it was done is not known: {reason}")
    outcome.unsure = change.action == "create"
    return outcome
