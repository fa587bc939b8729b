"""What a request may say: parameters and bodies, checked before anything is done with them.

Unknown parameters are refused: with `mod=plan` instead of `mode=plan` a run would change things.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

import azure.functions as func

from functions.responses import BadRequest, Problem
from shared.queries.openapi.requests import LINE_PATTERN, LONGEST_LINE, MOST_KEYS
from shared.queries.run_index import RUN_ID
from shared.sync.model import ENTITIES, EntityName

Name = TypeVar("Name", bound=str)

LARGEST_BODY_BYTES = 64 * 1024
LINE = re.compile(LINE_PATTERN.removesuffix("$") + r"\Z")
LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
"""Half of a character: JSON can spell it, nothing can store it."""
KEY_PARAMETERS = frozenset({"code", "clientId"})
"""Where the Functions host looks for its own key; not ours to judge."""


class Params:
    """The query parameters of a request; raises BadRequest for names that are not `allowed`."""

    def __init__(self, req: func.HttpRequest, *allowed: str) -> None:
        self._given: Mapping[str, str] = req.params
        if unknown := sorted(set(self._given) - set(allowed) - KEY_PARAMETERS):
            known = ", ".join(allowed) or "none"
            raise BadRequest(f"unknown parameter {shortened(unknown[0])}; this operation has: {known}")

    def text(self, name: str) -> str | None:
        """One line of text, None when the parameter is absent; an empty one is refused: `key=` must not mean
        every record."""
        value = self._given.get(name)
        return None if value is None else one_line(value, name)

    def choice(self, name: str, choices: Sequence[Name], default: Name | None = None) -> Name | None:
        """One of the choices."""
        value = self._given.get(name)
        if value is None:
            return default
        if value not in choices:
            raise BadRequest(f"{name} must be one of: {', '.join(choices)}")
        return cast(Name, value)

    def flag(self, name: str, default: bool) -> bool:
        """true or false."""
        value = self._given.get(name)
        if value is None:
            return default
        if value.lower() not in ("true", "false"):
            raise BadRequest(f"{name} must be true or false")
        return value.lower() == "true"

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number from 1 to `most`."""
        value = self._given.get(name)
        if value is None:
            return default
        is_number = value.isascii() and value.isdigit() and len(value) <= len(str(most))
        if not is_number or not 1 <= int(value) <= most:
            raise BadRequest(f"{name} must be a whole number from 1 to {most}")
        return int(value)

    def run(self, name: str) -> str | None:
        """A run's id as a cursor."""
        value = self.text(name)
        if value is not None and not RUN_ID.fullmatch(value):
            raise BadRequest(f"{name} must be the `next` of a page before")
        return value

    def moment(self, name: str) -> datetime | None:
        """A time; one without a time zone is UTC."""
        value = self._given.get(name)
        if value is None:
            return None
        try:
            found = datetime.fromisoformat(value)
            # Not every time that can be written can be written in UTC: the first hours of year 1 cannot.
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            raise BadRequest(f"{name} must be a time such as 2026-01-31T12:00:00Z") from None


def next_page(req: func.HttpRequest, path: str, cursor: str | None) -> dict[str, str]:
    """The header that leads to the next page of what is no JSON; none when there is none."""
    if cursor is None:
        return {}
    asked = {name: value for name, value in req.params.items() if name not in KEY_PARAMETERS}
    return {"Link": f'<{path}?{urlencode({**asked, "cursor": cursor})}>; rel="next"'}


def json_body(
    req: func.HttpRequest,
    *allowed: str,
    most_bytes: int = LARGEST_BODY_BYTES,
    hint: str = "Send fewer keys at a time.",
) -> dict[str, Any]:
    """The body, a JSON object with no other members than `allowed`; {} for an empty one."""
    data = req.get_body()
    if len(data) > most_bytes:
        detail = f"the body has {len(data)} bytes, at most {most_bytes} are taken"
        raise Problem(413, "Too large", detail, hint)
    if not data.strip():
        return {}
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON") from None
    if not isinstance(value, dict):
        raise BadRequest("the body must be a JSON object")
    if unknown := sorted(set(value) - set(allowed)):
        raise BadRequest(f"unknown member {shortened(unknown[0])}; the body may have: {', '.join(allowed)}")
    return value


def one_line(value: Any, name: str) -> str:
    """A text of one line, not empty."""
    is_line = isinstance(value, str) and LINE.search(value) and not LONE_SURROGATE.search(value)
    if not is_line or len(value) > LONGEST_LINE:
        raise BadRequest(f"{name} must be one line of 1 to {LONGEST_LINE} characters")
    return cast(str, value)


def key_of(value: Any) -> str:
    """A record's key: any line of text. It is only ever compared, and never part of a path."""
    return one_line(value, "key")


def keys_of(value: Any) -> tuple[str, ...]:
    """A list of keys."""
    if not isinstance(value, list) or not 0 < len(value) <= MOST_KEYS:
        raise BadRequest(f"keys must be a list of 1 to {MOST_KEYS} keys")
    return tuple(dict.fromkeys(key_of(key) for key in value))


def entity_of(value: Any) -> EntityName:
    """One entity."""
    if value not in ENTITIES:
        raise BadRequest(f"the entity must be one of: {', '.join(ENTITIES)}")
    return cast(EntityName, value)


def entities_of(value: Any) -> tuple[EntityName, ...]:
    """One entity, or all."""
    if value == "all":
        return ENTITIES
    if value not in ENTITIES:
        raise BadRequest(f"the entity must be all, {', '.join(ENTITIES)}")
    return (cast(EntityName, value),)


def route(req: func.HttpRequest, name: str) -> str:
    """A part of the request's path."""
    return req.route_params.get(name) or ""


def run_id_of(req: func.HttpRequest) -> str:
    """The run that the path names."""
    run_id = route(req, "run_id")
    if not RUN_ID.fullmatch(run_id):
        hint = "GET /api/runs lists the runs that are kept."
        raise BadRequest("a run id looks like 20260131-120000-0a1b2c", hint)
    return run_id


def shortened(text: str) -> str:
    """For a message: what somebody made up may be long, and may be anything."""
    return repr(text if len(text) <= 50 else text[:50] + "...")
