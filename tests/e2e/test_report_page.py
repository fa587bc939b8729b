"""A run's report as a page: served under a strict policy, and what a browser makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from shared.sync import paths
from tests.e2e.browser import Tab
from tests.e2e.busy_world import HOSTILE, INVALID, begin_run, fail_some, hold_leavers
from tests.e2e.http_rig import Api

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest_plugins = ("tests.e2e.browser_fixtures",)


def report_of(api: Api, run_id: str) -> str:
    answer = api.call("GET", f"/api/runs/{run_id}/report")
    assert answer.status_code == 200
    return answer.text


def test_is_served_like_no_other_answer_may_be_framed_cached_or_scripted(api: Api) -> None:
    run_id = hold_leavers(api.rig)
    answer = api.call("GET", f"/api/runs/{run_id}/report")
    assert answer.content_type == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert policy.endswith("frame-ancestors 'none'")
    assert "script-src" not in policy
    for name, value in {
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }.items():
        assert answer.headers[name] == value
    stored = api.rig.documents.read(paths.report_page(run_id))
    assert stored is not None
    assert stored.data == answer.data
    assert "GUARD_MAX_PERCENT is 5" in answer.text


def test_of_a_run_under_way_says_how_it_stands(api: Api) -> None:
    assert "under way: this is how it stands" in report_of(api, begin_run(api.rig))


def test_that_there_is_not_is_a_problem_document(api: Api) -> None:
    assert api.get("/api/runs/20260302-120000-000000/report", 404)["title"] == "Not found"
    assert api.get("/api/runs/not-a-run/report", 400)["hint"]
    assert api.get(f"/api/runs/{hold_leavers(api.rig)}/report", 400, format="pdf")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_in_a_browser_is_styled_inert_and_no_wider_than_the_window(
    api: Api, browser: Browser, scheme: Literal["light", "dark"], width: int
) -> None:
    fail_some(api.rig)
    run_id = api.rig.run(retry_failed=True).run_id
    tab = Tab(api, browser, color_scheme=scheme, viewport={"width": width, "height": 900})
    page = tab.page
    page.goto(tab.url.replace("/dashboard", f"/api/runs/{run_id}/report"))
    assert page.get_by_role("heading", level=1).inner_text() == f"Run {run_id}"
    assert page.get_by_role("cell", name=str(INVALID)).is_visible()
    assert page.locator("img, script, a, form, iframe").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(244, 246, 248)", "dark": "rgb(17, 21, 27)"}[scheme]
    assert len(tab.requests) == 1
    tab.close()


def test_a_name_with_markup_is_not_even_in_it(api: Api) -> None:
    """Reports name keys, fields and reasons; `tests/unit/test_report_page.py` has hostile ones."""
    fail_some(api.rig)
    assert HOSTILE not in report_of(api, api.rig.run(retry_failed=True).run_id)


def test_a_link_of_a_notice_opens_its_run_on_the_dashboard(api: Api, browser: Browser) -> None:
    from playwright.sync_api import expect

    run_id = hold_leavers(api.rig)
    tab = Tab(api, browser).open(f"#run/{run_id}")
    expect(tab.page.locator("#open-run")).to_contain_text(run_id)
    tab.close()
