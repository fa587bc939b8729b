"""What an operator's rules do to SafetyAmp: the file is changed, a run comes, and the target is looked at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.sync.decisions.approve import approve
from shared.sync.decisions.record import Author
from shared.sync.decisions.rules import push
from tests.e2e.people_rig import NewRig, PeopleRig, adds_up, new_rig

__all__ = ["new_rig"]

Ruled = Callable[[str], PeopleRig]


@pytest.fixture
def rules_file(tmp_path: Path) -> Path:
    return tmp_path / "rules.toml"


@pytest.fixture
def ruled(new_rig: NewRig, rules_file: Path) -> Ruled:
    """A rig under these rules, after a first load."""

    def load(rules: str) -> PeopleRig:
        rules_file.write_text(f"version = 1\n{rules}")
        rig = new_rig(RULES_FILE=str(rules_file))
        rig.run()
        return rig

    return load


def test_new_rules_look_at_every_record_and_cost_no_call_where_nothing_differs(
    ruled: Ruled, rules_file: Path
) -> None:
    rig = ruled("")
    before = len(rig.safetyamp.calls)
    rules_file.write_text('version = 1\n[employees.fields]\nmobile_phone = { from = ["Phone", "CellPhone"] }')
    ran = rig.run()
    assert len(rig.safetyamp.calls) == before
    assert ran.entity("employees")["unchanged"] == 10


def test_a_cell_phone_comes_before_the_other_one(ruled: Ruled, rules_file: Path) -> None:
    rig = ruled("")
    rig.moves(1001, CellPhone="225-555-9001")
    rules_file.write_text('version = 1\n[employees.fields]\nmobile_phone = { from = ["CellPhone", "Phone"] }')
    rig.run()
    assert (rig.user(1001)["mobile_phone"], rig.user(1001)["work_phone"]) == ("+12255559001", rig.phone(1001))


SCOPE = """
[[employees.scope]]
name = "Not the agency"
all = [{ column = "PRGroup", is_not = 9 }]
"""


class TestOutOfScope:
    def leaves_alone(self, rig: PeopleRig) -> None:
        rig.moves(1001, PRGroup=9, City="Gray")
        rig.moves(1002, PRGroup=9)
        rig.leaves(1002)
        rig.moves(1003, City="Gray")

    def test_nobody_is_written_also_when_they_leave(self, ruled: Ruled) -> None:
        rig = ruled(SCOPE)
        cities = {number: rig.user(number)["city"] for number in (1001, 1002)}
        self.leaves_alone(rig)
        for request in ({}, {"refresh": True}):
            ran = rig.run(**request)
            adds_up(ran)
        assert {number: rig.user(number)["city"] for number in (1001, 1002)} == cities
        assert rig.user(1002)["system_access"]
        assert rig.user(1003)["city"] == "Gray"
        assert ran.entity("employees")["skipped"] == 2

    def test_who_comes_back_into_scope_is_synced_again(self, ruled: Ruled, rules_file: Path) -> None:
        rig = ruled(SCOPE)
        self.leaves_alone(rig)
        rig.run()
        rules_file.write_text("version = 1")
        rig.run()
        assert rig.user(1001)["city"] == "Gray"
        assert not rig.user(1002)["system_access"]

    def test_access_goes_and_comes_where_the_rules_say_so(self, ruled: Ruled) -> None:
        rig = ruled(SCOPE + '[employees.out_of_scope]\ndo = "deactivate"')
        rig.moves(1001, PRGroup=9)
        rig.run()
        assert not rig.user(1001)["system_access"]
        rig.moves(1001, PRGroup=1)
        rig.run()
        assert rig.user(1001)["system_access"]


class TestAFieldThatSafetyAmpOwns:
    RULES = '[employees.fields]\nstreet = { from = "Address", owner = "safetyamp" }'

    def test_keeps_what_somebody_wrote_whatever_the_payroll_says(self, ruled: Ruled) -> None:
        rig = ruled(self.RULES)
        rig.by_hand(1001, street="1 Levee Road")
        rig.moves(1001, Address="2 Other Street", City="Gray")
        for request in ({}, {"refresh": True}, {}):
            rig.run(**request)
        assert (rig.user(1001)["street"], rig.user(1001)["city"]) == ("1 Levee Road", "Gray")

    def test_is_filled_where_it_is_empty(self, ruled: Ruled) -> None:
        rig = ruled(self.RULES)
        rig.by_hand(1001, street=None)
        rig.run(refresh=True)
        assert rig.user(1001)["street"] == rig.person(1001)["Address"]

    def test_is_not_filled_over_what_somebody_wrote_since_the_last_listing(
        self, ruled: Ruled, rules_file: Path
    ) -> None:
        rig = ruled("")
        for number in (1001, 1002):
            rig.by_hand(number, street2=None)
        rig.run(refresh=True)
        rules_file.write_text(
            'version = 1\n[employees.fields]\nstreet2 = { from = "Address2", owner = "safetyamp" }'
        )
        for number in (1001, 1002):
            rig.moves(number, Address2="Unit 5")
        rig.by_hand(1001, street2="Rear")
        for _ in range(2):
            ran = rig.run()
        assert (rig.user(1001)["street2"], rig.user(1002)["street2"]) == ("Rear", "Unit 5")
        assert ran.entity("employees")["unchanged"] == 10


def test_what_the_payroll_has_no_more_is_cleared_where_the_rules_say_so(ruled: Ruled) -> None:
    rig = ruled('[employees.fields]\nstreet2 = { from = "Address2", empty = "clear" }')
    rig.moves(1001, Address2="Unit 5")
    rig.run()
    assert rig.user(1001)["street2"] == "Unit 5"
    rig.moves(1001, Address2=None)
    for _ in range(2):
        ran = rig.run()
    assert rig.user(1001)["street2"] is None
    assert ran.entity("employees")["unchanged"] == 10


def test_the_guard_counts_those_who_are_synced(new_rig: NewRig, rules_file: Path) -> None:
    """Two of a pilot of four, and not of a company of ten."""
    rules_file.write_text("version = 1")
    rig = new_rig(RULES_FILE=str(rules_file), GUARD_MAX_PERCENT="20")
    rig.run()
    rules_file.write_text("version = 1\n[employees.pilot]\nfirst = 4")
    for number in (1001, 1002):
        rig.leaves(number)
    reason = rig.run().entity("employees")["reason"]
    assert reason == "2 of 4 people would be deactivated, GUARD_MAX_PERCENT is 20"
    assert rig.user(1001)["system_access"]


def test_who_is_protected_is_never_written(ruled: Ruled, rules_file: Path) -> None:
    rig = ruled("")
    rules_file.write_text(
        'version = 1\n[[employees.protect]]\nreason = "break-glass"\nkeys = ["1001"]\n'
        'emails = ["person1002@tworivers.example"]'
    )
    rig.leaves(1001)
    rig.moves(1002, City="Gray")
    for request in ({}, {"refresh": True}):
        ran = rig.run(**request)
    assert rig.user(1001)["system_access"]
    assert rig.user(1002)["city"] != "Gray"
    assert rig.reasons(ran, 1001) == (
        "protected by the rules (break-glass): it would deactivate (system_access)"
    )


def test_who_is_protected_gives_no_phone_up_under_the_number_that_somebody_gave_them(
    new_rig: NewRig,
) -> None:
    """1001 and 1002 have each other's number in SafetyAmp."""
    rig = new_rig()
    rig.run()
    one, other = rig.user(1001)["id"], rig.user(1002)["id"]
    rig.safetyamp.edit("users", one, emp_id="1002")
    rig.safetyamp.edit("users", other, emp_id="1001")
    rules = 'version = 1\n[[employees.protect]]\nreason = "break-glass"\nkeys = ["1001"]'
    push(rig.stack.runtime, rules, Author("local"), None)
    rig.moves(1001, Phone="225-555-9001")
    rig.hired(2001, Phone="225-555-1001")
    rig.run(refresh=True)
    users = {row["id"]: row for row in rig.safetyamp.snapshot()["users"]}
    assert users[one]["mobile_phone"] == rig.phone(1001)
    assert rig.user(2001)["mobile_phone"] is None


