"""Where results are written, and texts that a terminal can take."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import unicodedata
from contextlib import suppress
from typing import IO, TextIO

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

PIPE_WIDTH = 120


class OutputConsole(Console):
    """Goes on without a word when nobody reads any more (`| head`): a run is not given up for its display,
    and a thread that logs does not end."""

    def on_broken_pipe(self) -> None:
        """Rich would end the process, or the thread."""
        silence(self.file)


TERMINAL = OutputConsole()
"""Results and log have one console where both go to the terminal, or the log would run across a table that
moves; each its own where one of them goes elsewhere."""


def log_console() -> Console:
    """Where the log goes, in a terminal."""
    return TERMINAL if TERMINAL.is_terminal else OutputConsole(stderr=True)


def result_console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """Standard output; without a terminal rich assumes 80 columns, too few for the table of counts."""
    if not stderr and not quiet and TERMINAL.is_terminal:
        return TERMINAL
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


def say(console: Console, text: str | Text, indent: int = 0) -> None:
    """One line in a pipe; in a terminal as many as it takes, broken between words, the later ones `indent`
    columns further in."""
    line = Text(text) if isinstance(text, str) else text
    if not console.is_terminal:
        console.print(line, soft_wrap=True, highlight=False)
        return
    for number, part in enumerate(line.wrap(console, max(console.width - indent, 20))):
        part.rstrip()
        console.print(Padding(part, (0, 0, 0, indent if number else 0), expand=False), highlight=False)


class LogLines(logging.StreamHandler[TextIO]):
    """The log where no terminal is: an event is a line, however long, for whatever reads it."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%H:%M:%S", time.localtime(record.created))
        text = " | ".join(super().format(record).splitlines())
        return f"{at} {record.levelname:<8} {inert(text)}"

    def handleError(self, record: logging.LogRecord) -> None:
        """That nobody reads any more is no reason to end, nor to say so."""
        if isinstance(sys.exception(), BrokenPipeError):
            silence(self.stream)
        else:
            super().handleError(record)


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
