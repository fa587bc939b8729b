"""From the text of a `rules.toml` to `Rules`: the default file below it, settings in place of their names.

Whatever the text is, it ends in `Rules` or in one `RulesError` that has everything that is wrong with it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib import resources
from itertools import islice

from pydantic import ValidationError

from shared.sync.model import JsonValue
from shared.sync.rules.checking import contradictions
from shared.sync.rules.fields import MOST_BYTES
from shared.sync.rules.lines import Path, line_numbers, line_of
from shared.sync.rules.model import VERSION, Rules
from shared.sync.rules.problems import MOST_PROBLEMS, ORIGIN, RuleProblem, RulesError, meant, place_of, shown
from shared.sync.rules.structure import Finding, structural

SETTING_MARK = "$"
BYTE_ORDER_MARK = "\ufeff"

PlaceHolders = tuple[tuple[str, JsonValue], ...]
"""Settings that a file can name, with their values, in a form that can be a key."""

WHOLE = frozenset({"fields"})
"""Tables whose members are replaced as a whole: a field's rule is one thing."""

_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)")
_REMEDIES: Mapping[str, str] = {
    "Cannot overwrite a value": "this key is there twice: leave one",
    "Cannot declare": "this table is there twice: make one of them, or write [[...]] where it is a list",
    "Cannot mutate immutable namespace": "this table is there already: put all of it in one place",
    "Expected '=' after a key": "write key = value, and quote keys that have blanks",
    "Invalid value": "texts stand in quotes, true and false in small letters, dates without quotes",
    "Unclosed array": "a ] is missing",
    "Unterminated string": "a quote is missing at the end of a text",
    "Illegal character '\\n'": "a quote is missing at the end of a text",
    "Expected newline or end of document": "one value a line; a text that has quotes stands in '...'",
}
"""What to do, by how tomllib's message begins."""


@cache
def default_text() -> str:
    """The file that ships."""
    return resources.files(__package__).joinpath("default.toml").read_text(encoding="utf-8")


