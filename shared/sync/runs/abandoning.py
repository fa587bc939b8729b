"""Giving up a run that cannot be read, or not be ended, so that the next one can start."""

from __future__ import annotations

import logging

from shared.errors import UnreadableDocument
from shared.storage.documents import update_json
from shared.sync import paths
from shared.sync.documents.active import Claim, read_active
from shared.sync.documents.runs import EntityStatus, Run, change_run, read_run, run_from_json
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


def fail_run(services: Services, run_id: str, reason: str) -> None:
    """End the run as failed where ending it as it should be met an error that will come again. It is quiet
    then: its report is made from its document alone."""
    if _to_be_given_up(services, run_id) is None:
        return
    now = services.clock.now().isoformat()

    def fail(run: Run) -> None:
        run.phase, run.finished_at = "failed", run.finished_at or now
        for status in run.entities.values():
            status.phase, status.quiet, status.finished_at = "failed", True, status.finished_at or now
            status.reason = f"the run could not be ended as it should: {reason}"

    change_run(services.documents, run_id, fail)
    finish_run(services, run_id)


def _to_be_given_up(services: Services, run_id: str) -> Claim | None:
    """The run's claim. None when it is not the active one, or while somebody is at work on a batch: the sweep
    looks again. What was done by then is not known: the next run lists SafetyAmp."""
    claim = read_active(services.documents).claim
    if claim is None or claim.run_id != run_id:
        return None
    if not all(nobody_at_work(services, run_id, entity) for entity in ENTITIES):
        logger.warning("run %s is given up when its batches at hand have ended", run_id)
        return None
    for entity in ENTITIES:
        distrust_begun(services, run_id, entity)
    return claim


def _give_up(services: Services, run_id: str, reason: str) -> None:
    """End the run as failed, by a document made anew."""
    claim = _to_be_given_up(services, run_id)
    if claim is None:
        return
    request = claim.request
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
