"""The faults: what a slip of the hand makes of a comparison, a condition, a number, a statement.

Texts are left alone (most are prose), and so are annotations, decorators and protocols, which do nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

Edit = tuple[int, int, bytes]

OTHER_OPERATOR = {
    ast.Eq: (b"==", b"!="),
    ast.NotEq: (b"!=", b"=="),
    ast.Lt: (b"<", b"<="),
    ast.LtE: (b"<=", b"<"),
    ast.Gt: (b">", b">="),
    ast.GtE: (b">=", b">"),
    ast.Is: (b"is", b"is not"),
    ast.IsNot: (b"is not", b"is"),
    ast.In: (b"in", b"not in"),
    ast.NotIn: (b"not in", b"in"),
    ast.And: (b"and", b"or"),
    ast.Or: (b"or", b"and"),
    ast.Add: (b"+", b"-"),
    ast.Sub: (b"-", b"+"),
    ast.Mult: (b"*", b"//"),
    ast.Div: (b"/", b"*"),
    ast.FloorDiv: (b"//", b"*"),
}
OTHER_FUNCTION = {"max": b"min", "min": b"max", "any": b"all", "all": b"any"}


@dataclass(frozen=True)
class Mutant:
    """A file with one fault: `new` instead of the bytes from `start` to `end`."""

    path: str
    start: int
    end: int
    new: bytes
    in_function: bool
    """Elsewhere, and in a cached function, the tests that ran the line are not all that depend on it."""

    def applied_to(self, source: bytes) -> bytes:
        """The file with the fault."""
        return source[: self.start] + self.new + source[self.end :]

    def lines(self, source: bytes) -> range:
        """The numbers of the lines that it changes."""
        return range(source.count(b"\n", 0, self.start) + 1, source.count(b"\n", 0, self.end) + 2)


def mutants_of(path: str, source: bytes) -> list[Mutant]:
    """All mutants of a file, in the order of the code. A few are no Python (see `is_another_program`)."""
    finder = _Finder(path, source)
    finder.visit(ast.parse(source))
    return finder.found


def is_another_program(mutant: Mutant, source: bytes) -> bool:
    """Whether Python reads it, and as something else than the original."""
    try:
        return ast.dump(ast.parse(mutant.applied_to(source))) != ast.dump(ast.parse(source))
    except SyntaxError:
        return False


class _Finder(ast.NodeVisitor):
    def __init__(self, path: str, source: bytes) -> None:
        self.path = path
        self.source = source
        self.found: list[Mutant] = []
        self._line_starts = [0, *(at.end() for at in re.finditer(rb"\n", source))]
        self._depth = 0

    def visit(self, node: ast.AST) -> None:
        for kind in (self._operators, self._values, self._statements, self._conditions):
            for start, end, new in kind(node):
                self.found.append(Mutant(self.path, start, end, new, in_function=self._depth > 0))
        super().visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.visit(node.args)
        is_cached = any("cache" in ast.unparse(one) for one in node.decorator_list)
        self._depth += not is_cached
        self._visit_all(node.body)
        self._depth -= not is_cached

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if not any("Protocol" in ast.unparse(base) for base in node.bases):
            self._visit_all(node.body)

    def visit_arg(self, node: ast.arg) -> None:
        pass

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._visit_all([node.value] if node.value else [])

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Before Python 3.12 its parts do not say where they are."""

    def _visit_all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def _operators(self, node: ast.AST) -> Iterator[Edit]:
        match node:
            case ast.Compare(left=left, ops=ops, comparators=others):
                for one, op, other in zip([left, *others], ops, others, strict=False):
                    yield from self._with_other_operator(one, op, other)
            case ast.BoolOp(op=op, values=values):
                for one, other in pairwise(values):
                    yield from self._with_other_operator(one, op, other)
            case ast.BinOp(left=left, op=op, right=right):
                yield from self._with_other_operator(left, op, right)
            case ast.UnaryOp(op=ast.Not()):
                start, _ = self._place(node)
                yield start, start + len(b"not "), b""

    def _values(self, node: ast.AST) -> Iterator[Edit]:
        match node:
            case ast.Constant(value=bool(value)):
                yield *self._place(node), str(not value).encode()
            case ast.Constant(value=int(value) | float(value)):
                yield *self._place(node), str(value + 1).encode()
            case ast.Call(func=ast.Name(id=name) as function) if name in OTHER_FUNCTION:
                yield *self._place(function), OTHER_FUNCTION[name]
            case ast.Return(value=ast.expr() as value):
                yield *self._place(value), b"None"

    def _statements(self, node: ast.AST) -> Iterator[Edit]:
        match node:
            case ast.Break():
                yield *self._place(node), b"continue"
            case ast.Continue():
                yield *self._place(node), b"break"
            case ast.Raise() | ast.AugAssign() | ast.Delete() | ast.Expr(value=ast.Call()):
                yield *self._place(node), b"pass"
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
                yield *self._place(node), b"pass"

    def _conditions(self, node: ast.AST) -> Iterator[Edit]:
        match node:
            case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
                yield from self._negated(test)
            case ast.comprehension(ifs=tests):
                for test in tests:
                    yield from self._negated(test)

    def _with_other_operator(self, one: ast.expr, op: ast.AST, other: ast.expr) -> Iterator[Edit]:
        old, new = OTHER_OPERATOR.get(type(op), (b"", b""))
        start, end = self._place(one)[1], self._place(other)[0]
        if old:
            yield start, end, self.source[start:end].replace(old, new, 1)

    def _negated(self, test: ast.expr) -> Iterator[Edit]:
        """Not where another operator, or no `not`, says nearly the same."""
        if not isinstance(test, ast.Compare | ast.UnaryOp) and ast.unparse(test) != "TYPE_CHECKING":
            start, end = self._place(test)
            yield start, end, b"not (" + self.source[start:end] + b")"

    def _place(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._line_starts[node.lineno - 1] + node.col_offset
        return start, self._line_starts[node.end_lineno - 1] + node.end_col_offset
