"""Handing the planning of an entity on."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import RateLimited
from shared.sync.entity_handler import sync_entity
from shared.sync.messages import parse_entity_message
from shared.sync.runs import RunRequest, request_run
from tests.unit.engine_rig import EngineRig


def test_a_copy_is_never_taken_for_a_duplicate_of_the_message_at_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also when the wait rounds to nothing at the very moment for which the message was scheduled."""

    def full(*_arguments: Any) -> None:
        raise RateLimited("full", 1e-9)

    monkeypatch.setattr("shared.sync.entity_handler.make_plan", full)
    rig = EngineRig()
    request_run(rig.services, RunRequest(entities=("titles",)))
    for _ in range(3):
        message = rig.bus.sent[-1]
        rig.clock.advance_to(message.deliver_at or rig.clock.now())
        sync_entity(rig.services, parse_entity_message(message.body.encode()))
    ids = rig.bus.ids
    assert len(ids) == 4
    assert len(set(ids)) == 4
