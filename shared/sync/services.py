"""What the engine is given: settings, time, storage, the work at hand, and clients whose calls belong to it;
each built on first use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from shared.clients.graph import GraphClient
    from shared.clients.http.work import Work
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
    def work(self) -> Work: ...
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


class Bound:
    """The services `of` somebody, for another piece of work."""

    def __init__(self, of: Services, work: Work) -> None:
        self._of: Services = of._of if isinstance(of, Bound) else of
        self.work = work

    @property
    def settings(self) -> Settings:
        return self._of.settings

    @property
    def clock(self) -> Clock:
        return self._of.clock

    @property
    def shutdown(self) -> Shutdown:
        return self._of.shutdown

    @property
    def documents(self) -> Documents:
        return self._of.documents

    @property
    def bus(self) -> Bus:
        return self._of.bus

    @property
    def cache(self) -> Cache:
        return self._of.cache

    @property
    def safetyamp(self) -> SafetyAmpClient:
        return self._of.safetyamp.under(self.work)

    @property
    def vista(self) -> VistaClient:
        return self._of.vista.under(self.work)

    @property
    def graph(self) -> GraphClient:
        return self._of.graph.under(self.work)

    @property
    def samsara(self) -> SamsaraClient:
        return self._of.samsara.under(self.work)

    def report_page(self, report: Mapping[str, object]) -> bytes:
        return self._of.report_page(report)
