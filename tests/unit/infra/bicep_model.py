"""What is in a Bicep file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Expr(str):
    """An expression, as text."""


@dataclass(frozen=True)
class Loop:
    """`[for variable in over: body]`"""

    variable: str
    over: Any
    body: Any


@dataclass
class Resource:
    """A resource. `type` is whole, also of one that is nested in another; `version` is its API version.
    `condition` and `loop` are None where there is none."""

    symbol: str
    type: str
    version: str
    existing: bool
    body: dict[str, Any]
    condition: Expr | None = None
    loop: Loop | None = None
    parent: Resource | None = None
    children: list[Resource] = field(default_factory=list)


@dataclass
class Module:
    """A module that a file uses: its path, and the parameters that it gets."""

    symbol: str
    path: str
    params: dict[str, Any]
    condition: Expr | None


@dataclass
class File:
    """A Bicep file."""

    path: Path
    params: dict[str, tuple[str, Any, list[str]]] = field(default_factory=dict)
    """Type, default (None: required) and decorators by name."""
    variables: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    resources: list[Resource] = field(default_factory=list)
    modules: list[Module] = field(default_factory=list)

    def resource(self, symbol: str) -> Resource:
        """The one resource of that symbol that has no parent."""
        (found,) = (one for one in self.resources if one.symbol == symbol and one.parent is None)
        return found

    def of_type(self, type_name: str) -> list[Resource]:
        """All resources of that type that the file makes."""
        return [one for one in self.resources if one.type == type_name and not one.existing]
