"""The operators' page where people sign in: in, out, and what each role is offered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from local.host.http import HttpHost
from shared.sync.documents.control import read_pauses
from tests.doubles.sign_in_front import IN_FRONT, OLGA, SignInFront
from tests.e2e.browser import Tab
from tests.e2e.busy_world import LEAVERS, busy_world, hold_leavers, quiet_world
from tests.e2e.http_rig import Api
from tests.e2e.test_dashboard_access import RUN_AXE
from tests.real_parts import AXE, required

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest_plugins = ("tests.e2e.browser_fixtures",)

KEY = "the-function-key"


class Desk:
    """A tab behind the stand-in, at whose sign-in page `next_person` sits."""

    def __init__(self, api: Api, browser: Browser, **context: Any) -> None:
        self.tab = Tab(api, browser, KEY, self._front, **context)

    def _front(self, host: HttpHost) -> SignInFront:
        self.front = SignInFront(host)
        return self.front

    def signs_in(self, who: str) -> Tab:
        """By the page's own link."""
        self.front.next_person = who
        self.tab.open()
        self.tab.page.get_by_role("link", name="Sign in").click()
        expect(self.tab.page.locator("#connection")).to_contain_text("Updated")
        return self.tab


@contextmanager
def desk_of(api: Api, browser: Browser, **context: Any) -> Iterator[Desk]:
    desk = Desk(api, browser, **context)
    yield desk
    desk.tab.close()


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    api = busy_world(tmp_path, **IN_FRONT)
    yield api
    api.rig.close()


@pytest.fixture
def desk(api: Api, browser: Browser) -> Iterator[Desk]:
    with desk_of(api, browser) as desk:
        yield desk


def offered(tab: Tab) -> set[str]:
    """What may be done, of what is different between roles."""
    names = ("Approve …", "Drop the plan …", "Stop the run …", "Start the run", "Pause …", "Resume titles")
    again = ("Try again", "Send again")
    found = {name for name in names if tab.page.get_by_role("button", name=name, exact=True).count()}
    return found | {name for name in again if tab.page.get_by_role("button", name=name).count()}


OPERATING = {"Drop the plan …", "Stop the run …", "Start the run", "Pause …", "Resume titles", "Try again"}


def test_nobody_is_asked_for_a_key_but_shown_the_way_in(desk: Desk) -> None:
    page = desk.tab.open().page
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Forget the key")).to_be_hidden()
    expect(page.locator("#connection")).to_contain_text("Nobody is signed in")
    expect(page.get_by_role("link", name="Sign in")).to_have_attribute(
        "href", "/.auth/login/aad?post_login_redirect_uri=/dashboard"
    )
    expect(page.get_by_role("alert").get_by_text("sign in with your company account")).to_be_visible()
    expect(desk.tab.section("Start a run")).to_contain_text("Not known yet")


def test_somebody_signs_in_and_out_without_a_key(desk: Desk) -> None:
    page = desk.signs_in("olga").page
    account = page.locator("#account")
    expect(account).to_contain_text(re.compile(f"Signed in as *{re.escape(OLGA.name or '')} *\\(operator\\)"))
    assert page.evaluate("sessionStorage.length") == 0
    account.get_by_role("link", name="Sign out").click()
    expect(page.locator("#connection")).to_contain_text("Nobody is signed in")
    expect(account).to_have_text("")
    assert page.url == desk.tab.url


def test_a_viewer_sees_everything_and_is_offered_nothing(desk: Desk) -> None:
    tab = desk.signs_in("vera")
    expect(tab.section("Held plans")).to_contain_text("employees", ignore_case=True)
    assert offered(tab) == set()
    for section in ("Start a run", "Pause and resume", "Held plans"):
        expect(tab.section(section)).to_contain_text("Your roles do not include")
    expect(tab.section("Dead letters").get_by_role("listitem").first).to_be_visible()
    tab.open("#record/employees/1004")
    expect(tab.page.locator("#record-heading")).to_be_visible()
    expect(tab.page.get_by_role("button", name="Do it now")).to_have_count(0)


