"""Without Redis each process keeps to its share of the window, which is small where many may run."""

from __future__ import annotations

import pytest

from tests.e2e.people_rig import NewRig, new_rig

__all__ = ["new_rig"]

processes = pytest.mark.parametrize("processes", ["1", "30", "60", "120"])


@processes
@pytest.mark.parametrize("refresh", [False, True], ids=["hourly", "nightly"])
def test_a_leaver_loses_access_and_a_change_arrives(new_rig: NewRig, processes: str, refresh: bool) -> None:
    """Both are read right before they are sent: two calls in one go."""
    rig = new_rig()
    rig.run()
    rig.settings["MAX_PROCESSES"] = processes
    rig.take_over()
    rig.leaves(1001)
    rig.moves(1002, Phone="225-555-9999")
    ran = rig.run(refresh=refresh)
    assert (ran.entity("employees")["deactivated"], ran.entity("employees")["updated"]) == (1, 1)
    assert rig.user(1001)["system_access"] == 0


@pytest.mark.parametrize("processes", ["30", "120"])
def test_a_first_load_comes_to_its_end(new_rig: NewRig, processes: str) -> None:
    """It also lists roles and asset types, which have more pages than the share has calls."""
    rig = new_rig(MAX_PROCESSES=processes)
    dumped = rig.safetyamp.dump()
    role = dumped["rows"]["roles"][0]
    dumped["rows"]["roles"] += [
        {**role, "id": 9000 + number, "name": f"Role {number}"} for number in range(60)
    ]
    rig.safetyamp.load(dumped)
    ran = rig.run()
    assert {entity["phase"] for entity in ran.report["entities"].values()} == {"done"}
