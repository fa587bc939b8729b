"""What the doctor says of Redis: never a failure of the app, always what to set."""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import Any

import pytest
from redis.exceptions import (
    AuthenticationError,
    ConnectionError,
    NoPermissionError,
    ResponseError,
    TimeoutError,
)

from local.fake_clock import FakeClock
from shared.doctor import redis
from shared.doctor.redis import DEEP, QUICK, WITHOUT
from tests.unit.doctor_rig import DoctorRig
from tests.unit.redis_rig import client_of

ALL = ["redis", "redis.clock", "redis.scripts", "redis.policy", "redis.encryption"]


class Server:
    """A Redis as far as the doctor asks it: `info` by section (None: INFO is not allowed), `ahead` seconds of
    its clock, the error that a command raises. `said` keeps what it was asked."""

    embedded = False

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.info_of: dict[str, dict[str, str]] | None = {
            "server": {"redis_version": "7.4.1"},
            "memory": {"maxmemory_policy": "noeviction"},
        }
        self.ahead = 0.0
        self.seconds_to_answer = 0.0
        self.raises: dict[str, Exception] = {}
        self.said: list[str] = []
        self.scripts: list[str] = []
        self.closed = 0

    def __call__(self) -> Any:
        return self

    def _asked(self, command: str) -> None:
        self.said.append(command)
        self.clock.advance(self.seconds_to_answer)
        if command in self.raises:
            raise self.raises[command]

    def ping(self) -> bool:
        self._asked("ping")
        return True

    def time(self) -> tuple[int, int]:
        self._asked("time")
        theirs = self.clock.now() + timedelta(seconds=self.ahead)
        return int(theirs.timestamp()), theirs.microsecond

    def script_load(self, script: str) -> str:
        self._asked("script")
        self.scripts.append(script)
        return "digest"

    def info(self, section: str) -> dict[str, str]:
        self._asked("info")
        if self.info_of is None:
            raise NoPermissionError("NOPERM this user has no permissions to run the 'info' command")
        return self.info_of.get(section, {})

    def close(self) -> None:
        self.closed += 1


class Rig(DoctorRig):
    """An app whose Redis is `server`."""

    def __init__(self, **settings: str) -> None:
        super().__init__(**settings)
        self.server = Server(self.clock)
        self.put(redis_factory=self.server)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def statuses(rig: Rig) -> dict[str, str]:
    return {check: finding.status for check, finding in rig.look(DEEP).items()}


def test_a_redis_in_order_is_looked_at_all_over_and_told_with_its_version_and_time(rig: Rig) -> None:
    rig.server.seconds_to_answer = 0.25
    found = rig.look(DEEP)
    assert {check: finding.status for check, finding in found.items()} == dict.fromkeys(ALL, "ok")
    assert list(found) == ALL
    assert found["redis"].seen == "answers (Redis 7.4.1)"
    assert found["redis"].latency_ms == 250
    assert not any(finding.advice for finding in found.values())


def test_the_quick_look_pings_only_and_gives_its_connection_back(rig: Rig) -> None:
    assert rig.only(QUICK).status == "ok"
    assert set(rig.server.said) == {"ping", "info"}
    assert rig.server.closed == 1


@pytest.mark.parametrize("check", [QUICK, DEEP], ids=["quick", "deep"])
def test_the_connection_is_given_back_also_when_redis_fails(rig: Rig, check: Any) -> None:
    rig.server.raises["ping"] = ConnectionError("gone")
    rig.findings(check)
    assert rig.server.closed == 1


@pytest.mark.parametrize(
    ("error", "told", "advice"),
    [
        (ConnectionError("Error 111 connecting"), "closed the connection", redis.ADVICE),
        (
            AuthenticationError("WRONGPASS 5ecret"),
            "refused the login",
            "Check REDIS_PASSWORD and REDIS_USERNAME; with REDIS_AUTH=entra, REDIS_USERNAME",
        ),
        (
            AuthenticationError("Authentication required. 5ecret"),
            "wants a login",
            "Set REDIS_PASSWORD, or REDIS_AUTH to entra",
        ),
        (
            TimeoutError("Timeout connecting to server 5ecret"),
            "cannot be reached in time",
            "Check REDIS_HOST, REDIS_PORT and the network rules",
        ),
        (
            ValueError("invalid literal for int(): 5ecret"),
            "answers in no language of Redis",
            "Check REDIS_HOST and REDIS_PORT",
        ),
    ],
    ids=["closed", "wrong password", "no password", "no route", "no Redis"],
)
@pytest.mark.parametrize("check", [QUICK, DEEP], ids=["quick", "deep"])
def test_an_absent_redis_is_a_warning_that_says_what_goes_on_without_it_and_what_to_set(
    rig: Rig, check: Any, error: Exception, told: str, advice: str
) -> None:
    rig.server.raises["ping"] = error
    found = rig.only(check)
    assert (found.check, found.status) == ("redis", "warning")
    assert found.seen == f"{found.seen.split('; ')[0]}; {WITHOUT}"
    assert told in found.seen
    assert found.advice.startswith(advice)
    assert {"REDIS_HOST", "REDIS_PORT", "REDIS_SSL", "REDIS_PASSWORD", "REDIS_AUTH"} <= set(found.settings)


@pytest.mark.parametrize("check", [QUICK, DEEP], ids=["quick", "deep"])
def test_a_client_that_cannot_even_be_made_is_an_absent_redis(rig: Rig, check: Any) -> None:
    def factory() -> Any:
        raise ConnectionError("5ecret") from socket.gaierror(socket.EAI_NONAME, "5ecret")

    rig.put(redis_factory=factory)
    found = rig.only(check)
    assert found.status == "warning"
    assert "no host has the name in REDIS_HOST" in found.seen


