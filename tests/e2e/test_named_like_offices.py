"""A job's site that hands called `... Office` is the job's by its code, and no office."""

from __future__ import annotations

from typing import Any

from tests.e2e.people_rig import NewRig, PeopleRig, new_rig, rig
from tests.e2e.small_company import contract_row, job_row

__all__ = ["NewRig", "new_rig", "rig"]

JOB, NAME = "100.", "100. - Works 100."


def site_of(rig: PeopleRig, job: str) -> dict[str, Any]:
    """The one site with this code."""
    (found,) = (row for row in rig.safetyamp.snapshot()["sites"] if row["ext_id"] == job)
    return found


def test_is_called_again_as_the_source_says(rig: PeopleRig) -> None:
    rig.safetyamp.edit("sites", rig.record("sites", NAME)["id"], name="Levee Office")
    for request in ({"refresh": True}, {}):
        ran = rig.run(**request)
    assert site_of(rig, JOB)["name"] == NAME
    assert ran.entity("jobs")["unchanged"] == 3


def test_keeps_nobody_new_out(rig: PeopleRig) -> None:
    rig.safetyamp.edit("sites", rig.record("sites", NAME)["id"], name="Levee Office")
    rig.hired(2001)
    rig.company.tables["bPRJC"].append({**rig.company.tables["bPRJC"][0], "Employee": 2001, "Job": JOB})
    rig.publish()
    for request in ({"refresh": True}, {}):
        rig.run(**request)
    assert rig.user(2001)["home_site_id"] == site_of(rig, JOB)["id"]


def test_that_was_there_before_its_job_was_opened_is_used(rig: PeopleRig) -> None:
    like = rig.record("sites", NAME)
    rig.safetyamp.add(
        "sites",
        {**{name: like[name] for name in like if name != "id"}, "name": "Yard Office", "ext_id": "400."},
    )
    rig.company.tables["bJCJM"].append(job_row("400."))
    rig.company.tables["bJCCM"].append(contract_row("400.", "10"))
    rig.publish()
    for request in ({}, {"refresh": True}, {}):
        ran = rig.run(**request)
    assert site_of(rig, "400.")["name"] == "400. - Works 400."
    assert ran.entity("jobs")["unchanged"] == 4
