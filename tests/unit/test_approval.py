"""What of an approved plan is still true: pure, changes and sizes in."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import IncompleteRead
from shared.sync.documents.change import Change
from shared.sync.documents.runs import EntityStatus, Run, RunRequest
from shared.sync.documents.state import EntityState
from shared.sync.findings.causes import LAST_NAME_MISSING
from shared.sync.model import Rejected
from shared.sync.planning.approval import about_left_out, baselines, keep_approved, refuse_other_sizes
from shared.sync.planning.drafting import Draft
from shared.sync.planning.guard import GuardLimits, lost_much
from tests.unit.engine_rig import plan_of

LIMITS = GuardLimits(max_deactivations=10, max_percent=20)
RUN = Run("r", RunRequest(), "now", {"employees": EntityStatus()})


def a_change(key: str = "1", action: Any = "update", **facts: Any) -> Change:
    given = {"target_id": 7, "fields": {"street": "1 A St"}, "before": {}, "core": {}, "digest": "d"}
    return Change(key=key, action=action, **{**given, **facts})


def drafted(*changes: Change, seen: tuple[str, ...] = ()) -> Draft:
    draft = Draft(list(changes), seen={*(change.key for change in changes), *seen})
    for change in changes:
        draft.counts[change.action] += 1
    return draft


REF = {"$ref": ["jobs", "100."]}


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({}, {}),
        ({"before": {"street": "0 Old St"}}, {"before": {"street": None}}),
        ({"core": {"email": "a@b.example"}}, {"core": {}}),
        ({"digest": "d"}, {"digest": "e"}),
        ({"warnings": []}, {"warnings": ["mobile_phone dropped: not a phone number"]}),
        ({"fields": {"a": 1, "b": REF}}, {"fields": {"b": REF, "a": 1}}),
        ({"action": "deactivate", "fields": {"system_access": 0}},) * 2,
        ({"action": "create", "target_id": None},) * 2,
    ],
)
def test_a_change_that_would_be_sent_as_it_was_approved_is_kept(
    before: dict[str, Any], now: dict[str, Any]
) -> None:
    draft = drafted(a_change(**now))
    kept = list(draft.changes)
    assert keep_approved(draft, [a_change(**before)]) == []
    assert draft.changes == kept


@pytest.mark.parametrize(
    "now",
    [
        {"fields": {"street": "2 B St"}},
        {"fields": {"street": "1 A St", "city": "Elsewhere"}},
        {"fields": {}},
        {"fields": {"street": REF}},
        {"target_id": 8},
        {"target_id": "7"},
        {"action": "reactivate"},
        {"action": "create", "target_id": None},
    ],
)
def test_a_change_in_another_form_is_left_out_with_what_it_would_be(now: dict[str, Any]) -> None:
    change = a_change(**now)
    draft = drafted(change)
    (found,) = keep_approved(draft, [a_change()])
    assert (found["key"], found["action"]) == ("1", "update")
    assert found["now"] == {"action": change.action, "fields": sorted(change.fields)}
    assert "the next run plans it" in found["reason"]
    assert "St" not in str(found["reason"]).replace("street", ""), "no values"
    assert draft.changes == []
    assert (draft.counts[change.action], draft.counts["skipped"]) == (0, 1)


def test_what_nobody_approved_waits_and_is_not_called_left_out() -> None:
    mine, others = a_change("1"), a_change("2")
    draft = drafted(others, mine)
    assert keep_approved(draft, [mine]) == []
    assert draft.changes == [mine]
    assert draft.counts == {"update": 1, "skipped": 1}


def test_the_order_of_the_new_plan_is_kept() -> None:
    changes = [a_change(key) for key in "321"]
    draft = drafted(*changes)
    keep_approved(draft, [*reversed(changes)])
    assert draft.changes == changes


def test_two_changes_of_one_record_are_told_apart() -> None:
    clear, take = a_change(fields={"mobile_phone": None}), a_change(fields={"mobile_phone": "+12255550100"})
    draft = drafted(clear, take)
    assert keep_approved(draft, [clear, take]) == []
    assert draft.changes == [clear, take]


def test_why_a_record_without_a_change_is_left_out() -> None:
    draft = drafted(seen=("same", "odd"))
    draft.reject(Rejected("odd", "invalid", "has no name: mend it", cause=LAST_NAME_MISSING))
    draft.report("same", "a note that is no reason", LAST_NAME_MISSING)
    found = keep_approved(draft, [a_change("same"), a_change("odd"), a_change("lost")])
    reasons = {one["key"]: one["reason"] for one in found}
    assert reasons["odd"] == "has no name: mend it"
    assert reasons["same"].startswith("there is nothing to be done for it any more")
    assert reasons["lost"] == "the source does not have it any more"
    assert {one["now"] for one in found} == {None}


class TestChangesThatExchangeAValue:
    """Neighbours that share a number in `together`."""

    GIVER, TAKER, THIRD = (a_change(key, fields={"email": f"{key}@x.example"}) for key in "123")
    ALONE = a_change("4")

    def kept(self, *approved_ones: Change) -> tuple[list[str], dict[str, str], Draft]:
        draft = drafted(self.GIVER, self.TAKER, self.THIRD, self.ALONE)
        draft.together = {"1": 1, "2": 1, "3": 1}
        found = keep_approved(draft, [*approved_ones])
        return [change.key for change in draft.changes], {one["key"]: one["reason"] for one in found}, draft

    def test_are_kept_when_all_of_them_were_approved(self) -> None:
        keys, left_out, _ = self.kept(self.GIVER, self.TAKER, self.THIRD, self.ALONE)
        assert (keys, left_out) == (["1", "2", "3", "4"], {})

    @pytest.mark.parametrize("odd", [0, 1, 2], ids=["giver", "taker", "third"])
    def test_are_left_out_together_when_one_has_another_form(self, odd: int) -> None:
        before = [self.GIVER, self.TAKER, self.THIRD]
        before[odd] = a_change(before[odd].key, fields={"email": "other@x.example"})
        keys, left_out, draft = self.kept(*before, self.ALONE)
        assert keys == ["4"]
        assert set(left_out) == {"1", "2", "3"}
        assert sum("exchanges a value with" in reason for reason in left_out.values()) == 2
        assert (draft.counts["update"], draft.counts["skipped"]) == (1, 3)

    def test_are_left_out_together_when_one_was_not_approved_at_all(self) -> None:
        keys, left_out, draft = self.kept(self.GIVER, self.THIRD, self.ALONE)
        assert (keys, set(left_out)) == (["4"], {"1", "3"})
        assert all("2, whose change was not approved" in reason for reason in left_out.values())
        assert (draft.counts["update"], draft.counts["skipped"]) == (1, 3)

    def test_of_another_exchange_are_kept(self) -> None:
        draft = drafted(self.GIVER, self.TAKER, self.THIRD, self.ALONE)
        draft.together = {"1": 1, "2": 1, "3": 2, "4": 2}
        keep_approved(draft, [self.GIVER, self.THIRD, self.ALONE])
        assert draft.changes == [self.THIRD, self.ALONE]


@pytest.mark.parametrize(
    ("left_out", "batches", "said"),
    [
        (0, 1, None),
        (0, 0, None),
        (2, 1, "of what was approved, 2 left out"),
        (2, 0, "nothing that was approved is wanted any more: nothing was changed, 2 left out"),
    ],
)
def test_what_an_entity_says_of_its_approval(left_out: int, batches: int, said: str | None) -> None:
    one = {"key": "1", "action": "update", "reason": "it is gone", "now": None}
    found = about_left_out(plan_of(left_out=[one] * left_out, batches=batches))
    assert found is said if said is None else found is not None and found.startswith(said)


def test_a_plan_of_release_0_1_0_left_nothing_out() -> None:
    assert about_left_out(plan_of(batches=0)) is None


@pytest.mark.parametrize(
    ("count", "last", "agreed", "believed"),
    [
        (80, 100, None, True),
        (79, 100, None, False),
        (50, 100, 50, True),
        (60, 100, 50, True),
        (49, 100, 50, True),
        (48, 100, 50, False),
        (79, 100, 90, False),
        (80, 100, 90, True),
        (0, 100, 0, True),
        (20, 40, 20, True),
        (19, 40, 20, False),
    ],
)
def test_a_read_that_lost_much_is_believed_when_somebody_approved_that_size(
    count: int, last: int, agreed: int | None, believed: bool
) -> None:
    approved_counts = {} if agreed is None else {"Vista": agreed}
    reasons = lost_much(LIMITS, {"Vista": count}, {"Vista": last}, approved_counts)
    assert (not reasons) is believed
    assert all(f"and {agreed} were approved" in reason for reason in reasons if agreed is not None)


def test_a_read_that_is_not_made_any_more_lost_nothing() -> None:
    refuse_other_sizes(plan_of(source_counts={"Samsara drivers": 50, "a": 10}), {"a": 10}, {"a": 10}, LIMITS)


def test_without_a_state_the_approved_plan_says_how_large_a_source_is() -> None:
    with pytest.raises(IncompleteRead, match="start a new run and approve its plan"):
        refuse_other_sizes(plan_of(source_counts={"a": 100}), {"a": 79}, {}, LIMITS)


@pytest.mark.parametrize(
    ("held", "now", "last", "sizes", "agreed"),
    [
        (50, 100, 100, 100, {}),
        (50, 101, 100, 101, {}),
        (50, 90, 100, 90, {}),
        (50, 50, 100, 100, {"a": 50}),
        (50, 49, 100, 100, {"a": 50}),
        (50, 70, 100, 100, {"a": 70}),
    ],
)
def test_what_later_reads_are_compared_with(
    held: int, now: int, last: int, sizes: int, agreed: dict[str, int]
) -> None:
    state = EntityState("employees", source_counts={"a": last})
    found = baselines(RUN, plan_of(source_counts={"a": held}), {"a": now}, state, LIMITS)
    assert found == ({"a": sizes}, agreed)


def test_a_read_that_is_made_for_the_first_time_is_compared_with_from_now_on() -> None:
    found = baselines(
        RUN, plan_of(source_counts={"a": 5}), {"a": 5, "b": 3}, EntityState("employees"), LIMITS
    )
    assert found == ({"a": 5, "b": 3}, {})


def test_a_read_that_the_held_plan_did_not_need_is_believed_as_it_is() -> None:
    state = EntityState("employees", source_counts={"a": 100})
    assert baselines(RUN, plan_of(source_counts={}), {"a": 50}, state, LIMITS) == (
        {"a": 100},
        {"a": 50},
    )


def test_who_approves_single_records_says_nothing_of_sizes() -> None:
    run = Run("r", RunRequest(entities=("employees",), keys=("1",)), "now", {"employees": EntityStatus()})
    state = EntityState("employees", source_counts={"a": 100}, approved_counts={"a": 60})
    assert baselines(run, plan_of(source_counts={"a": 50}), {"a": 50}, state, LIMITS) == (
        {"a": 100},
        {"a": 60},
    )
