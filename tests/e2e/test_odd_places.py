"""Odd rows of departments, contracts and jobs: each costs one record, and nobody's home."""

from __future__ import annotations

from typing import Any

import pytest

from local.company.model import Row
from tests.e2e.people_rig import PeopleRig, adds_up, new_rig, rig
from tests.e2e.rig import Ran

__all__ = ["new_rig", "rig"]


def homes(rig: PeopleRig) -> dict[str, Any]:
    """Everybody's home site."""
    return {user["emp_id"]: user["home_site_id"] for user in rig.safetyamp.snapshot()["users"]}


def row_of(rig: PeopleRig, table: str, column: str, key: str) -> Row:
    """A row of Vista."""
    return next(row for row in rig.company.tables[table] if row[column] == key)


def department(rig: PeopleRig, code: str) -> Row:
    """A row of bPRDP."""
    return row_of(rig, "bPRDP", "PRDept", code)


def site(rig: PeopleRig, job: str) -> dict[str, Any]:
    """SafetyAmp's site of a job."""
    return next(row for row in rig.safetyamp.snapshot()["sites"] if row["ext_id"] == job)


def keys(ran: Ran, entity: str) -> set[str]:
    """Of which records a report says something."""
    return {problem["key"] for problem in ran.entity(entity)["problems"]}


def assert_nobody_moves(rig: PeopleRig, mended: dict[str, list[Row]]) -> Ran:
    """Neither while the odd row is there nor when Vista is as it was; the run with the odd row."""
    before = homes(rig)
    rig.publish()
    ran = rig.run()
    adds_up(ran)
    assert (homes(rig), ran.writes) == (before, [])
    adds_up(rig.run(refresh=True))
    rig.company.tables.update(mended)
    rig.publish()
    assert rig.run().writes == []
    assert homes(rig) == before
    return ran


def copied(rig: PeopleRig) -> dict[str, list[Row]]:
    """Vista's tables as they are."""
    return {name: [dict(row) for row in rows] for name, rows in rig.company.tables.items()}


class TestAnOddDepartment:
    @pytest.mark.parametrize(
        "odd",
        [{"Description": None}, {"Description": b"\x00\x01"}, {"udRegion": None}, {"udRegion": b"\x00"}],
        ids=["no description", "binary description", "no region", "binary region"],
    )
    def test_moves_nobody_who_works_on_its_jobs(self, rig: PeopleRig, odd: Row) -> None:
        mended = copied(rig)
        department(rig, "10").update(odd)
        ran = assert_nobody_moves(rig, mended)
        assert (keys(ran, "departments"), keys(ran, "jobs")) == ({"10"}, set())

    @pytest.mark.parametrize("region", ["Coast", "Delta"])
    def test_that_is_there_twice_moves_nobody(self, rig: PeopleRig, region: str) -> None:
        """Neither who works on its jobs, nor who belongs to the office of its region."""
        mended = copied(rig)
        for code in ("10", "30"):
            rig.company.tables["bPRDP"].append(
                {**department(rig, code), "PRDept": f" {code}", "udRegion": region}
            )
        ran = assert_nobody_moves(rig, mended)
        assert (keys(ran, "departments"), keys(ran, "jobs")) == ({"10", "30"}, set())

    def test_costs_its_jobs_nothing(self, rig: PeopleRig) -> None:
        department(rig, "10")["Description"] = None
        row_of(rig, "bJCJM", "Job", "100.")["Description"] = "Levee"
        rig.publish()
        ran = rig.run()
        assert (site(rig, "100.")["name"], keys(ran, "jobs")) == ("100. - Levee", set())


class TestAnOddJob:
    @pytest.mark.parametrize("code", ["1O", " ", b"\x00"], ids=["unknown", "blank", "binary"])
    def test_whose_contract_has_no_such_department_moves_nobody(self, rig: PeopleRig, code: Any) -> None:
        mended = copied(rig)
        row_of(rig, "bJCCM", "Contract", "100.")["Department"] = code
        ran = assert_nobody_moves(rig, mended)
        assert keys(ran, "jobs") == {"100."}

    def test_that_is_there_twice_moves_nobody(self, rig: PeopleRig) -> None:
        mended = copied(rig)
        rig.company.tables["bJCJM"].append({**row_of(rig, "bJCJM", "Job", "100."), "Job": "100. "})
        ran = assert_nobody_moves(rig, mended)
        assert keys(ran, "jobs") == {"100."}
