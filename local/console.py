"""Where results are written, and texts that a terminal can take."""

from __future__ import annotations

import unicodedata
from typing import Any

from rich.console import Console

PIPE_WIDTH = 120


def result_console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """Standard output; without a terminal rich assumes 80 columns, too few for the table of counts."""
    console = Console(stderr=stderr, quiet=quiet)
    return console if console.is_terminal else Console(stderr=stderr, quiet=quiet, width=PIPE_WIDTH)


def inert(value: Any) -> str:
    """One line of text in which nothing moves a terminal's cursor or turns its text around: control and
    format characters are spelled."""
    return "".join(_spelled(char) for char in str(value))


def _spelled(char: str) -> str:
    category = unicodedata.category(char)
    return char.encode("unicode_escape").decode() if category in ("Cc", "Cf", "Cs", "Zl", "Zp") else char
