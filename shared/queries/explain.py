"""One record explained: what the source says now, what SafetyAmp is known to hold, what was tried, and what
will happen next. Nothing is changed and SafetyAmp is not called."""

from __future__ import annotations

from typing import cast

from shared.queries import answers
from shared.queries.changes import json_of, readable
from shared.queries.decisions import decisions_about
from shared.queries.dry_run import DryRun, dry_run
from shared.queries.history import last_changes
from shared.queries.next_step import NextStep, next_step
from shared.sync.documents.change import Change
from shared.sync.documents.state import (
    FAILURE,
    GONE,
    OFF_BY,
    REJECTED,
    TAKEN,
    Entry,
    not_listed,
    refused_since,
)
from shared.sync.documents.switched_off import SwitchedOff
from shared.sync.entities.keys import normal_key
from shared.sync.model import ACCESS, EntityName
from shared.sync.services import Services
from shared.sync.suggestions import refusal_kind, suggestion_for


def explain(services: Services, entity: EntityName, key: str) -> answers.Explanation | None:
    """Everything there is to say about a record; None when neither the source nor the state knows it.

    Values are those of the fields that are synced, and nothing else. Raises StorageError.
    """
    key = normal_key(entity, key)
    seen = dry_run(services, entity, key)
    if _is_unknown(seen):
        return None
    coming = next_step(services, entity, key, seen)
    history = last_changes(services, entity, key)
    view = seen.view
    return {
        "entity": entity,
        "key": key,
        "at": services.clock.now().isoformat(),
        "summary": _summary(entity, seen, history["changes"], coming),
        "source": {
            "read": seen.problem is None,
            "problem": seen.problem,
            "found": view.in_source if view else None,
            "record": json_of(view.source) if view and view.source is not None else None,
        },
        "mapped": _mapped(seen),
        "rejected": cast("answers.Rejection | None", view.rejected) if view else None,
        "notes": [*seen.notes, *history["problems"]],
        "safetyamp": _known(seen, SwitchedOff(services.documents)),
        "difference": _difference(seen.change),
        "decisions": decisions_about(services.documents, entity, key),
        "history": {"changes": history["changes"], "runs_searched": history["runs_searched"]},
        "next": {
            "verdict": coming.verdict,
            "reason": coming.reason,
            "suggestion": coming.suggestion,
            "at": coming.at,
            "run_url": coming.run_url,
            "approve_url": coming.approve_url,
        },
    }


def _is_unknown(seen: DryRun) -> bool:
    in_source = seen.view is None or seen.view.in_source
    return not in_source and seen.entry is None and not seen.ambiguous


def _mapped(seen: DryRun) -> answers.MappedSide | None:
    view = seen.view
    if view is None or view.mapped is None:
        return None
    return {
        "fields": {name: readable(value) for name, value in view.mapped.items()},
        "defaults": {name: readable(value) for name, value in (view.defaults or {}).items()},
        "active": bool(view.active),
        "warnings": list(view.warnings),
    }


def _known(seen: DryRun, switched_off: SwitchedOff) -> answers.SafetyAmpSide:
    """What the state says: SafetyAmp as of the last run that changed or listed it."""
    flags = seen.entry.flags if seen.entry else {}
    failure = flags.get(FAILURE)
    target_id = seen.entry.target_id if seen.entry else None
    there = target_id is not None
    return {
        "known": seen.state_known,
        "as_of_run": (seen.updated_by or "").partition("/")[0] or None,
        "found": "unsure" if GONE in flags else "yes" if there else "several" if seen.ambiguous else "no",
        "not_listed_since_run": seen.missing_since,
        "target_ids": list(seen.ambiguous) if target_id is None else [target_id],
        "fields": json_of(seen.entry.fields) if there and seen.entry else None,
        "switched_off_by_run": _switched_off_by(seen.entry, switched_off) if seen.entry else None,
        "refused_fields": sorted({*flags.get(REJECTED, {}), *flags.get(TAKEN, {})}),
        "failure": {
            "since": refused_since(failure),
            "at": failure["at"],
            "errors": failure["errors"],
            "suggestion": suggestion_for(refusal_kind(failure["errors"])),
        }
        if failure
        else None,
    }


def _switched_off_by(entry: Entry, switched_off: SwitchedOff) -> str | None:
    run_id: str | None = entry.flags.get(OFF_BY)
    if run_id is None and entry.fields.get(ACCESS) == 0:
        return switched_off.run_of(entry.target_id)
    return run_id


def _difference(change: Change | None) -> answers.Difference | None:
    if change is None:
        return None
    return {
        "action": change.action,
        "before": json_of(change.before),
        "after": {name: readable(value) for name, value in change.fields.items()},
    }


def _summary(
    entity: EntityName, seen: DryRun, changes: list[answers.PastChange], coming: NextStep
) -> list[str]:
    """The answer in four sentences, without values."""
    return [
        _about_source(entity, seen),
        _about_safetyamp(seen),
        _about_last(changes),
        f"Next: {coming.reason}" + (f" ({coming.at})." if coming.at else "."),
    ]


def _about_source(entity: EntityName, seen: DryRun) -> str:
    system = "Samsara" if entity == "vehicles" else "Vista"
    view = seen.view
    if view is None:
        return f"Whether {system} has it is not known: it could not be read."
    if not view.in_source:
        return f"{system} does not have it."
    if view.rejected:
        return f"{system} has it, but it is {view.rejected['kind']}: {view.rejected['reason']}."
    return f"{system} has it" + (", and the person has left." if view.active is False else ".")


def _about_safetyamp(seen: DryRun) -> str:
    if not seen.state_known:
        return "SafetyAmp has not been listed yet."
    if seen.ambiguous:
        return f"SafetyAmp has it {len(seen.ambiguous)} times."
    if seen.entry is None or seen.entry.target_id is None:
        return "SafetyAmp does not have it, as far as is known."
    if seen.missing_since:
        return f"SafetyAmp: {not_listed(seen.entry.target_id)}."
    access = seen.entry.fields.get("system_access")
    state = ", switched off" if access == 0 else ", with access" if access == 1 else ""
    return f"SafetyAmp has it as {seen.entry.target_id}{state}."


def _about_last(changes: list[answers.PastChange]) -> str:
    if not changes:
        return "No recent run had to change it."
    last = changes[0]
    reason = f": {last['reason']}" if last["reason"] else ""
    return f"Run {last['run_id']} wanted to {last['action']} it, with the result {last['result']}{reason}."
