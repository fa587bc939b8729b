"""Rehearsals: the promises hold in each disaster, and builds that are broken on purpose break one."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli.rehearse import chosen, rehearse, show_disasters
from local.rehearsal.disasters import DISASTERS, play
from local.rehearsal.promises import broken_promises
from local.rehearsal.world import World
from shared.clients.http.answers import Answer, Call, value_of
from shared.clients.listings import checked_records, member
from shared.clients.safetyamp import PAGE_SIZE, SafetyAmpClient
from shared.clock import SystemClock
from shared.errors import ConfigurationError
from shared.resilience.rate_limiter import UnlimitedRateLimiter
from shared.resilience.shared_rate_limiter import SharedRateLimiter

WAITS_A_MINUTE = ("crash", "answers-lost")
"""What they wait for is tested on virtual time: tests/e2e/test_engine_crashes.py, test_lost_answers.py."""


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The world sets the certificate for this process; others must not keep it."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "")
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


def broken_in(tmp_path: Path, name: str, **limit: Any) -> dict[str, list[str]]:
    """What does not hold after a disaster, by promise."""
    with World(tmp_path, lambda _: None, **limit) as world:
        play(world, chosen([name])[0])
        return {promise: found for promise, found in broken_promises(world).items() if found}


@pytest.mark.parametrize("name", [one.name for one in DISASTERS if one.name not in WAITS_A_MINUTE])
def test_promises_hold_in_each_disaster(tmp_path: Path, name: str) -> None:
    assert broken_in(tmp_path, name) == {}


def test_a_build_that_takes_an_error_for_a_success_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trusting(call: Call, answer: Answer) -> Any:
        if answer.status < 400 or call.method == "GET":
            return value_of(call, answer)
        return {"data": {"id": "abcde"}}

    monkeypatch.setattr("shared.clients.http.pipeline.value_of", trusting)
    assert "what vista says has arrived" in broken_in(tmp_path, "safetyamp-away")


def test_a_build_that_takes_a_short_page_for_the_last_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hasty(self: SafetyAmpClient, resource: str, start_page: int = 0) -> Iterator[list[dict[str, Any]]]:
        for page in range(start_page, 1000):
            params: Mapping[str, Any] = {"page": page, "limit": PAGE_SIZE}
            body = self._pipeline.request("GET", f"/api/{resource}", params=params)
            records = checked_records(member(body, "data", resource), resource)
            yield records
            if len(records) < PAGE_SIZE:
                return

    monkeypatch.setattr(SafetyAmpClient, "list_pages", hasty)
    assert "nobody is there twice" in broken_in(tmp_path, "pages-short")


def test_a_build_without_a_limiter_that_all_share_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = UnlimitedRateLimiter(SystemClock(), "safetyamp")
    for name in ("acquire", "complete"):
        monkeypatch.setattr(SharedRateLimiter, name, staticmethod(getattr(alone, name)))
    # So narrow a window that even a busy machine is too fast for it.
    assert "safetyamp was never asked too often" in broken_in(tmp_path, "source-half", calls=12, period=3.0)


def test_the_timeline_and_the_promises_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    file = io.StringIO()
    assert rehearse(Console(file=file, width=200), chosen(["source-half"]), None) == 0
    lines = file.getvalue().splitlines()
    assert lines[0] == "source-half: a source with half of its records"
    places = [
        next(number for number, line in enumerate(lines) if part in line)
        for part in (
            "first load",
            "every second employee",
            " held: ",
            "whole again",
            "ok     nobody is missing",
        )
    ]
    assert places == sorted(places)
    assert "docs/runbook.md: run-held" in lines[-1]


def test_an_unknown_disaster_names_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="late-approval"):
        chosen(["fire"])
    assert [one.name for one in chosen(["all"])] == [one.name for one in DISASTERS]


def test_the_list_has_all_of_them() -> None:
    file = io.StringIO()
    show_disasters(Console(file=file, width=80))
    assert len(file.getvalue().splitlines()) == len(DISASTERS)


def test_each_names_a_heading_of_the_runbook() -> None:
    headings = Path("docs/runbook.md").read_text("utf-8").splitlines()
    assert [one.name for one in DISASTERS if f"### {one.runbook}" not in headings] == []
