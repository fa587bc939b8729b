"""Queue functions, given Service Bus messages as the host sends them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared import runtime
from shared.runtime import Runtime
from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.documents.runs import RunRequest
from shared.sync.runs.requests import request_run
from tests.e2e.rig import Rig
from tests.e2e.small_company import DEPARTMENTS
from tests.worker.functions_host import Entry, FunctionsHost
from tests.worker.trigger_data import message_metadata
from tests.worker.wire import protos

TOO_OFTEN = {
    "DeadLetterReason": "MaxDeliveryCountExceeded",
    "DeadLetterErrorDescription": "Message could not be consumed after 10 delivery attempts.",
}
"""What Service Bus writes into the application properties of a message that it gives up."""


@dataclass(frozen=True)
class Delivery:
    """A message at its delivery."""

    body: str
    message_id: str
    count: int = 1
    properties: Mapping[str, str] = field(default_factory=dict)


def an_entity_message(rig: Rig) -> Delivery:
    """Plan the departments."""
    request_run(rig.stack.runtime, RunRequest(entities=("departments",)))
    return _taken(rig, rig.stack.runtime.settings.entity_queue)


def a_batch_message(rig: Rig) -> Delivery:
    """Create them."""
    request_run(rig.stack.runtime, RunRequest(entities=("departments",)))
    queue = rig.stack.runtime.settings.batch_queue
    rig.until(lambda: rig.stack.bus.counts(queue).active > 0)
    return _taken(rig, queue)


def a_dead_entity_message(rig: Rig) -> Delivery:
    """Planning failed ten times."""
    return _dead(an_entity_message(rig))


def a_dead_batch_message(rig: Rig) -> Delivery:
    """Applying failed ten times."""
    return _dead(a_batch_message(rig))


def the_plan_is_there(rig: Rig) -> None:
    """And a message per batch."""
    assert read_json(rig.documents, paths.plan(rig.active, "departments"))["batches"] == 1
    assert rig.stack.bus.counts(rig.stack.runtime.settings.batch_queue).active == 1


def the_departments_are_there(rig: Rig) -> None:
    """In SafetyAmp; as the only entity's only batch it ended the run."""
    assert rig.safetyamp.created["site_clusters"] == len(DEPARTMENTS)


def the_entity_has_failed(rig: Rig) -> None:
    """With the reason that Service Bus gave; the run is over."""
    (report,) = _documents(rig, "runs/", "report.json")
    entity = report["entities"]["departments"]
    assert entity["phase"] == "failed"
    assert "MaxDeliveryCountExceeded (Message could not be consumed" in entity["reason"]
    _the_message_is_kept(rig)


def the_changes_have_failed(rig: Rig) -> None:
    """Each with the reason that Service Bus gave; nothing was sent to SafetyAmp."""
    (report,) = _documents(rig, "runs/", "report.json")
    assert report["entities"]["departments"]["failed"] == len(DEPARTMENTS)
    assert "MaxDeliveryCountExceeded" in str(report["entities"]["departments"]["problems"])
    assert rig.safetyamp.created == {}
    _the_message_is_kept(rig)


QUEUES: dict[str, tuple[Callable[[Rig], Delivery], Callable[[Rig], None]]] = {
    "sync_entity": (an_entity_message, the_plan_is_there),
    "apply_batch": (a_batch_message, the_departments_are_there),
    "give_up_entity": (a_dead_entity_message, the_entity_has_failed),
    "give_up_batch": (a_dead_batch_message, the_changes_have_failed),
}
"""Function to the message that it gets and what must be afterwards."""

UNREADABLE = {
    "text": protos.TypedData(string="hello"),
    "another version": protos.TypedData(json='{"version": 99}'),
    "bytes that are no text": protos.TypedData(bytes=b"\xff\xfe\x00"),
    "nothing": protos.TypedData(),
}


def deliver(host: FunctionsHost, function: str, delivery: Delivery, entry: Entry = "protobuf") -> str | None:
    """Invoke with a message whose body is text; returns the error, None when the message is completed."""
    metadata = message_metadata(
        delivery.message_id, delivery_count=delivery.count, properties=delivery.properties
    )
    invoked = host.invoke(function, protos.TypedData(string=delivery.body), metadata, entry)
    assert invoked.value is None
    return invoked.error


@pytest.mark.parametrize("entry", ["protobuf", "native"])
@pytest.mark.parametrize("function", QUEUES)
def test_a_message_does_its_work_and_is_completed(
    host: FunctionsHost, rig: Rig, function: str, entry: Entry
) -> None:
    given, then = QUEUES[function]
    assert deliver(host, function, given(rig), entry) is None
    then(rig)


@pytest.mark.parametrize("kind", ["string", "json", "bytes"])
def test_a_body_may_come_as_any_type_that_the_host_has_for_it(
    host: FunctionsHost, rig: Rig, kind: str
) -> None:
    message = an_entity_message(rig)
    body: Any = message.body.encode() if kind == "bytes" else message.body
    data = protos.TypedData(**{kind: body})
    assert host.invoke("sync_entity", data, message_metadata(message.message_id)).error is None
    the_plan_is_there(rig)


def test_the_same_message_twice_does_its_work_once(host: FunctionsHost, rig: Rig) -> None:
    message = a_batch_message(rig)
    for count in (1, 2):
        again = Delivery(message.body, message.message_id, count)
        assert deliver(host, "apply_batch", again) is None
    assert rig.safetyamp.created["site_clusters"] == len(DEPARTMENTS)


@pytest.mark.parametrize("function", ["sync_entity", "apply_batch", "give_up_entity", "give_up_batch"])
@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE)
def test_a_message_that_cannot_be_read_is_buried_at_its_first_delivery(
    host: FunctionsHost, rig: Rig, function: str, data: Any
) -> None:
    assert host.invoke(function, data, message_metadata("m-1")).error is None
    (kept,) = _documents(rig, "dead-letters/", ".json")
    assert (kept["message_id"], kept["delivery_count"]) == ("m-1", 1)


@pytest.mark.parametrize("entry", ["protobuf", "native"])
@pytest.mark.parametrize("function", ["sync_entity", "apply_batch"])
def test_a_function_that_raises_is_a_failed_invocation(
    host: FunctionsHost, rig: Rig, function: str, entry: Entry
) -> None:
    """So that the host gives the message back; here because the app has no settings."""
    given, _ = QUEUES[function]
    message = given(rig)
    runtime.use(Runtime({}))
    error = deliver(host, function, message, entry)
    assert error is not None
    assert error.startswith("ConfigurationError")
    assert "SAFETYAMP_TOKEN" in error


def _taken(rig: Rig, queue: str) -> Delivery:
    locked = rig.stack.bus.receive(queue)
    assert locked is not None
    rig.stack.bus.complete(locked)
    return Delivery(locked.message.body, locked.message.message_id)


def _dead(delivery: Delivery) -> Delivery:
    return Delivery(delivery.body, delivery.message_id, 1, TOO_OFTEN)


def _documents(rig: Rig, prefix: str, suffix: str) -> list[dict[str, Any]]:
    found = [path for path in rig.documents.list(prefix) if path.endswith(suffix)]
    return [read_json(rig.documents, path) for path in found]


def _the_message_is_kept(rig: Rig) -> None:
    (kept,) = _documents(rig, "dead-letters/", ".json")
    assert kept["reason"].startswith("MaxDeliveryCountExceeded (")
