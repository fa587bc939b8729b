"""The operators' page when things go wrong: hostile data, an app that is away, a hidden tab, a long look."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.e2e.browser import QUICK, SLOW, Tab, tab_of
from tests.e2e.busy_world import HOSTILE, busy_world, hold_leavers
from tests.e2e.http_rig import Api

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

pytest_plugins = ("tests.e2e.browser_fixtures",)


PERSON = 1020
NAMES = (
    HOSTILE,
    "</bdi><script>alert(1)</script>",
    "javascript:alert(1)",
    "\u202etxt.exe \u0645\u062d\u0645\u062f",
    '\U0001f477\u200d♀️ O\'Brien & "Sons"',
    "Long" * 40,
)


class TestHostileData:
    @pytest.mark.parametrize("name", NAMES)
    def test_in_a_name_is_shown_as_it_is(self, api: Api, browser: Browser, name: str) -> None:
        api.rig.person(PERSON)["FirstName"] = name
        api.rig.publish()
        with tab_of(api, browser, viewport={"width": 390, "height": 800}) as tab:
            tab.open(f"#record/employees/{PERSON}")
            row = tab.section("Look a record up").get_by_role("row", name=re.compile("^first_name"))
            taken = api.explain("employees", PERSON)["mapped"]["fields"].get("first_name")
            if taken is not None:
                expect(row.get_by_role("cell").nth(0)).to_have_text(taken)
            assert tab.page.evaluate("document.querySelectorAll('img, iframe, script').length") == 1
            assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def test_in_every_text_of_every_answer_is_shown_as_it_is(self, tmp_path: Path, browser: Browser) -> None:
        api = busy_world(tmp_path)
        with tab_of(api, browser) as tab:
            tab.page.route(re.compile("/api/"), poison)
            tab.open("#record/employees/1004")
            tab.page.reload()
            expect(tab.page.locator("#record-heading")).to_be_visible()
            tab.page.get_by_role("button", name="in detail").nth(1).click()
            expect(tab.page.locator("#open-run")).to_contain_text(HOSTILE)
            tab.section("Failures").get_by_role("button", name="Fix list").first.click()
            tab.section("Last calls to SafetyAmp").get_by_role("button", name="Show").click()
            for section in (
                *("Held plans", "Failures", "Fix lists", "Dead letters", "Pause and resume"),
                "Last calls to SafetyAmp",
            ):
                expect(tab.section(section)).to_contain_text(HOSTILE)
            assert tab.page.evaluate("document.querySelectorAll('img, iframe, script').length") == 1
        api.rig.close()

    def test_could_run_no_script_if_it_came_in(self, tab: Tab) -> None:
        """The second line: the policy itself."""
        refused = tab.page.evaluate(
            """() => {
                const script = document.createElement("script");
                const attempts = [
                    () => { document.body.innerHTML += "<b>x</b>"; window.ran = true; },
                    () => { script.text = "window.ran = true"; document.body.append(script); },
                ];
                for (const attempt of attempts) try { attempt(); } catch (error) { window.thrown = error; }
                return window.ran ? "ran" : "refused";
            }"""
        )
        assert refused == "refused"
        assert tab.page.evaluate("window.violations.length") > 0
        tab.page.evaluate("window.violations.length = 0")
        tab.errors.clear()


FREE_TEXTS = {
    *("reason", "suggestion", "advice", "cause", "who", "detail", "hint", "text", "schedule"),
    *("what", "where", "enter", "path"),
}


def poison(route: Route) -> None:
    """Put markup into every free text of an answer."""
    answer = route.fetch()
    route.fulfill(response=answer, body=json.dumps(poisoned(answer.json())))


def poisoned(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {member: poisoned(found, member) for member, found in value.items()}
    if isinstance(value, list):
        return [poisoned(found, name) for found in value]
    return f"{value} {HOSTILE}" if name in FREE_TEXTS and isinstance(value, str) else value


class TestAppAway:
    def test_is_said_clearly_with_the_age_of_what_is_shown_and_ends_by_itself(
        self, api: Api, tab: Tab
    ) -> None:
        page = tab.page
        tab.go_away()
        tab.pass_time(SLOW)
        banner = page.locator("#banner")
        expect(banner).to_contain_text("No answer: the app cannot be reached")
        expect(banner).to_contain_text("What is shown is from")
        expect(page.locator("#connection")).to_contain_text(re.compile(r"Shown: as of 2\d s ago"))
        expect(tab.section("Now")).to_contain_text("No run is under way")
        tab.come_back()
        tab.pass_time(QUICK)
        expect(page.locator("#connection")).to_contain_text("Updated")
        expect(banner).to_be_empty()

    def test_is_asked_less_and_less_often(self, tab: Tab) -> None:
        tab.go_away()
        tab.pass_time(SLOW)
        asked = len(tab.requests)
        for _ in range(10):
            tab.pass_time(60_000)
        assert 5 <= len(tab.requests) - asked <= 10
        waits = tab.page.locator("#connection").inner_text()
        assert 50 <= int(re.findall(r"Next try in (\d+) s", waits)[0]) <= 60
        tab.page.get_by_role("button", name="Try now").click()
        expect(tab.page.get_by_role("button", name="Try now")).to_be_focused()
        tab.come_back()
        tab.page.get_by_role("button", name="Try now").click()
        expect(tab.page.locator("#connection")).to_contain_text("Updated")

    def test_that_starts_late_fills_the_page_when_it_is_there(self, api: Api, browser: Browser) -> None:
        with tab_of(api, browser) as tab:
            tab.page.route("**/api/status", lambda route: route.fulfill(status=502, body="Bad gateway"))
            tab.open()
            expect(tab.page.locator("#banner")).to_contain_text("something before the app answered 502")
            tab.page.unroute("**/api/status")
            tab.pass_time(QUICK)
            expect(tab.section("Now")).to_contain_text("No run is under way")

    def test_with_wrong_settings_names_them(self, api: Api, browser: Browser) -> None:
        problem = {
            **{"type": "about:blank", "status": 503, "title": "Settings are wrong", "detail": "1 is wrong"},
            **{"hint": "Mend the settings", "problems": ["SAFETYAMP_TOKEN: is not set"]},
        }
        with tab_of(api, browser) as tab:
            tab.page.route("**/api/status", lambda route: route.fulfill(status=503, json=problem))
            tab.open()
            expect(tab.page.locator("#banner")).to_contain_text("SAFETYAMP_TOKEN: is not set")


class TestUpdating:
    def test_keeps_focus_scrolling_what_is_typed_and_what_is_unfolded(self, api: Api, tab: Tab) -> None:
        page = tab.page
        hold_leavers(api.rig)
        tab.pass_time(SLOW)
        held = tab.section("Held plans")
        held.get_by_text("Show each difference").click()
        expect(held.get_by_role("group", name="Changes")).to_be_visible()
        page.get_by_label("Reason").fill("half a sen")
        drop = held.get_by_role("button", name="Drop the plan")
        drop.focus()
        page.evaluate("window.scrollTo(0, 400); window.dropButton = document.activeElement")
        page.evaluate(SHIFTS)
        before = page.evaluate("scrollY")
        api.rig.run(entities=("titles",))
        tab.pass_time(SLOW)
        expect(tab.section("Last runs").get_by_role("row")).to_have_count(4)
        assert page.evaluate("document.activeElement === window.dropButton")
        assert page.evaluate("scrollY") == before
        expect(page.get_by_label("Reason")).to_have_value("half a sen")
        expect(held.get_by_role("group", name="Changes")).to_be_visible()
        assert page.evaluate("window.shifts") == []

    def test_rests_while_the_tab_is_hidden_and_catches_up_when_it_is_looked_at(
        self, api: Api, tab: Tab
    ) -> None:
        page = tab.page
        page.evaluate(HIDE, True)
        tab.pass_time(SLOW)
        asked = len(tab.requests)
        tab.pass_time(SLOW * 30)
        assert len(tab.requests) == asked
        api.rig.run(entities=("titles",))
        page.evaluate(HIDE, False)
        expect(tab.section("Last runs").get_by_role("row")).to_have_count(3)

    def test_is_quick_only_while_a_run_is_under_way(self, api: Api, tab: Tab) -> None:
        asked = len(tab.requests)
        tab.pass_time(QUICK)
        assert len(tab.requests) == asked
        run_id = api.post("/api/sync/titles", 202)["run_id"]
        tab.pass_time(SLOW)
        asked = len(tab.requests)
        tab.pass_time(QUICK)
        assert len(tab.requests) > asked
        api.rig.finish(run_id)


SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => window.shifts.push(...list.getEntries().map((entry) => entry.value)))
  .observe({ type: "layout-shift", buffered: false });
"""

HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
