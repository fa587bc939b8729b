"""The embedded stack: the function app with a bus in this process, documents in a folder, and a Redis.

Settings that name real systems win: with SERVICE_BUS_CONNECTION or DOCUMENTS_CONNECTION set, messages are
sent to, and received from, those queues, and documents stored there.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

import azure.functions as func

from local.bus.in_process import InProcessBus, QueueOptions
from local.bus.service_bus_receiver import SdkReceiver
from local.documents.folder import FolderDocuments
from local.host.embedded_redis import embedded_redis
from local.host.host import LocalHost
from local.host.index import HostFunction, HostOptions, host_options, index
from shared import runtime
from shared.clock import Clock, SystemClock
from shared.config import Settings
from shared.runtime import Parts, Runtime
from shared.storage.bus import Bus
from shared.storage.documents import Documents
from shared.storage.service_bus import ServiceBusBus
from shared.storage.service_bus_connection import service_bus_connection

PROJECT = Path(__file__).resolve().parents[2]
DEFAULT_NAMES = ("entity_queue", "batch_queue", "sync_schedule", "refresh_schedule", "sweep_schedule")


class LocalStack:
    """A whole app in this process: `host` delivers messages and ticks, the functions use `runtime`."""

    def __init__(self, environment: Mapping[str, str], parts: Parts | None = None) -> None:
        self.clock: Clock = (parts and parts.clock) or SystemClock()
        self.options: HostOptions = host_options(PROJECT / "host.json")
        self.runtime = Runtime(environment, self._parts(parts or Parts()))
        settings = self.runtime.settings
        queues = {settings.entity_queue: QueueOptions(), settings.batch_queue: QueueOptions()}
        self.bus = InProcessBus(self.clock, queues)
        self._service_bus = None if parts and parts.bus else service_bus_connection(settings)
        runtime.use(self.runtime)
        names = {name.upper(): str(getattr(settings, name)) for name in DEFAULT_NAMES}
        self.functions: list[HostFunction] = index(fresh_app(), {**names, **environment})
        receiver = self.bus if self._service_bus is None else SdkReceiver(self._service_bus)
        self.host = LocalHost(self.functions, receiver, self.clock, self.options)

    def reach_service_bus(self) -> None:
        """Raises BusError when a queue of the Service Bus that the settings name cannot be reached."""
        bus, settings = self.runtime.bus, self.runtime.settings
        if isinstance(bus, ServiceBusBus):
            for queue in (settings.entity_queue, settings.batch_queue):
                bus.check(queue, receive=True)

    def _parts(self, parts: Parts) -> Parts:
        return Parts(
            clock=self.clock,
            documents=parts.documents or self._documents,
            bus=parts.bus or self._bus,
            redis=parts.redis or embedded_redis,
            session=parts.session,
            patience_seconds=parts.patience_seconds,
        )

    def _bus(self, _: Settings) -> Bus:
        return self.bus if self._service_bus is None else ServiceBusBus(self._service_bus)

    def _documents(self, settings: Settings) -> Documents:
        if settings.documents_connection or settings.documents_connection__blobserviceuri:
            from shared.storage.blob_container import blob_documents

            return blob_documents(settings)
        return FolderDocuments(Path(settings.local_folder), self.clock)

    def close(self) -> None:
        """Stop the host, close what is open at Service Bus, and forget the runtime."""
        self.host.stop()
        if self._service_bus is not None:
            self._service_bus.close()
        runtime.use(None)


def fresh_app() -> func.FunctionApp:
    """The function app, made anew: one app object can be indexed only once."""
    app = importlib.reload(importlib.import_module("function_app")).app
    assert isinstance(app, func.FunctionApp)
    return app
