"""What is known of SafetyAmp, and how a listing rebuilds it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from shared.storage.documents import from_json, to_json
from shared.sync.documents.state import (
    FAILURE,
    GONE,
    NOTE_CAUSES,
    NOTES,
    OFF_BY,
    REJECTED,
    STATE_VERSION,
    TAKEN,
    UNKNOWN,
    UNSURE,
    UNSURE_AT,
    EntityState,
    Entry,
    Flags,
    Note,
    Place,
    Refusal,
    forget_rekeyed,
    gone_anyway,
    missed_again,
    rebuild,
    reference_field,
    state_from_json,
)
from shared.sync.model import Target

RUN, BEFORE = "20260302-030000-aaaaaa", "20260301-030000-aaaaaa"
ANN = {"first_name": "Änn", "system_access": 1}
OFF = {"first_name": "Änn", "system_access": 0}
FAILED: Refusal = {"digest": "d", "errors": {"email": ["taken"]}, "at": "now"}


def known_state(**entries: Entry) -> EntityState:
    state = EntityState("employees", updated_by="run/plan", source_counts={"Vista employees": 9}, listed=9)
    for key, entry in entries.items():
        state.put(key, entry)
    return state


def flags_of(state: EntityState, key: str) -> Flags:
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
    state.add_unmatched("SN1", 7, {})
    assert state_from_json("employees", json.loads(json.dumps(state.to_json()))) == state


@pytest.mark.parametrize("value", [None, {}, {"version": STATE_VERSION + 1}])
def test_no_document_and_one_of_another_version_are_no_state(value: dict[str, Any] | None) -> None:
    assert state_from_json("employees", value) is None


def test_settling_changes_the_digest_only() -> None:
    state = known_state(a=Entry("aaaaa", "old", ANN, {OFF_BY: "run"}))
    state.settle("a", "new")
    assert state.entry("a") == Entry("aaaaa", "new", ANN, {OFF_BY: "run"})


def test_what_is_to_be_written_is_read_like_what_was_written() -> None:
    """Whoever merges reads the value that it has stored, without a store in between."""
    state = known_state(a=Entry("aaaaa", "digest", ANN, {}))
    state.add_unmatched("SN1", 7, {})
    state.note_stray("bbbbb", None, {"email": "b@x.example"})
    state.moved["c"] = Place("ccccc", None)
    assert state_from_json("employees", state.to_json()) == state


def test_a_changed_copy_of_the_flags_does_not_change_the_state() -> None:
    state = known_state(a=Entry("aaaaa", None, ANN, {OFF_BY: "run"}))
    flags_of(state, "a").pop(OFF_BY)
    assert flags_of(state, "a") == {OFF_BY: "run"}


def test_only_a_record_that_vanished_makes_a_listing_necessary() -> None:
    failed = Entry(None, None, {}, {FAILURE: FAILED})
    assert not known_state(a=Entry("aaaaa", None, ANN, {}), b=failed).needs_listing()
    assert known_state(a=Entry(None, None, {}, {GONE: True})).needs_listing()


def test_a_state_of_a_release_that_knew_of_no_missing_records_is_read() -> None:
    document = known_state(a=Entry("aaaaa", "digest", ANN, {})).to_json()
    del document["missing"]
    state = state_from_json("employees", document)
    assert state is not None
    assert (state.missing, state.missing_since("aaaaa"), state.missing_keys()) == ({}, None, {})


class TestMissing:
    """A listing can shift while it is read: what it lacks is not gone."""

    A = Entry("aaaaa", "digest", OFF, {OFF_BY: "run", REJECTED: {"x": "1"}})

    def known(self, since: str | None = None, **entries: Entry) -> EntityState:
        state = known_state(**(entries or {"a": self.A}))
        if since:
            state.missing["aaaaa"] = since
        return state

    def test_a_known_record_keeps_id_fields_and_flags_and_is_compared(self) -> None:
        state = rebuild("employees", [Target("bbbbb", "b", ANN)], self.known(), RUN)
        assert state.entry("a") == Entry("aaaaa", None, OFF, self.A.flags)
        assert state.missing == {"aaaaa": RUN}
        assert (state.missing_since("aaaaa"), state.missing_since("bbbbb")) == (RUN, None)
        assert (state.missing_keys(), state.listed) == ({"a": "aaaaa"}, 1)

    def test_a_record_that_is_listed_again_is_missing_no_more(self) -> None:
        state = rebuild("employees", [Target("aaaaa", "a", OFF)], self.known(since=BEFORE), RUN)
        assert state.missing == {}

    @pytest.mark.parametrize(
        ("since", "listed", "again"),
        [(None, (), []), (RUN, (), []), (BEFORE, (), ["aaaaa"]), (BEFORE, ("aaaaa",), [])],
        ids=["first time", "the same run again", "second run", "listed"],
    )
    def test_only_a_second_run_in_a_row_misses_again(
        self, since: str | None, listed: tuple[str, ...], again: list[str]
    ) -> None:
        targets = [Target(target_id, "a", ANN) for target_id in listed]
        assert missed_again(self.known(since), targets, RUN) == again

    def test_what_is_missed_again_and_not_proven_gone_stays_with_the_run_that_missed_it_first(self) -> None:
        state = rebuild("employees", [], self.known(since=BEFORE), RUN)
        assert (state.target_id("a"), state.missing) == ("aaaaa", {"aaaaa": BEFORE})

    @pytest.mark.parametrize(
        ("since", "flags", "gone"),
        [
            ("20260110-020000-0a1b2c", {}, set()),
            ("20260107-020000-0a1b2c", {}, {"aaaaa"}),
            (None, {}, set()),
            (None, {GONE: True}, {"aaaaa"}),
        ],
        ids=["since yesterday", "for days", "not missing", "404"],
    )
    def test_what_was_answered_404_or_has_been_missing_for_days_is_gone_anyway(
        self, since: str | None, flags: Flags, gone: set[str]
    ) -> None:
        known = self.known(since, a=Entry("aaaaa", "d", OFF, flags))
        assert gone_anyway(known, ["aaaaa"], datetime(2026, 1, 8, tzinfo=UTC)) == gone

    def test_what_is_proven_gone_is_forgotten(self) -> None:
        state = rebuild("employees", [], self.known(since=BEFORE), RUN, {"aaaaa"})
        assert (list(state.keys()), state.missing) == ([], {})

    def test_a_key_that_another_record_claims_meanwhile_is_nobodys_until_the_missing_one_is_gone(
        self,
    ) -> None:
        """Taking the listed one would leave the other with access when the person leaves."""
        listed = [Target("bbbbb", "a", ANN)]
        state = rebuild("employees", listed, self.known(), BEFORE)
        assert (state.ambiguous, list(state.keys())) == ({"a": ["bbbbb", "aaaaa"]}, [])
        assert missed_again(state, listed, RUN) == ["aaaaa"]
        state = rebuild("employees", listed, state, RUN, {"aaaaa"})
        assert (state.ambiguous, state.target_id("a")) == ({}, "bbbbb")

    @pytest.mark.parametrize("listed", [("0",), ("0", "2"), ()], ids=repr)
    def test_an_ambiguous_key_stays_so_while_one_of_its_records_is_not_listed(
        self, listed: tuple[str, ...]
    ) -> None:
        known = known_state()
        known.ambiguous["k"] = ["0", "1"]
        state = rebuild("employees", [Target(one, "k", ANN) for one in listed], known, RUN)
        assert set(state.ambiguous["k"]) == {"0", "1", *listed}
        assert "k" not in state.records

    def test_a_record_without_a_key_is_still_offered_by_its_match_value(self) -> None:
        known = known_state()
        known.add_unmatched("SN1", 7, {"name": "T"})
        state = rebuild("vehicles", [], known, RUN)
        assert (state.unmatched_ids("SN1"), state.missing) == ([7], {"7": RUN})
        assert rebuild("vehicles", [], state, RUN, {7}).unmatched == {}

    def test_a_known_vehicle_keeps_its_key(self) -> None:
        known = known_state(v1=Entry(7, "digest", {"serial": "SN1"}, {}))
        state = rebuild("vehicles", [Target(8, None, {}, match="SN1")], known, RUN)
        assert (state.target_id("v1"), state.unmatched_ids("SN1")) == (7, [8])


class TestRebuilding:
    def test_without_anything_known_takes_what_is_listed(self) -> None:
        state = rebuild("employees", [Target("aaaaa", "a", ANN), Target("bbbbb", None, {})], None, RUN)
        assert state.entry("a") == Entry("aaaaa", None, ANN, {})
        assert list(state.keys()) == ["a"]
        assert (state.listed, state.updated_by, state.source_counts) == (2, None, {})

    def test_forgets_digests_so_that_everything_is_compared(self) -> None:
        known = known_state(a=Entry("aaaaa", "digest", {"first_name": "Old"}, {}))
        assert rebuild("employees", [Target("aaaaa", "a", ANN)], known, RUN).entry("a") == Entry(
            "aaaaa", None, ANN, {}
        )

    def test_keeps_who_changed_it_last_and_the_sizes_of_the_reads(self) -> None:
        known = known_state()
        state = rebuild("employees", [], known, RUN)
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
    )

    @pytest.mark.parametrize(
        ("before", "listed", "after"), [case[1:] for case in CARRIED], ids=[case[0] for case in CARRIED]
    )
    def test_carries_over_what_still_holds(
        self, before: Entry, listed: Target, after: dict[str, Any]
    ) -> None:
        assert flags_of(rebuild("employees", [listed], known_state(k=before), RUN), "k") == after

    def test_a_record_that_took_the_place_of_one_that_is_gone_inherits_nothing(self) -> None:
        known = known_state(k=Entry("b", None, OFF, {OFF_BY: "r", FAILURE: FAILED}))
        assert flags_of(rebuild("employees", [Target("a", "k", OFF)], known, RUN, {"b"}), "k") == {}

    def test_forgets_records_that_are_gone_but_not_that_safetyamp_refused_one(self) -> None:
        known = known_state(
            gone=Entry("aaaaa", "d", ANN, {}),
            vanished=Entry(None, None, {}, {GONE: True}),
            refused=Entry("ccccc", None, ANN, {FAILURE: FAILED, OFF_BY: "run"}),
        )
        state = rebuild("employees", [], known, RUN, {"aaaaa", "ccccc"})
        assert list(state.keys()) == ["refused"]
        assert state.entry("refused") == Entry(None, None, {}, {FAILURE: FAILED})
        assert not state.needs_listing()

    @pytest.mark.parametrize("count", [2, 3])
    def test_several_records_of_one_key_are_ambiguous_and_none_is_used(self, count: int) -> None:
        targets = [Target(f"{number}", "k", ANN) for number in range(count)]
        known = known_state(k=Entry("0", "digest", ANN, {FAILURE: FAILED}))
        state = rebuild("employees", [*targets, Target("other", "o", ANN)], known, RUN)
        assert state.ambiguous == {"k": [f"{number}" for number in range(count)]}
        assert list(state.keys()) == ["o"]
        assert state.listed == count + 1

    def test_a_key_is_no_longer_ambiguous_when_one_record_is_left(self) -> None:
        known = known_state()
        known.ambiguous["k"] = ["0", "1"]
        state = rebuild("employees", [Target("1", "k", ANN)], known, RUN, {"0"})
        assert (state.ambiguous, state.target_id("k")) == ({}, "1")

    def test_a_record_without_a_key_keeps_the_key_under_which_its_id_is_known(self) -> None:
        known = known_state(v1=Entry(7, "digest", {}, {}))
        state = rebuild("vehicles", [Target(7, None, {"name": "T"}, match="SN1")], known, RUN)
        assert state.entry("v1") == Entry(7, None, {"name": "T"}, {})
        assert state.unmatched == {}

    def test_an_unknown_record_is_offered_by_its_match_value_and_can_be_taken_once(self) -> None:
        state = rebuild(
            "vehicles", [Target(7, None, {"name": "T"}, match="SN1"), Target(8, None, {})], None, RUN
        )
        assert state.unmatched_ids("SN1") == [7]
        assert state.take_unmatched("SN1") == Entry(7, None, {"name": "T"}, {})
        assert state.unmatched_ids("SN1") == []

    def test_several_records_with_one_match_value_are_all_kept_because_a_choice_would_be_a_guess(
        self,
    ) -> None:
        state = rebuild("vehicles", [Target(n, None, {}, match="SN1") for n in (7, 8)], None, RUN)
        assert state.unmatched_ids("SN1") == [7, 8]

    def test_whom_the_sync_switched_off_is_known_under_another_key_too(self) -> None:
        known = known_state(old=Entry("a", "d", OFF, {OFF_BY: "run-1"}))
        state = rebuild("employees", [Target("a", "new", OFF), Target("b", "old", OFF)], known, RUN)
        assert (flags_of(state, "new"), flags_of(state, "old")) == ({OFF_BY: "run-1"}, {})

    def test_who_has_access_now_is_not_off_whatever_the_key(self) -> None:
        known = known_state(old=Entry("a", "d", OFF, {OFF_BY: "run-1"}))
        state = rebuild("employees", [Target("a", "new", ANN)], known, RUN)
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
        state = rebuild("employees", targets, None, RUN)
        assert sorted(state.unique_values(), key=repr) == [
            ("email", "ann@x.example", "a", "1"),
            ("email", "old@x.example", "z", None),
            ("email", "other@x.example", "t2", "2"),
            ("email", "twin@x.example", "t1", "2"),
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
        state = rebuild("employees", [Target("z", None, self.FIELDS)], None, RUN)
        document = json.loads(json.dumps(state.to_json()))
        again = state_from_json("employees", document)
        assert again == state
        del document["strays"]
        older = state_from_json("employees", document)
        assert older is not None
        assert list(older.unique_values()) == []

    def test_of_other_entities_are_nobodys_business(self) -> None:
        assert rebuild("jobs", [Target(1, None, {"name": "Yard"})], None, RUN).strays == {}

    def test_what_is_written_beside_is_known_and_looked_at_again(self) -> None:
        state = EntityState("employees")
        state.put("1", Entry("a", "digest", self.FIELDS, {}))
        state.note_stray("z", None, self.FIELDS)
        state.write_beside("1", "a", {"mobile_phone": None})
        state.write_beside("1", "somebody else's id now", {"email": "x"})
        state.write_beside(None, "z", {"mobile_phone": None, "system_access": 0})
        assert state.entry("1") == Entry("a", None, {**self.FIELDS, "mobile_phone": None}, {})
        assert state.stray("z") == {"email": "ann@x.example", "system_access": 0}

    def test_what_may_be_there_or_not_any_more_comes_last(self) -> None:
        state = EntityState("employees")
        state.put("1", Entry("a", None, {"mobile_phone": "+1"}, {UNKNOWN: {"mobile_phone": "+2"}}))
        state.put("2", Entry("b", None, {"mobile_phone": "+2"}, {}))
        assert list(state.unique_values()) == [
            ("mobile_phone", "+2", "b", "2"),
            ("mobile_phone", "+1", "a", "1"),
            ("mobile_phone", "+2", "a", "1"),
        ]

    def test_a_listing_shows_what_was_not_known_and_a_record_that_it_lacks_stays_unknown(self) -> None:
        known = EntityState("employees")
        for key, target_id in (("1", "a"), ("2", "b")):
            known.put(key, Entry(target_id, None, {"city": "Delta"}, {UNKNOWN: {"city": "Coast"}}))
        state = rebuild("employees", [Target("a", "1", {"city": "Coast"})], known, RUN)
        assert state.entry("1") == Entry("a", None, {"city": "Coast"}, {})
        assert state.entry("2") == Entry("b", None, {"city": "Delta"}, {UNKNOWN: {"city": "Coast"}})


@pytest.mark.parametrize(
    ("flags", "digest", "settled"),
    [
        ({}, "d", True),
        ({}, "other", False),
        ({REJECTED: {"x": "1"}}, "d", False),
        ({TAKEN: {"x": {}}}, "d", False),
    ],
)
def test_a_record_that_lacks_a_value_is_not_settled(flags: Flags, digest: str, settled: bool) -> None:
    state = EntityState("employees")
    state.put("1", Entry("a", "d", {}, flags))
    assert state.is_settled("1", digest) is settled


def test_a_row_that_cannot_be_read_stays_as_it_was_known() -> None:
    known = known_state(k=Entry("a", "digest", ANN, {OFF_BY: "r"}))
    state = rebuild("employees", [Target("a", None, {}, readable=False), Target("b", "m", ANN)], known, RUN)
    assert state.entry("k") == Entry("a", None, ANN, {OFF_BY: "r"})
    assert state.listed == 2


def test_a_row_that_cannot_be_read_and_was_not_known_is_nobodys() -> None:
    state = rebuild("employees", [Target("a", None, {}, readable=False)], known_state(), RUN)
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
    targets = [Target(number, "foreman", {"name": name}) for number, name in enumerate(names)]
    state = rebuild("titles", targets, None, RUN)
    assert state.ambiguous == {"foreman": [0, 1, 2]}
    assert (state.id_spelt("FOREMAN"), state.id_spelt("Foreman")) == (1, None)
    # A listing that lacks one of them does not make another one the only one.
    state = rebuild("titles", [targets[0]], state, RUN)
    assert (sorted(state.ambiguous["foreman"]), state.id_spelt("FOREMAN")) == ([0, 1, 2], 1)


class TestA404:
    """`GONE`: SafetyAmp said so of a known id; proof is a listing beside it."""

    KNOWN = Entry("a", None, OFF, {OFF_BY: "r", GONE: True})

    @pytest.mark.parametrize(
        ("flags", "listed", "missed"),
        [
            ({GONE: True}, [], ["a"]),
            ({GONE: True}, [Target("a", "k", ANN)], []),
            ({}, [], []),
        ],
        ids=["and the listing lacks it", "and it is listed", "of nobody"],
    )
    def test_is_as_good_as_a_listing(self, flags: Flags, listed: list[Target], missed: list[str]) -> None:
        assert missed_again(known_state(k=Entry("a", None, ANN, flags)), listed, RUN) == missed

    def test_is_forgotten_when_a_listing_shows_the_record(self) -> None:
        state = rebuild("employees", [Target("a", "k", OFF)], known_state(k=self.KNOWN), RUN)
        assert (state.target_id("k"), flags_of(state, "k")) == ("a", {OFF_BY: "r"})
        assert not state.needs_listing()

    def test_of_a_record_without_key_keeps_its_key(self) -> None:
        known = known_state(k=Entry(7, None, {"serial": "OLD"}, {GONE: True}))
        state = rebuild("vehicles", [Target(7, None, {"serial": "OLD"}, match="OLD")], known, RUN)
        assert (state.target_id("k"), state.unmatched) == (7, {})

    def test_makes_nothing_refer_to_the_id_until_then(self) -> None:
        state = known_state(
            k=self.KNOWN, other=Entry("b", None, ANN, {}), new=Entry(None, None, {}, {GONE: UNSURE})
        )
        assert [state.is_perhaps_gone(key) for key in ("k", "other", "new", "nobody")] == [
            True,
            False,
            False,
            False,
        ]


class TestWhatIsToBeSaid:
    def test_of_an_equal_record_has_it_looked_at_again(self) -> None:
        state = known_state(k=Entry("a", None, ANN, {OFF_BY: "r"}))
        assert state.settle("k", "digest", noted=True)
        assert (state.digest("k"), state.is_settled("k", "digest")) == ("digest", False)
        assert not state.settle("k", "digest", noted=True), "nothing new: no document is written"

    def test_and_depends_on_the_digest_alone_is_kept_with_it(self) -> None:
        state = known_state(k=Entry("a", None, ANN, {OFF_BY: "r"}))
        notes = [Note("mobile_phone", "too short", "phone-unusable"), Note(None, "no title", "title-missing")]
        assert state.settle("k", "digest", notes=notes)
        again = state_from_json("employees", from_json(to_json(state.to_json())))
        assert again is not None
        assert (again.is_settled("k", "digest"), list(again.notes("k"))) == (True, notes)
        assert not again.settle("k", "digest", notes=notes), "nothing new: no document is written"
        again.records["k"][1] = "another"  # as an update leaves it
        assert list(again.notes("k")) == []
        assert again.settle("k", "digest")
        assert (list(again.notes("k")), flags_of(again, "k")) == ([], {OFF_BY: "r"})

    def test_keeps_the_form_that_the_release_before_reads_and_is_read_without_causes(self) -> None:
        state = known_state(k=Entry("a", None, ANN, {}))
        state.settle("k", "d", notes=[Note("email", "none", "email-missing"), Note(None, "no title", None)])
        assert flags_of(state, "k") == {
            NOTES: {"d": [["email", "none"], [None, "no title"]]},
            NOTE_CAUSES: {"d": ["email-missing", None]},
        }
        flags = state.records["k"][3]
        assert flags is not None
        flags.pop(NOTE_CAUSES)
        assert list(state.notes("k")) == [Note("email", "none"), Note(None, "no title")]

    @pytest.mark.parametrize("notes", ["text", None, {"d": "text"}, {"d": [["text"]]}, {"d": [7]}])
    def test_in_another_form_makes_the_state_unreadable(self, notes: Any) -> None:
        state = known_state(k=Entry("a", "d", ANN, {NOTES: notes}))
        assert state_from_json("employees", state.to_json()) is None

    def test_is_forgotten_when_there_is_nothing_any_more(self) -> None:
        state = known_state(k=Entry("a", None, ANN, {OFF_BY: "r"}))
        state.settle("k", "digest", noted=True)
        assert state.settle("k", "digest")
        assert (state.is_settled("k", "digest"), flags_of(state, "k")) == (True, {OFF_BY: "r"})
        assert not state.settle("k", "digest")


@pytest.mark.parametrize(
    ("fields", "refers"),
    [
        ({"home_site_id": 12}, False),
        ({"home_site_id": 12, "city": "Coast"}, False),
        ({"home_site_id": 1}, True),
        ({"home_site_id": 123, "city": "Coast"}, True),
        ({"home_site_id": "ab12"}, False),
        ({"home_site_id": "12"}, True),
        ({"home_site_id": None, "city": "Coast"}, False),
        ({"city": "Coast"}, False),
        ({}, False),
        ({"city": "'home_site_id':9,"}, False),
        ({"city": '"home_site_id":9,'}, False),
    ],
)
def test_whether_a_record_refers_to_something_that_is_not_there(fields: dict[str, Any], refers: bool) -> None:
    sites = EntityState("jobs")
    sites.put("100.", Entry(12, None, {}, {}))
    sites.ambiguous["200."] = ["ab12"]
    state = known_state(k=Entry("a", None, fields, {}))
    known = {reference_field("home_site_id"): sites.reference_ids()}
    assert state.refers_to_others("k", known) is refers


@pytest.mark.parametrize("at", ["", "yesterday", 7, None, "2026-01-05T12:00:00"])
def test_a_creation_in_doubt_without_a_moment_makes_the_state_unreadable(at: Any) -> None:
    state = known_state(k=Entry(None, None, {}, {GONE: UNSURE, UNSURE_AT: at}))
    assert state_from_json("titles", state.to_json()) is None


def test_the_last_creation_in_doubt_counts_whatever_zone_its_time_is_in() -> None:
    early, late = "2026-01-05T13:59:00+02:00", "2026-01-05T12:01:00+00:00"
    state = known_state(
        **{
            key: Entry(None, None, {}, {GONE: UNSURE, UNSURE_AT: at})
            for key, at in (("a", late), ("b", early))
        }
    )
    assert state.unsure_at() == datetime.fromisoformat(late)
    assert known_state(k=Entry(None, None, {}, {GONE: UNSURE})).unsure_at() is None


class TestARefusalThatIsOver:
    """The source has taken it back: it is no failure, and the record is not looked at for it."""

    def test_is_forgotten_when_the_record_is_equal(self) -> None:
        taken = {"email": {"digest": "d", "by": ""}, "mobile_phone": {"digest": "d", "by": ""}}
        flags: Any = {FAILURE: FAILED, REJECTED: {"city": "d"}, TAKEN: taken, OFF_BY: "run"}
        state = known_state(k=Entry("a", None, ANN, flags))
        assert state.settle("k", "new", equal={"city", "email"})
        assert flags_of(state, "k") == {OFF_BY: "run", TAKEN: {"mobile_phone": taken["mobile_phone"]}}
        assert not state.settle("k", "new", equal={"city", "email"})

    def test_is_forgotten_with_a_record_that_never_was(self) -> None:
        state = known_state(
            new=Entry(None, None, {}, {FAILURE: FAILED}),
            doubted=Entry(None, None, {}, {FAILURE: FAILED, GONE: UNSURE}),
            there=Entry("a", None, ANN, {FAILURE: FAILED}),
        )
        assert list(state.refused_keys()) == ["new", "doubted", "there"]
        assert all([state.forget_failure(key) for key in list(state.refused_keys())])
        assert list(state.keys()) == ["doubted", "there"]
        assert (flags_of(state, "doubted"), flags_of(state, "there")) == ({GONE: UNSURE}, {})
        assert not state.forget_failure("there")
        assert not state.forget_failure("nobody")


class TestARecordWithAnotherKey:
    """Who refers to it by its id may have meant the key that it had."""

    def rebuilt(self, *targets: Target, entity: str = "jobs") -> EntityState:
        known = EntityState(entity, rekeyed={"9": BEFORE})
        known.put("100.", Entry(1, "d", {}, {}))
        known.put("200.", Entry(2, "d", {}, {}))
        known.ambiguous["300."] = [3, 4]
        known.add_unmatched("Yard", 5, {"name": "Yard"})
        known.put("900.", Entry(9, "d", {}, {}))
        listed = [Target(9, "900.", {}), *targets]
        return rebuild(entity, listed, known, RUN, {1, 2, 3, 4, 5} - {target.target_id for target in targets})

    def test_is_none_while_all_have_the_key_that_they_had(self) -> None:
        targets = [Target(1, "100.", {}), Target(2, "200.", {}), Target(3, "300.", {}), Target(4, "300.", {})]
        assert self.rebuilt(*targets, Target(5, None, {}, "Yard")).rekeyed == {"9": BEFORE}

    def test_is_noted_and_what_refers_to_it_is_looked_at(self) -> None:
        state = self.rebuilt(Target(1, "200.", {}), Target(2, "100.", {}), Target(3, "300.", {}))
        assert state.rekeyed == {"9": BEFORE, "1": RUN, "2": RUN}
        assert state.reference_ids() == {"null", "3"}
        again = state_from_json("jobs", from_json(to_json(state.to_json()), "p"))
        assert again is not None
        assert again.reference_ids() == {"null", "3"}

    def test_is_one_that_lost_it_or_got_its_first(self) -> None:
        state = self.rebuilt(Target(3, "30.", {}), Target(4, "300.", {}), Target(5, "500.", {}))
        assert state.rekeyed == {"9": BEFORE, "3": RUN, "5": RUN}

    def test_is_noted_of_titles_which_are_nothing_but_their_name(self) -> None:
        state = self.rebuilt(Target(1, "crew lead", {}), entity="titles")
        assert state.rekeyed == {"9": BEFORE, "1": RUN}

    def test_is_forgotten_after_some_days(self) -> None:
        state = self.rebuilt(Target(1, "200.", {}))
        forget_rekeyed(state, datetime(2026, 3, 1, 3, 0, 0, tzinfo=UTC))
        assert state.rekeyed == {"9": BEFORE, "1": RUN}
        forget_rekeyed(state, datetime(2026, 3, 1, 3, 0, 1, tzinfo=UTC))
        assert state.rekeyed == {"1": RUN}
