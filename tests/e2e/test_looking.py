"""Looking changes nothing, and makes nothing go on that changes something."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.company.model import vista_date
from local.host.once import HalfDone, approve_once, drop_once, run_once
from local.host.progress import Silent
from shared.sync.decisions.approve import approve
from shared.sync.documents.active import active_run_id
from shared.sync.documents.runs import RunRequest, get_run
from tests.e2e.http_rig import Api
from tests.e2e.power import Crash
from tests.e2e.rig import START, Rig
from tests.e2e.small_company import PEOPLE

LOOK = RunRequest(mode="plan")


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """What `once` waits for comes when the test lets it."""

    def at_once(*_: Any) -> dict[str, Any]:
        built.drain()
        return {"entities": {}}

    monkeypatch.setattr("local.host.once._to_the_end", at_once)
    built = Rig(tmp_path, GUARD_MAX_PERCENT="5")
    yield built
    built.close()


def documents(rig: Rig) -> dict[str, Any]:
    return {path: rig.documents.read(path) for path in rig.documents.list("")}


def look_in_vain(rig: Rig) -> str:
    """A look that is refused and leaves everything as it is; returns what it says."""
    before, calls = documents(rig), len(rig.safetyamp.calls)
    with pytest.raises(HalfDone) as refused:
        run_once(rig.stack, LOOK, Silent())
    assert documents(rig) == before
    assert rig.stack.bus.receive("entity-sync") is None
    assert len(rig.safetyamp.calls) == calls
    assert refused.value.run_id == active_run_id(rig.documents)
    return str(refused.value)


def lose_messages(rig: Rig) -> None:
    for queue in ("entity-sync", "change-batches"):
        rig.stack.bus._queue(queue).waiting.clear()


def half_done(rig: Rig) -> str:
    """A first load that died on the way, with its bus."""
    run_id = rig.request()
    assert run_id is not None
    rig.until(lambda: rig.safetyamp.created.get("sites", 0) > 0)
    lose_messages(rig)
    return run_id


def held(rig: Rig) -> str:
    rig.run()
    rig.clock.advance(60)
    rig.person(1002)["TermDate"] = vista_date(START.date())
    rig.publish()
    ran = rig.run()
    assert ran.report["phase"] == "held"
    rig.drain()
    return ran.run_id


def test_at_a_run_that_was_killed_says_how_to_go_on_and_how_to_drop_it(rig: Rig) -> None:
    run_id = half_done(rig)
    said = look_in_vain(rig)
    assert f"run {run_id} applies changes to departments, jobs, titles, employees, vehicles" in said
    assert "Go on with it: safetyamp-sync once." in said
    assert f"safetyamp-sync once --drop {run_id}" in said


@pytest.mark.parametrize("effect", range(1, 8))
def test_at_a_run_that_died_while_it_was_asked_for_is_refused_or_finds_nothing(rig: Rig, effect: int) -> None:
    rig.power.dies_at = rig.power.pulses + effect
    if rig.request() is not None:
        lose_messages(rig)
        look_in_vain(rig)
    else:
        assert rig.power.crashes == 1
        run_once(rig.stack, LOOK, Silent())
    assert rig.safetyamp.snapshot()["users"] == []


def test_completes_no_approval_that_was_claimed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = held(rig)
    with monkeypatch.context() as patched:
        patched.setattr("shared.sync.decisions.approve.reopen", lambda *_: (_ for _ in ()).throw(Crash()))
        with pytest.raises(Crash):
            approve(rig.stack.runtime, run_id)
    look_in_vain(rig)
    assert get_run(rig.documents, run_id).phase == "held"
    finished = approve_once(rig.stack, run_id, Silent())
    assert finished.resumed
    assert rig.user(1002)["system_access"] == 0


def test_after_the_run_was_dropped_plans_what_is_left(rig: Rig) -> None:
    run_id = half_done(rig)
    there = {name: len(rows) for name, rows in rig.safetyamp.snapshot().items()}
    drop_once(rig.stack, run_id, Silent())
    assert get_run(rig.documents, run_id).phase in ("cancelled", "failed")
    run_once(rig.stack, LOOK, Silent())
    assert {name: len(rows) for name, rows in rig.safetyamp.snapshot().items()} == there
    assert rig.run().report["phase"] == "done"
    assert len(rig.safetyamp.snapshot()["users"]) == PEOPLE


def test_dropping_a_run_whose_last_step_alone_is_missing_ends_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("shared.sync.runs.batch_handler.finish_entity", lambda *_: None)
        run_id = rig.request(entities=("titles",))
        assert run_id is not None
        rig.drain()
    assert active_run_id(rig.documents) == run_id
    drop_once(rig.stack, run_id, Silent())
    assert active_run_id(rig.documents) is None


def test_goes_on_with_a_look_that_was_interrupted(rig: Rig) -> None:
    run_id = rig.request(mode="plan")
    lose_messages(rig)
    assert run_once(rig.stack, LOOK, Silent()).resumed
    assert run_id is not None
    assert get_run(rig.documents, run_id).phase == "planned"
    assert rig.safetyamp.snapshot()["users"] == []


def test_over_http_waits_for_the_run_that_applies(rig: Rig) -> None:
    run_id = half_done(rig)
    before = documents(rig)
    refused = Api(rig).post("/api/sync/all", 409, mode="plan")
    assert refused["run_id"] == run_id
    assert documents(rig) == before
