"""On which line of a TOML text each key stands: `tomllib` says it of mistakes in the form only."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from contextlib import suppress

Path = tuple[str | int, ...]
"""Keys and, for the members of lists, their numbers from 0."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANK_OF_LINE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
_PLAIN_VALUE = re.compile(r"[^,\]}#\n]+")


def line_numbers(text: str) -> dict[Path, int]:
    """The line, from 1, on which each key, table and member of a list begins, where it can be told.

    For a text that `tomllib` reads; of any other, whatever was found up to where it stops making sense.
    """
    scanner = _Scanner(text)
    with suppress(_Lost, RecursionError):
        scanner.read()
    return scanner.found


def line_of(found: dict[Path, int], path: Path) -> int | None:
    """The line of a path, or of the nearest thing around it."""
    for end in range(len(path), 0, -1):
        if (line := found.get(path[:end])) is not None:
            return line
    return None


class _Lost(Exception):
    """The text is no TOML, or the scanner does not know enough of it."""


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Path, int] = {}
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._last_of: dict[Path, int] = {}
        """Of every [[list]]: the number of its last table so far."""

    def read(self) -> None:
        """All of the text."""
        table: Path = ()
        self._skip(_BLANK)
        while self.at < len(self.text):
            if self._take("[["):
                table = self._header(of_list=True)
            elif self._take("["):
                table = self._header(of_list=False)
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self, *, of_list: bool) -> Path:
        start = self.at
        path: Path = ()
        keys = self._keys()
        for number, key in enumerate(keys, 1):
            path = (*path, key)
            if of_list and number == len(keys):
                self.found.setdefault(path, self._line(start))
                self._last_of[path] = self._last_of.get(path, -1) + 1
            if path in self._last_of:
                path = (*path, self._last_of[path])
            self.found.setdefault(path, self._line(start))
        self._need("]]" if of_list else "]")
        return path

    def _pair(self, table: Path) -> None:
        start = self.at
        path = table
        for key in self._keys():
            path = (*path, key)
            self.found.setdefault(path, self._line(start))
        self._need("=")
        self._skip(_BLANK_OF_LINE)
        self._value(path)

    def _value(self, path: Path) -> None:
        if self._take("["):
            self._list(path)
        elif self._take("{"):
            self._inline_table(path)
        elif self._skip(_STRING) is None and self._skip(_PLAIN_VALUE) is None:
            raise _Lost

    def _list(self, path: Path) -> None:
        number = 0
        self._skip(_BLANK)
        while not self._take("]"):
            member = (*path, number)
            self.found[member] = self._line(self.at)
            self._value(member)
            number += 1
            self._skip(_BLANK)
            if not self._take(","):
                self._need("]")
                return
            self._skip(_BLANK)

    def _inline_table(self, path: Path) -> None:
        self._skip(_BLANK)
        while not self._take("}"):
            self._pair(path)
            self._skip(_BLANK)
            if not self._take(","):
                self._need("}")
                return
            self._skip(_BLANK)

    def _keys(self) -> list[str]:
        """`a."b c".d`."""
        keys: list[str] = []
        while True:
            self._skip(_BLANK_OF_LINE)
            if (quoted := self._skip(_STRING)) is not None:
                keys.append(_unquoted(quoted))
            elif (bare := self._skip(_BARE_KEY)) is not None:
                keys.append(bare)
            else:
                raise _Lost
            self._skip(_BLANK_OF_LINE)
            if not self._take("."):
                return keys

    def _skip(self, pattern: re.Pattern[str]) -> str | None:
        match = pattern.match(self.text, self.at)
        if match is None:
            return None
        self.at = match.end()
        return match[0]

    def _take(self, sign: str) -> bool:
        if not self.text.startswith(sign, self.at):
            return False
        self.at += len(sign)
        return True

    def _need(self, sign: str) -> None:
        if not self._take(sign):
            raise _Lost

    def _line(self, at: int) -> int:
        return bisect_left(self._ends, at) + 1


def _unquoted(quoted: str) -> str:
    try:
        key: str = tomllib.loads(f"key = {quoted}")["key"]
    except tomllib.TOMLDecodeError as error:
        raise _Lost from error
    return key
