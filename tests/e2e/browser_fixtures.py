"""A browser per module, and per test a quiet world with a tab on its page; load with `pytest_plugins`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.browser import Tab, chromium, tab_of
from tests.e2e.busy_world import quiet_world
from tests.e2e.http_rig import Api

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    api = quiet_world(tmp_path)
    yield api
    api.rig.close()


@pytest.fixture
def tab(api: Api, browser: Browser) -> Iterator[Tab]:
    with tab_of(api, browser) as tab:
        yield tab
