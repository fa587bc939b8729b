"""What `infra/` deploys for given parameters, as far as its choices go."""

from __future__ import annotations

from typing import Any

from tests.unit.infra.bicep import Expr, File, Module, read
from tests.unit.infra.bicep_values import value_of

SIZES = ("small", "private", "slots", "container")
WITH_PRIVATE_ENDPOINTS = ("private", "slots", "container")
PEERING = {"kind": "peering", "hubNetworkId": "/hub", "useHubGateway": True}
VPN = {"kind": "vpn", "deviceAddress": "203.0.113.10", "addressPrefixes": ["192.168.10.0/24"]}


class Scope:
    """A file with values for its parameters: what a name in it is worth."""

    def __init__(self, file: File, given: dict[str, Any]) -> None:
        self.file = file
        self.given = given
        assert given.keys() <= file.params.keys()

    def name(self, name: str) -> Any:
        """The value of a parameter or variable."""
        if name in self.given:
            return self.given[name]
        default = self.file.params[name][1] if name in self.file.params else self.file.variables.get(name)
        if default is None:
            raise KeyError(f"{self.file.path.name}: {name} is not known here")
        return self.value(default)

    def value(self, value: Any) -> Any:
        """A value as it stands in the file, computed where it is an expression."""
        if isinstance(value, Expr):
            return value_of(value, self.name)
        if isinstance(value, list):
            return [self.value(one) for one in value]
        if isinstance(value, dict):
            return {key: self.value(one) for key, one in value.items()}
        return value

    def holds(self, condition: Expr | None) -> bool:
        """Whether a condition is fulfilled; none is."""
        return condition is None or bool(self.value(condition))

    def module(self, symbol: str) -> Module | None:
        """The module of that symbol, None where the condition keeps it out."""
        (found,) = (one for one in self.file.modules if one.symbol == symbol)
        return found if self.holds(found.condition) else None

    def modules(self) -> set[str]:
        """The symbols of the modules that are deployed."""
        return {one.symbol for one in self.file.modules if self.holds(one.condition)}

    def inner(self, symbol: str, **computed: Any) -> Scope:
        """A module's own scope. `computed` are parameters that come from resources: there are none here."""
        module = self.module(symbol)
        assert module is not None, f"{symbol} is not deployed"
        target = read(module.path if module.path.startswith("modules/") else f"modules/{module.path}")
        given = {}
        for name, value in module.params.items():
            if name in computed:
                given[name] = computed[name]
                continue
            try:
                given[name] = self.value(value)
            except (SyntaxError, KeyError):
                continue  # outputs and names of resources
        return Scope(target, given)


def deployment(size: str | None = None, **parameters: Any) -> Scope:
    """The whole deployment; a size of None is the default."""
    if size is not None:
        parameters["size"] = size
    if size == "container":
        parameters.setdefault("containerImage", "r.azurecr.io/safetyamp-sync:1")
    return Scope(read("main.bicep"), {"environmentName": "prod", **parameters})
