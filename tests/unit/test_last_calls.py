"""The last calls to SafetyAmp: kept in Redis for all instances, without ids, and never in the way."""

from __future__ import annotations

import pytest
from fakeredis import FakeServer

from local.fake_clock import FakeClock
from shared.clients.http.call_meter import UpstreamCall, endpoint_of
from shared.queries.last_calls import last_calls
from shared.runtime import Parts, Runtime
from shared.telemetry.invocation import invocation, note_call
from shared.telemetry.last_calls import KEPT, KEY
from tests.unit.engine_rig import REQUIRED
from tests.unit.operations_rig import answers
from tests.unit.redis_rig import check_that_every_key_expires, client_of


class App:
    """Processes over the same Redis."""

    def __init__(self) -> None:
        self.redis = FakeServer()
        self.clock = FakeClock()

    def process(self) -> Runtime:
        return Runtime(REQUIRED, Parts(clock=self.clock, redis=lambda _: lambda: client_of(self.redis)))


@pytest.fixture
def app() -> App:
    return App()


def calls(process: Runtime, *paths: str, status: str = "200", service: str = "safetyamp") -> None:
    with invocation(process, "apply_batch", None):
        for path in paths:
            note_call(process, UpstreamCall(service, endpoint_of("PATCH", path), status, 0.2504))


def told(process: Runtime) -> list[str]:
    found = answers("last_calls", last_calls(process))
    return [f"{call['method']} {call['path']} {call['status']}" for call in found["calls"]]


def test_every_instance_tells_what_was_asked_how_it_was_answered_and_how_fast(app: App) -> None:
    calls(app.process(), "/api/users/u17", status="422")
    assert last_calls(app.process()) == {
        "calls": [
            {
                "at": app.clock.now().isoformat(),
                "method": "PATCH",
                "path": "/api/users/{id}",
                "status": "422",
                "seconds": 0.25,
                "function": "apply_batch",
            }
        ],
        "shared": True,
    }


def test_the_newest_comes_first_and_so_many_are_kept(app: App) -> None:
    process = app.process()
    calls(process, *("/api/sites/s1" for _ in range(KEPT)), "/api/users/u2")
    found = told(app.process())
    assert (len(found), found[0]) == (KEPT, "PATCH /api/users/{id} 200")
    client = client_of(app.redis)
    assert client.llen(KEY) == KEPT
    check_that_every_key_expires(client)


def test_calls_to_others_are_not_kept(app: App) -> None:
    calls(app.process(), "/v1.0/users", service="graph")
    assert told(app.process()) == []


def test_while_redis_is_away_a_process_tells_its_own_and_says_so(app: App) -> None:
    process, other = app.process(), app.process()
    app.redis.connected = False
    calls(process, "/api/users/u1", status="no answer")
    assert last_calls(process)["shared"] is False
    assert told(process) == ["PATCH /api/users/{id} no answer"]
    assert told(other) == []


def test_while_redis_is_left_alone_it_is_not_asked(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    process = app.process()
    app.redis.connected = False
    calls(process, "/api/users/u1")
    monkeypatch.setattr(process.redis, "run", lambda _: pytest.fail("Redis was asked"))
    calls(process, "/api/users/u2")


def test_with_wrong_settings_the_work_goes_on(app: App) -> None:
    process = Runtime({}, Parts(clock=app.clock))
    calls(process, "/api/users/u1")


def test_what_another_release_wrote_otherwise_is_passed_over(app: App) -> None:
    calls(app.process(), "/api/users/u1")
    client_of(app.redis).lpush(KEY, b"{", b'{"at": "yesterday"}', b"[]")
    assert told(app.process()) == ["PATCH /api/users/{id} 200"]
