"""smoke.py: content with an app that works, and clear about one that does not."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.unit.infra.programs import load_program

KEY = "k3y"
RUN = "20260131-120000-0a1b2c"
Answers = dict[str, list[tuple[int, Any]]]


smoke = load_program("smoke")


def entity(phase: str = "planned", reason: str | None = None, create: int = 0) -> dict[str, Any]:
    return {"phase": phase, "reason": reason, "planned": {"create": create, "update": 0}}


def healthy() -> Answers:
    """Answers by request, each used up but the last."""
    return {
        "GET /health": [(200, {"status": "healthy", "version": "0.1.0"})],
        "GET /ready": [(200, {"status": "ready", "missing": []})],
        "GET /metrics": [(200, "active_syncs 0")],
        "POST /api/sync/all?mode=plan": [(202, {"run_id": RUN})],
        f"GET /api/runs/{RUN}": [
            (200, {"phase": "running", "entities": {}}),
            (200, {"phase": "planned", "entities": {"jobs": entity(create=3), "vehicles": entity("off")}}),
        ],
    }


@contextmanager
def serving(answers: Answers) -> Iterator[str]:
    """An app that answers so, and /metrics only to the key."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            queue = answers[f"{self.command} {self.path}"]
            status, content = queue.pop(0) if len(queue) > 1 else queue[0]
            if self.path == "/metrics" and self.headers.get("x-functions-key") != KEY:
                status, content = 401, ""
            body = (content if isinstance(content, str) else json.dumps(content)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def patience(seconds: float = 60) -> Any:
    """Waits on a clock that moves by itself."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    return smoke.Patience(seconds, lambda: now[0], sleep)


def test_an_app_that_works_passes_and_tells_its_version() -> None:
    with serving(healthy()) as url:
        assert smoke.check_answers(smoke.App(url, KEY), patience()) == "0.1.0"


def test_an_app_that_becomes_ready_in_time_passes() -> None:
    answers = healthy()
    answers["GET /ready"].insert(0, (503, {"missing": ["vista: no"]}))
    answers["GET /health"].insert(0, (502, "Bad Gateway"))
    with serving(answers) as url:
        assert smoke.check_answers(smoke.App(url, KEY), patience()) == "0.1.0"


@pytest.mark.parametrize(
    ("request_line", "answer", "said"),
    [
        ("GET /health", (503, "Function host is not running."), "/health answered 503: Function host"),
        ("GET /ready", (503, {"missing": ["SAFETYAMP_TOKEN: is not set"]}), "SAFETYAMP_TOKEN: is not set"),
        ("GET /metrics", (401, ""), "/metrics answered 401 to the key in SAFETYAMP_SYNC_KEY"),
    ],
)
def test_an_app_that_does_not_work_fails_with_what_is_missing(
    request_line: str, answer: tuple[int, Any], said: str
) -> None:
    answers = healthy() | {request_line: [answer]}
    with serving(answers) as url, pytest.raises(smoke.NotWorking, match=said.replace("(", r"\(")):
        smoke.check_answers(smoke.App(url, KEY), patience())


PACKAGE = "20261129-231500-1a2b3c4d5e6f.zip"


def test_the_package_before_that_still_answers_is_waited_for() -> None:
    answers = healthy()
    answers["GET /health"] = [
        (200, {"status": "healthy", "version": version})
        for version in ("0.2.0+000000000000", "0.2.0+1a2b3c4d5e6f")
    ]
    with serving(answers) as url:
        assert smoke.check_answers(smoke.App(url, KEY), patience(), PACKAGE) == "0.2.0+1a2b3c4d5e6f"


def test_another_package_than_the_one_that_should_run_is_told_apart() -> None:
    answers = healthy() | {"GET /health": [(200, {"status": "healthy", "version": "0.2.0+000000000000"})]}
    said = rf"version 0\.2\.0\+000000000000 answers, and not yet {PACKAGE}"
    with serving(answers) as url, pytest.raises(smoke.NotWorking, match=said):
        smoke.check_answers(smoke.App(url, KEY), patience(), PACKAGE)


@pytest.mark.parametrize(
    ("version", "package", "released", "gone_back_to"),
    [
        ("0.2.0+1a2b3c4d5e6f.changed", "20261129-231500-1a2b3c4d5e6f.changed.zip", True, True),
        ("0.2.0+1a2b3c4d5e6f.changed", PACKAGE, False, False),
        # 0.1.0 told no commit: released it is the version before, gone back to perhaps the right one.
        ("0.1.0", PACKAGE, False, True),
        ("0.2.0+unknown", PACKAGE, False, True),
        ("0.2.0+1a2b3c4d5e6f", "20261129-231500-unknown.zip", True, True),
        ("0.2.0+1a2b3c4d5e6f", "", True, True),
    ],
)
def test_a_version_is_that_of_the_package_with_its_commit(
    version: str, package: str, released: bool, gone_back_to: bool
) -> None:
    assert smoke.is_of(version, package, strictly=True) is released
    assert smoke.is_of(version, package, strictly=False) is gone_back_to


def test_nobody_there_is_said_so() -> None:
    with serving(healthy()) as url:
        pass
    with pytest.raises(smoke.NotWorking, match="/health answered 0"):
        smoke.check_answers(smoke.App(url, KEY), patience())


@pytest.mark.parametrize(("status", "let_in"), [(200, True), (503, True), (403, False)])
def test_a_machine_that_is_not_let_in_is_told_apart_from_an_app_that_is_not_well(
    status: int, let_in: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(healthy() | {"GET /health": [(status, "<html>")]}) as url:
        assert smoke.main([url, "--reachable"]) == (0 if let_in else 1)
    assert ("appAddresses" in capsys.readouterr().err) == (not let_in)


def test_a_plan_that_holds_nothing_passes_and_is_told_per_entity() -> None:
    with serving(healthy()) as url:
        lines = smoke.check_plan(smoke.App(url, KEY), patience(), allow_held=False)
    assert lines == ["jobs: planned, 3 to create", "vehicles: off, nothing to change"]


def planned(phase: str, **entities: dict[str, Any]) -> Answers:
    return healthy() | {f"GET /api/runs/{RUN}": [(200, {"phase": phase, "entities": entities})]}


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (
            planned("failed", jobs=entity("failed", "SafetyAmp answered 401")),
            "ended as failed; jobs: SafetyAmp",
        ),
        (planned("planned", employees=entity(reason="43 people would be deactivated")), "43 people"),
        (planned("cancelled"), "ended as cancelled"),
    ],
)
def test_a_plan_that_failed_or_would_be_held_does_not_pass(answers: Answers, said: str) -> None:
    with serving(answers) as url, pytest.raises(smoke.NotWorking, match=said):
        smoke.check_plan(smoke.App(url, KEY), patience(), allow_held=False)


def test_somebody_may_allow_plans_that_would_be_held() -> None:
    with serving(planned("planned", employees=entity(reason="43 people"))) as url:
        assert smoke.check_plan(smoke.App(url, KEY), patience(), allow_held=True)


def test_a_run_under_way_is_waited_for() -> None:
    answers = healthy()
    answers["POST /api/sync/all?mode=plan"].insert(
        0, (409, {"title": "Conflict", "detail": "run x is active"})
    )
    with serving(answers) as url:
        assert smoke.check_plan(smoke.App(url, KEY), patience(), allow_held=False)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            (409, {"title": "Paused", "detail": "jobs is paused since"}),
            "no run can be planned: jobs is paused",
        ),
        ((409, {"title": "Conflict", "detail": "run x is active"}), "refused with 409: run x is active"),
        ((503, {"title": "x", "detail": "Service Bus is away"}), "Service Bus is away"),
    ],
)
def test_a_run_that_cannot_start_fails(answer: tuple[int, Any], said: str) -> None:
    answers = healthy() | {"POST /api/sync/all?mode=plan": [answer]}
    with serving(answers) as url, pytest.raises(smoke.NotWorking, match=said):
        smoke.check_plan(smoke.App(url, KEY), patience(), allow_held=False)


@pytest.mark.parametrize(
    ("spoil", "status"), [(lambda answers: None, 0), (lambda answers: answers["GET /ready"].clear(), 1)]
)
def test_the_command_line_ends_with_a_status_and_never_prints_the_key(
    spoil: Callable[[Answers], None],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SAFETYAMP_SYNC_KEY", KEY)
    monkeypatch.setattr(smoke, "PAUSE_SECONDS", 0.0)
    answers = healthy()
    spoil(answers)
    answers["GET /ready"] = answers["GET /ready"] or [(503, {"missing": ["vista: no"]})]
    with serving(answers) as url:
        assert smoke.main([url, "--plan", "--minutes", "0.001"]) == status
    printed = "".join(capsys.readouterr())
    assert KEY not in printed
    assert ("vista: no" in printed) == bool(status)
