"""How everything is at this moment: what waits, what runs, what is paused, and what of it cannot be read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest
from fakeredis import FakeServer

from shared.config import load_settings
from shared.doctor import Finding
from shared.queries.status import LAST_RUNS, UPSTREAMS, status
from shared.runtime import Parts, Runtime
from shared.storage.documents import to_json
from shared.sync import paths
from shared.sync.documents.control import Pause, add_pauses
from shared.sync.documents.runs import EntityStatus
from shared.version import FULL_VERSION
from tests.unit.engine_rig import REQUIRED
from tests.unit.operations_rig import OperationsRig, answers, change, ended, nth_run, nth_time, outcome
from tests.unit.redis_rig import client_of

NOTHING = {"entities_waiting": 0, "batches_due": 0, "batches_scheduled": 0, "dead_letters": 0}


class StatusRig(OperationsRig):
    """The rig's documents in a whole runtime, with a Redis in memory."""

    def __init__(self, **settings: str) -> None:
        super().__init__(**settings)
        self.redis_server = FakeServer()
        self.runtime = Runtime(
            {**REQUIRED, **settings},
            Parts(
                clock=self.clock,
                documents=lambda _: self.documents,
                redis=lambda _: lambda: client_of(self.redis_server),
            ),
        )

    def under_way(self, number: int = 1, **entities: EntityStatus) -> str:
        """A run that is the active one."""
        run_id = self.keep_run(number, "running", entities)
        run = self.the_run(run_id)
        active = {"run_id": run_id, "request": run.to_json()["request"], "at": run.requested_at}
        self.documents.write(paths.ACTIVE, to_json({**active, "last_done_at": nth_time(0)}))
        return run_id

    @property
    def status(self) -> dict[str, Any]:
        before = self.everything()
        found: dict[str, Any] = answers("status", status(self.runtime))
        assert self.everything() == before
        return found

    @property
    def queues(self) -> dict[str, int]:
        return cast("dict[str, int]", self.status["queues"])


@pytest.fixture(autouse=True)
def doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Finding("vista", "ok", "answers")]
    monkeypatch.setattr("shared.queries.dependencies.check_everything", lambda _runtime, *, deep: found)


@pytest.fixture
def rig() -> StatusRig:
    return StatusRig()


def test_before_anything_has_run_all_is_quiet(rig: StatusRig) -> None:
    told = rig.status
    assert (told["active_run"], told["last_runs"], told["last_good_run_ended_at"]) == (None, [], None)
    assert (told["queues"], told["paused"], told["problems"]) == (NOTHING, {}, [])
    assert told["at"] == "2026-01-05T12:00:00+00:00"
    assert [found["name"] for found in told["dependencies"]] == ["vista"]


def test_how_many_runs_are_kept_and_since_when_is_told(rig: StatusRig) -> None:
    assert rig.status["kept"] == {"runs": 0, "oldest_at": None}
    for number in range(1, LAST_RUNS + 3):
        rig.keep_run(number)
    assert rig.status["kept"] == {"runs": LAST_RUNS + 2, "oldest_at": nth_time(1)}


# -- runs ------------------------------------------------------------------------------------------------


def test_the_run_under_way_is_told_and_when_the_last_good_one_ended(rig: StatusRig) -> None:
    rig.keep_run(0)
    run_id = rig.under_way(titles=EntityStatus())
    told = rig.status
    assert (told["active_run"]["run_id"], told["active_run"]["phase"]) == (run_id, "running")
    assert told["last_good_run_ended_at"] == nth_time(0)
    assert [run["run_id"] for run in told["last_runs"]] == [run_id, nth_run(0)]


def test_after_a_run_only_when_it_ended_is_told(rig: StatusRig) -> None:
    rig.documents.write(paths.ACTIVE, to_json({"run_id": None, "last_done_at": nth_time(3)}))
    told = rig.status
    assert (told["active_run"], told["last_good_run_ended_at"]) == (None, nth_time(3))


def test_the_newest_runs_are_told_but_not_all(rig: StatusRig) -> None:
    for number in range(1, LAST_RUNS + 3):
        rig.keep_run(number)
    newest = [nth_run(number) for number in range(LAST_RUNS + 2, 2, -1)]
    assert [run["run_id"] for run in rig.status["last_runs"]] == newest


# -- what waits ------------------------------------------------------------------------------------------


def test_entities_without_a_plan_wait(rig: StatusRig) -> None:
    rig.under_way(titles=EntityStatus(), jobs=EntityStatus(), departments=ended(), vehicles=ended("off"))
    assert rig.queues == {**NOTHING, "entities_waiting": 2}


def test_batches_without_an_outcome_are_due_or_scheduled_as_the_plan_spreads_them(rig: StatusRig) -> None:
    run_id = rig.under_way(employees=EntityStatus("applying"))
    period = timedelta(seconds=rig.settings.api_rate_limit_period)
    batches = [[change(str(number))] for number in range(1, 5)]
    rig.keep_plan(run_id, *batches, created_at=rig.clock.now().isoformat())
    assert rig.queues == {**NOTHING, "batches_due": 1, "batches_scheduled": 3}
    rig.clock.advance(period)
    assert rig.queues == {**NOTHING, "batches_due": 2, "batches_scheduled": 2}
    rig.keep_outcomes(run_id, 1, outcome("1"))
    assert rig.queues == {**NOTHING, "batches_due": 1, "batches_scheduled": 2}
    later = rig.clock.now() + timedelta(hours=1)
    rig.keep_progress(run_id, 2, next_at=later.isoformat())
    assert rig.queues == {**NOTHING, "batches_scheduled": 3}


