"""Who decides, and why: what every request that changes something may say of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from functions.access import current_caller
from functions.api_input import Params, one_line
from shared.sync.decisions.record import Author

SAYING = ("reason", "who")
"""Parameters of the query and members of the body, which wins."""


@dataclass(frozen=True)
class Said:
    """By whom a decision is, and why."""

    by: Author
    reason: str | None


def said(params: Params, body: Mapping[str, Any] | None = None) -> Said:
    """What the request says; who has signed in is known, whatever is said. Raises BadRequest."""
    body = body or {}
    reason, who = params.text("reason"), params.text("who")
    if "reason" in body:
        reason = one_line(body["reason"], "the reason")
    if "who" in body:
        who = None if body["who"] is None else one_line(body["who"], "who")
    return Said(_author(who), reason)


def _author(stated: str | None) -> Author:
    caller = current_caller()
    if caller is not None and caller.name is not None:
        return Author("entra", caller.name, caller.id)
    return Author("key") if stated is None else Author("stated", stated)
