"""The operators' page in a browser: what an operator does with it, end to end."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from local.company.model import vista_date
from shared.sync.documents.control import read_pauses
from shared.sync.documents.runs import get_run
from tests.e2e.browser import QUICK, SLOW, Tab, tab_of
from tests.e2e.busy_world import (
    HOSTILE,
    INVALID,
    LEAVERS,
    REFUSED,
    begin_run,
    busy_world,
    fail_some,
    give_up_messages,
    hold_leavers,
    quiet_world,
)
from tests.e2e.http_rig import Api
from tests.e2e.many_failures import many_failures
from tests.e2e.rig import START

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

pytest_plugins = ("tests.e2e.browser_fixtures",)


PERSON = 1020
KEY = "the-function-key"


def access(api: Api) -> list[int]:
    return [api.rig.user(number)["system_access"] for number in LEAVERS]


class TestKey:
    def test_is_not_asked_for_where_the_app_needs_none(self, tab: Tab) -> None:
        expect(tab.section("Now")).to_contain_text("No run is under way")
        expect(tab.page.get_by_role("dialog")).to_have_count(0)
        expect(tab.page.get_by_role("button", name="Forget the key")).to_be_hidden()

    def test_is_asked_for_again_when_wrong_and_kept_for_the_tab_alone(
        self, api: Api, browser: Browser
    ) -> None:
        with tab_of(api, browser, key=KEY) as tab:
            page = tab.page
            dialog = page.get_by_role("dialog", name="Function key")
            page.get_by_label("Key", exact=True).fill("a-wrong-one")
            page.keyboard.press("Enter")
            expect(dialog.get_by_role("alert")).to_contain_text("did not accept this key")
            expect(page.get_by_label("Key", exact=True)).to_be_focused()
            page.get_by_label("Key", exact=True).fill(KEY)
            dialog.get_by_role("button", name="Use this key").click()
            expect(tab.section("Now")).to_contain_text("No run is under way")
            expect(dialog).to_be_hidden()
            page.reload()
            expect(tab.section("Now")).to_contain_text("No run is under way")
            expect(dialog).to_be_hidden()
            assert all(KEY not in request.url for request in tab.requests)
            other = tab.new_page()
            other.goto(tab.url)
            expect(other.get_by_role("dialog", name="Function key")).to_be_visible()

    def test_can_be_forgotten_and_entered_later(self, api: Api, browser: Browser) -> None:
        with tab_of(api, browser, key=KEY) as tab:
            page = tab.page
            page.get_by_label("Key", exact=True).fill(KEY)
            page.keyboard.press("Enter")
            page.get_by_role("button", name="Forget the key").click()
            page.get_by_role("button", name="Not now").click()
            expect(page.locator("#connection")).to_contain_text("A function key is needed")
            asked = len(tab.requests)
            tab.pass_time(SLOW * 10)
            assert len(tab.requests) == asked
            page.get_by_role("button", name="Enter the key").click()
            page.get_by_label("Key", exact=True).fill(KEY)
            page.keyboard.press("Enter")
            expect(tab.section("Now")).to_contain_text("No run is under way")


class TestNow:
    def test_shows_a_run_as_it_goes_and_tells_its_end(self, api: Api, tab: Tab) -> None:
        now = tab.section("Now")
        expect(now).to_contain_text("The next one begins at 08:00 AM")
        run_id = begin_run(api.rig)
        done = api.get(f"/api/runs/{run_id}")["entities"]["jobs"]["progress"]["changes_done"]
        tab.pass_time(SLOW)
        bar = now.get_by_role("progressbar", name="Progress of jobs")
        expect(bar).to_have_attribute("aria-valuenow", str(done))
        expect(bar).to_have_attribute("aria-valuemax", "14")
        expect(now).to_contain_text(re.compile(r"Ends (not before|at about) \d\d:\d\d AM \(in "))
        used = api.get("/api/status")["limiter"]["used"]
        expect(now.get_by_role("meter", name="Calls used")).to_have_attribute("aria-valuenow", str(used))
        api.rig.until(lambda: api.rig.safetyamp.created["sites"] >= 14)
        tab.pass_time(QUICK)
        expect(bar).not_to_have_attribute("aria-valuenow", str(done))
        api.rig.finish(run_id)
        tab.pass_time(QUICK)
        expect(tab.notice()).to_contain_text(f"Run {run_id} has ended: done. 14 created")
        expect(now).to_contain_text("No run is under way")

    def test_can_stop_the_run(self, api: Api, tab: Tab) -> None:
        run_id = begin_run(api.rig)
        tab.pass_time(SLOW)
        tab.section("Now").get_by_role("button", name="Stop the run").click()
        dialog = tab.page.get_by_role("dialog", name="Stop this run?")
        expect(dialog).to_contain_text(re.compile(r"What was done stays done. \d+ planned changes are not"))
        dialog.get_by_role("button", name="Stop the run").click()
        expect(tab.notice()).to_contain_text("stops")
        api.rig.drain()
        assert get_run(api.rig.documents, run_id).phase == "cancelled"

    def test_a_plan_changes_nothing_and_is_shown(self, api: Api, tab: Tab) -> None:
        api.rig.person(PERSON)["LastName"] = "Married"
        api.rig.publish()
        writes = len(api.rig.safetyamp.calls)
        start = tab.section("Start a run")
        start.get_by_label("Entity").select_option("employees")
        start.get_by_role("button", name="Start the run").click()
        expect(tab.notice()).to_contain_text("has begun")
        request = get_run(api.rig.documents, api.rig.active).request
        assert (request.mode, request.entities, request.refresh) == ("plan", ("employees",), False)
        api.rig.finish(api.rig.active)
        tab.pass_time(QUICK)
        changes = tab.section("Last runs").get_by_role("group", name="Changes")
        expect(changes).to_contain_text("last_name Worker1020 → Married")
        assert len(api.rig.safetyamp.calls) == writes

    def test_an_apply_run_with_refresh_is_what_was_asked_for(self, api: Api, tab: Tab) -> None:
        start = tab.section("Start a run")
        start.get_by_label("Apply").check()
        start.get_by_label("Refresh").check()
        start.get_by_role("button", name="Start the run").click()
        expect(tab.section("Now")).to_contain_text("apply, manual, refresh")
        request = get_run(api.rig.documents, api.rig.active).request
        assert (request.mode, request.refresh, request.retry_failed) == ("apply", True, True)
        start.get_by_role("button", name="Start the run").click()
        expect(start.get_by_role("alert")).to_contain_text("is under way")


class TestHeldPlan:
    def test_is_carried_out_after_saying_who_loses_access(self, api: Api, tab: Tab) -> None:
        run_id = hold_leavers(api.rig)
        tab.pass_time(SLOW)
        held = tab.section("Held plans")
        expect(held).to_contain_text("3 of 40 people would be deactivated")
        held.get_by_text("Show each difference").click()
        expect(held.get_by_role("group", name="Changes")).to_contain_text("last_name Worker1020 → Married")
        held.get_by_role("button", name="Approve").click()
        dialog = tab.page.get_by_role("dialog", name="Let the held plan go on?")
        expect(dialog).to_contain_text("3 people lose access to SafetyAmp")
        expect(dialog).not_to_contain_text("changed")
        losers = dialog.get_by_role("group", name="Access is lost by").get_by_role("listitem")
        expect(losers).to_have_text([re.compile(f"^Pat Worker{key} – {key}: TermDate ") for key in LEAVERS])
        dialog.get_by_role("button", name="Back").click()
        api.rig.drain()
        assert access(api) == [1, 1, 1]
        held.get_by_role("button", name="Approve").click()
        dialog.get_by_role("button", name="Approve: 3 people lose access").click()
        expect(tab.section("Now")).to_contain_text(run_id)
        api.rig.finish(run_id)
        tab.pass_time(QUICK)
        expect(held).to_contain_text("No plan is held")
        assert access(api) == [0, 0, 0]

    @pytest.mark.parametrize(("label", "ending"), [("Save as a page", "html"), ("Save as CSV", "csv")])
    def test_is_saved_with_names_for_whoever_knows_the_people(
        self, api: Api, tab: Tab, label: str, ending: str
    ) -> None:
        run_id = hold_leavers(api.rig)
        tab.pass_time(SLOW)
        with tab.page.expect_download() as saved:
            tab.section("Held plans").get_by_role("button", name=label).click()
        assert saved.value.suggested_filename == f"plan-{run_id}.{ending}"
        text = saved.value.path().read_text("utf-8")
        assert all(f"Pat Worker{key}" in text for key in LEAVERS)

    def test_is_dropped_and_nobody_loses_access(self, api: Api, tab: Tab) -> None:
        run_id = hold_leavers(api.rig)
        tab.pass_time(SLOW)
        held = tab.section("Held plans")
        held.get_by_role("button", name="Drop the plan").click()
        dialog = tab.page.get_by_role("dialog", name="Drop the held plan?")
        expect(dialog).to_contain_text("nobody loses access")
        dialog.get_by_role("button", name="Drop the plan").click()
        expect(held).to_contain_text("No plan is held")
        api.rig.drain()
        assert get_run(api.rig.documents, run_id).phase == "cancelled"
        assert access(api) == [1, 1, 1]

    def test_is_decided_by_keyboard_with_a_reason_and_a_name_that_are_found_again(
        self, api: Api, tab: Tab
    ) -> None:
        run_id = hold_leavers(api.rig)
        tab.pass_time(SLOW)
        keyboard = tab.page.keyboard
        tab.section("Held plans").get_by_role("button", name="Drop the plan").press("Enter")
        dialog = tab.page.get_by_role("dialog", name="Drop the held plan?")
        expect(dialog.get_by_role("button", name="Back")).to_be_focused()
        keyboard.press("Shift+Tab")
        keyboard.type("Jo Example")
        keyboard.press("Shift+Tab")
        keyboard.type("they come back on Monday")
        dialog.get_by_role("button", name="Drop the plan").press("Enter")
        expect(tab.section("Held plans")).to_contain_text("No plan is held")
        decided = tab.section("Who decided what")
        decided.get_by_role("button", name="Show the last decisions").press("Enter")
        first = decided.get_by_role("listitem").first
        expect(first).to_contain_text("cancel")
        expect(first).to_contain_text("by Jo Example (as they say)")
        expect(first).to_contain_text("they come back on Monday")
        first.get_by_role("button", name=run_id).press("Enter")
        expect(tab.page.locator("#open-run")).to_contain_text(run_id)

    def test_is_decided_by_whoever_gave_a_name_before_as_is_what_follows(self, api: Api, tab: Tab) -> None:
        pauses = tab.section("Pause and resume")
        pauses.get_by_label("Entity").select_option("jobs")
        pauses.get_by_label("Your name").fill("Jo Example")
        pauses.get_by_label("Reason").fill("year end")
        pauses.get_by_role("button", name="Pause …").click()
        tab.page.get_by_role("dialog").get_by_role("button", name="Pause").click()
        pauses.get_by_role("button", name="Resume jobs").click()
        expect(pauses).not_to_contain_text("year end")
        found = api.get("/api/decisions", who="Jo Example")["decisions"]
        assert {one["action"]: one["reason"] for one in found} == {"pause": "year end", "resume": None}

    def test_that_cannot_be_decided_on_says_so_among_the_decisions(self, api: Api, tab: Tab) -> None:
        run_id = hold_leavers(api.rig)
        api.post("/api/sync/titles", 202)
        api.rig.clock.advance(1)
        api.post(f"/api/runs/{run_id}/approve", 409)
        decided = tab.section("Who decided what")
        decided.get_by_role("button", name="Show the last decisions").click()
        expect(decided.get_by_role("listitem").first).to_contain_text("is under way")
        expect(decided.get_by_role("listitem").nth(1)).to_contain_text("sync titles")

    def test_that_is_outdated_says_what_to_do_instead(self, api: Api, tab: Tab) -> None:
        hold_leavers(api.rig)
        tab.pass_time(SLOW)
        begin = api.post("/api/sync/titles", 202)["run_id"]
        tab.section("Held plans").get_by_role("button", name="Approve").click()
        tab.page.get_by_role("dialog").get_by_role("button", name="Approve: 3 people").click()
        alert = tab.section("Held plans").get_by_role("alert")
        expect(alert).to_contain_text(f"run {begin} is under way")
        assert access(api) == [1, 1, 1]


class TestRecord:
    def test_is_explained_and_mended_with_one_button(self, api: Api, tab: Tab) -> None:
        api.rig.person(PERSON)["LastName"] = "Married"
        api.rig.publish()
        page, record = tab.page, tab.section("Look a record up")
        record.get_by_label("Key").fill(str(PERSON))
        page.keyboard.press("Enter")
        expect(page.locator("#record-heading")).to_be_focused()
        expect(record.locator(".sentences > li").first).to_have_text("Vista has it.")
        expect(record.locator(".sentences > li").last).to_contain_text("Next: the next run will update it")
        row = record.get_by_role("row", name=re.compile("^last_name"))
        expect(row).to_have_text(re.compile(r"last_name\s*changes\s*Married\s*Worker1020"))
        record.get_by_role("button", name="Do it now").click()
        done = record.locator(".card")
        expect(done).to_contain_text("PATCH /api/users/")
        expect(done).to_contain_text("updated")
        expect(record.locator(".sentences > li").last).to_contain_text("SafetyAmp holds what the source says")
        assert api.rig.user(PERSON)["last_name"] == "Married"
        assert page.url.endswith(f"#record/employees/{PERSON}")

    def test_of_a_leaver_is_switched_off_only_after_a_question(
        self, tmp_path: Path, browser: Browser
    ) -> None:
        api = quiet_world(tmp_path, GUARD_MAX_PERCENT="50")
        api.rig.person(PERSON)["TermDate"] = vista_date(START.date())
        api.rig.publish()
        with tab_of(api, browser) as tab:
            tab.open(f"#record/employees/{PERSON}")
            record = tab.section("Look a record up")
            record.get_by_role("button", name="Do it now").click()
            dialog = tab.page.get_by_role("dialog", name="Switch this person off now?")
            tab.page.keyboard.press("Escape")
            expect(dialog).to_be_hidden()
            assert api.rig.user(PERSON)["system_access"] == 1
            record.get_by_role("button", name="Do it now").click()
            dialog.get_by_role("button", name="Switch off").click()
            expect(record.locator(".card")).to_contain_text("switched off")
            assert api.rig.user(PERSON)["system_access"] == 0
        api.rig.close()

    def test_that_nobody_knows_says_what_to_check(self, tab: Tab) -> None:
        record = tab.section("Look a record up")
        record.get_by_label("What").select_option("titles")
        record.get_by_label("Key").fill("A/B ../x?")
        record.get_by_role("button", name="Look up").click()
        expect(record).to_contain_text("Neither Vista nor SafetyAmp")
        tab.open("#record/titles/nobody%20has%20this")
        tab.page.reload()
        expect(record.get_by_role("alert")).to_contain_text("neither Vista nor SafetyAmp")
        expect(record.get_by_role("alert")).to_contain_text("Check the key")


class TestTrouble:
    def test_is_grouped_and_tried_again(self, api: Api, tab: Tab) -> None:
        fail_some(api.rig)
        tab.pass_time(SLOW)
        failures = tab.section("Failures")
        group = failures.get_by_role("listitem").filter(has_text="SafetyAmp refused last_name")
        expect(group).to_contain_text("Another SafetyAmp record has the same value")
        group.get_by_role("button", name=f"Look up employees {REFUSED}").click()
        expect(tab.page.locator("#record-heading")).to_contain_text(HOSTILE)
        assert failures.get_by_role("button", name="Try again").count() == 1
        group.get_by_role("button", name="Try again").click()
        expect(tab.notice()).to_contain_text("tries again")
        request = get_run(api.rig.documents, api.rig.active).request
        assert (request.retry_failed, request.keys) == (True, (str(REFUSED),))
        api.rig.finish(api.rig.active)
        tab.pass_time(QUICK)
        expect(group).to_have_count(0)
        expect(failures).to_contain_text("no last name: 1 person")
        expect(failures).to_contain_text("Vista > PR Employees > Info > Last Name: the last name")
        expect(failures.get_by_role("button", name=f"Look up employees {INVALID}")).to_be_visible()

    def test_of_one_cause_is_one_card_with_whose_it_is_and_names(
        self, tmp_path: Path, browser: Browser
    ) -> None:
        api = many_failures(tmp_path)
        assert api.get("/api/failures")["total"] == 67
        with tab_of(api, browser, viewport={"width": 1440, "height": 900}) as tab:
            failures = tab.section("Failures")
            tile = tab.page.get_by_role("navigation", name="Overview").get_by_role("link", name="Failures")
            expect(tile).to_contain_text("10 causes")
            hr = failures.get_by_role("group", name="Failures: HR")
            shared = hr.get_by_role("listitem").filter(has_text="shared e-mail: 31 people").first
            expect(shared).to_contain_text("an address of their own for each person")
            expect(shared.get_by_role("button", name="Try again")).to_have_count(0)
            shared.get_by_text("Who, and why").click()
            expect(shared.get_by_role("button", name="2000 Pat Worker2000")).to_be_visible()
            expect(shared).to_contain_text("the e-mail is also that of employee 2001")
            shared.get_by_text("Who, and why").click()
            for width in (1440, 390):
                tab.page.set_viewport_size({"width": width, "height": 900})
                box = failures.bounding_box()
                assert box is not None
                assert box["height"] < 2 * 900
            with tab.page.expect_download() as saved:
                hr.get_by_role("button", name="Fix list of HR as CSV").click()
            assert saved.value.suggested_filename == "fix-list-hr.csv"
            assert "Pat Worker2000" in saved.value.path().read_text("utf-8")
            again = failures.get_by_role("button", name="Try again: waiting for a record")
            again.click()
            expect(tab.notice()).to_contain_text("tries again")
            request = get_run(api.rig.documents, api.rig.active).request
            assert (request.entities, request.keys) == (("employees",), ("1001", "1002", "1003"))
        api.rig.close()

    def test_that_an_owner_has_to_mend_is_shown_in_one_click_and_saved_in_another(
        self, tmp_path: Path, browser: Browser
    ) -> None:
        api = many_failures(tmp_path)
        with tab_of(api, browser) as tab:
            tab.section("Failures").get_by_role("button", name="Fix list of HR", exact=True).click()
            fixes = tab.section("Fix lists")
            expect(tab.page.locator("#fixes-heading")).to_be_focused()
            expect(tab.page.locator("#fixes-heading")).to_contain_text("HR: 58 to mend")
            rows = fixes.get_by_role("group", name="To mend: malformed e-mail").get_by_role("row")
            expect(rows.nth(1)).to_contain_text("2110 Pat Worker2110")
            expect(rows.nth(1)).to_contain_text("noaddress0")
            for label, ending in (("Save as CSV", "csv"), ("Save as a page", "html")):
                with tab.page.expect_download() as saved:
                    fixes.get_by_role("button", name=label).click()
                assert saved.value.suggested_filename == f"fix-list-hr.{ending}"
                assert "Pat Worker2110" in saved.value.path().read_text("utf-8")
            fixes.get_by_role("button", name="Operations (3)").click()
            expect(tab.page.locator("#fixes-heading")).to_contain_text("Operations: 3 to mend")
        api.rig.close()

    def test_messages_that_were_given_up_are_sent_again(self, api: Api, tab: Tab) -> None:
        begin_run(api.rig)
        give_up_messages(api.rig)
        tab.pass_time(SLOW)
        letters = tab.section("Dead letters")
        expect(letters.get_by_role("button", name="Send again")).to_have_count(1)
        letters.get_by_role("button", name="Send again").click()
        expect(tab.notice()).to_contain_text("1 message is on the way again; 0 not sent.")
        expect(letters.get_by_role("button", name="Send again")).to_have_count(0)
        assert len(api.get("/api/dead-letters")["dead_letters"]) == 1


class TestPause:
    def test_needs_a_reason_and_is_taken_back(self, api: Api, tab: Tab) -> None:
        pause = tab.section("Pause and resume")
        pause.get_by_label("Entity").select_option("jobs")
        pause.get_by_role("button", name="Pause").click()
        assert read_pauses(api.rig.documents) == {}
        pause.get_by_label("Reason").fill("year end")
        pause.get_by_label("Your name").fill("Jo")
        pause.get_by_role("button", name="Pause").click()
        dialog = tab.page.get_by_role("dialog", name="Pause jobs?")
        dialog.get_by_role("button", name="Pause").click()
        expect(pause).to_contain_text("year end")
        expect(pause).to_contain_text("by Jo")
        found = read_pauses(api.rig.documents)["jobs"]
        assert (found.reason, found.who) == ("year end", "Jo")
        pause.get_by_role("button", name="Resume jobs").click()
        expect(tab.notice()).to_contain_text("Jobs resumed")
        assert read_pauses(api.rig.documents) == {}


class TestLookingBack:
    def test_shows_how_the_last_days_went(self, tmp_path: Path, browser: Browser) -> None:
        api = busy_world(tmp_path)
        with tab_of(api, browser) as tab:
            trends = tab.section("The last 30 days")
            expect(trends.get_by_role("img")).to_have_count(0)
            trends.get_by_role("button", name="Show the last 30 days").click()
            first = api.get("/api/trends")["days"][-2]
            changed = first["created"] + first["updated"]
            picture = trends.get_by_role("img", name="Records changed")
            expect(picture).to_have_attribute("aria-label", re.compile(f"most {changed} on Mar 2, last"))
            expect(trends.get_by_role("img")).to_have_count(4)
            trends.get_by_text("The figures").click()
            expect(trends.get_by_role("row")).to_have_count(31)
            expect(trends.get_by_role("row").nth(2)).to_contain_text("Mar 2")
        api.rig.close()

    def test_shows_the_last_calls_without_ids_and_whose_they_are(self, api: Api, tab: Tab) -> None:
        api.rig.person(PERSON)["LastName"] = "Married"
        api.rig.publish()
        api.rig.run()
        calls = tab.section("Last calls to SafetyAmp")
        calls.get_by_role("button", name="Show the last calls").click()
        first = calls.get_by_role("row").nth(1)
        expect(first).to_contain_text("PATCH /api/users/{id}")
        expect(first).to_contain_text("200")
        # There is no Redis in the rig.
        expect(calls).to_contain_text("one process only")

    def test_says_what_is_kept_and_how_long(self, tab: Tab) -> None:
        kept = tab.section("What is kept, and how long")
        expect(kept).to_contain_text("1 run is kept, the oldest of")
        expect(kept).to_contain_text("90 days after they were last written, or as runRetentionDays says")

    def test_saves_the_plan_of_a_run_that_only_planned_as_a_page(self, api: Api, tab: Tab) -> None:
        api.rig.person(PERSON)["LastName"] = "Married"
        api.rig.publish()
        run_id = api.rig.run(mode="plan").run_id
        tab.pass_time(SLOW)
        runs = tab.section("Last runs")
        runs.get_by_role("button", name=f"Run {run_id} in detail").click()
        changes = runs.get_by_role("group", name="Changes")
        expect(changes.get_by_role("button", name=f"Look up employees {PERSON} Pat")).to_be_visible()
        with tab.page.expect_download() as saved:
            runs.get_by_role("button", name="Save the plan as a page").click()
        assert saved.value.suggested_filename == f"plan-{run_id}.html"
        assert "Married" in saved.value.path().read_text("utf-8")


def test_everything_at_once_is_shown(tmp_path: Path, browser: Browser) -> None:
    api = busy_world(tmp_path)
    with tab_of(api, browser) as tab:
        overview = tab.page.get_by_role("navigation", name="Overview")
        for text in ("In progress", "3 people lose access", "2 causes", "titles", "1 warning"):
            expect(overview).to_contain_text(text)
        runs = tab.section("Last runs")
        expect(runs.get_by_role("img")).to_have_attribute("aria-label", re.compile("^The last 18 runs: "))
        expect(runs.get_by_role("row")).to_have_count(19)
        first = runs.get_by_role("row").nth(18)
        expect(first.get_by_role("time")).to_have_text("06:00 AM")
        title = first.get_by_role("time").get_attribute("title") or ""
        assert "Monday, March 2, 2026 at 6:00:00" in title
        assert "2026-03-02T12:00:00+00:00" in title
    api.rig.close()


class TestSystems:
    def test_that_work_goes_on_without_are_a_warning_and_not_said_to_answer(self, tab: Tab) -> None:
        tile = tab.page.get_by_role("navigation", name="Overview").get_by_role("link", name="Systems")
        expect(tile).to_contain_text("1 warning")
        expect(tile).to_contain_text("Redis")
        systems = tab.section("Systems")
        redis = systems.get_by_role("listitem").filter(has_text="Redis").first
        expect(redis).to_contain_text("look at it")
        expect(redis).to_contain_text("Check that the server runs")

    @pytest.mark.parametrize(
        ("statuses", "value", "more"),
        [
            (("ok", "skipped"), "No problem", "version"),
            (("warning", "warning"), "1 warning", "Vista"),
            (("warning", "failed"), "1 problem", "found 1"),
        ],
    )
    def test_are_summed_up_by_the_worst(
        self, tab: Tab, statuses: tuple[str, ...], value: str, more: str
    ) -> None:
        def answer(route: Route) -> None:
            found = route.fetch()
            dependencies = [
                {
                    **{"name": "vista", "status": status, "ok": status != "failed", "text": f"found {index}"},
                    **{"advice": "", "latency_ms": None, "settings": []},
                }
                for index, status in enumerate(statuses)
            ]
            route.fulfill(response=found, json={**found.json(), "dependencies": dependencies})

        tab.page.route("**/api/status", answer)
        tab.pass_time(SLOW)
        # What is drawn again must not lose one of two findings on the same system.
        tab.pass_time(SLOW)
        tile = tab.page.get_by_role("navigation", name="Overview").get_by_role("link", name="Systems")
        expect(tile).to_contain_text(value)
        expect(tile).to_contain_text(more)
        for index in range(2):
            expect(tab.section("Systems")).to_contain_text(f"found {index}")
