"""The plan and its batches as documents: read by everybody, written by the planner.

The plan in force is the one of its run, or the one that was made again when somebody approved it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, TypedDict

from shared.errors import UnreadableDocument
from shared.storage.decoding import Time
from shared.storage.documents import Documents, read_document
from shared.storage.paths import checked_path
from shared.sync import paths
from shared.sync.documents.change import NEWER_OF_CHANGES, Change
from shared.sync.documents.newer_members import Record, aside, read_whole, with_newer
from shared.sync.documents.outcome import DONE
from shared.sync.model import Action, EntityName, FieldValues, JsonValue

if TYPE_CHECKING:
    from shared.sync.documents.runs import Run


class _Where(TypedDict, total=False):
    field: str | None
    cause: str | None


class Problem(_Where):
    """What is wrong with a record, and in which field. `cause` is the code of a `Cause`; documents of earlier
    releases have none."""

    key: str
    kind: str
    reason: str


class Rejection(_Where):
    """Why one record is not sent: a `model.Rejected` as JSON."""

    key: str
    kind: str
    reason: str


class RecordLook(TypedDict):
    """What was seen of one record: a `RecordView`."""

    key: str
    in_source: bool
    source: FieldValues | None
    rejected: Rejection | None
    mapped: FieldValues | None
    defaults: FieldValues | None
    active: bool | None
    warnings: list[str]
    found: str
    target_ids: list[int | str]
    known: FieldValues | None


class OtherForm(TypedDict):
    """What a change would be now."""

    action: str
    fields: list[str]


class LeftOutChange(TypedDict):
    """A change that was approved and is not wanted any more, or not so: then `now` says how."""

    key: str
    action: str
    reason: str
    now: OtherForm | None


class HeldPart(TypedDict):
    """How many changes of one action are held, and why; without reasons of its own: with those of another
    part, or with the whole plan."""

    count: int
    reasons: list[str]


class Earlier(TypedDict):
    """The plan whose batches were applied before, and how many they are."""

    plan_id: Annotated[str, checked_path]
    batches: int


class _Vanished(TypedDict):
    count: int
    keys: list[str]


class Vanished(_Vanished, total=False):
    """Records that have no source any more. Of users: `with_access` is the number of those who may still sign
    in; they are named first."""

    with_access: int


@dataclass(frozen=True)
class Plan:
    """What is to be done for an entity of a run, and all that was seen when that was decided.

    `base`: where the state lies that the plan was made from, where it is not the stored one; `state_etag`
    and `state_by` say which one that was. `counts` are by action and kind of problem, `source_counts` the
    sizes of the reads, `approved_counts` those of reads that somebody approved, `counts_changed` whether the
    state does not say so yet. `held` are the guard's reasons to apply nothing of it, `held_parts` what is
    held by action. Where only some of it is, `held` is empty, and those changes are in `held_batches` of
    their own, numbered behind the `batches` that are applied: release 0.1.0 does not see them. `failed` says
    why only leavers were looked at. `left_out` are approved changes that are no longer true. `earlier`: this
    is the approved rest of a plan of which the other parts were applied. `looks` is what was seen of the one
    record that was asked for. `listed`: SafetyAmp was listed just before it.
    """

    plan_id: Annotated[str, checked_path]
    mode: str
    created_at: Time
    state_etag: str | None
    state_by: str | None
    base: Annotated[str, checked_path] | None
    batches: int
    counts: dict[str, int]
    source_counts: dict[str, int]
    counts_changed: bool
    held: list[str]
    problems: list[Problem]
    vanished: Vanished
    calls: dict[str, int]
    waited_seconds: float
    # Plans of the first releases do not have these.
    requests: dict[str, int] = field(default_factory=dict)
    refused: int | None = None
    looks: list[RecordLook] = field(default_factory=list)
    approved_counts: dict[str, int] = field(default_factory=dict)
    left_out: list[LeftOutChange] = field(default_factory=list)
    failed: str | None = None
    listed: bool = False
    held_parts: dict[Action, HeldPart] = field(default_factory=dict)
    held_batches: int = 0
    earlier: Earlier | None = None

    def to_json(self) -> dict[str, JsonValue]:
        """The document."""
        return dict(vars(self))

    @property
    def done_before(self) -> int:
        """How many batches came before this plan's own: its outcomes stand behind theirs."""
        return self.earlier["batches"] if self.earlier else 0

    @property
    def numbers(self) -> range:
        """Of the batches that are applied."""
        return range(self.done_before + 1, self.done_before + self.batches + 1)

    @property
    def held_numbers(self) -> range:
        """Of the batches that wait until somebody approves them."""
        if self.held:
            return self.numbers
        return range(self.numbers.stop, self.numbers.stop + self.held_batches)

    @property
    def all_numbers(self) -> range:
        """Of all batches of the run, also of those that an earlier plan applied."""
        return range(1, self.numbers.stop + self.held_batches)

    @property
    def held_changes(self) -> dict[str, int]:
        """How many changes are held, by action."""
        return {action: part["count"] for action, part in self.held_parts.items()}

    def name_in(self, run_id: str) -> str:
        """How the state names the plan that it was last changed by."""
        return f"{run_id}/{self.plan_id}"

    def plan_of(self, number: int) -> str:
        """The id of the plan whose batch has this number."""
        return self.earlier["plan_id"] if self.earlier and number <= self.done_before else self.plan_id


