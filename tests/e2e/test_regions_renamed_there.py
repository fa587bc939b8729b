"""Hands rename the cluster of a region that has no code, in SafetyAmp only."""

from __future__ import annotations

import pytest

from tests.e2e.people_rig import NewRig, PeopleRig, new_rig, rig

__all__ = ["NewRig", "new_rig", "rig"]


@pytest.fixture
def renamed(rig: PeopleRig) -> PeopleRig:
    """The cluster made by hand, without a code (one of the sync's own has its name as code, and stays)."""
    rig.safetyamp.edit("site_clusters", rig.record("site_clusters", "Coast")["id"], name="Gulf Coast")
    rig.run(refresh=True)
    return rig


def test_keeps_nobody_out_who_is_hired_at_its_office(renamed: PeopleRig) -> None:
    """The office is there: to make another one, as the report says, would be wrong."""
    renamed.hired(2001, PRDept="10")
    for request in ({}, {"refresh": True}, {}):
        ran = renamed.run(**request)
    assert renamed.reasons(ran, 2001) == ""
    assert renamed.user(2001)["home_site_id"] == renamed.record("sites", "Coast Office")["id"]


def test_comes_right_by_what_the_report_says(renamed: PeopleRig) -> None:
    """ "Give it the right key there (..., cluster code), then run with refresh"."""
    cluster = renamed.record("site_clusters", "Gulf Coast")["id"]
    renamed.safetyamp.edit("site_clusters", cluster, external_code="Coast")
    for request in ({"refresh": True}, {}):
        ran = renamed.run(**request)
    assert ran.entity("departments")["unchanged"] == 5


def test_is_no_second_region_when_vista_follows(renamed: PeopleRig) -> None:
    """In the same hour, and whatever the spelling."""
    cluster = renamed.record("site_clusters", "Gulf Coast")["id"]
    renamed.safetyamp.edit("site_clusters", cluster, name="GULF COAST")
    clusters = len(renamed.safetyamp.snapshot()["site_clusters"])
    for row in renamed.company.tables["bPRDP"]:
        row["udRegion"] = row["udRegion"].replace("Coast", "Gulf Coast")
    renamed.publish()
    for request in ({}, {"refresh": True}, {}):
        ran = renamed.run(**request)
    assert len(renamed.safetyamp.snapshot()["site_clusters"]) == clusters
    assert ran.entity("departments")["unchanged"] == 5
