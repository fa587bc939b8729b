"""Messages as the SDK receives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.storage.bus import Message

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage

SET_BY_SERVICE = frozenset({"DeadLetterReason", "DeadLetterErrorDescription"})
"""Properties that the service adds to dead letters."""


def plain(received: ServiceBusReceivedMessage, queue: str) -> Message:
    """The message as it was sent. A body that is no text is kept as `surrogateescape` makes it one."""
    properties = {
        _text(name): _text(value) for name, value in (received.application_properties or {}).items()
    }
    return Message(
        queue,
        received.message_id or "",
        body_of(received),
        deliver_at=received.scheduled_enqueue_time_utc,
        correlation_id=received.correlation_id,
        content_type=received.content_type,
        properties={name: value for name, value in properties.items() if name not in SET_BY_SERVICE},
    )


def body_of(received: ServiceBusReceivedMessage) -> str:
    """The body, whatever kind of section it came in."""
    parts = received.body
    if isinstance(parts, (str, bytes)):
        parts = [parts]
    try:
        raw = b"".join(part if isinstance(part, bytes) else str(part).encode() for part in parts)
    except TypeError:  # one value instead of sections
        return str(parts)
    return raw.decode(errors="surrogateescape")


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