class _Batch(TypedDict):
    changes: list[Change]


def plan_path(run: Run, entity: EntityName) -> str:
    """Where the plan in force is, or will be once it is made."""
    approval = run.entities[entity].approval_in_force
    return (
        paths.plan(run.run_id, entity) if approval is None else paths.approved(run.run_id, entity, approval)
    )


def planning_path(run: Run, entity: EntityName) -> str:
    """What planners of the plan in force lease. Each approval has its own: pages that an earlier one listed
    and left are too old."""
    approval = run.entities[entity].approval_in_force
    if approval is None:
        return paths.planning(run.run_id, entity)
    return paths.approving(run.run_id, entity, approval)


def read_plan(documents: Documents, run: Run, entity: EntityName) -> Plan | None:
    """The plan in force, None before it is made. Raises UnreadableDocument."""
    return plan_at(documents, plan_path(run, entity))


def may_be_applied(run: Run, entity: EntityName, plan: Plan) -> bool:
    """Whether the changes of the plan in force may be sent at all, those of parts that are held apart: not
    when the run only plans, nor while the guard holds all of it."""
    return run.request.mode != "plan" and (not plan.held or run.entities[entity].approved)


def plan_at(documents: Documents, path: str) -> Plan | None:
    """The plan that is stored there."""
    return read_document(documents, path, Plan)


def batch_to_json(entity: EntityName, changes: Iterable[Change]) -> dict[str, JsonValue]:
    """The document of a batch."""
    changes = list(changes)
    records, newer = aside([change.to_json() for change in changes], NEWER_OF_CHANGES)
    if entity == "titles":
        _call_by_name(changes, records, newer)
    return with_newer("changes", records, newer)


def _call_by_name(changes: Iterable[Change], records: list[Record], newer: dict[str, Record]) -> None:
    """Give titles the key that release 0.1.0 knows, in place, and today's beside them: by its key 0.1.0 looks
    whether a title is there whose creation got no answer. Otherwise it would create it again."""
    for place, change in enumerate(changes):
        newer.setdefault(str(place), {})["key"] = change.key
        records[place]["key"] = change.fields.get("name", change.key)


def read_batch(documents: Documents, run_id: str, entity: str, plan_id: str, number: int) -> list[Change]:
    """The changes of a batch. Raises UnreadableDocument, also when there is no such document: a plan is
    committed after its batches."""
    path = paths.batch(run_id, entity, plan_id, number)
    batch = read_whole(documents, path, _Batch, "changes")
    if batch is None:
        raise UnreadableDocument(path, "it is gone")
    return batch["changes"]


def planned_changes(plan: Plan) -> int:
    """How many changes are applied by the plan's batches."""
    waiting = 0 if plan.held else sum(plan.held_changes.values())
    return sum(plan.counts.get(action, 0) for action in DONE) - waiting
