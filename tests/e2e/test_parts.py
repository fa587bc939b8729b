"""A plan's four parts are held apart: a lay-off that waits for somebody holds no hire and no address."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from local.host.once import PLAN_HELD, exit_status
from shared.queries.plan_view import plan_view
from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.decisions.approve import approve
from shared.sync.documents.runs import get_run
from shared.sync.runs.stopping import cancel
from shared.sync.runs.totals import overview
from tests.e2e.people_rig import YESTERDAY, PeopleRig, adds_up
from tests.e2e.rig import START, Ran
from tests.e2e.small_company import FIRST_NUMBER, small_company
from tests.e2e.test_engine_crashes import EVERY

PEOPLE = 60
LEAVERS = range(FIRST_NUMBER, FIRST_NUMBER + 15)
"""More than GUARD_MAX_DEACTIVATIONS."""
MOVER = FIRST_NUMBER + 20
JOINER = FIRST_NUMBER + 500


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[PeopleRig]:
    """After a first load."""
    rig = PeopleRig(tmp_path, small_company(START.date(), PEOPLE), GUARD_MAX_PERCENT="100")
    rig.run()
    yield rig
    rig.close()


def lay_off(rig: PeopleRig, numbers: range = LEAVERS) -> None:
    for number in numbers:
        rig.person(number)["TermDate"] = YESTERDAY
    rig.publish()


def an_ordinary_day(rig: PeopleRig) -> None:
    """Somebody is hired, and somebody moves."""
    rig.hired(JOINER)
    rig.moves(MOVER, Address="9 Ash Lane")


def later(rig: PeopleRig, **request: object) -> Ran:
    rig.clock.advance(60)
    return rig.run(**request)


def approved(rig: PeopleRig, run_id: str) -> Ran:
    before = len(rig.safetyamp.calls)
    approve(rig.stack.runtime, run_id)
    return rig.finish(run_id, since=before)


def without_access(rig: PeopleRig) -> set[int]:
    return {int(user["emp_id"]) for user in rig.safetyamp.snapshot()["users"] if not user["system_access"]}


def test_a_lay_off_that_is_held_holds_no_hire_and_no_address(rig: PeopleRig) -> None:
    lay_off(rig)
    an_ordinary_day(rig)
    ran = later(rig)
    people = ran.entity("employees")
    assert (ran.report["phase"], people["phase"], people["held"]) == ("held", "held", True)
    assert exit_status(ran.report) == PLAN_HELD
    assert (people["created"], people["updated"], people["deactivated"]) == (1, 1, 0)
    assert people["held_changes"] == {"deactivate": len(LEAVERS)}
    assert people["unapproved"] == len(LEAVERS)
    assert people["reason"] == (
        f"{len(LEAVERS)} people would be deactivated, GUARD_MAX_DEACTIVATIONS is 10; what is not held was"
        " applied"
    )
    adds_up(ran)
    assert rig.user(JOINER)["system_access"] == 1
    assert rig.user(MOVER)["street"] == "9 Ash Lane"
    assert not without_access(rig)


def test_an_approval_applies_the_part_that_was_held(rig: PeopleRig) -> None:
    lay_off(rig)
    an_ordinary_day(rig)
    held = later(rig)
    ran = approved(rig, held.run_id)
    people = ran.entity("employees")
    assert (ran.report["phase"], people["phase"], people["reason"]) == ("done", "done", None)
    assert (people["created"], people["updated"], people["deactivated"]) == (1, 1, len(LEAVERS))
    assert (people["unapproved"], people["held_changes"]) == (0, {})
    adds_up(ran)
    assert without_access(rig) == set(LEAVERS)
    assert [write.split()[0] for write in ran.writes] == ["PATCH"] * len(LEAVERS)
    assert later(rig).writes == []


def test_an_approval_leaves_out_who_is_back_and_counts_them(rig: PeopleRig) -> None:
    lay_off(rig)
    an_ordinary_day(rig)
    held = later(rig)
    rig.moves(LEAVERS[0], TermDate=None)
    ran = approved(rig, held.run_id)
    people = ran.entity("employees")
    assert [change["key"] for change in people["left_out"]["changes"]] == [str(LEAVERS[0])]
    assert (people["created"], people["deactivated"]) == (1, len(LEAVERS) - 1)
    adds_up(ran)
    assert without_access(rig) == set(LEAVERS[1:])


def test_the_calls_of_both_are_counted_once(rig: PeopleRig) -> None:
    before = len(rig.safetyamp.calls)
    lay_off(rig)
    an_ordinary_day(rig)
    ran = approved(rig, later(rig).run_id)
    assert ran.report["calls"]["safetyamp"] == len(rig.safetyamp.calls) - before


def test_dropping_drops_the_part_and_what_was_applied_stays(rig: PeopleRig) -> None:
    lay_off(rig)
    an_ordinary_day(rig)
    held = later(rig)
    cancel(rig.stack.runtime, held.run_id, "dropped by an operator")
    run = get_run(rig.documents, held.run_id)
    assert run.phase == "cancelled"
    assert "it was held: 15 people" in str(run.entities["employees"].reason)
    assert rig.user(JOINER)["system_access"] == 1
    assert not without_access(rig)


def test_a_newer_run_takes_its_place(rig: PeopleRig) -> None:
    """What both want stays held, in the newer one; nothing is announced a second time."""
    lay_off(rig)
    an_ordinary_day(rig)
    older = later(rig).run_id
    newer = later(rig).run_id
    now = rig.clock.now()
    runtime = rig.stack.runtime
    assert overview(rig.documents, runtime.settings, now).held_run_ids == (newer,)
    assert older != newer
    assert approved(rig, newer).entity("employees")["deactivated"] == len(LEAVERS)
    assert overview(rig.documents, runtime.settings, now).held_run_ids == ()


def test_a_phone_that_a_held_leaver_has_is_not_taken_from_them(rig: PeopleRig) -> None:
    """A new hire with it arrives without, and gets it when the lay-off is through."""
    leaver = LEAVERS[0]
    lay_off(rig)
    rig.moves(leaver, Phone=None)
    rig.hired(JOINER, Phone=rig.phone(leaver).removeprefix("+1"))
    ran = later(rig)
    assert ran.entity("employees")["created"] == 1
    assert rig.user(leaver)["mobile_phone"] == rig.phone(leaver)
    assert rig.user(JOINER)["mobile_phone"] is None
    assert f"employee {leaver}, whose own change is held, keeps it" in rig.reasons(ran, JOINER)
    approved(rig, ran.run_id)
    later(rig)
    assert rig.user(leaver)["mobile_phone"] is None
    assert rig.user(JOINER)["mobile_phone"] == rig.phone(leaver)


def test_access_is_given_back_to_a_crowd_only_when_somebody_approves(rig: PeopleRig) -> None:
    """Yesterday's backup of the payroll knows nothing of the lay-off."""
    lay_off(rig)
    approved(rig, later(rig).run_id)
    for number in LEAVERS:
        rig.person(number)["TermDate"] = None
    rig.publish()
    an_ordinary_day(rig)
    ran = later(rig)
    people = ran.entity("employees")
    assert people["held_changes"] == {"reactivate": len(LEAVERS)}
    assert people["reason"].startswith(f"{len(LEAVERS)} people would get access back")
    assert people["created"] == 1
    assert without_access(rig) == set(LEAVERS)
    approved(rig, ran.run_id)
    assert not without_access(rig)


