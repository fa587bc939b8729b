"""Notices over real HTTP: told once by however many processes, and again when the receiver was ill."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from fakeredis import FakeServer

from local.documents.memory import MemoryDocuments
from local.fake_clock import FakeClock
from shared.clients.http.time_limit import TimeLimit
from shared.config import webhook_key
from shared.errors import CircuitOpen, StorageError
from shared.notices import sender
from shared.notices.episodes import CLAIM, NOTICES
from shared.notices.sender import webhook_headers
from shared.notices.tell import tell_notices
from shared.runtime import Parts, Runtime
from shared.storage.documents import read_json
from shared.sync.documents.runs import EntityStatus, Run, RunRequest, change_run
from shared.sync.runs.finish import finish_run
from shared.sync.runs.requests import request_run
from shared.telemetry.log_format import JsonFormatter, ReadableFormatter
from tests.doubles.webhook_receiver import SECRET_PATH, Receiver, receiving
from tests.unit.engine_rig import REQUIRED, KeptBus
from tests.unit.redis_rig import client_of

SECRET = "whsec_" + "A" * 32
SWEEP_SECONDS = 300


class App:
    """Processes of one app, whose sweeps come one after the other."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.clock = FakeClock()
        self.documents = MemoryDocuments(self.clock)
        self.redis = FakeServer()
        self.settings = {"NOTICE_WEBHOOK_URL": receiver.url, "NOTICE_WEBHOOK_SECRET": SECRET}
        self.settings |= {"NOTICE_BREAKER_MINUTES": "0", "WEBSITE_HOSTNAME": "app.test"}

    def process(self, documents: Any = None) -> Runtime:
        parts = Parts(
            clock=self.clock,
            documents=lambda _: documents or self.documents,
            bus=lambda _: KeptBus(),
            redis=lambda _: lambda: client_of(self.redis),
        )
        return Runtime({**REQUIRED, **self.settings}, parts)

    def run(self, phase: Any, reason: str | None = None, **request: Any) -> str:
        """A run that has ended so."""
        runtime = self.process()
        run_id = request_run(runtime, RunRequest(**request))

        def end(run: Run) -> None:
            for name in run.entities:
                run.entities[name] = EntityStatus(phase, reason, failing=0)

        change_run(self.documents, run_id, end)
        finish_run(runtime, run_id)
        self.clock.advance(1)
        return run_id

    def sweep(self) -> list[str]:
        """Titles of what the receiver heard in this round."""
        before = len(self.receiver.received)
        tell_notices(self.process())
        self.clock.advance(SWEEP_SECONDS)
        return self.receiver.titles[before:]

    @property
    def waiting(self) -> list[str]:
        """Notices that wait for delivery."""
        return [notice["notice_id"] for notice in read_json(self.documents, NOTICES)["outbox"]]


@pytest.fixture
def app() -> Iterator[App]:
    with receiving() as receiver:
        yield App(receiver)


def test_a_failed_run_is_told_once_then_that_it_is_over_and_again_when_it_comes_back(app: App) -> None:
    app.run("done")
    assert app.sweep() == []
    first = app.run("failed", "Vista could not be read")
    assert app.sweep() == [f"Run {first} failed"]
    app.run("failed", "Vista could not be read")
    assert app.sweep() == []
    app.run("done", keys=("1001",), entities=("employees",))
    assert app.sweep() == [], "one record says nothing of the rest"
    app.run("done")
    assert app.sweep() == [f"Over: Run {first} failed"]
    assert app.sweep() == []
    second = app.run("failed", "Vista could not be read")
    assert app.sweep() == [f"Run {second} failed"]
    assert len(set(app.receiver.ids)) == 3


def test_a_held_run_is_told_with_its_reasons_where_to_look_and_what_to_read(app: App) -> None:
    app.run("done")
    run_id = app.run("held", "12 people would be deactivated", entities=("employees",))
    app.sweep()
    (received,) = app.receiver.received
    data = received.body["data"]
    assert data["lines"] == ["employees: 12 people would be deactivated"]
    assert data["url"] == f"https://app.test/dashboard#run/{run_id}"
    assert data["runbook"] == "docs/runbook.md#run-held"
    assert data["environment"] == "local"
    at = datetime.fromtimestamp(int(received.headers["webhook-timestamp"]), UTC)
    assert received.headers["content-type"] == "application/json"
    signed = webhook_headers(received.notice_id, at, received.data, webhook_key(SECRET))
    assert signed.items() <= received.headers.items()


def test_no_run_for_too_long_is_told_and_over_with_the_next_good_one(app: App) -> None:
    app.run("done")
    told = [app.sweep() for _ in range(40)]
    assert [titles for titles in told if titles] == [["No run has ended well for 3 h"]]
    app.run("done")
    assert app.sweep() == ["Over: No run has ended well for 3 h"]


def test_an_open_breaker_is_told_and_redis_away_neither_ends_nor_repeats_it(app: App) -> None:
    app.run("done")
    breaker = app.process().breaker("vista")
    with suppress(CircuitOpen):
        for _ in range(5):
            breaker.before_call()
            breaker.failed()
    assert app.sweep() == ["Vista has been failing for 0 min"]
    app.redis.connected = False
    assert app.sweep() == []
    app.redis.connected = True
    assert app.sweep() == []
    client_of(app.redis).flushall()
    assert app.sweep() == ["Over: Vista has been failing for 0 min"]


def test_without_a_webhook_nothing_is_looked_at(app: App) -> None:
    del app.settings["NOTICE_WEBHOOK_URL"]
    app.run("failed")
    assert app.sweep() == []
    assert app.documents.read(NOTICES) is None


