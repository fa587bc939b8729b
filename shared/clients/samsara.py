"""Samsara: the vehicles and the active drivers, each in one listing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from shared.clients.http.headers import bearer_headers
from shared.clients.http.pipeline import HttpPipeline
from shared.clients.http.work import Work
from shared.clients.listings import Pages, checked_records, member
from shared.clients.receipts import Reading, Receipt
from shared.errors import IncompleteRead

PAGE_SIZE = 512
"""The greatest that Samsara allows (docs/contracts/samsara.md#listings)."""


def samsara_headers(api_key: str) -> Callable[[], Mapping[str, str]]:
    """Headers of every call; raises ConfigurationError for a key that cannot stand in a header."""
    headers = bearer_headers("SAMSARA_API_KEY", api_key)
    return lambda: headers


class SamsaraClient:
    """Samsara's fleet API, read only. Fields without a value are left out of its records; what is no record
    with an id comes as an empty one.

    Errors are those of `HttpPipeline.request`, and IncompleteRead.
    """

    def __init__(self, pipeline: HttpPipeline) -> None:
        self._pipeline = pipeline

    def under(self, work: Work) -> SamsaraClient:
        """The same client, for calls that belong to this work."""
        return SamsaraClient(self._pipeline.under(work))

    def list_vehicles(self) -> Reading[dict[str, Any]]:
        """All vehicles that the token may see."""
        return self._list("vehicles", {})

    def list_active_drivers(self) -> Reading[dict[str, Any]]:
        """All drivers that are not deactivated (docs/contracts/samsara.md#listings)."""
        return self._list("drivers", {"driverActivationStatus": "active"})

    def _list(self, resource: str, parameters: Mapping[str, Any]) -> Reading[dict[str, Any]]:
        source = f"Samsara {resource}"
        pages = Pages(source)
        cursors: set[str] = set()
        cursor: str | None = None
        while True:
            query = {"limit": PAGE_SIZE, **parameters, **({"after": cursor} if cursor else {})}
            body = self._pipeline.request("GET", f"/fleet/{resource}", params=query)
            pages.add(checked_records(member(body, "data", source), source, keep_odd=True))
            cursor = _next_cursor(body, cursors, source)
            if cursor is None:
                receipt = Receipt(source, len(pages.records), pages.count, ended="last cursor")
                return Reading(pages.records, receipt)
            pages.expect_more()


def _next_cursor(body: Any, seen: set[str], source: str) -> str | None:
    """The cursor of the next page, None after the last; an empty page is not the end, only the flag is
    (docs/contracts/samsara.md#listings)."""
    pagination = member(body, "pagination", source)
    has_next = member(pagination, "hasNextPage", source)
    if has_next is False:
        return None
    cursor = member(pagination, "endCursor", source)
    if has_next is not True or not isinstance(cursor, str) or not cursor:
        raise IncompleteRead(f"{source}: a next page is announced without a cursor to it")
    if cursor in seen:
        raise IncompleteRead(f"{source}: the same cursor came twice, the listing would not end")
    seen.add(cursor)
    return cursor
