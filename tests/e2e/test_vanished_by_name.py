"""Whoever vanished from the source and may still sign in is named, however many former users there are."""

from __future__ import annotations

from tests.e2e.people_rig import NewRig, PeopleRig, new_rig, rig

__all__ = ["NewRig", "new_rig", "rig"]


def test_is_named_before_those_who_are_off(rig: PeopleRig) -> None:
    """Payroll purges who left long ago; SafetyAmp has their users, off, with numbers that sort first."""
    like = {name: value for name, value in rig.user(1001).items() if name != "id"}
    for former in range(1_000_000, 1_000_110):
        own = {"emp_id": str(former), "email": f"former{former}@x.example", "mobile_phone": None}
        rig.safetyamp.add("users", {**like, **own, "system_access": False})
    rig.run(refresh=True)
    rig.company.tables["bPREH"].remove(rig.person(1005))
    rig.publish()
    for request in ({}, {"refresh": True}):
        assert "1005" in rig.run(**request).entity("employees")["vanished"]["keys"]
