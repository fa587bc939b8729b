"""What must exist in SafetyAmp before an entity's changes can work, checked only when there are changes."""

from __future__ import annotations

from shared.errors import ConfigurationError
from shared.sync.model import EntityName
from shared.sync.planning.lookups import sites_of_asset_types
from shared.sync.services import Services

HAVE_PREREQUISITES: frozenset[EntityName] = frozenset({"vehicles"})


def check_prerequisites(services: Services, entity: EntityName) -> None:
    """Raises ConfigurationError naming the setting that points at nothing."""
    if entity in HAVE_PREREQUISITES:
        _check_asset_type(services)


def _check_asset_type(services: Services) -> None:
    """An asset type belongs to one site; with another site's type every asset is refused
    (docs/contracts/safetyamp.md#assets)."""
    problem = _asset_type_problem(services, refresh=False)
    if problem:
        # What is kept may be older than the operator's mending.
        problem = _asset_type_problem(services, refresh=True)
    if problem:
        raise ConfigurationError.of("SAFETYAMP_VEHICLE_ASSET_TYPE_ID", problem)


def _asset_type_problem(services: Services, *, refresh: bool) -> str | None:
    type_id = services.settings.safetyamp_vehicle_asset_type_id
    site_id = services.settings.safetyamp_vehicle_site_id
    sites = sites_of_asset_types(services, refresh=refresh)
    if str(type_id) not in sites:
        return f"SafetyAmp has no asset type {type_id}"
    if sites[str(type_id)] != site_id:
        return (
            f"asset type {type_id} belongs to site {sites[str(type_id)]}, "
            f"but SAFETYAMP_VEHICLE_SITE_ID is {site_id}"
        )
    return None