def test_an_operator_is_offered_all_but_approving(desk: Desk) -> None:
    tab = desk.signs_in("olga")
    assert offered(tab) == OPERATING
    expect(tab.section("Held plans")).to_contain_text("Your roles do not include approving")
    expect(tab.page.get_by_label("Your name")).to_have_count(0)
    tab.page.get_by_label("Reason").fill("audit")
    tab.section("Pause and resume").get_by_role("button", name="Pause").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    expect(tab.notice()).to_contain_text("Employees paused")
    assert read_pauses(tab.api.rig.documents)["employees"].who == OLGA.name
    expect(tab.section("Pause and resume")).to_contain_text(OLGA.name or "")


def test_an_approver_is_offered_all_and_approves(tmp_path: Path, browser: Browser, desk: Desk) -> None:
    assert offered(desk.signs_in("ana")) == OPERATING | {"Approve …", "Send again"}
    api = quiet_world(tmp_path / "quiet", **IN_FRONT)
    hold_leavers(api.rig)
    with desk_of(api, browser) as quiet:
        tab = quiet.signs_in("ana")
        tab.section("Held plans").get_by_role("button", name="Approve").click()
        tab.page.get_by_role("dialog").get_by_role("button", name="Approve").click()
        expect(tab.notice()).to_contain_text("goes on")
        api.rig.drain()
    assert [api.rig.user(number)["system_access"] for number in LEAVERS] == [0, 0, 0]
    api.rig.close()


def test_who_has_no_role_is_told_which_is_missing_and_where_it_is_assigned(desk: Desk) -> None:
    desk.front.next_person = "nobody"
    page = desk.tab.open().page
    page.get_by_role("link", name="Sign in").click()
    banner = page.locator("#banner")
    expect(banner).to_contain_text("needs the role viewer; nick@example.com has no role")
    expect(banner).to_contain_text("Users and groups")
    expect(page.locator("#account")).to_contain_text("nick@example.com(no role)")
    expect(page.get_by_role("link", name="Sign out")).to_be_visible()


def test_a_role_that_was_taken_away_meanwhile_is_told_beside_the_button(desk: Desk) -> None:
    tab = desk.signs_in("olga")
    tab.page.route("**/entra/api/sync/**", lambda route: route.fulfill(status=403, json=REFUSED))
    tab.section("Start a run").get_by_role("button", name="Start the run").click()
    expect(tab.section("Start a run").get_by_role("alert")).to_contain_text("needs the role operator")
    expect(tab.page.get_by_role("dialog")).to_have_count(0)


REFUSED = {
    "title": "Not allowed",
    "detail": "start_sync needs the role operator",
    "hint": "Ask.",
    "status": 403,
}


def test_a_sign_in_that_has_ended_leaves_what_was_shown_and_the_way_in(desk: Desk) -> None:
    tab = desk.signs_in("olga")
    tab.context.clear_cookies()
    tab.section("Start a run").get_by_role("button", name="Start the run").click()
    expect(tab.page.locator("#connection")).to_contain_text("Nobody is signed in. Shown: as of")
    expect(tab.page.get_by_role("link", name="Sign in")).to_be_visible()
    expect(tab.section("Held plans").locator(".card")).to_be_visible()


@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_is_left_for_axe_to_complain_about(api: Api, browser: Browser, width: int) -> None:
    source = Path(required(AXE)).read_text("utf-8")
    with desk_of(api, browser, viewport={"width": width, "height": 900}) as desk:
        page = desk.tab.open().page
        page.evaluate(source)
        assert page.evaluate(RUN_AXE) == []
        desk.signs_in("wilhelmina")
        page.evaluate(source)
        assert page.evaluate(RUN_AXE) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
