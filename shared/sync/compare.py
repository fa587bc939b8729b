"""Desired against existing: the one place where it is decided what is sent. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.sync.model import Action, Desired, Ref
from shared.sync.state import OFF_BY, REJECTED, Entry

Resolve = Callable[[Ref], Any]
"""Gives the target id of a reference, None when it is not known (yet)."""

REF_MARK = "$ref"
ACCESS = "system_access"


@dataclass(frozen=True)
class Change:
    """One planned change of one record.

    `fields` is what is sent beyond the core fields, `core` what an update must repeat, `before` the values
    that `fields` replaces. References are kept as `{"$ref": [entity, key]}` until the change is applied.
    """

    key: str
    action: Action
    target_id: int | str | None
    fields: dict[str, Any]
    before: dict[str, Any]
    core: dict[str, Any]
    digest: str
    warnings: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The form in a batch document."""
        return dict(vars(self))


@dataclass(frozen=True)
class Comparison:
    """The result for one record: a change, or none and perhaps something to report."""

    change: Change | None
    note: str | None = None


def digest_of(version: int, fingerprint: str, facts: tuple[Any, ...]) -> str:
    """Digest of a source record with the mapping's version and settings.

    `repr` of the flat tuple is exact, total and several times cheaper than JSON.
    """
    text = f"{version}|{fingerprint}|{facts!r}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def value_digest(value: Any) -> str:
    """Digest of a single field's value."""
    return hashlib.blake2b(repr(value).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def compare(
    desired: Desired,
    entry: Entry | None,
    digest: str,
    *,
    core: Callable[[dict[str, Any]], dict[str, Any]],
    resolve: Resolve,
    reenable: bool,
) -> Comparison:
    """What must be done for one record.

    `core` picks the fields that an update must repeat from the existing record. With `reenable` a person
    who was switched off by hand is switched on again, otherwise only one whom the sync switched off.
    """
    if entry is None or entry.target_id is None:
        return _creation(desired, digest)
    if not desired.active:
        return _deactivation(desired, entry, digest, core)
    fields = _differences(desired, entry, resolve)
    note = None
    action: Action = "update"
    if entry.fields.get(ACCESS) == 0:
        if reenable or OFF_BY in entry.flags:
            action, fields = "reactivate", {ACCESS: 1, **fields}
        else:
            note = (
                "is current in the source but was switched off in SafetyAmp by hand; switch it on there, "
                "or set REENABLE_DISABLED=true"
            )
    if not fields:
        return Comparison(None, note)
    return Comparison(_update(action, desired, entry, fields, digest, core), note)


def _creation(desired: Desired, digest: str) -> Comparison:
    if not desired.active:
        return Comparison(None)
    sent = json_fields({**desired.fields, **desired.create_only})
    return Comparison(
        Change(desired.key, "create", None, sent, {}, {}, digest, warnings=list(desired.warnings))
    )


def _deactivation(
    desired: Desired, entry: Entry, digest: str, core: Callable[[dict[str, Any]], dict[str, Any]]
) -> Comparison:
    if entry.fields.get(ACCESS) == 0:
        return Comparison(None)
    return Comparison(_update("deactivate", desired, entry, {ACCESS: 0}, digest, core))


def _differences(desired: Desired, entry: Entry, resolve: Resolve) -> dict[str, Any]:
    rejected = entry.flags.get(REJECTED, {})

    def differs(name: str, value: Any) -> bool:
        wanted = resolve(value) if isinstance(value, Ref) else value
        # A reference that is not known yet equals nothing, not even an empty field: it has to be waited for.
        return wanted is None or wanted != entry.fields.get(name)

    return {
        name: value
        for name, value in desired.fields.items()
        if differs(name, value) and rejected.get(name) != value_digest(value)
    }


def _update(
    action: Action,
    desired: Desired,
    entry: Entry,
    fields: dict[str, Any],
    digest: str,
    core: Callable[[dict[str, Any]], dict[str, Any]],
) -> Change:
    return Change(
        key=desired.key,
        action=action,
        target_id=entry.target_id,
        fields=json_fields(fields),
        before={name: entry.fields.get(name) for name in fields},
        core=core(entry.fields),
        digest=digest,
        warnings=list(desired.warnings),
    )


def json_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields as documents hold them, references as `{"$ref": [entity, key]}`."""
    return {
        name: {REF_MARK: list(value)} if isinstance(value, Ref) else value for name, value in fields.items()
    }


def reference(value: Any) -> Ref | None:
    """The reference that a stored field holds, None when it holds a plain value."""
    if isinstance(value, dict) and REF_MARK in value:
        return Ref(*value[REF_MARK])
    return None
