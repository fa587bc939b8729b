"""Desired against existing: the one place where it is decided what is sent. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from shared.sync.documents.change import Change, json_fields
from shared.sync.documents.state import OFF_BY, REJECTED, TAKEN, UNKNOWN, Entry
from shared.sync.entities.cleaning import is_given
from shared.sync.findings.causes import REFERENCE_REFUSED, REFUSED, SWITCHED_OFF_BY_HAND, Reason, texts_of
from shared.sync.model import ACCESS, Action, Desired, EntityName, FieldValues, JsonValue, Ref
from shared.sync.planning.makeshift import is_makeshift

EMAIL = "email"

Core = Callable[[FieldValues], FieldValues]
"""Picks the fields that an update must repeat from what the record holds."""

Resolve = Callable[[Ref], JsonValue]
"""Gives the target id of a reference, None when it is not known (yet)."""


@dataclass(frozen=True)
class Comparison:
    """The result for one record: a change, or none and perhaps something to report; `left_out` are fields
    that differ and are not sent, with the reason."""

    change: Change | None
    note: Reason | None = None
    left_out: dict[str, Reason] = field(default_factory=dict)


def digest_of(version: int, fingerprint: str, facts: tuple[object, ...]) -> str:
    """Digest of a source record with the mapping's version and settings.

    `repr` of the flat tuple is exact, total and several times cheaper than JSON.
    """
    text = f"{version}|{fingerprint}|{facts!r}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def value_digest(value: JsonValue) -> str:
    """Digest of a single field's value."""
    return hashlib.blake2b(repr(value).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def compare(
    desired: Desired,
    entry: Entry | None,
    digest: str,
    *,
    entity: EntityName,
    core: Core,
    resolve: Resolve,
    reenable: bool,
    switched_off_by_sync: Callable[[int | str], bool] = lambda _: False,
    listed: bool = False,
    retry: bool = False,
) -> Comparison:
    """What must be done for one record.

    With `reenable` a person who was switched off by hand is switched on again, otherwise only one whom the
    sync switched off, by the entry's flag or by `switched_off_by_sync` of the target's id. A value that
    SafetyAmp refused is left out until it changes, or with `retry`; a refused reference also when SafetyAmp
    was `listed`: what it refers to may be usable now.
    """
    if entry is None or entry.target_id is None:
        return _creation(desired, digest)
    if not desired.active:
        return _deactivation(desired, entry, digest, core)
    fields, left_out = _differences(desired, entry, entity, resolve, listed=listed, retry=retry)
    note = None
    action: Action = "update"
    is_off = entry.fields.get(ACCESS) == 0
    # The flag alone: nobody knows whether it was done.
    if OFF_BY in entry.flags or (is_off and (reenable or switched_off_by_sync(entry.target_id))):
        action, fields = "reactivate", {ACCESS: 1, **fields}
    elif is_off:
        note = Reason(
            "is current in the source but was switched off in SafetyAmp by hand; switch it on there, "
            "or set REENABLE_DISABLED=true",
            SWITCHED_OFF_BY_HAND,
        )
    fill, refused = _fill(desired, entry, entity, resolve, again=listed or retry)
    left_out |= refused
    if not fields and not fill:
        return Comparison(None, note, left_out)
    change = replace(_update(action, desired, entry, fields, digest, core, left_out), fill=json_fields(fill))
    # What is said of it is said in the next run too.
    return Comparison(replace(change, incomplete=change.incomplete or bool(note)), note, left_out)


def _fill(
    desired: Desired, entry: Entry, entity: EntityName, resolve: Resolve, *, again: bool
) -> tuple[FieldValues, dict[str, Reason]]:
    """What is to be filled, and what is not, as SafetyAmp has refused it; `again`: it is tried again."""
    fill: dict[str, JsonValue] = {}
    left_out: dict[str, Reason] = {}
    refused = {name: taken["digest"] for name, taken in entry.flags.get(TAKEN, {}).items()}
    refused |= entry.flags.get(REJECTED, {})
    for name, value in desired.fill.items():
        if is_given(entry.fields.get(name)):
            continue
        wanted = wanted_digest(value, resolve(value) if isinstance(value, Ref) else value)
        if refused.get(name) == wanted and not again:
            text = f"{name} left out: SafetyAmp refused this value and it has not changed"
            left_out[name] = Reason(text, REFUSED[entity])
        else:
            fill[name] = value
    return fill, left_out


def _creation(desired: Desired, digest: str) -> Comparison:
    if not desired.active:
        return Comparison(None)
    known = {**desired.fields, **desired.create_only, **desired.fill}
    sent = json_fields({name: value for name, value in known.items() if value is not None})
    return Comparison(
        Change(
            key=desired.key,
            action="create",
            target_id=None,
            fields=sent,
            before={},
            core={},
            digest=digest,
            warnings=list(texts_of(desired.warnings)),
            incomplete=bool(desired.warnings),
        )
    )


def _deactivation(desired: Desired, entry: Entry, digest: str, core: Core) -> Comparison:
    if entry.is_off:
        return Comparison(None)
    return Comparison(_update("deactivate", desired, entry, {ACCESS: 0}, digest, core))


def _differences(
    desired: Desired, entry: Entry, entity: EntityName, resolve: Resolve, *, listed: bool, retry: bool
) -> tuple[FieldValues, dict[str, Reason]]:
    """What is sent, and what is left out with the reason."""
    rejected = {} if retry else entry.flags.get(REJECTED, {})
    unknown = entry.flags.get(UNKNOWN, {})
    sent: dict[str, JsonValue] = {}
    left_out: dict[str, Reason] = {}
    for name, value in _compared(desired, entry).items():
        is_reference = isinstance(value, Ref)
        wanted = resolve(value) if isinstance(value, Ref) else value
        # A reference that is not known yet equals nothing, not even an empty field: it has to be waited for.
        there = entry.fields.get(name)
        is_cleared = value is None and not is_given(there)
        if (is_cleared or (wanted is not None and wanted == there)) and name not in unknown:
            continue
        if name in desired.contested:
            why, cause = desired.contested[name]
            text = f"{name} left out: {why}"
            if name == EMAIL and is_makeshift(entry.fields.get(name)):
                text += "; until then the user has one with +sync, meant for the time between two calls"
            left_out[name] = Reason(text, cause)
        elif rejected.get(name) == wanted_digest(value, wanted) and not (is_reference and listed):
            todo = "the nightly run tries it again" if is_reference else "mend it in the source"
            text = f"{name} left out: SafetyAmp refused this value and it has not changed: {todo}"
            left_out[name] = Reason(text, REFERENCE_REFUSED if is_reference else REFUSED[entity])
        else:
            sent[name] = value
    return sent, left_out


def _compared(desired: Desired, entry: Entry) -> FieldValues:
    """What the source says. An address that was meant for the time between two calls does not stay because
    the source has none to compare any more: the one of a new user replaces it, or what keeps it is told."""
    address = desired.create_only.get(EMAIL)
    is_ours = EMAIL not in desired.fields and is_makeshift(entry.fields.get(EMAIL))
    if is_ours and (address is not None or EMAIL in desired.contested):
        return {**desired.fields, EMAIL: address}
    return desired.fields


def _update(
    action: Action,
    desired: Desired,
    entry: Entry,
    fields: FieldValues,
    digest: str,
    core: Core,
    left_out: Mapping[str, Reason] | None = None,
) -> Change:
    there = core(entry.fields)
    # Required with every update: what the record lacks, an absent value would have all of them refused for.
    own = {**desired.create_only, **desired.fields}
    lacking = [name for name, value in there.items() if not is_given(value) and name not in (left_out or {})]
    instead = {name: own[name] for name in lacking if name in own and not isinstance(own[name], Ref)}
    repeated = {**there, **json_fields(instead)}
    # What a deactivation repeats is what the record holds, whoever owns it: where that is not known, too.
    unknown = entry.flags.get(UNKNOWN, {}).keys() - fields.keys()
    owned = (desired.fields.keys() | fields.keys()) - (left_out or {}).keys() - unknown
    return Change(
        key=desired.key,
        action=action,
        target_id=entry.target_id,
        fields=json_fields(fields),
        before={name: entry.fields.get(name) for name in fields},
        core=repeated,
        digest=digest,
        warnings=list(texts_of(desired.warnings)),
        fresh=[name for name in repeated if name not in owned],
        incomplete=bool(left_out or desired.contested or desired.warnings),
    )


def wanted_digest(value: JsonValue, resolved: JsonValue) -> str:
    """Digest of a value that may be a reference: the same key under another id is another value."""
    return value_digest((value, resolved) if isinstance(value, Ref) else value)
