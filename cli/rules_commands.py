"""rules: the file that says what is synced, checked, shown and tested without any system."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from zoneinfo import ZoneInfo

from cli.arguments import Parser, add_command
from cli.console import print_json, result_console, say
from cli.settings_file import local_environment
from local.host.once import NOTHING_FAILED, SETTINGS_WRONG, SOMETHING_FAILED
from shared.config import Settings, given_values
from shared.errors import ConfigurationError
from shared.sync.rules.fields import MOST_BYTES
from shared.sync.rules.problems import RulesError
from shared.sync.rules.reading import default_text, text_of
from shared.sync.sources import MappingOptions
from shared.version import PROGRAM

if TYPE_CHECKING:
    from cli.arguments import Commands

DESCRIPTION = """The file that says what is synced, from which column, and whose it is. check,
show, test, default and schema need no connection; docs/rules.md explains every
word of the file."""

OPTIONS_BY_SETTING: Mapping[str, str] = {
    "default_country": "default_country",
    "default_timezone": "default_timezone",
    "safetyamp_default_role": "default_role",
    "site_default_state": "site_default_state",
    "site_default_zip_code": "site_default_zip_code",
    "vista_region_column": "region_column",
    "vehicle_assign_driver": "vehicle_assign_driver",
    "vista_title_column": "title_column",
}
"""Setting -> option, of those that a rules file can name."""
_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})


def add_commands(commands: Commands) -> None:
    """rules check, default, schema, show and test."""
    rules = add_command(
        commands,
        "rules",
        "what is synced, from which column, whose it is: check and show the file",
        "rules check rules.toml",
        description=DESCRIPTION,
        run=_which,
    )
    inside = rules.add_subparsers(metavar="WHAT")
    quiet = {"log_level": "ERROR", "interrupted": "nothing was changed"}
    check = add_command(
        inside,
        "check",
        "everything that is wrong with a file, by line, and what to do",
        "rules check rules.toml",
        run=_check,
        **quiet,
    )
    _add_file(check)
    check.add_argument("--json", action="store_true", help="print the problems as one JSON object")
    show = add_command(
        inside, "show", "a file in plain words, as tables", "rules show rules.toml", run=_show, **quiet
    )
    _add_file(show)
    test = add_command(
        inside,
        "test",
        "run the [[expect]] of a file, with the real mapping",
        "rules test rules.toml",
        run=_test,
        **quiet,
    )
    _add_file(test)
    test.add_argument("--json", action="store_true", help="print the outcomes as one JSON object")
    add_command(
        inside,
        "default",
        "the file that is used where there is none, to copy from",
        "rules default > rules.toml",
        run=_default,
        **quiet,
    )
    add_command(
        inside,
        "schema",
        "the JSON schema, with which an editor completes the file",
        "rules schema > rules.schema.json",
        run=_schema,
        **quiet,
    )


def _add_file(parser: Parser) -> None:
    parser.add_argument(
        "file", type=Path, nargs="?", metavar="FILE", help="(RULES_FILE, or rules.toml of this folder)"
    )


def _which(options: argparse.Namespace) -> NoReturn:
    parser: Parser = options.parser
    parser.error(f"which one? {PROGRAM} rules --help lists them")


def _check(options: argparse.Namespace) -> int:
    path = _needed(options.file)
    problems: list[dict[str, object]] = []
    try:
        _read(path)
    except RulesError as error:
        problems = [
            {"line": one.line, "place": one.place, "problem": one.text, "setting": one.setting}
            for one in error.found
        ]
    if options.json:
        print_json({"file": str(path), "problems": problems})
        return SETTINGS_WRONG if problems else NOTHING_FAILED
    console = result_console()
    for one in problems:
        # FILE:LINE is what terminals and editors open on a click.
        where = one["setting"] or (f"{path}:{one['line']}" if one["line"] else str(path))
        say(console, ": ".join(str(part) for part in (where, one["place"], one["problem"]) if part), indent=4)
    if problems:
        return SETTINGS_WRONG
    say(console, f"{path} can be used: nothing is wrong with it")
    if not options.quiet:
        say(console, f"next: {PROGRAM} rules test {path} runs its expectations")
    return NOTHING_FAILED


def _show(options: argparse.Namespace) -> int:
    from cli.show_rules import show
    from shared.sync.rules.plain_words import in_plain_words

    path = options.file or _file_here()
    mapping = _options_of(None) if path is None else _read(path)
    show(result_console(), in_plain_words(mapping.rules))
    return NOTHING_FAILED


def _test(options: argparse.Namespace) -> int:
    from shared.sync.entities.expectations import outcomes

    path = _needed(options.file)
    mapping = _read(path)
    found = list(outcomes(mapping, _today(mapping)))
    unmet = [one for one in found if not one.is_met]
    if options.json:
        told = [
            {"name": one.expectation.name, "entity": one.expectation.entity, "failures": one.failures}
            for one in found
        ]
        print_json({"file": str(path), "expectations": told})
        return SOMETHING_FAILED if unmet else NOTHING_FAILED
    console = result_console()
    for one in unmet if options.quiet else found:
        say(console, f"{'✓' if one.is_met else '✗'} {one.expectation.entity}: {one.expectation.name}")
        for failure in one.failures:
            say(console, f"    {failure}", indent=6)
    if not found:
        say(console, f"{path} expects nothing: docs/rules.md tells how to write [[expect]]")
    elif not options.quiet:
        say(console, f"{len(found) - len(unmet)} of {len(found)} are met")
    if not unmet and not options.quiet:
        say(console, f"next: {PROGRAM} rules preview {path} shows what it would do")
    return SOMETHING_FAILED if unmet else NOTHING_FAILED


def _default(_: argparse.Namespace) -> int:
    print(default_text(), end="")
    return NOTHING_FAILED


def _schema(_: argparse.Namespace) -> int:
    import json

    from shared.sync.rules.schema import schema

    print(json.dumps(schema(), indent=1))
    return NOTHING_FAILED


def _file_here() -> Path | None:
    """The file that counts on this machine."""
    named = given_values(_environment()).get("rules_file")
    return None if named is None else Path(named)


def _needed(path: Path | None) -> Path:
    if (path := path or _file_here()) is None:
        raise ConfigurationError.of("FILE", "name one: there is neither RULES_FILE nor rules.toml here")
    return path


def _environment() -> Mapping[str, str]:
    return local_environment(Path.cwd())


def _read(path: Path) -> MappingOptions:
    """What is mapped under a file; raises RulesError with all that is wrong with it."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        text = f"{path} cannot be read ({error.strerror}): name a file, {PROGRAM} rules default writes one"
        raise ConfigurationError.of("FILE", text) from error
    options = _options_of(text_of(content, str(path)))
    try:
        _ = options.rules
    except RulesError as error:
        raise RulesError(error.found, str(path)) from error
    return options


def _options_of(text: str | None) -> MappingOptions:
    """With the settings that are there, and the defaults of the others: whoever writes rules need not have
    every password."""
    values = given_values(_environment())
    named: dict[str, Any] = {}
    for setting, option in OPTIONS_BY_SETTING.items():
        default = Settings.model_fields[setting].default
        value = values.get(setting, default)
        named[option] = (
            value.lower() in _TRUE if isinstance(default, bool) and isinstance(value, str) else value
        )
    return MappingOptions(**named, rules_text=text)


def _today(options: MappingOptions) -> date:
    """In the company's time zone."""
    return datetime.now(ZoneInfo(options.default_timezone)).date()
