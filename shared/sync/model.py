"""The words of the sync: source record, desired and existing content, change, outcome.

Everything here is a value: no I/O, no clock. Fields of a record are SafetyAmp's names with JSON values.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from dataclasses import field as dataclass_field
from typing import Any, Literal, NamedTuple, cast, get_args

from shared.sync.findings.causes import Cause, Reason

EntityName = Literal["departments", "jobs", "titles", "employees", "vehicles"]

ENTITY_NEEDS: dict[EntityName, tuple[EntityName, ...]] = {
    "departments": (),
    "jobs": ("departments",),
    "titles": (),
    "employees": ("departments", "jobs", "titles"),
    "vehicles": ("employees",),
}
"""Each entity with those that must be finished first (README, What it does), in the order of a run."""

ENTITIES: tuple[EntityName, ...] = tuple(ENTITY_NEEDS)

JsonValue = object
"""A value of JSON of which nothing is known: whoever wants more of it than to pass it on looks at its type
first, and the type checker sees to that."""

FieldValues = Mapping[str, JsonValue]
"""Fields of a record by SafetyAmp's names. Their values are the tenant's and the sources', so that no type
says more of them; in what is desired or drafted a `Ref` may stand for an id."""

ApiRow = Mapping[str, JsonValue]
"""A record as an upstream's API shows it."""

Facts = tuple[Any, ...]
"""Everything that the mapping of a record depends on, flat; what is where, only the mapping knows."""

Source = Any
"""An entity's own source dataclass (`sync/sources.py`); which one, only its mapping knows."""

Action = Literal["create", "update", "deactivate", "reactivate"]

ACCESS = "system_access"
"""The field of a user that says who may sign in: 1 or 0."""
ACTIONS: tuple[Action, ...] = get_args(Action)
RejectionKind = Literal["skipped", "invalid"]


class Ref(NamedTuple):
    """A target id that is looked up when the change is applied: `key` of `entity`.

    `entity` is an entity's name, or "offices": then `key` is a region's name and the target is the one
    site in that region's cluster whose name ends in HOME_OFFICE_SUFFIX.
    """

    entity: str
    key: str


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One record as the source has it: its key and everything its mapping depends on.

    `facts` is a flat tuple of plain values (text, numbers, dates, None); its digest decides whether the
    record is looked at at all. Whatever influences the mapping must be in it: the row's columns, the
    day's answer to "has this date come", what other records of the read imply (a shared phone).
    """

    key: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class Desired:
    """What SafetyAmp should hold for a key.

    `fields` are sent on creation and compared for update; `create_only` are sent on creation and never
    compared (defaults that must not overwrite what somebody corrected). Values are JSON values or Refs;
    None in `fields` clears; otherwise a field without a value is left out. `active` False: the person has
    left, or is out of scope and to be switched off.
    `warnings` are for the report ("mobile_phone dropped: not a phone number").
    """

    key: str
    fields: FieldValues
    create_only: FieldValues = field(default_factory=dict)
    active: bool = True
    warnings: tuple[Reason, ...] = ()
    fill: FieldValues = field(default_factory=dict)
    """Sent on creation, and later where SafetyAmp has nothing: SafetyAmp's own value is never changed."""
    contested: dict[str, Reason] = field(default_factory=dict)
    """Field -> why its value cannot be given to this record: another source record has the same unique one,
    or there is none that could be. Whoever is in SafetyAmp keeps theirs; nobody is created with it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What the source says of the unique values of somebody who has one in SafetyAmp."""

    left: bool
    email: str | None
    mobile_phone: str | None


@dataclass(frozen=True, slots=True)
class KnownBy:
    """Names and birth date that the source has of somebody, and by which of the values asked for it knows
    them."""

    person: FieldValues
    values: Collection[str]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that is not sent: `skipped` by a rule, or `invalid` (its data must be mended).

    `reason` is a sentence with what to do and without personal data beyond the key; `field` names the
    source column where there is one.
    """

    key: str
    kind: RejectionKind
    reason: str
    field: str | None = None
    cause: Cause = dataclass_field(kw_only=True)


@dataclass(frozen=True, slots=True)
class Target:
    """A record as SafetyAmp has it, normalised by the same functions as the desired content.

    `key` is the entity's match key, None when the record has none (then it cannot be matched by key).
    `match` is an alternative match value (vehicles: the gateway's serial), used once, for adoption. Of a
    site called like a home office it is the code: if that is a job's, the site is (`sites_of_jobs`).
    `fields` holds only what the mapping writes or a request needs again; JSON values, None for null.
    `readable` False: the row is there, but nothing of it but its id could be understood.
    """

    target_id: int | str
    key: str | None
    fields: FieldValues
    match: str | None = None
    readable: bool = True


def id_of(row: ApiRow) -> int | str:
    """SafetyAmp's id of a row: a listing lets no row pass that has none."""
    return cast("int | str", row["id"])
