"""From typed payloads to desired content: None means absent, and a default never replaces a value."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from shared.sync.entities import cleaning
from shared.sync.findings.causes import Cause, Reason
from shared.sync.model import Desired, FieldValues

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Payload = TypeVar("Payload", bound="DataclassInstance")
Value = TypeVar("Value")


def present(payload: DataclassInstance) -> FieldValues:
    """The payload's fields that have a value."""
    names = _names(type(payload))
    return {name: value for name in names if (value := getattr(payload, name)) is not None}


@cache
def _names(kind: type[DataclassInstance]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def desired(key: str, compared: Payload, defaults: Payload, notes: Notes) -> Desired:
    """`compared` is sent and compared; of `defaults` only what `compared` lacks, and only on creation."""
    wanted = present(compared)
    create_only = {name: value for name, value in present(defaults).items() if name not in wanted}
    return Desired(key, wanted, create_only, warnings=tuple(notes.warnings))


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
