"""The repository's documents as tests read them: files, headings, code and tables."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.real_parts import PROJECT

SHOWN = (".ci", ".devcontainer", ".github")
MADE = "dist"
FENCE = re.compile(r"^ *(```|~~~).*?^ *\1", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
ONE_SPAN = re.compile(r"\s*`[^`]+`[.,;]?")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)


@cache
def files() -> frozenset[str]:
    """The repository's files, relative to its folder, without hidden folders (environments, caches, git) and
    what `make package` makes."""
    found = set()
    for folder, folders, names in os.walk(PROJECT):
        folders[:] = [name for name in folders if name in SHOWN or (name[0] not in "._" and name != MADE)]
        found |= {(Path(folder) / name).relative_to(PROJECT).as_posix() for name in names}
    return frozenset(found)


def files_of(*suffixes: str) -> list[str]:
    """Those whose names end so, sorted."""
    return sorted(name for name in files() if name.endswith(suffixes))


@cache
def page(name: str) -> str:
    """The text of a document."""
    return (PROJECT / name).read_text(encoding="utf-8")


@cache
def anchors(path: Path) -> frozenset[str]:
    """The names that GitHub gives to a document's headings; of equal ones the second is `...-1`."""
    seen: dict[str, int] = {}
    found = set()
    for heading in HEADING.findall(FENCE.sub("", path.read_text())):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        found.add(f"{name}-{seen[name]}" if name in seen else name)
        seen[name] = seen.get(name, 0) + 1
    return frozenset(found)


def blocks(name: str, *languages: str) -> list[str]:
    """The code blocks of a document, in these languages if any are named."""
    return [text for language, text in BLOCK.findall(page(name)) if not languages or language in languages]


def spans(text: str) -> list[str]:
    """What stands between backticks, outside of blocks; a span may go on in the next line."""
    return [" ".join(span.split()) for span in SPAN.findall(FENCE.sub("", text))]


def prose_lines(name: str) -> Iterator[str]:
    """The lines that can be broken: neither code nor rows of tables, nor one command alone."""
    for line in FENCE.sub("", page(name)).splitlines():
        if not line.lstrip().startswith("|") and not ONE_SPAN.fullmatch(line):
            yield line


def table(name: str, *header: str) -> list[list[str]]:
    """The cells of all rows of a document's tables with this header."""
    rows: list[list[str]] = []
    inside = False
    for line in page(name).splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if cells == [*header]:
            inside = True
        elif not line.lstrip().startswith("|"):
            inside = False
        elif inside and set(line) - set("|- "):
            rows.append(cells)
    return rows