def test_an_answer_that_a_library_complains_about_does_not_bring_the_address_into_the_log(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    app.receiver.answer = "malformed"
    app.run("failed", "why")
    assert len(app.sweep()) == 1
    assert app.waiting == []
    assert "5ecret" in caplog.text, "urllib3 quotes the address"
    for formatter in (JsonFormatter(), ReadableFormatter()):
        lines = [formatter.format(record) for record in caplog.records]
        assert any("Failed to parse headers" in line for line in lines)
        assert "5ecret" not in " ".join(lines)


@pytest.mark.parametrize(
    "answer", [500, 503, 429, 400, 401, 404, 410, 302, 307, "silent", "trickle", "closed"]
)
def test_what_was_not_taken_is_sent_again_under_the_same_id(
    app: App, answer: int | str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.run("done")
    run_id = app.run("failed", "why")
    url = app.settings["NOTICE_WEBHOOK_URL"]
    if answer == "closed":
        app.settings["NOTICE_WEBHOOK_URL"] = f"http://127.0.0.1:9{SECRET_PATH}"
    else:
        app.receiver.answer = answer
    with monkeypatch.context() as patch:
        if answer in ("silent", "trickle"):
            patch.setattr(sender, "READ_SECONDS", 0.3)
            patch.setattr(sender, "LIMIT", TimeLimit(0.6, 2))
        app.sweep()
    assert len(app.waiting) == 1
    app.settings["NOTICE_WEBHOOK_URL"], app.receiver.answer = url, 202
    assert app.sweep() == [f"Run {run_id} failed"]
    assert app.waiting == []
    assert app.sweep() == []
    assert len(set(app.receiver.ids)) == 1
    assert len({(received.path, received.data) for received in app.receiver.received}) == 1
    (error,) = [record for record in caplog.records if record.name.startswith("shared.notices")]
    assert error.levelno == logging.ERROR
    assert "NOTICE_WEBHOOK_URL" in error.getMessage()
    assert "5ecret" not in caplog.text


def test_a_receiver_that_is_away_is_asked_once_per_round_and_then_hears_all_in_order(app: App) -> None:
    app.run("done")
    app.receiver.answer = 503
    first = app.run("failed", "why")
    held = app.run("held", "why")
    app.sweep()
    app.run("done")
    app.sweep()
    assert len(app.receiver.received) == 2
    app.receiver.answer = 202
    assert app.sweep() == [
        f"Run {first} failed",
        f"Run {held} is held until somebody approves or cancels it",
        f"Over: Run {first} failed",
        f"Over: Run {held} is held until somebody approves or cancels it",
    ]


def test_a_notice_that_is_refused_does_not_keep_the_others_back(app: App) -> None:
    app.run("done")
    app.receiver.answer = 400
    app.run("failed", "why")
    app.run("held", "why")
    assert len(app.sweep()) == 2


class Meeting:
    """Documents of a process that waits for the others when it has read the notices for the first time."""

    def __init__(self, documents: MemoryDocuments, barrier: threading.Barrier) -> None:
        self._documents = documents
        self._barrier: threading.Barrier | None = barrier

    def read(self, path: str) -> Any:
        found = self._documents.read(path)
        if path == NOTICES and self._barrier is not None:
            barrier, self._barrier = self._barrier, None
            barrier.wait(30)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_that_sweep_at_once_tell_once(app: App, processes: int) -> None:
    app.run("done")
    run_id = app.run("failed", "why")
    barrier = threading.Barrier(processes)
    threads = [
        threading.Thread(target=tell_notices, args=(app.process(Meeting(app.documents, barrier)),))
        for _ in range(processes)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert app.receiver.titles == [f"Run {run_id} failed"]
    assert app.waiting == []


class DiesAfterDelivery:
    """A process that ends between delivering and writing that down."""

    def __init__(self, app: App) -> None:
        self._app = app

    def __getattr__(self, name: str) -> Any:
        if self._app.receiver.received and name in ("replace", "create", "write"):
            raise StorageError("the process is gone")
        return getattr(self._app.documents, name)


def test_delivered_and_then_dead_is_told_twice_under_one_id_when_the_claim_has_lapsed(app: App) -> None:
    app.run("done")
    run_id = app.run("failed", "why")
    tell_notices(app.process(DiesAfterDelivery(app)))
    app.clock.advance(CLAIM.total_seconds() - 1)
    tell_notices(app.process())
    assert len(app.receiver.received) == 1, "whoever holds the claim may still be at it"
    app.clock.advance(1)
    tell_notices(app.process())
    assert app.receiver.titles == [f"Run {run_id} failed"] * 2
    assert len(set(app.receiver.ids)) == 1
    assert app.waiting == []


def test_a_damaged_document_of_notices_is_begun_anew_and_tells_what_stands(app: App) -> None:
    run_id = app.run("failed", "why")
    app.documents.write(NOTICES, b'{"broken": 1}')
    assert app.sweep() == [f"Run {run_id} failed"]
    assert app.sweep() == []


def test_trouble_of_its_own_never_reaches_the_caller(
    app: App, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.run("failed", "why")
    with monkeypatch.context() as patched:
        patched.setattr("shared.notices.tell.observe", lambda _: 1 / 0)
        assert app.sweep() == []
    assert "notices failed" in caplog.text
    app.settings["NOTICE_WEBHOOK_URL"] = "http://5ecret.test/"
    assert app.sweep() == []
    assert "5ecret" not in caplog.text
