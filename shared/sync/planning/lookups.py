"""Small listings of SafetyAmp that hardly ever change (roles, asset types), kept in documents.

Documents and not Redis, so that a changed record costs its one call and no listing wherever the next
process runs. They are listed again when what is looked for is not there, and by every run that lists
SafetyAmp anew.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import cast

from shared.errors import RetryLater, UnreadableDocument
from shared.storage.decoding import Time
from shared.storage.documents import Documents, read_document, to_json
from shared.sync import paths
from shared.sync.model import ApiRow, JsonValue
from shared.sync.services import Services

logger = logging.getLogger(__name__)

PAGES_ARE_FRESH = timedelta(hours=1)


@dataclass(frozen=True)
class _Pages:
    """The pages that an interrupted listing has read; `page` comes next."""

    at: Time
    page: int = 0
    rows: list[ApiRow] = field(default_factory=list)


KINDS: Mapping[str, type[dict[str, JsonValue]]] = {
    "roles": cast("type[dict[str, JsonValue]]", dict[str, int]),
    "asset_types": dict[str, JsonValue],
}


def role_ids(services: Services, *, refresh: bool = False) -> dict[str, int]:
    """Role name -> id."""
    return cast("dict[str, int]", _lookup(services, "roles", "name", "id", refresh))


def sites_of_asset_types(services: Services, *, refresh: bool = False) -> dict[str, JsonValue]:
    """Asset type id, as text -> the id of the site to which the type belongs."""
    return _lookup(services, "asset_types", "id", "site_id", refresh)


def forget_lookups(services: Services) -> None:
    """List anew at the next use."""
    for resource in ("roles", "asset_types"):
        services.documents.delete(paths.lookup(resource))


def read_lookup(documents: Documents, resource: str) -> dict[str, JsonValue] | None:
    """What is kept, None when nothing is. Raises UnreadableDocument."""
    return read_document(documents, paths.lookup(resource), KINDS[resource])


def _lookup(services: Services, resource: str, key: str, value: str, refresh: bool) -> dict[str, JsonValue]:
    kept = None if refresh else _kept(services, resource)
    if kept is not None:
        return kept
    rows = _listed(services, resource)
    # A role without a name, or without an id, is nobody's and costs no other.
    listed = {str(row[key]): row.get(value) for row in rows if None not in (row.get(key), row.get("id"))}
    services.documents.write(paths.lookup(resource), to_json(listed))
    return listed


def _listed(services: Services, resource: str) -> list[ApiRow]:
    """All records. Pages that were read before the limiter made it wait are kept: where the share of the
    window has no place for all of them, it would begin anew for ever."""
    path, now = paths.lookup_pages(resource), services.clock.now()
    kept = _kept_pages(services.documents, path, now)
    rows, page = kept.rows, kept.page
    try:
        for found in services.safetyamp.list_pages(resource, start_page=page):
            rows, page = [*rows, *found], page + 1
    except RetryLater:
        if page > kept.page:
            services.documents.write(path, to_json(asdict(_Pages(now.isoformat(), page, rows))))
        raise
    if kept.page:
        services.documents.delete(path)
    return list({row["id"]: row for row in rows}.values())


def _kept_pages(documents: Documents, path: str, now: datetime) -> _Pages:
    try:
        kept = read_document(documents, path, _Pages)
    except UnreadableDocument:
        kept = None
    fresh = kept is not None and now - datetime.fromisoformat(kept.at) < PAGES_ARE_FRESH
    return kept if kept is not None and fresh else _Pages(now.isoformat())


def _kept(services: Services, resource: str) -> dict[str, JsonValue] | None:
    try:
        return read_lookup(services.documents, resource)
    except UnreadableDocument as error:
        logger.warning("%s; it is listed anew", error, extra={"event": "document_unreadable"})
        return None
