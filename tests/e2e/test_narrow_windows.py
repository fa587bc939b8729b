"""A change that needs more calls than a window has goes on where it was, and nobody waits behind it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.people_rig import NewRig, PeopleRig, adds_up, new_rig

__all__ = ["new_rig"]

WINDOWS: dict[str, dict[str, Any]] = {
    "four, two of them reserved": {"limit": 4, "API_RATE_LIMIT_RESERVE": "2"},
    "eight, six of them reserved": {"limit": 8, "API_RATE_LIMIT_RESERVE": "6"},
    "without Redis, ten processes": {"MAX_PROCESSES": "10"},
}
TWINS = 7
NAMESAKES = range(1003, 1010)


@pytest.fixture(params=WINDOWS.values(), ids=list(WINDOWS))
def narrow(new_rig: NewRig, request: pytest.FixtureRequest) -> PeopleRig:
    return new_rig(**request.param)


def others_arrive(rig: PeopleRig) -> None:
    """Somebody else leaves, is hired, moves."""
    rig.leaves(1002)
    rig.hired(2002)
    rig.moves(1010, Address="5 New Street")
    adds_up(rig.run())
    assert not rig.user(1002)["system_access"]
    assert (rig.user(2002)["last_name"], rig.user(1010)["street"]) == ("Worker2002", "5 New Street")


def test_a_leaver_with_many_users_loses_access_in_all_of_them(narrow: PeopleRig) -> None:
    narrow.run()
    user = {name: value for name, value in narrow.user(1001).items() if name not in ("id", "mobile_phone")}
    for number in range(TWINS):
        narrow.safetyamp.add("users", {**user, "email": f"twin{number}@x.example"})
    narrow.run(refresh=True)
    narrow.leaves(1001)
    others_arrive(narrow)
    twins = [row for row in narrow.safetyamp.snapshot()["users"] if row["emp_id"] == "1001"]
    assert [row["system_access"] for row in twins] == [0] * (TWINS + 1)


def test_a_new_hire_with_many_namesakes_is_created(narrow: PeopleRig) -> None:
    for number in NAMESAKES:
        narrow.moves(number, LastName="Garcia", BirthDate=None)
    narrow.run()
    narrow.hired(2001, LastName="Garcia", BirthDate=None)
    others_arrive(narrow)
    assert narrow.user(2001)["last_name"] == "Garcia"
