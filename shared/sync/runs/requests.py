"""Requesting a run, and making sure that the one that is active goes on.

Everything that must survive a crash is in the documents; messages only make things go on sooner.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from shared.context import bound
from shared.errors import BusError, Paused, RunConflict
from shared.storage.documents import Documents, create_json
from shared.sync import paths
from shared.sync.documents.active import Claim, claim_active, read_active, release_active
from shared.sync.documents.control import Pause, read_pauses
from shared.sync.documents.runs import EntityStatus, Run, RunRequest, get_run, new_run_id
from shared.sync.messages import EntityMessage
from shared.sync.model import ENTITIES, EntityName
from shared.sync.planning.rules_in_force import rules_in_force
from shared.sync.runs.reopening import reopen
from shared.sync.services import Services

logger = logging.getLogger(__name__)

START = "start"
"""The cause of a run's first messages."""


def request_run(services: Services, request: RunRequest) -> str:
    """Start a run and return its id.

    Raises as `claim_run`. When Service Bus cannot be reached the run stands nevertheless: the sweep sends
    its messages later.
    """
    run = _claimed(services, request)
    with bound(run=run.run_id):
        try:
            send_entities(services, run.run_id, _first(run), START)
        except BusError as error:
            text = "run %s waits for the sweep, its messages could not be sent: %s"
            logger.warning(text, run.run_id, error)
    return run.run_id


def _first(run: Run) -> list[EntityName]:
    """The entities that can begin at once. Whoever finishes what the others need sends theirs. Where all are
    off, one message ends the run."""
    waiting = [name for name, status in run.entities.items() if not status.ended]
    return [name for name in waiting if run.ready(name)] or list(run.entities)[:1]


def claim_run(services: Services, request: RunRequest) -> str:
    """Make a run the active one and return its id, without sending its messages: for a caller that handles
    them itself. Should it die of that, the sweep sends them.

    Raises Paused when an operator paused all of its entities, RunConflict with the active run's id when one
    is under way, and UnreadableDocument or ConfigurationError when nobody can tell under which rules.
    """
    return _claimed(services, request).run_id


def _claimed(services: Services, request: RunRequest) -> Run:
    refuse_paused(services.documents, request.entities)
    # Before the claim, which carries it: whoever completes the run finds there what it was begun under.
    request = replace(request, rules=request.rules or rules_in_force(services))
    now = services.clock.now()
    run_id = new_run_id(now)
    while services.documents.read(paths.run(run_id)) is not None:
        run_id = new_run_id(now)  # a run of the very same moment has it
    claim = claim_active(services.documents, run_id, request, now.isoformat())
    with bound(run=run_id):
        facts = {"event": "run_requested", "mode": request.mode, "cause": request.cause}
        logger.info("run %s was requested", run_id, extra={**facts, "entities": list(request.entities)})
        return _created(services, claim)


def ensure_run(services: Services) -> str | None:
    """Make sure that the active run has its document (the claim comes first, a crash may separate them).

    An approval that was claimed is completed here too. Returns the active run's id."""
    claim = read_active(services.documents).claim
    if claim is None:
        return None
    run_id = claim.run_id
    if services.documents.read(paths.run(run_id)) is None:
        _created(services, claim)
    try:
        if claim.approves:
            reopen(services.documents, claim)
    except (RunConflict, Paused) as error:
        logger.warning("the approval of run %s is void: %s", run_id, error)
        release_active(services.documents, get_run(services.documents, run_id))
        return None
    return run_id


def _created(services: Services, claim: Claim) -> Run:
    """The run that was claimed, whoever made its document.

    Pauses are read here, after the claim: one that comes later finds the run active and stops it."""
    request = claim.request
    pauses = read_pauses(services.documents)
    run = Run(
        run_id=claim.run_id,
        request=request,
        requested_at=claim.at,
        entities={
            name: _first_status(services, name, pauses) for name in ENTITIES if name in request.entities
        },
    )
    is_ours = create_json(services.documents, paths.run(run.run_id), run.to_json())
    return run if is_ours else get_run(services.documents, run.run_id)


def refuse_paused(documents: Documents, entities: Sequence[EntityName]) -> None:
    """Raises Paused when an operator paused all of these."""
    pauses = read_pauses(documents)
    if all(name in pauses for name in entities):
        raise Paused("; ".join(pauses[name].about(name) for name in entities))


def _first_status(services: Services, entity: EntityName, pauses: Mapping[EntityName, Pause]) -> EntityStatus:
    if entity in pauses:
        return EntityStatus("off", reason=pauses[entity].about(entity))
    if entity == "vehicles" and not services.settings.vehicles_enabled:
        return EntityStatus(
            "off",
            reason="vehicles are off: set SAFETYAMP_VEHICLE_SITE_ID and SAFETYAMP_VEHICLE_ASSET_TYPE_ID",
        )
    return EntityStatus()


def send_entities(services: Services, run_id: str, entities: Sequence[EntityName], cause: str) -> None:
    """Send one message per entity. Raises BusError."""
    queue = services.settings.entity_queue
    services.bus.send([EntityMessage(run_id, entity, cause).to(queue) for entity in entities])
