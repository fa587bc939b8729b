"""What a tenant holds before the first sync: a root, regions with their offices, roles, a fleet, people."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from local.simulators.safetyamp_store import SafetyAmpStore

ROLES = ("Company Administrator", "Supervisor", "Field", "Safety Representative")
DEFAULT_ROLE = "Field"
OFFICE_SUFFIX = " Office"
FLEET_SITE = "Fleet Yard"
CATEGORIES = ("Power Equipment", "Vehicle")
OFFICE_ADDRESS = {
    "street": "1 Levee Road",
    "city": "Baton Rouge",
    "state": "LA",
    "zip_code": "70802",
    "country": "US",
    "timezone": "America/Chicago",
}


@dataclass(frozen=True)
class SafetyAmpSeed:
    """The content that exists beforehand.

    `regions` get a cluster under the root and, in it, a site `<region> Office`. A user is a dict of
    user fields, where `role` may name a role, `region` the office that is the home site, and `title` a
    title that is made where it does not exist. An asset is a dict of asset fields, put on the fleet's
    site with its vehicle type. A site is a dict of site fields, where `region` may name the cluster.
    """

    root: str
    regions: tuple[str, ...] = ()
    users: tuple[dict[str, Any], ...] = ()
    assets: tuple[dict[str, Any], ...] = ()
    sites: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Seeded:
    """The ids that settings and tests refer to."""

    root_id: int
    vehicle_site_id: int
    vehicle_asset_type_id: int
    region_ids: dict[str, int] = field(default_factory=dict)
    office_ids: dict[str, int] = field(default_factory=dict)
    role_ids: dict[str, int] = field(default_factory=dict)
    user_ids: tuple[str, ...] = ()


def plant(store: SafetyAmpStore, seed: SafetyAmpSeed) -> Seeded:
    """Put the seed into an empty store, past the API: a root cluster cannot be made through it."""
    root = store.insert("site_clusters", {"name": seed.root, "parent_cluster_id": None})
    roles = {
        name: store.insert("roles", {"name": name, "account_default": int(name == DEFAULT_ROLE)})["id"]
        for name in ROLES
    }
    regions, offices = _plant_regions(store, seed.regions, root["id"])
    vehicle_site, vehicle_type = _plant_fleet(store, root["id"])
    for site in seed.sites:
        cluster_id = regions.get(site["region"], root["id"])
        store.insert(
            "sites", {name: site[name] for name in site if name != "region"} | {"cluster_id": cluster_id}
        )
    planter = _PeoplePlanter(store, roles, offices)
    users = tuple(planter.plant(dict(user)) for user in seed.users)
    for asset in seed.assets:
        store.insert("assets", {**asset, "site_id": vehicle_site, "asset_type_id": vehicle_type})
    return Seeded(root["id"], vehicle_site, vehicle_type, regions, offices, roles, users)


def _plant_regions(
    store: SafetyAmpStore, regions: tuple[str, ...], root_id: int
) -> tuple[dict[str, int], dict[str, int]]:
    clusters, offices = {}, {}
    for number, region in enumerate(regions):
        # The first one was made by hand, without a code; the others look as a sync leaves them.
        code = region if number else None
        row = {"name": region, "parent_cluster_id": root_id, "external_code": code}
        clusters[region] = store.insert("site_clusters", row)["id"]
        site = {"name": region + OFFICE_SUFFIX, "cluster_id": clusters[region], **OFFICE_ADDRESS}
        offices[region] = store.insert("sites", site)["id"]
    return clusters, offices


def _plant_fleet(store: SafetyAmpStore, root_id: int) -> tuple[int, int]:
    site = store.insert("sites", {"name": FLEET_SITE, "cluster_id": root_id, **OFFICE_ADDRESS})
    categories = {name: store.insert("asset_categories", {"name": name})["id"] for name in CATEGORIES}
    for name, category in (("Generator", "Power Equipment"), ("Trailer", "Vehicle")):
        store.insert("asset_types", _asset_type(name, site["id"], categories[category]))
    vehicle = store.insert("asset_types", _asset_type("Vehicle", site["id"], categories["Vehicle"]))
    return site["id"], vehicle["id"]


def _asset_type(name: str, site_id: int, category_id: int) -> dict[str, Any]:
    return {"name": name, "site_id": site_id, "asset_category_id": category_id}


class _PeoplePlanter:
    """Puts users in, with role, home site and title given by name."""

    def __init__(self, store: SafetyAmpStore, roles: dict[str, int], offices: dict[str, int]) -> None:
        self._store = store
        self._roles = roles
        self._offices = offices
        self._titles: dict[str, int] = {}

    def plant(self, user: dict[str, Any]) -> str:
        role, region, title = (user.pop(name, None) for name in ("role", "region", "title"))
        user["roles"] = [self._roles[role or DEFAULT_ROLE]]
        user["home_site_id"] = self._offices.get(region)
        user["current_title_id"] = self._title(title) if title else None
        return str(self._store.insert("users", {"system_access": True, "activated": True, **user})["id"])

    def _title(self, name: str) -> int:
        if name not in self._titles:
            self._titles[name] = self._store.insert("user_titles", {"name": name})["id"]
        return self._titles[name]
