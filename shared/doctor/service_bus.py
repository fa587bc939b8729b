"""Service Bus: whether the two queues can be reached."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shared.doctor.finding import Check, Finding, ms_since, of_error
from shared.errors import BusError
from shared.storage.service_bus import ServiceBusBus

if TYPE_CHECKING:
    from shared.runtime import Runtime

NAME = "service_bus"
CONNECTION = "SERVICE_BUS_CONNECTION"
ADVICE = (
    "Check that the queue exists, port 5671 outwards, and the identity's roles Service Bus Data Sender and "
    "Receiver"
)


def quick(runtime: Runtime) -> Iterator[Finding]:
    """Both queues, each on its own. Sends nothing: a message more would have to be handled by somebody."""
    return _queues(runtime, receive=False)


def deep(runtime: Runtime) -> Iterator[Finding]:
    """Also whether messages can be received, without receiving any."""
    return _queues(runtime, receive=True)


def _queues(runtime: Runtime, *, receive: bool) -> Iterator[Finding]:
    bus, settings = runtime.bus, runtime.settings
    if isinstance(bus, ServiceBusBus):
        for setting, queue in (
            ("ENTITY_QUEUE", settings.entity_queue),
            ("BATCH_QUEUE", settings.batch_queue),
        ):
            yield _reached(runtime, bus, setting, queue, receive)
    else:
        seen = "embedded bus: messages stay in this process and are sent again after a restart"
        yield Finding(NAME, "ok", seen, settings=(CONNECTION,))


def _reached(runtime: Runtime, bus: ServiceBusBus, setting: str, queue: str, receive: bool) -> Finding:
    started = runtime.clock.monotonic()
    try:
        bus.check(queue, receive=receive)
    except BusError as error:
        return of_error(NAME, error, ADVICE, (CONNECTION, setting))
    took = ms_since(runtime.clock, started)
    seen = f"queue {queue} can be sent to" + (" and received from" if receive else "")
    return Finding(NAME, "ok", seen, latency_ms=took, settings=(setting,))


SETTINGS = (CONNECTION, "ENTITY_QUEUE", "BATCH_QUEUE")
QUICK = Check(NAME, quick, ADVICE, SETTINGS)
DEEP = Check(NAME, deep, ADVICE, SETTINGS)
