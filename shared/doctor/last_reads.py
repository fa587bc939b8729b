"""How much the last good run read."""

from __future__ import annotations

from shared.storage.documents import Documents
from shared.sync.documents.state import read_state
from shared.sync.model import ENTITIES


def last_counts(documents: Documents) -> dict[str, int]:
    """Sizes of the last good reads by what was read ("Vista employees"); raises StorageError.

    Several entities rest on the same read; the later one of a run's order counts.
    """
    counts: dict[str, int] = {}
    for entity in ENTITIES:
        state = read_state(documents, entity)
        counts.update(state.source_counts if state else {})
    return counts
