"""What rules.md promises, where two of its rules meet, or a rule meets an odd row."""

from __future__ import annotations

import pytest

from shared.sync.decisions.record import Author
from shared.sync.decisions.rules import push
from tests.e2e.people_rig import PeopleRig, new_rig, rig

__all__ = ["new_rig", "rig"]

AGENCY = """
[[employees.scope]]
name = "Not the agency"
all = [{ column = "PRGroup", is_not = 9 }]
"""
MISTYPED = """
[[employees.scope]]
name = "mistyped"
all = [{ column = "PRGroup", is = 77 }]
"""
SWITCHED_OFF = '[employees.out_of_scope]\ndo = "deactivate"\n'
PILOT = '[employees.pilot]\nkeys = ["1001"]\n'
TITLE = 'current_title_id = { rule = "title", owner = "safetyamp" }'
PHONE = 'mobile_phone = { from = "Phone", owner = "safetyamp" }'


def under(rig: PeopleRig, rules: str) -> None:
    push(rig.stack.runtime, f"version = 1\n{rules}", Author("local"), None)


def test_who_is_not_in_the_pilot_keeps_access_out_of_scope_too(rig: PeopleRig) -> None:
    """Only the pilot is synced: everybody else is left as they are."""
    rig.moves(1005, PRGroup=9)
    under(rig, SWITCHED_OFF + AGENCY + PILOT)
    rig.run()
    assert rig.user(1005)["system_access"]


class TestAScopeThatAdmitsNobody:
    def test_holds_everything_in_a_company_that_somebody_has_left(self, rig: PeopleRig) -> None:
        """Those who are still there are no more than the guard lets by."""
        rig.leaves(1010)
        rig.run()
        under(rig, SWITCHED_OFF + MISTYPED)
        ran = rig.run()
        assert ran.entity("employees")["held"]
        assert all(rig.user(number)["system_access"] for number in range(1001, 1010))

    def test_holds_everything_beside_a_row_without_a_usable_number(self, rig: PeopleRig) -> None:
        rig.company.tables["bPREH"].append({**rig.person(1001), "Employee": -5})
        rig.publish()
        under(rig, MISTYPED)
        assert rig.run().entity("employees")["held"]


@pytest.mark.parametrize("term_date", ["2020-01-01 00:00:00", "1900-01-01 00:00:00"])
def test_who_is_not_active_has_left_whatever_their_term_date_says(rig: PeopleRig, term_date: str) -> None:
    """Of an earlier employment, and one that nobody entered."""
    under(rig, '[employees.people]\nactive_column = "ActiveYN"')
    rig.moves(1001, ActiveYN="N", TermDate=term_date)
    rig.run()
    assert not rig.user(1001)["system_access"]


@pytest.mark.parametrize(
    "fields",
    [
        'date_of_birth = { from = "BirthDate", owner = "create" }',
        'date_of_birth = { from = "BirthDate", owner = "safetyamp" }',
        'first_name = { from = "FirstName", owner = "create" }\n'
        'last_name = { from = "LastName", owner = "create" }',
    ],
    ids=["birth date once", "birth date is SafetyAmp's", "names once"],
)
def test_a_number_that_another_person_has_now_changes_nothing_whoever_owns_what_tells_them_apart(
    rig: PeopleRig, fields: str
) -> None:
    under(rig, f"[employees.fields]\n{fields}")
    rig.run()
    before = rig.user(1001)
    rig.moves(1001, FirstName="Alex", LastName="Other", BirthDate="1991-02-03 00:00:00", City="Gray")
    ran = rig.run()
    assert "the number belongs to another person now" in rig.reasons(ran, 1001)
    assert rig.user(1001) == before


class TestWhatFillsAFieldOfSafetyAmps:
    def test_can_be_a_title(self, rig: PeopleRig) -> None:
        before = rig.user(1001)["current_title_id"]
        under(rig, f"[employees.fields]\n{TITLE}")
        rig.by_hand(1001, current_title_id=None)
        ran = rig.run(refresh=True)
        assert rig.reasons(ran, 1001) == ""
        assert rig.user(1001)["current_title_id"] == before

    @pytest.mark.parametrize("moves", [False, True], ids=["alone", "beside a change"])
    def test_costs_that_field_only_where_somebody_else_has_the_value(
        self, rig: PeopleRig, moves: bool
    ) -> None:
        under(rig, f"[employees.fields]\n{PHONE}")
        rig.by_hand(1001, mobile_phone=None)
        rig.held_by_nobody_of_ours(mobile_phone=rig.phone(1001))
        if moves:
            rig.moves(1001, City="Gray")
        rig.run(refresh=True)
        ran = rig.run()
        assert ran.entity("employees")["failed"] == 0
        assert ran.writes == [], "it was refused, and nothing has changed since"


@pytest.mark.parametrize("rules", [AGENCY, SWITCHED_OFF + AGENCY, PILOT], ids=["left", "off", "pilot"])
def test_a_run_of_one_record_for_which_nothing_is_to_be_done_holds_nothing(
    rig: PeopleRig, rules: str
) -> None:
    """Somebody else is out of scope, or not in the pilot."""
    rig.moves(1005, PRGroup=9)
    under(rig, rules)
    rig.run()
    assert rig.run(entities=("employees",), keys=("1001",)).report["phase"] == "done"


def test_who_is_protected_by_an_address_that_hands_gave_them_since_the_listing_keeps_access(
    rig: PeopleRig,
) -> None:
    rig.by_hand(1001, email="break@glass.example")
    under(rig, '[[employees.protect]]\nreason = "break-glass"\nemails = ["break@glass.example"]')
    rig.leaves(1001)
    rig.run()
    assert rig.user(1001)["system_access"]


def test_a_column_that_is_not_there_is_said_to_be_of_the_rules_that_were_pushed(rig: PeopleRig) -> None:
    under(rig, '[[employees.scope]]\nname = "x"\nall = [{ column = "udNope", is_not = "Y", empty = true }]')
    reason = rig.run().entity("employees")["reason"]
    assert "udNope" in reason
    assert "RULES_FILE" not in reason
    assert "Vista: :" not in reason
