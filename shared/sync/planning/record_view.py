"""One record looked at closely, for an operator: the source's row, what it is mapped to, what is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from shared.sync.documents.change import json_fields
from shared.sync.documents.state import EntityState
from shared.sync.entities.guarded import desired_of
from shared.sync.entities.shown import shown
from shared.sync.findings.causes import texts_of
from shared.sync.model import EntityMapping, Rejected, SourceRecord

Found = Literal["known id", "listed now", "match value", "several", "nothing"]


@dataclass(frozen=True)
class RecordView:
    """What planning sees of one record, before it decides. JSON values; only fields that are synced.

    `source` None: the source has no such record (`rejected` says why, if it has one that cannot be used).
    `mapped` are the fields that are compared, `defaults` those that are only sent on creation; both None
    when the record is rejected. `active` False: the person has left. `found` says how the record in SafetyAmp
    was found, `target_ids` which it is (several claim the key), `known` what it is known to hold.
    """

    key: str
    in_source: bool
    source: dict[str, Any] | None = None
    rejected: dict[str, Any] | None = None
    mapped: dict[str, Any] | None = None
    defaults: dict[str, Any] | None = None
    active: bool | None = None
    warnings: tuple[str, ...] = ()
    found: Found = "nothing"
    target_ids: tuple[int | str, ...] = ()
    known: dict[str, Any] | None = None


def view_record(
    mapping: EntityMapping, state: EntityState, source: Any, key: str, *, listed: bool
) -> RecordView:
    """Look at the record `key`. `listed`: the state is that of a listing made just now. Pure."""
    record = next((found for found in mapping.records(source) if found.key == key), None)
    found, target_ids, known = _target(mapping, state, record, key, listed)
    if record is None:
        return RecordView(key, in_source=False, found=found, target_ids=target_ids, known=known)
    seen: dict[str, Any] = {"found": found, "target_ids": target_ids, "known": known}
    if isinstance(record, Rejected):
        return RecordView(key, in_source=True, rejected=_rejection(record), **seen)
    desired = desired_of(mapping, record)
    row = shown(mapping.name, record)
    if isinstance(desired, Rejected):
        return RecordView(key, in_source=True, source=row, rejected=_rejection(desired), **seen)
    return RecordView(
        key,
        in_source=True,
        source=row,
        mapped=json_fields(desired.fields),
        defaults=json_fields(desired.create_only),
        active=desired.active,
        warnings=texts_of(desired.warnings),
        **seen,
    )


def _rejection(rejected: Rejected) -> dict[str, Any]:
    return {
        "key": rejected.key,
        "kind": rejected.kind,
        "reason": rejected.reason,
        "field": rejected.field,
        "cause": rejected.cause.code,
    }


def _target(
    mapping: EntityMapping, state: EntityState, record: SourceRecord | Rejected | None, key: str, listed: bool
) -> tuple[Found, tuple[int | str, ...], dict[str, Any] | None]:
    if key in state.ambiguous:
        return "several", tuple(state.ambiguous[key]), None
    entry = state.entry(key)
    if entry is not None and entry.target_id is not None:
        listed = listed and not state.missing_since(entry.target_id)
        return ("listed now" if listed else "known id"), (entry.target_id,), entry.fields
    match = mapping.match_value(record) if isinstance(record, SourceRecord) else None
    ids = tuple(state.unmatched_ids(match)) if match else ()
    if not ids:
        return "nothing", (), None
    return ("match value" if len(ids) == 1 else "several"), ids, None
