"""The guard against accidental mass changes: pure, numbers in, reasons out.

A plan has four parts: who is created, updated, deactivated, reactivated. Each has limits of its own and is
held by itself; a source that nobody should believe holds all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from shared.errors import IncompleteRead
from shared.sync.model import ACTIONS, Action

FEWEST_EXCHANGED = 2
"""One record that goes while another comes is everyday life, however small the company."""

GROWTH_COUNTS_FROM = 50
"""A smaller source may more than double: a new company's first weeks are not held."""

EMPLOYEES_ACCOUNTS = "Microsoft Graph users with an employee's number"
"""No read of its own: of how many employees the accounts are. As many accounts as ever say nothing when their
numbers were cleared or are written otherwise: everybody would count as having none."""

FEWEST_ACCOUNTS = 3
"""Where fewer employees had accounts, none is everyday life."""

WOULD: Mapping[Action, str] = {
    "create": "records would be created",
    "update": "records would be changed",
    "deactivate": "people would be deactivated",
    "reactivate": "people would get access back",
}


@dataclass(frozen=True)
class PartLimits:
    """How many changes of one part a plan may have: `count` of them, `percent` of the entity, and
    `in_24_hours` together with what earlier plans did that nobody approved. None: as many as there are."""

    count: int | None = None
    percent: float | None = None
    in_24_hours: int | None = None
    by_rules: bool = False
    """Whether a rule says so, and not a setting."""


@dataclass(frozen=True)
class GuardLimits:
    """GUARD_MAX_DEACTIVATIONS (people) and GUARD_MAX_PERCENT (of an entity, or of a source), and what they
    mean for each part; a part without limits has as many changes as there are."""

    max_deactivations: int
    max_percent: float
    parts: Mapping[Action, PartLimits] = field(default_factory=dict)


@dataclass(frozen=True)
class Judgement:
    """Why the guard holds a plan: reasons to hold `everything`, and by part those to hold that part alone."""

    everything: list[str] = field(default_factory=list)
    parts: Mapping[Action, list[str]] = field(default_factory=dict)

    def reasons_for(self, action: Action) -> list[str]:
        """Why a change of this part is not applied now; empty when it is."""
        return self.everything + self.parts.get(action, [])


def guard(
    limits: GuardLimits,
    planned: Mapping[str, int],
    *,
    size: int,
    source_counts: Mapping[str, int],
    last_counts: Mapping[str, int],
    approved_counts: Mapping[str, int] | None = None,
    recent: Mapping[str, int] | None = None,
    always: Collection[Action] = (),
) -> Judgement:
    """What to hold until an operator approves it.

    `planned` and `recent` are numbers of changes by action: of this plan, and of the last 24 hours without
    anybody's approval. `size` is that of the entity: records in SafetyAmp, or in the source when SafetyAmp is
    still being filled; the counts are sizes of reads by what was read, now and at the last good run, and see
    `lost_much`. `always` are parts of which a rule says to ask first, whatever their number.
    """
    parts = {
        action: [
            *([f"{count} {WOULD[action]}, and a rule says to ask first"] if action in always else ()),
            *_beyond(
                limits.parts.get(action, PartLimits()), action, count, size, (recent or {}).get(action, 0)
            ),
        ]
        for action in ACTIONS
        if (count := planned.get(action, 0))
    }
    return Judgement(
        lost_much(limits, source_counts, last_counts, approved_counts or {}),
        {action: reasons for action, reasons in parts.items() if reasons},
    )


def _beyond(limits: PartLimits, action: Action, count: int, size: int, recent: int) -> list[str]:
    reasons = []
    most, share, twice = (
        ("the rules allow", "the percentage of the rules is", "by the rules")
        if limits.by_rules
        else ("GUARD_MAX_DEACTIVATIONS is", "GUARD_MAX_PERCENT is", "twice GUARD_MAX_DEACTIVATIONS")
    )
    if limits.count is not None and count > limits.count:
        reasons.append(f"{count} {WOULD[action]}, {most} {limits.count}")
    if limits.percent is not None and count * 100 > limits.percent * size:
        reasons.append(f"{count} of {size} {WOULD[action]}, {share} {limits.percent:g}")
    if limits.in_24_hours is not None and recent and recent + count > limits.in_24_hours:
        reasons.append(
            f"{count} {WOULD[action]} after {recent} in the last 24 hours that nobody approved: together"
            f" {recent + count}, and {limits.in_24_hours} are the limit, {twice}"
        )
    return reasons


