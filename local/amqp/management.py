"""What clients ask of `<queue>/$management`, and the answers.

Operations: https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-request-response
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from proton import UNDESCRIBED, Array, Data

from local.amqp.messages import milliseconds, peeked, received
from local.bus.in_process import InProcessBus, LockLost
from shared.errors import BusError


@dataclass(frozen=True)
class Answer:
    """Status as in HTTP; `condition` names an error."""

    status: int
    description: str = "OK"
    condition: str | None = None
    body: dict[str, Any] = field(default_factory=dict)


def answer(bus: InProcessBus, now: datetime, queue: str, operation: str, asked: dict[str, Any]) -> Answer:
    """Do what is asked of a queue."""
    known: dict[str, Callable[[], Answer]] = {
        "com.microsoft:peek-message": lambda: _peek(bus, now, queue, asked),
        "com.microsoft:renew-lock": lambda: _renew(bus, queue, asked),
        "com.microsoft:update-disposition": lambda: _settle(bus, queue, asked),
        "com.microsoft:schedule-message": lambda: _schedule(bus, queue, asked),
        "com.microsoft:cancel-scheduled-message": lambda: _cancel(bus, queue, asked),
    }
    if operation not in known:
        return Answer(501, f"{operation} is not implemented here", "amqp:not-implemented")
    try:
        return known[operation]()
    except LockLost as error:
        return Answer(410, str(error), "com.microsoft:message-lock-lost")
    except (AttributeError, BusError, KeyError, TypeError, ValueError) as error:
        return Answer(400, f"{operation}: {error!r}", "com.microsoft:argument-error")


def _peek(bus: InProcessBus, now: datetime, queue: str, asked: dict[str, Any]) -> Answer:
    found = bus.peek(queue, int(asked["from-sequence-number"]), int(asked["message-count"]))
    if not found:
        return Answer(204, "NoContent", "com.microsoft:message-not-found")
    return Answer(200, body={"messages": [{"message": peeked(stored, now)} for stored in found]})


def _renew(bus: InProcessBus, queue: str, asked: dict[str, Any]) -> Answer:
    ends = [bus.renew_lock(bus.held(queue, token)) for token in _tokens(asked)]
    return Answer(200, body={"expirations": _array(Data.TIMESTAMP, [milliseconds(end) for end in ends])})


def _settle(bus: InProcessBus, queue: str, asked: dict[str, Any]) -> Answer:
    status = asked["disposition-status"]
    for token in _tokens(asked):
        locked = bus.held(queue, token)
        if status == "completed":
            bus.complete(locked)
        elif status == "abandoned":
            bus.abandon(locked)
        elif status == "suspended":
            reason = str(asked.get("deadletter-reason") or "")
            bus.dead_letter(locked, reason, asked.get("deadletter-description") or None)
        else:
            return Answer(501, f"{status} is not implemented here", "amqp:not-implemented")
    return Answer(200)


def _schedule(bus: InProcessBus, queue: str, asked: dict[str, Any]) -> Answer:
    numbers = bus.schedule(
        message for one in asked["messages"] for message in received(queue, bytes(one["message"]))
    )
    return Answer(200, body={"sequence-numbers": _array(Data.LONG, numbers)})


def _cancel(bus: InProcessBus, queue: str, asked: dict[str, Any]) -> Answer:
    try:
        for number in asked["sequence-numbers"].elements:
            bus.cancel_scheduled(queue, int(number))
    except BusError as error:
        return Answer(404, str(error), "com.microsoft:message-not-found")
    return Answer(200)


def _tokens(asked: dict[str, Any]) -> list[str]:
    return [str(uuid.UUID(str(token))) for token in asked["lock-tokens"].elements]


def _array(kind: int, values: list[Any]) -> Array:
    return Array(UNDESCRIBED, kind, *values)
