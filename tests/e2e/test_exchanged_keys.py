"""Numbers that were exchanged for others: a company that is another one, and a person who is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest

from local.company.model import Company, vista_date
from tests.e2e.rig import START, Rig
from tests.e2e.small_company import FIRST_NUMBER, PEOPLE, account, new_person, small_company

EXCHANGED = "keys look exchanged"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


@pytest.fixture
def loaded(rig: Rig) -> Rig:
    """After a first load."""
    assert rig.run().report["phase"] == "done"
    return rig


def renumber_people(company: Company) -> None:
    for table in ("bPREH", "bPRJC"):
        for row in company.tables[table]:
            row["Employee"] += 5000
    company.graph_users[:] = [account(FIRST_NUMBER + 5000 + place) for place in range(PEOPLE)]


def renumber_jobs(company: Company) -> None:
    for table, columns in (("bJCJM", ("Job", "Contract")), ("bJCCM", ("Contract",)), ("bPRJC", ("Job",))):
        for row in company.tables[table]:
            row.update({column: f"9{row[column]}" for column in columns})


def renumber_departments(company: Company) -> None:
    for table, column in (("bPRDP", "PRDept"), ("bPREH", "PRDept"), ("bJCCM", "Department")):
        for row in company.tables[table]:
            row[column] = f"9{row[column]}"


def rename_titles(company: Company) -> None:
    for row in company.tables["bPREH"]:
        row["udEmpTitle"] = f"Senior {row['udEmpTitle']}"


def exchange_vehicles(company: Company) -> None:
    for vehicle in company.vehicles:
        vehicle["id"] = f"9{vehicle['id']}"


EXCHANGES: dict[str, tuple[Callable[[Company], None], str]] = {
    "employees": (renumber_people, "users"),
    "jobs": (renumber_jobs, "sites"),
    "departments": (renumber_departments, "site_clusters"),
    "titles": (rename_titles, "user_titles"),
    "vehicles": (exchange_vehicles, "assets"),
}


@pytest.mark.parametrize("refresh", [False, True], ids=["hourly", "nightly"])
@pytest.mark.parametrize("entity", EXCHANGES)
def test_an_entity_whose_keys_all_changed_is_held_and_not_created_a_second_time(
    loaded: Rig, entity: str, refresh: bool
) -> None:
    exchange, resource = EXCHANGES[entity]
    there = len(loaded.safetyamp.snapshot()[resource])
    exchange(loaded.company)
    loaded.publish()
    for _ in range(2):
        ran = loaded.run(refresh=refresh)
        assert ran.entity(entity)["phase"] == "held"
        assert EXCHANGED in ran.entity(entity)["reason"]
        assert len(loaded.safetyamp.snapshot()[resource]) == there


def test_a_company_that_is_read_for_the_first_time_is_not_held_beside_accounts_of_others(
    tmp_path: Path,
) -> None:
    seeded = Rig(tmp_path, small_company(START.date()))
    seeded.run()
    dumped = seeded.safetyamp.dump()
    for user in dumped["rows"]["users"]:
        user.update(emp_id=f"X{user['emp_id']}", email=f"x{user['email']}", mobile_phone=None)
    seeded.close()
    rig = Rig(tmp_path, small_company(START.date()))
    rig.safetyamp.load(dumped)
    ran = rig.run()
    assert ran.report["phase"] == "done"
    assert ran.entity("employees")["created"] == PEOPLE
    # Nor later, when people are hired.
    for number in range(2001, 2001 + PEOPLE):
        new_person(rig.company, number)
    rig.publish()
    assert rig.run().entity("employees")["created"] == PEOPLE
    rig.close()


def test_people_who_leave_the_table_while_others_come_are_everyday_life(loaded: Rig) -> None:
    rows = loaded.company.tables["bPREH"]
    del rows[:2]
    for number in (2001, 2002):
        new_person(loaded.company, number)
    loaded.publish()
    assert loaded.run().entity("employees")["created"] == 2


class TestANumberThatWentToSomebodyElse:
    NUMBER = FIRST_NUMBER + 3
    OTHER: ClassVar = {"FirstName": "Robin", "LastName": "Stranger", "BirthDate": "1999-09-09 00:00:00"}

    def test_is_held_with_the_reason_and_nobody_is_renamed(self, loaded: Rig) -> None:
        loaded.person(self.NUMBER).update(self.OTHER)
        loaded.person(self.NUMBER + 1)["Address"] = "5 Other Street"
        loaded.publish()
        for refresh in (False, True, False):
            ran = loaded.run(refresh=refresh)
            problem = ran.problem("employees", str(self.NUMBER))
            assert problem["kind"] == "invalid"
            assert "belongs to another person now" in problem["reason"]
            assert "Robin" not in problem["reason"]
            assert loaded.user(self.NUMBER)["first_name"] == "Pat"
        assert loaded.user(self.NUMBER + 1)["street"] == "5 Other Street"

    @pytest.mark.parametrize("kept", ["name", "BirthDate"])
    def test_who_keeps_name_or_birth_date_is_renamed_as_ever(self, loaded: Rig, kept: str) -> None:
        columns = ("FirstName", "LastName") if kept == "name" else (kept,)
        changed = {column: value for column, value in self.OTHER.items() if column not in columns}
        loaded.person(self.NUMBER).update(changed)
        loaded.publish()
        assert loaded.run().entity("employees")["updated"] == 1

    def test_is_created_when_the_old_user_got_another_number(self, loaded: Rig) -> None:
        loaded.person(self.NUMBER).update(
            self.OTHER, HireDate=vista_date(START.date() - timedelta(days=1)), Phone="225-555-7777"
        )
        for one in loaded.company.graph_users:
            if one["employeeId"] == str(self.NUMBER):
                one.update(mail="robin@tworivers.example", userPrincipalName="robin@tworivers.example")
        loaded.publish()
        loaded.run()
        old = loaded.user(self.NUMBER)["id"]
        loaded.safetyamp.edit("users", old, emp_id=f"{self.NUMBER}-old", system_access=0)
        assert loaded.run(refresh=True).entity("employees")["created"] == 1
        assert loaded.user(self.NUMBER)["first_name"] == "Robin"
