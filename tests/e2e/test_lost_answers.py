"""Answers of SafetyAmp that are lost, in whole runs, and processes that die while it is found out what became
of the creations: nothing is there twice, and nothing costs more than it must."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from local.company.model import Company
from local.simulators.adapter import SimulatorAdapter
from shared.storage.documents import read_json, to_json
from shared.sync import paths
from shared.sync.documents.runs import RunRequest
from shared.sync.documents.state import GONE, UNSURE, UNSURE_AT
from shared.sync.runs.requests import request_run
from shared.sync.runs.stopping import cancel
from tests.e2e.rig import START, Rig, doubles
from tests.e2e.small_company import small_company
from tests.e2e.test_engine import is_complete

EVERY = int(os.environ.get("CRASH_EVERY", "0"))
"""1: crash before each and every effect, which takes minutes instead of seconds."""

STRIDE = 29

KEYS = {
    "site_clusters": "external_code",
    "sites": "ext_id",
    "user_titles": "name",
    "users": "emp_id",
    "assets": "serial",
}
REFUSED_TWICE = ("site_clusters", "sites", "users")

by_resource = pytest.mark.parametrize("resource", KEYS)
by_time = pytest.mark.parametrize("written", [False, True], ids=["before", "after"])


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """As in the tests of crashes: many runs, many expected troubles."""
    logging.disable(logging.CRITICAL)
    gc.freeze()
    yield
    gc.unfreeze()
    logging.disable(logging.NOTSET)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


def lose(rig: Rig, resource: str, written: bool, times: int = 1) -> None:
    rig.safetyamp.fail_next(times, match=f"POST /api/{resource}", after_write=written, lose="timeout")


@pytest.mark.parametrize("resource", ["user_titles", "assets"])
def test_what_is_carried_out_after_its_run_was_cancelled_is_not_made_twice(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, resource: str
) -> None:
    """No listing shows it before, so that the next run waits until it is there or never will be."""
    send = SimulatorAdapter.send
    late: list[tuple[SimulatorAdapter, requests.PreparedRequest, float]] = []
    arrived: list[int] = []

    def losing(self: SimulatorAdapter, request: requests.PreparedRequest, *more: Any, **options: Any) -> Any:
        if late and not arrived and rig.clock.monotonic() - late[0][2] > 55:
            arrived.append(send(late[0][0], late[0][1]).status_code)
        if not late and request.method == "POST" and str(request.url).endswith(f"/api/{resource}"):
            late.append((self, request, rig.clock.monotonic()))
            raise requests.ReadTimeout("lost", request=request)
        return send(self, request, *more, **options)

    monkeypatch.setattr(SimulatorAdapter, "send", losing)
    run_id = request_run(rig.stack.runtime, RunRequest())
    rig.until(lambda: bool(late))
    cancel(rig.stack.runtime, run_id, "by hand")
    rig.finish(run_id)
    rig.run()
    rig.run(refresh=True)
    assert arrived == [201]
    assert doubles(rig.safetyamp.snapshot()[resource], KEYS[resource]) == set()
    assert is_complete(rig)


def test_nobody_waits_for_a_moment_that_a_wrong_clock_noted(rig: Rig) -> None:
    rig.run()
    tomorrow = (rig.clock.now() + timedelta(days=1)).isoformat()
    state = read_json(rig.documents, paths.state("titles"))
    state["records"]["rigger"] = [None, None, "{}", {GONE: UNSURE, UNSURE_AT: tomorrow}]
    rig.documents.write(paths.state("titles"), to_json(state))
    before = rig.clock.now()
    assert rig.run().entity("titles")["phase"] == "done"
    assert rig.clock.now() - before < timedelta(hours=1)


@by_time
@by_resource
def test_a_lost_answer_costs_a_repetition_or_one_listing(rig: Rig, resource: str, written: bool) -> None:
    lose(rig, resource, written)
    ran = rig.run()
    assert is_complete(rig)
    assert ran.count("failed") == 0
    creations = ran.writes.count(f"POST /api/{resource}")
    listings = ran.listings.count(f"/api/{resource}")
    repeated = resource in REFUSED_TWICE or not written
    assert creations - rig.safetyamp.created[resource] == repeated
    lists = 1 if resource == "site_clusters" else 2
    if resource in REFUSED_TWICE and not written:
        assert listings <= lists, "nothing had to be looked for"
    else:
        readings = 1 if resource in REFUSED_TWICE else 2
        assert listings <= 2 * lists * readings, "one listing to plan, one to look for it"
    assert rig.run(refresh=True).writes == []


@pytest.mark.parametrize("status", [404, 410])
@by_time
@by_resource
def test_gone_to_a_creation_does_not_say_that_nothing_was_made(
    rig: Rig, resource: str, written: bool, status: int
) -> None:
    """As Laravel answers when the new record is not found on being read back."""
    rig.safetyamp.fail_next(
        1, status, '{"message":"No query results"}', match=f"POST /api/{resource}", after_write=written
    )
    rig.run()
    rig.run()
    assert is_complete(rig)
    assert not doubles(rig.safetyamp.snapshot()[resource], KEYS[resource])


def test_answers_lost_in_every_batch_cost_one_listing_for_all(tmp_path: Path) -> None:
    """Four changes in a batch; every third answer is lost after it was carried out."""
    rig = Rig(tmp_path, small_company(START.date(), 30), limit=10, API_RATE_LIMIT_RESERVE="6")
    rig.run(entities=("departments", "jobs", "titles"))
    seen: list[int] = []
    send = SimulatorAdapter.send

    def lose_every_third(
        adapter: SimulatorAdapter, request: requests.PreparedRequest, *how: Any, **named: Any
    ) -> requests.Response:
        answer = send(adapter, request, *how, **named)
        if request.method == "POST" and str(request.url).endswith("/api/users") and answer.status_code == 201:
            seen.append(len(seen))
            if len(seen) % 3 == 0:
                raise requests.ReadTimeout("lost", request=request)
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SimulatorAdapter, "send", lose_every_third)
        ran = rig.run(entities=("employees",))
    assert ran.report["phase"] == "done"
    assert ran.entity("employees")["created"] == 30
    assert ran.writes.count("POST /api/users") == 40
    # Planning found an empty page; the look-up two pages and the end.
    assert ran.listings.count("/api/users") == 1 + 3
    assert rig.run(entities=("employees",), refresh=True).writes == []
    rig.close()


@by_resource
def test_an_answer_that_is_lost_again_and_again_doubles_nothing(rig: Rig, resource: str) -> None:
    lose(rig, resource, written=True)
    lose(rig, resource, written=False, times=3)
    for _ in range(3):
        rig.run()
    assert is_complete(rig)
    for name, field in KEYS.items():
        assert not doubles(rig.safetyamp.snapshot()[name], field)
    assert rig.run().writes == []


@pytest.mark.parametrize("resource", REFUSED_TWICE)
def test_an_attempt_that_arrives_after_its_repetition_is_refused_by_safetyamp(
    rig: Rig, resource: str
) -> None:
    late: list[requests.PreparedRequest] = []
    send = SimulatorAdapter.send
    adapters: list[SimulatorAdapter] = []

    def delay_the_first(
        adapter: SimulatorAdapter, request: requests.PreparedRequest, *how: Any, **named: Any
    ) -> requests.Response:
        if request.method == "POST" and str(request.url).endswith(f"/api/{resource}") and not late:
            late.append(request)
            adapters.append(adapter)
            raise requests.ReadTimeout("on its way", request=request)
        return send(adapter, request, *how, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SimulatorAdapter, "send", delay_the_first)
        ran = rig.run()
    assert ran.count("failed") == 0
    rig.clock.advance(120)
    assert send(adapters[0], late[0]).status_code == 422
    assert is_complete(rig)
    assert rig.run(refresh=True).writes == []


def tiny_company() -> Company:
    company = small_company(START.date(), 2)
    for table in ("bPRDP", "bJCJM", "bJCCM"):
        del company.tables[table][1:]
    del company.vehicles[1:]
    return company


@by_time
@by_resource
def test_a_death_at_any_effect_beside_a_lost_answer_doubles_nothing(
    tmp_path: Path, resource: str, written: bool
) -> None:
    def begin() -> Rig:
        rig = Rig(tmp_path, tiny_company())
        lose(rig, resource, written)
        return rig

    die_everywhere(begin)


def die_everywhere(begin: Callable[[], Rig]) -> None:
    """Let a run die at its n-th effect and another process end it; the run after that finds what is left."""
    calm = begin()
    start = calm.power.pulses
    calm.finish(calm.request() or "")
    effects, wanted = calm.power.pulses - start, calm.content()
    calm.close()
    for number in range(1, effects + 1, EVERY or STRIDE):
        rig = begin()
        rig.power.dies_at = start + number
        run_id = rig.request() or rig.request()
        assert run_id is not None
        rig.finish(run_id, sweeping=True)
        # In virtual time two runs can begin at one moment, and then their ids are told apart by chance alone.
        rig.clock.advance(1)
        rig.run()
        rig.clock.advance(1)
        found = rig.content()
        after = rig.run()
        rig.close()
        for name, field in KEYS.items():
            assert not doubles(found[name], field), f"crash at effect {number}"
        assert found == wanted, f"crash at effect {number}"
        assert after.writes == [], f"crash at effect {number} left work undone"
