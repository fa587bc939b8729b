"""A company's first load, its second run and a leaver, every message and tick through Microsoft's worker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from local.company.model import vista_date
from local.host.host import LocalHost
from local.host.index import HostFunction
from tests.e2e.rig import START, Rig
from tests.e2e.small_company import FIRST_NUMBER, PEOPLE
from tests.worker.functions_host import Entry, FunctionsHost
from tests.worker.trigger_data import message_metadata, timer
from tests.worker.wire import protos


class InvocationFailed(Exception):
    """The worker answered with a failure, which makes the host give the message back."""


class WorkerRig(Rig):
    """The rig, its host delivering to the worker instead of calling functions itself."""

    def __init__(self, folder: Path, host: FunctionsHost, entry: Entry) -> None:
        super().__init__(folder)
        self.invoked: Counter[str] = Counter()
        functions = [
            HostFunction(function.name, self._through(host, function, entry), function.trigger)
            for function in self.stack.functions
        ]
        self.stack.host = LocalHost(functions, self.stack.bus, self.clock, self.stack.options)

    def _through(self, host: FunctionsHost, function: HostFunction, entry: Entry) -> Callable[..., Any]:
        def call(**arguments: Any) -> None:
            (given,) = arguments.values()
            invoke = partial(host.invoke, function.name, entry=entry)
            self.invoked[function.name] += 1
            if isinstance(given, func.ServiceBusMessage):
                body = protos.TypedData(string=given.get_body().decode())
                invoked = invoke(body, _metadata(given))
            else:
                invoked = invoke(timer())
            if invoked.error is not None:
                raise InvocationFailed(invoked.error)

        return call


def _metadata(message: func.ServiceBusMessage) -> dict[str, Any]:
    return message_metadata(
        message.message_id,
        delivery_count=message.delivery_count or 1,
        properties=message.application_properties,
    )


@pytest.mark.parametrize("entry", ["protobuf", "native"])
def test_runs_through_the_worker_end_as_without_it(host: FunctionsHost, tmp_path: Path, entry: Entry) -> None:
    with_worker = WorkerRig(tmp_path, host, entry)
    with_worker.stack.host.run_timer("start_scheduled_run")
    first = with_worker.finish(with_worker.active)
    assert first.entity("employees")["created"] == PEOPLE

    with_worker.stack.host.run_timer("start_scheduled_run")
    second = with_worker.finish(with_worker.active)
    assert (second.writes, second.listings) == ([], [])

    with_worker.person(FIRST_NUMBER)["TermDate"] = vista_date(START.date())
    with_worker.publish()
    with_worker.stack.host.run_timer("start_nightly_refresh")
    third = with_worker.finish(with_worker.active)
    assert third.entity("employees")["deactivated"] == 1
    assert with_worker.invoked["sync_entity"] >= 15
    assert with_worker.invoked["apply_batch"] >= 5
    content = with_worker.content()
    with_worker.close()

    without = Rig(tmp_path)
    without.run()
    without.person(FIRST_NUMBER)["TermDate"] = vista_date(START.date())
    without.publish()
    without.run(refresh=True)
    assert without.content() == content
    without.close()
