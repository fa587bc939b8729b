"""The changes of a run with before and after, and what became of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final, NamedTuple, cast

from pydantic import JsonValue

from shared.errors import UnreadableDocument
from shared.queries import answers
from shared.queries.answers import ChangeResult
from shared.queries.paging import Page
from shared.storage.documents import Documents
from shared.sync.documents.change import Change, reference
from shared.sync.documents.outcome import Outcome, read_outcomes
from shared.sync.documents.plans import read_batch, read_plan
from shared.sync.documents.progress import read_progress
from shared.sync.documents.runs import Run
from shared.sync.entities.keys import normal_key
from shared.sync.model import ENTITIES, Action, EntityName, FieldValues

MOST_BATCHES = 200
"""Batches that one request reads, with two documents each."""

PLANNED: Final = "planned"
"""The result of a change that has none yet, or was only planned."""


@dataclass(frozen=True)
class ChangeFilter:
    """Which changes; None matches all."""

    entity: EntityName | None = None
    action: Action | None = None
    result: ChangeResult | None = None
    key: str | None = None

    def matches(self, change: answers.Change) -> bool:
        return (
            self.action in (None, change["action"])
            and self.result in (None, change["result"])
            and (self.key is None or change["key"] in self._keys(self.key))
        )

    def _keys(self, key: str) -> tuple[str, ...]:
        """As it is given, for runs of another release, and in the normal form."""
        return (key,) if self.entity is None else (key, normal_key(self.entity, key))


class Place(NamedTuple):
    """Where a change is: the cursor of the page that begins after it."""

    entity: int
    batch: int
    position: int

    def __str__(self) -> str:
        return f"{self.entity}.{self.batch}.{self.position}"


START = Place(0, 1, -1)
BEHIND_ALL = 999_999_999
"""Position behind all changes of a batch, of which nobody can tell how many there are."""


def place_of(cursor: str) -> Place:
    """The place of a cursor. Raises ValueError."""
    parts = cursor.split(".")
    if len(parts) != len(START) or not all(
        part.isascii() and part.isdigit() and len(part) < 10 for part in parts
    ):
        raise ValueError("no cursor of this listing")
    return Place(*map(int, parts))


def list_changes(
    documents: Documents, run: Run, wanted: ChangeFilter, limit: int, after: Place
) -> Page[answers.Change]:
    """The changes that match, in the order of entities, batches and application."""
    found: list[answers.Change] = []
    problems: list[str] = []
    last, batches_read = after, 0
    for number, entity in enumerate(ENTITIES):
        if number < after.entity or entity not in run.entities or wanted.entity not in (None, entity):
            continue
        try:
            plan = read_plan(documents, run, entity)
        except UnreadableDocument as error:
            problems.append(str(error))
            continue
        if plan is None:
            continue
        first = after.batch if number == after.entity else 1
        for batch in plan.all_numbers[first - 1 :]:
            if batches_read == MOST_BATCHES:
                return Page(found, str(last), problems)
            batches_read += 1
            try:
                changes = list(batch_changes(documents, run.run_id, entity, plan.plan_of(batch), batch))
            except UnreadableDocument as error:
                problems.append(str(error))
                last = Place(number, batch, BEHIND_ALL)
                continue
            for index, change in enumerate(changes):
                if (number, batch, index) <= after:
                    continue
                if len(found) == limit:
                    return Page(found, str(last), problems)
                last = Place(number, batch, index)
                if wanted.matches(change):
                    found.append(change)
    return Page(found, None, problems)


def batch_changes(
    documents: Documents, run_id: str, entity: EntityName, plan_id: str, number: int
) -> Iterator[answers.Change]:
    """The changes of a batch with their outcomes, for people. Raises UnreadableDocument."""
    for change, outcome in changes_with_outcomes(documents, run_id, entity, plan_id, number):
        yield described(entity, change, outcome)


def changes_with_outcomes(
    documents: Documents, run_id: str, entity: EntityName, plan_id: str, number: int
) -> Iterator[tuple[Change, Outcome | None]]:
    """The changes of a batch with their outcomes, as far as there are any. Raises UnreadableDocument."""
    changes = read_batch(documents, run_id, entity, plan_id, number)
    return zip_longest(changes, batch_outcomes(documents, run_id, entity, number)[: len(changes)])


def batch_outcomes(documents: Documents, run_id: str, entity: str, number: int) -> list[Outcome]:
    """The outcomes of a batch, or of the part of it that has been applied."""
    stored = read_outcomes(documents, run_id, entity, number) or read_progress(
        documents, run_id, entity, number
    )
    return stored.outcomes if stored else []


def described(entity: EntityName, change: Change, outcome: Outcome | None) -> answers.Change:
    """A change for people: `after` is what SafetyAmp took where an outcome says so, else what is planned."""
    taken = outcome.fields if outcome and outcome.went_well else {}
    dropped = outcome.dropped if outcome else {}
    return {
        "entity": entity,
        "key": change.key,
        "action": change.action,
        "result": outcome.result if outcome else PLANNED,
        "target_id": (outcome.target_id if outcome else None) or change.target_id,
        "before": json_of(change.before),
        "after": {
            name: readable(taken.get(name, value))
            for name, value in change.fields.items()
            if name not in dropped
        },
        "adopted": outcome.adopted if outcome else False,
        "dropped": dropped,
        "errors": outcome.errors if outcome else {},
        "reason": outcome.reason if outcome else None,
        "at": outcome.at if outcome else None,
        "warnings": change.warnings,
    }


def readable(value: object) -> JsonValue:
    """A planned field's value; a reference that is not resolved yet as what it names."""
    ref = reference(value)
    return cast(JsonValue, value) if ref is None else {"entity": ref.entity, "key": ref.key}


def json_of(fields: FieldValues) -> answers.Fields:
    """Fields that were read from a document: they are JSON, whatever the engine may know of them."""
    return cast("answers.Fields", fields)