def test_what_was_found_before_redis_went_away_is_kept(rig: Rig) -> None:
    rig.server.raises["time"] = ConnectionError("gone")
    found = rig.findings(DEEP)
    assert [(finding.check, finding.status) for finding in found] == [("redis", "ok"), ("redis", "warning")]


@pytest.mark.parametrize(
    ("ahead", "status", "told"),
    [
        (0.0, "ok", "agree within 30 s"),
        (30.25, "warning", "Redis' clock is 30 s ahead of ours"),
        (-45.5, "warning", "Redis' clock is 46 s behind ours"),
        (300.5, "failed", "Redis' clock is 300 s ahead of ours"),
    ],
)
def test_the_clock_of_redis_is_compared_with_ours(rig: Rig, ahead: float, status: str, told: str) -> None:
    rig.server.ahead = ahead
    found = rig.look(DEEP)["redis.clock"]
    assert (found.status, told in found.seen) == (status, True)


def test_a_slow_answer_of_redis_is_no_wrong_clock(rig: Rig) -> None:
    """The time of the answer is taken for that of the middle between question and answer."""
    rig.server.seconds_to_answer = 50
    assert rig.look(DEEP)["redis.clock"].status == "ok"


def test_each_lua_script_of_the_app_is_shown_to_redis(rig: Rig) -> None:
    found = rig.look(DEEP)["redis.scripts"]
    texts = [path.read_text("utf-8") for path in sorted(redis.SCRIPTS.glob("*.lua"))]
    assert texts
    assert rig.server.scripts == texts
    assert found.seen == f"all {len(texts)} scripts are accepted"


def test_a_script_that_redis_does_not_take_is_named_with_what_it_costs(rig: Rig) -> None:
    rig.server.raises["script"] = ResponseError("NOPERM 5ecret")
    found = rig.look(DEEP)["redis.scripts"]
    assert found.status == "failed"
    first = min(path.name for path in redis.SCRIPTS.glob("*.lua"))
    assert found.seen == f"the script {first} is not accepted, so limiter and breaker work per process"
    assert found.advice == "Allow EVALSHA and SCRIPT LOAD to this login"
    assert statuses(rig)["redis.policy"] == "ok", "the rest is looked at nevertheless"


@pytest.mark.parametrize(
    ("info", "status", "told"),
    [
        ({"memory": {"maxmemory_policy": "noeviction"}}, "ok", "noeviction"),
        ({"memory": {"maxmemory_policy": "allkeys-lru"}}, "warning", "is allkeys-lru: with memory full"),
        ({"memory": {}}, "skipped", "does not tell its eviction policy"),
        (None, "skipped", "does not tell its eviction policy"),
    ],
)
def test_a_redis_that_may_throw_away_what_limiter_and_breaker_need_is_told(
    rig: Rig, info: Any, status: str, told: str
) -> None:
    rig.server.info_of = info
    found = rig.look(DEEP)
    assert (found["redis.policy"].status, told in found["redis.policy"].seen) == (status, True)
    assert bool(found["redis.policy"].advice) is (status == "warning")
    assert found["redis"].seen == "answers (Redis of unknown version)"


@pytest.mark.parametrize(
    ("settings", "status", "told"),
    [
        ({"REDIS_HOST": "r.example", "REDIS_SSL": "true"}, "ok", "the certificate is checked"),
        ({"REDIS_HOST": "localhost", "REDIS_SSL": "true"}, "ok", "encrypted, the certificate is checked"),
        ({"REDIS_HOST": "127.0.0.1"}, "ok", "within this machine"),
        ({"REDIS_HOST": "r.example"}, "warning", "unencrypted to another machine"),
    ],
)
def test_only_within_this_machine_may_redis_be_spoken_to_in_the_clear(
    settings: dict[str, str], status: str, told: str
) -> None:
    found = Rig(**settings).look(DEEP)["redis.encryption"]
    assert (found.status, told in found.seen) == (status, True)
    if status == "warning":
        assert (found.advice, found.settings) == ("Set REDIS_SSL=true", ("REDIS_SSL",))


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({}, "ok"),
        ({"REDIS_HOST": "r.example"}, "warning"),
        ({"REDIS_PASSWORD": "p5ecret"}, "warning"),
    ],
)
def test_a_redis_of_the_hosts_own_is_in_order_only_where_the_settings_name_none(
    settings: dict[str, str], status: str
) -> None:
    rig = Rig(**settings)
    rig.server.embedded = True
    vars(rig.server)["description"] = "embedded Redis (r:6379: ConnectionError)"
    found = rig.only(QUICK)
    assert found.status == status
    assert found.seen.startswith("embedded Redis (r:6379: ConnectionError): serves this process alone")
    assert ("although the settings name a server" in found.seen) is (status == "warning")
    assert bool(found.advice) is (status == "warning")
    assert rig.server.said == ["ping"], "the version of what is made here says nothing"


def test_a_redis_that_knows_lua_accepts_all_our_scripts(rig: Rig) -> None:
    found = redis._scripts(client_of(rig.redis))
    assert found.status == "ok"


def test_a_look_does_not_use_the_apps_own_connection_which_may_be_resting(rig: Rig) -> None:
    rig.put(redis=None)
    assert rig.only(QUICK).status == "ok"
