"""Whether a key that hands changed was meant, as a table."""

from __future__ import annotations

from typing import Any

import pytest

from shared.sync.documents.state import EntityState, Entry, Place
from shared.sync.findings.causes import LEAVER_WITH_ACCESS, OUT_OF_SCOPE
from shared.sync.model import KnownBy, Rejected, SourceRecord
from shared.sync.planning.moved_keys import MovedKeys, leavers_with_access

PAT = {"first_name": "Pat", "last_name": "Old", "date_of_birth": "1980-05-17"}
MARY = {"first_name": "Mary", "last_name": "New", "date_of_birth": "1999-01-01"}
NAMESAKE = {**PAT, "date_of_birth": "1999-01-01"}
NOBODY: dict[str, Any] = {}
GONE, LEFT, CURRENT = None, "left", "active"
LATER, ODD = "future", "bad HireDate"

USER = "u1"


def judged(
    old: tuple[str | None, dict[str, Any]],
    new: tuple[str | None, dict[str, Any]],
    shown: dict[str, Any] = PAT,
    *,
    several: bool = False,
    taken: bool = False,
    entity: str = "employees",
) -> MovedKeys:
    """The user `USER` was 1's and has the key 2 now. `old`, `new`: how these stand, and who they are."""
    state = EntityState(entity, moved={"1": Place(USER, "2")})
    if several:
        state.ambiguous["2"] = [USER, "u2"]
        state.note_stray(USER, "2", {**shown, "system_access": 1})
    else:
        state.put("2", Entry(USER, None, {**shown, "system_access": 1}, {}))
    if taken:
        state.put("1", Entry("u9", None, {}, {}))
    standing = {"1": old, "2": new}
    moved = MovedKeys(state)
    records = {key: SourceRecord(key, (stands,)) for key, (stands, _) in standing.items() if stands}
    moved.judge(records, lambda key: standing[key][1])
    return moved


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ((LEFT, PAT), (CURRENT, PAT), PAT),
        ((GONE, NOBODY), (CURRENT, MARY), PAT),
        ((LEFT, PAT), (LEFT, PAT), PAT),
        ((CURRENT, NAMESAKE), (CURRENT, PAT), PAT),
        ((CURRENT, MARY), (CURRENT, PAT), PAT),
        ((CURRENT, MARY), (LEFT, PAT), PAT),
        ((CURRENT, MARY), (GONE, NOBODY), PAT),
    ],
)
def test_was_meant(old: Any, new: Any, shown: dict[str, Any]) -> None:
    moved = judged(old, new, shown)
    assert (moved.blocked, moved.told, moved.spared) == ({}, [], {})


@pytest.mark.parametrize("stands", [CURRENT, LEFT])
@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [(PAT, MARY, PAT), (PAT, PAT, PAT), (PAT, NAMESAKE, PAT), (NOBODY, NOBODY, NOBODY), (PAT, MARY, NOBODY)],
    ids=["the old one", "both", "a namesake", "nothing known", "nothing shown"],
)
def test_nothing_shows_that_it_was_meant(
    stands: str, old: dict[str, Any], new: dict[str, Any], shown: dict[str, Any]
) -> None:
    moved = judged((CURRENT, old), (stands, new), shown)
    assert set(moved.blocked) == {"1", "2"}
    assert "has 2 now" in moved.blocked["1"].text
    assert "known as employee 1" in moved.blocked["2"].text


@pytest.mark.parametrize("old", [GONE, LEFT, CURRENT])
def test_a_move_that_was_meant_is_forgotten_only_when_the_source_has_the_old_number(old: str | None) -> None:
    """One whom the source lacks may have been read in half, and be back tomorrow."""
    assert judged((old, MARY), (CURRENT, PAT), taken=True).outlived == ([] if old is GONE else ["1"])


def test_an_unknown_number_is_a_mistake_until_somebody_else_has_the_old_one() -> None:
    assert set(judged((CURRENT, PAT), (GONE, NOBODY)).blocked) == {"1"}
    settled = judged((CURRENT, PAT), (GONE, NOBODY), taken=True)
    assert (settled.blocked, settled.outlived) == ({}, ["1"])


