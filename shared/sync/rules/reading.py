"""From the text of a `rules.toml` to `Rules`: the default file below it, settings in place of their names."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import resources

from shared.sync.model import JsonValue
from shared.sync.rules.model import Rules

SETTING_MARK = "$"

PlaceHolders = tuple[tuple[str, JsonValue], ...]
"""Settings that a file can name, with their values, in a form that can be a key."""


@cache
def default_text() -> str:
    """The file that ships."""
    return resources.files(__package__).joinpath("default.toml").read_text(encoding="utf-8")


@lru_cache(maxsize=16)
def read_rules(text: str | None, settings: PlaceHolders) -> Rules:
    """The rules of a file over those of the default file; None: the default file alone."""
    merged = tomllib.loads(default_text())
    if text is not None:
        merged = _over(merged, tomllib.loads(text))
    return Rules.model_validate(_with_settings(merged, dict(settings)))


WHOLE = frozenset({"fields"})
"""Tables whose members are replaced as a whole: a field's rule is one thing."""


def _over(
    below: Mapping[str, JsonValue], above: Mapping[str, JsonValue], *, whole: bool = False
) -> dict[str, JsonValue]:
    merged = dict(below)
    for name, value in above.items():
        there = merged.get(name)
        if isinstance(value, Mapping) and isinstance(there, Mapping) and not whole:
            merged[name] = _over(there, value, whole=name in WHOLE)
        else:
            merged[name] = value
    return merged


def _with_settings(value: JsonValue, settings: Mapping[str, JsonValue]) -> JsonValue:
    if isinstance(value, dict):
        found = {name: _with_settings(one, settings) for name, one in value.items()}
        return {name: one for name, one in found.items() if one is not None}
    if isinstance(value, list):
        return [_with_settings(one, settings) for one in value]
    if isinstance(value, str) and value.startswith(SETTING_MARK):
        return settings[value.removeprefix(SETTING_MARK)]
    return value