def text_of(content: bytes, origin: str = ORIGIN) -> str:
    """A file's text; raises RulesError for what is no UTF-8, or too large."""
    if len(content) > MOST_BYTES:
        raise RulesError([_too_large(len(content))], origin)
    try:
        return content.decode("utf-8").removeprefix(BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        text = "is no UTF-8 text: save the file with the encoding UTF-8"
        raise RulesError([RuleProblem("", text, line)], origin) from error


@lru_cache(maxsize=16)
def read_rules(text: str | None, settings: PlaceHolders, origin: str = ORIGIN) -> Rules:
    """The rules of a file over those of the default file; None: the default file alone.

    `origin` is what a RulesError names: the setting, or the version of the rules.
    """
    given = {} if text is None else _parsed(text.removeprefix(BYTE_ORDER_MARK), origin)
    merged = _over(tomllib.loads(default_text()), given)
    filled = _Filled(dict(settings))
    data = filled.table(merged)
    rules, findings = _validated(data)
    findings += islice(contradictions(data), MOST_PROBLEMS * 2)
    findings = [(path, what) for path, what in findings if path not in filled.unknown]
    findings += [*_version_problems(given, is_file=text is not None), *filled.unknown.items()]
    if rules is None or findings:
        raise RulesError(_problems(findings, text or "", filled.named), origin)
    return rules


def _parsed(text: str, origin: str) -> dict[str, JsonValue]:
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MOST_BYTES:
        raise RulesError([_too_large(size)], origin)
    try:
        found: dict[str, JsonValue] = tomllib.loads(text)
    except RecursionError as error:
        raise RulesError([RuleProblem("", "lists or tables stand too deep in each other")], origin) from error
    except ValueError as error:
        raise RulesError([_form_problem(str(error), text)], origin) from error
    version = found.get("version")
    if isinstance(version, int) and version > VERSION:
        # Whatever else this release would say of it would be wrong.
        line = line_of(line_numbers(text), ("version",))
        newer = f"is {shown(version)}; this release reads {VERSION}: update the app, or take an older file"
        raise RulesError([RuleProblem("version", newer, line)], origin)
    return found


def _too_large(size: int) -> RuleProblem:
    return RuleProblem("", f"has {size // 1024} KB, {MOST_BYTES // 1024} at most: is it the right file?")


def _form_problem(message: str, text: str) -> RuleProblem:
    at = _AT.search(message)
    what = _AT.sub("", message)
    last = max(text.rstrip().count("\n") + 1, 1)
    line = int(at[1]) if at is not None and at[1] else last
    remedy = next((remedy for start, remedy in _REMEDIES.items() if what.startswith(start)), None)
    column = f", column {at[2]}" if at is not None and at[2] else ""
    told = f"{what}{column}" + (f": {remedy}" if remedy else ": mend it as TOML has it (https://toml.io)")
    return RuleProblem("", f"this is no TOML: {told}", line)


def _version_problems(given: Mapping[str, JsonValue], *, is_file: bool) -> Iterator[Finding]:
    if is_file and "version" not in given:
        yield ("version",), f"is missing: begin the file with version = {VERSION}"
    elif isinstance(given.get("version"), bool):
        yield ("version",), f"must be {VERSION}, not {shown(given['version'])}"


def _validated(data: JsonValue) -> tuple[Rules | None, list[Finding]]:
    try:
        return Rules.model_validate(data, by_alias=True, by_name=False), []
    except ValidationError as error:
        return None, list(structural(error, data, MOST_PROBLEMS * 2))


def _problems(findings: list[Finding], text: str, named: Mapping[Path, str]) -> list[RuleProblem]:
    """In the order of the lines; a place that a setting fills is the setting's."""
    lines = line_numbers(text)
    found: dict[RuleProblem, None] = {}
    for path, what in findings:
        setting = named.get(path)
        line = None if setting is not None else line_of(lines, path)
        found[RuleProblem(place_of(path), what, line, setting)] = None
    problems = sorted(found, key=lambda problem: problem.line or 0)
    if len(problems) <= MOST_PROBLEMS:
        return problems
    more = f"{len(problems) - MOST_PROBLEMS} or more problems besides: mend these first"
    return [*problems[:MOST_PROBLEMS], RuleProblem("", more)]


def _over(
    below: Mapping[str, JsonValue], above: Mapping[str, JsonValue], *, whole: bool = False
) -> dict[str, JsonValue]:
    merged = dict(below)
    for name, value in above.items():
        there = merged.get(name)
        if isinstance(value, Mapping) and isinstance(there, Mapping) and not whole:
            merged[name] = _over(there, value, whole=name in WHOLE)
        else:
            merged[name] = value
    return merged


class _Filled:
    """Puts settings in the place of their names. `named`: the places, with the setting of each; `unknown`:
    those whose names are no settings, and what to tell of them. Where nobody set a setting, it is as if the
    word that names it were not there."""

    def __init__(self, settings: Mapping[str, JsonValue]) -> None:
        self.settings = settings
        self.named: dict[Path, str] = {}
        self.unknown: dict[Path, str] = {}

    def table(self, table: Mapping[str, JsonValue], path: Path = ()) -> dict[str, JsonValue]:
        """The table with everything in it."""
        found = {name: self._value(one, (*path, name)) for name, one in table.items()}
        return {name: one for name, one in found.items() if one is not None}

    def _value(self, value: JsonValue, path: Path) -> JsonValue:
        if isinstance(value, dict):
            return self.table(value, path)
        if isinstance(value, list):
            return [self._value(one, (*path, number)) for number, one in enumerate(value)]
        if not isinstance(value, str) or not value.startswith(SETTING_MARK):
            return value
        name = value.removeprefix(SETTING_MARK)
        if name not in self.settings:
            possible = ", ".join(sorted(self.settings))
            near = meant(name, self.settings) or f" (there is {possible})"
            self.unknown[path] = f"there is no setting {shown(name)} for rules{near}"
            return value
        self.named[path] = name
        return self.settings[name]