def test_a_third_wave_on_one_day_is_held(rig: PeopleRig) -> None:
    """Three runs of ten leavers, each within the limit of one run."""
    waves = [range(FIRST_NUMBER + 10 * number, FIRST_NUMBER + 10 * number + 10) for number in range(3)]
    for wave in waves[:2]:
        lay_off(rig, wave)
        assert later(rig).entity("employees")["deactivated"] == len(wave)
    lay_off(rig, waves[2])
    ran = later(rig)
    assert ran.entity("employees")["held_changes"] == {"deactivate": 10}
    assert "10 people would be deactivated after 20 in the last 24 hours" in ran.entity("employees")["reason"]
    rig.clock.advance(timedelta(hours=25).total_seconds())
    assert rig.run().entity("employees")["deactivated"] == 10


def test_what_somebody_approved_does_not_hold_the_next_leaver(rig: PeopleRig) -> None:
    lay_off(rig, range(FIRST_NUMBER, FIRST_NUMBER + 30))
    approved(rig, later(rig).run_id)
    rig.leaves(FIRST_NUMBER + 40)
    assert later(rig).entity("employees")["deactivated"] == 1


def test_who_is_asked_for_alone_does_not_wait_for_a_lay_off(rig: PeopleRig) -> None:
    lay_off(rig)
    an_ordinary_day(rig)
    assert later(rig, entities=("employees",), keys=(str(JOINER),)).report["phase"] == "done"
    assert rig.user(JOINER)["system_access"] == 1
    alone = later(rig, entities=("employees",), keys=(str(LEAVERS[0]),))
    assert alone.report["phase"] == "held"
    assert not without_access(rig)


