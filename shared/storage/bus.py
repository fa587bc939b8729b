"""The port to Service Bus: sending. Receiving is the Functions host's business.

Adapters: `service_bus.py` here, `local/bus/in_process.py` for the embedded stack.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class Message:
    """A message to be sent.

    `message_id` (at most 128 characters) is what duplicate detection compares: the same id within the
    queue's window is dropped silently, scheduled messages included. `body` is JSON without personal data.
    `deliver_at` (aware, UTC) None means at once. `properties` are application properties: the trace.
    """

    queue: str
    message_id: str
    body: str
    deliver_at: datetime | None = None
    correlation_id: str | None = None
    content_type: str | None = "application/json"
    properties: Mapping[str, str] = field(default_factory=dict, hash=False)


class Bus(Protocol):
    """Where messages go."""

    def send(self, messages: Sequence[Message]) -> None:
        """Send all; raises BusError when one of them may not have been taken. Sending again is safe."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...
