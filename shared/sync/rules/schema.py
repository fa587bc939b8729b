"""The JSON schema of a rules file, with which editors complete and check it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.sync.model import ENTITIES, EntityName
from shared.sync.rules.checking import ACTIONS_OF, SPECIAL
from shared.sync.rules.fields import COLUMNS, FIELDS, FieldKind
from shared.sync.rules.model import Rules

DIALECT = "http://json-schema.org/draft-07/schema#"
"""What Even Better TOML reads."""

ALSO_ALONE = ("in", "not_in", "keys", "emails", "departments")
"""Lists of which a single member can stand alone."""

SETTING = {"type": "string", "pattern": r"^\$[A-Z_]+$"}

ABOUT: Mapping[str, str] = {
    "version": "Of the form of this file: 1.",
    "departments": "bPRDP becomes site clusters, below their region's.",
    "jobs": "The open jobs of bJCJM become sites.",
    "titles": "The distinct titles of current employees become user titles.",
    "employees": "People of the payroll (bPREH) become users.",
    "vehicles": "Samsara's vehicles become assets.",
    "expect": "Your own tests, run by `rules test`: this row must give this.",
    "fields": "Where each field of SafetyAmp comes from, and whose it is.",
    "scope": "Filters: a record belongs when it meets all conditions of one of them. None: all belong.",
    "actions": "What is done: apply, hold (always ask somebody), report (never send).",
    "protect": "Records that are never written.",
    "pilot": "Only these are synced; everybody else is left as they are.",
    "region_column": "The column of bPRDP that names a department's region.",
    "column": "A column's name; of titles the one of bPREH that holds the title.",
    "people": "When somebody counts as hired, and as left.",
    "out_of_scope": "What becomes of people in SafetyAmp whom no filter admits.",
    "assign_driver": "Whether an asset gets its vehicle's driver.",
    "from": "Columns: the first that holds something usable.",
    "rule": "Named rules: the first that gives something.",
    "text": "{Column}s put together with other text.",
    "constant": "The same for everybody.",
    "clean": "How the source's value becomes one that SafetyAmp takes.",
    "owner": "source: the source wins. create: sent when created, never again. safetyamp: sent when created,"
    " later only where SafetyAmp has nothing. nobody: never sent.",
    "default": "Sent when the record is created and the source has nothing usable.",
    "empty": "Of a field, when the source has nothing usable: keep, clear or default. Of a condition: whether"
    " the column must be empty.",
    "name": "The name is what people read: as the reason of a filter, in the results of a test.",
    "all": "Conditions, all of which must hold.",
    "is": "The column holds this, without regard to case.",
    "is_not": "The column holds something else. What is empty does not count, but with empty = true.",
    "in": "The column holds one of these.",
    "not_in": "The column holds something, and none of these.",
    "starts_with": "The column's text begins with this.",
    "before": "The column holds a date earlier than this day.",
    "after": "The column holds a date later than this day.",
    "do": "leave, or deactivate (through the guard).",
    "last_day": 'The day of TermDate: "off" = first day without access, "worked" = last day with it.',
    "hire_lead_days": "Joiners are created so many days before HireDate.",
    "active_column": "Such as ActiveYN: N there counts as left.",
    "reason": "Why, for people.",
    "keys": "Employee numbers, job codes and so on.",
    "emails": "Addresses as SafetyAmp shows them.",
    "departments_of_pilot": "Codes of departments.",
    "first": "So many, with the lowest keys.",
    "guard": "Beyond these numbers somebody is asked first.",
    "count": "So many changes in one plan.",
    "percent": "So many of a hundred records.",
    "in_24_hours": "So many together with those of the last 24 hours that nobody approved.",
    "create": "New records.",
    "update": "Changed fields.",
    "deactivate": "People who have left lose their access.",
    "reactivate": "People who come back get their access again.",
    "entity": "Which entity's row it is.",
    "given": "A row of the source, by column; the rest is sensible.",
    "then": 'A part of the fields with their values, or "out of scope", "deactivated", "invalid", "skipped".',
    "today": "The day on which it is so.",
}
"""Every word of a file, in a sentence."""


def schema() -> dict[str, Any]:
    """For a file, which may leave out everything but its version."""
    found: dict[str, Any] = _without_null(Rules.model_json_schema(by_alias=True))
    definitions = found["$defs"]
    for name, definition in [("", found), *definitions.items()]:
        if name not in ("", "Scope", "Condition", "Protected", "Expectation"):
            definition.pop("required", None)
        for word, member in definition.get("properties", {}).items():
            member.pop("title", None)
            about = ABOUT["departments_of_pilot" if (name, word) == ("Pilot", "departments") else word]
            member["description"] = about
            if word in ALSO_ALONE and member.get("type") == "array":
                definition["properties"][word] = _also_alone(member)
    for entity in ENTITIES:
        found["properties"][entity] = _of_entity(entity, found["properties"][entity], definitions)
    found["required"] = ["version"]
    # Used up by the entities' own.
    for name in (
        "FieldRule",
        "DepartmentRules",
        "TitleRules",
        "EmployeeRules",
        "VehicleRules",
        "EntityRules",
    ):
        definitions.pop(name)
    return {"$schema": DIALECT, "title": "Rules of SafetyAmp Sync", **_without_title(found)}


def _without_null(found: Any) -> Any:
    """TOML has none: a word that is not wanted is left out."""
    if isinstance(found, list):
        return [_without_null(one) for one in found if one != {"type": "null"}]
    if not isinstance(found, dict):
        return found
    kept = {name: _without_null(one) for name, one in found.items() if (name, one) != ("default", None)}
    if len(alternatives := kept.get("anyOf", ())) == 1:
        kept |= alternatives[0]
        del kept["anyOf"]
    return kept


def _also_alone(member: dict[str, Any]) -> dict[str, Any]:
    """A list of which one member can stand without the brackets."""
    inner = {name: one for name, one in member.items() if name != "description"}
    return {"description": member["description"], "anyOf": [inner["items"], inner]}


def _without_title(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in ("title", "description")}


def _of_entity(
    entity: EntityName, reference: Mapping[str, Any], definitions: Mapping[str, Any]
) -> dict[str, Any]:
    model = definitions[reference["$ref"].rpartition("/")[2]]
    properties = dict(model["properties"])
    properties["fields"] = _table(
        ABOUT["fields"],
        {
            name: _field(entity, name, kind, definitions["FieldRule"]["properties"])
            for name, kind in FIELDS[entity].items()
        },
    )
    actions = definitions["Actions"]["properties"]
    properties["actions"] = _table(
        ABOUT["actions"], {action: actions[action] for action in ACTIONS_OF[entity]}
    )
    limits = definitions["Guard"]["properties"]
    properties["guard"] = _table(ABOUT["guard"], {action: limits[action] for action in ACTIONS_OF[entity]})
    if entity == "vehicles":
        about = properties["assign_driver"]["description"]
        properties["assign_driver"] = {"description": about, "anyOf": [{"type": "boolean"}, SETTING]}
    if entity == "titles":
        properties = {name: one for name, one in properties.items() if name not in ("scope", "pilot")}
    return _table(ABOUT[entity], properties)


def _table(about: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": about,
        "additionalProperties": False,
        "properties": dict(properties),
    }


def _field(entity: EntityName, name: str, kind: FieldKind, words: Mapping[str, Any]) -> dict[str, Any]:
    """What can be said of this field, and nothing else."""
    owners = [owner for owner in kind.owners if not (owner == "nobody" and kind.needed)]
    possible: dict[str, Any] = {"owner": {**words["owner"], "enum": owners}}
    if "default" in possible["owner"] and "source" not in owners:
        del possible["owner"]["default"]
    if kind.rules:
        rule = {"enum": list(kind.rules)}
        possible["rule"] = {
            "description": ABOUT["rule"],
            "anyOf": [rule, {"type": "array", "items": rule, "minItems": 1}],
        }
    elif kind.text is not None:
        possible["text"] = {
            "description": ABOUT["text"],
            "type": "string",
            "default": f"{kind.text}{{Description}}",
        }
    elif kind.constant:
        possible["constant"] = words["constant"]
    else:
        known = [*SPECIAL.get((entity, name), ()), *COLUMNS[entity]]
        column = {"anyOf": [{"enum": known}, {"type": "string"}]} if entity != "vehicles" else {"enum": known}
        possible["from"] = {
            "description": ABOUT["from"],
            "anyOf": [column, {"type": "array", "items": column, "minItems": 1}],
        }
        possible["clean"] = {"description": ABOUT["clean"], "enum": list(kind.cleaners)}
        possible["default"] = words["default"]
        empty = [word for word in words["empty"]["enum"] if word != "clear" or kind.may_clear]
        possible["empty"] = {"description": ABOUT["empty"], "enum": empty}
    return _table(f"The field {name} of SafetyAmp.", possible)
