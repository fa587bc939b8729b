"""One run from start to end in this process, on the embedded stack."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, cast

from local.documents.folder import FolderDocuments
from local.host.progress import Display, run_progress
from local.host.stack import LocalStack
from shared.errors import BusError, RunConflict, StorageError, UnreadableDocument
from shared.storage.documents import Documents
from shared.sync.decisions.approve import approve
from shared.sync.decisions.record import Author, decided
from shared.sync.documents.active import active_run_id, read_active
from shared.sync.documents.runs import RunRequest, get_run
from shared.sync.planning.rules_in_force import rules_in_force
from shared.sync.runs.report import make_report, read_report
from shared.sync.runs.requests import request_run
from shared.sync.runs.stopping import cancel
from shared.sync.runs.sweep import sweep
from shared.version import PROGRAM

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.25
SWEEP_SECONDS = 300.0
"""As the app's own timer: what a Service Bus that was away did not take is sent again."""

NOTHING_FAILED, SOMETHING_FAILED, SETTINGS_WRONG, PLAN_HELD = 0, 1, 2, 3
"""Exit statuses."""


AT_THIS_MACHINE = Author("local")
"""Whoever it is."""


@dataclass(frozen=True)
class Finished:
    """A run that has ended. `resumed`: an earlier process had begun it."""

    report: dict[str, Any]
    resumed: bool


class HalfDone(RunConflict):
    """A run that applies changes has not ended: whoever only wants to look must not make it go on."""


def run_once(stack: LocalStack, request: RunRequest, display: Display) -> Finished:
    """Run to the end.

    A run that an earlier process left unfinished in the same documents is completed first; if it is what
    was asked for, that is all, unless an entity of it has failed: what it failed of, a wrong setting perhaps,
    may have been mended since. Only looking completes nothing that changes SafetyAmp: it raises HalfDone.
    Raises BusError when the settings name a Service Bus that cannot be reached.
    """
    if request.mode == "plan":
        _refuse_half_done(stack.runtime.documents)
    # What is asked for is asked under these: a run that was begun under others is another one.
    request = replace(request, rules=request.rules or rules_in_force(stack.runtime))
    stack.reach_service_bus()
    unfinished = sweep(stack.runtime, at_once=True)
    if unfinished is not None:
        logger.warning("completing run %s, which was interrupted", unfinished)
        finished = Finished(_to_the_end(stack, unfinished, display), resumed=True)
        if _same(get_run(stack.runtime.documents, unfinished).request, request) and not _failed(finished):
            return finished
    run_id = request_run(stack.runtime, request)
    return Finished(_to_the_end(stack, run_id, display), resumed=False)


def approve_once(
    stack: LocalStack, run_id: str, display: Display, by: Author = AT_THIS_MACHINE, reason: str | None = None
) -> Finished:
    """Let the held plans of a run go on, to the end; also an approval that an earlier process left half
    done. Raises UnknownRun, Paused, RunConflict and BusError."""
    stack.reach_service_bus()
    claim = read_active(stack.runtime.documents).claim
    resumed = claim is not None and claim.run_id == run_id and bool(claim.approves)
    if resumed:
        sweep(stack.runtime, at_once=True)
    else:
        with decided(stack.runtime, "approve", by, reason, run_id=run_id):
            approve(stack.runtime, run_id)
    return Finished(_to_the_end(stack, run_id, display), resumed)


def drop_once(
    stack: LocalStack, run_id: str, display: Display, by: Author = AT_THIS_MACHINE, reason: str | None = None
) -> Finished:
    """Let nothing of a run be done any more that has not been done: of one that is half done, or the plans
    that it holds. Raises UnknownRun, RunConflict and BusError."""
    stack.reach_service_bus()
    with decided(stack.runtime, "cancel", by, reason, run_id=run_id):
        cancel(stack.runtime, run_id, "dropped by an operator")
    sweep(stack.runtime, at_once=True)
    return Finished(_to_the_end(stack, run_id, display), resumed=False)


def _refuse_half_done(documents: Documents) -> None:
    """Reads only: the claim, not the run's document, which may not be there yet."""
    claim = read_active(documents).claim
    if claim is not None and claim.request.mode != "plan":
        run_id, entities = claim.run_id, ", ".join(claim.request.entities)
        raise HalfDone(
            f"run {run_id} applies changes to {entities} and is half done: nothing was planned or changed. "
            f"Go on with it: {PROGRAM} once. Drop what it has not done: "
            f"{PROGRAM} once --drop {run_id}",
            run_id,
        )


def _to_the_end(stack: LocalStack, run_id: str, display: Display) -> dict[str, Any]:
    documents = stack.runtime.documents
    stack.host.start(timers=False)
    next_sweep = stack.clock.monotonic() + SWEEP_SECONDS
    try:
        while active_run_id(documents) == run_id:
            _show(stack, run_id, display)
            stack.clock.sleep(POLL_SECONDS)
            if isinstance(documents, FolderDocuments) and documents.trouble is not None:
                # The handlers would try again and again, and a full disk is for somebody else to mend.
                raise documents.trouble
            if stack.clock.monotonic() >= next_sweep:
                next_sweep += SWEEP_SECONDS
                _sweep(stack)
    except KeyboardInterrupt:
        stack.runtime.shutdown.begin()
        raise
    finally:
        stack.host.stop()
    _show(stack, run_id, display)
    report = read_report(documents, run_id) or make_report(documents, get_run(documents, run_id))
    return cast("dict[str, Any]", report)


def _show(stack: LocalStack, run_id: str, display: Display) -> None:
    documents, usage = stack.runtime.documents, stack.runtime.safetyamp_limiter.usage()
    with suppress(UnreadableDocument):  # whoever is at work gives the run up
        display.show(run_progress(documents, get_run(documents, run_id), usage))


def _sweep(stack: LocalStack) -> None:
    try:
        sweep(stack.runtime)
    except (BusError, StorageError) as error:
        logger.warning("what is missing will be sent later: %s", error)


def _same(one: RunRequest, other: RunRequest) -> bool:
    return _wish(one) == _wish(other)


def _wish(request: RunRequest) -> tuple[object, ...]:
    return request.mode, set(request.entities), request.refresh, request.rules


def _failed(finished: Finished) -> bool:
    return any(entity["phase"] == "failed" for entity in finished.report["entities"].values())


def exit_status(report: Mapping[str, Any]) -> int:
    """What a run's report means for a shell."""
    entities = report["entities"].values()
    if report["phase"] == "failed" or any(entity.get("failed", 0) for entity in entities):
        return SOMETHING_FAILED
    return PLAN_HELD if any(entity["held"] for entity in entities) else NOTHING_FAILED
