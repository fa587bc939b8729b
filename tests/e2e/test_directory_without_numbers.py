"""The directory shows all accounts as ever, but none with an employee number any more."""

from __future__ import annotations

import pytest

from tests.e2e.people_rig import NewRig, PeopleRig, new_rig, rig

__all__ = ["NewRig", "new_rig", "rig"]

ALL = range(1001, 1011)


@pytest.mark.parametrize("request_", [{}, {"refresh": True}], ids=["hourly", "nightly"])
def test_gives_nobody_their_private_address(rig: PeopleRig, request_: dict[str, bool]) -> None:
    """Nothing is concluded from a read that lost what it is read for: as if nobody was in it."""
    for number in ALL:
        rig.moves(number, Email=f"private{number}@home.example")
    rig.run()
    for account in rig.company.graph_users:
        account["employeeId"] = None
    rig.publish()
    rig.clock.advance(2 * 3600)
    rig.run(**request_)
    assert [rig.user(number)["email"] for number in ALL] == [rig.mail(number) for number in ALL]
