"""Every command that a document names can be given: the real parser takes it, make has the target."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from functools import cache

import pytest

from cli import main as command_line
from tests.unit.docs.pages import blocks, files_of, page, spans

DOCUMENTS = files_of(".md")
OURS = re.compile(
    r"^ *(?:\$ )?(?:[^\s`]*[/\\])?(?:safetyamp-sync|python3? -m local)(?= )(?P<words>[^\n|;]*)", re.MULTILINE
)
"""At the beginning of a line of a block, or of a span."""

MAKE = re.compile(r"(?:^|\s)make((?: [A-Z_]+=\S+| [a-z]+)+)", re.MULTILINE)
NOT_WORDS = re.compile(r"\s#.*|\s> \S+|[\[\]]|\s-h\b")
"""Comments, where output goes, and brackets around what may be left out: it must be right as it is given."""

PLACEHOLDERS = {"ENTITY": "employees", "COMMAND": "status", "...": ""}
ELSEWHERE = {"CHANGELOG.md"}
"""It tells of commands as they were."""


def commands(name: str) -> Iterator[list[str]]:
    """The words after the program's name, of each time that a document gives it with any; in the text also
    without the name, as in `once --plan`."""
    named = (found["words"] for text in (*blocks(name), *spans(page(name))) for found in OURS.finditer(text))
    unnamed = (span for span in spans(page(name)) if " --" in span and span.split()[0] in names())
    for text in (*named, *unnamed):
        words = shlex.split(NOT_WORDS.sub("", text))
        if words:
            yield [PLACEHOLDERS.get(word, word) for word in words]


@cache
def parser() -> argparse.ArgumentParser:
    """The command line's own."""
    return command_line.parser()


@cache
def names() -> frozenset[str]:
    """Of all commands."""
    return frozenset(name for action in parser()._actions for name in action.choices or ())


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name not in ELSEWHERE])
def test_every_command_is_one_that_the_command_line_takes(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in commands(name):
        try:
            parser().parse_args(words)
        except SystemExit:
            pytest.fail(f"{name}: {shlex.join(words)}: {capsys.readouterr().err}")


def test_commands_are_found_wherever_they_stand() -> None:
    assert {"README.md", "docs/operations.md", "docs/runbook.md", "infra/README.md"} <= {
        name for name in DOCUMENTS if any(commands(name))
    }
    assert ["sync", "employees", "--record", "10029", "--refresh"] in [*commands("docs/operations.md")]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_target_of_make_is_there(name: str) -> None:
    known = set(re.findall(r"^([a-z]+):", page("Makefile"), re.MULTILINE))
    named = {
        word
        for text in (*blocks(name), *spans(page(name)))
        for found in MAKE.findall(text)
        for word in found.split()
        if "=" not in word
    }
    assert named <= known
