"""`runs/active.json`: at most one run is active at a time, by compare-and-swap."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypedDict

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
from shared.sync.model import ENTITIES, EntityName, JsonValue

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Claim:
    """The run under way, and since `at` by whose wish: a request, or an approval at `approved_at` of the held
    plans of the entities in `approves`. `token` tells this claim from all others, also of the same run."""

    run_id: str
    request: RunRequest
    at: str
    approves: tuple[EntityName, ...] = ()
    approved_at: str | None = None
    token: str | None = None

    def to_json(self) -> dict[str, JsonValue]:
        """Its members of the document."""
        return {**vars(self), "request": self.request.to_json(), "approves": list(self.approves)}


@dataclass(frozen=True)
class Active:
    """`claim` is None when no run is under way; `last_done_at` is when one last ended well."""

    claim: Claim | None = None
    last_done_at: str | None = None

    def to_json(self) -> dict[str, JsonValue]:
        """The document."""
        claim: dict[str, JsonValue] = self.claim.to_json() if self.claim else {"run_id": None}
        return {**claim, "last_done_at": self.last_done_at}


class _Later(TypedDict, total=False):
    request: WrittenRequest
    at: Time
    approves: list[str]
    approved_at: Time | None
    token: str | None
    last_done_at: Time | None


class _Document(_Later):
    run_id: Annotated[str, checked_path] | None


def read_active(documents: Documents) -> Active:
    """Which run is active, if any, and when one last ended well. A document that cannot be read is made anew
    from the runs."""
    try:
        return peek_active(documents)
    except UnreadableDocument:

        def change(value: JsonValue) -> JsonValue:
            if value is not None:
                _active_of(value)
                return None
            return _active_from_runs(documents).to_json()

        return _active_of(update_json(documents, paths.ACTIVE, change, lost=_tell_lost))


def peek_active(documents: Documents) -> Active:
    """The same as it is. Raises UnreadableDocument."""
    return _active_of(read_document(documents, paths.ACTIVE, _Document))


def _active_of(value: JsonValue) -> Active:
    """The value of the document, which there may not be yet. Raises UnreadableDocument."""
    if value is None:
        return Active()
    written = decode(_Document, value, paths.ACTIVE)
    last_done_at = written.get("last_done_at")
    if written["run_id"] is None:
        return Active(None, last_done_at)
    if "at" not in written or "request" not in written:
        raise UnreadableDocument(paths.ACTIVE, "has no request")
    claim = Claim(
        written["run_id"],
        request_from_json(written["request"]),
        written["at"],
        tuple(name for name in ENTITIES if name in written.get("approves", ())),
        written.get("approved_at"),
        written.get("token"),
    )
    return Active(claim, last_done_at)


def _tell_lost(error: UnreadableDocument) -> None:
    logger.error("%s; it is made anew", error, extra={"event": "document_unreadable"})


def _active_from_runs(documents: Documents) -> Active:
    """What the document would say: only one run has not ended, if any. Of a run whose own document is lost
    too and that has no report, everything is taken to be asked for; it is given up next."""
    claim, last_done_at = None, None
    for run_id in run_ids(documents):
        try:
            run = read_run(documents, run_id)
        except UnreadableDocument:
            if documents.read(paths.report(run_id)) is not None:
                continue
            run = Run(run_id, RunRequest(), requested_at(run_id), {})
        if run is not None and not run.ended and claim is None:
            claim = Claim(run_id, run.request, run.requested_at)
        elif run is not None and last_done_at is None and is_good(run):
            last_done_at = run.finished_at
    return Active(claim, last_done_at)


def active_run_id(documents: Documents) -> str | None:
    """The run under way, if there is one."""
    claim = read_active(documents).claim
    return claim.run_id if claim else None


def claim_active(
    documents: Documents,
    run_id: str,
    request: RunRequest,
    at: str,
    approves: Sequence[EntityName] = (),
    approved_at: str | None = None,
) -> Claim:
    """Make the run the active one. Raises RunConflict."""
    # The token tells our own claim, whose confirmation got lost, from somebody else's of the same run.
    claim = Claim(run_id, request, at, tuple(approves), approved_at, secrets.token_hex(8))

    def change(value: JsonValue) -> JsonValue:
        active = _active_now(documents, value)
        if active.claim and active.claim.token != claim.token:
            raise RunConflict(f"run {active.claim.run_id} is under way", active.claim.run_id)
        return Active(claim, active.last_done_at).to_json()

    update_json(documents, paths.ACTIVE, change, lost=_tell_lost)
    return claim


def _active_now(documents: Documents, value: JsonValue) -> Active:
    """The document's value; where there is none, or none that can be read, what the runs say."""
    return _active_of(value) if value is not None else _active_from_runs(documents)


def release_active(documents: Documents, run: Run) -> bool:
    """Let the next run start. Whether this call did it: of many, only one does."""
    released = False

    def change(value: JsonValue) -> JsonValue:
        nonlocal released
        active = _active_now(documents, value)
        released = active.claim is not None and active.claim.run_id == run.run_id
        if not released:
            return None
        return Active(None, run.finished_at if is_good(run) else active.last_done_at).to_json()

    update_json(documents, paths.ACTIVE, change, lost=_tell_lost)
    return released