def test_what_has_ended_waits_for_nothing(rig: StatusRig) -> None:
    run_id = rig.under_way(employees=ended("failed"))
    rig.keep_plan(run_id, [change("1")])
    assert rig.queues == NOTHING


def test_dead_letters_are_counted_also_without_a_run(rig: StatusRig) -> None:
    for name in ("a", "b"):
        rig.documents.write(paths.dead_letter("entity-sync", name), b"{")
    assert rig.queues == {**NOTHING, "dead_letters": 2}


# -- what cannot be read ---------------------------------------------------------------------------------


def test_a_plan_that_cannot_be_read_is_named_and_hides_no_other_queue(rig: StatusRig) -> None:
    run_id = rig.under_way(titles=EntityStatus("applying"), employees=EntityStatus("applying"))
    rig.keep_plan(run_id, [change("t1")], entity="titles")
    rig.keep_plan(run_id, [change("1")])
    rig.damage(paths.plan(run_id, "titles"))
    told = rig.status
    assert told["queues"]["batches_due"] == 1
    (problem,) = told["problems"]
    assert paths.plan(run_id, "titles") in problem


def test_an_active_run_that_cannot_be_read_is_named_and_the_others_are_told(rig: StatusRig) -> None:
    rig.keep_run(0)
    run_id = rig.under_way(titles=EntityStatus())
    rig.damage(paths.run(run_id))
    told = rig.status
    assert (told["active_run"], told["queues"]) == (None, NOTHING)
    assert [run["run_id"] for run in told["last_runs"]] == [nth_run(0)]
    (problem,) = told["problems"]
    assert paths.run(run_id) in problem


def test_where_nobody_can_tell_what_is_paused_that_is_a_problem(rig: StatusRig) -> None:
    add_pauses(rig.documents, ["titles"], Pause(nth_time(1), "moving", "Pat"))
    assert rig.status["paused"] == {"titles": {"at": nth_time(1), "reason": "moving", "who": "Pat"}}
    rig.damage(paths.CONTROL)
    told = rig.status
    assert told["paused"] == {}
    assert "control.json cannot be read" in told["problems"][0]


# -- the rest --------------------------------------------------------------------------------------------


def test_schedules_are_told_with_their_next_time(rig: StatusRig) -> None:
    rig.clock.advance(61)
    assert rig.status["schedules"] == {
        "sync": {"schedule": "0 0 * * * *", "next": "2026-01-05T13:00:00+00:00"},
        "refresh": {"schedule": "0 30 8 * * *", "next": "2026-01-06T08:30:00+00:00"},
        "sweep": {"schedule": "0 */5 * * * *", "next": "2026-01-05T12:05:00+00:00"},
    }


def test_a_schedule_that_never_comes_or_cannot_be_understood_has_no_next_time(rig: StatusRig) -> None:
    settings = load_settings(REQUIRED)
    odd = settings.model_copy(update={"sync_schedule": "0 0 0 31 2 *", "sweep_schedule": "01:00:00"})
    vars(rig.runtime)["settings"] = odd
    schedules = rig.status["schedules"]
    assert [schedules[name]["next"] for name in ("sync", "sweep")] == [None, None]
    assert schedules["refresh"]["next"] is not None


def test_every_upstreams_breaker_is_told(rig: StatusRig) -> None:
    for _ in range(rig.settings.breaker_failure_threshold):
        breaker = rig.runtime.breaker("graph")
        breaker.before_call()
        breaker.failed()
    breakers = rig.status["breakers"]
    assert set(breakers) == set(UPSTREAMS)
    assert {name: breaker["state"] for name, breaker in breakers.items() if breaker["state"] != "closed"} == {
        "graph": "open"
    }
    assert breakers["graph"]["retry_after_seconds"] > 0


def test_the_window_of_calls_is_told_with_its_limits() -> None:
    rig = StatusRig(API_RATE_LIMIT_CALLS="30", API_RATE_LIMIT_PERIOD="61", API_RATE_LIMIT_RESERVE="3")
    rig.runtime.safetyamp_limiter.acquire()
    limiter = rig.status["limiter"]
    assert (limiter["used"], limiter["limit"], limiter["blocked_seconds"]) == (1, 30, 0)
    assert (limiter["period_seconds"], limiter["reserve"]) == (61, 3)


def test_without_redis_the_status_is_told_nevertheless(rig: StatusRig) -> None:
    rig.redis_server.connected = False
    told = rig.status
    assert set(told["breakers"]) == set(UPSTREAMS)
    assert told["limiter"]["used"] == 0


def test_versions_are_told_and_what_is_not_installed_has_none(
    rig: StatusRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.queries.status.PACKAGES", ("redis", "no-such-package"))
    versions = rig.status["versions"]
    assert (versions["app"], versions["no-such-package"]) == (FULL_VERSION, None)
    assert versions["redis"][0].isdigit()
