"""Outcomes into the state: pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from shared.sync.documents.outcome import Outcome
from shared.sync.documents.state import (
    FAILURE,
    GONE,
    OFF_BY,
    REJECTED,
    TAKEN,
    UNKNOWN,
    UNSURE,
    UNSURE_AT,
    EntityState,
    Entry,
    Flags,
    Refusal,
    refused_since,
    without,
    without_unknown,
)
from shared.sync.entities.keys import normal_key
from shared.sync.model import ACCESS, EntityName


def merge_outcomes(state: EntityState, outcomes: Iterable[Outcome], run_id: str) -> None:
    """Note in `state`, in place, what the outcomes of run `run_id` say of SafetyAmp's content.

    Records that wait, or failed for a passing reason before anything was sent, keep their old digest, so that
    they are planned again. What was sent and got no answer has no digest any more: the source may take back
    what SafetyAmp has taken.
    """
    for outcome in outcomes:
        # A batch may have been planned by a release that wrote keys otherwise.
        key = normal_key(cast(EntityName, state.entity), outcome.key)
        for written in outcome.beside:
            note = state.doubt if written.get("unknown") else state.write_beside
            note(written["key"], written["target_id"], written["fields"])
        state.list_anew |= outcome.list_anew
        if key in state.ambiguous:
            # A leaver with several users: none of them is the record of this key.
            state.write_beside(None, outcome.target_id or "", outcome.fields)
            state.doubt(None, outcome.target_id or "", outcome.unknown)
        elif outcome.went_well:
            state.put(key, _applied(state.entry(key), outcome, run_id))
            # Who answers is there, whatever the last listing lacked.
            state.missing.pop(str(outcome.target_id), None)
        elif outcome.result == "refused":
            state.put(key, _refused(state.entry(key), outcome, run_id))
        elif outcome.unsure:
            unsure: Flags = {"gone": UNSURE}
            if outcome.at:
                unsure[UNSURE_AT] = outcome.at
            state.put(key, Entry(None, None, {}, unsure))
        elif outcome.result == "gone":
            state.put(key, _perhaps_gone(state.entry(key)))
        elif outcome.target_id is not None:
            state.doubt(key, outcome.target_id, outcome.unknown)
            _note_maybe_off(state, key, outcome, run_id)


def note_unknown(state: EntityState, outcomes: Iterable[Outcome], run_id: str) -> None:
    """Note in `state`, in place, that what run `run_id` did is not known: the next plan lists SafetyAmp, and
    finds out. Who is without access then was switched off by us."""
    state.list_anew = True
    for outcome in outcomes:
        _note_maybe_off(state, outcome.key, outcome, run_id)


def _note_maybe_off(state: EntityState, key: str, outcome: Outcome, run_id: str) -> None:
    """A deactivation without an answer: who does not leave after all is switched on again, to be sure."""
    entry = state.entry(key)
    if outcome.action == "deactivate" and outcome.result == "failed" and entry is not None:
        state.put(key, Entry(entry.target_id, None, entry.fields, {**entry.flags, "off_by": run_id}))


def _perhaps_gone(before: Entry | None) -> Entry:
    """One 404 proves nothing: the id stays until a listing lacks it too, so that nothing is made in its place
    on the strength of an odd answer."""
    entry = before or Entry(None, None, {}, {})
    return Entry(entry.target_id, None, entry.fields, {**entry.flags, "gone": True})


def _applied(before: Entry | None, outcome: Outcome, run_id: str) -> Entry:
    entry = before or Entry(None, None, {}, {})
    flags = without(entry.flags, FAILURE, GONE)
    if outcome.result == "deactivated":
        flags[OFF_BY] = run_id
    elif outcome.fields.get(ACCESS):
        flags.pop(OFF_BY, None)
    _note_refusals(flags, outcome)
    flags = _with_unknown(flags, outcome, run_id)
    # An adopted record was sent by an attempt that got no answer: its content is looked at once more.
    digest = None if outcome.adopted or outcome.incomplete or outcome.unknown else outcome.digest
    return Entry(outcome.target_id, digest, {**entry.fields, **outcome.fields}, flags)


def _with_unknown(flags: Flags, outcome: Outcome, run_id: str) -> Flags:
    flags = without_unknown(flags, outcome.fields)
    if outcome.unknown:
        flags[UNKNOWN] = {**flags.get(UNKNOWN, {}), **outcome.unknown}
    if outcome.unknown.get(ACCESS) == 0:
        flags[OFF_BY] = run_id
    return flags


def _note_refusals(flags: Flags, outcome: Outcome) -> None:
    """Values that SafetyAmp refused, those that it took meanwhile forgotten."""
    now = outcome.fields
    rejected = {name: value for name, value in flags.pop(REJECTED, {}).items() if name not in now}
    taken = {name: value for name, value in flags.pop(TAKEN, {}).items() if name not in now}
    for name, digest in outcome.dropped_digests.items():
        rejected.pop(name, None)
        taken.pop(name, None)
        if name in outcome.taken:
            taken[name] = {"digest": digest, "by": outcome.taken[name]}
        else:
            rejected[name] = digest
    if rejected:
        flags[REJECTED] = rejected
    if taken:
        flags[TAKEN] = taken


def _refused(before: Entry | None, outcome: Outcome, run_id: str) -> Entry:
    entry = before or Entry(None, None, {}, {})
    flags: Flags = {**entry.flags, "failure": _failure(entry.flags.get(FAILURE), outcome)}
    flags.pop(GONE, None)
    if outcome.fields.get(ACCESS):
        flags.pop(OFF_BY, None)
    _note_refusals(flags, outcome)
    flags = _with_unknown(flags, outcome, run_id)
    return Entry(entry.target_id, None, {**entry.fields, **outcome.fields}, flags)


def _failure(before: Refusal | None, outcome: Outcome) -> Refusal:
    since = refused_since(before) if before else outcome.at
    return {
        "digest": outcome.digest,
        "errors": outcome.errors,
        "since": since,
        "at": outcome.at,
        "by": outcome.taken,
    }
