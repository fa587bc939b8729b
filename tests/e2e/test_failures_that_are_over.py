"""A refusal that the source has taken back is no failure any more."""

from __future__ import annotations

import pytest

from shared.queries.failures import failure_groups
from tests.e2e.people_rig import YESTERDAY, NewRig, PeopleRig, new_rig, rig
from tests.e2e.rig import Ran

__all__ = ["NewRig", "new_rig", "rig"]


def run(rig: PeopleRig, **request: bool) -> Ran:
    rig.clock.advance(3600)  # the newest run is told by its time
    return rig.run(**request)


def test_is_not_among_the_failures_when_the_record_is_as_it_should_be(rig: PeopleRig) -> None:
    rig.moves(1002, City="X" * 300)
    assert run(rig).entity("employees")["failed"] == 1
    rig.moves(1002, City="Houma")
    for request in ({}, {"refresh": True}, {}):
        ran = run(rig, **request)
        assert (ran.entity("employees")["unchanged"], rig.reasons(ran, 1002)) == (10, "")
        assert failure_groups(rig.documents)["total"] == 0


@pytest.mark.parametrize("how", ["left", "purged"])
def test_nor_where_nothing_is_to_be_made_any_more(rig: PeopleRig, how: str) -> None:
    """Somebody new whom SafetyAmp refused has left before it took them, or is not in the payroll any more."""
    rig.hired(2001, FirstName="X" * 300)
    assert run(rig).entity("employees")["failed"] == 1
    assert failure_groups(rig.documents)["total"] == 1
    if how == "left":
        rig.moves(2001, TermDate=YESTERDAY)
    else:
        rig.company.tables["bPREH"].remove(rig.person(2001))
        rig.publish()
    for request in ({}, {"refresh": True}):
        run(rig, **request)
        assert failure_groups(rig.documents)["total"] == 0
