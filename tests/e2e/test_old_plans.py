"""A run that was half done when everything stood still: what it planned is not applied days later, and the
next run does what is true by then."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.sync import paths
from shared.sync.documents.runs import RunRequest
from shared.sync.runs.requests import request_run
from tests.e2e.people_rig import PeopleRig, adds_up
from tests.e2e.rig import START
from tests.e2e.small_company import small_company

HOURS = 3600


def planned(folder: Path) -> tuple[PeopleRig, str]:
    """A company whose run has planned somebody's leaving, a hire and a move, and applied nothing of it."""
    rig = PeopleRig(folder, small_company(START.date()), bus_dies=True, GUARD_MAX_PERCENT="100")
    rig.run()
    rig.leaves(1001)
    rig.hired(2001)
    rig.moves(1002, Address="1 Wrong Street")
    run_id = request_run(rig.stack.runtime, RunRequest())
    rig.until(lambda: rig.documents.read(paths.plan(run_id, "employees")) is not None)
    return rig, run_id


def known(rig: PeopleRig) -> set[str]:
    return {row["emp_id"] for row in rig.safetyamp.snapshot()["users"]}


@pytest.mark.parametrize("hours", [3, 40])
def test_what_was_mended_meanwhile_is_not_done(tmp_path: Path, hours: int) -> None:
    rig, run_id = planned(tmp_path)
    rig.clock.advance(hours * HOURS)
    rig.moves(1001, TermDate=None)
    rig.moves(1002, Address="1002 Cypress Street")
    rig.company.tables["bPREH"].remove(rig.person(2001))
    rig.publish()
    rig.start_again()
    ran = rig.finish(run_id)
    assert (ran.writes, rig.user(1001)["system_access"], "2001" in known(rig)) == ([], 1, False)
    employees = ran.entity("employees")
    assert (ran.report["phase"], employees["failed"]) == ("failed", 3)
    assert "too long ago: the next run plans it anew" in employees["reason"]
    assert "not tried: planned at" in rig.reasons(ran, 1001)
    adds_up(ran)
    assert rig.run().writes == []
    rig.close()


def test_what_is_still_true_is_done_by_the_next_run(tmp_path: Path) -> None:
    rig, run_id = planned(tmp_path)
    rig.clock.advance(3 * HOURS)
    rig.start_again()
    rig.finish(run_id)
    ran = rig.run()
    assert (ran.report["phase"], "/api/users" in ran.listings) == ("done", False)
    assert (rig.user(1001)["system_access"], rig.user(2001)["system_access"]) == (0, 1)
    assert rig.user(1002)["street"] == "1 Wrong Street"
    rig.close()


def test_an_hour_is_not_too_long(tmp_path: Path) -> None:
    rig, run_id = planned(tmp_path)
    rig.clock.advance(HOURS)
    rig.start_again()
    assert rig.finish(run_id).report["phase"] == "done"
    assert (rig.user(1001)["system_access"], "2001" in known(rig)) == (0, True)
    rig.close()


@pytest.mark.parametrize("written", [True, False])
def test_a_creation_without_an_answer_is_settled_by_the_next_run(tmp_path: Path, written: bool) -> None:
    rig, run_id = planned(tmp_path)
    rig.safetyamp.fail_next(1, match="POST /api/users", after_write=written, lose="timeout")
    rig.until(lambda: any(call.method == "POST" for call in rig.safetyamp.calls[-1:]))
    rig.until(lambda: rig.user(1002)["street"] == "1 Wrong Street")
    rig.clock.advance(40 * HOURS)
    rig.start_again()
    ran = rig.finish(run_id)
    assert "may have been created" in rig.reasons(ran, 2001)
    assert "POST /api/users" not in ran.writes
    ran = rig.run()
    assert ran.report["phase"] == "done"
    users = [row for row in rig.safetyamp.snapshot()["users"] if row["emp_id"] == "2001"]
    assert len(users) == 1
    assert ("POST /api/users" in ran.writes) is not written
    rig.close()
