"""The guard's limits: from settings and rules, in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.sync.model import ACTIONS, Action
from shared.sync.planning.guard import GuardLimits, PartLimits

if TYPE_CHECKING:
    from shared.config import Settings
    from shared.sync.rules.model import EntityRules, Limit

IN_24_HOURS = 2
"""Times what one plan may do: a second wave on the same day passes, a third one is asked for."""


def limits_of(settings: Settings, rules: EntityRules | None = None) -> GuardLimits:
    """The limits of an entity, those of the rules before those of the settings. Access that is given back has
    those of access that is taken: a source that was restored from yesterday's backup must not let a crowd in
    again by itself. What is new or changed has none: a company that hires hires, and what a wrong source
    would create has a source that doubled."""
    count, percent = settings.guard_max_deactivations, settings.guard_max_percent
    access = PartLimits(count, percent, IN_24_HOURS * count)
    parts: dict[Action, PartLimits] = {"deactivate": access, "reactivate": access}
    for action in ACTIONS:
        if rules is not None and (limit := rules.guard.of(action)) is not None:
            parts[action] = _with(parts.get(action, PartLimits()), limit)
    return GuardLimits(count, percent, parts)


def _with(usual: PartLimits, limit: Limit) -> PartLimits:
    """What a rule does not say is as usual; with another count, the usual number for a day goes with it."""
    in_24_hours = limit.in_24_hours
    if in_24_hours is None:
        in_24_hours = usual.in_24_hours if limit.count is None else IN_24_HOURS * limit.count
    return PartLimits(
        usual.count if limit.count is None else limit.count,
        usual.percent if limit.percent is None else limit.percent,
        in_24_hours,
        by_rules=True,
    )
