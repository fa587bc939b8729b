"""What is written leads somewhere: links between documents, and comments that cite them."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.real_parts import PROJECT
from tests.unit.docs.pages import FENCE, anchors, files, files_of

LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)")
CODE = (".py", ".js", ".lua", ".bicep", ".sh", ".yml", ".txt", ".yaml", "Makefile", "Dockerfile")
CITATION = re.compile(r"(docs/[\w./-]+?\.md)(#[\w-]+)?")
WITHOUT_A_SECTION = re.compile(
    r"\b(?:SafetyAmp|Samsara|Graph|Vista) contract\b|\brecorded (?:traffic|answer|422)"
    r"|\(contracts?[:,)]|\(design,",
    re.IGNORECASE,
)
"""How comments once named where a fact is from, which left a reader nowhere to look."""


def is_there(path: Path, anchor: str) -> bool:
    """Whether a file or folder is part of the repository, and has this heading if one is named."""
    inside = path.resolve().relative_to(PROJECT).as_posix()
    known = inside in files() or any(name.startswith(f"{inside}/") for name in files())
    return known and (not anchor or anchor in anchors(path))


@pytest.mark.parametrize("name", files_of(".md"))
def test_every_link_of_a_document_leads_somewhere(name: str) -> None:
    document = PROJECT / name
    links = [urlsplit(link) for link in LINK.findall(FENCE.sub("", document.read_text()))]
    lost = [
        link.geturl()
        for link in links
        if not (link.scheme or link.netloc)
        and not is_there(document.parent / unquote(link.path) if link.path else document, link.fragment)
    ]
    assert not lost


def test_every_document_that_code_cites_is_there_with_the_section_that_is_named() -> None:
    lost, found = [], 0
    for name in files_of(*CODE):
        for path, anchor in CITATION.findall((PROJECT / name).read_text()):
            found += 1
            if not is_there(PROJECT / path, anchor.removeprefix("#")):
                lost.append(f"{name}: {path}{anchor}")
    assert not lost
    assert found > 50


@pytest.mark.parametrize("folder", ["shared", "cli", "local", "functions", "tests"])
def test_no_comment_cites_what_nobody_can_find(folder: str) -> None:
    vague = [
        f"{name}: {found[0]}"
        for name in files_of(".py")
        if name.startswith(f"{folder}/") and name != "tests/unit/docs/test_links.py"
        for found in WITHOUT_A_SECTION.finditer((PROJECT / name).read_text())
    ]
    assert not vague


def test_the_folders_of_the_architecture_are_those_that_there_are() -> None:
    """Two levels; a folder that has folders is told by these."""
    text = (PROJECT / "docs" / "architecture.md").read_text()
    block = text.partition("## Folders")[2].split("```")[1]
    told = [line.split()[0] for line in block.strip().splitlines()]
    parts = [name.split("/") for name in files()]
    deep = {"/".join(path[:2]) for path in parts if len(path) > 2}
    flat = {path[0] for path in parts if len(path) == 2} - {name.split("/")[0] for name in deep}
    assert told == sorted(f"{name}/" for name in deep | flat)
