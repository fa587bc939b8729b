"""`/ready`: 200 or 503 with names, for anybody, and soon."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from functions import health
from shared import runtime
from shared.doctor import running
from shared.errors import DatabaseError, StorageError
from shared.runtime import Parts, Runtime
from tests.e2e.rig import Rig
from tests.unit.engine_rig import REQUIRED


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.close()


def ready() -> tuple[int, Any]:
    request = func.HttpRequest("GET", "/ready", body=b"")
    answer = health.ready.build().get_user_function()(request)
    return answer.status_code, json.loads(answer.get_body())


def test_ready_also_without_redis(rig: Rig) -> None:
    assert ready() == (200, {"status": "ready", "missing": []})


def test_what_is_missing_is_named_and_nothing_more_is_told(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: Any) -> Any:
        raise StorageError("runs/active.json: account s3cret is away: check DOCUMENTS_CONNECTION")

    vars(rig.documents)["read"] = away
    rig.database.unlink()
    with caplog.at_level(logging.WARNING):
        status, told = ready()
    assert (status, told["status"]) == (503, "not ready")
    assert told["missing"] == [
        "documents: DOCUMENTS_CONNECTION, DOCUMENTS_CONTAINER",
        "vista: VISTA_CONNECTION_STRING",
    ]
    assert "does not exist" in caplog.text, "the operator finds the reason in the log"


def test_wrong_settings_are_all_named() -> None:
    runtime.use(Runtime({**REQUIRED, "SAFETYAMP_TOKEN": "", "REDIS_PORT": "s3cret"}))
    try:
        status, told = ready()
    finally:
        runtime.use(None)
    assert status == 503
    assert told["missing"] == ["settings: SAFETYAMP_TOKEN", "settings: REDIS_PORT"]


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Set at the end of the test. Meanwhile no time passes: waiting ends when all but one are through."""
    let_go = threading.Event()

    def all_but_one(futures: Collection[Future[None]], seconds: float) -> None:
        assert seconds <= 4
        while len(pending := [future for future in futures if not future.done()]) > (len(futures) > 1):
            wait_for(pending, return_when="FIRST_COMPLETED")

    monkeypatch.setattr(running, "wait_for", all_but_one)
    yield let_go
    let_go.set()


def test_a_vista_that_hangs_is_missing_and_keeps_nobody_waiting(rig: Rig, hanging: threading.Event) -> None:
    def ping() -> None:
        hanging.wait()
        raise DatabaseError("too late")

    vars(rig.stack.runtime.vista)["ping"] = ping
    for _ in range(2):
        assert ready() == (503, {"status": "not ready", "missing": ["vista: VISTA_CONNECTION_STRING"]})


def test_a_redis_that_hangs_does_not_count(rig: Rig, hanging: threading.Event) -> None:
    def factory() -> Any:
        hanging.wait()
        raise StorageError("too late")

    vars(rig.stack.runtime)["redis_factory"] = factory
    assert ready()[0] == 200


def test_a_vault_that_hangs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()

    def secrets(url: str, client_id: str | None) -> Callable[[str], None]:
        def read(setting: str) -> None:
            let_go.wait()

        return read

    monkeypatch.setattr("shared.key_vault.key_vault_secrets", secrets)
    monkeypatch.setattr(running, "wait_for", lambda futures, seconds: None)
    runtime.use(Runtime({**REQUIRED, "AZURE_KEY_VAULT_URL": "https://v.vault.azure.net"}, Parts()))
    try:
        assert ready() == (503, {"status": "not ready", "missing": ["settings: AZURE_KEY_VAULT_URL"]})
    finally:
        let_go.set()
        runtime.use(None)
