"""`runs/active.json`: at most one run is active at a time, by compare-and-swap."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any, TypedDict, cast

from shared.errors import RunConflict, UnreadableDocument
from shared.storage.decoding import Time, decode
from shared.storage.documents import Documents, read_document, update_json
from shared.storage.paths import checked_path
from shared.sync import paths
from shared.sync.documents.runs import (
    Run,
    RunRequest,
    WrittenRequest,
    is_good,
    read_run,
    request_from_json,
    requested_at,
    run_ids,
)
from shared.sync.model import EntityName

logger = logging.getLogger(__name__)


def request_of(active: Mapping[str, Any]) -> RunRequest:
    """What the active run is to do."""
    return request_from_json(active["request"])


class _ActiveLater(TypedDict, total=False):
    request: WrittenRequest
    at: Time
    approves: list[str]
    token: str
    last_done_at: Time | None


class _Active(_ActiveLater):
    run_id: Annotated[str, checked_path] | None


def read_active(documents: Documents) -> dict[str, Any] | None:
    """The document that says which run is active, if any, and when one last ended well. One that cannot be
    read is made anew from the runs."""
    try:
        return peek_active(documents)
    except UnreadableDocument:

        def change(value: Any) -> Any:
            return None if value is not None and _checked_active(value) else _active_from_runs(documents)

        return cast("dict[str, Any]", update_json(documents, paths.ACTIVE, change, lost=_tell_lost))


def peek_active(documents: Documents) -> dict[str, Any] | None:
    """The same as it is. Raises UnreadableDocument."""
    return _checked_active(read_document(documents, paths.ACTIVE, _Active))


def _checked_active(value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    active: dict[str, Any] = dict(decode(_Active, value, paths.ACTIVE))
    if active["run_id"] is None:
        return active
    if not {"at", "request"} <= active.keys():
        raise UnreadableDocument(paths.ACTIVE, "has no request")
    request_from_json(active["request"])
    return active


def _tell_lost(error: UnreadableDocument) -> None:
    logger.error("%s; it is made anew", error, extra={"event": "document_unreadable"})


def _active_from_runs(documents: Documents) -> dict[str, Any]:
    """What the document would say: only one run has not ended, if any. Of a run whose own document is lost
    too and that has no report, everything is taken to be asked for; it is given up next."""
    claim: dict[str, Any] = {"run_id": None}
    last_done_at = None
    for run_id in run_ids(documents):
        try:
            run = read_run(documents, run_id)
        except UnreadableDocument:
            if documents.read(paths.report(run_id)) is not None:
                continue
            run = Run(run_id, RunRequest(), requested_at(run_id), {})
        if run is not None and not run.ended and claim["run_id"] is None:
            request = run.to_json()["request"]
            claim = {"run_id": run_id, "request": request, "at": run.requested_at, "approves": []}
        elif run is not None and last_done_at is None and is_good(run):
            last_done_at = run.finished_at
    return {**claim, "last_done_at": last_done_at}


def active_run_id(documents: Documents) -> str | None:
    """The run under way, if there is one."""
    active = read_active(documents)
    return active["run_id"] if active else None


def claim_active(
    documents: Documents,
    run_id: str,
    request: RunRequest,
    at: str,
    approves: Sequence[EntityName] = (),
    approved_at: str | None = None,
) -> dict[str, Any]:
    """Make the run the active one; returns the claim. Raises RunConflict."""
    # The token tells our own claim, whose confirmation got lost, from somebody else's of the same run.
    claim = {
        **{"run_id": run_id, "request": asdict(request), "at": at, "approves": list(approves)},
        **{"approved_at": approved_at, "token": secrets.token_hex(8)},
    }

    def change(value: Any) -> Any:
        active = _active_now(documents, value)
        if active and active["run_id"] is not None and active.get("token") != claim["token"]:
            raise RunConflict(f"run {active['run_id']} is under way", active["run_id"])
        return {**claim, "last_done_at": (active or {}).get("last_done_at")}

    update_json(documents, paths.ACTIVE, change, lost=_tell_lost)
    return claim


def _active_now(documents: Documents, value: Any) -> dict[str, Any] | None:
    """The document's value; where there is none, or none that can be read, what the runs say."""
    return _checked_active(value) if value is not None else _active_from_runs(documents)


def release_active(documents: Documents, run: Run) -> bool:
    """Let the next run start. Whether this call did it: of many, only one does."""
    released = False

    def change(value: Any) -> Any:
        nonlocal released
        active = _active_now(documents, value)
        if active is None or active["run_id"] != run.run_id:
            released = False
            return None
        released = True
        return {
            "run_id": None,
            "last_done_at": run.finished_at if is_good(run) else active.get("last_done_at"),
        }

    update_json(documents, paths.ACTIVE, change, lost=_tell_lost)
    return released
