"""Messages that could not be handled: kept with their reason, and what they stood for is ended with it."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from shared.errors import BusError, LeaseHeld, MessageError, StorageError
from shared.storage.documents import create_json
from shared.sync import paths
from shared.sync.documents.plans import plan_path, planning_path
from shared.sync.lease import held_lease
from shared.sync.messages import EntityMessage, parse_batch_message, parse_entity_message
from shared.sync.runs.abandoning import readable_run
from shared.sync.runs.batch_handler import give_up_batch
from shared.sync.runs.stopping import stop_entity
from shared.sync.services import Services

logger = logging.getLogger(__name__)

Kind = Literal["entity", "batch"]
LONGEST_BODY = 4096


@dataclass(frozen=True)
class DeadLetter:
    """A message with the reason why it is not delivered any more. `kind` says of which queue it was."""

    kind: Kind
    message_id: str
    body: bytes
    reason: str
    delivery_count: int


def archive(services: Services, letter: DeadLetter) -> None:
    """Keep the message as a document, log it, and end the work it stood for as failed: the next run tries
    again. Safe to repeat.

    Raises StorageError or BusError when it has to be done again.
    """
    logger.error(
        "message %s is given up at delivery %d: %s",
        letter.message_id,
        letter.delivery_count,
        letter.reason,
        extra={"event": "dead_letter", "kind": letter.kind},
    )
    _keep(services, letter)
    reason = f"its message was given up at delivery {letter.delivery_count}: {letter.reason}"
    try:
        if letter.kind == "batch":
            give_up_batch(services, parse_batch_message(letter.body), reason)
        else:
            _give_up_planning(services, parse_entity_message(letter.body), reason)
    except (StorageError, BusError):
        raise
    except MessageError:
        return  # It stood for nothing that we know; the document is all there is to be had.
    except Exception:
        # Dead letters are delivered again at once and without an end; the sweep sends what is still missing.
        logger.exception("what message %s stood for could not be ended", letter.message_id)


def _keep(services: Services, letter: DeadLetter) -> None:
    digest = blake2b(letter.body, digest_size=4).hexdigest()
    queue = services.settings.batch_queue if letter.kind == "batch" else services.settings.entity_queue
    create_json(
        services.documents,
        paths.dead_letter(queue, f"{letter.message_id or 'unnamed'}-{digest}"),
        {
            "message_id": letter.message_id,
            "reason": letter.reason,
            "delivery_count": letter.delivery_count,
            "at": services.clock.now().isoformat(),
            "body": letter.body[:LONGEST_BODY].decode(errors="replace"),
        },
    )


def _give_up_planning(services: Services, message: EntityMessage, reason: str) -> None:
    run = readable_run(services, message.run_id)
    if run is None or message.entity not in run.entities or not run.ready(message.entity):
        return
    # Somebody who lists SafetyAmp for it at this moment has another message of the same kind.
    with suppress(LeaseHeld), held_lease(services, planning_path(run, message.entity)):
        planned = services.documents.read(plan_path(run, message.entity)) is not None
        # A plan that is there has batches with messages of their own, and the sweep.
        if not planned and not run.entities[message.entity].ended:
            stop_entity(services, message.run_id, message.entity, reason)
