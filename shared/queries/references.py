"""What a record refers to and SafetyAmp does not have yet: it comes first, or has to be waited for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import cast

from shared.sync.applying.applier import OPTIONAL
from shared.sync.documents.change import Change, reference
from shared.sync.documents.control import Pause
from shared.sync.documents.state import FAILURE
from shared.sync.entities.keys import normal_key
from shared.sync.model import EntityName, Ref
from shared.sync.planning.resolver import Resolver


def missing_references(resolver: Resolver, change: Change | None) -> list[Ref]:
    """The references of a change that SafetyAmp does not have yet."""
    refs = (reference(value) for value in (change.fields.values() if change else ()))
    return [
        ref
        for ref in refs
        if ref is not None and ref.entity not in ("roles", "offices") and resolver.resolve(ref) is None
    ]


def can_go_without(change: Change, missing: Collection[Ref]) -> bool:
    """Whether the change is applied although these references are missing: without them."""
    names = {name for name, value in change.fields.items() if reference(value) in missing}
    return bool(change.fields.keys() - names) and (change.action != "create" or names <= OPTIONAL)


def why_missing(resolver: Resolver, pauses: Mapping[EntityName, Pause], ref: Ref) -> Iterator[str]:
    """Why the same run will not make it first; nothing when it will, as far as is known."""
    entity = cast(EntityName, ref.entity)  # roles and offices are never missing
    state = resolver.state(entity)
    key = normal_key(entity, ref.key)
    entry = state.entry(key) if state else None
    waits = f"waiting for {ref.entity} {ref.key}, which SafetyAmp does not have yet"
    if entity in pauses:
        yield f"{waits}: {pauses[entity].about(entity)}"
    elif entry is not None and FAILURE in entry.flags:
        fields = ", ".join(sorted(entry.flags[FAILURE]["errors"]))
        yield f"{waits}: SafetyAmp refused it ({fields})"
    elif state is not None and key in state.ambiguous:
        yield f"{waits} under one id only: several records claim it there"
