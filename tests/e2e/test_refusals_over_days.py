"""What SafetyAmp refuses, over days: when it began, when it was last tried, and who tries it again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.documents.active import active_run_id
from tests.e2e.http_rig import Api, api_for
from tests.e2e.remote_rig import KEY, Terminal, served_rig
from tests.e2e.small_company import FIRST_NUMBER

INVALID = '{"errors": {"first_name": ["The first name is invalid."]}}'
PERSON = FIRST_NUMBER + 1
DAY_SECONDS = 86_400
EVERYTHING = 10_000


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """A company whose first person could never be created, and whose second one cannot be changed."""
    api = api_for(tmp_path)
    api.rig.safetyamp.fail_next(1, 422, INVALID, match="POST /api/users")
    api.rig.run()
    api.rig.clock.advance(3600)
    api.rig.person(PERSON)["Address"] = "1 Refused Street"
    api.rig.publish()
    api.rig.safetyamp.fail_next(EVERYTHING, 422, INVALID, match="PATCH /api/users*")
    api.rig.safetyamp.fail_next(EVERYTHING, 422, INVALID, match="POST /api/users")
    api.rig.run()
    yield api
    api.rig.close()


def failures_of(api: Api) -> dict[str, dict[str, Any]]:
    """What `explain` tells of every refused record, by key."""
    (group,) = api.get("/api/failures")["groups"]
    return {key: api.explain("employees", key)["safetyamp"]["failure"] for key in group["keys"]}


def retry(api: Api) -> None:
    api.rig.finish(api.post("/api/failures/retry", 202, body={"entity": "employees"})["run_id"])


def tick(api: Api, timer: str) -> list[str]:
    """The writes of the run that a timer starts."""
    before = len(api.rig.safetyamp.calls)
    api.rig.stack.host.run_timer(timer)
    run_id = active_run_id(api.rig.documents)
    assert run_id is not None
    api.rig.finish(run_id)
    request = read_json(api.rig.documents, paths.run(run_id))["request"]
    assert request["retry_failed"] is False
    return [call.method for call in api.rig.safetyamp.calls[before:] if call.method != "GET"]


def test_a_refusal_keeps_its_age_however_often_it_is_tried(api: Api) -> None:
    first = failures_of(api)
    assert len(first) == 2
    assert all(failure["since"] == failure["at"] for failure in first.values())
    for _ in range(3):
        api.rig.clock.advance(DAY_SECONDS)
        retry(api)
    later = failures_of(api)
    assert {key: failure["since"] for key, failure in later.items()} == {
        key: failure["since"] for key, failure in first.items()
    }
    assert all(failure["at"] > first[key]["at"] for key, failure in later.items())
    (group,) = api.get("/api/failures")["groups"]
    assert group["since"] == min(failure["since"] for failure in first.values())
    assert group["at"] == max(failure["at"] for failure in later.values())


def test_the_terminal_tells_both_times(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    api.rig.clock.advance(DAY_SECONDS)
    retry(api)
    with served_rig(api, KEY) as url:
        terminal = Terminal(tmp_path, monkeypatch, capsys).at(url, KEY)
        assert "since 2026-03-02 12:" in terminal.types("failures").words
        assert "last tried 2026-03-03" in terminal.types("failures").words
        assert ", first at 2026-03-02 1" in terminal.types("explain", "employees", str(PERSON)).words


@pytest.mark.parametrize("timer", ["start_scheduled_run", "start_nightly_refresh"])
def test_no_timer_sends_a_refused_record_again_until_its_data_changes(api: Api, timer: str) -> None:
    for _ in range(2):
        api.rig.clock.advance(DAY_SECONDS)
        assert tick(api, timer) == []
    api.rig.person(PERSON)["Address"] = "2 Other Street"
    api.rig.publish()
    api.rig.clock.advance(DAY_SECONDS)
    assert set(tick(api, timer)) == {"PATCH"}


@pytest.mark.parametrize(
    "answer", ['{"errors": {"home_site_id": ["The site is invalid."]}}', '{"message": "Busy, try later"}']
)
def test_what_says_nothing_against_the_source_is_tried_by_the_nightly_run(
    tmp_path: Path, answer: str
) -> None:
    api = api_for(tmp_path)
    try:
        api.rig.safetyamp.fail_next(1, 422, answer, match="POST /api/users")
        ran = api.rig.run()
        api.rig.clock.advance(DAY_SECONDS)
        assert ran.entity("employees")["failed"] == 1
        assert tick(api, "start_scheduled_run") == []
        assert tick(api, "start_nightly_refresh") == ["POST"]
        assert api.rig.run().writes == []
    finally:
        api.rig.close()


def test_a_retry_on_demand_does(api: Api) -> None:
    before = len(api.rig.safetyamp.calls)
    retry(api)
    methods = [call.method for call in api.rig.safetyamp.calls[before:]]
    assert {method for method in methods if method != "GET"} == {"PATCH", "POST"}
