"""What became of a change: a value, stored once, merged into the state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Result = Literal[
    "created", "updated", "deactivated", "reactivated", "refused", "failed", "waiting", "gone", "cancelled"
]

RESULTS: tuple[Result, ...] = get_args(Result)

DONE: Mapping[str, Result] = {
    "create": "created",
    "update": "updated",
    "deactivate": "deactivated",
    "reactivate": "reactivated",
}
"""The result of each action when it went well."""


@dataclass
class Outcome:
    """The outcome of one change.

    `fields` is what SafetyAmp took, references resolved. `adopted`: the record of an ambiguous creation was
    found and not created again, and `fields` is what it holds. `unsure`: nobody knows whether the record was
    created. `dropped` are fields that SafetyAmp refused with its texts; the record went without them.
    `errors` are the field errors of a refused record. `reason` is for people.
    """

    key: str
    action: str
    result: Result
    digest: str
    target_id: int | str | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    adopted: bool = False
    unsure: bool = False
    dropped: dict[str, list[str]] = field(default_factory=dict)
    dropped_digests: dict[str, str] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)
    reason: str | None = None
    at: str | None = None

    @property
    def went_well(self) -> bool:
        return self.result in DONE.values()

    def to_json(self) -> dict[str, Any]:
        """The form in documents; absent things are left out, a batch has many outcomes."""
        # vars and not asdict, whose deep copies cost as much as all the rest of applying a change.
        return {name: value for name, value in vars(self).items() if value not in (None, {}, False)}


def outcome_from_json(value: Mapping[str, Any]) -> Outcome:
    """The outcome of a document."""
    return Outcome(**value)
