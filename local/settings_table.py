"""The tables of docs/settings.md, held to the code: `make settings` writes them, a test compares.

Rows stand where somebody put them, and what a setting means is written in them by hand. Default, secrecy and
readers come from the code. A setting without a row gets one at the end of the last table, to be filled in.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from shared.config import SECRET_SETTINGS, Settings

PROJECT = Path(__file__).resolve().parent.parent
PAGE = PROJECT / "docs" / "settings.md"
HEADER = "| name | default | secret | meaning | read by |"
RULE = "|---|---|---|---|---|"
READERS = ("shared", "functions", "cli", "local/host")
NOT_READERS = ("shared/config.py", "shared/doctor/", "cli/demo.py")
"""They read every setting, or make their own."""


def updated(text: str) -> str:
    """The page with each table as the code has it."""
    readers, without = readers_of_settings(), dict.fromkeys(Settings.model_fields)
    lines: list[str] = []
    end, inside = 0, False
    for line in text.splitlines():
        inside = line == HEADER or (inside and line.startswith("|"))
        if inside and line not in (HEADER, RULE):
            name, _, _, meaning, _ = (cell.strip() for cell in line.strip("|").split("|"))
            field = name.strip("`").lower()
            if field not in without:
                continue  # no setting any more, or here a second time
            del without[field]
            line = _row(name, field, meaning, readers)
        lines.append(line)
        end = len(lines) if inside else end
    lines[end:end] = [_row(f"`{field.upper()}`", field, "", readers) for field in without]
    return "\n".join([*lines, ""])


@cache
def readers_of_settings() -> dict[str, list[str]]:
    """Which folders read each setting; of `shared` and its direct modules only the name below it."""
    found: dict[str, set[str]] = {name: set() for name in Settings.model_fields}
    for folder in READERS:
        for path in sorted((PROJECT / folder).rglob("*.py")):
            inside = path.relative_to(PROJECT).as_posix()
            if inside.startswith(NOT_READERS):
                continue
            for name in found.keys() & set(_read_in(ast.parse(path.read_text(encoding="utf-8")))):
                found[name].add(_reader(path))
    return {name: sorted(readers) or ["config"] for name, readers in found.items()}


def _reader(path: Path) -> str:
    inside = path.relative_to(PROJECT)
    place = inside.with_suffix("") if inside.parent == Path("shared") else inside.parent
    return place.as_posix().removeprefix("shared/")


def _read_in(module: ast.Module) -> Iterator[str]:
    """What may be a setting's name and is read: `settings.name`, `environment.get("NAME")` and
    `f(environment, "NAME")`, and in triggers `connection="NAME"` and "%NAME%"."""
    for node in ast.walk(module):
        match node:
            case ast.Attribute(value=ast.Name(id="settings") | ast.Attribute(attr="settings"), attr=name):
                yield name
            case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(name)), *_]):
                yield name.lower()
            case ast.Call(args=[ast.Name(id="environment"), ast.Constant(value=str(name))]):
                yield name.lower()
            case ast.keyword(arg="connection", value=ast.Constant(value=str(name))):
                yield name.lower()
            case ast.Constant(value=str(name)) if name[:1] == name[-1:] == "%":
                yield name.strip("%").lower()


def _row(name: str, field: str, meaning: str, readers: dict[str, list[str]]) -> str:
    info = Settings.model_fields[field]
    cells = [name, _default(info), _secrecy(field, info), meaning, ", ".join(readers[field])]
    return "| " + " | ".join(cells) + " |"


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value: Any = info.default
    if value is None:
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _secrecy(field: str, info: FieldInfo) -> str:
    if field.upper() in SECRET_SETTINGS:
        return "vault"
    return "yes" if "SecretStr" in str(info.annotation) else ""


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
