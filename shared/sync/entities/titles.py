"""Titles: the distinct titles of current employees become user titles; never renamed, never deleted.

Spellings that differ in case, spaces or width only are one title. Its key is what they have in common; the
name is sent on creation only, so that a title of SafetyAmp's in another spelling is this title and stays as
it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from shared.sync.entities import cleaning
from shared.sync.entities.keys import best_spelling, title_key
from shared.sync.findings.causes import TITLE_MISSING, TITLE_UNUSABLE
from shared.sync.model import ApiRow, Desired, EntityName, FieldValues, Rejected, SourceRecord, Target, id_of
from shared.sync.sources import MappingOptions, TitlesSource


class TitlesMapping:
    """Implements EntityMapping over TitlesSource."""

    name: EntityName = "titles"
    version: int = 2

    def __init__(self, options: MappingOptions) -> None:
        self.options = options
        self.rules = options.rules.titles
        self.more_columns: tuple[str, ...] = ()

    def records(self, source: TitlesSource) -> Iterator[SourceRecord | Rejected]:
        """In the order of the alphabet; facts: the spelling that is sent. Repeats are what one expects of
        people who share a title, and are one record; all empty titles together are one skipped record."""
        spellings: dict[str, Counter[str]] = {}
        empty = unusable = False
        for stored in source.titles:
            key, name = title_key(stored), cleaning.text(stored)
            if key is not None and name is not None:
                spellings.setdefault(key, Counter())[name] += 1
            elif cleaning.is_given(stored):
                unusable = True
            else:
                empty = True
        column = self.rules.column
        if empty:
            reason = f"people without a title get none: fill {column} (setting VISTA_TITLE_COLUMN)"
            yield Rejected("?", "skipped", reason, column, cause=TITLE_MISSING)
        if unusable:
            reason = f"{column} (setting VISTA_TITLE_COLUMN) of somebody is no text: mend it in Vista's bPREH"
            yield Rejected("? (no text)", "invalid", reason, column, cause=TITLE_UNUSABLE)
        for key in sorted(spellings):
            yield SourceRecord(key, (best_spelling(spellings[key]),))

    def desired(self, record: SourceRecord) -> Desired | Rejected:
        """A user title."""
        return Desired(record.key, {}, {"name": record.facts[0]})

    def target(self, row: ApiRow) -> Target | None:
        """The title by its name, in the form that all its spellings have in common."""
        if row.get("deleted_at") is not None:
            return None
        name = cleaning.text(row.get("name"))
        return Target(id_of(row), title_key(name), {"name": name})

    def match_value(self, record: SourceRecord) -> str | None:  # noqa: ARG002
        """None: the name is as good as the key."""
        return None

    def core(self, existing: FieldValues) -> FieldValues:
        """The name, the only required field."""
        return {"name": existing.get("name")}


def mapping(options: MappingOptions) -> TitlesMapping:
    """The mapping of titles under these settings."""
    return TitlesMapping(options)
