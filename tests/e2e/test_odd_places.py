"""Odd rows of departments, contracts and jobs, and clusters that somebody moved: each costs one record, and
nobody's home."""

from __future__ import annotations

from typing import Any

import pytest

from local.company.model import Row
from shared.storage.documents import read_json, update_json
from shared.sync import paths
from shared.sync.documents.state import FAILURE, Entry, Refusal, decode_state
from tests.e2e.people_rig import PeopleRig, adds_up, new_rig, rig
from tests.e2e.rig import Ran
from tests.e2e.small_company import contract_row, job_row

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


def cluster(rig: PeopleRig, name: str) -> dict[str, Any]:
    """SafetyAmp's cluster whose code or, of the root, name this is."""
    rows = rig.safetyamp.snapshot()["site_clusters"]
    return next(row for row in rows if name in (row["external_code"], row["name"]))


def site(rig: PeopleRig, job: str) -> dict[str, Any]:
    """SafetyAmp's site of a job."""
    return next(row for row in rig.safetyamp.snapshot()["sites"] if row["ext_id"] == job)


def keys(ran: Ran, entity: str) -> set[str]:
    """Of which records a report says that something is wrong; what hands did and is set back is none."""
    problems = ran.entity(entity)["problems"]
    return {problem["key"] for problem in problems if problem["cause"] != "changed-by-hand"}


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

    def test_that_is_new_gets_its_site_when_it_is_mended_and_its_people_are_at_their_office_until_then(
        self, rig: PeopleRig
    ) -> None:
        rig.company.tables["bJCJM"].append(job_row("400."))
        rig.company.tables["bJCCM"].append(contract_row("400.", "1O"))
        next(row for row in rig.company.tables["bPRJC"] if row["Employee"] == 1001)["Job"] = "400."
        rig.publish()
        ran = rig.run()
        assert keys(ran, "jobs") == {"400."}
        offices = {row["id"] for row in rig.safetyamp.snapshot()["sites"] if row["name"].endswith(" Office")}
        assert rig.user(1001)["home_site_id"] in offices
        row_of(rig, "bJCCM", "Contract", "400.")["Department"] = "10"
        rig.publish()
        rig.run()
        assert rig.user(1001)["home_site_id"] == site(rig, "400.")["id"]


MOVES = {"10": ("20", "Two Rivers Builders", "Delta"), "Delta": ("Coast", "30")}
"""Code of a cluster -> where somebody puts it: anywhere but where it belongs."""


@pytest.mark.parametrize(
    ("moved", "below"), [(moved, below) for moved, places in MOVES.items() for below in places]
)
class TestAClusterThatSomebodyMoved:
    def move(self, rig: PeopleRig, moved: str, below: str) -> tuple[Any, list[dict[str, Any]]]:
        """Put one below another; where it was, and all clusters then."""
        was, clusters = cluster(rig, moved), rig.safetyamp.snapshot()["site_clusters"]
        rig.safetyamp.edit("site_clusters", was["id"], parent_cluster_id=cluster(rig, below)["id"])
        return was["parent_cluster_id"], clusters

    def test_is_put_back_and_nothing_waits_for_it(self, rig: PeopleRig, moved: str, below: str) -> None:
        parent, clusters = self.move(rig, moved, below)
        ran = rig.run(refresh=True)
        adds_up(ran)
        assert ran.writes == [f"PUT /api/site_clusters/{cluster(rig, moved)['id']}"]
        assert cluster(rig, moved)["parent_cluster_id"] == parent
        assert len(rig.safetyamp.snapshot()["site_clusters"]) == len(clusters)
        assert (keys(ran, "departments"), keys(ran, "jobs")) == (set(), set())
        assert rig.run(refresh=True).writes == []

    def test_follows_what_vista_says_before_anybody_looks(
        self, rig: PeopleRig, moved: str, below: str
    ) -> None:
        parent, _ = self.move(rig, moved, below)
        department(rig, "10")["Description"] = "Renamed"
        rig.publish()
        rig.run()
        ran = rig.run(refresh=True)
        assert (cluster(rig, "10")["name"], cluster(rig, moved)["parent_cluster_id"]) == (
            "10 - Renamed",
            parent,
        )
        assert keys(ran, "departments") == set()


@pytest.mark.parametrize("below", MOVES["10"])
@pytest.mark.parametrize("known", ["nothing", "a refusal"])
def test_a_department_elsewhere_that_is_not_known_is_recognised_by_its_code(
    rig: PeopleRig, known: str, below: str
) -> None:
    """After the loss of the state, or where a release before tried to create it a second time."""
    was = cluster(rig, "10")
    rig.safetyamp.edit("site_clusters", was["id"], parent_cluster_id=cluster(rig, below)["id"])
    path = paths.state("departments")
    if known == "nothing":
        rig.documents.delete(path)
    else:
        state = decode_state("departments", read_json(rig.documents, path))
        assert state is not None
        failure: Refusal = {
            "digest": "d",
            "errors": {"external_code": ["taken"]},
            "since": None,
            "at": "2026-03-01",
        }
        state.put("10", Entry(None, None, {}, {FAILURE: failure}))
        update_json(rig.documents, path, lambda _: state.to_json())
    ran = rig.run(refresh=True)
    assert cluster(rig, "10") == {**was, "updated_at": cluster(rig, "10")["updated_at"]}
    assert ran.writes == [f"PUT /api/site_clusters/{was['id']}"]
    assert rig.run().writes == []


@pytest.mark.parametrize("below", MOVES["10"])
def test_a_department_elsewhere_that_is_not_known_keeps_its_jobs_while_its_row_is_odd(
    rig: PeopleRig, below: str
) -> None:
    """Nothing adopts it then, and its jobs and people are where they were."""
    was, homes = (
        cluster(rig, "10"),
        {row["emp_id"]: row["home_site_id"] for row in rig.safetyamp.snapshot()["users"]},
    )
    rig.safetyamp.edit("site_clusters", was["id"], parent_cluster_id=cluster(rig, below)["id"])
    rig.documents.delete(paths.state("departments"))
    department(rig, "10")["Description"] = None
    rig.publish()
    for _ in range(2):
        ran = rig.run(refresh=True)
        assert ran.writes == []
        assert {row["emp_id"]: row["home_site_id"] for row in rig.safetyamp.snapshot()["users"]} == homes
        assert (keys(ran, "departments"), keys(ran, "jobs")) == ({"10"}, set())
    department(rig, "10")["Description"] = "Renamed"
    rig.publish()
    rig.run()
    assert (cluster(rig, "10")["name"], cluster(rig, "10")["parent_cluster_id"]) == (
        "10 - Renamed",
        was["parent_cluster_id"],
    )


def test_clusters_that_others_made_below_departments_stay_where_they_are_and_out_of_the_report(
    rig: PeopleRig,
) -> None:
    dumped = rig.safetyamp.dump()
    for number, code in ((901, "YARD"), (902, None)):
        row = {**cluster(rig, "10"), "id": number, "name": "Yard", "external_code": code}
        dumped["rows"]["site_clusters"].append({**row, "parent_cluster_id": cluster(rig, "10")["id"]})
    rig.safetyamp.load(dumped)
    for _ in range(2):
        ran = rig.run(refresh=True)
        assert (ran.writes, ran.entity("departments")["vanished"]["count"]) == ([], 0)
