"""Everybody presses the button at the same moment."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import requests

from tests.e2e.app_process import UpProcess, app_settings
from tests.e2e.processes import SimulatorProcess

PROCESSES = 2
REQUESTS_PER_PROCESS = 20
TIMEOUT_SECONDS = 60
COMPANY = ("--employees", "60", "--calls", "60", "--period", "61")
"""A first load of some 260 calls: the run is still under way when the last request is answered."""


@pytest.fixture
def apps(tmp_path: Path) -> Iterator[list[str]]:
    """URLs of app processes on the same documents, as instances of the app have in Azure."""
    with SimulatorProcess(tmp_path, *COMPANY) as simulators:
        settings = app_settings(simulators.settings, tmp_path)
        folders = [tmp_path / f"app{number}" for number in range(PROCESSES)]
        for folder in folders:
            folder.mkdir()
        with UpProcess(settings, folders[0]) as one, UpProcess(settings, folders[1]) as other:
            yield [one.url, other.url]


def test_of_many_requests_at_once_one_starts_a_run_and_the_others_are_told_its_id(apps: list[str]) -> None:
    together = Barrier(PROCESSES * REQUESTS_PER_PROCESS)

    def press(url: str) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            together.wait(TIMEOUT_SECONDS)
            return session.post(f"{url}/api/sync/all", timeout=TIMEOUT_SECONDS)

    with ThreadPoolExecutor(together.parties) as pool:
        answers = list(pool.map(press, apps * REQUESTS_PER_PROCESS))
    started = [answer for answer in answers if answer.status_code == 202]
    refused = [answer for answer in answers if answer.status_code == 409]
    assert (len(started), len(refused)) == (1, len(answers) - 1)
    assert {answer.json()["run_id"] for answer in refused} == {started[0].json()["run_id"]}
