"""Copies of JSON values."""

from __future__ import annotations

from typing import Any


def copied(value: Any) -> Any:
    """A copy that shares no list and no dictionary with `value`; several times as fast as `deepcopy`, which
    looks for what a JSON value cannot hold."""
    if type(value) is list:
        return [copied(one) for one in value]
    if type(value) is not dict:
        return value
    new = value.copy()
    for name, one in value.items():
        if type(one) is dict or type(one) is list:
            new[name] = copied(one)
    return new
