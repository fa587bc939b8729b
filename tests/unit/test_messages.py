"""The two messages: what makes their ids differ, and what is no message."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.errors import MessageError
from shared.sync.documents.runs import new_run_id
from shared.sync.messages import BatchMessage, EntityMessage, parse_batch_message, parse_entity_message
from shared.sync.model import ENTITIES

RUN = new_run_id(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC))
LATER = datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
STAMP = f"{LATER:%Y%m%d%H%M%S%f}"

ENTITY = EntityMessage(RUN, "departments", "start")
BATCH = BatchMessage(RUN, "departments", 1, 1, "start")

CAUSES = (
    "start",
    "stop",
    "release/again",
    *(f"release/{entity}" for entity in ENTITIES),
    *(f"{why}/{STAMP}" for why in ("busy", "wait", "retry", "go-on", "sweep")),
    "approve/0123456789abcdef",
    *(f"release/{entity}/0123456789abcdef" for entity in ENTITIES),
)


def test_ids_differ_whatever_differs() -> None:
    entities = [EntityMessage(RUN, name, cause, n) for name in ENTITIES for cause in CAUSES for n in (1, 2)]
    batches = [
        BatchMessage(run, name, batch, attempt, cause)
        for run in (RUN, "another")
        for name in ENTITIES
        for batch in (1, 11)
        for attempt in (1, 11)
        for cause in CAUSES
    ]
    assert len({message.message_id for message in entities}) == len(entities)
    assert len({message.message_id for message in batches}) == len(batches)


def test_a_repeat_of_the_same_sending_has_the_same_id_whenever_it_comes() -> None:
    assert BATCH.to("q").message_id == BATCH.to("q", LATER).message_id


@pytest.mark.parametrize("cause", CAUSES)
def test_no_id_is_longer_than_service_bus_allows(cause: str) -> None:
    for entity in ENTITIES:
        assert len(EntityMessage(RUN, entity, cause, 999).message_id) <= 128
        assert len(BatchMessage(RUN, entity, 9999, 99999, cause).message_id) <= 128


def test_a_message_comes_back_as_it_was_sent() -> None:
    assert parse_entity_message(ENTITY.to("q").body.encode()) == ENTITY
    assert parse_batch_message(BATCH.to("q").body.encode()) == BATCH


def test_a_message_goes_to_its_queue_at_its_time_and_belongs_to_its_run() -> None:
    message = ENTITY.to("entity-sync", LATER)
    assert (message.queue, message.deliver_at, message.correlation_id) == ("entity-sync", LATER, RUN)


GARBAGE = [
    b"",
    b"\xff\xfe",
    b"not json",
    b"null",
    b"[]",
    b'"text"',
    b"7",
    b"{}",
    b'{"version": 2}',
    b'{"version": "1"}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("body", GARBAGE)
def test_what_is_no_message_of_ours_is_an_error(body: bytes) -> None:
    for parse in (parse_entity_message, parse_batch_message):
        with pytest.raises(MessageError):
            parse(body)


WRONG: list[tuple[str, Any]] = [
    *(("run_id", value) for value in (None, "", 7, ["x"], "../../x", "a b", "x" * 300)),
    *(("entity", value) for value in (None, "", "users", ["jobs"], {"jobs": 1})),
    *(("cause", value) for value in (None, "", 7)),
    *(("attempt", value) for value in (None, 0, -1, "1", 1.0, True)),
    *(("batch", value) for value in (None, 0, -1, "1", 1.0, True)),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_message_with_a_wrong_or_missing_part_is_an_error_that_repeats_no_content(
    name: str, value: Any
) -> None:
    for message, parse in ((ENTITY, parse_entity_message), (BATCH, parse_batch_message)):
        body = json.loads(message.to("q").body)
        if name not in body:
            continue
        for changed in ({**body, name: value}, {key: body[key] for key in body if key != name}):
            with pytest.raises(MessageError) as raised:
                parse(json.dumps(changed).encode())
            assert RUN not in str(raised.value)
