"""What a release that does not exist yet adds to documents and messages: members that nobody here knows."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from shared.storage.bus import Message
from shared.storage.documents import from_json, to_json
from shared.sync import paths

ADDED = {"added_later": {"by": "a newer release", "values": [1, 2]}}
MAPS = tuple(map(paths.lookup, ("roles", "asset_types")))
"""Documents without members: names or ids with a value each, among which nothing can be added."""
LISTS = ("changes", "outcomes", "targets", "problems", "looks")
"""Members that hold a list of records."""


def with_unknown_members(path: str, data: bytes) -> bytes:
    """The document with a member more in itself and in each record that it lists; other texts as they are."""
    if ".json" not in path or not data or path in MAPS:
        return data
    value = from_json(data)
    return to_json(_extended(value)) if isinstance(value, dict) else data


def message_with_unknown_members(message: Message) -> Message:
    """The message with members more in its body."""
    return replace(message, body=json.dumps({**json.loads(message.body), **ADDED}))


def _extended(value: dict[str, Any]) -> dict[str, Any]:
    more = {**value, **ADDED}
    for name in LISTS:
        if isinstance(value.get(name), list):
            more[name] = [{**one, **ADDED} if isinstance(one, dict) else one for one in value[name]]
    entities = value.get("entities")
    if isinstance(entities, dict):
        more["entities"] = {name: {**status, **ADDED} for name, status in entities.items()}
    if isinstance(value.get("request"), dict):
        more["request"] = {**value["request"], **ADDED}
    return more
