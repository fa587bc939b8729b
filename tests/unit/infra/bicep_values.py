"""What expressions of Bicep are worth: as much of the language as the choices of `infra/` need."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

TOKEN = re.compile(r"\s*('(?:[^'\\]|\\.)*'|\d+|[A-Za-z_]\w*|&&|\|\||[=!<>]=|\.\?|[-+*<>!?:.,()\[\]{}])")
NAME = re.compile(r"[A-Za-z_]\w*")
LEVELS = (("||",), ("&&",), ("==", "!="), ("<", ">", "<=", ">="), ("+", "-"), ("*",))
OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "||": lambda left, right: left or right,
    "&&": lambda left, right: left and right,
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "<=": lambda left, right: left <= right,
    ">=": lambda left, right: left >= right,
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
}


class Refused(Exception):
    """`fail('...')`: Azure would refuse the deployment with this text."""


def _fail(text: str) -> Any:
    raise Refused(text)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "contains": lambda where, what: what in where,
    "concat": lambda *lists: [item for one in lists for item in one],
    "empty": lambda value: not value,
    "fail": _fail,
    "join": lambda items, separator: separator.join(items),
    "last": lambda items: items[-1],
    "length": len,
    "resourceId": lambda kind, name: f"/subscriptions/s/resourceGroups/g/providers/{kind}/{name}",
    "split": lambda text, separator: text.split(separator),
    "string": str,
    "take": lambda items, count: items[:count],
}


def value_of(text: str, names: Callable[[str], Any]) -> Any:
    """The value of an expression; `names` gives those of parameters and variables. Operators and choices
    look at no more than they must, as in Azure. Raises SyntaxError for what it does not know."""
    reader = _Expression(text)
    found = reader.choice()
    reader.ends()
    return found(names)


Node = Callable[[Callable[[str], Any]], Any]


class _Expression:
    """Reads an expression into functions of the names."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = TOKEN.findall(text)
        if re.sub(r"\s", "", "".join(self._tokens)) != re.sub(r"\s", "", text):
            raise SyntaxError(f"not understood: {text}")
        self._at = 0

    def ends(self) -> None:
        if self._at != len(self._tokens):
            raise SyntaxError(f"not understood: {self._text}")

    def choice(self) -> Node:
        condition = self._binary(0)
        if not self._take("?"):
            return condition
        yes = self.choice()
        self._must(":")
        no = self.choice()
        return lambda names: yes(names) if condition(names) else no(names)

    def _binary(self, level: int) -> Node:
        if level == len(LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while (sign := self._peek()) in LEVELS[level]:
            self._at += 1
            left = _applied(sign, left, self._binary(level + 1))
        return left

    def _unary(self) -> Node:
        if self._take("!"):
            inner = self._unary()
            return lambda names: not inner(names)
        node = self._primary()
        while True:
            if self._take(".") or self._take(".?"):
                node = _member(node, self._next())
            elif self._take("["):
                node = _item(node, self.choice())
                self._must("]")
            else:
                return node

    def _primary(self) -> Node:
        token = self._next()
        if token.startswith("'") and "${" not in token:
            text = token[1:-1].replace("\\'", "'")
            return lambda names: text
        if token.isdigit():
            return lambda names: int(token)
        if token in ("true", "false", "null"):
            return lambda names: {"true": True, "false": False, "null": None}[token]
        if token == "(":
            inner = self.choice()
            self._must(")")
            return inner
        if token == "[":
            items = self._list("]")
            return lambda names: [item(names) for item in items]
        if token == "{":
            return self._object()
        if not NAME.fullmatch(token):
            raise SyntaxError(f"not understood: {self._text}")
        if self._take("("):
            return _called(token, self._list(")"))
        return lambda names: names(token)

    def _object(self) -> Node:
        made: dict[str, Node] = {}
        while not self._take("}"):
            key = self._next().strip("'")
            self._must(":")
            made[key] = self.choice()
            self._take(",")
        return lambda names: {key: node(names) for key, node in made.items()}

    def _list(self, closing: str) -> list[Node]:
        items = []
        while not self._take(closing):
            items.append(self.choice())
            self._take(",")
        return items

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        self._at += 1
        if self._at > len(self._tokens):
            raise SyntaxError(f"not understood: {self._text}")
        return str(self._tokens[self._at - 1])

    def _take(self, token: str) -> bool:
        taken = self._peek() == token
        self._at += taken
        return taken

    def _must(self, token: str) -> None:
        if not self._take(token):
            raise SyntaxError(f"{token} is missing: {self._text}")


def _applied(sign: str, left: Node, right: Node) -> Node:
    if sign == "&&":
        return lambda names: left(names) and right(names)
    if sign == "||":
        return lambda names: left(names) or right(names)
    return lambda names: OPERATORS[sign](left(names), right(names))


def _member(node: Node, name: str) -> Node:
    return lambda names: node(names)[name]


def _item(node: Node, index: Node) -> Node:
    return lambda names: node(names)[index(names)]


def _called(name: str, arguments: list[Node]) -> Node:
    if name not in FUNCTIONS:
        raise SyntaxError(f"no such function: {name}")
    return lambda names: FUNCTIONS[name](*(argument(names) for argument in arguments))
