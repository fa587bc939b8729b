"""Which columns rules name, and where each stands in a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from string import Formatter
from typing import TYPE_CHECKING, Any

from shared.sync.model import EntityName
from shared.sync.rules.fields import COLUMNS, MICROSOFT_ACCOUNT

if TYPE_CHECKING:
    from shared.sync.rules.model import Rules

Get = Callable[[Any], Any]
"""Gives a column's value of a row."""


class Columns:
    """Where the columns of an entity's rows are: `own`, then one member that holds `more`. Names are compared
    without regard to case, as SQL Server does."""

    def __init__(self, own: Sequence[str], more: Sequence[str] = ()) -> None:
        self.more = tuple(more)
        self._own = {name.casefold(): place for place, name in enumerate(own)}
        self._more = {name.casefold(): place for place, name in enumerate(more)}
        self._place_of_more = len(own)

    def getter(self, name: str) -> Get:
        """How to get the column `name`; raises KeyError for one that is not selected."""
        name = name.casefold()
        if (own := self._own.get(name)) is not None:
            return lambda row: row[own]
        at, place = self._place_of_more, self._more[name]
        return lambda row: row[at][place]


class SamsaraColumns(Columns):
    """Samsara's answers have their members by name."""

    def __init__(self) -> None:
        super().__init__(())

    def getter(self, name: str) -> Get:
        """How to get the member `name` of a vehicle; None where it has none."""
        return lambda row: row.get(name)


def own_columns(rules: Rules, entity: EntityName) -> tuple[str, ...]:
    """The columns that are selected whatever the rules name besides, in the order of the rows."""
    last = {"departments": rules.departments.region_column, "employees": rules.titles.column}
    return (*COLUMNS[entity], *([last[entity]] if entity in last else []))


def columns_of(rules: Rules, entity: EntityName) -> Columns:
    """Where the columns of the entity's rows are under these rules."""
    own = own_columns(rules, entity)
    known = {name.casefold() for name in own}
    more: dict[str, str] = {}
    for name in named_columns(rules, entity):
        if name.casefold() not in known:
            more.setdefault(name.casefold(), name)
    return Columns(own, tuple(more.values()))


def named_columns(rules: Rules, entity: EntityName) -> Iterator[str]:
    """Every column that the rules of an entity name, some several times."""
    own = rules.of(entity)
    for rule in own.fields.values():
        yield from (name for name in rule.from_ or () if name != MICROSOFT_ACCOUNT)
        yield from names_in(rule.text or "")
    for scope in own.scope:
        yield from (condition.column for condition in scope.all)
    if entity == "employees" and rules.employees.people.active_column:
        yield rules.employees.people.active_column


def names_in(text: str) -> Iterable[str]:
    """The columns that a text has in braces; raises ValueError for braces that do not match."""
    return [name for _, name, _, _ in Formatter().parse(text) if name is not None]
