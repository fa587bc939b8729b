"""How SafetyAmp shows its records: the cluster tree, and users and assets with what they refer to."""

from __future__ import annotations

from typing import Any

from local.simulators.safetyamp_store import SYSTEM_INTEGER, Row, SafetyAmpStore

ADMINISTRATOR = "Company Administrator"


def cluster_tree(store: SafetyAmpStore) -> list[Row]:
    """The roots, each with its descendants in `children`, to any depth."""
    children: dict[Any, list[Row]] = {}
    for row in store.rows("site_clusters"):
        children.setdefault(row["parent_cluster_id"], []).append(row)

    def node(row: Row, ancestors: tuple[int, ...]) -> Row:
        below = [node(child, (*ancestors, row["id"])) for child in children.get(row["id"], [])]
        return {**_placed(row, ancestors), "children": below}

    return [node(row, ()) for row in children.get(None, [])]


def view(store: SafetyAmpStore, resource: str, row: Row) -> Row:
    """One record as lists, creations and updates answer it."""
    if resource == "users":
        return _user(store, row)
    if resource == "assets":
        return _asset(store, row)
    if resource == "site_clusters":
        return _placed(row, _ancestors(store, row))
    return dict(row)


def _placed(row: Row, ancestors: tuple[int, ...]) -> Row:
    path = "/" + "".join(f"{ancestor}/" for ancestor in ancestors)
    return {**row, "path": path, "depth": len(ancestors)}


def _ancestors(store: SafetyAmpStore, row: Row) -> tuple[int, ...]:
    above: list[int] = []
    parent = store.get("site_clusters", row["parent_cluster_id"])
    while parent is not None:
        above.insert(0, parent["id"])
        parent = store.get("site_clusters", parent["parent_cluster_id"])
    return tuple(above)


def _user(store: SafetyAmpStore, row: Row) -> Row:
    shown = dict(row)
    home_site = store.get("sites", row["home_site_id"])
    title = store.get("user_titles", shown.pop("current_title_id"))
    roles = [store.get("roles", role_id) for role_id in row["roles"] or []]
    shown["roles"] = [dict(role) for role in roles if role]
    shown["home_site"] = _nested_site(home_site) if home_site else None
    shown["current_title"] = {"id": title["id"], "name": title["name"]} if title else None
    if any(role["name"] == ADMINISTRATOR for role in shown["roles"]):
        shown["sites"] = [_nested_site(site) for site in store.rows("sites")]
    else:
        sites = [store.get("sites", site_id) for site_id in row["sites"] or []]
        shown["sites"] = [_nested_site(site) for site in sites if site]
    return shown


def _nested_site(site: Row) -> Row:
    return {**site, "created_by": SYSTEM_INTEGER, "updated_by": SYSTEM_INTEGER}


def _asset(store: SafetyAmpStore, row: Row) -> Row:
    site = store.get("sites", row["site_id"])
    asset_type = store.get("asset_types", row["asset_type_id"])
    user = store.get("users", row["current_user_id"])
    return {
        **row,
        "site": _nested_site(site) if site else None,
        "location": None,
        "asset_type": dict(asset_type) if asset_type else None,
        "current_user": _nested_user(user) if user else None,
    }


def _nested_user(user: Row) -> Row:
    return {name: user[name] for name in ("id", "first_name", "last_name", "email")}
