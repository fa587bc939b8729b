"""rules: the file that says what is synced, checked, shown and tested without any system."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cli.arguments import add_command
from cli.console import print_json, result_console, say
from cli.settings_file import local_environment
from local.host.once import NOTHING_FAILED, SETTINGS_WRONG, SOMETHING_FAILED
from shared.config import Settings, given_values
from shared.errors import ConfigurationError
from shared.sync.rules.problems import RulesError
from shared.sync.rules.reading import MOST_BYTES, default_text, text_of
from shared.sync.sources import MappingOptions
from shared.version import PROGRAM

if TYPE_CHECKING:
    from cli.arguments import Commands

DESCRIPTION = """Checks, shows and tests the file that says what is synced, from which column,
and whose it is. Nothing of it needs a connection; docs/rules.md explains every
word of the file."""

OPTIONS_BY_SETTING: Mapping[str, str] = {
    "default_country": "default_country",
    "default_timezone": "default_timezone",
    "safetyamp_default_role": "default_role",
    "site_default_state": "site_default_state",
    "site_default_zip_code": "site_default_zip_code",
    "vista_region_column": "region_column",
    "vista_title_column": "title_column",
}
"""Setting -> option, of those that a rules file can name; VEHICLE_ASSIGN_DRIVER besides."""
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
    check.add_argument("file", type=Path, metavar="FILE", help="such as rules.toml")
    check.add_argument("--json", action="store_true", help="print the problems as one JSON object")
    show = add_command(
        inside, "show", "a file in plain words, as tables", "rules show rules.toml", run=_show, **quiet
    )
    show.add_argument("file", type=Path, nargs="?", metavar="FILE", help="(the default file)")
    test = add_command(
        inside,
        "test",
        "run the [[expect]] of a file, with the real mapping",
        "rules test rules.toml",
        run=_test,
        **quiet,
    )
    test.add_argument("file", type=Path, metavar="FILE", help="such as rules.toml")
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


def _which(options: argparse.Namespace) -> int:
    options.parser.error(f"which one: check, default, schema, show or test? {PROGRAM} rules --help tells")


def _check(options: argparse.Namespace) -> int:
    problems: list[dict[str, object]] = []
    try:
        _read(options.file)
    except RulesError as error:
        problems = [
            {"line": one.line, "place": one.place, "problem": one.text, "setting": one.setting}
            for one in error.found
        ]
    if options.json:
        print_json({"file": str(options.file), "problems": problems})
        return SETTINGS_WRONG if problems else NOTHING_FAILED
    console = result_console()
    for one in problems:
        # FILE:LINE is what terminals and editors open on a click.
        where = one["setting"] or (f"{options.file}:{one['line']}" if one["line"] else str(options.file))
        say(console, ": ".join(str(part) for part in (where, one["place"], one["problem"]) if part), indent=4)
    if problems:
        return SETTINGS_WRONG
    say(console, f"{options.file} can be used: nothing is wrong with it")
    if not options.quiet:
        say(console, f"next: {PROGRAM} rules test {options.file} runs its expectations")
    return NOTHING_FAILED


def _show(options: argparse.Namespace) -> int:
    from cli.show_rules import show
    from shared.sync.rules.plain_words import in_plain_words

    mapping = _options_of(None) if options.file is None else _read(options.file)
    show(result_console(), in_plain_words(mapping.rules))
    return NOTHING_FAILED


def _test(options: argparse.Namespace) -> int:
    from shared.sync.entities.expectations import outcomes

    mapping = _read(options.file)
    found = list(outcomes(mapping, _today(mapping)))
    unmet = [one for one in found if not one.is_met]
    if options.json:
        told = [
            {"name": one.expectation.name, "entity": one.expectation.entity, "failures": one.failures}
            for one in found
        ]
        print_json({"file": str(options.file), "expectations": told})
        return SOMETHING_FAILED if unmet else NOTHING_FAILED
    console = result_console()
    for one in unmet if options.quiet else found:
        say(console, f"{'✓' if one.is_met else '✗'} {one.expectation.entity}: {one.expectation.name}")
        for failure in one.failures:
            say(console, f"    {failure}", indent=6)
    if not found:
        say(console, f"{options.file} expects nothing: docs/rules.md tells how to write [[expect]]")
    elif not options.quiet:
        say(console, f"{len(found) - len(unmet)} of {len(found)} are met")
    return SOMETHING_FAILED if unmet else NOTHING_FAILED


def _default(_: argparse.Namespace) -> int:
    print(default_text(), end="")
    return NOTHING_FAILED


def _schema(_: argparse.Namespace) -> int:
    import json

    from shared.sync.rules.schema import schema

    print(json.dumps(schema(), indent=1))
    return NOTHING_FAILED


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
    values = given_values(local_environment(Path.cwd()))
    named = {
        option: values.get(setting, Settings.model_fields[setting].default)
        for setting, option in OPTIONS_BY_SETTING.items()
    }
    assigned = values.get("vehicle_assign_driver", "").lower() in _TRUE
    return MappingOptions(**named, vehicle_assign_driver=assigned, rules_text=text)


def _today(options: MappingOptions) -> date:
    """In the company's time zone."""
    return datetime.now(ZoneInfo(options.default_timezone)).date()
