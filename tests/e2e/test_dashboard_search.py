"""The operators' page when a name is all there is: a foreman on the phone gives no number."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.e2e.browser import Tab, tab_of
from tests.e2e.busy_world import HOSTILE, quiet_world
from tests.e2e.http_rig import Api
from tests.e2e.test_dashboard_access import RUN_AXE, tab_to
from tests.real_parts import AXE, required

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Route

pytest_plugins = ("tests.e2e.browser_fixtures",)

NAMESAKES = (1020, 1021, 1022)
ALONE = 1023
MARKUP = "<img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Three people of one name, one of whom SafetyAmp does not have, and one whose name is markup."""
    api = quiet_world(tmp_path_factory.mktemp("names"))
    for number in NAMESAKES:
        api.rig.person(number).update(FirstName="Maria", LastName="Boudreaux")
    api.rig.person(ALONE).update(FirstName=HOSTILE, LastName="Thibodaux")
    api.rig.publish()
    api.rig.run()
    api.rig.person(NAMESAKES[2])["Employee"] = 5000
    api.rig.publish()
    yield api
    api.rig.close()


def look_up(tab: Tab, text: str, entity: str = "employees") -> Locator:
    """Type it and press Enter; gives the section."""
    record = tab.section("Look a record up")
    record.get_by_label("What").select_option(entity)
    record.get_by_label("Key or name").fill(text)
    tab.page.keyboard.press("Enter")
    return record


def asked(tab: Tab) -> list[str]:
    """What the page asked about records, in order."""
    found = [f"{request.method} {request.url.partition('/api/')[2]}" for request in tab.requests]
    return [request for request in found if "search" in request or "records" in request]


class TestOneMatch:
    @pytest.mark.parametrize("text", ["thibodaux", f"person{ALONE}@tworivers"])
    def test_is_explained_at_once(self, tab: Tab, text: str) -> None:
        look_up(tab, text)
        expect(tab.page.locator("#record-heading")).to_contain_text(str(ALONE))
        expect(tab.page.locator("#record-heading")).to_be_focused()
        expect(tab.page.get_by_role("button", name="Back to the matches")).to_have_count(0)
        assert tab.page.url.endswith(f"#record/employees/{ALONE}")

    def test_leaves_the_text_in_no_address(self, tab: Tab) -> None:
        look_up(tab, "thibodaux")
        expect(tab.page.locator("#record-heading")).to_be_visible()
        assert asked(tab) == ["POST search", f"GET records/employees/{ALONE}"]
        (search,) = (request for request in tab.requests if request.url.endswith("/api/search"))
        assert search.post_data_json == {"entity": "employees", "text": "thibodaux"}
        assert all("thibodaux" not in request.url.lower() for request in tab.requests)
        assert "thibodaux" not in tab.page.url

    def test_of_records_that_could_not_all_be_read_is_not_taken_for_the_only_one(self, tab: Tab) -> None:
        only = {"key": str(ALONE), "name": "Jo", "in_source": False, "in_safetyamp": True}
        answer = {"found": [only], "more": False, "nearly": False, "problem": "Vista: cannot be reached"}
        tab.page.route("**/api/search", lambda route: route.fulfill(json=answer))
        record = look_up(tab, "jo")
        expect(record).to_contain_text("Vista could not be looked through")
        expect(record).to_contain_text("Vista: cannot be reached")
        expect(record).not_to_contain_text("not Vista")
        expect(record.get_by_role("button", name=str(ALONE))).to_be_visible()


class TestSlash:
    def test_leads_to_the_search_and_is_typed_where_text_is_typed(self, tab: Tab) -> None:
        field = tab.section("Look a record up").get_by_label("Key or name")
        tab.page.keyboard.press("/")
        expect(field).to_be_focused()
        expect(field).to_have_value("")
        tab.page.keyboard.press("/")
        expect(field).to_have_value("/")


class TestASlip:
    def test_finds_who_is_called_nearly_so_and_leaves_it_to_the_user(self, tab: Tab) -> None:
        record = look_up(tab, "tibodaux")
        heading = record.get_by_role("heading", name="No match in employees for tibodaux")
        expect(heading).to_be_focused()
        expect(record).to_contain_text("Called nearly so:")
        record.get_by_role("button", name=str(ALONE)).click()
        expect(tab.page.locator("#record-heading")).to_contain_text(str(ALONE))
        record.get_by_role("button", name="Back to the matches").click()
        expect(heading).to_be_focused()


