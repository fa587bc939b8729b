"""The phone of a leaver who has two users goes to whose it is in Vista now."""

from __future__ import annotations

from tests.e2e.people_rig import NewRig, PeopleRig, new_rig, rig

__all__ = ["NewRig", "new_rig", "rig"]


def test_is_cleared_as_that_of_any_leaver(rig: PeopleRig) -> None:
    like = {name: value for name, value in rig.user(1001).items() if name != "id"}
    rig.safetyamp.add("users", {**like, "email": "second@x.example", "mobile_phone": None})
    rig.run(refresh=True)
    rig.leaves(1001)
    rig.run()
    rig.hired(2001, Phone="225-555-1001")
    for request in ({}, {"refresh": True}, {}):
        ran = rig.run(**request)
    assert "who has no employee number of their own" not in rig.reasons(ran, 2001)
    assert rig.user(2001)["mobile_phone"] == rig.phone(1001)
