"""The schema lets an editor complete what the reader takes, and mark what it refuses."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from typing import Any

import pytest
from jsonschema import Draft7Validator
from pydantic import BaseModel

from shared.sync.rules import model
from shared.sync.rules.fields import FIELDS
from shared.sync.rules.reading import default_text
from shared.sync.rules.schema import ABOUT, schema

HEAD = "version = 1\n"


def as_json(text: str) -> Any:
    """As the editor's validator sees the file: dates are texts there."""
    return json.loads(json.dumps(tomllib.loads(text), default=date.isoformat))


def is_valid(text: str) -> bool:
    return bool(Draft7Validator(schema()).is_valid(as_json(text)))


def test_the_schema_is_one_and_the_default_file_meets_it() -> None:
    Draft7Validator.check_schema(schema())
    assert [error.message for error in Draft7Validator(schema()).iter_errors(as_json(default_text()))] == []


def test_every_field_of_every_entity_is_completed() -> None:
    entities = schema()["properties"]
    for entity, fields in FIELDS.items():
        assert list(entities[entity]["properties"]["fields"]["properties"]) == list(fields)


def test_every_word_of_a_file_is_told_in_a_sentence_and_none_besides() -> None:
    words = {
        member.alias or name
        for kind in vars(model).values()
        if isinstance(kind, type) and issubclass(kind, BaseModel)
        for name, member in kind.model_fields.items()
    }
    assert set(ABOUT) == words | {"departments_of_pilot"}


TAKEN = [
    "[employees.fields]\nmobile_phone = { from = 'CellPhone' }",
    "[employees.fields]\nmobile_phone = { from = ['Cell', 'Phone'], owner = 'safetyamp' }",
    "[[jobs.scope]]\nname = 'A'\nall = [{ column = 'A', in = 1 }, { column = 'B', after = 2026-01-31 }]",
    "[employees.pilot]\nkeys = '5'\ndepartments = ['10', '20']",
    "[employees.fields]\nhome_site_id = { rule = 'office_of_region' }",
    "[vehicles]\nassign_driver = true",
    "[[expect]]\nentity = 'employees'\nname = 'x'\ngiven = { A = 1 }\nthen = 'invalid'",
]
REFUSED = [
    "[employees.fields]\nmobil_phone = { from = 'CellPhone' }",
    "[employees.fields]\nmobile_phone = { form = 'CellPhone' }",
    "[employees.fields]\nmobile_phone = { from = 'CellPhone', clean = 'email' }",
    "[employees.fields]\nemail = { from = 'Email', owner = 'nobody' }",
    "[employees.fields]\nfirst_name = { from = 'FirstName', empty = 'clear' }",
    "[vehicles.fields]\nmodel = { from = 'udModel' }",
    "[jobs.actions]\ndeactivate = 'hold'",
    "[[titles.scope]]\nname = 'A'\nall = [{ column = 'X', is = 1 }]",
    "[[employees.scope]]\nall = [{ column = 'X', is = 1 }]",
    "[[expect]]\nentity = 'employees'\nname = 'x'\ngiven = { A = 1 }\nthen = 'gone'",
]


@pytest.mark.parametrize("text", TAKEN)
def test_what_the_reader_takes_is_not_marked(text: str) -> None:
    assert is_valid(HEAD + text)


@pytest.mark.parametrize("text", REFUSED)
def test_what_the_reader_refuses_is_marked(text: str) -> None:
    assert not is_valid(HEAD + text)


def test_a_file_without_version_is_marked() -> None:
    assert not is_valid("[jobs.actions]\ncreate = 'hold'")
