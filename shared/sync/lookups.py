"""Small listings of SafetyAmp that hardly ever change (roles, asset types), kept in documents.

Documents and not Redis, so that a changed record costs its one call and no listing wherever the next
process runs. They are listed again when what is looked for is not there, and by every run that lists
SafetyAmp anew.
"""

from __future__ import annotations

from typing import Any

from shared.storage.documents import read_json, to_json
from shared.sync import paths
from shared.sync.services import Services


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


def _lookup(services: Services, resource: str, key: str, value: str, refresh: bool) -> dict[str, Any]:
    path = paths.lookup(resource)
    kept: dict[str, Any] | None = None if refresh else read_json(services.documents, path)
    if kept is not None:
        return kept
    listed = {str(row[key]): row.get(value) for row in services.safetyamp.list_all(resource).records}
    services.documents.write(path, to_json(listed))
    return listed
