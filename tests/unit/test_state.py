"""What is known of SafetyAmp, and how a listing rebuilds it."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest

from shared.sync.model import Target
from shared.sync.state import (
    FAILURE,
    GONE,
    OFF_BY,
    REJECTED,
    STATE_VERSION,
    TAKEN,
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

    def test_whom_the_sync_switched_off_is_known_under_another_key_too(self) -> None:
        known = known_state(old=Entry("a", "d", OFF, {OFF_BY: "run-1"}))
        state = rebuild("employees", [Target("a", "new", OFF), Target("b", "old", OFF)], known)
        assert (flags_of(state, "new"), flags_of(state, "old")) == ({OFF_BY: "run-1"}, {})

    def test_who_has_access_now_is_not_off_whatever_the_key(self) -> None:
        known = known_state(old=Entry("a", "d", OFF, {OFF_BY: "run-1"}))
        state = rebuild("employees", [Target("a", "new", ANN)], known)
        assert flags_of(state, "new") == {}


class TestUniqueValues:
    FIELDS: ClassVar[dict[str, Any]] = {
        "email": "ann@x.example",
        "mobile_phone": "+15045550142",
        "street": "1 Main",
        "system_access": 1,
    }

    def test_of_records_and_of_users_who_are_nobodys(self) -> None:
        stray = {"email": "old@x.example", "mobile_phone": None, "system_access": 0, "street": "no matter"}
        twin = {"email": "twin@x.example"}
        targets = [
            Target("a", "1", self.FIELDS),
            Target("z", None, stray),
            Target("t1", "2", twin),
            Target("t2", "2", {"email": "other@x.example"}),
        ]
        state = rebuild("employees", targets, None)
        assert sorted(state.unique_values(), key=repr) == [
            ("email", "ann@x.example", "a", "1"),
            ("email", "old@x.example", "z", None),
            ("email", "other@x.example", "t2", None),
            ("email", "twin@x.example", "t1", None),
            ("mobile_phone", "+15045550142", "a", "1"),
        ]
        assert state.stray("z") == {"email": "old@x.example", "system_access": 0}

    def test_a_text_that_looks_like_one_is_none(self) -> None:
        state = EntityState("employees")
        odd = "x','email':'evil@x.example" + '","email":"worse@x.example'
        state.put("1", Entry("a", None, {"street": odd, "email": "ann@x.example"}, {}))
        assert [value for _, value, _, _ in state.unique_values()] == ["ann@x.example"]
        entry = state.entry("1")
        assert entry is not None
        assert entry.fields["street"] == odd

    def test_are_kept_in_the_document_and_not_missed_in_an_older_one(self) -> None:
        state = rebuild("employees", [Target("z", None, self.FIELDS)], None)
        document = json.loads(json.dumps(state.to_json()))
        again = state_from_json("employees", document)
        assert again == state
        del document["strays"]
        older = state_from_json("employees", document)
        assert older is not None
        assert list(older.unique_values()) == []

    def test_of_other_entities_are_nobodys_business(self) -> None:
        assert rebuild("jobs", [Target(1, None, {"name": "Yard"})], None).strays == {}

    def test_what_is_written_beside_is_known_and_keeps_the_digest(self) -> None:
        state = EntityState("employees")
        state.put("1", Entry("a", "digest", self.FIELDS, {}))
        state.note_stray("z", None, self.FIELDS)
        state.write_beside("1", "a", {"mobile_phone": None})
        state.write_beside("1", "somebody else's id now", {"email": "x"})
        state.write_beside(None, "z", {"mobile_phone": None, "system_access": 0})
        assert state.entry("1") == Entry("a", "digest", {**self.FIELDS, "mobile_phone": None}, {})
        assert state.stray("z") == {"email": "ann@x.example", "system_access": 0}


@pytest.mark.parametrize(
    ("flags", "digest", "settled"),
    [
        ({}, "d", True),
        ({}, "other", False),
        ({REJECTED: {"x": "1"}}, "d", False),
        ({TAKEN: {"x": {}}}, "d", False),
    ],
)
def test_a_record_that_lacks_a_value_is_not_settled(
    flags: dict[str, Any], digest: str, settled: bool
) -> None:
    state = EntityState("employees")
    state.put("1", Entry("a", "d", {}, flags))
    assert state.is_settled("1", digest) is settled


def test_a_row_that_cannot_be_read_stays_as_it_was_known() -> None:
    known = known_state(k=Entry("a", "digest", ANN, {OFF_BY: "r"}))
    state = rebuild("employees", [Target("a", None, {}, readable=False), Target("b", "m", ANN)], known)
    assert state.entry("k") == Entry("a", None, ANN, {OFF_BY: "r"})
    assert state.listed == 2


def test_a_row_that_cannot_be_read_and_was_not_known_is_nobodys() -> None:
    state = rebuild("employees", [Target("a", None, {}, readable=False)], known_state())
    assert list(state.keys()) == []


class TestKeysOfAnotherRelease:
    """A document of 0.1.0: keys as Vista and SafetyAmp had them."""

    def read(self, entity: str, records: dict[str, Any], **ambiguous: list[Any]) -> EntityState:
        value = {
            "version": 1,
            "entity": entity,
            "updated_by": "run/plan",
            "listed": 3,
            "source_counts": {"Vista employees": 3},
            "ambiguous": ambiguous,
            "unmatched": {},
            "records": records,
        }
        state = state_from_json(entity, json.loads(json.dumps(value)))
        assert state is not None
        return state

    def test_are_given_their_normal_form_with_everything_that_is_known(self) -> None:
        record = ["aaaaa", "digest", "{'state':'LA'}", {OFF_BY: "r"}]
        state = self.read(
            "employees", {"001001": record, "1002": ["bbbbb", None, "{}", None], "A12": [1, *record[1:]]}
        )
        assert {key: row[0] for key, row in state.records.items()} == {
            "1001": "aaaaa",
            "1002": "bbbbb",
            "A12": 1,
        }
        assert state.entry("1001") == Entry("aaaaa", "digest", {"state": "LA"}, {OFF_BY: "r"})

    @pytest.mark.parametrize("order", [("1001", "001001"), ("001001", "1001")])
    def test_that_become_one_are_both_kept_under_it(self, order: tuple[str, str]) -> None:
        state = self.read("employees", {key: [f"id of {key}", "d", "{}", None] for key in order})
        assert list(state.keys()) == []
        assert sorted(state.ambiguous["1001"]) == ["id of 001001", "id of 1001"]

    def test_that_three_records_share_are_all_kept(self) -> None:
        twins = {"01": [1, "d", "{}", None], "001": [2, "d", "{}", None], "1": [3, "d", "{}", None]}
        assert sorted(self.read("employees", twins).ambiguous["1"]) == [1, 2, 3]

    def test_of_ambiguous_records_are_joined_with_their_twins(self) -> None:
        state = self.read("employees", {"001": [4, "d", "{}", None]}, **{"01": [1, 2], "1": [2, 3]})
        assert sorted(state.ambiguous["1"]) == [1, 2, 3, 4]
        assert list(state.keys()) == []

    @pytest.mark.parametrize("order", [("1", "01"), ("01", "1")])
    def test_of_a_record_that_does_not_exist_go_before_one_that_does(self, order: tuple[str, str]) -> None:
        rows = {order[0]: [None, None, "{}", {FAILURE: FAILED}], order[1]: ["a", "d", "{}", None]}
        state = self.read("employees", rows)
        assert (state.target_id("1"), state.ambiguous) == ("a", {})

    def test_of_titles_become_the_folded_form_and_spellings_stay_known(self) -> None:
        rows = {
            name: [number, "d", f"{{'name':'{name}'}}", None]
            for number, name in enumerate(("FOREMAN", "Foreman", "Welder"))
        }
        state = self.read("titles", rows)
        assert (state.target_id("welder"), state.target_id("foreman")) == (2, None)
        assert sorted(state.ambiguous["foreman"]) == [0, 1]
        assert (state.id_spelt("FOREMAN"), state.id_spelt("Foreman"), state.id_spelt("foreman")) == (
            0,
            1,
            None,
        )

    def test_are_written_in_the_normal_form_and_read_again(self) -> None:
        state = self.read("titles", {"Foreman": [1, "d", "{}", None], "FOREMAN": [2, "d", "{}", None]})
        assert state_from_json("titles", json.loads(json.dumps(state.to_json()))) == state

    def test_a_release_that_does_not_fold_titles_finds_no_state_that_it_can_read(self) -> None:
        """It would take all of them for missing, and create them again."""
        assert self.read("titles", {}).to_json()["version"] != 1
        assert self.read("employees", {}).to_json()["version"] == 1


def test_titles_of_one_key_are_told_apart_by_their_exact_spelling_only_where_it_is_one() -> None:
    names = ("Foreman", "FOREMAN", "Foreman")
    state = rebuild(
        "titles", [Target(number, "foreman", {"name": name}) for number, name in enumerate(names)], None
    )
    assert state.ambiguous == {"foreman": [0, 1, 2]}
    assert (state.id_spelt("FOREMAN"), state.id_spelt("Foreman")) == (1, None)
