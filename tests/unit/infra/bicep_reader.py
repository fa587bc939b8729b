"""The reader of Bicep files: as much of the language as `infra/` uses, and an error for the rest."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.unit.infra.bicep_model import Expr, File, Loop, Module, Resource

CONTINUES = ("?", ":", ".", "&&", "||", "==", "+")
CLOSING = {"(": ")", "[": "]", "{": "}"}
NAME = re.compile(r"[A-Za-z_]\w*")
RESOURCE = re.compile(r"resource (\w+) '([^']+)' (existing )?= ")
MODULE = re.compile(r"module (\w+) '([^']+)' = ")
VALUE = re.compile(r"(var|param|output) (\w+) ?")


class Reader:
    """Reads one file: `Reader(path).file()`."""

    def __init__(self, path: Path, text: str | None = None) -> None:
        self._file = File(path)
        self._text = path.read_text() if text is None else text
        self._at = 0

    def file(self) -> File:
        decorators: list[str] = []
        while self._skip():
            if self._peek("@"):
                decorators.append(self._expression())
                continue
            self._statement(decorators)
            decorators = []
        return self._file

    def _statement(self, decorators: list[str]) -> None:
        if self._peek("resource "):
            self._file.resources += self._resource(None)
        elif found := self._match(MODULE):
            condition, body = self._conditional()
            self._file.modules.append(Module(found[1], found[2], _module_params(body), condition))
        elif found := self._match(VALUE):
            self._value_statement(found[1], found[2], decorators)
        elif any(self._peek(word) for word in ("targetScope ", "import ", "type ", "func ", "metadata ")):
            self._rest_of_statement()
        else:
            raise self._error()

    def _value_statement(self, kind: str, name: str, decorators: list[str]) -> None:
        if kind == "var":
            self._take("= ")
            self._file.variables[name] = self._value()
            return
        match = self._match(re.compile(r"[^=\n]+"))
        if match is None:
            raise self._error()
        value = None
        if self._peek("="):
            self._take("= ")
            value = self._value()
        if kind == "param":
            self._file.params[name] = (match[0].strip(), value, decorators)
        else:
            self._file.outputs[name] = value

    def _resource(self, parent: Resource | None) -> list[Resource]:
        found = self._match(RESOURCE)
        if found is None:
            raise self._error()
        type_name, _, version = found[2].partition("@")
        if parent is not None:
            type_name, version = f"{parent.type}/{type_name}", version or parent.version
        made = Resource(found[1], type_name, version, bool(found[3]), {}, parent=parent)
        condition, body = self._conditional()
        made.condition = condition
        if isinstance(body, Loop):
            made.loop, body = body, body.body
        made.body = body
        made.children = body.pop("__resources__", [])
        for child in made.children:
            child.parent = made
            child.type = f"{type_name}/{child.type.removeprefix(type_name + '/')}"
            child.version = child.version or version
        return [made, *made.children]

    def _conditional(self) -> tuple[Expr | None, Any]:
        if self._peek("if ("):
            self._take("if ")
            condition = Expr(self._bracketed()[1:-1])
            self._skip()
            return condition, self._value()
        return None, self._value()

    def _value(self) -> Any:
        self._skip()
        start = self._at
        if self._peek("{"):
            value: Any = self._object()
        elif self._peek("["):
            value = self._array()
        else:
            return _literal(self._expression())
        # `[a, b][0]` or `{...} ? ...` would be an expression after all.
        if self._continues():
            self._at = start
            return Expr(self._expression())
        return value

    def _object(self) -> dict[str, Any]:
        self._take("{")
        made: dict[str, Any] = {}
        while self._skip() and not self._peek("}"):
            if self._peek("..."):
                self._take("...")
                made.setdefault("...", []).append(Expr(self._expression()))
            elif self._peek("resource "):
                made.setdefault("__resources__", []).extend(self._resource(None))
            elif self._peek("@"):
                self._expression()
            else:
                key = self._key()
                self._take(":")
                made[key] = self._value()
            self._separator()
        self._take("}")
        return made

    def _key(self) -> str:
        if self._peek("'"):
            return self._string()[1:-1]
        found = self._match(NAME)
        if found is None:
            raise self._error()
        return found[0]

    def _array(self) -> list[Any] | Loop:
        self._take("[")
        self._skip()
        if self._peek("for "):
            found = self._match(re.compile(r"for (\(\w+, \w+\)|\w+) in "))
            if found is None:
                raise self._error()
            over = self._array() if self._peek("[") else Expr(self._expression(ends=":"))
            self._take(":")
            loop = Loop(found[1], over, self._value())
            self._skip()
            self._take("]")
            return loop
        made = []
        while self._skip() and not self._peek("]"):
            made.append(self._value())
            self._separator()
        self._take("]")
        return made

    def _expression(self, ends: str = "") -> str:
        """Up to the end of the line, a comma, a closing bracket or `ends`, outside of brackets."""
        start = self._at
        while self._at < len(self._text):
            character = self._text[self._at]
            if character == "'":
                self._string()
            elif character in CLOSING:
                self._bracketed()
            elif character in ")]},\n" or (ends and character in ends) or self._peek("//"):
                if character != "\n" or not self._continues():
                    break
                self._skip()
            else:
                self._at += 1
        text = self._text[start : self._at].strip()
        if not text:
            raise self._error()
        return re.sub(r"\s+", " ", text)

    def _continues(self) -> bool:
        """Whether what stands here goes on, here or in the next line."""
        ahead = self._text[self._at :].lstrip(" \n")
        same_line = self._text[self._at :].lstrip(" ")
        return (ahead.startswith(CONTINUES) and not ahead.startswith("...")) or same_line.startswith("[")

    def _bracketed(self) -> str:
        start, closing = self._at, CLOSING[self._text[self._at]]
        self._at += 1
        while not self._peek(closing):
            if self._at >= len(self._text):
                raise self._error()
            if self._peek("'"):
                self._string()
            elif self._peek("//"):
                self._at = self._text.index("\n", self._at)
            elif self._text[self._at] in CLOSING:
                self._bracketed()
            else:
                self._at += 1
        self._at += 1
        return self._text[start : self._at]

    def _string(self) -> str:
        start = self._at
        self._at += 1
        while not self._peek("'"):
            if self._peek("\n") or self._at >= len(self._text):
                raise self._error()
            if self._peek("\\"):
                self._at += 2
            elif self._peek("${"):
                self._at += 1
                self._bracketed()
            else:
                self._at += 1
        self._at += 1
        return self._text[start : self._at]

    def _rest_of_statement(self) -> None:
        """A declaration that tests do not look at: to the next one."""
        found = re.compile(r"\n(?=@|var |param |type |func |import |module |resource |output |$)").search(
            self._text, self._at
        )
        self._at = found.end() if found else len(self._text)

    def _separator(self) -> None:
        while self._at < len(self._text) and self._text[self._at] in " ,":
            self._at += 1

    def _skip(self) -> bool:
        """Blanks and comments; whether anything is left."""
        found = re.compile(r"(\s|//[^\n]*)*").match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._at < len(self._text)

    def _peek(self, text: str) -> bool:
        return self._text.startswith(text, self._at)

    def _take(self, text: str) -> None:
        if not self._peek(text):
            raise self._error()
        self._at += len(text)

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        if found:
            self._at = found.end()
        return found

    def _error(self) -> SyntaxError:
        line = self._text.count("\n", 0, self._at) + 1
        return SyntaxError(f"{self._file.path.name}:{line}: {self._text[self._at : self._at + 40]!r}")


def _module_params(body: Any) -> dict[str, Any]:
    inner = body.body if isinstance(body, Loop) else body
    params: dict[str, Any] = inner.get("params", {})
    return params


def _literal(text: str) -> Any:
    if re.fullmatch(r"'[^'$\\]*'", text):
        return text[1:-1]
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    if text in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[text]
    return Expr(text)
