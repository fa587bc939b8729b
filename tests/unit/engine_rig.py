"""The engine's services over documents in memory, with a bus that keeps what is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self, cast

import pytest

from local.documents.memory import MemoryDocuments
from local.fake_clock import FakeClock
from shared.clients.http.work import Work
from shared.clients.receipts import Reading, Receipt
from shared.config import Settings, load_settings
from shared.errors import BusError, LeaseHeld
from shared.reports.page import report_page
from shared.shutdown import Shutdown
from shared.storage.bus import Message
from shared.storage.decoding import decode
from shared.sync.documents.plans import Plan
from shared.sync.documents.report import Report
from shared.sync.lease import LEASE_SECONDS
from shared.sync.services import Services

REQUIRED = {
    "SAFETYAMP_FQDN": "two-rivers.safetyamp.test",
    "SAFETYAMP_TOKEN": "token-5ecret",
    "MS_GRAPH_TENANT_ID": "tenant",
    "MS_GRAPH_CLIENT_ID": "client",
    "MS_GRAPH_CLIENT_SECRET": "graph-5ecret",
    "VISTA_CONNECTION_STRING": "Driver=x;PWD=vista-5ecret",
}


def a_plan(**members: Any) -> dict[str, Any]:
    """A whole plan document, of no changes unless `members` say otherwise."""
    return {
        "plan_id": "a1b2c3d4",
        "mode": "apply",
        "created_at": "2026-01-05T06:00:00+00:00",
        "state_etag": None,
        "state_by": None,
        "base": None,
        "batches": 0,
        "counts": {},
        "source_counts": {},
        "counts_changed": False,
        "held": [],
        "problems": [],
        "vanished": {"count": 0, "keys": []},
        "calls": {},
        "waited_seconds": 0.0,
        **members,
    }


def plan_of(**members: Any) -> Plan:
    """The same as a value."""
    return decode(Plan, a_plan(**members), "plan.json")


class KeptBus:
    """Keeps what is sent; `away` makes sending fail."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.away = False

    def send(self, messages: Sequence[Message]) -> None:
        if self.away:
            raise BusError("Service Bus is away")
        self.sent += messages

    def close(self) -> None:
        """Nothing to give back."""

    @property
    def ids(self) -> list[str]:
        """Message ids without the run's, which is random."""
        return [message.message_id.split("/", 1)[1] for message in self.sent]


class OfWork:
    """What is common to these tests' clients: they know of the `work` for which they were asked last."""

    work = Work()

    def under(self, work: Work) -> Self:
        self.work = work
        return self


class PagedSafetyAmp(OfWork):
    """Listings from given pages; `fail_at` maps a page to the error that it raises once."""

    def __init__(
        self, pages: Sequence[list[dict[str, Any]]] = (), clusters: Sequence[dict[str, Any]] = ()
    ) -> None:
        self.pages = list(pages)
        self.clusters = list(clusters)
        self.fail_at: dict[int, Exception] = {}
        self.asked: list[int] = []

    def list_pages(self, resource: str, start_page: int = 0) -> Iterator[list[dict[str, Any]]]:
        for page in range(start_page, len(self.pages) + 1):
            self.asked.append(page)
            if error := self.fail_at.pop(page, None):
                raise error
            if page == len(self.pages):
                return
            yield self.pages[page]

    def list_site_clusters(self) -> Reading[dict[str, Any]]:
        return Reading(self.clusters, Receipt("SafetyAmp site_clusters", len(self.clusters), 1, "whole tree"))


class EngineRig:
    """Implements what these tests need of Services."""

    def __init__(self, safetyamp: Any = None, **settings: str) -> None:
        self.clock = FakeClock()
        self.documents = MemoryDocuments(self.clock)
        self.bus = KeptBus()
        self.shutdown = Shutdown()
        self.work = Work()
        self.settings: Settings = load_settings({**REQUIRED, **settings})
        self.safetyamp: Any = safetyamp or PagedSafetyAmp()

    def report_page(self, report: Mapping[str, object]) -> bytes:
        return report_page(cast(Report, report))

    @property
    def services(self) -> Services:
        """This rig as the engine wants it."""
        return cast(Services, self)


def last_long(rig: EngineRig, path: str) -> list[str]:
    """Each page of a listing takes nearly as long as a lease lasts, and whoever wants that of `path` then
    does not get it. What is returned are the resources of these pages."""
    listed: list[str] = []
    list_pages = rig.safetyamp.list_pages

    def slowly(resource: str, start_page: int = 0) -> Iterator[list[dict[str, Any]]]:
        for rows in list_pages(resource, start_page):
            rig.safetyamp.work.before_call(rig.clock.monotonic())
            rig.clock.advance(LEASE_SECONDS - 1)
            with pytest.raises(LeaseHeld):
                rig.documents.acquire_lease(path, LEASE_SECONDS)
            listed.append(resource)
            yield rows

    rig.safetyamp.list_pages = slowly
    return listed
