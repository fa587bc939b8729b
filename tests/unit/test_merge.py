"""Outcomes into the state."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import pytest

from shared.storage.decoding import decode
from shared.sync.applying.merge import merge_outcomes
from shared.sync.documents.outcome import Outcome, Result, Written
from shared.sync.documents.state import (
    FAILURE,
    GONE,
    OFF_BY,
    REJECTED,
    TAKEN,
    UNKNOWN,
    UNSURE,
    EntityState,
    Entry,
    Flags,
    Refusal,
)

ANN = {"first_name": "Ann", "city": "Delta", "system_access": 1}
OLD = Entry("aaaaa", "old", ANN, {})


def merged(before: Entry | None, result: Result, **facts: Any) -> Entry | None:
    """The entry after one outcome."""
    state = EntityState("employees")
    if before is not None:
        state.put("k", before)
    merge_outcomes(state, [Outcome("k", "any", result, "new", **facts)], "run-1")
    return state.entry("k")


def test_a_creation_is_known_with_what_safetyamp_took() -> None:
    assert merged(None, "created", target_id="aaaaa", fields=ANN) == Entry("aaaaa", "new", ANN, {})


def test_an_update_replaces_what_was_sent_and_keeps_the_rest() -> None:
    assert merged(OLD, "updated", target_id="aaaaa", fields={"city": "Coast"}) == Entry(
        "aaaaa", "new", {**ANN, "city": "Coast"}, {}
    )


def test_an_adopted_record_is_compared_once_more() -> None:
    entry = merged(None, "created", target_id="aaaaa", fields=ANN, adopted=True)
    assert entry == Entry("aaaaa", None, ANN, {})


ACCESS: list[tuple[str, Entry, Result, dict[str, Any], dict[str, Any]]] = [
    ("a leaver is ours to switch on again", OLD, "deactivated", {"system_access": 0}, {OFF_BY: "run-1"}),
    (
        "the last run that switched off counts",
        Entry("aaaaa", "old", ANN, {OFF_BY: "run-0"}),
        "deactivated",
        {"system_access": 0},
        {OFF_BY: "run-1"},
    ),
    (
        "whoever is on is nobody's to switch on",
        Entry("aaaaa", "old", {**ANN, "system_access": 0}, {OFF_BY: "run-0"}),
        "reactivated",
        {"system_access": 1},
        {},
    ),
    (
        "an update without access changes nothing of it",
        Entry("aaaaa", "old", {**ANN, "system_access": 0}, {OFF_BY: "run-0"}),
        "updated",
        {"city": "Coast"},
        {OFF_BY: "run-0"},
    ),
]


@pytest.mark.parametrize(
    ("before", "result", "fields", "flags"), [case[1:] for case in ACCESS], ids=[case[0] for case in ACCESS]
)
def test_who_was_switched_off_by_us(
    before: Entry, result: Result, fields: dict[str, Any], flags: Flags
) -> None:
    assert merged(before, result, target_id="aaaaa", fields=fields) == Entry(
        "aaaaa", "new", {**before.fields, **fields}, flags
    )


def test_success_forgets_failures() -> None:
    before = Entry("aaaaa", None, ANN, {FAILURE: {"digest": "old", "errors": {}, "at": None}, GONE: True})
    assert merged(before, "updated", target_id="aaaaa", fields={}) == Entry("aaaaa", "new", ANN, {})


def test_a_field_left_out_is_remembered_until_another_value_of_it_is_taken() -> None:
    dropped = merged(
        OLD,
        "updated",
        target_id="aaaaa",
        fields={"city": "Coast"},
        dropped={"mobile_phone": ["taken"]},
        dropped_digests={"mobile_phone": "p1"},
    )
    assert dropped == Entry("aaaaa", "new", {**ANN, "city": "Coast"}, {REJECTED: {"mobile_phone": "p1"}})
    other = merged(dropped, "updated", target_id="aaaaa", fields={"city": "Delta"})
    assert other is not None
    assert other.flags == {REJECTED: {"mobile_phone": "p1"}}
    taken = merged(dropped, "updated", target_id="aaaaa", fields={"mobile_phone": "+15550002"})
    assert taken is not None
    assert taken.flags == {}


def test_a_refused_record_is_remembered_with_its_errors_and_not_taken_for_equal() -> None:
    entry = merged(OLD, "refused", errors={"email": ["taken"]}, at="now", dropped_digests={"x": "1"})
    failure: Refusal = {
        "digest": "new",
        "errors": {"email": ["taken"]},
        "since": "now",
        "at": "now",
        "by": {},
    }
    assert entry == Entry("aaaaa", None, ANN, {FAILURE: failure, REJECTED: {"x": "1"}})


def test_a_refused_creation_is_remembered_without_an_id() -> None:
    entry = merged(None, "refused", errors={"email": ["taken"]}, at="now")
    assert entry is not None
    assert (entry.target_id, entry.digest, entry.fields) == (None, None, {})


def test_access_that_was_switched_on_before_the_rest_was_refused_is_known() -> None:
    """Otherwise nobody would switch it off when that person leaves again."""
    before = Entry("aaaaa", "old", {**ANN, "system_access": 0}, {OFF_BY: "run-0"})
    entry = merged(before, "refused", errors={"email": ["taken"]}, fields={"system_access": 1})
    assert entry is not None
    assert entry.fields["system_access"] == 1
    assert set(entry.flags) == {FAILURE}


@pytest.mark.parametrize(("result", "unsure"), [("gone", False), ("failed", True)])
def test_what_may_or_may_not_be_there_makes_the_next_run_list_safetyamp(result: Result, unsure: bool) -> None:
    flags: Flags = {GONE: UNSURE if unsure else True}
    assert merged(None, result, unsure=unsure) == Entry(None, None, {}, flags)


def test_one_404_does_not_forget_what_is_known() -> None:
    """The listing that it leads to decides, and what it shows has the same key as before."""
    before = Entry("aaaaa", "old", {**ANN, "system_access": 0}, {OFF_BY: "run-0"})
    after = merged(before, "gone")
    assert after == Entry("aaaaa", None, before.fields, {OFF_BY: "run-0", GONE: True})


@pytest.mark.parametrize("result", ["failed", "waiting", "cancelled"])
def test_what_did_not_happen_changes_nothing_and_is_planned_again(result: Result) -> None:
    assert merged(OLD, result) == OLD
    assert merged(None, result) is None


def test_an_outcome_comes_back_from_its_document_as_it_was() -> None:
    outcome = Outcome("k", "update", "refused", "d", fields={"a": None}, errors={"b": ["c"]}, unsure=True)
    assert decode(Outcome, outcome.to_json(), "") == outcome
    assert Outcome("k", "update", "updated", "d", target_id=7).to_json() == {
        "key": "k",
        "action": "update",
        "result": "updated",
        "digest": "d",
        "target_id": 7,
    }


@pytest.mark.parametrize(
    ("kept", "since"),
    [
        ({"since": "monday", "at": "tuesday"}, "monday"),
        ({"at": "tuesday"}, "tuesday"),  # of an earlier version, which knew the last attempt only
        ({"since": None, "at": "tuesday"}, "tuesday"),
    ],
)
def test_a_record_that_is_refused_again_keeps_its_age(kept: dict[str, Any], since: str) -> None:
    refusal = cast(Refusal, {"digest": "old", "errors": {"city": ["no"]}, **kept})
    before = Entry("aaaaa", None, ANN, {FAILURE: refusal})
    entry = merged(before, "refused", errors={"email": ["taken"]}, at="today")
    assert entry is not None
    failure: Refusal = {
        "digest": "new",
        "errors": {"email": ["taken"]},
        "since": since,
        "at": "today",
        "by": {},
    }
    assert entry.flags == {FAILURE: failure}


def test_a_refusal_after_a_good_end_is_a_new_one() -> None:
    failure: Refusal = {"digest": "old", "errors": {"city": ["no"]}, "since": "monday", "at": "monday"}
    taken = merged(Entry("aaaaa", None, ANN, {FAILURE: failure}), "updated", target_id="aaaaa", fields=ANN)
    entry = merged(taken, "refused", errors={"city": ["no"]}, at="today")
    assert entry is not None
    assert (entry.flags[FAILURE]["since"], entry.flags[FAILURE]["at"]) == ("today", "today")


class TestUniqueValuesThatAreTaken:
    DROPPED: ClassVar[dict[str, Any]] = {
        "dropped_digests": {"email": "e1", "zip_code": "z1"},
        "taken": {"email": "employee 7"},
    }

    def test_are_remembered_apart_from_other_refusals(self) -> None:
        entry = merged(OLD, "updated", target_id="aaaaa", fields={"city": "Coast"}, **self.DROPPED)
        assert entry is not None
        assert entry.flags == {
            TAKEN: {"email": {"digest": "e1", "by": "employee 7"}},
            REJECTED: {"zip_code": "z1"},
        }

    def test_are_forgotten_when_safetyamp_takes_them(self) -> None:
        flags: Flags = {TAKEN: {"email": {"digest": "e1", "by": ""}}}
        entry = merged(Entry("aaaaa", None, ANN, flags), "updated", target_id="aaaaa", fields={"email": "x"})
        assert entry is not None
        assert entry.flags == {}

    def test_change_sides_when_the_reason_changes(self) -> None:
        before = Entry("aaaaa", None, ANN, {REJECTED: {"email": "e0"}})
        entry = merged(before, "updated", target_id="aaaaa", **self.DROPPED)
        assert entry is not None
        assert entry.flags[REJECTED] == {"zip_code": "z1"}

    def test_of_a_creation_are_remembered_with_the_holder(self) -> None:
        errors = {"email": ["taken"]}
        entry = merged(None, "refused", errors=errors, at="now", taken={"email": "employee 7"})
        assert entry is not None
        assert entry.flags[FAILURE]["by"] == {"email": "employee 7"}


def test_what_went_without_something_is_looked_at_again() -> None:
    entry = merged(OLD, "updated", target_id="aaaaa", fields={"city": "Coast"}, incomplete=True)
    assert entry is not None
    assert entry.digest is None


def test_what_was_written_beside_is_known() -> None:
    state = EntityState("employees")
    state.put("k", OLD)
    state.put("giver", Entry("bbbbb", "digest", {"mobile_phone": "+1"}, {}))
    beside: list[Written] = [{"key": "giver", "target_id": "bbbbb", "fields": {"mobile_phone": None}}]
    outcome = Outcome("k", "update", "updated", "new", target_id="aaaaa", beside=beside)
    merge_outcomes(state, [outcome], "run-1")
    assert state.entry("giver") == Entry("bbbbb", None, {"mobile_phone": None}, {})


class TestWhatGotNoAnswer:
    """The field holds what was sent, or what was known: nothing is settled any more."""

    SENT: ClassVar[dict[str, Any]] = {"city": "Coast"}

    @pytest.mark.parametrize("result", ["failed", "cancelled"])
    def test_is_looked_at_again(self, result: Result) -> None:
        entry = merged(OLD, result, target_id="aaaaa", unknown=self.SENT)
        assert entry == Entry("aaaaa", None, ANN, {UNKNOWN: self.SENT})

    def test_of_a_refused_change_too(self) -> None:
        entry = merged(OLD, "refused", target_id="aaaaa", unknown=self.SENT, at="now")
        assert entry is not None
        assert entry.flags[UNKNOWN] == self.SENT

    def test_may_be_somebody_elses_user_by_now(self) -> None:
        assert merged(OLD, "failed", target_id="zzzzz", unknown=self.SENT) == OLD

    def test_is_known_when_it_was_sent_again(self) -> None:
        before = Entry("aaaaa", None, ANN, {UNKNOWN: {"city": "Coast", "street": "1"}})
        entry = merged(before, "updated", target_id="aaaaa", fields={"city": "Delta"})
        assert entry == Entry("aaaaa", "new", ANN, {UNKNOWN: {"street": "1"}})

    def test_is_not_known_although_the_rest_was_taken(self) -> None:
        entry = merged(OLD, "updated", target_id="aaaaa", fields={"street": "1"}, unknown=self.SENT)
        assert entry == Entry("aaaaa", None, {**ANN, "street": "1"}, {UNKNOWN: self.SENT})

    def test_was_our_switching_off_also_if_it_was_refused_in_the_end(self) -> None:
        entry = merged(OLD, "refused", target_id="aaaaa", unknown={"system_access": 0}, at="now")
        assert entry is not None
        assert entry.flags[OFF_BY] == "run-1"

    def test_beside_a_change_counts_for_the_other_record(self) -> None:
        state = EntityState("employees")
        state.put("giver", Entry("bbbbb", "digest", {"mobile_phone": "+1"}, {}))
        state.note_stray("ccccc", "k", {"system_access": 1, "email": "c@x.example"})
        beside: list[Written] = [
            {"key": "giver", "target_id": "bbbbb", "fields": {"mobile_phone": None}, "unknown": True},
            {"key": None, "target_id": "ccccc", "fields": {"system_access": 0}, "unknown": True},
        ]
        merge_outcomes(state, [Outcome("k", "update", "failed", "new", "aaaaa", beside=beside)], "run-1")
        maybe = Entry("bbbbb", None, {"mobile_phone": "+1"}, {UNKNOWN: {"mobile_phone": None}})
        assert (state.entry("giver"), state.stray("ccccc")) == (maybe, {"email": "c@x.example"})


def test_several_users_of_one_key_stay_several() -> None:
    state = EntityState("employees", ambiguous={"k": ["a", "b"]})
    for user in ("a", "b"):
        state.note_stray(user, "k", {"system_access": 1, "email": f"{user}@x.example"})
    beside: list[Written] = [{"key": None, "target_id": "b", "fields": {"system_access": 0}}]
    off = {"system_access": 0}
    outcome = Outcome("k", "deactivate", "deactivated", "d", target_id="a", fields=off, beside=beside)
    merge_outcomes(state, [outcome], "run-1")
    assert list(state.keys()) == []
    strays = [state.stray(user) or {} for user in ("a", "b")]
    assert [stray["system_access"] for stray in strays] == [0, 0]