def lost_much(
    limits: GuardLimits,
    counts: Mapping[str, int],
    last_counts: Mapping[str, int],
    approved_counts: Mapping[str, int],
) -> list[str]:
    """Which reads are so small that nobody should believe them. `approved_counts` are sizes that somebody
    approved although they were: these are believed, and a tenth of the limit below them, because a company
    goes on; what is still smaller has nobody's word. Accounts go with their employees: as many as may be
    switched off at once are not much, where few have one."""
    reasons = []
    for name, count in counts.items():
        last, approved = last_counts.get(name, 0), approved_counts.get(name)
        if name == EMPLOYEES_ACCOUNTS and last - count <= limits.max_deactivations:
            continue
        believed = approved is not None and (approved - count) * 1000 <= limits.max_percent * approved
        if (last - count) * 100 > limits.max_percent * last and not believed:
            known = f", and {approved} were approved" if approved is not None else ""
            reasons.append(
                f"{name}: {count} records where the last good run read {last}{known}, "
                f"GUARD_MAX_PERCENT is {limits.max_percent:g}"
            )
    return reasons


def keys_exchanged(limits: GuardLimits, *, known: int, vanished: int, created: int) -> list[str]:
    """The reason to hold a plan whose keys look exchanged for others, which would create everything a second
    time: another company is read, or the source was renumbered. Empty when it may go on.

    `known` records the last good runs saw in the source; of these, `vanished` active ones are not in it any
    more, while `created` are new. Beyond GUARD_MAX_DEACTIVATIONS the percentage decides. Fewer than that are
    held when they are half of all: of eight people eight others are not the same eight.
    """
    exchanged = min(vanished, created)
    many = exchanged > limits.max_deactivations and exchanged * 100 > limits.max_percent * known
    if not many and (exchanged < FEWEST_EXCHANGED or exchanged * 2 < known):
        return []
    return [
        f"{vanished} of {known} known keys are not in the source any more and {created} new ones would"
        " be created: the keys look exchanged, and approving creates the records a second time. Check"
        " VISTA_COMPANY (or SAMSARA_API_KEY); if the source was renumbered, give SafetyAmp's records the new"
        f" numbers and run with refresh. GUARD_MAX_PERCENT is {limits.max_percent:g}"
    ]


def source_doubled(name: str, count: int, last: int | None) -> list[str]:
    """The reason to hold a plan whose source has more than doubled since the last good run. Less is growth:
    GUARD_MAX_PERCENT is for what is lost, and would hold every company that hires."""
    if not last or last < GROWTH_COUNTS_FROM or count <= 2 * last:
        return []
    return [
        f"{name}: {count} records where the last good run read {last}, more than twice as many: check"
        " what the source shows, and approve if the company has grown so much"
    ]


LEAVER_IS_ANOTHER_PERSON = (
    "has left, but SafetyAmp's user of this number is another person (other name and other birth date), so"
    " access was not switched off. Give that user the right employee number (emp_id) there and run with"
    " refresh; if it is the same person, mend name or birth date in SafetyAmp or in Vista"
)

LEAVER_SHOWS_ANOTHER = (
    "access of SafetyAmp's user of this number was not switched off: {why}, and other names than this person."
    " Give that user the right employee number (emp_id) there and run with refresh; if it is this person's,"
    " mend the names there, or switch it off there"
)

ANOTHER_PERSON = (
    "the number belongs to another person now (other name and other birth date), so nothing was sent."
    " If Vista gave it to somebody else, give SafetyAmp's user another employee number (emp_id), switch"
    " access off there and run with refresh: the new person is created. If it is the same person, mend"
    " name or birth date in SafetyAmp or in Vista"
)


def refuse_empty(name: str, count: int, last: int | None, advice: str) -> None:
    """An empty source is never "everything left": raises IncompleteRead."""
    if count == 0:
        before = f" (the last good run read {last})" if last else ""
        raise IncompleteRead(f"{name}: the source returned no records{before}; nothing was changed. {advice}")


def refuse_shrunk_listing(name: str, count: int, last: int | None, limits: GuardLimits, path: str) -> None:
    """A listing of SafetyAmp that lost much is not believed: raises IncompleteRead, so that nobody is
    created twice on the strength of "not found". One record is not much where there are few, and a listing
    that lacks it alone takes it from nobody's knowledge."""
    if last and last - count > 1 and (last - count) * 100 > limits.max_percent * last:
        raise IncompleteRead(
            f"SafetyAmp listed {count} {name} where it listed {last} before; nothing was changed. If so many "
            f"were really deleted in SafetyAmp, delete the document {path} and start a run"
        )
