"""Giving up a run whose own document cannot be read, so that the next one can start."""

from __future__ import annotations

import logging

from shared.errors import UnreadableDocument
from shared.storage.documents import update_json
from shared.sync import paths
from shared.sync.documents.active import read_active
from shared.sync.documents.runs import EntityStatus, Run, read_run, run_from_json
from shared.sync.model import ENTITIES, JsonValue
from shared.sync.runs.finish import distrust_begun, finish_run, nobody_at_work
from shared.sync.services import Services

logger = logging.getLogger(__name__)


def readable_run(services: Services, run_id: str) -> Run | None:
    """The run, None when there is none. One whose document cannot be read is given up: then, too, nothing is
    left to be done for it."""
    try:
        return read_run(services.documents, run_id)
    except UnreadableDocument as error:
        logger.error("%s", error, extra={"event": "document_unreadable", "run": run_id})
        _give_up(services, run_id, str(error))
        return None


def _give_up(services: Services, run_id: str, reason: str) -> None:
    """End the run as failed, by a document made anew. What was done by then is not known: the next run lists
    SafetyAmp. Whoever is at work on a batch is waited for: the sweep looks again."""
    claim = read_active(services.documents).claim
    if claim is None or claim.run_id != run_id:
        return
    request = claim.request
    if not all(nobody_at_work(services, run_id, entity) for entity in ENTITIES):
        logger.warning("run %s is given up when its batches at hand have ended", run_id)
        return
    for entity in ENTITIES:
        distrust_begun(services, run_id, entity)
    entities = {name: EntityStatus("failed", reason=reason) for name in ENTITIES if name in request.entities}
    failed = Run(run_id, request, claim.at, entities)
    path = paths.run(run_id)

    def replaced(value: JsonValue) -> JsonValue:
        if value is not None:
            run_from_json(value, path)
            return None
        return failed.to_json()

    update_json(services.documents, path, replaced, lost=lambda _: None)
    finish_run(services, run_id)
