"""From the columns of a row to SafetyAmp's fields, as the rules say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING, Any

from shared.sync.entities import cleaning
from shared.sync.entities.notes import Notes
from shared.sync.model import Desired, EntityName, JsonValue
from shared.sync.rules.columns import Columns, Get
from shared.sync.rules.fields import FIELDS, Cleaner

if TYPE_CHECKING:
    from shared.sync.rules.model import FieldRule

Row = Any
"""A row of Vista, or a vehicle of Samsara."""
Clean = Callable[[object, Row], JsonValue]
"""A value of the row, and the row, for what depends on others of it."""


def _plain(clean: Callable[[object], JsonValue]) -> Clean:
    return lambda value, _: clean(value)


PLAIN: Mapping[Cleaner, Clean] = {
    "text": _plain(cleaning.text),
    "names": _plain(cleaning.person_name),
    "two_letters": _plain(cleaning.two_letters),
    "gender": _plain(cleaning.gender),
    "day": _plain(cleaning.iso_day),
    "as_it_is": _plain(lambda value: value),
}
"""What needs nothing but the value."""


@dataclass(frozen=True)
class RowField:
    """A field that comes from columns: the first of them that holds something usable."""

    columns: tuple[str, ...]
    gets: tuple[Get, ...]
    clean: Clean

    def value(self, row: Row) -> JsonValue:
        """The cleaned value, None where no column holds something usable."""
        for get in self.gets:
            if (cleaned := self.clean(get(row), row)) is not None:
                return cleaned
        return None

    def given(self, row: Row) -> object:
        """What the first column that holds anything holds, usable or not."""
        return next((raw for get in self.gets if cleaning.is_given(raw := get(row))), None)

    def raws(self, row: Row) -> tuple[object, ...]:
        """What the columns hold."""
        return tuple(get(row) for get in self.gets)


def row_fields(
    entity: EntityName,
    rules: Mapping[str, FieldRule],
    columns: Columns,
    cleaners: Mapping[Cleaner, Clean],
    special: frozenset[str] = frozenset(),
) -> dict[str, RowField]:
    """The fields that come from columns, in the order of the rules; without the sources that are `special`,
    which are no columns."""
    found: dict[str, RowField] = {}
    for name, rule in rules.items():
        if rule.from_ is not None:
            names = tuple(column for column in rule.from_ if column not in special)
            clean = cleaners[rule.clean or FIELDS[entity][name].cleaners[0]]
            found[name] = RowField(names, tuple(columns.getter(column) for column in names), clean)
    return found


def named(text: str, key: Mapping[str, str], columns: Columns, row: Row) -> str:
    """`text` with the columns of the row in the place of their names; `key` is the record's own, by its
    column. What lacks is left out with what joins it: `12 - ` is `12`."""
    parts: list[str] = []
    for before, name, _, _ in Formatter().parse(text):
        value = ""
        if name is not None:
            value = key.get(name) or cleaning.text(columns.getter(name)(row)) or ""
        parts += [before, value] if value or name is None else []
    return cleaning.text("".join(parts)) or ""


def owned(
    key: str,
    values: Mapping[str, JsonValue],
    rules: Mapping[str, FieldRule],
    notes: Notes,
    needed: Mapping[str, JsonValue],
) -> Desired:
    """What SafetyAmp should hold, by whose each field is. `values`: what the source says, None where it says
    nothing usable; `needed`: what a new record needs besides, whatever the rules say."""
    fields: dict[str, JsonValue] = {}
    create_only: dict[str, JsonValue] = {}
    fill: dict[str, JsonValue] = {}
    places = {"source": fields, "create": create_only, "safetyamp": fill}
    for name, rule in rules.items():
        if rule.owner == "nobody":
            continue
        value = values.get(name) if rule.constant is None else rule.constant
        if value is None and rule.empty == "default":
            value = rule.default
        if value is not None:
            places[rule.owner][name] = value
        elif rule.default is not None:
            create_only[name] = rule.default
        elif rule.empty == "clear" and rule.owner == "source":
            fields[name] = None
    create_only |= {name: value for name, value in needed.items() if value is not None}
    return Desired(key, fields, create_only, warnings=tuple(notes.warnings), fill=fill)