class TestSeveralMatches:
    def test_are_listed_to_choose_from_and_to_come_back_to(self, tab: Tab) -> None:
        record = look_up(tab, "maria boudreaux")
        heading = record.get_by_role("heading", name="4 matches in employees for maria boudreaux")
        expect(heading).to_be_focused()
        items = record.get_by_role("list", name="4 matches").get_by_role("listitem")
        expect(items).to_have_count(4)
        expect(items.filter(has_text="5000")).to_have_text(re.compile("Vista, not SafetyAmp$"))
        expect(items.filter(has_text="1022")).to_have_text(re.compile("SafetyAmp, not Vista$"))
        expect(items.filter(has_text="1021")).to_have_text(re.compile("Vista and SafetyAmp$"))
        assert tab.page.url.endswith("#record")
        record.get_by_role("button", name="Maria Boudreaux – employees 1021").click()
        expect(tab.page.locator("#record-heading")).to_contain_text("1021")
        assert tab.page.url.endswith("#record/employees/1021")
        record.get_by_role("button", name="Back to the matches").click()
        expect(heading).to_be_focused()
        expect(record.get_by_label("Key or name")).to_have_value("maria boudreaux")
        assert tab.page.url.endswith("#record")
        assert all("oudreaux" not in request.url for request in tab.requests)

    def test_are_named_as_they_are_and_nothing_in_a_name_is_carried_out(self, tab: Tab) -> None:
        record = look_up(tab, "person102")
        expect(record.get_by_role("button", name=f"{HOSTILE} Thibodaux – employees {ALONE}")).to_be_visible()
        assert tab.page.evaluate("document.querySelectorAll('img, iframe, script').length") == 1

    def test_that_are_too_many_are_said_to_be(self, tab: Tab) -> None:
        record = look_up(tab, "pat")
        expect(record.get_by_role("heading", name="The first 25 matches")).to_be_focused()
        expect(record).to_contain_text("There are more. Add another word")

    def test_leave_nothing_to_complain_about_at_any_width(self, api: Api, browser: Browser) -> None:
        source = Path(required(AXE)).read_text("utf-8")
        for width in (390, 1440):
            with tab_of(api, browser, viewport={"width": width, "height": 900}) as tab:
                record = look_up(tab, "maria")
                expect(record.get_by_role("listitem")).to_have_count(4)
                tab.page.evaluate(source)
                assert tab.page.evaluate(RUN_AXE) == []
                assert tab.page.evaluate("document.documentElement.scrollWidth") == width


class TestNoMatch:
    def test_says_so_and_what_to_try(self, tab: Tab) -> None:
        record = look_up(tab, "nobody at all")
        expect(record.get_by_role("heading", name="No match in employees")).to_be_focused()
        expect(record).to_contain_text("Neither Vista nor SafetyAmp")
        expect(record).to_contain_text("Try fewer words")
        assert asked(tab) == ["POST search"]

    @pytest.mark.parametrize("text", [MARKUP, "A/B ../x?", "#record/employees/1004", "225-555-9920"])
    def test_shows_what_was_typed_as_it_is_and_keeps_it_out_of_addresses(self, tab: Tab, text: str) -> None:
        record = look_up(tab, text)
        expect(record.get_by_role("heading", name="No match")).to_contain_text(text)
        assert tab.page.evaluate("document.querySelectorAll('img, iframe, script').length") == 1
        assert tab.page.url.endswith("/dashboard#record")
        assert asked(tab) == ["POST search"]

    def test_that_comes_of_an_error_says_so_beside_it(self, tab: Tab) -> None:
        tab.page.route("**/api/search", lambda route: route.fulfill(status=502, body="Bad gateway"))
        record = look_up(tab, "maria")
        expect(record.get_by_role("alert")).to_contain_text("something before the app answered 502")
        tab.page.unroute("**/api/search")
        look_up(tab, "maria")
        expect(record.get_by_role("listitem")).to_have_count(4)


