"""What is told of the fields of one record while they are made."""

from __future__ import annotations

from typing import TypeVar

from shared.sync.entities import cleaning
from shared.sync.findings.causes import Cause, Reason

Value = TypeVar("Value")


class Notes:
    """Collects the warnings of one record while its fields are cleaned."""

    def __init__(self) -> None:
        self.warnings: list[Reason] = []

    def warn(self, warning: str, cause: Cause) -> None:
        """Add a text for the report; no personal data."""
        self.warnings.append(Reason(warning, cause))

    def kept(self, field: str, cleaned: Value | None, raw: object, rule: str, cause: Cause) -> Value | None:
        """`cleaned`, with a warning when `raw` holds something that did not survive cleaning."""
        if cleaned is None and cleaning.is_given(raw):
            self.warn(f"{field} dropped: {rule}", cause)
        return cleaned

    def kept_text(self, field: str, raw: object, cause: Cause) -> str | None:
        """The cleaned text, with a warning when there is something that is none."""
        return self.kept(field, cleaning.text(raw), raw, "no text", cause)
