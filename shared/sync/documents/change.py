"""A planned change of one record: a value, stored in its batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from shared.sync.model import Action, FieldValues, JsonValue, Ref

REF_MARK = "$ref"


class Beside(TypedDict):
    """What is written to another record before a change. `key` None: a user that is nobody's of ours. `core`
    and `fresh` as in a change."""

    key: str | None
    target_id: int | str
    fields: FieldValues
    core: FieldValues
    fresh: list[str]


class Predecessor(TypedDict):
    """The user of the same person under another number, or under none."""

    key: str | None
    target_id: int | str


@dataclass(frozen=True)
class Change:
    """One planned change of one record.

    `fields` is what is sent beyond the core fields, `core` what an update must repeat, `before` the values
    that `fields` replaces. References are kept as `{"$ref": [entity, key]}` until the change is applied.
    """

    key: str
    action: Action
    target_id: int | str | None
    fields: FieldValues
    before: FieldValues
    core: FieldValues
    digest: str
    warnings: list[str] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)
    """Core fields that the source does not own: they are read from SafetyAmp before they are repeated, so
    that what somebody corrected there stays."""
    incomplete: bool = False
    """Something that the source says is left out: the record is looked at again in the next run."""
    holders: dict[str, str] = field(default_factory=dict)
    """Unique field -> who has its value in SafetyAmp, as far as planning knew."""
    beside: list[Beside] = field(default_factory=list)
    """What is written to other records before this change."""

    predecessors: list[Predecessor] = field(default_factory=list)
    """Of somebody new: users of the same person under other numbers. Before the creation their numbers are
    read: somebody may have given one of them the new one."""

    fill: FieldValues = field(default_factory=dict)
    """Values for fields that SafetyAmp owns and has nothing in, as far as is known: the record is read before
    they are sent, and only what is empty still is filled."""

    def to_json(self) -> dict[str, JsonValue]:
        """All members, those that release 0.1.0 does not know only where they say something."""
        return {name: value for name, value in vars(self).items() if value or name not in NEWER_OF_CHANGES}


NEWER_OF_CHANGES = ("fresh", "incomplete", "holders", "beside", "predecessors", "fill")


def json_fields(fields: Mapping[str, JsonValue]) -> FieldValues:
    """Fields as documents hold them, references as `{"$ref": [entity, key]}`."""
    return {
        name: {REF_MARK: list(value)} if isinstance(value, Ref) else value for name, value in fields.items()
    }


def reference(value: JsonValue) -> Ref | None:
    """The reference that a stored field holds, None when it holds a plain value."""
    if isinstance(value, dict) and REF_MARK in value:
        return Ref(*value[REF_MARK])
    return None
