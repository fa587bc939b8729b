"""What the worker does with functions, shown on an app of a few lines: the rules that ours rely on."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.worker.functions_host import Entry, FunctionsHost, IndexingFailed, forget_the_app
from tests.worker.trigger_data import message_metadata
from tests.worker.wire import protos

APP = """
import json

import azure.functions as func

app = func.FunctionApp()
seen = []


@app.service_bus_queue_trigger(arg_name="message", queue_name="scratch", connection="BUS")
def returns_a_value(message: func.ServiceBusMessage):
    seen.append(message)
    return "done"


@app.service_bus_queue_trigger(arg_name="message", queue_name="scratch", connection="BUS")
def returns_nothing(message: func.ServiceBusMessage) -> None:
    seen.append(message)
"""

TIMER = '@app.timer_trigger(arg_name="timer", schedule="0 0 * * * *")'
WRONG_APPS = {
    "an annotation of another trigger": (f"{TIMER}\ndef wrong(timer: func.HttpRequest): ...", "wrong"),
    "an argument of another name": (f"{TIMER}\ndef wrong(tick: func.TimerRequest): ...", "wrong"),
    "two apps in one module": ("other = func.FunctionApp()", "More than one"),
}
"""What was declared, and what the worker's text must hold."""


@pytest.fixture
def scratch(host: FunctionsHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FunctionsHost]:
    """A host of APP; it shares its worker with the real app's."""
    (tmp_path / "function_app.py").write_text(APP)
    monkeypatch.syspath_prepend(tmp_path)
    yield FunctionsHost(tmp_path)
    forget_the_app()


@pytest.mark.parametrize("entry", ["protobuf", "native"])
def test_a_queue_function_that_returns_a_value_has_failed(scratch: FunctionsHost, entry: Entry) -> None:
    """Although it has done its work: so the message comes again, and at last to the dead letters."""
    seen = seen_by_functions()
    invoked = scratch.invoke(
        "returns_a_value", protos.TypedData(string="{}"), message_metadata("m"), entry=entry
    )
    assert invoked.error is not None
    assert "without a $return binding" in invoked.error
    assert len(seen) == 1
    fine = scratch.invoke(
        "returns_nothing", protos.TypedData(string="{}"), message_metadata("m"), entry=entry
    )
    assert fine.error is None


@pytest.mark.parametrize("entry", ["protobuf", "native"])
def test_what_a_function_sees_of_a_message(scratch: FunctionsHost, entry: Entry) -> None:
    """The reason of a dead letter is in its properties; times that a function may want have no zone."""
    properties = {"DeadLetterReason": "TTLExpiredException"}
    metadata = message_metadata("m-7", delivery_count=3, properties=properties)
    scratch.invoke("returns_nothing", protos.TypedData(string='{"a": "é"}'), metadata, entry=entry)
    (message,) = seen_by_functions()
    assert (message.message_id, message.delivery_count) == ("m-7", 3)
    assert json.loads(message.get_body()) == {"a": "é"}
    assert message.application_properties == properties
    assert message.dead_letter_reason is None
    assert message.locked_until is None
    assert message.enqueued_time_utc.tzinfo is None


@pytest.mark.parametrize(("code", "reason"), WRONG_APPS.values(), ids=WRONG_APPS)
def test_a_wrong_declaration_is_found_when_the_app_is_indexed(
    host: FunctionsHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, reason: str
) -> None:
    start = "import azure.functions as func\n\napp = func.FunctionApp()\n\n\n"
    (tmp_path / "function_app.py").write_text(start + code + "\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(IndexingFailed, match=reason):
        FunctionsHost(tmp_path)
    forget_the_app()


def seen_by_functions() -> list[Any]:
    """The messages that APP's functions were given."""
    seen: list[Any] = sys.modules["function_app"].seen
    return seen
