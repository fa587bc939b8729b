"""Whether SafetyAmp takes a payload: required, well-formed, unique, and referring to what exists."""

from __future__ import annotations

from typing import Any

from local.simulators.safetyamp_fields import FIELDS, Field, FieldError, ids
from local.simulators.safetyamp_store import Id, Row, SafetyAmpStore

Errors = dict[str, list[str]]


def check(
    store: SafetyAmpStore, resource: str, method: str, payload: Row, existing: Row | None
) -> tuple[Row, Errors]:
    """The fields to store, and the texts of the 422 by field; without texts the payload is good.

    `existing` is the record that is changed, None for a creation.
    """
    clean: Row = {}
    errors: Errors = {}
    own_id = existing["id"] if existing else None
    for field in FIELDS[resource]:
        try:
            if _present(field, method, payload):
                clean[field.name] = _value(store, resource, field, payload[field.name], own_id)
        except FieldError as error:
            errors[field.name] = [str(error)]
    _check_record(store, resource, {**(existing or {}), **clean}, errors)
    return clean, errors


def message(errors: Errors) -> str:
    """Laravel's summary: the first text, and how many more there are."""
    texts = [text for field_texts in errors.values() for text in field_texts]
    more = len(texts) - 1
    return texts[0] + (f" (and {more} more error{'s' if more > 1 else ''})" if more else "")


def _present(field: Field, method: str, payload: Row) -> bool:
    # Laravel turns empty texts into null before it looks at them.
    if method in field.required and payload.get(field.name) in (None, ""):
        raise FieldError(f"The {field.label} field is required.")
    return field.name in payload


def _value(store: SafetyAmpStore, resource: str, field: Field, value: Any, own_id: Id | None) -> Any:
    if value in (None, ""):
        return None
    if field.refers not in store.other_ids or field.check is ids:
        value = field.check(field.label, value)
    if field.refers is not None:
        _must_exist(store, field, field.refers, value)
    if field.taken is not None and store.holder(resource, field.name, value) not in (None, own_id):
        raise FieldError(field.taken)
    return value


def _must_exist(store: SafetyAmpStore, field: Field, resource: str, value: Any) -> None:
    for record_id in value if isinstance(value, list) else [value]:
        if store.get(resource, record_id) is None:
            raise FieldError(f"The selected {field.label} is invalid.")


def _check_record(store: SafetyAmpStore, resource: str, row: Row, errors: Errors) -> None:
    if resource == "assets" and not errors:
        asset_type = store.get("asset_types", row["asset_type_id"])
        if asset_type is None or asset_type["site_id"] != row["site_id"]:
            errors["asset_type_id"] = ["The selected asset type id is invalid."]
    if resource == "site_clusters" and not errors and _inside_itself(store, row):
        errors["parent_cluster_id"] = ["The selected parent cluster id is invalid."]


def _inside_itself(store: SafetyAmpStore, row: Row) -> bool:
    parent_id = row["parent_cluster_id"]
    while parent_id is not None:
        if parent_id == row.get("id"):
            return True
        parent = store.get("site_clusters", parent_id)
        parent_id = parent["parent_cluster_id"] if parent else None
    return False