class TestKey:
    def test_is_explained_without_a_search(self, tab: Tab) -> None:
        look_up(tab, "1004")
        expect(tab.page.locator("#record-heading")).to_contain_text("1004")
        assert asked(tab) == ["GET records/employees/1004"]

    def test_in_words_is_explained_although_others_contain_it(self, tab: Tab) -> None:
        answer = [
            {"key": key, "name": key, "in_source": True, "in_safetyamp": True}
            for key in ("Lead Welder", "Welder")
        ]
        body = {"found": answer, "more": False, "nearly": False, "problem": None}
        tab.page.route("**/api/search", lambda route: route.fulfill(json=body))
        look_up(tab, "Welder", "titles")
        expect(tab.page.locator("#record-heading")).to_have_text(re.compile("^Titles Welder"))
        expect(tab.page.get_by_role("button", name="Back to the matches")).to_be_visible()

    def test_that_no_record_has_is_searched_for(self, tab: Tab) -> None:
        look_up(tab, "100", "jobs")
        expect(tab.page.locator("#record-heading")).to_contain_text("Jobs 100.")
        assert asked(tab) == ["GET records/jobs/100", "POST search", "GET records/jobs/100."]
        record = look_up(tab, "999999")
        expect(record.get_by_role("heading", name="No match in employees")).to_be_focused()
        expect(record.get_by_role("alert")).to_have_count(0)

    def test_in_a_link_opens_its_record(self, tab: Tab) -> None:
        look_up(tab, "maria")
        expect(tab.page.locator("#matches-heading")).to_be_visible()
        tab.page.evaluate("location.hash = '#record/employees/1004'")
        expect(tab.page.locator("#record-heading")).to_contain_text("1004")
        expect(tab.page.get_by_role("button", name="Back to the matches")).to_have_count(0)

    def test_in_a_damaged_link_opens_nothing(self, tab: Tab) -> None:
        tab.page.evaluate("location.hash = '#record/employees/%E0%A4%A'")
        look_up(tab, "1004")
        expect(tab.page.locator("#record-heading")).to_contain_text("1004")


def test_the_keyboard_is_enough(tab: Tab) -> None:
    page = tab.page
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    tab_to(tab, page.get_by_label("Key or name"))
    page.keyboard.type("maria")
    page.keyboard.press("Enter")
    expect(page.locator("#matches-heading")).to_be_focused()
    tab_to(tab, page.get_by_role("button", name="employees 1021"))
    page.keyboard.press("Enter")
    expect(page.locator("#record-heading")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("button", name="Back to the matches")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#matches-heading")).to_be_focused()


def test_a_new_question_need_not_wait_for_the_one_before_it(tab: Tab) -> None:
    waiting: list[Route] = []
    tab.page.route("**/api/records/employees/1004", lambda route: waiting.append(route))
    look_up(tab, "1004")
    record = look_up(tab, "1005")
    expect(tab.page.locator("#record-heading")).to_contain_text("1005")
    record.get_by_label("Key or name").focus()
    waiting[0].continue_()
    tab.page.evaluate("window.answered()")
    expect(record.get_by_label("Key or name")).to_be_focused()
    expect(tab.page.locator("#record-heading")).to_contain_text("1005")
    expect(record).not_to_contain_text("Reading the source")


class TestHistory:
    def test_of_all_runs_is_shown_and_saved(self, tmp_path: Path, browser: Browser) -> None:
        api = quiet_world(tmp_path)
        for number in range(7):
            api.rig.person(ALONE)["LastName"] = f"Name{number}"
            api.rig.publish()
            api.rig.run()
            api.rig.clock.advance(3600)
        with tab_of(api, browser) as tab:
            record = look_up(tab, str(ALONE))
            expect(record).to_contain_text("What was done: 5 changes in the last 5 runs")
            # As if one request could look at no more than two changes.
            tab.page.route("**/api/history/**", in_short_pages)
            with tab.page.expect_download() as saved:
                record.get_by_role("button", name="Save all as CSV").click()
            assert saved.value.suggested_filename == f"history-employees-{ALONE}.csv"
            rows = list(csv.DictReader(saved.value.path().open(encoding="utf-8-sig", newline="")))
            names = [row["after"] for row in rows if row["field"] == "last_name"]
            assert names == [*(f"Name{number}" for number in range(6, -1, -1)), f"Worker{ALONE}"]
            assert {row["entity"] for row in rows} == {"employees"}
            record.get_by_role("button", name="Look through all runs").click()
            expect(record).to_contain_text("What was done: 8 changes in all 8 runs that are kept")
            expect(record.get_by_role("button", name="Look through all runs")).to_have_count(0)
            tab.page.evaluate(Path(required(AXE)).read_text("utf-8"))
            assert tab.page.evaluate(RUN_AXE) == []
        api.rig.close()


def in_short_pages(route: Route) -> None:
    route.continue_(url=route.request.url.replace("limit=500", "limit=2"))
