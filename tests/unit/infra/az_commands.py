"""Where scripts, workflows and documentation call `az`, and with which words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.real_parts import PROJECT

CALL = re.compile(r"(?<![\w/.`$-])az (?=[a-z])")
ELISION = {"...", "…"}
ENDS = "|;)&<>`\n"
MESSAGE = re.compile(r'(?:echo|fail) "((?:[^"$]|\$(?!\())*)"')
ARRAY = re.compile(r"\$\{(\w+)\[@\]")


@dataclass(frozen=True)
class Command:
    """The words of a call after `az`. Mentioned, not given in full: without options, or with `...`."""

    place: str
    words: tuple[str, ...]

    @property
    def mentioned(self) -> bool:
        return bool(ELISION & {*self.words}) or not any(word.startswith("-") for word in self.words)

    def given(self) -> list[str]:
        """The words, without `...` where it does not stand for an option's value."""
        before = ("", *self.words)
        return [
            word
            for word, previous in zip(self.words, before, strict=False)
            if word not in ELISION or previous.startswith("-")
        ]


def words_from(text: str) -> Iterator[str]:
    """The words of a shell command at the beginning of `text`, quotes taken off, up to its end."""
    word, quote, depth, at = "", "", 0, 0
    text = text.replace("\\\n", " ")
    while at < len(text):
        char = text[at]
        if depth:
            depth += {"(": 1, ")": -1}.get(char, 0)
            word += char
        elif text.startswith("$(", at) and quote != "'":
            depth, word, at = 1, word + "$(", at + 1
        elif quote:
            quote, word = ("", word) if char == quote else (quote, word + char)
        elif char in "\"'":
            quote = char
        elif char in ENDS or (char == "#" and not word):
            break
        elif char.isspace():
            if word:
                yield word
            word = ""
        else:
            word += char
        at += 1
    if word:
        yield word


def calls(place: str, text: str) -> Iterator[Command]:
    """Each call of `az` in shell text; `${name[@]}` is what the text puts into that array."""
    for found in CALL.finditer(text):
        words: list[str] = []
        for word in words_from(text[found.end() :]):
            array = ARRAY.search(word)
            filled = array and re.search(rf"\b{array[1]}=\(([^)]+)\)", text)
            words += filled[1].split() if filled else [word]
        yield Command(place, tuple(words))


def in_shell(path: Path, text: str) -> Iterator[Command]:
    """Calls of a script or workflow, and those that its messages tell people to give."""
    code = "\n".join("" if line.lstrip().startswith("#") else line for line in text.splitlines())
    messages = MESSAGE.findall(code)
    for part in (MESSAGE.sub("", code), *messages):
        yield from calls(path.name, part)


def in_markdown(path: Path, text: str) -> Iterator[Command]:
    """Calls in blocks and spans of code. A span may go on in the next line of the text."""
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^ *```\w*\n.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    for part in (*blocks, *spans):
        yield from calls(path.name, part)


def in_comments(path: Path, text: str) -> Iterator[Command]:
    """Calls that the comments of a Bicep parameter file name."""
    for comment in re.findall(r"^// (az .+)$", text, re.MULTILINE):
        yield from calls(path.name, comment)


def commands() -> list[Command]:
    """All of them."""
    infra = PROJECT / "infra"
    scripts = [path for path in infra.iterdir() if path.is_file() and path.suffix in ("", ".sh")]
    workflows = (PROJECT / ".github" / "workflows").glob("*.yml")
    documents = [PROJECT / "README.md", infra / "README.md", *(PROJECT / "docs").glob("*.md")]
    readers = [
        (in_shell, [*scripts, *workflows, PROJECT / "azure.yaml"]),
        (in_markdown, documents),
        (in_comments, [infra / "example.bicepparam"]),
    ]
    return [one for read, paths in readers for path in paths for one in read(path, path.read_text())]
