"""A title or a driver that is not there costs that field only, and comes by itself when it is."""

from __future__ import annotations

from typing import Any

import pytest

from local.simulators.safetyamp_store import Row
from shared.queries.explain import explain
from tests.e2e.people_rig import NewRig, PeopleRig, adds_up, new_rig, rig
from tests.e2e.small_company import small_company
from tests.e2e.test_unique_values import START_DAY

__all__ = ["new_rig", "rig"]


def title_twice(rig: PeopleRig, name: str) -> Any:
    """Somebody makes a title of the same name; its id."""
    dumped = rig.safetyamp.dump()
    title = next(row for row in dumped["rows"]["user_titles"] if row["name"] == name)
    dumped["rows"]["user_titles"].append({**title, "id": dumped["next"]["user_titles"]})
    dumped["next"]["user_titles"] += 1
    rig.safetyamp.load(dumped)
    return dumped["next"]["user_titles"] - 1


def title_of(rig: PeopleRig, number: int) -> str | None:
    """The name of somebody's title."""
    names = {row["id"]: row["name"] for row in rig.safetyamp.snapshot()["user_titles"]}
    return names.get(rig.user(number)["current_title_id"])


class TestATitleThatIsThereTwice:
    @pytest.fixture
    def twice(self, rig: PeopleRig) -> PeopleRig:
        """There are two Welders."""
        self.second = title_twice(rig, "Welder")
        rig.run(refresh=True)
        return rig

    def test_keeps_nobody_out(self, twice: PeopleRig) -> None:
        twice.hired(2001, udEmpTitle="Welder")
        ran = twice.run()
        assert (twice.user(2001)["system_access"], title_of(twice, 2001)) == (1, None)
        assert "current_title_id left out: waiting for titles Welder" in twice.reasons(ran, 2001)
        adds_up(ran)

    def test_lets_other_fields_of_a_change_arrive(self, twice: PeopleRig) -> None:
        person = next(
            row["Employee"] for row in twice.company.tables["bPREH"] if row["udEmpTitle"] != "Welder"
        )
        old = title_of(twice, person)
        twice.moves(person, udEmpTitle="Welder", Address="77 New Street")
        twice.run()
        assert (twice.user(person)["street"], title_of(twice, person)) == ("77 New Street", old)
        again = twice.run()
        assert (again.writes, again.entity("employees")["waiting"] >= 1) == ([], True)
        adds_up(again)

    def test_comes_by_itself_when_one_is_left(self, twice: PeopleRig) -> None:
        twice.hired(2001, udEmpTitle="Welder")
        twice.run()
        twice.safetyamp.remove("user_titles", self.second)
        twice.run(refresh=True)  # one listing that lacks it says little
        twice.run(refresh=True)
        assert title_of(twice, 2001) == "Welder"

    def test_is_no_reason_to_wait_for_explain(self, twice: PeopleRig) -> None:
        twice.hired(2001, udEmpTitle="Welder")
        found = explain(twice.stack.runtime, "employees", "2001")
        assert found is not None
        assert found["next"]["verdict"] == "create"


class TestATitleThatIsRefused:
    def test_by_itself_keeps_nobody_out(self, new_rig: NewRig) -> None:
        rig = new_rig()
        rig.moves(1001, udEmpTitle="T" * 300)
        ran = rig.run()
        assert (rig.user(1001)["system_access"], title_of(rig, 1001)) == (1, None)
        assert ran.entity("employees")["created"] == 10
        again = rig.run()
        assert again.entity("employees")["waiting"] == 1
        rig.moves(1001, udEmpTitle="Welder")
        rig.run()
        assert title_of(rig, 1001) == "Welder"

    def test_for_one_person_is_tried_again_when_the_title_has_another_id(self, rig: PeopleRig) -> None:
        """It was deleted behind our back, and the sync makes it anew."""
        person = next(row["Employee"] for row in rig.company.tables["bPREH"] if row["udEmpTitle"] != "Welder")
        welder = next(row for row in rig.safetyamp.snapshot()["user_titles"] if row["name"] == "Welder")
        rig.safetyamp.remove("user_titles", welder["id"])
        rig.moves(person, udEmpTitle="Welder", Address="77 New Street")
        ran = rig.run()
        assert rig.user(person)["street"] == "77 New Street"
        assert "current_title_id" in rig.reasons(ran, person)
        assert rig.run().entity("employees")["unchanged"] == 9
        rig.run(refresh=True)  # one listing that lacks it says little
        rig.run(refresh=True)
        assert title_of(rig, person) == "Welder"


