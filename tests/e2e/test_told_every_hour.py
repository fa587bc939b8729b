"""What an operator has to mend is in every run's report, not only in the one that found it."""

from __future__ import annotations

import pytest

from tests.e2e.people_rig import NewRig, PeopleRig, adds_up, new_rig, rig

__all__ = ["new_rig", "rig"]


@pytest.mark.parametrize(
    ("column", "value"),
    [("Phone", "n/a"), ("State", "Louisiana"), ("Zip", "?"), ("BirthDate", "1800-01-01 00:00:00")],
)
@pytest.mark.parametrize("how", ["from the first load on", "later", "beside something that is sent"])
def test_a_value_that_is_not_sent_is_told_until_it_is_mended(
    new_rig: NewRig, column: str, value: str, how: str
) -> None:
    rig = new_rig()
    mended = rig.person(1001)[column]
    if how != "from the first load on":
        rig.run()
    rig.moves(1001, **{column: value})
    if how == "beside something that is sent":
        rig.moves(1001, Address="5 New Street")
    told = set()
    for place in range(3):
        ran = rig.run()
        told.add(rig.reasons(ran, 1001))
        assert "" not in told, f"in run {place}"
        adds_up(ran)
    assert told == {rig.reasons(rig.run(refresh=True), 1001)}, "the same words, compared or not"
    assert (ran.calls, ran.entity("employees")["unchanged"]) == ([], 10)
    rig.moves(1001, **{column: mended})
    for _ in range(2):
        assert rig.reasons(rig.run(), 1001) == ""


def test_two_people_with_one_address_are_told_too(rig: PeopleRig) -> None:
    for number in (1001, 1002):
        rig.company.graph_users.remove(rig.account(number))
        rig.person(number)["Email"] = "both@x.example"
    rig.publish()
    for _ in range(3):
        ran = rig.run()
        assert "the e-mail is also that of employee 1002" in rig.reasons(ran, 1001)


def test_a_report_that_says_the_same_writes_no_state(rig: PeopleRig) -> None:
    rig.moves(1001, Phone="n/a")
    rig.run()
    rig.run()
    ran = rig.run()
    assert not list(rig.documents.list(f"runs/{ran.run_id}/employees/base")), "nothing to merge"
