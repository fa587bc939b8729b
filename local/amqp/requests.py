"""Requests to `$cbs` and to a queue's `$management` as messages, and their responses."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import proton
from proton import int32, symbol

from local.amqp.addresses import Node
from local.amqp.management import Answer, answer
from local.amqp.tokens import TokenRefused, check_token
from local.bus.in_process import InProcessBus
from shared.clock import Clock

logger = logging.getLogger(__name__)


class Requests:
    """`key` is the name of the key that signs tokens, and the key."""

    def __init__(self, bus: Callable[[], InProcessBus], clock: Clock, key: tuple[str, str]) -> None:
        self._bus = bus
        self._clock = clock
        self._key = key

    def response(self, node: Node, raw: bytes, audiences: set[str]) -> proton.Message | None:
        """Do what is asked. A good token's audience joins the connection's `audiences`. None for what is no
        message."""
        request = proton.Message()
        try:
            request.decode(raw)
        except proton.ProtonException:
            logger.warning("a request to %s cannot be read", node)
            return None
        asked: dict[str, Any] = dict(request.properties or {})
        response = proton.Message()
        response.correlation_id = request.id
        if node.kind == "tokens":
            status, text = self._check(request, str(asked.get("name", "")), audiences)
            response.properties = {"status-code": int32(status), "status-description": text}
        else:
            operation = str(asked.get("operation", ""))
            done = answer(self._bus(), self._clock.now(), node.queue, operation, request.body)
            response.properties, response.body = _properties(done), done.body
        return response

    def _check(self, request: proton.Message, audience: str, audiences: set[str]) -> tuple[int, str]:
        try:
            check_token(str(request.body), *self._key)
        except TokenRefused as error:
            return 401, str(error)
        audiences.add(audience)
        return 202, "Accepted"


def _properties(done: Answer) -> dict[str, Any]:
    properties: dict[str, Any] = {"statusCode": int32(done.status), "statusDescription": done.description}
    if done.condition is not None:
        properties["errorCondition"] = symbol(done.condition)
    return properties
