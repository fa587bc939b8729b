"""Titles: the distinct titles of current employees become user titles; never renamed, never deleted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shared.sync.entities import cleaning, payload
from shared.sync.model import Desired, EntityName, Rejected, SourceRecord, Target
from shared.sync.sources import MappingOptions, TitlesSource


@dataclass(frozen=True, slots=True)
class TitlePayload:
    """The one field of a user title."""

    name: str | None = None


class TitlesMapping:
    """Implements EntityMapping over TitlesSource. Case matters: Vista's collation is binary."""

    name: EntityName = "titles"
    version: int = 1

    def __init__(self, options: MappingOptions) -> None:
        self.options = options

    def records(self, source: TitlesSource) -> Iterator[SourceRecord | Rejected]:
        """In the order of the alphabet; facts: the cleaned title. Repeats are what one expects of people
        who share a title, and are one record; all empty titles together are one skipped record."""
        titles = {cleaning.text(title) for title in source.titles}
        if None in titles:
            reason = "people without a title get none: fill the title column (setting VISTA_TITLE_COLUMN)"
            yield Rejected("?", "skipped", reason, "udEmpTitle")
        for title in sorted(title for title in titles if title is not None):
            yield SourceRecord(title, (title,))

    def desired(self, record: SourceRecord, source: TitlesSource) -> Desired | Rejected:  # noqa: ARG002
        """A user title."""
        return payload.desired(record.key, TitlePayload(name=record.key), TitlePayload(), payload.Notes())

    def target(self, row: dict[str, Any]) -> Target | None:
        """The title by its name, cleaned like the source's, so that a stored blank does not make it new."""
        if row.get("deleted_at") is not None:
            return None
        name = cleaning.text(row.get("name"))
        return Target(row["id"], name, {"name": name})

    def match_value(self, record: SourceRecord) -> str | None:  # noqa: ARG002
        """None: the name is the key."""
        return None

    def core(self, existing: dict[str, Any]) -> dict[str, Any]:
        """The name, the only required field."""
        return {"name": existing.get("name")}


def mapping(options: MappingOptions) -> TitlesMapping:
    """The mapping of titles under these settings."""
    return TitlesMapping(options)
