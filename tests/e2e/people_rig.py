"""A company of ten after its first load, and what people and hands do to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.company.model import Company, Row, vista_date
from shared.sync.documents.report import COUNTS
from tests.e2e.rig import START, Ran, Rig
from tests.e2e.small_company import new_person, small_company

YESTERDAY = vista_date(START.date() - timedelta(days=1))
COUNTED = COUNTS[1:]
"""Without `source`, which they add up to."""

NewRig = Callable[..., "PeopleRig"]


class PeopleRig(Rig):
    """The rig with short words for what these tests do."""

    def mail(self, number: int) -> str:
        """Somebody's address at first."""
        return f"person{number}@tworivers.example"

    def phone(self, number: int) -> str:
        """Somebody's phone at first, as SafetyAmp holds it."""
        return f"+1225555{number}"

    def account(self, number: int) -> Row:
        """Somebody's Microsoft account."""
        return next(row for row in self.company.graph_users if row["employeeId"] == str(number))

    def moves(self, number: int, **columns: Any) -> None:
        """The payroll says something else of somebody."""
        self.person(number).update(columns)
        self.publish()

    def gets_mail(self, number: int, address: str) -> None:
        """The directory says another address."""
        self.account(number)["mail"] = address
        self.publish()

    def leaves(self, number: int) -> None:
        """Somebody's last day is over."""
        self.moves(number, TermDate=YESTERDAY)

    def hired(self, number: int, **columns: Any) -> None:
        """Somebody new, with an account."""
        new_person(self.company, number, **columns)
        self.publish()

    def by_hand(self, number: int, **fields: Any) -> None:
        """Somebody changes a user in SafetyAmp."""
        self.safetyamp.edit("users", self.user(number)["id"], **fields)

    def held_by_nobody_of_ours(self, **fields: Any) -> Any:
        """A user of SafetyAmp without employee number has these values; the user's id."""
        dumped = self.safetyamp.dump()
        row = {**dumped["rows"]["users"][0], "id": "zz9zz", "emp_id": None, "email": "old@x.example"}
        dumped["rows"]["users"].append({**row, "mobile_phone": None, **fields})
        self.safetyamp.load(dumped)
        return "zz9zz"

    def reasons(self, ran: Ran, number: int) -> str:
        """What the report of a run says of somebody."""
        problems = ran.entity("employees")["problems"]
        return "; ".join(problem["reason"] for problem in problems if problem["key"] == str(number))


def adds_up(ran: Ran) -> None:
    """Every record is in one column."""
    for name, entity in ran.report["entities"].items():
        assert sum(entity[count] for count in COUNTED) == entity["source"], name


@pytest.fixture
def new_rig(tmp_path: Path) -> Iterator[NewRig]:
    """Makes the rig of a company; the guard lets everything through unless told otherwise."""
    rigs: list[PeopleRig] = []

    def new(company: Company | None = None, **settings: Any) -> PeopleRig:
        given = {"GUARD_MAX_PERCENT": "100", **settings}
        rigs.append(PeopleRig(tmp_path, company or small_company(START.date()), **given))
        return rigs[-1]

    yield new
    for rig in rigs:
        rig.close()


@pytest.fixture
def rig(new_rig: NewRig) -> PeopleRig:
    """After a first load."""
    rig = new_rig()
    rig.run()
    return rig
