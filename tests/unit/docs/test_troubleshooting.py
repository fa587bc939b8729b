"""Every message that docs/troubleshooting.md quotes is one that the product can say."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from shared.config import Settings
from shared.sync.model import ENTITIES
from tests.real_parts import PROJECT
from tests.unit.docs.pages import spans, table

SPEAKERS = ("shared", "cli", "local", "functions")
QUOTED = [
    message
    for row in table("docs/troubleshooting.md", "you see", "it means", "do")
    for message in spans(row[0])
]
NAMES = (*ENTITIES, "employee", "both phones", "mobile_phone", "HOST", "X")
VARIES = re.compile(
    rf"\.\.\.|[0-9]+|[,:;()]|\b(?:{'|'.join([*NAMES, *(name.upper() for name in Settings.model_fields)])})\b"
    r"|REQUESTS_CA_BUNDLE"
)
"""Between the parts of a message that are the same each time."""

SHORTEST = 4


@cache
def texts() -> str:
    """All constants of the product's code that are texts, a line each."""
    found = []
    for folder in SPEAKERS:
        for path in (PROJECT / folder).rglob("*.py"):
            module = ast.parse(path.read_text(encoding="utf-8"))
            found += [
                node.value
                for node in ast.walk(module)
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            ]
    return "\n".join(found)


def fixed_parts(message: str) -> list[str]:
    return [part for part in map(str.strip, VARIES.split(message)) if len(part) >= SHORTEST]


@pytest.mark.parametrize("message", QUOTED)
def test_a_quoted_message_is_in_the_code(message: str) -> None:
    parts = fixed_parts(message)
    assert parts
    assert [part for part in parts if part not in texts()] == []


def test_what_the_code_does_not_say_is_found() -> None:
    assert fixed_parts("employees is held: 43 people would be deactivated") == [
        "is held",
        "people would be deactivated",
    ]
    assert "people would be dismissed" not in texts()
    assert len(QUOTED) > 40
