"""The list of causes: each can be handed to somebody, and every problem of the engine has one."""

from __future__ import annotations

import ast
import re
from dataclasses import MISSING, fields
from inspect import Parameter, signature

import pytest

from shared.sync.findings.causes import CAUSES, KEYS, REFUSED, VALUE_TAKEN, Cause
from shared.sync.model import ENTITIES, Rejected
from shared.sync.planning.drafting import Draft
from shared.sync.planning.unique_values import LeftOut
from shared.sync.runs import report
from shared.sync.suggestions import cause_of_refusal
from tests.real_parts import PROJECT

ALL = list(CAUSES.values())
MAKES_PROBLEMS = {"shared/sync/planning/drafting.py"}
"""Where the member of a plan is made; everybody else asks for it there."""


@pytest.mark.parametrize("cause", ALL, ids=list(CAUSES))
class TestACause:
    def test_has_a_code_that_programs_can_keep(self, cause: Cause) -> None:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", cause.code)
        assert CAUSES[cause.code] is cause

    def test_says_where_and_what_or_that_there_is_nothing_to_do(self, cause: Cause) -> None:
        assert (cause.place is None) == (cause.enter is None)
        if cause.enter is None:
            assert cause.again, "what nobody mends must come right by itself"

    def test_is_short_enough_for_a_heading_and_quotes_nobody(self, cause: Cause) -> None:
        assert len(cause.name) <= 90
        assert not cause.name.endswith(".")
        assert "|" not in f"{cause.name}{cause.where}{cause.enter}", "it stands in a table"


def test_no_code_is_given_twice() -> None:
    module = ast.parse((PROJECT / "shared/sync/findings/causes.py").read_text())
    made = [node for node in ast.walk(module) if isinstance(node, ast.Call) and _is(node.func, "Cause")]
    assert len(made) == len(CAUSES)


def test_every_entity_has_what_may_be_wrong_with_its_keys_and_with_its_data() -> None:
    assert set(REFUSED) == set(ENTITIES)
    assert set(KEYS) == set(ENTITIES) - {"titles"}


def test_a_problem_cannot_be_made_without_a_cause() -> None:
    (cause,) = [one for one in fields(Rejected) if one.name == "cause"]
    assert cause.default is cause.default_factory is MISSING
    makers = (Draft.report, Draft.repeat, report._problem, LeftOut)
    for maker in makers:
        assert signature(maker).parameters["cause"].default is Parameter.empty, maker


def test_problems_are_made_in_one_place() -> None:
    """A dictionary that looks like one would go past the parameters."""
    found = set()
    for path in sorted((PROJECT / "shared/sync").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            keys = _keys(node)
            if {"key", "kind", "reason"} <= keys and "cause" not in keys:
                found.add(path.relative_to(PROJECT).as_posix())
    assert found == MAKES_PROBLEMS


def test_every_cause_is_used() -> None:
    """By its name in the module, or through the tables by entity."""
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for path in (PROJECT / "shared/sync").rglob("*.py")
        if path.name != "causes.py"
    )
    of_tables = {*REFUSED.values(), *(one for pair in KEYS.values() for one in pair)}
    named = {cause.code: cause.code.replace("-", "_").upper() for cause in ALL if cause not in of_tables}
    assert [code_ for code_, name in named.items() if not re.search(rf"\b{name}\b", code)] == []


@pytest.mark.parametrize(
    ("errors", "taken", "code"),
    [
        ({"street": ["is too long"]}, {}, "person-refused"),
        ({"email": ["has already been taken"]}, {}, "value-taken"),
        ({"email": ["is odd"]}, {"email": "employee 7"}, "value-taken"),
        ({"email": ["is odd"]}, {"email": ""}, "person-refused"),
        ({"home_site_id": ["is invalid"]}, {}, "reference-refused"),
        ({"record": ["answered 422 without naming a field"]}, {}, "reference-refused"),
    ],
)
def test_a_refusal_s_cause_comes_from_its_fields(
    errors: dict[str, list[str]], taken: dict[str, str], code: str
) -> None:
    assert cause_of_refusal("employees", errors, taken).code == code
    assert cause_of_refusal("jobs", {"name": ["is too long"]}, {}).owner == "operations"
    assert VALUE_TAKEN.owner == "safetyamp"


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _keys(node: ast.AST) -> set[object]:
    keys = node.keys if isinstance(node, ast.Dict) else []
    return {key.value for key in keys if isinstance(key, ast.Constant)}
