"""What is wrong with rules whose form is right: columns that cannot be, contradictions, words of elsewhere.

Works on the file as it was read, piece by piece: what one piece has wrong hides nothing of the others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from string import Formatter
from typing import TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError

from shared.sync.model import ACCESS, ENTITIES, EntityName, JsonValue
from shared.sync.rules.fields import (
    CODE,
    COLUMNS,
    CONDITION_WORDS,
    FIELDS,
    MICROSOFT_ACCOUNT,
    NEVER_READ,
    UNIT,
    Cleaner,
    FieldKind,
)
from shared.sync.rules.lines import Path
from shared.sync.rules.model import (
    MOST_NAMES,
    Condition,
    Expectation,
    FieldRule,
    Pilot,
    Protected,
)
from shared.sync.rules.problems import listed, meant, shown
from shared.sync.rules.structure import Finding

Table = Mapping[str, JsonValue]
Model = TypeVar("Model", bound=BaseModel)

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
UNIQUE_FIELDS = ("email", "mobile_phone")
"""Of users: a value that a default gave to many would be refused for all but one."""

SPECIAL: Mapping[tuple[EntityName, str], tuple[str, ...]] = {
    ("employees", "email"): (MICROSOFT_ACCOUNT,),
    ("vehicles", "name"): (CODE,),
    ("vehicles", "code"): (UNIT,),
}
"""What `from` can name beside columns."""

SET_BY_THE_SYNC: Mapping[EntityName, tuple[str, ...]] = {
    "departments": ("parent_cluster_id", "external_code", "osha_establishment"),
    "jobs": ("cluster_id", "ext_id"),
    "titles": ("name",),
    "employees": ("emp_id", ACCESS),
    "vehicles": ("serial", "status", "site_id", "asset_type_id", "current_user_id"),
}
"""Fields that no rule can say anything about (docs/rules.md)."""

ACTIONS_OF: Mapping[EntityName, tuple[str, ...]] = {
    "departments": ("create", "update"),
    "jobs": ("create", "update"),
    "titles": ("create",),
    "employees": ("create", "update", "deactivate", "reactivate"),
    "vehicles": ("create", "update"),
}

_NEVER_READ = frozenset(name.casefold() for name in NEVER_READ)
_ONLY_PEOPLE_LEAVE = ("deactivated",)


def contradictions(rules: Table) -> Iterator[Finding]:
    """Everything of all entities and expectations."""
    for entity in ENTITIES:
        table = rules.get(entity)
        if isinstance(table, Mapping):
            yield from _entity(entity, table)
    for path, one in _pieces(rules, ("expect",), Expectation):
        yield from _expectation(path, one)


def _entity(entity: EntityName, table: Table) -> Iterator[Finding]:
    if entity == "titles":
        for word in table.keys() & {"scope", "pilot"}:
            yield (entity, word), "titles are those of all current employees: leave it out"
    yield from _named_columns(entity, table)
    yield from _fields(entity, table)
    yield from _scope(entity, table)
    for path, one in _pieces(table, ("protect",), Protected):
        yield from _protected(entity, (entity, *path), one)
    if (pilot := _as(Pilot, table.get("pilot"))) is not None:
        yield from _pilot(entity, pilot)
    for word in ("actions", "guard"):
        actions = table.get(word)
        for action in actions if isinstance(actions, Mapping) else ():
            if action in ACTIONS_OF["employees"] and action not in ACTIONS_OF[entity]:
                possible = listed(ACTIONS_OF[entity], "and")
                yield (
                    (entity, word, action),
                    f"{entity} have no such action (there is {possible}): leave it out",
                )


def _as(model: type[Model], raw: JsonValue) -> Model | None:
    """None where its form is wrong, which is said elsewhere."""
    try:
        return model.model_validate(raw, by_alias=True, by_name=False)
    except ValidationError:
        return None


def _pieces(table: Table, path: Path, model: type[Model]) -> Iterator[tuple[Path, Model]]:
    found = table.get(str(path[-1]))
    for number, raw in enumerate(found if isinstance(found, list) else ()):
        if (one := _as(model, raw)) is not None:
            yield (*path, number), one


# ---- Columns -----------------------------------------------------------------------------------------------


def column_problem(entity: EntityName, name: str, special: tuple[str, ...] = ()) -> str | None:
    """Why rules of this entity cannot name this column; None where they can."""
    if name in special:
        return None
    if not IDENTIFIER.fullmatch(name):
        near = meant(name, (*special, *COLUMNS[entity]))
        rule = "" if near else ": only letters, digits and _, no digit first, 128 at most"
        return f"{shown(name)} cannot be the name of a column{near or rule}"
    if name.casefold() in _NEVER_READ:
        return f"{name} is never read (social security and bank numbers, and pay): name another column"
    if entity == "vehicles" and name not in COLUMNS[entity]:
        return f"Samsara's vehicles have no {name}{_near_or_all(name, COLUMNS[entity])}"
    return None


def _named_columns(entity: EntityName, table: Table) -> Iterator[Finding]:
    people = table.get("people")
    for path, name in (
        (("region_column",), table.get("region_column") if entity == "departments" else None),
        (("column",), table.get("column") if entity == "titles" else None),
        (("people", "active_column"), people.get("active_column") if isinstance(people, Mapping) else None),
    ):
        if isinstance(name, str) and name and (why := column_problem(entity, name)):
            yield (entity, *path), why


# ---- Fields ------------------------------------------------------------------------------------------------


def _fields(entity: EntityName, table: Table) -> Iterator[Finding]:
    fields = table.get("fields")
    for name, raw in fields.items() if isinstance(fields, Mapping) else ():
        path: Path = (entity, "fields", name)
        kind = FIELDS[entity].get(name)
        if kind is None:
            yield path, _no_field(entity, name)
        elif (rule := _as(FieldRule, raw)) is not None:
            for key, why in _field(entity, name, kind, rule):
                yield (*path, *key), why


def _no_field(entity: EntityName, name: str) -> str:
    if name in SET_BY_THE_SYNC[entity]:
        return f"{name} is set by the sync as SafetyAmp needs it, and cannot be changed here"
    known = FIELDS[entity]
    if not known:
        return f"{entity} have no fields here: leave it out"
    return f"{entity} have no field {shown(name)}{_near_or_all(name, known)}"


def _field(entity: EntityName, name: str, kind: FieldKind, rule: FieldRule) -> Iterator[Finding]:
    yield from _owner(kind, rule)
    ways = [
        way
        for way, value in (("from", rule.from_), ("rule", rule.rule), ("text", rule.text))
        if value is not None
    ]
    ways += ["constant"] if rule.constant is not None else []
    possible = _way_of(kind)
    if not ways and rule.owner != "nobody":
        yield (), f"says nothing about where it comes from: write {possible} = ..."
    elif len(ways) > 1:
        yield (), f"has {listed(ways, 'and')}: leave {possible} only"
    elif ways and ways[0] != possible:
        yield (ways[0],), f"{name} cannot have {shown(ways[0])}: write {possible} = ... instead"
    else:
        yield from _way(entity, name, kind, rule)
        yield from _empty(name, kind, rule)


def _way_of(kind: FieldKind) -> str:
    """The one word that can say where such a field comes from."""
    if kind.rules:
        return "rule"
    if kind.text is not None:
        return "text"
    return "constant" if kind.constant else "from"


def _owner(kind: FieldKind, rule: FieldRule) -> Iterator[Finding]:
    possible = [owner for owner in kind.owners if not (owner == "nobody" and kind.needed)]
    if rule.owner not in possible:
        needed = "SafetyAmp needs it: " if rule.owner == "nobody" else ""
        yield ("owner",), f"{needed}owner must be {listed(possible)}, not {shown(rule.owner)}"


def _way(entity: EntityName, name: str, kind: FieldKind, rule: FieldRule) -> Iterator[Finding]:
    special = SPECIAL.get((entity, name), ())
    for number, column in enumerate(rule.from_ or ()):
        if (why := column_problem(entity, column, special)) is not None:
            yield ("from", number), why
    yield from _order(rule.from_ or (), special)
    yield from _repeated("from", rule.from_ or ())
    for number, word in enumerate(rule.rule or ()):
        if word not in kind.rules:
            yield (
                ("rule", number),
                f"there is no rule {shown(word)}{_near_or_all(word, kind.rules)}",
            )
    yield from _repeated("rule", rule.rule or ())
    if rule.text is not None:
        yield from _text(entity, kind.text or "", rule.text)
    if rule.constant is not None and (why := _constant_problem(name, rule.constant)) is not None:
        yield ("constant",), why
    if rule.clean is not None and rule.from_ is None:
        yield ("clean",), "belongs to from: leave it out"
    elif rule.clean is not None and rule.clean not in kind.cleaners:
        yield ("clean",), f"{name} must be cleaned with {listed(kind.cleaners)}, not {shown(rule.clean)}"


def _order(names: Sequence[str], special: tuple[str, ...]) -> Iterator[Finding]:
    """What is no column has its place: an enabled account wins, what is made up is the last resort."""
    for name in special:
        place = "first" if name == MICROSOFT_ACCOUNT else "last"
        if name in names and name != names[0 if place == "first" else -1]:
            yield ("from",), f"{shown(name)} must come {place}"


def _near_or_all(name: str, known: Iterable[str]) -> str:
    names = tuple(known)
    return meant(name, names) or f" (there is {listed(names, 'and')})"


def _repeated(word: str, names: Iterable[str]) -> Iterator[Finding]:
    for name, count in Counter(name.casefold() for name in names).items():
        if count > 1:
            yield (word,), f"has {shown(name)} {count} times: leave one"


def _text(entity: EntityName, start: str, text: str) -> Iterator[Finding]:
    if not text.startswith(start):
        yield ("text",), f"must begin with {shown(start)}: the sync knows its records by it"
    try:
        parts = list(Formatter().parse(text))
    except ValueError:
        yield ("text",), "has a { or } too many: a column is written {Description}, a brace itself {{ or }}"
        return
    for _, column, form, conversion in parts:
        if column is None:
            continue
        if form or conversion:
            yield ("text",), f"{shown('{' + column)}: only the column's name can stand between {{ and }}"
        elif (why := column_problem(entity, column)) is not None:
            yield ("text",), why


def _constant_problem(name: str, value: str | int | bool) -> str | None:
    if name == "timezone":
        try:
            ZoneInfo(str(value))
        except (ValueError, OSError, KeyError):
            return f"{shown(value)} is no IANA time zone such as America/Chicago"
    if name == "text_opt_out" and (isinstance(value, bool) or value not in (0, 1)):
        return f"must be 1 (no text messages) or 0, not {shown(value)}"
    if name == "roles" and (not isinstance(value, str) or not value.strip()):
        return "must be the name of a role in SafetyAmp"
    return None


def _as_text(value: object) -> object:
    return " ".join(value.split()) or None if isinstance(value, str) else None


def _as_letters(value: object) -> object:
    letters = value.strip().upper() if isinstance(value, str) else ""
    return letters if re.fullmatch("[A-Z]{2}", letters) else None


def _as_gender(value: object) -> object:
    is_number = isinstance(value, int) and not isinstance(value, bool) and value in (0, 1)
    return value if is_number else {"M": 1, "F": 0}.get(str(value).strip().upper())


def _as_day(value: object) -> object:
    try:
        return date.fromisoformat(str(value)[:10]).isoformat()
    except ValueError:
        return None


_IN_CLEAN_FORM: Mapping[Cleaner, Callable[[object], object]] = {
    "text": _as_text,
    "names": _as_text,
    "two_letters": _as_letters,
    "gender": _as_gender,
    "zip_code": _as_text,
    "day": _as_day,
    "birth_date": _as_day,
}
"""A default goes to SafetyAmp as it stands in the file. (The cleaning of sources is above this package.)"""


def _empty(name: str, kind: FieldKind, rule: FieldRule) -> Iterator[Finding]:
    """What becomes of a field whose source is empty."""
    if rule.default is not None:
        if rule.from_ is None:
            yield ("default",), "belongs to from: leave it out"
        elif name in UNIQUE_FIELDS:
            yield (
                ("default",),
                "is unique in SafetyAmp, so that only one could have the default: leave it out",
            )
        else:
            clean = _IN_CLEAN_FORM[rule.clean if rule.clean in kind.cleaners else kind.cleaners[0]]
            if (cleaned := clean(rule.default)) != rule.default:
                remedy = (
                    "is nothing that SafetyAmp takes here" if cleaned is None else f"write {shown(cleaned)}"
                )
                yield ("default",), f"{shown(rule.default)}: {remedy}"
    if rule.empty == "keep":
        return
    if rule.from_ is None:
        yield ("empty",), "belongs to from: leave it out"
    elif rule.owner != "source":
        yield ("empty",), f'only counts with owner = "source": with {shown(rule.owner)} leave it out'
    elif rule.empty == "clear" and not kind.may_clear:
        yield ("empty",), f'SafetyAmp needs a value of {name}: write "keep" or "default"'
    elif rule.empty == "default" and rule.default is None:
        yield ("empty",), "needs a default: add default = ..."


# ---- Scope, protection, pilot ------------------------------------------------------------------------------


def _scope(entity: EntityName, table: Table) -> Iterator[Finding]:
    filters = table.get("scope")
    filters = filters if isinstance(filters, list) else []
    names: Counter[str] = Counter()
    sizes = [0]
    for number, raw in enumerate(filters):
        path: Path = (entity, "scope", number)
        clauses = raw.get("all") if isinstance(raw, Mapping) else None
        sizes.append(len(clauses) if isinstance(clauses, list) else 0)
        for place, raw_clause in enumerate(clauses if isinstance(clauses, list) else ()):
            if (clause := _as(Condition, raw_clause)) is not None:
                for key, why in _condition(entity, clause):
                    yield (*path, "all", place, *key), why
        name = raw.get("name") if isinstance(raw, Mapping) else None
        names[str(name)] += 1
        if isinstance(name, str) and names[name] == 2:
            yield (
                (*path, "name"),
                f"another filter is named {shown(name)} too: the name is the reason people read",
            )
    if sum(sizes) > MOST_NAMES >= max(sizes):
        many = f"has {sum(sizes)} conditions, {MOST_NAMES} at most: use in = [...] for many values"
        yield (entity, "scope"), many


def _condition(entity: EntityName, clause: Condition) -> Iterator[Finding]:
    if (why := column_problem(entity, clause.column)) is not None:
        yield ("column",), why
    said = clause.model_dump(by_alias=True, exclude_none=True)
    words = [word for word in CONDITION_WORDS if word in said]
    if not words and clause.empty is None:
        yield (), f"says nothing of {clause.column}: add one of {listed((*CONDITION_WORDS, 'empty'))}"
    elif len(words) > 1:
        yield (), f"has {listed(words, 'and')}: make a condition of each"


def _protected(entity: EntityName, path: Path, one: Protected) -> Iterator[Finding]:
    if one.emails is not None and entity != "employees":
        yield (*path, "emails"), f"{entity} have no e-mail: name their keys"
    elif one.keys is None and one.emails is None:
        yield path, f"protects nobody: name {'keys or emails' if entity == 'employees' else 'keys'}"
    for number, address in enumerate(one.emails or ()):
        if not _EMAIL.fullmatch(address.strip()):
            yield (*path, "emails", number), "is no e-mail address"


def _pilot(entity: EntityName, pilot: Pilot) -> Iterator[Finding]:
    path: Path = (entity, "pilot")
    if pilot.keys is None and pilot.departments is None and pilot.first is None:
        yield path, "takes in nobody: name keys, departments or first, or leave the whole table out"
    if pilot.departments is not None and entity == "vehicles":
        yield (*path, "departments"), "vehicles have no department: name keys or first"


# ---- Expectations ------------------------------------------------------------------------------------------


def _expectation(path: Path, one: Expectation) -> Iterator[Finding]:
    if not one.given:
        yield (*path, "given"), "is empty: give a row, at least one column of it"
    for column in one.given:
        if (why := column_problem(one.entity, column, _given_besides(one.entity))) is not None:
            yield (*path, "given", column), why
    if isinstance(one.then, str):
        if one.then in _ONLY_PEOPLE_LEAVE and one.entity != "employees":
            yield (*path, "then"), f"{one.entity} are never {one.then}"
        return
    if not one.then:
        yield (*path, "then"), 'is empty: name a field and its value, or a word such as "out of scope"'
    known = (*FIELDS[one.entity], *SET_BY_THE_SYNC[one.entity])
    for name in one.then:
        if name not in known:
            near = meant(name, known)
            yield (*path, "then", name), f"{one.entity} have no field {shown(name)}{near}"


def _given_besides(entity: EntityName) -> tuple[str, ...]:
    return (MICROSOFT_ACCOUNT,) if entity == "employees" else ()
