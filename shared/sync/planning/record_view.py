"""One record looked at closely, for an operator: the source's row, what it is mapped to, what is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from shared.sync.documents.change import json_fields
from shared.sync.documents.plans import RecordLook, Rejection
from shared.sync.documents.state import EntityState
from shared.sync.entities.guarded import desired_of
from shared.sync.entities.shown import shown
from shared.sync.findings.causes import texts_of
from shared.sync.mapping import EntityMapping
from shared.sync.model import FieldValues, Rejected, Source, SourceRecord

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
    source: FieldValues | None = None
    rejected: Rejection | None = None
    mapped: FieldValues | None = None
    defaults: FieldValues | None = None
    active: bool | None = None
    warnings: tuple[str, ...] = ()
    found: Found = "nothing"
    target_ids: tuple[int | str, ...] = ()
    known: FieldValues | None = None

    def to_json(self) -> RecordLook:
        """As the plan keeps it."""
        return {
            "key": self.key,
            "in_source": self.in_source,
            "source": self.source,
            "rejected": self.rejected,
            "mapped": self.mapped,
            "defaults": self.defaults,
            "active": self.active,
            "warnings": list(self.warnings),
            "found": self.found,
            "target_ids": list(self.target_ids),
            "known": self.known,
        }


def view_record(
    mapping: EntityMapping, state: EntityState, source: Source, key: str, *, listed: bool
) -> RecordView:
    """Look at the record `key`. `listed`: the state is that of a listing made just now. Pure."""
    record = next((found for found in mapping.records(source) if found.key == key), None)
    found, target_ids, known = _target(mapping, state, record, key, listed)
    seen = RecordView(key, record is not None, found=found, target_ids=target_ids, known=known)
    if record is None:
        return seen
    if isinstance(record, Rejected):
        return replace(seen, rejected=_rejection(record))
    desired = desired_of(mapping, record)
    row = shown(mapping.name, record, mapping.more_columns)
    if isinstance(desired, Rejected):
        return replace(seen, source=row, rejected=_rejection(desired))
    return replace(
        seen,
        source=row,
        mapped=json_fields(desired.fields),
        defaults=json_fields(desired.create_only),
        active=desired.active,
        warnings=texts_of(desired.warnings),
    )


def _rejection(rejected: Rejected) -> Rejection:
    return {
        "key": rejected.key,
        "kind": rejected.kind,
        "reason": rejected.reason,
        "field": rejected.field,
        "cause": rejected.cause.code,
    }


def _target(
    mapping: EntityMapping, state: EntityState, record: SourceRecord | Rejected | None, key: str, listed: bool
) -> tuple[Found, tuple[int | str, ...], FieldValues | None]:
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
