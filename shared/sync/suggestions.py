"""What to do about each kind of trouble: one sentence each, the same wherever it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shared.sync.findings.causes import REFERENCE_REFUSED, REFUSED, VALUE_TAKEN, Cause

NO_FIELD = "record"
"""Stands for the field where a refusal names none."""

NOT_OF_THE_SOURCE = frozenset(
    {
        *(NO_FIELD, "home_site_id", "current_title_id", "current_user_id", "roles"),
        *("cluster_id", "parent_cluster_id", "site_id", "asset_type_id"),
    }
)
"""What can be refused although the source is right: what it refers to is SafetyAmp's, and may be usable there
tomorrow."""

SETTLED = "Nothing has to be done."

SUGGESTIONS = {
    "several": "Keep one of these records in SafetyAmp, then start a run with refresh.",
    "taken": (
        "Another SafetyAmp record has the same value. If it is the same person or thing, give that record our"
        " key there (emp_id, site code) and start a run with refresh; otherwise change the value in the"
        " source."
    ),
    "refused": (
        "Mend the named fields in the source: the next run tries the record again when its data has changed."
        " After mending something in SafetyAmp instead: POST /api/failures/retry."
    ),
    "refused with the source right": (
        "As far as is known the source is right. Where fields are named, look whether what they refer to can"
        " be used in SafetyAmp. The nightly run tries it again; POST /api/failures/retry does at once."
    ),
    "invalid": "Mend the record in its source as the reason says; the next run takes it up.",
    "skipped": "A rule leaves this record out. If it should be there, do as the reason says.",
    "left out": (
        "Do as the reason says. The value is sent as soon as SafetyAmp is seen to take it, after each nightly"
        " listing at the latest; POST /api/failures/retry tries it at once."
    ),
    "waiting": "Mend what it waits for, and it follows by itself in the run after that.",
    "reported": "Only told, the record went on without it. If that is not right, mend the source.",
    "cancelled": "Nothing: the next run plans it anew.",
    "gone": "Nothing: the next run lists SafetyAmp and plans the record anew.",
    "failed": (
        "Nothing, if SafetyAmp or the network was away: the next run tries it again. Otherwise do as the"
        " reason says."
    ),
    "held": (
        "Look at the plan's changes. If they are right, approve the run: what the sources still say then is"
        " done. If not, mend the source and start a new run."
    ),
    "by hand": "Switch the person on in SafetyAmp, or set REENABLE_DISABLED=true to let the sync do that.",
    "entity": "Do as the reason says, then start a run.",
}


def suggestion_for(kind: str) -> str:
    """What to do; for an unknown kind the advice for failures."""
    return SUGGESTIONS.get(kind, SUGGESTIONS["failed"])


def refusal_kind(errors: Mapping[str, list[str]]) -> str:
    """Whether a refusal means that a value is taken, or says nothing against the source. SafetyAmp's texts
    are not dependable (docs/contracts/safetyamp.md#errors): they only choose between pieces of advice."""
    if errors and not of_the_source(errors):
        return "refused with the source right"
    taken = any(word in text for texts in errors.values() for text in texts for word in ("taken", "in use"))
    return "taken" if taken else "refused"


def cause_of_refusal(entity: str, errors: Mapping[str, list[str]], taken: Mapping[str, str]) -> Cause:
    """The cause of what SafetyAmp refused with these texts by field; `taken` are unique fields of which it is
    known who has the value."""
    if any(taken.values()):
        return VALUE_TAKEN
    kind = refusal_kind(errors)
    if kind == "refused":
        return REFUSED[entity]
    return VALUE_TAKEN if kind == "taken" else REFERENCE_REFUSED


def of_the_source(refused: Iterable[str]) -> set[str]:
    """Those of the refused fields that can be mended in the source."""
    return {name.split(".")[0] for name in refused} - NOT_OF_THE_SOURCE
