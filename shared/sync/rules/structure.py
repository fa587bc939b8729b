"""What pydantic says of a rules file, for whoever wrote it: unknown words, wrong types, missing ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from itertools import islice
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from shared.sync.model import ENTITIES, JsonValue
from shared.sync.rules.fields import FIELDS
from shared.sync.rules.lines import Path
from shared.sync.rules.model import Rules
from shared.sync.rules.problems import listed, meant, shown

Finding = tuple[Path, str]
"""Where, and what is wrong with it and what to do."""

MOST_LISTED = 14
"""Words that are possible in a place; more are no help."""

_MUST_BE = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "date_type": "a date without quotes such as 2026-01-31",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "tuple_type": "a list",
    "literal_error": "",
}
"""What a place can hold, by pydantic's name of the error."""
_WORD = re.compile(r"'([^']*)'")


def structural(error: ValidationError, data: JsonValue, most: int) -> Iterator[Finding]:
    """One finding for each place, whatever number of ways it was tried in; `most` places at most."""
    by_path: dict[Path, list[ErrorDetails]] = {}
    for one in islice(error.errors(include_url=False), most * 4):
        by_path.setdefault(_path_in(data, one), []).append(one)
    for path, ones in by_path.items():
        value = _at(data, path)
        # pydantic also calls a list too short when it could use none of its members.
        told = [one for one in ones if not (one["type"] == "too_short" and value)]
        if told:
            yield path, _text(path, told, value)


def _path_in(data: JsonValue, error: ErrorDetails) -> Path:
    """Where in the file it is: without what pydantic adds for kinds of values, and for a value that stands
    alone instead of a list."""
    path: Path = ()
    parts = error["loc"]
    for number, part in enumerate(parts):
        is_there = (isinstance(data, Mapping) and part in data) or (
            isinstance(data, Sequence) and isinstance(part, int) and not isinstance(data, str)
        )
        if is_there:
            path, data = (*path, part), cast(Any, data)[part]
        elif error["type"] == "missing" and number == len(parts) - 1:
            path = (*path, part)
    return path


def _at(data: JsonValue, path: Path) -> JsonValue:
    for part in path:
        if not isinstance(data, Mapping | list):
            return None
        data = cast(Any, data).get(part) if isinstance(data, Mapping) else cast(Any, data)[part]
    return data


def _text(path: Path, errors: Sequence[ErrorDetails], value: JsonValue) -> str:
    kinds = list(dict.fromkeys(one["type"] for one in errors))
    if kinds[0] == "extra_forbidden":
        return _unknown(path)
    if kinds[0] == "missing":
        return "is missing"
    if all(kind in _MUST_BE for kind in kinds):
        return _must_be(errors, value)
    # A value of the right type that is too long or too small also fails as every other type.
    one = next(error for error in errors if error["type"] not in _MUST_BE)
    context = one.get("ctx", {})
    if one["type"] in ("string_too_long", "too_long"):
        what = "signs" if one["type"] == "string_too_long" else "members"
        return f"has more than {context['max_length']} {what}: shorten it"
    if one["type"] in ("string_too_short", "too_short"):
        return "is empty: give it a value, or leave it out"
    if one["type"] == "greater_than_equal":
        return f"must be at least {context['ge']}, not {shown(value)}"
    if one["type"] == "less_than_equal":
        return f"must be at most {context['le']}, not {shown(value)}"
    return one["msg"]


def _must_be(errors: Sequence[ErrorDetails], value: JsonValue) -> str:
    words = [
        word
        for one in errors
        if one["type"] == "literal_error"
        for word in _WORD.findall(str(one.get("ctx", {}).get("expected", "")))
    ]
    types = dict.fromkeys(_MUST_BE[one["type"]] for one in errors if _MUST_BE[one["type"]])
    possible = [listed(words)] if words else []
    text = f"must be {' or '.join([*possible, *types])}, not {_kind(value)}"
    return text + (meant(value, words) if isinstance(value, str) else "")


def _kind(value: JsonValue) -> str:
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, date):
        return "a date"
    return shown(value)


def _unknown(path: Path) -> str:
    word, known = str(path[-1]), _known_words(path[:-1])
    if len(path) == 2 and path[0] in ENTITIES and word in FIELDS[cast(Any, path[0])]:
        return f"stands in the wrong table: fields go into [{path[0]}.fields]"
    near = meant(word, known)
    possible = f" (there is {listed(known, 'and')})" if not near and 0 < len(known) <= MOST_LISTED else ""
    return f"there is no {shown(word)} here{near}{possible or ('' if near else ': leave it out')}"


@cache
def _schema() -> dict[str, Any]:
    return Rules.model_json_schema(by_alias=True)


def _known_words(path: Path) -> list[str]:
    """The words that the table at `path` can have."""
    here = _schema()
    for part in path:
        here = _resolved(here)
        inside = here.get("items") if isinstance(part, int) else here.get("properties", {}).get(part)
        inside = inside if inside is not None else here.get("additionalProperties")
        if not isinstance(inside, dict):
            return []
        here = inside
    return list(_resolved(here).get("properties", {}))


def _resolved(here: dict[str, Any]) -> dict[str, Any]:
    """The schema that a reference names; of several, the one that is a table or a list of them."""
    for one in (here, *here.get("anyOf", ())):
        if "$ref" in one:
            found: dict[str, Any] = _schema()["$defs"][one["$ref"].rpartition("/")[2]]
            return found
    return here
