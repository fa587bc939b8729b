"""Who goes first: a run of one record is one that somebody waits for."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from shared.clients.http.call_meter import interactive
from shared.sync.documents.runs import Run


def priority(run: Run) -> AbstractContextManager[None]:
    """Within the block calls may use the limiter's reserve, if the run is one that somebody waits for."""
    return interactive() if run.request.one_record is not None else nullcontext()
