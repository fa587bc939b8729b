"""Timers: the hourly run, the nightly run that lists SafetyAmp anew, and the sweep."""

import logging

import azure.functions as func

from functions.invocations import invoked
from shared import runtime
from shared.errors import Paused, RunConflict
from shared.figures.sending import send_figures
from shared.notices.tell import tell_notices
from shared.sync.documents.runs import RunRequest
from shared.sync.runs.requests import request_run
from shared.sync.runs.sweep import sweep

logger = logging.getLogger(__name__)
blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule="%SYNC_SCHEDULE%")
def start_scheduled_run(timer: func.TimerRequest, context: func.Context) -> None:
    """Start a run of all entities; a run under way makes it pass."""
    with invoked(context):
        _start(RunRequest(cause="past due" if timer.past_due else "schedule"))


@blueprint.timer_trigger(arg_name="timer", schedule="%REFRESH_SCHEDULE%")
def start_nightly_refresh(timer: func.TimerRequest, context: func.Context) -> None:
    """Start a run that compares with SafetyAmp itself instead of with what is known of it. Records that were
    refused are not sent again: that costs a call each night, for an answer that is known."""
    with invoked(context):
        _start(RunRequest(refresh=True, cause="past due refresh" if timer.past_due else "refresh"))


@blueprint.function_name("sweep")
@blueprint.timer_trigger(arg_name="timer", schedule="%SWEEP_SCHEDULE%")
def sweep_and_tell(timer: func.TimerRequest, context: func.Context) -> None:  # noqa: ARG001 - the host wants both
    """Send again what the active run lacks, tell of trouble, and send the figures: of all instances one runs
    a timer."""
    with invoked(context):
        try:
            sweep(runtime.current())
        finally:
            tell_notices(runtime.current())
            send_figures(runtime.current())


def _start(request: RunRequest) -> None:
    try:
        request_run(runtime.current(), request)
    except (RunConflict, Paused) as error:
        logger.warning("no %s run was started: %s", request.cause, error)