def test_an_action_that_is_only_reported_is_not_done(ruled: Ruled, rules_file: Path) -> None:
    rig = ruled('[employees.actions]\ndeactivate = "report"')
    rig.leaves(1001)
    ran = rig.run()
    assert rig.user(1001)["system_access"]
    assert "only reported: it would deactivate" in rig.reasons(ran, 1001)
    rules_file.write_text("version = 1")
    rig.run()
    assert not rig.user(1001)["system_access"]


def test_only_the_pilot_is_synced(ruled: Ruled) -> None:
    rig = ruled('[employees.pilot]\nkeys = ["1001", "1002"]')
    users = {row["emp_id"] for row in rig.safetyamp.snapshot()["users"] if row["emp_id"]}
    assert users & {str(number) for number in range(1001, 1011)} == {"1001", "1002"}


def test_reactivations_can_be_held_while_all_else_goes_on(ruled: Ruled) -> None:
    rig = ruled('[employees.actions]\nreactivate = "hold"')
    rig.leaves(1001)
    rig.run()
    rig.moves(1001, TermDate=None)
    rig.hired(2001)
    ran = rig.run()
    assert not rig.user(1001)["system_access"]
    assert rig.user(2001)["system_access"]
    assert ran.entity("employees")["held"]
    approve(rig.stack.runtime, ran.run_id)
    rig.finish(ran.run_id, since=0)
    assert rig.user(1001)["system_access"]


def test_the_rules_limits_come_before_the_settings(ruled: Ruled) -> None:
    rig = ruled("[employees.guard.create]\ncount = 1\n[employees.guard.deactivate]\ncount = 2")
    users = [row for row in rig.safetyamp.snapshot()["users"] if row["emp_id"] in ("1001", "1002")]
    assert users == [], "ten would be created, and one may be"


def test_a_scope_that_leaves_nobody_holds_everything(ruled: Ruled, rules_file: Path) -> None:
    rig = ruled("")
    rules_file.write_text(
        'version = 1\n[employees.out_of_scope]\ndo = "deactivate"\n'
        '[[employees.scope]]\nname = "mistyped"\nall = [{ column = "PRGroup", is = 77 }]'
    )
    ran = rig.run()
    assert all(rig.user(number)["system_access"] for number in range(1001, 1011))
    assert ran.entity("employees")["held"]
