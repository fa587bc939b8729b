"""What the engine is given: settings, time, storage and clients, each built on first use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from shared.clients.graph import GraphClient
    from shared.clients.safetyamp import SafetyAmpClient
    from shared.clients.samsara import SamsaraClient
    from shared.clients.vista.client import VistaClient
    from shared.clock import Clock
    from shared.config import Settings
    from shared.shutdown import Shutdown
    from shared.storage.bus import Bus
    from shared.storage.cache import Cache
    from shared.storage.documents import Documents


class Services(Protocol):
    """The composition root as the engine sees it (`shared/runtime.py`)."""

    @property
    def settings(self) -> Settings: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def shutdown(self) -> Shutdown: ...
    @property
    def documents(self) -> Documents: ...
    @property
    def bus(self) -> Bus: ...
    @property
    def cache(self) -> Cache: ...
    @property
    def safetyamp(self) -> SafetyAmpClient: ...
    @property
    def vista(self) -> VistaClient: ...
    @property
    def graph(self) -> GraphClient: ...
    @property
    def samsara(self) -> SamsaraClient: ...

    def report_page(self, report: Mapping[str, object]) -> bytes:
        """A run's report (`documents/report.py`, which this module is below) for people."""
        ...
