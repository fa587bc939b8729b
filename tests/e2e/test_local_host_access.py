"""The local host as a process without a key, asked by its own pages and by those of other sites."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests

from tests.e2e.app_process import UpProcess, app_settings
from tests.e2e.processes import SimulatorProcess

FOREIGN_SITE = "https://elsewhere.example"

LOOPBACK = {
    "127.0.0.1": {"Host": "127.0.0.1:{port}"},
    "localhost": {"Host": "localhost:{port}"},
    "IPv6": {"Host": "[::1]:{port}"},
    "own page": {
        "Host": "localhost:{port}",
        "Origin": "http://localhost:{port}",
        "Sec-Fetch-Site": "same-origin",
    },
    "typed address": {"Host": "127.0.0.1:{port}", "Sec-Fetch-Site": "none"},
}
FOREIGN = {
    "Host": {"Host": "elsewhere.example"},
    "Host with our port": {"Host": "elsewhere.example:{port}"},
    "Host like ours": {"Host": "localhost.elsewhere.example:{port}"},
    "Origin": {"Host": "127.0.0.1:{port}", "Origin": FOREIGN_SITE},
    "Origin without a site": {"Host": "127.0.0.1:{port}", "Origin": "null"},
    "Sec-Fetch-Site": {"Host": "127.0.0.1:{port}", "Sec-Fetch-Site": "cross-site"},
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpProcess]:
    """`up` without a key, beside the simulators of a small company."""
    folder = tmp_path_factory.mktemp("up")
    with (
        SimulatorProcess(folder, "--employees", "20") as upstreams,
        UpProcess(app_settings(upstreams.settings, folder), folder) as app,
    ):
        yield app


def from_page(app: UpProcess, headers: dict[str, str]) -> dict[str, str]:
    """The headers of a browser, with the app's port; text/plain needs no leave of the server's."""
    port = urlsplit(app.url).port
    filled = {name: value.format(port=port) for name, value in headers.items()}
    return {"Content-Type": "text/plain", **filled}


def read_control(app: UpProcess, headers: dict[str, str]) -> requests.Response:
    return app.ask("GET", "/api/control", headers=from_page(app, headers))


def find_people(app: UpProcess, headers: dict[str, str]) -> requests.Response:
    return app.ask("POST", "/api/search", headers=from_page(app, headers), data='{"text": "a"}')


def pause(app: UpProcess, headers: dict[str, str]) -> requests.Response:
    return app.ask("POST", "/api/pause/titles?reason=test", headers=from_page(app, headers))


def resume(app: UpProcess, headers: dict[str, str]) -> requests.Response:
    return app.ask("POST", "/api/resume/titles", headers=from_page(app, headers))


def answers_to_its_own_pages(app: UpProcess) -> bool:
    """Whether every loopback address can read and write."""
    calls = (read_control, find_people, pause, resume)
    return {call(app, headers).status_code for headers in LOOPBACK.values() for call in calls} == {200}


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
def test_no_foreign_page_can_read(app: UpProcess, headers: dict[str, str]) -> None:
    """Without a key only the machine's own addresses may read; another Host or Origin is answered 403."""
    assert answers_to_its_own_pages(app)
    assert (read_control(app, headers).status_code, find_people(app, headers).status_code) == (403, 403)


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
def test_no_foreign_page_can_write(app: UpProcess, headers: dict[str, str]) -> None:
    """Without a key only the machine's own pages may write; another site's is answered 403 and changes
    nothing."""
    assert answers_to_its_own_pages(app)
    refused = pause(app, headers).status_code
    paused = read_control(app, LOOPBACK["127.0.0.1"]).json()["paused"]
    resume(app, LOOPBACK["127.0.0.1"])
    assert (refused, paused) == (403, {})


def test_no_foreign_page_starts_a_run_and_a_link_still_opens_the_page(app: UpProcess) -> None:
    """What a form of another site would send reaches nothing; monitors and links go on working."""
    foreign = {"Host": "127.0.0.1:{port}", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    started = app.ask("POST", "/api/sync/all", headers=from_page(app, foreign)).status_code
    assert (started, app.ask("GET", "/api/runs").json()["runs"]) == (403, [])
    opened = [app.ask("GET", path, headers=from_page(app, foreign)) for path in ("/health", "/dashboard")]
    assert [answer.status_code for answer in opened] == [200, 200]
    rebound = app.ask("GET", "/ready", headers=from_page(app, FOREIGN["Host with our port"]))
    assert rebound.status_code == 403
