"""Every test that docs/guarantees.md names is there."""

from __future__ import annotations

import re
from functools import cache

import pytest

from tests.real_parts import PROJECT
from tests.unit.docs.pages import files, page, spans, table

ROWS = table("docs/guarantees.md", "guarantee", "how it is kept", "shown by")


@cache
def names() -> set[str]:
    """The names of files, functions and classes of the tests, and their folders."""
    found = set()
    for name in files():
        if name.startswith("tests/") and name.endswith(".py"):
            *folders, file = name.split("/")
            found |= {file, f"{'/'.join(folders)}/"}
            found |= set(re.findall(r"^ *(?:def|class) (\w+)", (PROJECT / name).read_text(), re.MULTILINE))
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:60])
def test_a_guarantee_names_tests_and_these_are_there(row: list[str]) -> None:
    shown = spans(row[2])
    assert shown
    assert [name for name in shown if name not in names()] == []


def test_the_tests_that_the_introduction_names_are_there() -> None:
    introduction = page("docs/guarantees.md").partition("## The guarantees")[0]
    named = {span for span in spans(introduction) if span.startswith(("test_", "tests/"))}
    known = names() | files()
    assert (
        {"tests/chaos/", "tests/chaos/faults.py", "test_mechanisms.py", "test_crash_pairs.py"}
        <= named
        <= known
    )


def test_there_are_guarantees() -> None:
    assert len(ROWS) > 25
