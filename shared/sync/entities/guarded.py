"""Every record is mapped under its own guard: what nobody foresaw in one costs that one, never its entity."""

from __future__ import annotations

import logging

from shared.sync.findings.causes import UNEXPECTED_DATA
from shared.sync.mapping import EntityMapping
from shared.sync.model import ApiRow, Desired, Rejected, SourceRecord, Target, id_of

logger = logging.getLogger(__name__)


def desired_of(mapping: EntityMapping, record: SourceRecord) -> Desired | Rejected:
    """The mapping of one record, rejected when the mapping fails."""
    try:
        return mapping.desired(record)
    except Exception:
        logger.exception("%s %s cannot be mapped", mapping.name, record.key)
        return unexpected(record.key)


def unexpected(key: str) -> Rejected:
    """For a record whose data made the program fail."""
    return Rejected(
        key,
        "invalid",
        "unexpected data that the sync cannot map, see the log: mend this record in the source, and tell us",
        cause=UNEXPECTED_DATA,
    )


def target_of(mapping: EntityMapping, row: ApiRow) -> Target | None:
    """A row of SafetyAmp's listing; one whose mapping fails is there all the same (`Target.readable`)."""
    try:
        return mapping.target(row)
    except Exception:
        logger.exception("%s %s of SafetyAmp cannot be read", mapping.name, row.get("id"))
        return Target(id_of(row), None, {}, readable=False)
