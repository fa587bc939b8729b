"""The command line: which commands there are, what is logged, and how errors end."""

from __future__ import annotations

import argparse
import errno
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.logging import RichHandler
from rich.text import Text

from cli import completion, local_commands, rules_commands, try_commands
from cli.arguments import Parser, command_line
from cli.console import LogLines, OutputConsole, inert, log_console, print_json, silence, take_any_text
from cli.remote import commands as remote
from cli.settings_file import FILE_NAME, is_of_file, local_environment
from local.documents.folder import FolderUnusable
from local.host.once import SETTINGS_WRONG, SOMETHING_FAILED, HalfDone
from shared.errors import (
    BusError,
    ConfigurationError,
    Paused,
    RunConflict,
    StorageError,
    UnknownRun,
    UnreadableDocument,
)
from shared.telemetry.log_format import OUR_LOGGERS, ReadableFormatter
from shared.telemetry.logs import LEVELS, log_level
from shared.version import PROGRAM

INTERRUPTED = 130
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status."""
    take_any_text()
    options = _options(arguments)
    try:
        return _run(options)
    except KeyboardInterrupt:
        OutputConsole(stderr=True).print(f"interrupted: {options.interrupted}")
        return INTERRUPTED
    except BrokenPipeError:
        silence(sys.stdout)
        return SOMETHING_FAILED
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        silence(sys.stdout)
        return _not_done(
            f"the output cannot be written: its disk is full ({error.strerror})", SOMETHING_FAILED
        )


def _run(options: argparse.Namespace) -> int:
    """The command's exit status, also where it could not be done."""
    try:
        # Results go to standard output, everything on the way to standard error.
        _log_at(wanted_level(options))
        return int(options.run(options))
    except ConfigurationError as error:
        return _settings_wrong(error, as_json=getattr(options, "json", False))
    except HalfDone as error:
        if not options.json:
            return _not_done(error, SETTINGS_WRONG)
        print_json({"error": str(error), "run_id": error.run_id})
        return SETTINGS_WRONG
    except (FolderUnusable, UnreadableDocument) as error:
        return _not_done(error, SETTINGS_WRONG)
    except (BusError, RunConflict, UnknownRun, Paused, StorageError) as error:
        return _not_done(error, SOMETHING_FAILED)


def _not_done(why: object, status: int) -> int:
    text = Text.assemble(("not done: ", "bold red"), inert(why))
    OutputConsole(stderr=True).print(text, soft_wrap=True)
    return status


def parser() -> Parser:
    """All that can be typed."""
    parser, commands = command_line()
    # Beside the display of a run's progress there is room for warnings only, unless details are wanted.
    parser.set_defaults(log_level="WARNING", interrupted="the same command goes on where this one stopped")
    local_commands.add_commands(commands)
    rules_commands.add_commands(commands)
    try_commands.add_commands(commands)
    remote.add_commands(commands)
    completion.add_command_to(commands)
    return parser


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What was typed. Ends the process where that cannot be."""
    known = parser()
    completion.complete(known)
    options, unknown = known.parse_known_args(arguments)
    if unknown:
        options.parser.refuse(unknown)
    if options.run is None:
        known.error(f"which command? {PROGRAM} --help lists them; {PROGRAM} demo shows what it does")
    return options


def _settings_wrong(error: ConfigurationError, *, as_json: bool) -> int:
    problems: list[dict[str, Any]] = [{"setting": p.setting, "problem": p.text} for p in error.problems]
    if as_json:
        print_json({"error": "settings are wrong", "problems": problems})
    else:
        console = OutputConsole(stderr=True)
        console.print("[bold red]The settings are wrong:[/bold red]")
        for problem in error.problems:
            where = f" (in {FILE_NAME})" if is_of_file(problem.setting, Path.cwd()) else ""
            console.print(Text(f"  {inert(problem)}{where}"), soft_wrap=True)
    return SETTINGS_WRONG


def wanted_level(options: argparse.Namespace) -> str:
    """What the options say goes before LOG_LEVEL; else the command's level, unless LOG_LEVEL is DEBUG."""
    level = log_level(local_environment(Path.cwd()))
    if options.quiet:
        return "ERROR"
    if options.verbose:
        return min(level, "INFO", key=LEVELS.index)
    return level if level == "DEBUG" else max(level, options.log_level, key=LEVELS.index)


def _log_at(level: str) -> None:
    handler = _log_handler()
    handler.setFormatter(ReadableFormatter())
    handler.addFilter(_is_worth_a_line)
    logging.basicConfig(level=level, handlers=[handler])


def _log_handler() -> logging.Handler:
    if sys.stderr is None or not sys.stderr.isatty():
        return LogLines()
    return RichHandler(console=log_console(), show_path=False, markup=False, log_time_format="%H:%M:%S")


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """All that we say, and the libraries' warnings."""
    return record.levelno >= logging.WARNING or record.name.split(".")[0] in OUR_LOGGERS
