"""Approving the plans that a run holds."""

from __future__ import annotations

from shared.errors import Paused, RunConflict
from shared.sync.documents.active import claim_active, release_active
from shared.sync.documents.runs import get_run
from shared.sync.runs.reopening import reopen
from shared.sync.runs.requests import refuse_paused, send_entities
from shared.sync.services import Services


def approve(services: Services, run_id: str) -> None:
    """Let the held plans of an ended run go on, as far as they are still true: each is made again from the
    sources as they are now, and only what both plans want in the same form is applied.

    Raises UnknownRun, Paused, and RunConflict when nothing is held, another run is active, or a plan is no
    longer kept.
    """
    run = get_run(services.documents, run_id)
    held = [name for name, status in run.entities.items() if status.phase == "held"]
    if not held:
        raise RunConflict(f"run {run_id} holds no plan", run_id)
    refuse_paused(services.documents, held)
    at = services.clock.now().isoformat()
    claim = claim_active(
        services.documents, run_id, run.request, run.requested_at, approves=held, approved_at=at
    )
    try:
        reopen(services.documents, claim)
    except (RunConflict, Paused):
        release_active(services.documents, run)
        raise
    send_entities(services, run_id, held, f"approve/{claim.token}")
