"""Service Bus: whether the two queues can be reached."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, runtime_checkable

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


@runtime_checkable
class Checkable(Protocol):
    """A bus that can be asked without sending anything."""

    def check(self, queue: str) -> None:
        """Prove that the queue exists and can be reached; raises BusError."""
        ...


def check(runtime: Runtime) -> Iterator[Finding]:
    """Both queues, each on its own. Sends nothing: a message more would have to be handled by somebody."""
    bus, settings = runtime.bus, runtime.settings
    if isinstance(bus, Checkable):
        for setting, queue in (
            ("ENTITY_QUEUE", settings.entity_queue),
            ("BATCH_QUEUE", settings.batch_queue),
        ):
            yield _reached(runtime, bus, setting, queue)
    elif isinstance(bus, ServiceBusBus):
        seen = "the connection's settings can be read; it is made with the first message"
        yield Finding(NAME, "ok", seen, settings=(CONNECTION,))
    else:
        seen = "embedded bus: messages stay in this process and are sent again after a restart"
        yield Finding(NAME, "ok", seen, settings=(CONNECTION,))


def _reached(runtime: Runtime, bus: Checkable, setting: str, queue: str) -> Finding:
    started = runtime.clock.monotonic()
    try:
        bus.check(queue)
    except BusError as error:
        return of_error(NAME, error, ADVICE, (CONNECTION, setting))
    took = ms_since(runtime.clock, started)
    return Finding(NAME, "ok", f"queue {queue} can be reached", latency_ms=took, settings=(setting,))


CHECK = Check(NAME, check, ADVICE, (CONNECTION, "ENTITY_QUEUE", "BATCH_QUEUE"))
