"""What commands and options may be: what cannot be ends the command line with a sentence that names it, and
what was probably meant."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from local.simulators.fault_text import BadFault, fault_of
from shared.version import FULL_VERSION, PROGRAM

if TYPE_CHECKING:
    from local.simulators.faults import Fault

    Commands = argparse._SubParsersAction["Parser"]

LARGEST_PORT = 65535
LARGEST_NUMBER = 10_000_000


def whole_number(least: int, most: int = LARGEST_NUMBER) -> Callable[[str], int]:
    """A whole number of a range, for argparse."""

    def read(text: str) -> int:
        digits = text.strip()
        # Looked at before it is converted: int() also takes other scripts' digits, and underscores.
        if digits.isascii() and digits.isdigit() and len(digits) <= len(str(most)):
            number = int(digits)
            if least <= number <= most:
                return number
        raise argparse.ArgumentTypeError(f"must be a whole number from {least} to {most}, not {text[:20]!r}")

    return read


def seconds(text: str) -> float:
    """A time longer than nothing, and a day at most."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number <= 86_400:
        raise argparse.ArgumentTypeError(f"must be seconds, more than 0 and at most 86400, not {text[:20]!r}")
    return number


def fault(text: str) -> tuple[str, Fault]:
    """What calls of a simulator meet, for argparse."""
    try:
        return fault_of(text)
    except BadFault as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def new_file(text: str) -> Path:
    """A file that can be written once the work is done: its folder is there."""
    path = Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"is in a folder that does not exist: {str(path.parent)!r}")
    return path


def write_private(path: Path, content: bytes) -> None:
    """Write a file that nobody else may read. Raises OSError."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that names what was probably meant. Options have to be written out: what begins like
    --key must not be taken for it."""

    def __init__(self, **how: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **how)

    def add_alias(self, name: str, dest: str) -> None:
        """An option's former name: goes on working, and is in no help."""
        self.add_argument(name, dest=dest, help=argparse.SUPPRESS, default=argparse.SUPPRESS)

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """End with what nobody asked for."""
        first = unknown[0].partition("=")[0]
        if not first.startswith("-"):
            self.error(f"{first[:40]!r} is one word too many: quote what has blanks")
        known = (name for name, action in self._option_string_actions.items() if _is_shown(action))
        self.error(f"there is no option {first[:40]}{_meant(first, known)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """What argparse says of a choice, and the nearest one."""
        choices = action.choices
        if choices is None or value in choices:
            return
        known = [str(choice) for choice in choices]
        if isinstance(action, argparse._SubParsersAction):
            text = f"there is no command {value[:40]!r}{_meant(value, known)} ({self.prog} --help lists all)"
            raise argparse.ArgumentError(None, text)
        text = f"{str(value)[:40]!r} is none of {', '.join(known)}{_meant(str(value), known)}"
        raise argparse.ArgumentError(action, text)


def _is_shown(action: argparse.Action) -> bool:
    return action.help != argparse.SUPPRESS


def _meant(word: str, known: Iterable[str]) -> str:
    """Compared without the dashes, which all options share."""
    names = {name.lstrip("-"): name for name in known}
    near = get_close_matches(word.lstrip("-"), names, 1)
    return f", did you mean {names[near[0]]}?" if near else ""


def command_line() -> tuple[Parser, Commands]:
    """The parser, and where commands are added to it."""
    parser = Parser(
        prog=PROGRAM,
        description="SafetyAmp Sync: on this machine, and a running app from here.",
        epilog=f"{PROGRAM} COMMAND --help says more about one, with an example.",
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {FULL_VERSION}")
    # Required by main: argparse would ask for a command before it tells of an unknown option.
    parser.set_defaults(run=None, parser=parser)
    return parser, parser.add_subparsers(metavar="COMMAND")


def add_command(
    commands: Commands,
    name: str,
    about: str,
    example: str,
    *,
    description: str | None = None,
    **defaults: Any,
) -> Parser:
    """A command whose help ends with an example. `defaults` are what main reads of every command: `run`,
    `log_level`, `interrupted`."""
    parser = commands.add_parser(
        name,
        help=about,
        description=description or f"{about[0].upper()}{about[1:]}.",
        epilog=f"example: {PROGRAM} {example}",
    )
    loudness = parser.add_mutually_exclusive_group()
    loudness.add_argument("-q", "--quiet", action="store_true", help="only results and errors")
    loudness.add_argument("-v", "--verbose", action="store_true", help="what is done on the way, too")
    parser.set_defaults(parser=parser, **defaults)
    return parser
