"""Cancelling a plan that the guard holds: nobody is asked to approve it any more, and nobody can."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from cli.show import show_report
from local.company.model import vista_date
from shared.reports.page import report_page
from shared.storage.documents import read_json, to_json
from shared.sync import paths
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


def test_what_an_approval_leaves_out_is_shown_by_name(api: Api) -> None:
    run_id = api.rig.run().run_id
    api.rig.person(LEAVER)["TermDate"] = None
    api.rig.publish()
    api.rig.clock.advance(60)
    api.post(f"/api/runs/{run_id}/approve", 202)
    api.rig.finish(run_id)
    employees = api.get(f"/api/runs/{run_id}")["entities"]["employees"]
    assert employees["phase"] == "done"
    assert employees["left_out"]["changes"] == [
        {
            "key": str(LEAVER),
            "action": "deactivate",
            "reason": "there is nothing to be done for it any more: SafetyAmp holds what the source says",
            "now": None,
        }
    ]
    shown = StringIO()
    show_report(Console(file=shown, width=200), api.get(f"/api/runs/{run_id}"), approve="approve")
    assert "nothing that was approved is wanted any more: nothing was changed, 1 left out" in shown.getvalue()
    assert f"employees {LEAVER} not deactivated: there is nothing to be done" in shown.getvalue()
    assert api.get(f"/api/runs/{run_id}/changes")["changes"] == []


def test_a_report_of_release_0_1_0_is_shown(api: Api) -> None:
    run_id = api.rig.run().run_id
    report = read_json(api.rig.documents, paths.report(run_id))
    for entity in report["entities"].values():
        del entity["left_out"]
    api.rig.documents.write(paths.report(run_id), to_json(report))
    assert api.get(f"/api/runs/{run_id}")["entities"]["employees"]["left_out"]["count"] == 0
    assert b"is held" not in report_page(report)


def approved_by_release_0_1_0(api: Api, run_id: str, *, reopened: bool) -> None:
    """Its documents, of an approval that it began."""
    run = read_json(api.rig.documents, paths.run(run_id))
    for status in run["entities"].values():
        del status["approval"], status["approved_at"]
    if reopened:
        run["phase"], run["finished_at"] = "running", None
        run["entities"]["employees"] |= {"phase": "pending", "approved": True, "finished_at": None}
    api.rig.documents.write(paths.run(run_id), to_json(run))
    claim = {"run_id": run_id, "request": run["request"], "at": run["requested_at"]}
    claim |= {"approves": ["employees"], "token": "0123456789abcdef", "last_done_at": None}
    api.rig.documents.write(paths.ACTIVE, to_json(claim))


@pytest.mark.parametrize("reopened", [True, False])
def test_an_approval_that_release_0_1_0_began_is_carried_out(api: Api, reopened: bool) -> None:
    run_id = api.rig.run().run_id
    approved_by_release_0_1_0(api, run_id, reopened=reopened)
    api.rig.stack.host.run_timer("sweep")
    api.rig.finish(run_id)
    assert api.rig.user(LEAVER)["system_access"] == 0
    assert api.get(f"/api/runs/{run_id}")["phase"] == "done"


def test_an_approved_run_is_cancelled_like_any_other(api: Api) -> None:
    run_id = api.rig.run().run_id
    api.post(f"/api/runs/{run_id}/approve", 202)
    api.post(f"/api/runs/{run_id}/cancel", 202)
    api.rig.drain()
    assert api.get(f"/api/runs/{run_id}")["phase"] == "cancelled"
    assert api.rig.user(LEAVER)["system_access"] == 1
