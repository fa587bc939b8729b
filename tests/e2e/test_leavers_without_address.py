"""A leaver whose user lacks in SafetyAmp what every update must repeat loses access all the same."""

from __future__ import annotations

import pytest

from tests.e2e.people_rig import NewRig, PeopleRig, new_rig, rig

__all__ = ["NewRig", "new_rig", "rig"]


@pytest.mark.parametrize("field", ["email", "last_name"])
def test_by_what_the_source_has(rig: PeopleRig, field: str) -> None:
    """Vista and the directory know it: an absent repeated value must not cost a deactivation."""
    rig.by_hand(1001, **{field: None})
    rig.leaves(1001)
    for request in ({"refresh": True}, {}, {}):
        rig.run(**request)
    assert not rig.user(1001)["system_access"]
