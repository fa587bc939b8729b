"""SafetyAmp: listings of everything, and create and update of single records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any
from urllib.parse import quote

from shared.clients.http.answers import METHOD_NOT_ALLOWED
from shared.clients.http.headers import bearer_headers, checked_header_value, user_agent
from shared.clients.http.pipeline import HttpPipeline
from shared.clients.http.work import Work
from shared.clients.listings import MOST_PAGES, Distinct, checked_records, endless, is_id, member
from shared.clients.receipts import Reading, Receipt
from shared.errors import AccessRefused, APIError, NotFound, UpstreamUnavailable

PAGE_SIZE = 25
"""The vendor's default, and the only size that was seen (docs/contracts/safetyamp.md#listings)."""

PATCHED = frozenset({"users"})
"""Resources that are updated with PATCH; of the others only PUT was seen. That PATCH of a user works like PUT
no recording shows (docs/contracts/safetyamp.md#assumptions)."""

PAGES_WITHOUT_NEWS = 2
ASKED_AT_MOST = 2


def safetyamp_headers(fqdn: str, token: str, version: str) -> Callable[[], Mapping[str, str]]:
    """Headers of every call (docs/contracts/safetyamp.md#calls); `version` is the product's.

    Raises ConfigurationError for a host name or token that cannot stand in a header.
    """
    headers = {
        **bearer_headers("SAFETYAMP_TOKEN", token),
        "Fqdn": checked_header_value("SAFETYAMP_FQDN", fqdn),
        "Content-Type": "application/json",
        "User-Agent": user_agent(fqdn, version),
    }
    return lambda: headers


class SafetyAmpClient:
    """SafetyAmp's API. Errors are those of `HttpPipeline.request`, and IncompleteRead for listings."""

    def __init__(self, pipeline: HttpPipeline) -> None:
        self._pipeline = pipeline

    def under(self, work: Work) -> SafetyAmpClient:
        """The same client, for calls that belong to this work."""
        return SafetyAmpClient(self._pipeline.under(work))

    def list_site_clusters(self) -> Reading[dict[str, Any]]:
        """All clusters, parents before children, without their `children`.

        One call: this listing is a tree and has no pages. A node that occurs again is dropped.
        """
        source = "SafetyAmp site_clusters"
        body = self._pipeline.request("GET", "/api/site_clusters")
        records = _flattened(member(body, "data", source), source)
        return Reading(records, Receipt(source, len(records), pages=1, ended="whole tree"))

    def list_pages(self, resource: str, start_page: int = 0) -> Iterator[list[dict[str, Any]]]:
        """The records of page `start_page` (the first is 0), of the next page, and so on to the end.

        `resource` is "sites", "user_titles", "roles", "users", "asset_types" or "assets".

        One list per page, so that a reader can go on later where it stopped; records that this iteration has
        given before are left out, which may leave a list empty. The end is an empty page, or two pages in a
        row without anything new: one such page proves nothing, because servers of this kind may take pages
        0 and 1 for the same (docs/contracts/safetyamp.md#listings). A short page is not the end either:
        whether rows are hidden after the paging is not known, and the price of asking is one call per
        listing.

        Raises IncompleteRead when MOST_PAGES pages have not brought the end.
        """
        distinct, repeats = Distinct(), 0
        for page in count(start_page):
            source = f"SafetyAmp {resource} page {page}"
            if page >= MOST_PAGES:
                raise endless(f"SafetyAmp {resource}", f"{page} pages were read")
            body = self._pipeline.request(
                "GET", f"/api/{resource}", params={"page": page, "limit": PAGE_SIZE}
            )
            records = checked_records(member(body, "data", source), source)
            if not records:
                return
            fresh = distinct.new(records)
            repeats = 0 if fresh else repeats + 1
            if repeats == PAGES_WITHOUT_NEWS:
                return
            yield fresh

    def list_all(self, resource: str) -> Reading[dict[str, Any]]:
        """All records of a resource; an error on any page is raised, so a list is always complete."""
        records: list[dict[str, Any]] = []
        pages = 1  # the page that was the end
        for page in self.list_pages(resource):
            records += page
            pages += 1
        return Reading(
            records, Receipt(f"SafetyAmp {resource}", len(records), pages, ended="page without news")
        )

    def read(self, resource: str, target_id: int | str) -> dict[str, Any]:
        """One record; only "users" are known to be readable so (docs/contracts/safetyamp.md#one-record).

        Asked once more where the answer is odd: most of these pass. Raises APIError when it stays so, which
        says neither that the record is there nor that it is not; InvalidRecord never, as no change was sent.
        """
        path = f"/api/{resource}/{quote(str(target_id), safe='')}"
        odd = ""
        for _ in range(ASKED_AT_MOST):
            try:
                row = _record(self._pipeline.request("GET", path))
            except (NotFound, AccessRefused, UpstreamUnavailable):
                raise
            except APIError as error:
                if error.status_code == METHOD_NOT_ALLOWED:
                    raise
                odd = f"SafetyAmp answered {error.status_code} to GET {path}"
                continue
            if str(row.get("id")) == str(target_id):
                return row
            odd = f"SafetyAmp's answer to GET {path} does not show that record"
        raise APIError(odd, upstream="safetyamp")

    def create(self, resource: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The created record, with its id.

        `resource` is "site_clusters" (never a root: the API cannot create one), "sites", "user_titles",
        "users" or "assets".

        Raises UpstreamUnavailable with `may_have_happened` when it is unknown whether there is one now: look
        it up before creating again.
        """
        path = f"/api/{resource}"
        created = _record(self._pipeline.request("POST", path, json=dict(payload)))
        if not is_id(created.get("id")):
            raise UpstreamUnavailable(
                f"SafetyAmp's answer to POST {path} has no record with an id", upstream="safetyamp"
            )
        return created

    def update(
        self,
        resource: str,
        target_id: int | str,
        payload: Mapping[str, Any],
        anew: Callable[[], Mapping[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """The record as SafetyAmp has it after the change, {} when the answer does not show it.

        `resource` is "site_clusters", "sites", "users" or "assets".

        `payload` must hold the fields that the resource requires on each update, changed or not; `anew` makes
        it for a repetition (`HttpPipeline.request`).
        """
        path = f"/api/{resource}/{quote(str(target_id), safe='')}"
        method = "PATCH" if resource in PATCHED else "PUT"
        return _record(self._pipeline.request(method, path, json=dict(payload), anew=anew))


def _record(body: Any) -> dict[str, Any]:
    record = body.get("data") if isinstance(body, dict) else None
    return record if isinstance(record, dict) else {}


def _flattened(roots: Any, source: str) -> list[dict[str, Any]]:
    distinct = Distinct()
    records: list[dict[str, Any]] = []
    waiting = [checked_records(roots, source)]
    while waiting:
        for node in distinct.new(waiting.pop()):
            records.append({name: value for name, value in node.items() if name != "children"})
            waiting.append(checked_records(node.get("children") or [], source))
    return records
