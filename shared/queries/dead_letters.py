"""Messages that could not be handled: what they stood for, and whether sending them again makes sense."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypedDict

from shared.errors import MessageError, UnreadableDocument
from shared.queries import answers
from shared.queries.paging import Page
from shared.storage.decoding import Time
from shared.storage.documents import Documents, read_document
from shared.storage.paths import checked_path
from shared.sync import paths
from shared.sync.documents.plans import plan_path
from shared.sync.documents.runs import read_run
from shared.sync.messages import BatchMessage, EntityMessage, parse_batch_message, parse_entity_message
from shared.sync.services import Services

MOST_EXAMINED = 500


class _Letter(TypedDict):
    message_id: str | None
    reason: str
    delivery_count: int
    at: Time | None
    """None of one that cannot be read."""
    body: str


def list_dead_letters(services: Services, limit: int, cursor: str | None) -> Page[answers.DeadLetter]:
    """The kept messages in the order of their ids, each with what to do about it."""
    found: list[answers.DeadLetter] = []
    for letter_id in _ids(services.documents):
        if cursor is not None and letter_id <= cursor:
            continue
        if len(found) == limit:
            return Page(found, found[-1]["id"])
        stored = _read(services.documents, letter_id)
        if stored is not None:
            found.append(_described(services, letter_id, stored))
    return Page(found, None)


def resubmit(services: Services, ids: Sequence[str] | None) -> list[answers.Resubmission]:
    """Send again what an active run still lacks, of these letters or of all; says for each what was done.

    What was sent is forgotten here: should it fail again, it comes back. Raises BusError.
    """
    known = list(_ids(services.documents))[:MOST_EXAMINED] if ids is None else ids
    return [_resubmit(services, letter_id) for letter_id in known]


def _resubmit(services: Services, letter_id: str) -> answers.Resubmission:
    stored = _read(services.documents, letter_id) if _is_id(letter_id) else None
    if stored is None:
        return {"id": letter_id, "sent": False, "advice": "There is no such dead letter."}
    message = _message(stored)
    advice = _why_not(services, message)
    if advice is None:
        assert message is not None
        # Another cause, and with it another message id: the old one would be dropped as a repeat.
        cause = f"resubmit/{services.clock.now():%Y%m%d%H%M%S%f}"
        again = replace(message, cause=cause, attempt=1)
        settings = services.settings
        queue = settings.batch_queue if isinstance(message, BatchMessage) else settings.entity_queue
        services.bus.send([again.to(queue)])
        services.documents.delete(paths.DEAD_LETTERS + letter_id + ".json")
    return {"id": letter_id, "sent": advice is None, "advice": advice or "It is on its way."}


def _ids(documents: Documents) -> Iterator[str]:
    """`<queue>/<name>`, as in the documents' paths."""
    for path in documents.list(paths.DEAD_LETTERS):
        yield path.removeprefix(paths.DEAD_LETTERS).removesuffix(".json")


def _is_id(letter_id: str) -> bool:
    """Whether it can be one: plain names, so that it leads to no other folder."""
    try:
        checked_path(paths.DEAD_LETTERS + letter_id + ".json")
    except ValueError:
        return False
    return True


def _read(documents: Documents, letter_id: str) -> _Letter | None:
    """The letter; of one that cannot be read, that it cannot."""
    try:
        return read_document(documents, paths.DEAD_LETTERS + letter_id + ".json", _Letter)
    except UnreadableDocument as error:
        return {"message_id": None, "reason": str(error), "delivery_count": 0, "at": None, "body": ""}


def _described(services: Services, letter_id: str, stored: _Letter) -> answers.DeadLetter:
    message = _message(stored)
    advice = _why_not(services, message)
    return {
        "id": letter_id,
        "queue": letter_id.partition("/")[0],
        "message_id": stored["message_id"],
        "reason": stored["reason"],
        "delivery_count": stored["delivery_count"],
        "at": stored["at"],
        "run_id": message.run_id if message else None,
        "entity": message.entity if message else None,
        "batch": message.batch if isinstance(message, BatchMessage) else None,
        "can_be_resubmitted": advice is None,
        "advice": advice or "Its run is under way and still lacks it: resubmit it.",
    }


def _message(stored: _Letter) -> EntityMessage | BatchMessage | None:
    """What the message said; None when nobody can read it."""
    body = stored["body"].encode()
    for parse in (parse_batch_message, parse_entity_message):
        try:
            return parse(body)
        except MessageError:
            continue
    return None


def _why_not(services: Services, message: EntityMessage | BatchMessage | None) -> str | None:
    """Why sending the message again is of no use, and what to do instead; None when it is of use."""
    if message is None:
        return "Nobody can read this message, so that nothing was lost with it. Find out who sent it."
    documents = services.documents
    try:
        run = read_run(documents, message.run_id)
    except UnreadableDocument as error:
        return f"Its run is given up: {error}. Start a run instead: POST /api/sync/{message.entity}."
    start = f"Start a run instead: POST /api/sync/{message.entity}."
    if run is None:
        return f"Its run is no longer kept. {start}"
    if run.ended or message.entity not in run.entities or run.entities[message.entity].ended:
        return f"Its run has ended with it, and what it stood for is noted as not tried. {start}"
    if isinstance(message, BatchMessage):
        if documents.read(paths.outcome(message.run_id, message.entity, message.batch)) is not None:
            return "Its batch has been settled: the next run tries what was not done. Nothing to do."
    elif documents.read(plan_path(run, message.entity)) is not None:
        return "Its entity has been planned since. Nothing to do: the sweep sends what is still missing."
    return None
