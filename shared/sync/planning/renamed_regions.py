"""Regions whose cluster hands renamed in SafetyAmp only. Pure."""

from __future__ import annotations

from shared.sync.documents.state import EntityState
from shared.sync.entities import cleaning
from shared.sync.entities.keys import REGION_PREFIX, title_key
from shared.sync.model import Source
from shared.sync.sources import DepartmentsSource


def keep_renamed_regions(state: EntityState, source: Source) -> None:
    """Know such a cluster by its id, in place, as one that has a code is known already: a region's name is
    its key, so that its departments and people would wait for a cluster that is there.

    Not where the source has the new name, too: then the region was renamed, or has become another one.
    """
    if not isinstance(source, DepartmentsSource) or not state.moved:
        return
    wanted = {title_key(name) for row in source.rows if (name := cleaning.text(row.region))}
    for old, (target_id, new) in list(state.moved.items()):
        if new is None or state.target_id(new) != target_id:
            continue
        if _region(old) in wanted and (region := _region(new)) is not None and region not in wanted:
            state.keep_key(old, new)


def _region(key: str) -> str | None:
    return title_key(key.removeprefix(REGION_PREFIX)) if key.startswith(REGION_PREFIX) else None
