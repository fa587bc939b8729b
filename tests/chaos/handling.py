"""What the triggers do, for a process of a simulated world: with whatever release `shared` is here."""

from __future__ import annotations

from shared.errors import MessageError
from shared.runtime import Runtime
from shared.sync.documents.runs import RunRequest
from shared.sync.messages import EntityMessage, parse_batch_message, parse_entity_message
from shared.sync.runs.batch_handler import apply_batch
from shared.sync.runs.dead_letters import DeadLetter, Kind, archive
from shared.sync.runs.entity_handler import sync_entity
from shared.sync.runs.requests import request_run

QUEUES = ("entity-sync", "change-batches")


def handle(
    runtime: Runtime,
    queue: str,
    message_id: str,
    body: bytes,
    dead_letter_reason: str | None,
    deliveries: int,
) -> None:
    """What the queue functions do."""
    kind: Kind = "entity" if queue.startswith("entity") else "batch"
    if queue not in QUEUES:
        archive(runtime, DeadLetter(kind, message_id, body, dead_letter_reason or "", deliveries))
        return
    try:
        message = parse_entity_message(body) if kind == "entity" else parse_batch_message(body)
    except MessageError as error:
        archive(runtime, DeadLetter(kind, message_id, body, str(error), 1))
        return
    if isinstance(message, EntityMessage):
        sync_entity(runtime, message)
    else:
        apply_batch(runtime, message)


def ask_for_run(runtime: Runtime, refresh: bool) -> None:
    """What the timers and the button do."""
    request_run(runtime, RunRequest(refresh=refresh, retry_failed=refresh))
