"""The operators' page for everybody: by keyboard alone, with a screen reader, light and dark, any width."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect
from werkzeug.test import Client

from tests.e2e.browser import Tab, tab_of
from tests.e2e.busy_world import busy_world
from tests.e2e.http_rig import Api
from tests.real_parts import AXE, required

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

pytest_plugins = ("tests.e2e.browser_fixtures",)


RUN_AXE = """async () =>
  (await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"] }))
  .violations.map((found) => `${found.id}: ${found.nodes.map((node) => node.target.join(" ")).join(", ")}`)"""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    api = busy_world(tmp_path_factory.mktemp("busy"))
    api.post("/api/resume/vehicles", who="Jo Example", reason="the gateways are back")
    yield api
    api.rig.close()


def unfold(tab: Tab) -> None:
    """Open all that can be opened."""
    tab.open("#record/employees/1004")
    expect(tab.page.locator("#record-heading")).to_be_visible()
    tab.page.get_by_role("button", name="in detail").nth(1).click()
    expect(tab.page.locator("#open-run .change").first).to_be_visible()
    for section, button in (
        ("Failures", "Fix list of HR"),
        ("The last 30 days", "Show"),
        ("Last calls to SafetyAmp", "Show"),
        ("Who decided what", "Show"),
    ):
        tab.section(section).get_by_role("button", name=button).first.click()
    expect(tab.page.locator("#fixes-heading")).to_be_visible()
    expect(tab.section("The last 30 days").get_by_role("img")).to_have_count(4)
    expect(tab.section("Last calls to SafetyAmp").get_by_role("row").nth(1)).to_be_visible()
    expect(tab.section("Who decided what").get_by_role("listitem").first).to_be_visible()
    tab.page.evaluate("for (const found of document.querySelectorAll('details')) found.open = true")
    expect(tab.section("Held plans").locator(".change").first).to_be_visible()


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_left_for_axe_to_complain_about(
    api: Api, browser: Browser, width: int, scheme: Any
) -> None:
    source = Path(required(AXE)).read_text("utf-8")
    with tab_of(api, browser, viewport={"width": width, "height": 900}, color_scheme=scheme) as tab:
        unfold(tab)
        # Through the debugger, which the page's policy does not bind.
        tab.page.evaluate(source)
        assert tab.page.evaluate(RUN_AXE) == []
        assert tab.page.evaluate("document.documentElement.scrollWidth") == width
        tab.section("Held plans").get_by_role("button", name="Approve").click()
        expect(tab.page.get_by_role("dialog")).to_be_visible()
        assert tab.page.evaluate(RUN_AXE) == []


def test_the_keyboard_is_enough(api: Api, browser: Browser) -> None:
    with tab_of(api, browser) as tab:
        page = tab.page
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="To the search")).to_be_focused()
        page.keyboard.press("Enter")
        tab_to(tab, page.get_by_label("Key or name"))
        page.keyboard.type("1004")
        page.keyboard.press("Enter")
        expect(page.locator("#record-heading")).to_be_focused()
        tab_to(tab, page.get_by_role("button", name="Do it now"))
        approve = page.get_by_role("button", name="Approve")
        tab_to(tab, approve)
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="Let the held plan go on?")
        expect(dialog.get_by_role("button", name="Back")).to_be_focused()
        for _ in range(3):
            page.keyboard.press("Tab")
        assert page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(approve).to_be_focused()
        tab_to(tab, page.get_by_role("button", name="Fix list of HR", exact=True))
        page.keyboard.press("Enter")
        expect(page.locator("#fixes-heading")).to_be_focused()


def tab_to(tab: Tab, wanted: Locator) -> None:
    """Press Tab until it has the focus; every element on the way must show that it has it."""
    for _ in range(80):
        tab.page.keyboard.press("Tab")
        assert tab.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        if wanted.evaluate("(node) => node === document.activeElement"):
            return
    raise AssertionError("Tab does not lead there")


def test_the_theme_is_the_systems_until_it_is_chosen_and_is_remembered(api: Api, browser: Browser) -> None:
    with tab_of(api, browser, color_scheme="dark") as tab:
        page = tab.page
        background = "getComputedStyle(document.body).backgroundColor"
        dark = page.evaluate(background)
        button = page.get_by_role("button", name="Theme")
        button.click()
        expect(button).to_have_text("Theme: light")
        light = page.evaluate(background)
        assert light != dark
        page.reload()
        expect(button).to_have_text("Theme: light")
        assert page.evaluate(background) == light
        button.click()
        assert page.evaluate(background) == dark


def test_the_page_asks_nobody_but_the_app_and_weighs_little(api: Api, browser: Browser) -> None:
    with tab_of(api, browser) as tab:
        tab.page.wait_for_load_state("networkidle")
        origin = tab.url.removesuffix("/dashboard")
        paths = [request.url.removeprefix(origin) for request in tab.requests]
        assert paths[0] == "/dashboard"
        assert all(re.match("/api/", path) for path in paths[1:] if not path.startswith("data:"))
        assert len(tab.requests[0].response().body()) < 120_000


def test_head_and_headers(api: Api) -> None:
    page, head = (Client(api.host).open("/dashboard", method=method) for method in ("GET", "HEAD"))
    assert (page.status_code, head.status_code, head.data) == (200, 200, b"")
    assert page.content_type == "text/html; charset=utf-8"
    for name, value in {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }.items():
        assert page.headers[name] == head.headers[name] == value
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert api.call("GET", "/api/status").headers["Cache-Control"] == "no-store"
