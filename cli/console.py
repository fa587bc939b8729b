"""Where results are written, and texts that a terminal can take."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from contextlib import suppress
from typing import IO

from rich.console import Console

PIPE_WIDTH = 120


class OutputConsole(Console):
    """Goes on without a word when nobody reads any more (`| head`): a run is not given up for its display,
    and a thread that logs does not end."""

    def on_broken_pipe(self) -> None:
        """Rich would end the process, or the thread."""
        silence(self.file)


def result_console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """Standard output; without a terminal rich assumes 80 columns, too few for the table of counts."""
    console = OutputConsole(stderr=stderr, quiet=quiet)
    return console if console.is_terminal else OutputConsole(stderr=stderr, quiet=quiet, width=PIPE_WIDTH)


def take_any_text() -> None:
    """A name that the terminal's or pipe's encoding does not have is no reason to end."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def print_json(value: object, text: str | None = None) -> None:
    """One JSON document on standard output, as `text` has it already where the encoding takes that."""
    try:
        written = json.dumps(value, ensure_ascii=False) if text is None else text
        written.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except UnicodeError:
        written = json.dumps(value)
    try:
        print(written, flush=True)
    except BrokenPipeError:
        silence(sys.stdout)


def silence(stream: IO[str]) -> None:
    """Write what still comes to nowhere; also what Python flushes at its end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def inert(value: object) -> str:
    """One line of text in which nothing moves a terminal's cursor or turns its text around: control and
    format characters are spelled."""
    return "".join(_spelled(char) for char in str(value))


def _spelled(char: str) -> str:
    category = unicodedata.category(char)
    return char.encode("unicode_escape").decode() if category in ("Cc", "Cf", "Cs", "Zl", "Zp") else char
