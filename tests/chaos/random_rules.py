"""Rules at random: what a seed's operator restricts once and for all, and what is changed in mid-run."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from shared.sync.model import ACTIONS, Action
from shared.sync.rules.fields import Owner

OUTSIDE_GROUP = 2
"""The payroll group that a scope leaves out: every fifth person's (`local/company/people.py`)."""
SITE_TEXT = " (site)"
"""How the names of sites end under some versions."""
PHONES = (("CellPhone", "Phone"), ("Phone", "CellPhone"), ("Phone",))
SCOPED, PILOTED, ONLY_REPORTED = 0.7, 0.1, 1 / 7
STREET_OWNERS: tuple[tuple[Owner, float], ...] = (
    ("safetyamp", 0.7),
    ("source", 0.1),
    ("create", 0.1),
    ("nobody", 0.1),
)
MOST_PROTECTED = 3
OF_THE_PILOT = 0.4


@dataclass(frozen=True)
class Restrictions:
    """What is the same in all versions of a seed. `pilot` None: everybody takes part."""

    protected: frozenset[str]
    is_scoped: bool
    pilot: frozenset[str] | None
    street: Owner
    reported: frozenset[Action]


@dataclass(frozen=True)
class Version:
    """What is another one from version to version. `phones`: the columns of the mobile phone, in their order;
    the rest: whose a field is, or whether something of default.toml is otherwise."""

    phones: tuple[str, ...]
    names: bool
    clears: bool
    city: Owner
    middle_name: Owner
    site_city: Owner
    site_text: bool
    last_day: str
    lead_days: int


def draw_restrictions(dice: random.Random, numbers: Collection[str]) -> Restrictions:
    """`numbers` are those of all who may be protected, or take part in a pilot."""
    ordered = sorted(numbers)
    owners, shares = zip(*STREET_OWNERS, strict=True)
    is_piloted = dice.random() < PILOTED
    return Restrictions(
        protected=frozenset(dice.sample(ordered, dice.randint(1, MOST_PROTECTED))),
        is_scoped=dice.random() < SCOPED,
        pilot=frozenset(dice.sample(ordered, round(len(ordered) * OF_THE_PILOT))) if is_piloted else None,
        street=dice.choices(owners, shares)[0],
        reported=frozenset(action for action in ACTIONS if dice.random() < ONLY_REPORTED),
    )


def draw_version(dice: random.Random) -> Version:
    """One version's changeable part."""
    return Version(
        phones=dice.choice(PHONES),
        names=dice.random() < 0.5,
        clears=dice.random() < 0.5,
        city=dice.choice(("source", "create")),
        middle_name=dice.choice(("source", "nobody")),
        site_city=dice.choice(("source", "safetyamp")),
        site_text=dice.random() < 0.3,
        last_day=dice.choice(("off", "worked")),
        lead_days=dice.randint(0, 3),
    )


def text_of(restrictions: Restrictions, version: Version) -> str:
    """The file."""
    return "\n".join(_lines(restrictions, version)) + "\n"


def _lines(restrictions: Restrictions, version: Version) -> Iterator[str]:
    yield "version = 1"
    if restrictions.is_scoped:
        yield from ("[[employees.scope]]", 'name = "Not the agency"')
        yield f'all = [{{ column = "PRGroup", is_not = {OUTSIDE_GROUP} }}]'
    if restrictions.protected:
        yield from ("[[employees.protect]]", 'reason = "break-glass"')
        yield f"keys = {_list(restrictions.protected)}"
    if restrictions.pilot is not None:
        yield from ("[employees.pilot]", f"keys = {_list(restrictions.pilot)}")
    yield "[employees.actions]"
    yield from (f'{action} = "report"' for action in sorted(restrictions.reported))
    yield from ("[employees.people]", f'last_day = "{version.last_day}"')
    yield f"hire_lead_days = {version.lead_days}"
    clean, empty = ', clean = "names"' * version.names, ', empty = "clear"' * version.clears
    yield from (
        "[employees.fields]",
        f'first_name = {{ from = "FirstName"{clean} }}',
        f'last_name = {{ from = "LastName"{clean} }}',
        f'middle_name = {{ from = "MidName", owner = "{version.middle_name}" }}',
        f'street = {{ from = "Address", owner = "{restrictions.street}" }}',
        f'street2 = {{ from = "Address2"{empty} }}',
        f'city = {{ from = "City", owner = "{version.city}" }}',
        f"mobile_phone = {{ from = {_list(version.phones, in_order=True)} }}",
        "[jobs.fields]",
        f'name = {{ text = "{{Job}} - {{Description}}{SITE_TEXT * version.site_text}" }}',
        f'city = {{ from = "ShipCity", default = "Unknown", owner = "{version.site_city}" }}',
    )


def _list(values: Collection[str], *, in_order: bool = False) -> str:
    ordered = values if in_order else sorted(values)
    return "[{}]".format(", ".join(f'"{value}"' for value in ordered))
