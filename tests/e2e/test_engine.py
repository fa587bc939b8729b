"""How a run copes with trouble of its upstreams, in virtual time, on a company whose calls can be counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from local.company.model import vista_date
from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.documents.runs import RunRequest
from shared.sync.runs.requests import request_run
from tests.e2e.rig import START, Rig
from tests.e2e.small_company import FIRST_NUMBER, PEOPLE, new_person

LEAVER, MOVER, JOINER = FIRST_NUMBER, FIRST_NUMBER + 1, FIRST_NUMBER + 50


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[Rig]:
    """A first load in which SafetyAmp went away while people were being created, four per batch."""
    rig = Rig(tmp_path, limit=10, API_RATE_LIMIT_RESERVE="6")
    request_run(rig.stack.runtime, RunRequest())
    rig.until(lambda: rig.safetyamp.created.get("users", 0) > 0)
    rig.safetyamp.fail_next(100_000, 503)
    yield rig
    rig.close()


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Rig]:
    """Two calls per window for bulk work: what needs a third one has to wait for the next window."""
    rig = Rig(tmp_path, limit=8, API_RATE_LIMIT_RESERVE="6")
    yield rig
    rig.close()


def is_complete(rig: Rig) -> bool:
    """Whether everything of the company is in SafetyAmp, once."""
    rows = rig.safetyamp.snapshot()
    found = sorted(row["emp_id"] for row in rows["users"])
    wanted = sorted(str(row["Employee"]) for row in rig.company.tables["bPREH"])
    return found == wanted and len(rows["assets"]) == len(rig.company.vehicles)


def test_a_first_load_makes_exactly_the_calls_that_can_be_counted_by_hand(rig: Rig) -> None:
    """Listings end with a page without news; an empty resource has only that page. Clusters have no pages.
    Roles and asset types are listed because something is created that needs them."""
    ran = rig.run()
    assert Counter(f"{call.method} {call.path}" for call in ran.calls) == {
        **{"GET /api/site_clusters": 1, "POST /api/site_clusters": 3},
        **{"GET /api/sites": 2, "POST /api/sites": 3},
        **{"GET /api/user_titles": 1, "POST /api/user_titles": 3},
        **{"GET /api/users": 1, "GET /api/roles": 2, "POST /api/users": PEOPLE},
        **{"GET /api/assets": 1, "GET /api/asset_types": 2, "POST /api/assets": 2},
    }
    assert ran.report["calls"]["safetyamp"] == len(ran.calls)
    assert is_complete(rig)


def test_leavers_go_before_joiners_and_joiners_before_changes(rig: Rig) -> None:
    rig.run()
    rig.person(MOVER)["Address"] = "5 Other Street"
    new_person(rig.company, JOINER)
    rig.person(LEAVER)["TermDate"] = vista_date(START.date())
    rig.publish()
    leaver, mover = rig.user(LEAVER)["id"], rig.user(MOVER)["id"]
    assert rig.run().writes == [
        f"PATCH /api/users/{leaver}",
        "POST /api/users",
        f"PATCH /api/users/{mover}",
    ]


def test_an_outage_of_some_minutes_is_waited_for(broken: Rig) -> None:
    back = broken.clock.now() + timedelta(minutes=10)
    broken.until(lambda: broken.clock.now() >= back)
    broken.safetyamp.heal()
    ran = broken.finish(broken.active)
    assert ran.report["phase"] == "done"
    assert ran.count("failed") == 0
    assert is_complete(broken)


def test_during_an_outage_the_breaker_spares_safetyamp(broken: Rig) -> None:
    before, back = len(broken.safetyamp.calls), broken.clock.now() + timedelta(minutes=20)
    broken.until(lambda: broken.clock.now() >= back)
    # Five failures open it; after that there is one probe a minute.
    assert 5 < len(broken.safetyamp.calls) - before <= 5 + 20


def test_an_outage_without_end_ends_the_entity_and_the_next_run_does_the_rest(broken: Rig) -> None:
    there = broken.safetyamp.created["users"]
    ran = broken.finish(broken.active)
    assert ran.entity("employees")["phase"] == "failed"
    assert "no usable answer since" in ran.entity("employees")["reason"]
    assert ran.entity("employees")["created"] == there
    assert broken.clock.now() - START < timedelta(hours=1)
    broken.safetyamp.heal()
    broken.clock.advance(timedelta(minutes=2))
    assert broken.run().report["phase"] == "done"
    assert is_complete(broken)


def test_a_429_is_obeyed_for_as_long_as_it_says(rig: Rig) -> None:
    rig.safetyamp.fail_next(1, 429, match="POST /api/users", headers={"Retry-After": "40"})
    begun = rig.clock.now()
    ran = rig.run()
    assert rig.clock.now() - begun >= timedelta(seconds=40)
    assert ran.count("failed") == 0
    assert ran.writes.count("POST /api/users") == PEOPLE + 1


def test_a_look_up_that_fills_the_window_is_not_repeated_in_the_next_one(narrow: Rig) -> None:
    """Listing the titles twice, before the creation and after it, takes all calls of several windows; the
    creation that follows must not begin by listing them again, or it would never come to its turn."""
    narrow.run()
    new_person(narrow.company, JOINER, udEmpTitle="Diver")
    narrow.publish()
    narrow.safetyamp.fail_next(1, match="POST /api/user_titles", lose="timeout")
    ran = narrow.run()
    assert ran.listings == ["/api/user_titles"] * 8
    assert ran.writes == ["POST /api/user_titles"] * 2 + ["POST /api/users"]
    assert is_complete(narrow)


def test_a_window_is_never_exceeded_however_narrow_it_is(narrow: Rig) -> None:
    narrow.run()
    assert narrow.safetyamp.peak_window <= 8
    assert narrow.safetyamp.throttled == 0
    assert is_complete(narrow)


def test_a_refused_graph_secret_fails_employees_with_the_setting_and_creates_nobody(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.tenant.graph.login.expired_key = True
    ran = rig.run()
    rig.close()
    assert ran.entity("employees")["phase"] == "failed"
    assert "MS_GRAPH_CLIENT_SECRET has expired" in ran.entity("employees")["reason"]
    assert rig.safetyamp.snapshot()["users"] == []
    assert {ran.entity(name)["phase"] for name in ("departments", "jobs", "titles", "vehicles")} == {"done"}


def test_a_graph_token_that_was_revoked_is_replaced(rig: Rig) -> None:
    rig.run()
    rig.tenant.graph.login.revoke()
    assert rig.run().report["phase"] == "done"


def test_a_refused_samsara_key_fails_vehicles_alone_and_names_the_setting(tmp_path: Path) -> None:
    rig = Rig(tmp_path, SAMSARA_API_KEY="wrong")
    ran = rig.run()
    rig.close()
    assert ran.entity("vehicles")["phase"] == "failed"
    assert "SAMSARA_API_KEY" in ran.entity("vehicles")["reason"]
    assert ran.entity("employees")["created"] == PEOPLE


def test_what_needs_a_failed_entity_waits_and_comes_with_the_next_run(rig: Rig) -> None:
    """Sites cannot be listed, so no job is created; who works on one waits, who belongs to an office too."""
    rig.safetyamp.fail_next(100, 500, match="GET /api/sites")
    ran = rig.run()
    assert ran.entity("jobs")["phase"] == "failed"
    assert ran.entity("employees")["created"] == 0
    rig.safetyamp.heal()
    rig.clock.advance(timedelta(minutes=2))
    assert rig.run().report["phase"] == "done"
    assert is_complete(rig)


def test_one_refused_token_leaves_every_other_change_of_the_entity_untried(rig: Rig) -> None:
    rig.safetyamp.fail_next(1, 401, match="POST /api/users")
    ran = rig.run()
    assert ran.writes.count("POST /api/users") == 1
    reasons = [problem["reason"] for problem in ran.entity("employees")["problems"]]
    assert len(reasons) == PEOPLE
    assert all(reason.startswith("not tried") and "SAFETYAMP_TOKEN" in reason for reason in reasons)


def test_the_hourly_timer_starts_a_run_and_passes_while_one_is_under_way(rig: Rig) -> None:
    rig.stack.host.run_timer("start_scheduled_run")
    rig.stack.host.run_timer("start_scheduled_run")
    rig.drain()
    assert is_complete(rig)
    assert len([path for path in rig.documents.list("runs/") if path.endswith("/report.json")]) == 1


def test_messages_that_are_left_after_a_run_change_nothing(rig: Rig) -> None:
    rig.safetyamp.fail_next(1, match="POST /api/users", lose="timeout", after_write=True)
    rig.run()
    before = rig.safetyamp.snapshot()
    rig.drain()
    assert rig.safetyamp.snapshot() == before
    assert rig.stack.bus.dead_letters("change-batches") == rig.stack.bus.dead_letters("entity-sync") == []


def test_while_titles_are_being_created_their_state_does_not_say_what_is_there(rig: Rig) -> None:
    """Release 0.1.0 may create them, and cannot note it: the next run has to list SafetyAmp then."""
    rig.run()
    rig.person(MOVER)["udEmpTitle"] = "Diver"
    rig.publish()
    state, run_id = paths.state("titles"), request_run(rig.stack.runtime, RunRequest())
    rig.until(lambda: read_json(rig.documents, paths.plan(run_id, "titles")) is not None)
    assert read_json(rig.documents, state)["list_anew"]
    rig.finish(run_id)
    assert "list_anew" not in read_json(rig.documents, state)
    assert rig.run().calls == []
