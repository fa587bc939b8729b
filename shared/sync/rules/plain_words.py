"""The rules in plain words: tables and sentences for people who do not read TOML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.sync.model import ACTIONS, ENTITIES, EntityName
from shared.sync.rules.fields import CODE, CONDITION_WORDS, FIELDS, MICROSOFT_ACCOUNT, UNIT
from shared.sync.rules.model import (
    Condition,
    DepartmentRules,
    EmployeeRules,
    EntityRules,
    FieldRule,
    Pilot,
    Rules,
    Scalar,
    TitleRules,
    VehicleRules,
)

HEADS = ("Field in SafetyAmp", "Comes from", "Whose it is", "Where the source has nothing")

LEGEND = (
    "the source's: what somebody changes in SafetyAmp is changed back.",
    "SafetyAmp's, once created: sent with a new record, never again.",
    "SafetyAmp's, once filled: sent with a new record, later only where SafetyAmp has nothing.",
    "stays: what SafetyAmp has is left as it is; cleared: it is taken out.",
)
"""What the words of the tables mean."""

_TITLES: Mapping[EntityName, str] = {
    "departments": "Departments (Vista bPRDP, site clusters in SafetyAmp)",
    "jobs": "Jobs (Vista bJCJM, sites in SafetyAmp)",
    "titles": "Titles (Vista bPREH, user titles in SafetyAmp)",
    "employees": "Employees (Vista bPREH, users in SafetyAmp)",
    "vehicles": "Vehicles (Samsara, assets in SafetyAmp)",
}
_OWNERS = {
    "source": "the source's",
    "create": "SafetyAmp's, once created",
    "safetyamp": "SafetyAmp's, once filled",
    "nobody": "never sent",
}
_RULES = {
    "latest_open_job": "the site of the latest open job",
    "office_of_region": "the office of the department's region",
    "title": "the title",
}
_SOURCES = {
    MICROSOFT_ACCOUNT: "the enabled Microsoft account",
    CODE: "what the field code gets",
    UNIT: "Unit_ and the end of the Samsara id",
}
_CONDITIONS = {
    "is": "is",
    "in": "is",
    "is_not": "is not",
    "not_in": "is not",
    "starts_with": "begins with",
    "before": "is before",
    "after": "is after",
}
_MODES = {
    "apply": "done",
    "hold": "held until somebody approves, however few they are",
    "report": "never done, only told",
}
_MOST_NAMED = 10


@dataclass(frozen=True)
class PlainRules:
    """One entity's rules: `rows` below HEADS, and what else there is to say, a sentence each."""

    entity: EntityName
    title: str
    rows: tuple[tuple[str, str, str, str], ...]
    sentences: tuple[str, ...]


def in_plain_words(rules: Rules) -> list[PlainRules]:
    """Every entity's rules, in the order of a run."""
    return [_plain(entity, rules.of(entity)) for entity in ENTITIES]


def _plain(entity: EntityName, rules: EntityRules) -> PlainRules:
    rows = tuple(_row(name, rules.fields[name]) for name in FIELDS[entity] if name in rules.fields)
    sentences = (
        *_own(rules),
        *_scope(entity, rules),
        *_pilot(rules.pilot),
        *_protected(rules),
        *_actions(rules),
    )
    return PlainRules(entity, _TITLES[entity], rows, sentences)


def _row(name: str, rule: FieldRule) -> tuple[str, str, str, str]:
    if rule.owner == "nobody":
        return name, "-", _OWNERS["nobody"], "-"
    empty = "-"
    if rule.from_ is not None:
        new = "" if rule.default is None else f" (new records: {_value(rule.default)})"
        empty = {"keep": f"stays{new}", "clear": f"cleared{new}", "default": _value(rule.default)}[rule.empty]
    return name, _origin(rule), _OWNERS[rule.owner], empty


def _origin(rule: FieldRule) -> str:
    if rule.constant is not None:
        return f"always {_value(rule.constant)}"
    if rule.text is not None:
        return f"the text {rule.text}"
    if rule.rule is not None:
        return ", else ".join(_RULES.get(name, name) for name in rule.rule)
    cleaned = f" (cleaned as {rule.clean})" if rule.clean is not None else ""
    return ", else ".join(_SOURCES.get(name, name) for name in rule.from_ or ()) + cleaned


def _value(value: Scalar | None) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _own(rules: EntityRules) -> Iterator[str]:
    """What only this entity has."""
    if isinstance(rules, DepartmentRules):
        yield f"The region is in the column {rules.region_column}."
    elif isinstance(rules, TitleRules):
        yield f"The title is in the column {rules.column}."
    elif isinstance(rules, VehicleRules):
        yield f"The driver is {'' if rules.assign_driver else 'not '}assigned."
    elif isinstance(rules, EmployeeRules):
        people = rules.people
        last = "the first day without access" if people.last_day == "off" else "the last day with access"
        yield f"The day of TermDate is {last}."
        lead = f"{people.hire_lead_days} days before" if people.hire_lead_days else "on the day of"
        yield f"Joiners are created {lead} HireDate."
        if people.active_column:
            yield f"N in the column {people.active_column} counts as left."


def _scope(entity: EntityName, rules: EntityRules) -> Iterator[str]:
    if not rules.scope:
        return
    for one in rules.scope:
        conditions = ", and ".join(_condition(condition) for condition in one.all)
        yield f'In scope as "{one.name}": {conditions}.'
    others = "are left as they are"
    if isinstance(rules, EmployeeRules) and rules.out_of_scope.do == "deactivate":
        others = "lose their access"
    yield f"All other {entity} {others}."


def _condition(condition: Condition) -> str:
    said = condition.model_dump(by_alias=True, exclude_none=True)
    parts = [f"{_CONDITIONS[word]} {_values(said[word])}" for word in CONDITION_WORDS if word in said]
    if condition.empty is not None:
        parts.append("is empty" if condition.empty else "is not empty")
    return f"{condition.column} {' or '.join(parts) if condition.empty else parts[0]}"


def _values(value: object) -> str:
    values = [_value(one) for one in value] if isinstance(value, list | tuple) else [str(value)]
    if isinstance(value, bool):
        values = [_value(value)]
    if len(values) > _MOST_NAMED:
        return f"one of {len(values)} values"
    return values[0] if len(values) == 1 else f"{', '.join(values[:-1])} or {values[-1]}"


def _pilot(pilot: Pilot | None) -> Iterator[str]:
    if pilot is None:
        return
    parts = [f"{len(pilot.keys)} by key"] if pilot.keys else []
    parts += [f"those of department {_values(pilot.departments)}"] if pilot.departments else []
    parts += [f"the first {pilot.first} by key"] if pilot.first else []
    yield f"Pilot, only: {', and '.join(parts)}. Everybody else is left as they are."


def _protected(rules: EntityRules) -> Iterator[str]:
    for one in rules.protect:
        count = len(one.keys or ()) + len(one.emails or ())
        yield f"Never written ({one.reason}): {count} by {'key' if not one.emails else 'key or e-mail'}."


def _actions(rules: EntityRules) -> Iterator[str]:
    for action, mode in rules.actions.model_dump().items():
        if mode != "apply":
            yield f"{action}: {_MODES[mode]}."
    for action in ACTIONS:
        if (limit := rules.guard.of(action)) is not None:
            said = [f"{limit.count} in one plan"] if limit.count is not None else []
            said += [f"{limit.percent} of a hundred"] if limit.percent is not None else []
            said += [f"{limit.in_24_hours} in 24 hours"] if limit.in_24_hours is not None else []
            yield f"{action}: somebody is asked beyond {' or '.join(said)}."
