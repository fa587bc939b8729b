"""What the rules keep from being done: to records that are protected, and of actions that are only told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.sync.documents.change import Change
from shared.sync.entities import cleaning
from shared.sync.entities.keys import normal_key
from shared.sync.findings.causes import ONLY_REPORTED, PROTECTED, Reason
from shared.sync.model import EntityName, FieldValues, JsonValue

if TYPE_CHECKING:
    from shared.sync.rules.model import EntityRules


class Withholding:
    """The rules of one entity, as far as they keep changes from being sent."""

    def __init__(self, entity: EntityName, rules: EntityRules) -> None:
        self._actions = rules.actions
        self._keys = {normal_key(entity, key): one.reason for one in rules.protect for key in one.keys or ()}
        self._emails = {
            cleaning.email_text(email): one.reason for one in rules.protect for email in one.emails or ()
        }

    def why(self, change: Change, *targets: FieldValues) -> Reason | None:
        """Why a change is not sent, with what it would have been; None when it is. `targets`: what the
        records in SafetyAmp show that it concerns."""
        what = f"it would {change.action} ({', '.join(change.fields)})"
        for fields in targets or ({},):
            if (reason := self._protection(change.key, fields)) is not None:
                return Reason(f"protected by the rules ({reason}): {what}", PROTECTED)
        if self._actions.of(change.action) == "report":
            return Reason(f"the rules have {change.action} only reported: {what}", ONLY_REPORTED)
        return None

    def why_kept(self, key: str | None, fields: FieldValues) -> str | None:
        """Why nothing of a record is given to another one: that is an update."""
        if (reason := self._protection(key, fields)) is not None:
            return f"protected by the rules ({reason})"
        return "the rules have update only reported" if self._actions.update == "report" else None

    def protects(self, email: JsonValue) -> bool:
        """Whether an address is one of those that are never written."""
        return bool(self._emails) and cleaning.email_text(email) in self._emails

    def _protection(self, key: str | None, fields: Mapping[str, JsonValue]) -> str | None:
        by_key = self._keys.get(key) if key is not None else None
        return by_key or (
            self._emails.get(cleaning.email_text(fields.get("email"))) if self._emails else None
        )
