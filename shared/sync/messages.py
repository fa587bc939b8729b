"""The two messages: pointers to documents, without personal data.

A message id is made of everything in the message, so that a repeat of the same sending is dropped by
duplicate detection, while a release, a rescheduling or a sweep has another cause and is not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from shared.context import message_properties
from shared.errors import MessageError
from shared.storage.bus import Message
from shared.storage.paths import checked_path
from shared.sync.model import ENTITIES, EntityName, JsonValue

MESSAGE_VERSION = 1


@dataclass(frozen=True)
class EntityMessage:
    """Plan `entity` of a run, or go on with it. `attempt` counts failed attempts at planning."""

    run_id: str
    entity: EntityName
    cause: str
    attempt: int = 1

    @property
    def message_id(self) -> str:
        return f"{self.run_id}/{self.entity}/{self.cause}/{self.attempt}"

    def to(self, queue: str, deliver_at: datetime | None = None) -> Message:
        """The message for the bus."""
        return _message(self, queue, self.message_id, self.run_id, deliver_at)


@dataclass(frozen=True)
class BatchMessage:
    """Apply a batch, or go on with it. `attempt` counts the times it was handed back."""

    run_id: str
    entity: EntityName
    batch: int
    attempt: int
    cause: str

    @property
    def message_id(self) -> str:
        return f"{self.run_id}/{self.entity}/{self.batch}/{self.attempt}/{self.cause}"

    def to(self, queue: str, deliver_at: datetime | None = None) -> Message:
        """The message for the bus."""
        return _message(self, queue, self.message_id, self.run_id, deliver_at)


def parse_entity_message(body: bytes) -> EntityMessage:
    """Raises MessageError for anything but a well-formed message of a known version."""
    value = _parse(body)
    return EntityMessage(_run_id(value), _entity(value), _text(value, "cause"), _number(value, "attempt"))


def parse_batch_message(body: bytes) -> BatchMessage:
    """Raises MessageError for anything but a well-formed message of a known version."""
    value = _parse(body)
    return BatchMessage(
        _run_id(value),
        _entity(value),
        _number(value, "batch"),
        _number(value, "attempt"),
        _text(value, "cause"),
    )


def _message(
    message: EntityMessage | BatchMessage, queue: str, message_id: str, run_id: str, at: datetime | None
) -> Message:
    body = json.dumps({"version": MESSAGE_VERSION, **vars(message)})
    properties = message_properties()
    return Message(queue, message_id, body, deliver_at=at, correlation_id=run_id, properties=properties)


def _parse(body: bytes) -> dict[str, JsonValue]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MessageError("the message is not JSON") from error
    if not isinstance(value, dict) or value.get("version") != MESSAGE_VERSION:
        raise MessageError(f"the message is not of version {MESSAGE_VERSION}")
    return value


def _run_id(value: dict[str, JsonValue]) -> str:
    """It is part of paths: whoever sends what is none must not be met by each of its readers."""
    run_id = _text(value, "run_id")
    try:
        return checked_path(run_id)
    except ValueError:
        raise MessageError("the message's run_id is none") from None


def _text(value: dict[str, JsonValue], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str) or not text:
        raise MessageError(f"the message has no {name}")
    return text


def _number(value: dict[str, JsonValue], name: str) -> int:
    number = value.get(name)
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise MessageError(f"the message has no {name}")
    return number


def _entity(value: dict[str, JsonValue]) -> EntityName:
    if value.get("entity") not in ENTITIES:
        raise MessageError("the message names no known entity")
    return cast(EntityName, value["entity"])
