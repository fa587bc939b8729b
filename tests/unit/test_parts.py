"""Parts of a plan that are held apart: what goes on, what waits, and how each leaves the other alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.sync import paths
from shared.sync.decisions.approve import approve
from shared.sync.documents.active import release_active
from shared.sync.documents.plans import Plan, plan_at, read_batch
from shared.sync.documents.runs import Run, change_run, get_run
from shared.sync.documents.state import EntityState, Entry, Flags, decode_state
from tests.unit.planning_rig import PlanningRig, a_leaver, a_person


def held_actions(rig: PlanningRig, run: Run, plan: dict[str, Any]) -> list[tuple[str, str]]:
    numbers = range(plan["batches"] + 1, plan["batches"] + plan["held_batches"] + 1)
    return [
        (change.action, change.key)
        for number in numbers
        for change in read_batch(rig.documents, run.run_id, rig.entity, plan["plan_id"], number)
    ]


@pytest.fixture
def rig() -> PlanningRig:
    """Two of four have left, which GUARD_MAX_PERCENT holds; one has moved, and one is new."""
    rig = PlanningRig("employees")
    rig.hire(a_leaver(1), a_leaver(2), a_person(3, street="9 Ash Lane"), a_person(4), a_person(5))
    rig.know_users(1, 2, 3, 4)
    return rig


class TestAPlanOfWhichAPartIsHeld:
    def test_has_batches_of_what_goes_on_and_behind_them_of_what_waits(self, rig: PlanningRig) -> None:
        run = rig.run()
        plan = rig.plan(run)
        assert rig.actions(run, plan) == [("create", "5"), ("update", "3")]
        assert held_actions(rig, run, plan) == [("deactivate", "1"), ("deactivate", "2")]

    def test_says_why_by_part_and_looks_to_release_0_1_0_as_if_nothing_were_held(
        self, rig: PlanningRig
    ) -> None:
        plan = rig.plan()
        reason = "2 of 5 people would be deactivated, GUARD_MAX_PERCENT is 20"
        assert plan["held"] == []
        assert plan["held_parts"] == {"deactivate": {"count": 2, "reasons": [reason]}}

    def test_counts_all_that_is_planned(self, rig: PlanningRig) -> None:
        counts = rig.plan()["counts"]
        assert (counts["create"], counts["update"], counts["deactivate"]) == (1, 1, 2)

    def test_is_held_as_a_whole_where_nothing_is_left_beside(self, rig: PlanningRig) -> None:
        rig.hire(a_leaver(1), a_leaver(2), a_person(3), a_person(4))
        run = rig.run()
        plan = rig.plan(run)
        assert plan["held"] == ["2 of 4 people would be deactivated, GUARD_MAX_PERCENT is 20"]
        assert plan["held_batches"] == 0
        assert rig.actions(run, plan) == [("deactivate", "1"), ("deactivate", "2")]
        assert plan["held_parts"]["deactivate"]["count"] == 2

    def test_is_held_as_a_whole_when_the_source_shrank(self, rig: PlanningRig) -> None:
        state = rig.know_users(1, 2, 3, 4)
        state.source_counts = {"Vista employees": 9}
        rig.know(state)
        run = rig.run()
        plan = rig.plan(run)
        assert ["5 records where the last good run read 9" in reason for reason in plan["held"]] == [
            True,
            False,
        ]
        assert plan["held_batches"] == 0
        assert len(rig.actions(run, plan)) == 4
        assert {action: part["count"] for action, part in plan["held_parts"].items()} == {
            "create": 1,
            "update": 1,
            "deactivate": 2,
        }

    def test_that_only_plans_tells_the_same(self, rig: PlanningRig) -> None:
        run = rig.run(mode="plan")
        rig.deliver(run)
        status = rig.status(run)
        assert (status.phase, status.held_changes) == ("planned", {"deactivate": 2})
        assert "2 of 5 people" in str(status.reason)

    def test_of_one_record_is_held_only_where_its_own_part_is(self, rig: PlanningRig) -> None:
        run = rig.run(keys=("5",))
        plan = rig.plan(run)
        assert (plan["held"], plan["held_parts"]) == ([], {})
        assert rig.actions(run, plan) == [("create", "5")]

    def test_of_a_leaver_alone_is_held_as_a_plan_of_all_would_be(self, rig: PlanningRig) -> None:
        plan = rig.plan(keys=("1",))
        assert plan["held"] == ["2 of 5 people would be deactivated, GUARD_MAX_PERCENT is 20"]


class TestWhatNobodyApproved:
    def a_rig(self, **unasked: Any) -> PlanningRig:
        rig = PlanningRig("employees", GUARD_MAX_DEACTIVATIONS="2", GUARD_MAX_PERCENT="100")
        rig.hire(a_leaver(1), a_person(2), a_person(3))
        state = rig.know_users(1, 2, 3)
        state.note_unasked("earlier/plan", rig.clock.now(), unasked)
        rig.know(state)
        return rig

    def test_counts_together_with_what_is_planned(self) -> None:
        assert self.a_rig(deactivate=4).plan()["held"] == [
            "1 people would be deactivated after 4 in the last 24 hours that nobody approved: together 5, and"
            " 4 are the limit, twice GUARD_MAX_DEACTIVATIONS"
        ]

    def test_is_forgotten_after_a_day(self) -> None:
        rig = self.a_rig(deactivate=4)
        rig.clock.advance(timedelta(hours=24).total_seconds())
        assert rig.plan()["held"] == []

    def test_is_counted_by_part(self) -> None:
        assert self.a_rig(reactivate=4).plan()["held"] == []

    def test_is_kept_in_the_document_and_by_a_listing(self) -> None:
        rig = self.a_rig(deactivate=4)
        rig.list_users(1, 2, 3)
        run = rig.run(refresh=True)
        plan = rig.plan(run)
        assert "together 5" in plan["held"][0]

    def test_is_nothing_in_a_state_of_an_earlier_release(self) -> None:
        value = EntityState("employees").to_json()
        del value["unasked"]
        state = decode_state("employees", value)
        assert state is not None
        assert state.unasked == {}


class TestAnApprovalOfAPart:
    def approved(self, rig: PlanningRig) -> tuple[Run, Plan]:
        run = rig.run()
        plan = rig.plan(run)

        def end(run: Run) -> None:
            """Its batch is applied."""
            run.phase = run.entities["employees"].phase = "held"

        release_active(rig.documents, change_run(rig.documents, run.run_id, end))
        approve(rig.services, run.run_id)
        stored = plan_at(rig.documents, paths.plan(run.run_id, "employees"))
        assert stored is not None
        assert plan["plan_id"] == stored.plan_id
        return get_run(rig.documents, run.run_id), stored

    def test_is_a_plan_whose_batches_follow_those_that_were_applied(self, rig: PlanningRig) -> None:
        run, before = self.approved(rig)
        rig.plan(run)
        path = paths.approved(run.run_id, "employees", str(run.entities["employees"].approval))
        plan = plan_at(rig.documents, path)
        assert plan is not None
        assert (list(before.numbers), list(before.held_numbers)) == ([1], [2])
        assert (list(plan.numbers), list(plan.held_numbers), list(plan.all_numbers)) == ([2], [], [1, 2])
        assert [plan.plan_of(number) for number in plan.all_numbers] == [before.plan_id, plan.plan_id]
        changes = read_batch(rig.documents, run.run_id, "employees", plan.plan_id, 2)
        assert [(change.action, change.key) for change in changes] == [
            ("deactivate", "1"),
            ("deactivate", "2"),
        ]


class TestAnExchangeWithSomebodyWhoComesBack:
    """Two who swap their phones, one of whom the sync had switched off."""

    @pytest.fixture
    def rig(self) -> PlanningRig:
        rig = PlanningRig("employees", GUARD_MAX_DEACTIVATIONS="0", GUARD_MAX_PERCENT="100")
        rig.hire(
            a_person(1, phone="985-555-0102"),
            a_person(2, phone="985-555-0101"),
            a_person(3, street="9 Ash Lane"),
        )
        state = rig.know_users(1, 2, 3)
        for key in ("1", "2"):
            entry = state.entry(key)
            assert entry is not None
            fields = {**entry.fields, "mobile_phone": f"+1985555010{key}", "system_access": int(key == "2")}
            flags: Flags = {"off_by": "earlier"} if key == "1" else {}
            state.put(key, Entry(entry.target_id, "d", fields, flags))
        rig.know(state)
        return rig

    def test_is_held_as_one(self, rig: PlanningRig) -> None:
        run = rig.run()
        plan = rig.plan(run)
        assert rig.actions(run, plan) == [("update", "3")]
        assert sorted(held_actions(rig, run, plan)) == [("reactivate", "1"), ("update", "2")]
        assert plan["held_parts"] == {
            "update": {"count": 1, "reasons": []},
            "reactivate": {
                "count": 1,
                "reasons": ["1 people would get access back, GUARD_MAX_DEACTIVATIONS is 0"],
            },
        }

    def test_is_approved_as_one(self, rig: PlanningRig) -> None:
        run, before = TestAnApprovalOfAPart().approved(rig)
        plan = rig.plan(run)
        assert plan["left_out"] == []
        changes = read_batch(rig.documents, run.run_id, "employees", plan["plan_id"], before.batches + 1)
        assert sorted((change.action, change.key) for change in changes) == [
            ("reactivate", "1"),
            ("update", "2"),
        ]
