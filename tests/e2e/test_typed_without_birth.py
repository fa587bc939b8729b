"""Hands made an account with a leaver's number by mistake, without a birth date: its owner keeps access."""

from __future__ import annotations

from typing import Any

from shared.sync import paths
from tests.e2e.people_rig import YESTERDAY, NewRig, PeopleRig, new_rig, rig

__all__ = ["NewRig", "new_rig", "rig"]

REQUESTS: list[dict[str, Any]] = [{}, {"refresh": True}, {}, {"refresh": True}, {}]


def has_access(rig: PeopleRig, address: str) -> bool:
    """Whether the user with this address may sign in."""
    (user,) = (row for row in rig.safetyamp.snapshot()["users"] if row["email"] == address)
    return bool(user["system_access"])


def somebody_left(rig: PeopleRig) -> None:
    """900 left before there was a sync, under names of their own."""
    rig.hired(900, TermDate=YESTERDAY, FirstName="Bob", LastName="Gone", BirthDate="1955-05-05 00:00:00")
    rig.run()


def entered_by_hand(rig: PeopleRig, number: int) -> None:
    """Somebody new is in Vista and has an account with their names, address and phone, but this number."""
    rig.hired(2001, FirstName="Ann", LastName="Newby", BirthDate="1990-01-01 00:00:00", Phone="225-555-8888")
    like = rig.user(1003)
    fields = {name: value for name, value in like.items() if name not in ("id", "date_of_birth")}
    names = {"first_name": "Ann", "last_name": "Newby"}
    unique = {"email": rig.mail(2001), "mobile_phone": "+12255558888"}
    rig.safetyamp.add("users", {**fields, **names, **unique, "emp_id": str(number)})


def test_of_a_leaver_without_a_user(rig: PeopleRig) -> None:
    somebody_left(rig)
    entered_by_hand(rig, 900)
    for request in REQUESTS:
        ran = rig.run(**request)
    assert has_access(rig, rig.mail(2001))
    assert rig.reasons(ran, 900)


def test_of_a_leaver_with_a_user(rig: PeopleRig) -> None:
    rig.moves(1002, FirstName="Bob", BirthDate="1955-05-05 00:00:00")
    rig.run()
    rig.leaves(1002)
    rig.run()
    entered_by_hand(rig, 1002)
    for request in REQUESTS:
        ran = rig.run(**request)
    assert has_access(rig, rig.mail(2001))
    assert rig.reasons(ran, 1002)


def test_where_nothing_is_known_yet(rig: PeopleRig) -> None:
    """The first load, or the state is lost."""
    somebody_left(rig)
    rig.by_hand(1001, emp_id="900", date_of_birth=None)
    rig.documents.delete(paths.state("employees"))
    for request in REQUESTS:
        ran = rig.run(**request)
    assert has_access(rig, rig.mail(1001))
    assert rig.reasons(ran, 900)
