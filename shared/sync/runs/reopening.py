"""Letting what an approval names go on."""

from __future__ import annotations

from shared.errors import Paused, RunConflict, UnreadableDocument
from shared.storage.documents import Documents
from shared.sync import paths
from shared.sync.documents.active import Claim
from shared.sync.documents.control import read_pauses
from shared.sync.documents.plans import plan_at
from shared.sync.documents.runs import Run, change_run, get_run
from shared.sync.model import EntityName


def reopen(documents: Documents, claim: Claim) -> None:
    """Let the entities that the claim approves and that are still held go on; only while the claim stands,
    when no other run changes a state. Whoever finds the claim may do it: an approver can be slow, or gone.

    Raises RunConflict when a plan is no longer kept, Paused when one of the entities is paused.
    """
    run_id, approval = claim.run_id, claim.token

    def still_held(run: Run) -> list[EntityName]:
        """Without those whose plan could not be made again: the same approval does not try once more."""
        return [
            name
            for name in claim.approves
            if run.entities[name].phase == "held" and run.entities[name].approval != approval
        ]

    held = still_held(get_run(documents, run_id))
    if not held:
        return
    pauses = read_pauses(documents)
    for name in held:
        if name in pauses:
            raise Paused(pauses[name].about(name))
        try:
            plan = plan_at(documents, paths.plan(run_id, name))
        except UnreadableDocument as error:
            raise RunConflict(f"{error}: start a new run", run_id) from error
        if plan is None:
            raise RunConflict(
                f"the plan of {name} in run {run_id} is no longer kept: start a new run", run_id
            )

    def go_on(run: Run) -> None:
        for entity in still_held(run):
            run.phase, run.finished_at = "running", None
            approved_at = claim.approved_at or claim.at
            # Its figures stay until there are others: the plan may come to be held as before.
            status = run.entities[entity]
            status.held_because = status.held_because or status.reason
            status.phase, status.reason, status.finished_at = "pending", None, None
            status.approval, status.approved_at, status.quiet = approval, approved_at, False

    change_run(documents, run_id, go_on)
