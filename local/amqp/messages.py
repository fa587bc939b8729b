"""AMQP messages from and to what the bus keeps.

Annotations: https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-protocol-guide
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import proton
from proton import Data, symbol, timestamp

from local.bus.model import LockedMessage, StoredMessage
from shared.storage.bus import Message

SECTION_STARTS = tuple(bytes((0x00, 0x53, descriptor)) for descriptor in range(0x70, 0x79))
"""How an encoded message begins: with one of its sections (AMQP 1.0, part 3, section 3.2)."""

DATA_SECTION = 0x75
SCHEDULED, ACTIVE = 2, 0
"""Values of `x-opt-message-state`."""

ENQUEUE_TIME = "x-opt-scheduled-enqueue-time"
BODY_ERRORS = "surrogateescape"
"""Bodies that are no text pass unharmed."""


def received(queue: str, raw: bytes) -> list[Message]:
    """The messages of a transfer, which may be a batch. Raises ValueError for bytes that are none.

    A batch's data sections are messages themselves. Its message format, 0x80013700, would say so, but
    proton's Python has no name for that field; bodies of ours, which are texts, never begin like a message.
    """
    try:
        parts = list(_data_sections(raw))
        batch = parts and all(part.startswith(SECTION_STARTS) for part in parts)
        return [_message(queue, part) for part in (parts if batch else [raw])]
    except proton.ProtonException as error:
        raise ValueError(f"this is no AMQP message: {error}") from error


def delivered(locked: LockedMessage) -> bytes:
    """A message as a receiver gets it; the header counts the deliveries before this one."""
    annotations: dict[str, Any] = {"x-opt-locked-until": milliseconds(locked.locked_until)}
    found = _native(locked, annotations)
    found.delivery_count = locked.delivery_count - 1
    return bytes(found.encode())


def peeked(stored: StoredMessage, now: datetime) -> bytes:
    """A message as a peek shows it."""
    waiting = stored.due > now
    found = _native(stored, {"x-opt-message-state": SCHEDULED if waiting else ACTIVE})
    found.delivery_count = stored.delivery_count
    return bytes(found.encode())


def _message(queue: str, raw: bytes) -> Message:
    native = proton.Message()
    native.decode(raw)
    body = native.body if native.body is not None else b""
    if isinstance(body, (bytes, memoryview)):
        body = bytes(body).decode(errors=BODY_ERRORS)
    at = (native.annotations or {}).get(ENQUEUE_TIME)
    return Message(
        queue,
        str(native.id or ""),
        str(body),
        deliver_at=None if at is None else datetime.fromtimestamp(int(at) / 1000, UTC),
        correlation_id=None if native.correlation_id is None else str(native.correlation_id),
        content_type=_content_type(native),
        properties={str(name): str(value) for name, value in (native.properties or {}).items()},
    )


def _native(kept: LockedMessage | StoredMessage, annotations: dict[str, Any]) -> proton.Message:
    message = kept.message
    found = proton.Message()
    found.id = message.message_id
    found.correlation_id = message.correlation_id
    found.content_type = message.content_type
    found.body = message.body.encode(errors=BODY_ERRORS)
    found.inferred = True  # a data section, not a value
    enqueued = kept.enqueued or (kept.due if isinstance(kept, StoredMessage) else None)
    if enqueued is not None:
        annotations["x-opt-enqueued-time"] = milliseconds(enqueued)
        found.ttl = min(kept.expires - enqueued, timedelta(milliseconds=2**32 - 1)).total_seconds()
    if message.deliver_at is not None:
        annotations[ENQUEUE_TIME] = milliseconds(message.deliver_at)
    annotations["x-opt-sequence-number"] = kept.sequence_number
    found.annotations = {symbol(name): value for name, value in annotations.items()}
    properties: dict[str, str] = dict(message.properties)
    if kept.dead_letter_reason is not None:
        properties["DeadLetterReason"] = kept.dead_letter_reason
    if kept.dead_letter_description is not None:
        properties["DeadLetterErrorDescription"] = kept.dead_letter_description
    found.properties = properties or None
    return found


def _content_type(native: proton.Message) -> str | None:
    # proton makes the symbol "None" of a content type that is not there.
    given = str(native.content_type or "None")
    return None if given == "None" else given


def _data_sections(raw: bytes) -> Iterator[bytes]:
    """A section after the other: proton's own decoding knows no message of several data sections."""
    while raw:
        section = Data()
        raw = raw[section.decode(raw) :]
        section.rewind()
        if section.next() != Data.DESCRIBED:
            raise ValueError("this is no section of an AMQP message")
        described = section.get_py_described()
        if described.descriptor == DATA_SECTION:
            yield bytes(described.value)


def milliseconds(moment: datetime) -> timestamp:
    """A time as AMQP has it."""
    return timestamp(round(moment.timestamp() * 1000))
