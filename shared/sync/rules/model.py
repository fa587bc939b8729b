"""The rules as values: what a `rules.toml` says once it is read and checked (`reading.py`)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from shared.sync.model import Action, EntityName, JsonValue
from shared.sync.rules.fields import Cleaner, Owner

VERSION = 1

LONGEST_TEXT = 200
MOST_NAMES = 1_000
"""Of the values, keys, columns or clauses in one list."""

Mode = Literal["apply", "hold", "report"]
"""`hold`: somebody has to approve it, however few they are. `report`: it is never sent, only told."""

Text = Annotated[StrictStr, Field(min_length=1, max_length=LONGEST_TEXT)]
Day = Annotated[date, Field(strict=True)]
Scalar = StrictBool | StrictInt | Annotated[StrictStr, Field(max_length=LONGEST_TEXT)]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str | int | date) else value


Texts = Annotated[tuple[Text, ...], BeforeValidator(_as_list), Field(min_length=1, max_length=MOST_NAMES)]
Scalars = Annotated[
    tuple[StrictInt | Text, ...], BeforeValidator(_as_list), Field(min_length=1, max_length=MOST_NAMES)
]


class Strict(BaseModel):
    """Unknown members are errors; values are never converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Condition(Strict):
    """What a column must hold, in one of these words. Texts are compared without white space around them and
    without regard to case. What is empty meets no condition but `empty = true`, which can stand beside
    another word."""

    column: Text
    is_: Scalar | None = Field(None, alias="is")
    is_not: Scalar | None = None
    in_: Scalars | None = Field(None, alias="in")
    not_in: Scalars | None = None
    starts_with: Text | None = None
    before: Day | None = None
    """Of a date: earlier than this day."""
    after: Day | None = None
    empty: StrictBool | None = None


class Scope(Strict):
    """A record belongs when all conditions hold; when it does by one filter, that is enough. The name is the
    reason that people read."""

    name: Text
    all: Annotated[tuple[Condition, ...], Field(min_length=1, max_length=MOST_NAMES)]


class FieldRule(Strict):
    """Where one field of SafetyAmp comes from (`from`, `rule`, `text` or `constant`), and whose it is."""

    from_: Texts | None = Field(None, alias="from")
    """Columns: the first that holds something usable."""
    rule: Texts | None = None
    text: Text | None = None
    """`{Column}`s put together with other text."""
    constant: Scalar | None = None
    clean: Cleaner | None = None
    owner: Owner = "source"
    empty: Literal["keep", "clear", "default"] = "keep"
    default: Scalar | None = None


class OutOfScope(Strict):
    """What becomes of people in SafetyAmp whom no filter admits."""

    do: Literal["leave", "deactivate"] = "leave"


class People(Strict):
    """When somebody counts as hired, and as left."""

    last_day: Literal["off", "worked"] = "off"
    hire_lead_days: Annotated[StrictInt, Field(ge=0, le=60)] = 0
    active_column: Annotated[StrictStr, Field(max_length=LONGEST_TEXT)] = ""


class Protected(Strict):
    """Records that are never written, by key or by the e-mail that SafetyAmp shows; and why."""

    reason: Text
    keys: Texts | None = None
    emails: Texts | None = None


class Pilot(Strict):
    """Only these are synced: by key, by the department's code, or so many with the lowest keys; everybody
    else is left as they are."""

    keys: Texts | None = None
    departments: Texts | None = None
    first: Annotated[StrictInt, Field(ge=1)] | None = None


class Actions(Strict):
    """What is done with each action."""

    create: Mode = "apply"
    update: Mode = "apply"
    deactivate: Mode = "apply"
    reactivate: Mode = "apply"

    def of(self, action: Action) -> Mode:
        """The mode of an action."""
        mode: Mode = getattr(self, action)
        return mode


class Limit(Strict):
    """How many changes of one action are done without asking: `count` in a plan, `percent` of the entity, and
    `in_24_hours` together with those before. What is not said is as the settings have it."""

    count: Annotated[StrictInt, Field(ge=0)] | None = None
    percent: Annotated[StrictInt, Field(ge=0, le=100)] | None = None
    in_24_hours: Annotated[StrictInt, Field(ge=0)] | None = None


class Guard(Strict):
    """Beyond these numbers somebody is asked first."""

    create: Limit | None = None
    update: Limit | None = None
    deactivate: Limit | None = None
    reactivate: Limit | None = None

    def of(self, action: Action) -> Limit | None:
        """The limit of an action."""
        limit: Limit | None = getattr(self, action)
        return limit


class EntityRules(Strict):
    """What all entities have in common."""

    fields: dict[str, FieldRule] = Field(default_factory=dict)
    scope: tuple[Scope, ...] = Field((), max_length=MOST_NAMES)
    actions: Actions = Actions()
    guard: Guard = Guard()
    protect: tuple[Protected, ...] = Field((), max_length=MOST_NAMES)
    pilot: Pilot | None = None


class DepartmentRules(EntityRules):
    """`region_column`: the column of bPRDP that names a department's region."""

    region_column: Text


class TitleRules(EntityRules):
    """`column`: the column of bPREH that holds the title."""

    column: Text


class EmployeeRules(EntityRules):
    """Rules of people."""

    people: People = People()
    out_of_scope: OutOfScope = OutOfScope()


class VehicleRules(EntityRules):
    """`assign_driver`: whether an asset gets its vehicle's driver."""

    assign_driver: StrictBool = False


class Expectation(Strict):
    """One of the operator's own tests: this row must give this. `then` is a part of the fields, or what
    becomes of the record. `today`: the day on which it is so."""

    entity: EntityName
    name: Text
    given: dict[str, StrictStr | StrictInt | StrictBool | Day]
    then: Literal["out of scope", "deactivated", "invalid", "skipped"] | dict[str, JsonValue]
    today: Day | None = None


class Rules(Strict):
    """One whole file, with the defaults for what it leaves out, and settings in the place of their names."""

    version: Literal[1]
    departments: DepartmentRules
    jobs: EntityRules
    titles: TitleRules
    employees: EmployeeRules
    vehicles: VehicleRules
    expect: tuple[Expectation, ...] = Field((), max_length=MOST_NAMES)

    def of(self, entity: EntityName) -> EntityRules:
        """The rules of one entity."""
        rules: EntityRules = getattr(self, entity)
        return rules
