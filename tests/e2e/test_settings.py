"""The settings by HTTP and on the page: who may see them, what is shown, and that no secret leaves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from shared.config import Settings
from tests.doubles.sign_in_front import IN_FRONT
from tests.e2e.browser import Tab, tab_of
from tests.e2e.http_rig import Api, api_for
from tests.e2e.test_dashboard_access import RUN_AXE
from tests.e2e.test_dashboard_sign_in import Desk, desk_of
from tests.real_parts import AXE, required

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest_plugins = ("tests.e2e.browser_fixtures",)

CANARY = "q7Zx9CANARYw2"
SECRETS = {
    "SAMSARA_API_KEY": CANARY,
    "REDIS_PASSWORD": CANARY,
    "SAFETYAMP_TOKEN": CANARY,
    "NOTICE_WEBHOOK_URL": f"https://127.0.0.1:9/{CANARY}",
    "DOCUMENTS_CONNECTION__CLIENTID": f"pasted {CANARY} wrongly",
}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    api = api_for(tmp_path_factory.mktemp("settings"), VISTA_TITLE_COLUMN="udTitle", **SECRETS)
    yield api
    api.rig.close()


def show(tab: Tab) -> Any:
    """Ask for them; the section when they are there."""
    section = tab.section("Settings")
    section.get_by_role("button", name="Show the settings").click()
    expect(section.get_by_role("button", name="Read them again")).to_be_visible()
    return section


def test_all_settings_are_answered_without_secrets(api: Api) -> None:
    answer = api.call("GET", "/api/settings")
    found = {one["name"].upper(): one for one in answer.get_json()["settings"]}
    assert found.keys() == {name.upper() for name in Settings.model_fields}
    assert {name: found[name]["hidden"] for name in SECRETS} == dict.fromkeys(SECRETS, True)
    assert (found["VISTA_TITLE_COLUMN"]["value"], found["VISTA_TITLE_COLUMN"]["source"]) == (
        "udTitle",
        "environment",
    )
    assert CANARY not in answer.text


def test_an_app_whose_settings_are_wrong_says_which(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = api.rig.stack.runtime
    monkeypatch.setattr(runtime, "environment", {**runtime.environment, "REDIS_PORT": f"{CANARY}"})
    monkeypatch.delitem(vars(runtime), "settings")
    assert api.call("GET", "/api/status").status_code == 503
    answer = api.call("GET", "/api/settings")
    (port,) = [one for one in answer.get_json()["settings"] if one["name"] == "REDIS_PORT"]
    assert "valid integer" in port["problem"]
    assert CANARY not in answer.text


def test_the_page_shows_what_is_set_and_on_demand_the_rest(api: Api, browser: Browser) -> None:
    with tab_of(api, browser) as tab:
        section = show(tab)
        row = section.get_by_role("row").filter(
            has=tab.page.get_by_role("rowheader", name="VISTA_TITLE_COLUMN")
        )
        expect(row).to_contain_text(re.compile("udTitle.*environment, by default udEmpTitle"))
        token = section.get_by_role("row").filter(
            has=tab.page.get_by_role("rowheader", name="SAFETYAMP_TOKEN")
        )
        expect(token).to_contain_text("set, not shown")
        expect(section).not_to_contain_text("VISTA_REGION_COLUMN")
        section.get_by_label("Also what nobody has set").check()
        expect(section).to_contain_text("VISTA_REGION_COLUMN")
        assert section.get_by_role("rowheader").count() == len(Settings.model_fields) + 10
        assert CANARY not in tab.page.content()


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_of_it_is_left_for_axe_to_complain_about(
    api: Api, browser: Browser, width: int, scheme: Any
) -> None:
    source = Path(required(AXE)).read_text("utf-8")
    with tab_of(api, browser, viewport={"width": width, "height": 900}, color_scheme=scheme) as tab:
        show(tab).get_by_label("Also what nobody has set").check()
        tab.page.evaluate(source)
        assert tab.page.evaluate(RUN_AXE) == []
        assert tab.page.evaluate("document.documentElement.scrollWidth") == width


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Desk]:
    api = api_for(tmp_path_factory.mktemp("signed-in"), **IN_FRONT)
    with desk_of(api, browser) as desk:
        yield desk
    api.rig.close()


def test_only_operators_are_shown_them(desk: Desk) -> None:
    settings = desk.signs_in("vera").section("Settings")
    expect(settings).to_contain_text("Your roles do not include the settings.")
    desk.tab.page.get_by_role("link", name="Sign out").click()
    expect(show(desk.signs_in("olga"))).to_contain_text("SAFETYAMP_FQDN")
