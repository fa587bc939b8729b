"""The reader of Bicep files: literals are values, expressions stay text, anything strange is an error."""

from __future__ import annotations

import pytest

from tests.unit.infra.bicep import Expr, Loop, parse

FILE = """// A comment with a 'quote
import { names } from 'types.bicep'

@description('It\\'s a name.')
param name string = 'a'
param private bool
var list = ['a', 1, true]
var choice = private
  ? { a: 1 }
  : {}
var text = '${name}, // no comment { '

resource account 'Provider/accounts@2026-01-01' = if (private) {
  name: name
  nested: { url: 'https://x', other: union(a, { b: 1 }) }
  ...more

  resource child 'children' = [for one in ['a', 'b']: { name: one }]
}

module inner 'inner.bicep' = [
  for one in list: {
    params: { name: one }
  }
]

output id string = account.id
"""


def test_literals_become_values_and_expressions_stay_text() -> None:
    file = parse(FILE)
    assert file.variables["list"] == ["a", 1, True]
    assert file.variables["choice"] == Expr("private ? { a: 1 } : {}")
    assert file.variables["text"] == Expr("'${name}, // no comment { '")
    assert isinstance(file.variables["text"], Expr)
    assert file.params == {
        "name": ("string", "a", ["@description('It\\'s a name.')"]),
        "private": ("bool", None, []),
    }
    assert file.outputs == {"id": Expr("account.id")}


def test_resources_and_modules_are_read_with_their_conditions_loops_and_children() -> None:
    file = parse(FILE)
    account, child = file.resources
    assert (account.type, account.version, account.condition) == (
        "Provider/accounts",
        "2026-01-01",
        "private",
    )
    assert account.body == {
        "name": Expr("name"),
        "nested": {"url": "https://x", "other": Expr("union(a, { b: 1 })")},
        "...": [Expr("more")],
    }
    assert (child.type, child.version) == ("Provider/accounts/children", "2026-01-01")
    assert child.parent is account
    assert child.loop == Loop("one", ["a", "b"], {"name": Expr("one")})
    assert [(module.path, module.params) for module in file.modules] == [
        ("inner.bicep", {"name": Expr("one")})
    ]


@pytest.mark.parametrize(
    "text",
    ["recource x 'a@1' = {}\n", "var x = {\n  a: 1\n", "resource x 'a@1' = {\n  a\n}\n", "var x = 'open\n"],
)
def test_what_it_does_not_understand_is_an_error(text: str) -> None:
    with pytest.raises((SyntaxError, ValueError)):
        parse(text)