@pytest.mark.parametrize(
    ("old", "new", "blocked", "spared", "told"),
    [
        (CURRENT, CURRENT, True, True, False),
        (CURRENT, LEFT, True, True, False),
        (LEFT, CURRENT, False, True, True),
        (LEFT, LEFT, False, False, False),
        (GONE, LEFT, False, False, False),
    ],
)
def test_a_number_that_others_have_too(
    old: str | None, new: str, blocked: bool, spared: bool, told: bool
) -> None:
    moved = judged((old, PAT), (new, PAT), several=True)
    assert ("1" in moved.blocked, USER in moved.spared, bool(moved.told)) == (blocked, spared, told)
    assert "2" not in moved.blocked


@pytest.mark.parametrize(
    ("new", "person"), [(GONE, NOBODY), (CURRENT, MARY), (LEFT, MARY)], ids=["nobody", "current", "left"]
)
def test_a_leaver_whose_user_is_nobodys_now_is_told(new: str | None, person: dict[str, Any]) -> None:
    (told,) = judged((LEFT, PAT), (new, person)).told
    assert told[0] == "1"
    assert "still has access" in told[1].text
    assert told[1].cause is LEAVER_WITH_ACCESS


@pytest.mark.parametrize("stands", [LATER, ODD])
def test_a_leaver_keeps_no_access_unseen_under_a_number_that_decides_nothing(stands: str) -> None:
    (told,) = judged((LEFT, PAT), (stands, PAT)).told
    assert told[0] == "1"
    assert ("hired on a later date" in told[1].text) == (stands == LATER)


@pytest.mark.parametrize(("person", "is_told"), [(PAT, False), (MARY, True), (NOBODY, True)])
def test_under_a_number_that_the_rules_leave_to_others_only_the_same_person_does(
    person: dict[str, Any], is_told: bool
) -> None:
    state = EntityState("employees", moved={"1": Place(USER, "2")})
    state.put("2", Entry(USER, None, {**PAT, "system_access": 1}, {}))
    moved = MovedKeys(state)
    others = Rejected("2", "skipped", "of others", cause=OUT_OF_SCOPE)
    records: dict[str, SourceRecord | Rejected] = {"1": SourceRecord("1", (LEFT,)), "2": others}
    moved.judge(records, {"1": PAT, "2": person}.__getitem__)
    assert bool(moved.told) == is_told


def test_what_was_meant_is_remembered_until_somebody_else_has_the_old_number() -> None:
    assert judged((LEFT, PAT), (CURRENT, PAT)).outlived == []
    assert judged((CURRENT, MARY), (CURRENT, PAT), taken=True).outlived == ["1"]


def test_other_records_have_nothing_but_their_key_to_tell() -> None:
    assert judged((CURRENT, NOBODY), (CURRENT, NOBODY), NOBODY, entity="jobs").blocked == {}
    assert set(judged((CURRENT, NOBODY), (GONE, NOBODY), NOBODY, entity="jobs").blocked) == {"1"}
    several = judged((CURRENT, NOBODY), (CURRENT, NOBODY), NOBODY, entity="jobs", several=True)
    assert set(several.blocked) == {"1"}


def test_a_user_of_whose_last_move_nothing_is_sure_is_not_judged_by_an_earlier_one() -> None:
    state = EntityState("employees", moved={"1": Place(USER, "2"), "3": Place(USER, "2")})
    state.put("2", Entry(USER, None, {**PAT, "system_access": 1}, {}))
    moved = MovedKeys(state)
    records = {"1": SourceRecord("1", ("active",)), "3": SourceRecord("3", ("left",))}
    moved.judge(records, lambda key: PAT if key == "1" else MARY)
    assert set(moved.blocked) == {"1"}
    assert (moved.told, moved.outlived) == ([], [])


def test_of_two_whose_numbers_were_swapped_each_is_told_where_their_own_user_is() -> None:
    state = EntityState("employees", moved={"1": Place("u1", "2"), "2": Place("u2", "1")})
    state.put("2", Entry("u1", None, {**PAT, "system_access": 1}, {}))
    state.put("1", Entry("u2", None, {**MARY, "system_access": 1}, {}))
    moved = MovedKeys(state)
    people = {"1": PAT, "2": MARY}
    moved.judge({key: SourceRecord(key, ("active",)) for key in people}, lambda key: people[key])
    assert moved.blocked["1"].text.startswith("SafetyAmp's record u1 had this key and has 2 now")
    assert moved.blocked["2"].text.startswith("SafetyAmp's record u2 had this key and has 1 now")