def driven(new_rig: NewRig, employee: int) -> PeopleRig:
    """A company that assigns drivers; the first vehicle has one."""
    company = small_company(START_DAY, 4)
    company.drivers.append(_driver(employee))
    company.vehicles[0]["staticAssignedDriver"] = {"id": "88668"}
    return new_rig(company, VEHICLE_ASSIGN_DRIVER="true")


def _driver(employee: int) -> Row:
    return {
        **{"id": "88668", "name": "D", "driverActivationStatus": "active"},
        "externalIds": {"payrollId": str(employee)},
    }


def asset(rig: PeopleRig) -> dict[str, Any]:
    """The vehicle with a driver."""
    return rig.record("assets", "Unit 0")


class TestADriver:
    def test_who_is_refused_costs_the_vehicle_nothing_else(self, new_rig: NewRig) -> None:
        rig = driven(new_rig, 1001)
        refusal = (
            '{"message": "no", "errors": {"current_user_id": ["The selected current user id is invalid."]}}'
        )
        rig.safetyamp.fail_next(1, 422, refusal, match="POST /api/assets")
        ran = rig.run()
        assert asset(rig)["current_user_id"] is None
        assert ran.entity("vehicles")["created"] == 2
        again = rig.run()
        assert again.entity("vehicles")["unchanged"] == 1
        adds_up(again)
        rig.run(refresh=True)
        assert asset(rig)["current_user_id"] == rig.user(1001)["id"]

    def test_who_has_left_gets_no_vehicle(self, new_rig: NewRig) -> None:
        rig = driven(new_rig, 1001)
        rig.leaves(1002)
        rig.run()
        rig.leaves(1003)
        rig.run()
        for left in (1002, 1003):
            rig.company.drivers[0] = _driver(left)
            rig.company.vehicles[0]["model"] = f"F-{left}"
            rig.publish()
            ran = rig.run(refresh=True)
            assert (asset(rig)["model"], asset(rig)["current_user_id"]) == (
                f"F-{left}",
                rig.user(1001)["id"],
            )
            assert "is no current employee's" in ran.problem("vehicles", "281474980000")["reason"]

    def test_who_is_there_twice_costs_the_vehicle_nothing_else(self, new_rig: NewRig) -> None:
        rig = driven(new_rig, 1001)
        rig.run()
        dumped = rig.safetyamp.dump()
        row = next(row for row in dumped["rows"]["users"] if row["emp_id"] == "1002")
        dumped["rows"]["users"].append(
            {**row, "id": "zz9zz", "email": "second@x.example", "mobile_phone": None}
        )
        rig.safetyamp.load(dumped)
        rig.company.drivers[0] = _driver(1002)
        rig.company.vehicles[0]["name"] = "Unit 0"
        rig.company.vehicles[0]["model"] = "F-350"
        rig.publish()
        ran = rig.run(refresh=True)
        assert (asset(rig)["model"], asset(rig)["current_user_id"]) == ("F-350", rig.user(1001)["id"])
        adds_up(ran)


def test_a_home_site_that_is_refused_holds_back_nothing_else_of_somebody_who_is_there(rig: PeopleRig) -> None:
    """SafetyAmp wants a site that exists, but only a new user cannot do without."""
    refusal = '{"message": "no", "errors": {"home_site_id": ["The selected home site id is invalid."]}}'
    number = 1001
    for row in rig.company.tables["bPRJC"]:
        if row["Employee"] == number:
            row["Job"] = next(job for job in ("100.", "200.", "300.") if job != row["Job"])
    rig.moves(number, Address="77 New Street")
    rig.safetyamp.fail_next(1, 422, refusal, match="PATCH /api/users/*")
    rig.run()
    assert rig.user(number)["street"] == "77 New Street"
    rig.run(refresh=True)
    again = rig.run()
    assert again.entity("employees")["unchanged"] == 10
