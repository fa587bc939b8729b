"""The one decoder of documents: JSON into the values that the code works with, or one typed error.

Known members only: a document of a newer release may have more. A member that is missing has the default of
its class; one without a default, and one of a wrong type, makes the document unreadable. Errors name members
and types, never values.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from shared.errors import UnreadableDocument

T = TypeVar("T")
Convert = Callable[[Any], Any]

WORDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    NoneType: "null",
}


def _moment(text: str) -> None:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("no zone")  # nobody can say how long ago it was


Time = Annotated[str, _moment]
"""A moment in ISO 8601, with its zone. What follows the type in an `Annotated` is called with the value, and
raises ValueError when it is none."""


class _Wrong(Exception):
    """`where` are the names and places that lead to what is wrong, the innermost first."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.where: list[str] = []


def decode(kind: type[T], value: Any, path: str) -> T:
    """The JSON `value` of the document at `path` as a `kind`: a dataclass, a TypedDict (which comes back as
    the dictionary that it is, with all members), or a type made of lists, tuples, dictionaries, unions,
    literals and plain values. Raises UnreadableDocument."""
    try:
        return cast(T, _converter(cast("Hashable", kind))(value))
    except _Wrong as error:
        place = ".".join(reversed(error.where))
        raise UnreadableDocument(path, f"{place}: {error}" if place else str(error)) from None


@cache
def _converter(kind: Any) -> Convert:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in (Any, object):
        return _anything
    if is_dataclass(kind):
        return _dataclass(kind)
    if is_typeddict(kind):
        return _typed_dict(kind)
    if origin is Literal:
        return _literal(arguments)
    if origin in (Union, UnionType):
        return _union(arguments)
    if origin is Annotated:
        return _checked(_converter(arguments[0]), arguments[1])
    if origin is list:
        return _list(_converter(arguments[0]))
    if origin is tuple:
        return _tuple(arguments)
    if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return _dict(*map(_converter, arguments))
    return _plain(kind)


def _anything(value: Any) -> Any:
    return value


def _taken(kind: Any) -> frozenset[Any]:
    """The types of which every value is right for `kind` as it is; empty where that depends on the value."""
    if get_origin(kind) in (Union, UnionType):
        return frozenset().union(*map(_taken, get_args(kind)))
    if kind is float:
        return frozenset((int, float))  # a whole number may stand where any number may
    # A bool is an int to Python, but not here.
    return frozenset((kind,)) if kind in WORDS else frozenset()


def _plain(kind: type) -> Convert:
    taken = _taken(kind)

    def convert(value: Any) -> Any:
        if type(value) not in taken:
            raise _Wrong(_instead(WORDS[kind], value))
        return value

    return convert


def _checked(inner: Convert, check: Convert) -> Convert:
    def convert(value: Any) -> Any:
        inner(value)
        try:
            check(value)
        except ValueError:
            raise _Wrong("is not what this version writes") from None
        return value

    return convert


def _literal(allowed: tuple[Any, ...]) -> Convert:
    def convert(value: Any) -> Any:
        if not isinstance(value, str | int) or value not in allowed:
            raise _Wrong("is none of what this version knows")
        return value

    return convert


def _union(kinds: tuple[Any, ...]) -> Convert:
    converters = [_converter(kind) for kind in kinds]
    taken = frozenset().union(*map(_taken, kinds))

    def convert(value: Any) -> Any:
        if type(value) in taken:
            return value
        first: _Wrong | None = None
        for converter in converters:
            try:
                return converter(value)
            except _Wrong as error:
                first = first or error
        assert first is not None
        raise first

    return convert


def _list(item: Convert) -> Convert:
    def convert(value: Any) -> list[Any]:
        if type(value) is not list:
            raise _Wrong(_instead(WORDS[list], value))
        known: list[Any] = []
        try:
            for one in value:
                known.append(item(one))
        except _Wrong as error:
            error.where.append(str(len(known)))
            raise
        return known

    return convert


def _tuple(kinds: tuple[Any, ...]) -> Convert:
    """JSON has no tuples: a list is read as one of any length."""
    convert = _list(_converter(kinds[0]))
    return lambda value: tuple(convert(value))


def _dict(key: Convert, item: Convert) -> Convert:
    def convert(value: Any) -> dict[Any, Any]:
        if type(value) is not dict:
            raise _Wrong(_instead(WORDS[dict], value))
        if item is _anything:
            return value  # the rows of a large listing are not copied
        known = {}
        for name, one in value.items():
            kept = key(name)
            try:
                known[kept] = item(one)
            except _Wrong as error:
                error.where.append("*")  # names of members may be keys of people
                raise
        return known

    return convert


def _dataclass(kind: Any) -> Convert:
    hints = get_type_hints(kind, include_extras=True)
    members = [
        (
            one.name,
            _taken(hints[one.name]),
            _converter(hints[one.name]),
            one.default is MISSING and one.default_factory is MISSING,
        )
        for one in fields(kind)
    ]

    def convert(value: Any) -> Any:
        if type(value) is not dict:
            raise _Wrong(_instead(WORDS[dict], value))
        known = {}
        for name, taken, converter, needed in members:
            if name in value:
                one = value[name]
                known[name] = one if type(one) in taken else _inside(converter, one, name)
            elif needed:
                raise _Wrong(f"has no {name}")
        return kind(**known)

    return convert


def _typed_dict(kind: Any) -> Convert:
    hints = get_type_hints(kind, include_extras=True)
    members = [(name, _taken(hint), _converter(hint)) for name, hint in hints.items()]
    needed: frozenset[str] = kind.__required_keys__

    def convert(value: Any) -> Any:
        if type(value) is not dict:
            raise _Wrong(_instead(WORDS[dict], value))
        if not needed <= value.keys():
            raise _Wrong(f"has no {min(needed - value.keys())}")
        known = value.copy()
        for name, taken, converter in members:
            if name in value and type(one := value[name]) not in taken:
                known[name] = _inside(converter, one, name)
        return known

    return convert


def _inside(convert: Convert, value: Any, name: str) -> Any:
    try:
        return convert(value)
    except _Wrong as error:
        error.where.append(name)
        raise


def _instead(wanted: str, value: Any) -> str:
    return f"{wanted} was expected and {WORDS.get(type(value), 'something else')} is there"
