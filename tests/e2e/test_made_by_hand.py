"""What people make in SafetyAmp by hand between two listings is found before the sync makes it a second
time, or told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.sync import paths
from shared.sync.decisions.approve import approve
from tests.e2e.people_rig import YESTERDAY, NewRig, PeopleRig, adds_up, new_rig, rig
from tests.e2e.rig import Ran
from tests.e2e.small_company import contract_row, job_row

__all__ = ["new_rig", "rig"]


def rows(rig: PeopleRig, resource: str, name: str, value: Any) -> list[dict[str, Any]]:
    """SafetyAmp's records that have a value."""
    return [row for row in rig.safetyamp.snapshot()[resource] if row[name] == value]


def copied(row: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The fields of a record as somebody enters them anew."""
    return {**{name: row[name] for name in row if name != "id"}, **fields}


def hourly_and_nightly(rig: PeopleRig) -> Ran:
    """The last of an hourly, a nightly and another hourly run."""
    for request in ({}, {"refresh": True}, {}):
        ran = rig.run(**request)
        adds_up(ran)
    return ran


class TestATitle:
    def test_that_is_there_since_this_morning_is_used(self, rig: PeopleRig) -> None:
        rig.safetyamp.add("user_titles", {"name": "Pilot"})
        rig.moves(1001, udEmpTitle="Pilot")
        ran = hourly_and_nightly(rig)
        (title,) = rows(rig, "user_titles", "name", "Pilot")
        assert (rig.user(1001)["current_title_id"], rig.reasons(ran, 1001)) == (title["id"], "")

    def test_that_was_renamed_there_and_in_vista_within_the_hour_stays_one(self, rig: PeopleRig) -> None:
        before = rig.record("user_titles", "Foreman")
        rig.safetyamp.edit("user_titles", before["id"], name="Crew Lead")
        for person in rig.company.tables["bPREH"]:
            if person["udEmpTitle"] == "Foreman":
                person["udEmpTitle"] = "Crew Lead"
        rig.publish()
        hourly_and_nightly(rig)
        assert [row["id"] for row in rows(rig, "user_titles", "name", "Crew Lead")] == [before["id"]]


class TestAnAsset:
    def new_truck(self, rig: PeopleRig) -> None:
        truck = {**rig.company.vehicles[0], "id": "999", "name": "Unit 999", "serial": "GATE999"}
        rig.company.vehicles.append(truck)
        rig.publish()

    def test_with_a_new_trucks_serial_is_used(self, rig: PeopleRig) -> None:
        first = rig.safetyamp.snapshot()["assets"][0]
        rig.safetyamp.add("assets", copied(first, name="New Truck", serial="GATE999"))
        self.new_truck(rig)
        hourly_and_nightly(rig)
        assert [row["name"] for row in rows(rig, "assets", "serial", "GATE999")] == ["Unit 999"]

    def test_beside_the_known_one_is_told_in_every_run(self, rig: PeopleRig) -> None:
        first = rig.safetyamp.snapshot()["assets"][0]
        rig.safetyamp.add("assets", copied(first))
        second = rig.safetyamp.snapshot()["assets"][-1]
        ran = hourly_and_nightly(rig)
        (problem,) = ran.entity("vehicles")["problems"]
        told = f"SafetyAmp has it as record {first['id']}; record {second['id']} there looks the same"
        assert problem["reason"].startswith(told)
        rig.safetyamp.remove("assets", second["id"])
        rig.run(refresh=True)
        assert rig.run(refresh=True).entity("vehicles")["problems"] == []

    @pytest.mark.parametrize("is_known", [True, False], ids=["known", "nothing known"])
    def test_of_a_sold_truck_is_left_alone_and_not_told(self, rig: PeopleRig, is_known: bool) -> None:
        """Out of use in SafetyAmp; the gateway is another truck's now, which somebody has entered already."""
        sold = rig.safetyamp.snapshot()["assets"][0]
        rig.safetyamp.edit("assets", sold["id"], status=0)
        truck = rig.company.vehicles.pop(0)
        rig.company.vehicles.append({**truck, "id": "999", "name": "Unit 999"})
        rig.publish()
        rig.safetyamp.add("assets", copied(sold, name="New Truck", status=1))
        if not is_known:
            rig.documents.delete(paths.state("vehicles"))
        ran = hourly_and_nightly(rig)
        statuses = {row["name"]: row["status"] for row in rows(rig, "assets", "serial", sold["serial"])}
        assert (statuses, ran.entity("vehicles")["problems"]) == ({sold["name"]: 0, "Unit 999": 1}, [])


def test_a_site_without_code_beside_the_jobs_own_is_told(rig: PeopleRig) -> None:
    site = next(row for row in rig.safetyamp.snapshot()["sites"] if row["ext_id"] == "100.")
    rig.safetyamp.add("sites", copied(site, ext_id=None, name="400. - Works 400."))
    rig.company.tables["bJCJM"].append(job_row("400."))
    rig.company.tables["bJCCM"].append(contract_row("400.", "10"))
    rig.publish()
    (problem,) = hourly_and_nightly(rig).entity("jobs")["problems"]
    assert (problem["key"], "looks the same" in problem["reason"]) == ("400.", True)


class TestAPlace:
    """Clusters without a code, as hands make them: SafetyAmp takes a second one."""

    def cluster(self, rig: PeopleRig, name: str, parent: str, code: str | None = None) -> Any:
        (above,) = rows(rig, "site_clusters", "name", parent)
        rig.safetyamp.add(
            "site_clusters",
            {"name": name, "parent_cluster_id": above["id"], "external_code": code, "osha_establishment": 0},
        )
        (made,) = rows(rig, "site_clusters", "name", name)
        return made["id"]

    def department(self, rig: PeopleRig, region: str) -> None:
        row = {"PRCo": 1, "PRDept": "40", "Description": "Department 40", "udRegion": region}
        rig.company.tables["bPRDP"].append(row)
        rig.publish()

    def root(self, rig: PeopleRig) -> str:
        (root,) = rows(rig, "site_clusters", "parent_cluster_id", None)
        return str(root["name"])

    def test_that_is_a_region_with_its_office_since_this_morning_is_used(self, rig: PeopleRig) -> None:
        region = self.cluster(rig, "Bayou", self.root(rig))
        (office,) = rows(rig, "sites", "name", "Delta Office")
        rig.safetyamp.add("sites", copied(office, name="Bayou Office", cluster_id=region))
        self.department(rig, "Bayou")
        rig.hired(2001, PRDept="40")
        hourly_and_nightly(rig)
        assert [row["id"] for row in rows(rig, "site_clusters", "name", "Bayou")] == [region]
        (office,) = rows(rig, "sites", "name", "Bayou Office")
        assert rig.user(2001)["home_site_id"] == office["id"]

    @pytest.mark.parametrize("is_known", [True, False], ids=["known", "nothing known"])
    def test_that_is_a_department_by_its_name_is_used(self, rig: PeopleRig, is_known: bool) -> None:
        made = self.cluster(rig, "40 - Department Forty", "Delta")
        self.department(rig, "Delta")
        if not is_known:
            rig.documents.delete(paths.state("departments"))
        ran = hourly_and_nightly(rig)
        (row,) = (row for row in rig.safetyamp.snapshot()["site_clusters"] if row["name"][:2] == "40")
        assert (row["id"], row["name"], ran.entity("departments")["problems"]) == (
            made,
            "40 - Department 40",
            [],
        )

    def test_beside_the_departments_own_is_told(self, rig: PeopleRig) -> None:
        self.department(rig, "Delta")
        rig.run()
        second = self.cluster(rig, "40 - Department Forty", "Delta")
        (problem,) = hourly_and_nightly(rig).entity("departments")["problems"]
        assert (problem["key"], f"record {second} there looks the same" in problem["reason"]) == ("40", True)

    @pytest.mark.parametrize(("name", "parent"), [("40 - Yard", None), ("1 - Yard", "10 - Department 10")])
    def test_that_stands_where_no_department_does_is_left_alone(
        self, rig: PeopleRig, name: str, parent: str | None
    ) -> None:
        other = self.cluster(rig, name, parent or self.root(rig))
        self.department(rig, "Delta")
        hourly_and_nightly(rig)
        assert [row["id"] for row in rows(rig, "site_clusters", "name", name)] == [other]
        assert len(rows(rig, "site_clusters", "name", "40 - Department 40")) == 1


class TestSomebodyOfAnotherCompany:
    """A user whom no row of the payroll has until they are hired here; hands give it the number at once."""

    BORN = "1985-01-01"

    @pytest.fixture(params=[None, "T-17", "990017", "77001"])
    def user(self, rig: PeopleRig, request: pytest.FixtureRequest) -> Any:
        first = rig.safetyamp.snapshot()["users"][0]
        names = {"emp_id": request.param, "first_name": "Nina", "last_name": "Worker2001"}
        own = {"email": "nina@home.example", "mobile_phone": "+12255556666", "date_of_birth": self.BORN}
        rig.safetyamp.add("users", copied(first, **names, **own, work_phone=None))
        rig.run(refresh=True)
        rig.hired(2001, FirstName="Nina", BirthDate=f"{self.BORN} 00:00:00")
        return rows(rig, "users", "first_name", "Nina")[0]["id"]

    @pytest.mark.parametrize(
        "request_first", [{}, {"mode": "plan"}, {"entities": ("employees",), "keys": ("2001",)}]
    )
    def test_is_not_made_again(self, rig: PeopleRig, user: Any, request_first: dict[str, Any]) -> None:
        rig.safetyamp.edit("users", user, emp_id="2001")
        rig.run(**request_first)
        ran = hourly_and_nightly(rig)
        assert [row["id"] for row in rows(rig, "users", "first_name", "Nina")] == [user]
        assert (rig.user(2001)["email"], rig.reasons(ran, 2001)) == (rig.mail(2001), "")

    def test_is_not_taken_for_a_namesake_born_on_another_day(self, rig: PeopleRig, user: Any) -> None:
        rig.safetyamp.edit("users", user, emp_id="2001")
        rig.hired(2002, FirstName="Nina", LastName="Worker2001", BirthDate="1999-09-09 00:00:00")
        rig.run()
        hourly_and_nightly(rig)
        assert {rig.user(2001)["id"] == user, rig.user(2002)["id"] == user} == {True, False}


class TestANewHire:
    def entered(self, rig: PeopleRig, number: int, **fields: Any) -> None:
        first = rig.safetyamp.snapshot()["users"][0]
        names = {"emp_id": str(number), "first_name": "Pat", "last_name": f"Worker{number}"}
        rig.safetyamp.add("users", copied(first, **names, **fields))

    @pytest.mark.parametrize(
        "own", [{"email": "private@home.example"}, {"mobile_phone": None}], ids=["phone", "mail"]
    )
    def test_who_was_entered_this_morning_is_there_once(self, rig: PeopleRig, own: dict[str, Any]) -> None:
        """With the phone, or the address, that the sources say."""
        entered = {"email": rig.mail(2001), "mobile_phone": rig.phone(2001), **own}
        self.entered(rig, 2001, **entered)
        rig.hired(2001)
        ran = hourly_and_nightly(rig)
        assert (rig.user(2001)["email"], rig.reasons(ran, 2001)) == (rig.mail(2001), "")

    def test_whose_phone_is_somebody_elses_is_there_after_the_next_run(self, rig: PeopleRig) -> None:
        self.entered(rig, 990001, email="guest@x.example", mobile_phone=rig.phone(2001))
        rig.hired(2001)
        assert rows(rig, "users", "emp_id", "2001") == []
        for _ in range(2):
            ran = rig.run()
            adds_up(ran)
        assert rig.user(2001)["mobile_phone"] is None
        assert "mobile_phone left out" in rig.reasons(ran, 2001)


class TestSomebodyWhoIsBackUnderANewNumber:
    """With a new account: nothing but the number, which somebody moved before the hourly run, says that the
    user is theirs."""

    @pytest.fixture(params=["the same phone", "another phone"])
    def back(self, rig: PeopleRig, request: pytest.FixtureRequest) -> Any:
        """The id of the user."""
        user = rig.user(1001)["id"]
        rig.person(1001)["TermDate"] = YESTERDAY
        phone = "225-555-1001" if request.param == "the same phone" else "225-555-0177"
        rig.hired(2001, LastName="Worker1001", Phone=phone)
        rig.by_hand(1001, emp_id="2001")
        return user

    def test_keeps_that_user(self, rig: PeopleRig, back: Any) -> None:
        ran = hourly_and_nightly(rig)
        user = rig.user(2001)
        assert (user["id"], user["system_access"], user["email"]) == (back, 1, rig.mail(2001))
        assert (rig.reasons(ran, 1001), rig.reasons(ran, 2001)) == ("", "")

    def test_keeps_it_where_one_batch_switches_off_and_another_creates(
        self, rig: PeopleRig, back: Any
    ) -> None:
        for number in range(1501, 1561):
            rig.hired(number)
        rig.run()
        hourly_and_nightly(rig)
        assert (rig.user(2001)["id"], rig.user(2001)["system_access"]) == (back, 1)


def test_one_who_is_asked_for_alone_after_a_renumbering_is_there_once(rig: PeopleRig) -> None:
    user = rig.user(1001)["id"]
    rig.person(1001)["TermDate"] = YESTERDAY
    rig.hired(2001, LastName="Worker1001", Phone="225-555-1001")
    rig.by_hand(1001, emp_id="2001")
    ran = rig.run(entities=("employees",), keys=("2001",))
    assert "has the number 2001 there by now" in rig.reasons(ran, 2001)
    hourly_and_nightly(rig)
    assert (rig.user(2001)["id"], rig.user(2001)["system_access"]) == (user, 1)


@pytest.mark.parametrize("number", ["OLD1001", "990001"])
@pytest.mark.parametrize("nights", [1, 2])
def test_a_leavers_former_twin_with_a_number_of_nobodys_is_told_in_every_run(
    rig: PeopleRig, number: str, nights: int
) -> None:
    first = rig.user(1001)
    rig.safetyamp.add("users", copied(first, email="second@x.example", mobile_phone=None))
    for _ in range(nights):
        rig.run(refresh=True)
    rig.safetyamp.edit("users", first["id"], emp_id=number)
    rig.leaves(1001)
    hourly_and_nightly(rig)
    for request in ({}, {"refresh": True}):
        told = rig.reasons(rig.run(**request), 1001)
        assert (
            f"SafetyAmp user {first['id']} with emp_id {number}, which is nobody's, shows the same person"
            in told
        )
    rig.safetyamp.edit("users", first["id"], system_access=0)
    assert rig.reasons(rig.run(refresh=True), 1001) == ""


@pytest.mark.parametrize("is_off", [True, False], ids=["off for a week", "not ended yet"])
def test_who_is_back_is_recognised_by_the_user_of_the_old_number(rig: PeopleRig, is_off: bool) -> None:
    """Nobody is switched off in the run that would create them, which would show the number."""
    user = rig.user(1001)["id"]
    if is_off:
        rig.leaves(1001)
        rig.run()
    rig.hired(2001, LastName="Worker1001", Phone="225-555-0177")
    rig.safetyamp.edit("users", user, emp_id="2001", system_access=1)
    ran = rig.run()
    assert "has the number 2001 there by now" in rig.reasons(ran, 2001)
    rig.leaves(1001)
    hourly_and_nightly(rig)
    assert (rig.user(2001)["id"], rig.user(2001)["system_access"]) == (user, 1)


def test_a_namesake_costs_one_call_and_nothing_else(rig: PeopleRig) -> None:
    rig.hired(2001, LastName="Worker1001")
    ran = rig.run()
    assert ran.listings == [f"/api/users/{rig.user(1001)['id']}"]
    assert rig.user(2001)["last_name"] == "Worker1001"


def test_somebody_else_costs_none(rig: PeopleRig) -> None:
    rig.hired(2001)
    assert rig.run().listings == []


def test_who_is_back_is_recognised_when_a_held_plan_is_approved_later(
    new_rig: NewRig, tmp_path: Path
) -> None:
    """The state is that of the held plan, and hands act until somebody approves."""
    file = tmp_path / "rules.toml"
    file.write_text("version = 1")
    rig = new_rig(RULES_FILE=str(file))
    rig.run()
    file.write_text('version = 1\n[employees.actions]\ncreate = "hold"')
    user = rig.user(1001)["id"]
    for number in (1001, 1002, 1003, 1004):
        rig.leaves(number)
    rig.by_hand(1001, system_access=0)
    rig.hired(2001, LastName="Worker1001", Phone="225-555-0177")
    held = rig.run(refresh=True)
    rig.safetyamp.edit("users", user, emp_id="2001", system_access=1)
    rig.safetyamp.add("user_titles", {"name": "Pilot"})
    rig.moves(1005, udEmpTitle="Pilot")
    approve(rig.stack.runtime, held.run_id)
    rig.finish(held.run_id)
    hourly_and_nightly(rig)
    assert (rig.user(2001)["id"], rig.user(2001)["system_access"]) == (user, 1)
    assert len(rows(rig, "user_titles", "name", "Pilot")) == 1


def test_others_do_not_wait_for_somebody_elses_phone(rig: PeopleRig) -> None:
    """What makes one new hire wait is no sign that another is there already."""
    first = rig.safetyamp.snapshot()["users"][0]
    guest = {"emp_id": "990001", "email": "guest@x.example", "mobile_phone": rig.phone(2001)}
    rig.safetyamp.add("users", copied(first, **guest))
    for number in (2001, 2002, 2003):
        rig.hired(number)
    rig.run()
    assert rows(rig, "users", "emp_id", "2001") == []
    assert [rig.user(number)["last_name"] for number in (2002, 2003)] == ["Worker2002", "Worker2003"]
