"""Emptying the cache by the names of its listings."""

from __future__ import annotations

from typing import Literal, get_args

from shared.storage.cache import Cache

CacheName = Literal["graph_users", "samsara_drivers", "samsara_vehicles"]
CACHED: tuple[CacheName, ...] = get_args(CacheName)
"""The listings that are cached (`sync/planning/reader.py`)."""

ALL = "all"


def empty_cache(cache: Cache, name: str) -> int:
    """Forget a listing, or all; returns how many were there. Raises CacheError while Redis is away."""
    return cache.clear_cache(None if name == ALL else name)
