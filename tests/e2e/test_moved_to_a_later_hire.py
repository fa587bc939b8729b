"""Somebody has left, and their user already has the number of a hire that is yet to come."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from local.company.model import vista_date
from shared.sync import paths
from tests.e2e.people_rig import NewRig, PeopleRig, new_rig, rig
from tests.e2e.rig import START

__all__ = ["NewRig", "new_rig", "rig"]

IN_SPRING = vista_date(START.date() + timedelta(days=100))
REQUESTS: list[dict[str, Any]] = [{}, {"refresh": True}, {}]


def off_or_told(rig: PeopleRig) -> None:
    """After each run: whoever has left is without access, or the report says that they have it."""
    for request in REQUESTS:
        ran = rig.run(**request)
    told = rig.reasons(ran, 1001) + rig.reasons(ran, 2001)
    assert not rig.user(2001)["system_access"] or "still has access" in told


@pytest.mark.parametrize("listed", ["before the last day", "after it"])
def test_because_the_same_person_comes_back_under_it(rig: PeopleRig, listed: str) -> None:
    """Laid off until spring; IT gives the user its new number early, as the product advises."""
    rig.hired(2001, LastName="Worker1001", HireDate=IN_SPRING)
    rig.company.graph_users.remove(rig.account(2001))
    rig.by_hand(1001, emp_id="2001")
    if listed == "before the last day":
        rig.run(refresh=True)
    rig.leaves(1001)
    if listed == "after it":
        rig.run(refresh=True)
    off_or_told(rig)


@pytest.mark.parametrize("lost", ["the birth date there", "the state"])
def test_because_it_was_mistyped(rig: PeopleRig, lost: str) -> None:
    """And nothing but other names shows it."""
    rig.hired(2001, FirstName="Zed", LastName="Zimmer", BirthDate="1999-09-09 00:00:00", HireDate=IN_SPRING)
    rig.by_hand(1001, emp_id="2001")
    rig.leaves(1001)
    if lost == "the state":
        rig.documents.delete(paths.state("employees"))
    else:
        rig.by_hand(2001, date_of_birth=None)
    rig.run(refresh=True)
    off_or_told(rig)
