"""The guard against accidental mass changes: pure, numbers in, reasons out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.errors import IncompleteRead


@dataclass(frozen=True)
class GuardLimits:
    """GUARD_MAX_DEACTIVATIONS (people) and GUARD_MAX_PERCENT (of an entity, or of a source)."""

    max_deactivations: int
    max_percent: float


def guard(
    limits: GuardLimits,
    *,
    deactivations: int,
    size: int,
    source_counts: Mapping[str, int],
    last_counts: Mapping[str, int],
    approved_counts: Mapping[str, int] | None = None,
) -> list[str]:
    """Reasons to hold a plan until an operator approves it; empty when it may go on.

    `size` is that of the entity: records in SafetyAmp, or in the source when SafetyAmp is still being
    filled; the counts are sizes of reads by what was
    read, now and at the last good run, and see `lost_much`.
    """
    reasons = []
    if deactivations > limits.max_deactivations:
        reasons.append(
            f"{deactivations} people would be deactivated, "
            f"GUARD_MAX_DEACTIVATIONS is {limits.max_deactivations}"
        )
    if deactivations and deactivations * 100 > limits.max_percent * size:
        reasons.append(
            f"{deactivations} of {size} people would be deactivated, "
            f"GUARD_MAX_PERCENT is {limits.max_percent:g}"
        )
    return [*reasons, *lost_much(limits, source_counts, last_counts, approved_counts or {})]


def lost_much(
    limits: GuardLimits,
    counts: Mapping[str, int],
    last_counts: Mapping[str, int],
    approved_counts: Mapping[str, int],
) -> list[str]:
    """Which reads are so small that nobody should believe them. `approved_counts` are sizes that somebody
    approved although they were: these are believed, and a tenth of the limit below them, because a company
    goes on; what is still smaller has nobody's word."""
    reasons = []
    for name, count in counts.items():
        last, approved = last_counts.get(name, 0), approved_counts.get(name)
        believed = approved is not None and (approved - count) * 1000 <= limits.max_percent * approved
        if (last - count) * 100 > limits.max_percent * last and not believed:
            known = f", and {approved} were approved" if approved is not None else ""
            reasons.append(
                f"{name}: {count} records where the last good run read {last}{known}, "
                f"GUARD_MAX_PERCENT is {limits.max_percent:g}"
            )
    return reasons


def refuse_empty(name: str, count: int, last: int | None, advice: str) -> None:
    """An empty source is never "everything left": raises IncompleteRead."""
    if count == 0:
        before = f" (the last good run read {last})" if last else ""
        raise IncompleteRead(f"{name}: the source returned no records{before}; nothing was changed. {advice}")


def refuse_shrunk_listing(name: str, count: int, last: int | None, limits: GuardLimits, path: str) -> None:
    """A listing of SafetyAmp that lost much is not believed: raises IncompleteRead, so that nobody is
    created twice on the strength of "not found"."""
    if last and (last - count) * 100 > limits.max_percent * last:
        raise IncompleteRead(
            f"SafetyAmp listed {count} {name} where it listed {last} before; nothing was changed. If so many "
            f"were really deleted in SafetyAmp, delete the document {path} and start a run"
        )