def test_the_plan_says_which_part_is_held(rig: PeopleRig) -> None:
    lay_off(rig)
    an_ordinary_day(rig)
    run = get_run(rig.documents, later(rig).run_id)
    [people] = [one for one in plan_view(rig.stack.runtime, run)["entities"] if one["entity"] == "employees"]
    assert {part["action"]: (part["count"], part["held"]) for part in people["parts"]} == {
        "deactivate": (15, 15),
        "update": (1, 0),
        "create": (1, 0),
    }
    assert people["held"] == ["15 people would be deactivated, GUARD_MAX_DEACTIVATIONS is 10"]


def test_release_0_1_0_sees_nothing_of_a_held_part(rig: PeopleRig) -> None:
    """It sends the batches up to `batches`, and none of a plan with a reason in `held`."""
    lay_off(rig)
    an_ordinary_day(rig)
    run_id = later(rig).run_id
    plan = read_json(rig.documents, paths.plan(run_id, "employees"))
    assert (plan["held"], plan["batches"], plan["held_batches"]) == ([], 1, 1)
    applied = read_json(rig.documents, paths.batch(run_id, "employees", plan["plan_id"], 1))
    assert {change["key"] for change in applied["changes"]} == {str(JOINER), str(MOVER)}


def held_in_part(folder: Path) -> PeopleRig:
    """Six people, of whom three leave, one moves, and one is hired; not run yet."""
    rig = PeopleRig(folder, small_company(START.date(), 6))
    rig.run()
    lay_off(rig, LEAVERS[:3])
    rig.hired(JOINER)
    rig.moves(FIRST_NUMBER + 4, Address="9 Ash Lane")
    rig.clock.advance(60)
    return rig


def test_a_process_may_die_at_any_effect_of_a_run_of_which_a_part_is_held(tmp_path: Path) -> None:
    logging.disable(logging.CRITICAL)
    calm = held_in_part(tmp_path)
    start = calm.power.pulses
    assert calm.run().report["phase"] == "held"
    effects, wanted = calm.power.pulses - start, calm.content()
    calm.close()
    assert effects > 30
    for number in range(1, effects + 1, EVERY or 9):
        rig = held_in_part(tmp_path)
        rig.power.dies_at = rig.power.pulses + number
        run_id = rig.request() or rig.request()
        assert run_id is not None
        ran = rig.finish(run_id, sweeping=True)
        assert rig.power.crashes == 1, f"nothing died at effect {number}"
        assert rig.content() == wanted, f"crash at effect {number}"
        assert ran.entity("employees")["held_changes"] == {"deactivate": 3}, f"crash at effect {number}"
        assert approved(rig, run_id).entity("employees")["deactivated"] == 3, f"crash at effect {number}"
        rig.close()
    logging.disable(logging.NOTSET)
