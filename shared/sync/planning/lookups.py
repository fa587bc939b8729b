"""Small listings of SafetyAmp that hardly ever change (roles, asset types), kept in documents.

Documents and not Redis, so that a changed record costs its one call and no listing wherever the next
process runs. They are listed again when what is looked for is not there, and by every run that lists
SafetyAmp anew.
"""

from __future__ import annotations

import logging
from typing import Any

from shared.errors import UnreadableDocument
from shared.storage.documents import Documents, read_document, to_json
from shared.sync import paths
from shared.sync.services import Services

logger = logging.getLogger(__name__)

KINDS: dict[str, type[dict[str, Any]]] = {"roles": dict[str, int], "asset_types": dict[str, Any]}


def role_ids(services: Services, *, refresh: bool = False) -> dict[str, int]:
    """Role name -> id."""
    return _lookup(services, "roles", "name", "id", refresh)


def sites_of_asset_types(services: Services, *, refresh: bool = False) -> dict[str, Any]:
    """Asset type id, as text -> the id of the site to which the type belongs."""
    return _lookup(services, "asset_types", "id", "site_id", refresh)


def forget_lookups(services: Services) -> None:
    """List anew at the next use."""
    for resource in ("roles", "asset_types"):
        services.documents.delete(paths.lookup(resource))


def read_lookup(documents: Documents, resource: str) -> dict[str, Any] | None:
    """What is kept, None when nothing is. Raises UnreadableDocument."""
    return read_document(documents, paths.lookup(resource), KINDS[resource])


def _lookup(services: Services, resource: str, key: str, value: str, refresh: bool) -> dict[str, Any]:
    kept = None if refresh else _kept(services, resource)
    if kept is not None:
        return kept
    rows = services.safetyamp.list_all(resource).records
    # A role without a name, or without an id, is nobody's and costs no other.
    listed = {str(row[key]): row.get(value) for row in rows if None not in (row.get(key), row.get("id"))}
    services.documents.write(paths.lookup(resource), to_json(listed))
    return listed


def _kept(services: Services, resource: str) -> dict[str, Any] | None:
    try:
        return read_lookup(services.documents, resource)
    except UnreadableDocument as error:
        logger.warning("%s; it is listed anew", error, extra={"event": "document_unreadable"})
        return None
