"""Records that SafetyAmp does not have any more, or says so once: who refers to them follows, and an odd 404
makes no second one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.people_rig import NewRig, PeopleRig, new_rig, rig
from tests.e2e.rig import START
from tests.e2e.small_company import small_company

__all__ = ["new_rig", "rig"]

NOT_FOUND = '{"message": "Not Found"}'


def removed(rig: PeopleRig, resource: str, field: str, value: str) -> Any:
    """Somebody deletes a record in SafetyAmp, whatever refers to it; its id."""
    dumped = rig.safetyamp.dump()
    row = next(row for row in dumped["rows"][resource] if row[field] == value)
    dumped["rows"][resource].remove(row)
    rig.safetyamp.load(dumped)
    return row["id"]


def holders(rig: PeopleRig, resource: str, field: str, target_id: Any) -> set[str]:
    return {row["id"] for row in rig.safetyamp.snapshot()[resource] if row[field] == target_id}


class TestASiteThatIsMadeAnew:
    """Under another id; nothing of its people has changed in the source."""

    def test_gets_its_people_in_the_same_run(self, rig: PeopleRig) -> None:
        old = removed(rig, "sites", "ext_id", "200.")
        people = holders(rig, "users", "home_site_id", old)
        assert people
        next(row for row in rig.company.tables["bJCJM"] if row["Job"] == "200.")["ShipZip"] = "70399"
        rig.publish()
        rig.run()
        ran = rig.run()
        new = next(row["id"] for row in rig.safetyamp.snapshot()["sites"] if row["ext_id"] == "200.")
        assert holders(rig, "users", "home_site_id", new) == people
        assert ran.entity("employees")["updated"] == len(people)
        assert "/api/users" not in ran.listings
        again = rig.run()
        assert (again.calls, again.entity("employees")["unchanged"]) == ([], 10)

    def test_and_cannot_be_made_has_its_people_wait(self, rig: PeopleRig) -> None:
        old = removed(rig, "sites", "ext_id", "200.")
        people = holders(rig, "users", "home_site_id", old)
        next(row for row in rig.company.tables["bJCJM"] if row["Job"] == "200.")["ShipZip"] = "70399"
        rig.publish()
        rig.safetyamp.fail_next(50, 500, match="POST /api/sites")
        rig.run()
        ran = rig.run()
        assert ran.entity("employees")["waiting"] == len(people)
        assert not [call for call in ran.writes if "users" in call]
        rig.safetyamp.heal()
        rig.run()
        new = next(row["id"] for row in rig.safetyamp.snapshot()["sites"] if row["ext_id"] == "200.")
        assert holders(rig, "users", "home_site_id", new) == people


def test_people_get_a_title_that_was_made_anew(rig: PeopleRig) -> None:
    old = removed(rig, "user_titles", "name", "Welder")
    people = holders(rig, "users", "current_title_id", old)
    rig.run(entities=("titles",), refresh=True)
    rig.run(entities=("titles",), refresh=True)
    assert rig.run().report["phase"] == "done"
    new = rig.record("user_titles", "Welder")["id"]
    assert (new != old, holders(rig, "users", "current_title_id", new)) == (True, people)
    assert rig.run().calls == []


def test_sites_get_a_department_that_was_made_anew(rig: PeopleRig) -> None:
    old = removed(rig, "site_clusters", "external_code", "20")
    sites = holders(rig, "sites", "cluster_id", old)
    rig.run(entities=("departments",), refresh=True)
    rig.run(entities=("departments",), refresh=True)
    rig.run()
    new = next(row["id"] for row in rig.safetyamp.snapshot()["site_clusters"] if row["external_code"] == "20")
    assert (new != old, holders(rig, "sites", "cluster_id", new)) == (True, sites)
    assert rig.run().calls == []


def test_a_vehicle_gets_its_driver_who_was_made_anew(new_rig: NewRig) -> None:
    company = small_company(START.date(), 4)
    driver = {"id": "88668", "name": "D", "driverActivationStatus": "active"}
    company.drivers.append({**driver, "externalIds": {"payrollId": "1001"}})
    company.vehicles[0]["staticAssignedDriver"] = {"id": "88668"}
    rig = new_rig(company, VEHICLE_ASSIGN_DRIVER="true")
    rig.run()
    removed(rig, "users", "emp_id", "1001")
    rig.run(entities=("employees",), refresh=True)
    rig.run(entities=("employees",), refresh=True)
    rig.run()
    assert rig.record("assets", "Unit 0")["current_user_id"] == rig.user(1001)["id"]
    assert rig.run().calls == []


class TestOneOdd404:
    def test_makes_no_second_asset_of_a_vehicle_with_another_gateway(self, rig: PeopleRig) -> None:
        rig.company.vehicles[0]["serial"] = "NEWGATE1"
        rig.publish()
        rig.clock.advance(2 * 3600)
        rig.safetyamp.fail_next(1, 404, NOT_FOUND, match="PUT /api/assets/*")
        before = {row["id"] for row in rig.safetyamp.snapshot()["assets"]}
        assert rig.run().entity("vehicles")["waiting"] == 1
        assert rig.run().entity("vehicles")["updated"] == 1
        assert {row["id"] for row in rig.safetyamp.snapshot()["assets"]} == before
        assert rig.record("assets", "Unit 0")["serial"] == "NEWGATE1"

    @pytest.mark.parametrize("resource", ["sites", "users"])
    def test_costs_a_record_nothing_but_a_listing(self, rig: PeopleRig, resource: str) -> None:
        rig.moves(1001, Address="5 New Street")
        rig.company.tables["bJCJM"][0]["Description"] = "Renamed works"
        rig.publish()
        before = {row["id"] for row in rig.safetyamp.snapshot()[resource]}
        rig.safetyamp.fail_next(1, 404, NOT_FOUND, match=f"P* /api/{resource}/*")
        rig.run()
        ran = rig.run()
        assert f"/api/{resource}" in ran.listings
        assert {row["id"] for row in rig.safetyamp.snapshot()[resource]} == before
        assert rig.user(1001)["street"] == "5 New Street"
        assert rig.run().calls == []

    def test_keeps_who_switched_somebody_off(self, rig: PeopleRig) -> None:
        rig.leaves(1001)
        rig.run()
        rig.moves(1001, TermDate=None)
        path = f"PATCH /api/users/{rig.user(1001)['id']}"
        rig.safetyamp.fail_next(1, 404, NOT_FOUND, match=path)
        rig.run()
        ran = rig.run()
        assert (rig.user(1001)["system_access"], rig.reasons(ran, 1001)) == (1, "")

    def test_of_a_site_lets_a_new_person_wait_and_not_be_refused(self, rig: PeopleRig) -> None:
        """It may be gone, and what SafetyAmp refuses is not tried again before its data change."""
        removed(rig, "sites", "ext_id", "200.")
        next(row for row in rig.company.tables["bJCJM"] if row["Job"] == "200.")["ShipZip"] = "70399"
        rig.hired(2001)
        hours = next(row for row in rig.company.tables["bPRJC"] if row["Job"] == "200.")
        rig.company.tables["bPRJC"].append({**hours, "Employee": 2001})
        rig.publish()
        ran = rig.run()
        assert "waiting for jobs 200." in rig.reasons(ran, 2001)
        rig.run()
        new = next(row["id"] for row in rig.safetyamp.snapshot()["sites"] if row["ext_id"] == "200.")
        assert rig.user(2001)["home_site_id"] == new
