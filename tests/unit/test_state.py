"""What is known of SafetyAmp, and how a listing rebuilds it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.sync.model import Target
from shared.sync.state import (
    FAILURE,
    GONE,
    OFF_BY,
    REJECTED,
    STATE_VERSION,
    EntityState,
    Entry,
    rebuild,
    state_from_json,
)

ANN = {"first_name": "Änn", "system_access": 1}
OFF = {"first_name": "Änn", "system_access": 0}
FAILED = {"digest": "d", "errors": {"email": ["taken"]}, "at": "now"}


def known_state(**entries: Entry) -> EntityState:
    state = EntityState("employees", updated_by="run/plan", source_counts={"Vista employees": 9}, listed=9)
    for key, entry in entries.items():
        state.put(key, entry)
    return state


def flags_of(state: EntityState, key: str) -> dict[str, Any]:
    entry = state.entry(key)
    assert entry is not None
    return entry.flags


def test_a_record_comes_back_as_it_was_put() -> None:
    entry = Entry("aaaaa", "digest", ANN, {OFF_BY: "run"})
    state = known_state(a=entry)
    assert state.entry("a") == entry
    assert (state.target_id("a"), state.digest("a")) == ("aaaaa", "digest")
    assert list(state.keys()) == ["a"]


def test_an_unknown_key_has_nothing() -> None:
    state = known_state()
    assert (state.entry("a"), state.target_id("a"), state.digest("a")) == (None, None, None)
    assert state.unmatched_ids("a") == []


def test_a_state_comes_back_from_its_document_as_it_was() -> None:
    state = known_state(a=Entry("aaaaa", "digest", ANN, {}), b=Entry(None, None, {}, {FAILURE: FAILED}))
    state.ambiguous["c"] = ["ccccc", "ddddd"]
    state.unmatched["SN1"] = [[7, "{}"]]
    assert state_from_json("employees", json.loads(json.dumps(state.to_json()))) == state


@pytest.mark.parametrize("value", [None, {}, {"version": STATE_VERSION + 1}])
def test_no_document_and_one_of_another_version_are_no_state(value: dict[str, Any] | None) -> None:
    assert state_from_json("employees", value) is None


def test_settling_changes_the_digest_only() -> None:
    state = known_state(a=Entry("aaaaa", "old", ANN, {OFF_BY: "run"}))
    state.settle("a", "new")
    assert state.entry("a") == Entry("aaaaa", "new", ANN, {OFF_BY: "run"})


def test_a_changed_copy_of_the_flags_does_not_change_the_state() -> None:
    state = known_state(a=Entry("aaaaa", None, ANN, {OFF_BY: "run"}))
    flags_of(state, "a").clear()
    assert flags_of(state, "a") == {OFF_BY: "run"}


def test_only_a_record_that_vanished_makes_a_listing_necessary() -> None:
    failed = Entry(None, None, {}, {FAILURE: FAILED})
    assert not known_state(a=Entry("aaaaa", None, ANN, {}), b=failed).needs_listing()
    assert known_state(a=Entry(None, None, {}, {GONE: True})).needs_listing()


class TestRebuilding:
    def test_without_anything_known_takes_what_is_listed(self) -> None:
        state = rebuild("employees", [Target("aaaaa", "a", ANN), Target("bbbbb", None, {})], None)
        assert state.entry("a") == Entry("aaaaa", None, ANN, {})
        assert list(state.keys()) == ["a"]
        assert (state.listed, state.updated_by, state.source_counts) == (2, None, {})

    def test_forgets_digests_so_that_everything_is_compared(self) -> None:
        known = known_state(a=Entry("aaaaa", "digest", {"first_name": "Old"}, {}))
        assert rebuild("employees", [Target("aaaaa", "a", ANN)], known).entry("a") == Entry(
            "aaaaa", None, ANN, {}
        )

    def test_keeps_who_changed_it_last_and_the_sizes_of_the_reads(self) -> None:
        known = known_state()
        state = rebuild("employees", [], known)
        assert (state.updated_by, state.source_counts) == ("run/plan", {"Vista employees": 9})
        state.source_counts["Vista employees"] = 0
        assert known.source_counts == {"Vista employees": 9}

    CARRIED: tuple[tuple[str, Entry, Target, dict[str, Any]], ...] = (
        (
            "refused value",
            Entry("a", None, ANN, {REJECTED: {"x": "1"}}),
            Target("a", "k", ANN),
            {REJECTED: {"x": "1"}},
        ),
        (
            "refused record",
            Entry("a", None, ANN, {FAILURE: FAILED}),
            Target("a", "k", ANN),
            {FAILURE: FAILED},
        ),
        ("switched off by us", Entry("a", None, OFF, {OFF_BY: "r"}), Target("a", "k", OFF), {OFF_BY: "r"}),
        ("switched on since", Entry("a", None, OFF, {OFF_BY: "r"}), Target("a", "k", ANN), {}),
        ("found again", Entry(None, None, {}, {GONE: True}), Target("a", "k", ANN), {}),
        ("created after all", Entry(None, None, {}, {FAILURE: FAILED}), Target("a", "k", ANN), {}),
        (
            "refused values of a record created after all",
            Entry(None, None, {}, {FAILURE: FAILED, REJECTED: {"x": "1"}}),
            Target("a", "k", ANN),
            {REJECTED: {"x": "1"}},
        ),
        ("another record", Entry("b", None, OFF, {OFF_BY: "r", FAILURE: FAILED}), Target("a", "k", OFF), {}),
    )

    @pytest.mark.parametrize(
        ("before", "listed", "after"), [case[1:] for case in CARRIED], ids=[case[0] for case in CARRIED]
    )
    def test_carries_over_what_still_holds(
        self, before: Entry, listed: Target, after: dict[str, Any]
    ) -> None:
        assert flags_of(rebuild("employees", [listed], known_state(k=before)), "k") == after

    def test_forgets_records_that_are_gone_but_not_that_safetyamp_refused_one(self) -> None:
        known = known_state(
            gone=Entry("aaaaa", "d", ANN, {}),
            vanished=Entry(None, None, {}, {GONE: True}),
            refused=Entry("ccccc", None, ANN, {FAILURE: FAILED, OFF_BY: "run"}),
        )
        state = rebuild("employees", [], known)
        assert list(state.keys()) == ["refused"]
        assert state.entry("refused") == Entry(None, None, {}, {FAILURE: FAILED})
        assert not state.needs_listing()

    @pytest.mark.parametrize("count", [2, 3])
    def test_several_records_of_one_key_are_ambiguous_and_none_is_used(self, count: int) -> None:
        targets = [Target(f"{number}", "k", ANN) for number in range(count)]
        known = known_state(k=Entry("0", "digest", ANN, {FAILURE: FAILED}))
        state = rebuild("employees", [*targets, Target("other", "o", ANN)], known)
        assert state.ambiguous == {"k": [f"{number}" for number in range(count)]}
        assert list(state.keys()) == ["o"]
        assert state.listed == count + 1

    def test_a_key_is_no_longer_ambiguous_when_one_record_is_left(self) -> None:
        known = known_state()
        known.ambiguous["k"] = ["0", "1"]
        state = rebuild("employees", [Target("1", "k", ANN)], known)
        assert (state.ambiguous, state.target_id("k")) == ({}, "1")

    def test_a_record_without_a_key_keeps_the_key_under_which_its_id_is_known(self) -> None:
        known = known_state(v1=Entry(7, "digest", {}, {}))
        state = rebuild("vehicles", [Target(7, None, {"name": "T"}, match="SN1")], known)
        assert state.entry("v1") == Entry(7, None, {"name": "T"}, {})
        assert state.unmatched == {}

    def test_an_unknown_record_is_offered_by_its_match_value_and_can_be_taken_once(self) -> None:
        state = rebuild("vehicles", [Target(7, None, {"name": "T"}, match="SN1"), Target(8, None, {})], None)
        assert state.unmatched_ids("SN1") == [7]
        assert state.take_unmatched("SN1") == Entry(7, None, {"name": "T"}, {})
        assert state.unmatched_ids("SN1") == []

    def test_several_records_with_one_match_value_are_all_kept_because_a_choice_would_be_a_guess(
        self,
    ) -> None:
        state = rebuild("vehicles", [Target(n, None, {}, match="SN1") for n in (7, 8)], None)
        assert state.unmatched_ids("SN1") == [7, 8]
