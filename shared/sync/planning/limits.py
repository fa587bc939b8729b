"""The guard's limits: from settings, in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.sync.planning.guard import GuardLimits, PartLimits

if TYPE_CHECKING:
    from shared.config import Settings

IN_24_HOURS = 2
"""Times what one plan may do: a second wave on the same day passes, a third one is asked for."""


def limits_of(settings: Settings) -> GuardLimits:
    """The limits of an entity. Access that is given back has those of access that is taken: a source that was
    restored from yesterday's backup must not let a crowd in again by itself. What is new or changed has none:
    a company that hires hires, and what a wrong source would create has a source that doubled."""
    count, percent = settings.guard_max_deactivations, settings.guard_max_percent
    access = PartLimits(count, percent, IN_24_HOURS * count)
    return GuardLimits(count, percent, {"deactivate": access, "reactivate": access})
