"""What became of a change: a value, stored once, merged into the state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypedDict, get_args

from shared.storage.documents import Documents
from shared.sync import paths
from shared.sync.documents.change import Change
from shared.sync.documents.newer_members import aside, read_whole, with_newer
from shared.sync.model import FieldValues, JsonValue

Result = Literal[
    "created", "updated", "deactivated", "reactivated", "refused", "failed", "waiting", "gone", "cancelled"
]

RESULTS: tuple[Result, ...] = get_args(Result)

DONE: Mapping[str, Result] = {
    "create": "created",
    "update": "updated",
    "deactivate": "deactivated",
    "reactivate": "reactivated",
}
"""The result of each action when it went well."""


class _MaybeWritten(TypedDict, total=False):
    unknown: bool


class Written(_MaybeWritten):
    """What was written to another record for a change, or may have been: then it is `unknown`."""

    key: str | None
    target_id: int | str
    fields: FieldValues


NOT_TRIED = "not tried"
"""How the reason begins of a change that was never sent, for people."""


@dataclass
class Outcome:
    """The outcome of one change.

    `fields` is what SafetyAmp took, references resolved. `adopted`: the record of an ambiguous creation was
    found and not created again, and `fields` is what it holds. `unsure`: nobody knows whether the record was
    created. `dropped` are fields that SafetyAmp refused with its texts; the record went without them.
    `errors` are the field errors of a refused record. `reason` is for people.
    """

    key: str
    action: str
    result: Result
    digest: str
    target_id: int | str | None = None
    fields: FieldValues = field(default_factory=dict)
    before: FieldValues = field(default_factory=dict)
    adopted: bool = False
    unsure: bool = False
    dropped: dict[str, list[str]] = field(default_factory=dict)
    dropped_digests: dict[str, str] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    """Unique fields among the refused ones whose value another record has -> who, as far as is known."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Fields that were not sent, because what they refer to is not there -> why."""
    incomplete: bool = False
    """Something that the source says was left out: the record is looked at again in the next run."""
    beside: list[Written] = field(default_factory=list)
    """What was written to other records for this change, or may have been."""
    unknown: FieldValues = field(default_factory=dict)
    """Fields of the record `target_id` that were sent, or may have been, and of which no answer told."""
    list_anew: bool = False
    """What SafetyAmp shows of the record is not what is known: it is listed before the next plan."""
    errors: dict[str, list[str]] = field(default_factory=dict)
    reason: str | None = None
    at: str | None = None
    not_tried: bool = False
    """It was never sent: there is no call that could be shown."""

    @property
    def went_well(self) -> bool:
        return self.result in DONE.values()

    def to_json(self) -> dict[str, JsonValue]:
        """The members; absent things are left out, a batch has many outcomes."""
        # vars and not asdict, whose deep copies cost as much as all the rest of applying a change.
        return {name: value for name, value in vars(self).items() if value not in (None, {}, [], False)}


NEWER_OF_OUTCOMES = ("taken", "left_out", "incomplete", "beside", "unknown", "list_anew", "not_tried")


def in_doubt(change: Change, result: Result, reason: str) -> Outcome:
    """Of a change that was sent, or may have been, without an answer that tells what became of it. A creation
    that may have happened is `unsure` besides."""
    outcome = Outcome(change.key, change.action, result, change.digest, change.target_id, reason=reason)
    outcome.unknown = {} if change.target_id is None else dict(change.fields)
    outcome.beside = [
        {"key": one["key"], "target_id": one["target_id"], "fields": one["fields"], "unknown": True}
        for one in change.beside
    ]
    return outcome


def outcomes_to_json(outcomes: Iterable[Outcome]) -> dict[str, JsonValue]:
    """The members of a document that hold outcomes."""
    records, newer = aside([outcome.to_json() for outcome in outcomes], NEWER_OF_OUTCOMES)
    return with_newer("outcomes", records, newer)


@dataclass(frozen=True)
class BatchOutcomes:
    """The document of a batch that has ended.

    `reason` says why changes were left that have no outcome of their own, or an unknown one. `list_anew`:
    what was done in SafetyAmp is not known.
    """

    outcomes: list[Outcome]
    calls: dict[str, int] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    waited_seconds: float = 0.0
    reason: str | None = None
    list_anew: bool = False


def read_outcomes(documents: Documents, run_id: str, entity: str, number: int) -> BatchOutcomes | None:
    """The outcomes of a batch, None before its end. Raises UnreadableDocument."""
    return read_whole(documents, paths.outcome(run_id, entity, number), BatchOutcomes, "outcomes")
