"""Cancelling a plan that the guard holds: nobody is asked to approve it any more, and nobody can."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.company_model import vista_date
from tests.e2e.http_rig import Api, api_for
from tests.e2e.rig import START

LEAVER = 1002


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """After a first load, with one person who has left; the guard holds that."""
    api = api_for(tmp_path, GUARD_MAX_PERCENT="5")
    api.rig.run()
    api.rig.clock.advance(60)
    api.rig.person(LEAVER)["TermDate"] = vista_date(START.date())
    api.rig.publish()
    yield api
    api.rig.close()


def test_a_cancelled_one_can_not_be_approved_and_is_not_asked_about(api: Api) -> None:
    run_id = api.rig.run().run_id
    assert [found["run_id"] for found in api.get("/api/failures")["entities"]] == [run_id]
    api.post(f"/api/runs/{run_id}/cancel", 202)
    run = api.get(f"/api/runs/{run_id}")
    assert (run["phase"], run["entities"]["employees"]["phase"]) == ("cancelled", "cancelled")
    assert "it was held: 1 of 10 people" in run["entities"]["employees"]["reason"]
    assert run["entities"]["jobs"]["phase"] == "done"
    assert api.get("/api/failures")["entities"] == []
    assert "holds no plan" in api.post(f"/api/runs/{run_id}/approve", 409)["detail"]
    assert "ended already" in api.post(f"/api/runs/{run_id}/cancel", 409)["detail"]
    api.rig.drain()
    assert api.rig.user(LEAVER)["system_access"] == 1


def test_the_next_run_plans_anew_and_asks_again(api: Api) -> None:
    api.post(f"/api/runs/{api.rig.run().run_id}/cancel", 202)
    api.rig.clock.advance(60)
    again = api.rig.run()
    assert again.entity("employees")["phase"] == "held"
    api.post(f"/api/runs/{again.run_id}/approve", 202)
    api.rig.finish(again.run_id)
    assert api.rig.user(LEAVER)["system_access"] == 0


def test_an_approved_run_is_cancelled_like_any_other(api: Api) -> None:
    run_id = api.rig.run().run_id
    api.post(f"/api/runs/{run_id}/approve", 202)
    api.post(f"/api/runs/{run_id}/cancel", 202)
    api.rig.drain()
    assert api.get(f"/api/runs/{run_id}")["phase"] == "cancelled"
    assert api.rig.user(LEAVER)["system_access"] == 1
