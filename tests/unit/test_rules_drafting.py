"""What rules keep from being planned: of whom nothing is written, what is only told, whose values stay."""

from __future__ import annotations

from typing import Any

import pytest

from shared.sync.documents.state import EntityState, Entry
from tests.unit.planning_rig import a_leaver, a_person
from tests.unit.test_drafting_people import People, actions, reasons

SCOPE = '[[employees.scope]]\nname = "Houma"\nall = [{ column = "City", is = "Houma" }]\n'


def test_who_is_out_of_scope_is_told_once_for_all_and_by_name_only_to_who_asks() -> None:
    rows = [a_person(number, city="Gray") for number in (1, 2, 3)]
    people = People(*rows, a_leaver(4, city="Gray"), a_person(5), rules=SCOPE)
    for number in (1, 4):
        people.know(number)
    draft = people.draft()
    assert (actions(draft), draft.counts["skipped"]) == ([("create", "5")], 4)
    assert reasons(draft) == [
        ("?", "reported", "4 employees: out of scope by the rules; they are left as they are")
    ]
    asked = People(*rows, rules=SCOPE).draft(keys=("2",))
    assert reasons(asked) == [
        ("2", "skipped", "out of scope by the rules: Houma: City is something else, not what is wanted")
    ]


def test_who_is_out_of_scope_can_be_switched_off_and_is_told_as_no_leaver() -> None:
    rules = SCOPE + '[employees.out_of_scope]\ndo = "deactivate"'
    people = People(a_person(1, city="Gray"), a_person(2, city="Gray"), rules=rules)
    people.know(1)
    draft = people.draft()
    assert (actions(draft), draft.counts["skipped"]) == ([("deactivate", "1")], 1)
    [(key, kind, reason)] = reasons(draft)
    assert (key, kind) == ("1", "reported")
    assert reason.startswith("access is switched off: out of scope by the rules: Houma: City is")


class TestProtected:
    KEY = '[[employees.protect]]\nreason = "break-glass"\nkeys = ["0001"]'
    EMAIL = '[[employees.protect]]\nreason = "break-glass"\nemails = ["P1@home.example"]'

    @pytest.mark.parametrize("rules", [KEY, EMAIL])
    @pytest.mark.parametrize(
        ("row", "what"),
        [
            (a_person(1, city="Gray"), "it would update (city)"),
            (a_leaver(1), "it would deactivate (system_access)"),
        ],
    )
    def test_is_never_written_and_told(self, rules: str, row: Any, what: str) -> None:
        people = People(row, a_person(2, city="Gray"), rules=rules)
        people.know(1)
        people.know(2)
        draft = people.draft()
        assert actions(draft) == [("update", "2")]
        assert reasons(draft) == [("1", "skipped", f"protected by the rules (break-glass): {what}")]

    def test_also_where_several_have_the_number(self) -> None:
        people = People(a_leaver(1), rules=self.KEY)
        people.several(1, u7={"system_access": 1}, u8={"system_access": 1})
        draft = people.draft()
        assert draft.changes == []
        assert "protected by the rules (break-glass)" in reasons(draft)[0][2]


@pytest.mark.parametrize("action", ["create", "update", "deactivate", "reactivate"])
def test_an_action_that_is_only_reported_is_never_sent_and_told_in_every_run(action: str) -> None:
    people = People(
        a_person(1),
        a_person(2, city="Gray"),
        a_leaver(3),
        a_person(4),
        rules=f'[employees.actions]\n{action} = "report"',
    )
    for number, access in ((2, 1), (3, 1), (4, 0)):
        people.know(number, system_access=access)
    people.switched_off_by_sync("u4")
    for _ in range(2):
        draft = people.draft()
        keys = {"create": "1", "update": "2", "deactivate": "3", "reactivate": "4"}
        assert dict(actions(draft)) == {one: key for one, key in keys.items() if one != action}
        [(key, kind, reason)] = reasons(draft)
        assert (key, kind) == (keys[action], "skipped")
        assert reason.startswith(f"the rules have {action} only reported: it would {action} (")


PHONE = "225-555-7777"
NUMBER = "+12255557777"


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        (SCOPE, "out of scope by the rules"),
        ('[employees.pilot]\nkeys = "2"', "not in the pilot"),
        ('[[employees.protect]]\nreason = "CEO"\nkeys = "1"', "protected by the rules (CEO)"),
        ('[employees.actions]\nupdate = "report"', "the rules have update only reported"),
        (
            '[employees.fields]\nmobile_phone = { from = "Phone", owner = "create" }',
            "the rules leave mobile_phone to SafetyAmp",
        ),
    ],
)
def test_nothing_is_taken_from_whom_the_rules_leave_alone(rules: str, why: str) -> None:
    """1 has a phone in SafetyAmp that Vista gives to somebody new."""
    people = People(a_person(1, city="Gray"), a_person(2, phone=PHONE), rules=rules)
    people.know(1, mobile_phone=NUMBER)
    draft = people.draft()
    (new,) = [change for change in draft.changes if change.key == "2"]
    assert ("mobile_phone" in new.fields, new.beside) == (False, [])
    (reason,) = [text for key, _, text in reasons(draft) if key == "2"]
    assert reason == f"mobile_phone left out: employee 1 has it and keeps it: {why}"


class TestAFieldOfSafetyAmps:
    RULES = '[employees.fields]\nstreet2 = { from = "Address2", owner = "safetyamp" }'

    def test_is_filled_where_there_is_nothing(self) -> None:
        people = People(a_person(1, street2="Unit 5"), rules=self.RULES)
        people.know(1)
        [change] = people.draft().changes
        assert (change.action, change.fields, change.fill) == ("update", {}, {"street2": "Unit 5"})

    def test_is_left_as_it_is_where_there_is_something(self) -> None:
        people = People(a_person(1, street2="Unit 5"), rules=self.RULES)
        people.know(1, street2="Rear")
        draft = people.draft()
        assert (draft.changes, draft.counts["unchanged"]) == ([], 1)

    def test_is_sent_of_somebody_new(self) -> None:
        [change] = People(a_person(1, street2="Unit 5"), rules=self.RULES).draft().changes
        assert (change.fields["street2"], change.fill) == ("Unit 5", {})


def test_what_the_source_has_no_more_is_cleared_where_the_rules_say_so() -> None:
    rules = '[employees.fields]\nstreet2 = { from = "Address2", empty = "clear" }'
    people = People(a_person(1), a_person(2), a_person(3), rules=rules)
    people.know(1, street2="Unit 5")
    people.know(2, street2=None)
    draft = people.draft()
    created, cleared = draft.changes
    assert "street2" not in created.fields
    assert (cleared.key, cleared.fields, cleared.before) == ("1", {"street2": None}, {"street2": "Unit 5"})


def test_what_hands_changed_is_set_back_and_told_as_such() -> None:
    """After a listing, of somebody of whom the source says what it said before."""
    people = People(a_person(1), a_person(2, city="Gray"))
    people.know(1)
    people.draft()  # settles
    before = EntityState("employees")
    known = people.state.entry("1")
    assert known is not None
    before.put("1", known)
    people.state.put("1", Entry("u1", None, {**known.fields, "street": "9 Else Ave"}, {}))
    people.know(2)
    draft = people.draft(trust=False, listed=True, before=before)
    assert [(change.key, list(change.fields)) for change in draft.changes] == [
        ("1", ["street"]),
        ("2", ["city"]),
    ]
    assert reasons(draft) == [
        ("1", "reported", "street was changed in SafetyAmp since the last run and is set back")
    ]
