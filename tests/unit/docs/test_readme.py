"""README is short, its filled example works; lines of documents fit, and their drawings can be drawn."""

from __future__ import annotations

import json
import re

import pytest

from shared.config import Settings, load_settings
from tests.unit.docs.pages import blocks, files_of, page, prose_lines

LONGEST_LINE = 120
LABEL = re.compile(r"\[.*?\]|\(.*?\)|\|.*?\||/.*?/")
KEPT = re.compile(r"\b(graph|flowchart|subgraph|end|class|classDef|click|style|linkStyle|default)\b")
"""Mermaid's own words: with one as a node's name GitHub shows an error in the drawing's place."""

MOST_LINES, MOST_WORDS = 130, 1_100


def test_readme_is_what_one_reads_at_a_bad_moment() -> None:
    text = page("README.md")
    assert len(text.splitlines()) <= MOST_LINES
    assert len(text.split()) <= MOST_WORDS


def test_the_filled_example_is_all_that_must_be_filled_in() -> None:
    (example,) = blocks("README.md", "json")
    values = json.loads(example)["Values"]
    required = {name.upper() for name, field in Settings.model_fields.items() if field.is_required()}
    assert required <= values.keys()
    load_settings(values)  # raises with each problem by name


def test_the_rest_of_the_file_that_is_copied_may_stay() -> None:
    (example,) = blocks("README.md", "json")
    copied = json.loads(page("local.settings.json.example"))["Values"]
    filled = json.loads(example)["Values"]
    assert filled.keys() <= copied.keys()
    load_settings({**copied, **filled})


@pytest.mark.parametrize("name", files_of(".md"))
def test_lines_fit(name: str) -> None:
    assert [line for line in prose_lines(name) if len(line) > LONGEST_LINE] == []


@pytest.mark.parametrize("name", [name for name in files_of(".md") if blocks(name, "mermaid")])
def test_no_node_of_a_drawing_has_a_name_that_mermaid_keeps(name: str) -> None:
    for drawing in blocks(name, "mermaid"):
        kind, _, nodes = drawing.partition("\n")
        assert kind == "flowchart LR"
        assert KEPT.findall(LABEL.sub(" ", nodes)) == []
