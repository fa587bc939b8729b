"""SafetyAmp's content in a form that can be compared: records by key, ids replaced by keys."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.e2e.expected_values import Record

Records = dict[str, Record]
Content = dict[str, Records]
"""Records by resource and key."""

CLUSTER = ("name", "parent_cluster_id", "external_code", "osha_establishment")
SITE = (
    *("name", "cluster_id", "ext_id", "street", "street2", "city", "state", "zip_code", "country"),
    *("timezone", "latitude", "longitude"),
)
USER = (
    *("emp_id", "first_name", "middle_name", "last_name", "nickname", "email", "gender", "date_of_birth"),
    *("current_hire_date", "rehire_date", "work_phone", "home_phone", "mobile_phone"),
    *("street", "street2", "city", "state", "zip_code", "country", "timezone"),
    *("home_site_id", "current_title_id", "current_supervisor_id"),
    *("system_access", "bypass_sso", "text_opt_out", "roles", "sites"),
)
ASSET = (
    *("name", "code", "serial", "model", "description", "status"),
    *("site_id", "location_id", "asset_type_id", "current_user_id"),
)
FIELDS = {"site_clusters": CLUSTER, "sites": SITE, "user_titles": ("name",), "users": USER, "assets": ASSET}
"""All fields that the API takes: what a record has beyond them is the server's own."""

REFERENCES = {
    "parent_cluster_id": "site_clusters",
    "cluster_id": "site_clusters",
    "home_site_id": "sites",
    "site_id": "sites",
    "current_title_id": "user_titles",
    "current_user_id": "users",
    "asset_type_id": "asset_types",
    "roles": "roles",
}
KEYS = {
    "site_clusters": ("external_code", "name"),
    "sites": ("ext_id", "name"),
    "users": ("emp_id", "email"),
    "assets": ("serial", "name"),
}
"""A record's key is the first of these fields that has a value; everything else goes by its name."""


def read_content(snapshot: dict[str, list[Record]]) -> Content:
    """The content in a snapshot of the simulator.

    A second record of the same key is there as `KEY (2)`, in the order of creation.
    """
    keys = {resource: _keys(resource, rows) for resource, rows in snapshot.items()}
    return {
        resource: {
            keys[resource][row["id"]]: {name: _readable(name, row[name], keys) for name in fields}
            for row in snapshot[resource]
        }
        for resource, fields in FIELDS.items()
    }


def _keys(resource: str, rows: list[Record]) -> dict[Any, str]:
    seen: Counter[str] = Counter()
    keys = {}
    for row in rows:
        key = next(row[name] for name in KEYS.get(resource, ("name",)) if row[name])
        seen[key] += 1
        keys[row["id"]] = key if seen[key] == 1 else f"{key} ({seen[key]})"
    return keys


def _readable(name: str, value: Any, keys: dict[str, dict[Any, str]]) -> Any:
    if name not in REFERENCES or value is None:
        return value
    known = keys[REFERENCES[name]]
    return [known[each] for each in value] if isinstance(value, list) else known[value]


def differences(expected: Content, actual: Content) -> list[str]:
    """Every difference, one line each: what a failing test shows instead of two heaps of records."""
    found = []
    for resource, records in expected.items():
        others = actual[resource]
        found += [f"{resource} {key}: missing" for key in records.keys() - others.keys()]
        found += [f"{resource} {key}: too many" for key in others.keys() - records.keys()]
        for key in records.keys() & others.keys():
            found += _field_differences(f"{resource} {key}", records[key], others[key])
    return sorted(found)


def _field_differences(record: str, expected: Record, actual: Record) -> list[str]:
    return [
        f"{record}.{name}: {actual.get(name)!r} instead of {expected.get(name)!r}"
        for name in expected.keys() | actual.keys()
        if actual.get(name) != expected.get(name)
    ]
