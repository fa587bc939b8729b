"""The embedded stack: the function app with a bus in this process, documents in a folder, and a Redis.

Settings that name real systems win: with SERVICE_BUS_CONNECTION or DOCUMENTS_CONNECTION set, those are
used for sending and storing.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

import azure.functions as func

from local.bus import InProcessBus, QueueOptions
from local.embedded_redis import embedded_redis
from local.folder_documents import FolderDocuments
from local.host import LocalHost
from local.host_index import HostFunction, HostOptions, host_options, index
from shared import runtime
from shared.clock import Clock, SystemClock
from shared.config import Settings
from shared.runtime import Parts, Runtime
from shared.storage.documents import Documents

PROJECT = Path(__file__).resolve().parent.parent
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
        runtime.use(self.runtime)
        names = {name.upper(): str(getattr(settings, name)) for name in DEFAULT_NAMES}
        self.functions: list[HostFunction] = index(_fresh_app(), {**names, **environment})
        self.host = LocalHost(self.functions, self.bus, self.clock, self.options)

    def _parts(self, parts: Parts) -> Parts:
        return Parts(
            clock=self.clock,
            documents=parts.documents or self._documents,
            bus=parts.bus or (lambda _: self.bus),
            redis=parts.redis or embedded_redis,
            session=parts.session,
            patience_seconds=parts.patience_seconds,
        )

    def _documents(self, settings: Settings) -> Documents:
        if settings.documents_connection or settings.documents_connection__blobserviceuri:
            from shared.storage.blob_container import blob_documents

            return blob_documents(settings)
        return FolderDocuments(Path(settings.local_folder), self.clock)

    def close(self) -> None:
        """Stop the host and forget the runtime."""
        self.host.stop()
        runtime.use(None)


def _fresh_app() -> func.FunctionApp:
    """The function app, made anew: one app object can be indexed only once."""
    app = importlib.reload(importlib.import_module("function_app")).app
    assert isinstance(app, func.FunctionApp)
    return app
