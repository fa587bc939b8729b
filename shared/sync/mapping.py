"""What every entity's mapping can do; one module per entity in `sync/entities/` does it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from shared.sync.model import ApiRow, Desired, EntityName, FieldValues, Rejected, Source, SourceRecord, Target
from shared.sync.sources import MappingOptions

if TYPE_CHECKING:
    from shared.sync.rules.model import EntityRules


class EntityMapping(Protocol):
    """The pure part of an entity."""

    name: EntityName

    @property
    def options(self) -> MappingOptions:
        """The settings and rules under which it maps."""
        ...

    @property
    def rules(self) -> EntityRules:
        """What the operator's rules say of this entity."""
        ...

    more_columns: tuple[str, ...]
    """Columns that are read only because the rules name them."""
    version: int
    """Raised whenever the mapping's result for an unchanged record changes: digests include it."""

    def records(self, source: Source) -> Iterator[SourceRecord | Rejected]:
        """Source records in the order in which they should be applied; Rejected for rows without a usable
        key and for keys that occur twice (a guess would be needed)."""
        ...

    def desired(self, record: SourceRecord) -> Desired | Rejected:
        """The mapping of one record."""
        ...

    def target(self, row: ApiRow) -> Target | None:
        """A row of SafetyAmp's listing, normalised; None when it is not of this entity's business."""
        ...

    def match_value(self, record: SourceRecord) -> str | None:
        """The alternative match value of a source record, if the entity has one."""
        ...

    def core(self, existing: FieldValues) -> FieldValues:
        """The fields that every update must repeat (required on PUT and PATCH), from the existing record."""
        ...
