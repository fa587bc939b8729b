"""The Bicep files of `infra/`, as far as tests need them.

Literals become Python values; anything computed stays text (`Expr`), as it stands in the file. What the
reader does not understand raises SyntaxError: a test must not pass because something was overlooked.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.real_parts import PROJECT
from tests.unit.infra.bicep_model import Expr, File, Loop, Module, Resource
from tests.unit.infra.bicep_reader import Reader

__all__ = ["INFRA", "Expr", "File", "Loop", "Module", "Resource", "files", "parse", "read", "walk"]

INFRA = PROJECT / "infra"


@cache
def read(name: str) -> File:
    """A file of `infra/`, such as `modules/redis.bicep`."""
    return Reader(INFRA / name).file()


def files() -> list[File]:
    """All files."""
    return [read(str(path.relative_to(INFRA))) for path in sorted(INFRA.rglob("*.bicep"))]


def parse(text: str) -> File:
    """A file of that text, for tests of the reader."""
    return Reader(Path("text.bicep"), text).file()


def walk(value: Any) -> Iterator[Any]:
    """A value and all values in it."""
    yield value
    if isinstance(value, dict):
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)
    elif isinstance(value, Loop):
        yield from walk(value.body)