def test_a_leaver_whose_user_has_a_number_for_which_nothing_is_sent_is_told() -> None:
    """Nobody would switch it off: what the number's own person gets is in doubt, too."""
    state = EntityState("employees", moved={"1": Place("u1", "2"), "2": Place("u2", "5")})
    state.put("2", Entry("u1", None, {**PAT, "system_access": 1}, {}))
    state.put("5", Entry("u2", None, {**PAT, "system_access": 1}, {}))
    moved = MovedKeys(state)
    people = {"1": PAT, "2": PAT, "5": MARY}
    stands = {"1": "left", "2": "active", "5": "active"}
    moved.judge({key: SourceRecord(key, (one,)) for key, one in stands.items()}, lambda key: people[key])
    assert set(moved.blocked) == {"2", "5"}
    assert [key for key, _ in moved.told] == ["1"]


def test_a_leaver_whose_user_is_nobody_s_and_off_is_nothing_to_tell_of() -> None:
    state = EntityState("employees", moved={"1": Place(USER, "2")})
    state.put("2", Entry(USER, None, {**PAT, "system_access": 0}, {}))
    moved = MovedKeys(state)
    moved.judge({"1": SourceRecord("1", ("left",))}, lambda _: PAT)
    assert (moved.told, moved.blocked) == ([], {})


class TestAUserThatHasNoNumberAnyMore:
    """It is kept under the one that it had."""

    def judged(self, stands: str, person: dict[str, Any], access: int | None = 1) -> MovedKeys:
        state = EntityState("employees", moved={"1": Place(USER, None)})
        state.put("1", Entry(USER, None, {**PAT, "system_access": access}, {}))
        moved = MovedKeys(state)
        moved.judge({"1": SourceRecord("1", (stands,))}, lambda _: person)
        return moved

    @pytest.mark.parametrize(
        ("stands", "person", "access", "told", "freed"),
        [
            (CURRENT, PAT, 1, True, False),
            (CURRENT, PAT, 0, True, False),
            (CURRENT, MARY, 1, True, False),
            (CURRENT, MARY, 0, False, True),
            (LEFT, PAT, 1, True, False),
            (LEFT, PAT, 0, False, False),
            (LEFT, MARY, 0, False, False),
        ],
    )
    def test_is_told_until_it_is_off_and_nobody_s(
        self, stands: str, person: dict[str, Any], access: int, told: bool, freed: bool
    ) -> None:
        moved = self.judged(stands, person, access)
        assert (bool(moved.told), bool(moved.freed)) == (told, freed)
        assert all(key == "1" and "has no emp_id any more" in reason.text for key, reason in moved.told)

    def test_of_which_nothing_is_known_is_nothing_to_tell_of(self) -> None:
        moved = MovedKeys(EntityState("employees", moved={"1": Place(USER, None)}))
        moved.judge({"1": SourceRecord("1", ("active",))}, lambda _: PAT)
        assert (moved.told, moved.freed, moved.blocked) == ([], [], {})

    def test_whom_the_source_lacks_is_left_alone(self) -> None:
        state = EntityState("employees", moved={"1": Place(USER, None)})
        state.put("1", Entry(USER, None, {**PAT, "system_access": 1}, {}))
        moved = MovedKeys(state)
        moved.judge({}, lambda _: {})
        assert (moved.told, moved.freed) == ([], [])


@pytest.mark.parametrize(("own", "told"), [("Byhand", True), ("Old", False)])
def test_a_leavers_second_user_is_known_by_a_name_that_somebody_mended_in_both(own: str, told: bool) -> None:
    """Nothing else but the e-mail is the leaver's."""
    state = EntityState("employees")
    state.put("1", Entry("u1", None, {**PAT, "last_name": own, "system_access": 0}, {}))
    theirs = {"email": "pat@x.example", "first_name": "Pat", "last_name": "Byhand", "system_access": 1}
    state.note_stray("u2", None, theirs)
    leaver = KnownBy({**PAT, "date_of_birth": None}, frozenset({"pat@x.example"}))
    found = leavers_with_access(state, lambda _: {"1": leaver}, seen={"1"})
    assert [(key, reason.cause) for key, reason in found] == ([("1", LEAVER_WITH_ACCESS)] if told else [])
