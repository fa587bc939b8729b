"""HTTP functions, given requests as the host sends them; routed by what the worker told the host."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.exceptions import MethodNotAllowed, NotFound

from local.company.model import vista_date
from shared import runtime
from shared.queries.rules_preview import preview_request
from shared.runtime import Runtime
from shared.sync.documents.active import active_run_id
from shared.sync.documents.runs import RunRequest
from shared.sync.runs.requests import request_run
from tests.e2e.rig import START, Rig
from tests.e2e.small_company import FIRST_NUMBER
from tests.worker.functions_host import Entry, FunctionsHost, Invoked
from tests.worker.trigger_data import send_http


def nothing(_: Rig) -> None:
    """The rig as it comes."""


def a_run(rig: Rig) -> str:
    """A run under way."""
    return request_run(rig.stack.runtime, RunRequest())


def a_held_run(rig: Rig) -> str:
    """A run that would switch off three of ten people."""
    rig.run()
    for number in range(FIRST_NUMBER, FIRST_NUMBER + 3):
        rig.person(number)["TermDate"] = vista_date(START.date())
    rig.publish()
    ran = rig.run()
    assert ran.entity("employees")["phase"] == "held"
    return ran.run_id


@dataclass(frozen=True)
class Case:
    """A request, and what of its answer tells that the function did its work. `given` returns the run that
    {run} stands for; else it is the one under way afterwards."""

    method: str
    url: str
    status: int
    holds: dict[str, Any] | str
    given: Callable[[Rig], str | None] = nothing
    body: dict[str, Any] | None = None


def a_finished_run(rig: Rig) -> str:
    """A first load."""
    return rig.run().run_id


def a_preview(rig: Rig) -> str:
    """It has begun to plan under other rules."""
    services = rig.stack.runtime
    return request_run(services, preview_request(services.documents, "version = 1"))


HTTP = {
    "health": Case("GET", "/health", 200, {"status": "healthy"}),
    "ready": Case("GET", "/ready", 200, {"status": "ready", "missing": []}),
    "metrics": Case("GET", "/metrics", 200, "# TYPE sync_operations_total counter"),
    "start_sync": Case("POST", "/api/sync/all?mode=plan", 202, {"url": "/api/runs/{run}"}),
    "show_run": Case("GET", "/api/runs/{run}", 200, {"run_id": "{run}"}, a_run),
    "show_plan": Case("GET", "/api/runs/{run}/plan", 200, '"deactivate"', a_held_run),
    "show_report": Case("GET", "/api/runs/{run}/report", 200, "<!doctype html>", a_held_run),
    "show_runs": Case("GET", "/api/runs?limit=1", 200, '"run_id": "{run}"', a_run),
    "show_changes": Case(
        "GET", "/api/runs/{run}/changes?entity=jobs", 200, '"entity": "jobs"', a_finished_run
    ),
    "approve_run": Case("POST", "/api/runs/{run}/approve", 202, {"run_id": "{run}"}, a_held_run),
    "cancel_run": Case("POST", "/api/runs/{run}/cancel", 202, {"run_id": "{run}"}, a_run),
    "show_decisions": Case("GET", "/api/decisions", 200, {"decisions": [], "next": None, "problems": []}),
    "show_rules": Case("GET", "/api/rules", 200, {"source": "default", "version": None}),
    "list_rules": Case("GET", "/api/rules/history", 200, {"in_force": 0, "versions": []}),
    "compare_rules": Case("GET", "/api/rules/diff?a=0", 200, {"a": 0, "b": 0, "rules": [], "lines": []}),
    "preview_rules": Case(
        "POST", "/api/rules/preview", 202, {"run_id": "{run}"}, body={"text": "version = 1"}
    ),
    "show_rules_preview": Case("GET", "/api/rules/preview/{run}", 200, {"phase": "running"}, a_preview),
    "push_rules": Case(
        "POST", "/api/rules", 200, {"in_force": 1, "changed": True}, body={"text": "version = 1", "who": "Jo"}
    ),
    "roll_back_rules": Case("POST", "/api/rules/rollback", 200, {"changed": False}, body={"version": 0}),
    "show_control": Case("GET", "/api/control", 200, {"paused": {}}),
    "pause_sync": Case("POST", "/api/pause/jobs?reason=audit%20of%20sites", 200, "audit of sites"),
    "pause_any": Case(
        "POST",
        "/api/pause",
        200,
        "until noon",
        body={"entity": "titles", "reason": "until noon", "who": "Jo"},
    ),
    "resume_sync": Case("POST", "/api/resume/all", 200, {"paused": {}}),
    "resume_any": Case("POST", "/api/resume", 200, {"paused": {}}, body={"entity": "all"}),
    "delete_cache": Case("DELETE", "/api/cache/all", 503, "Redis"),
    "show_failures": Case("GET", "/api/failures", 200, '"groups"', a_finished_run),
    "show_fix_list": Case("GET", "/api/fix-list?owner=hr", 200, '"groups"', a_finished_run),
    "name_records": Case(
        "POST",
        "/api/names",
        200,
        f'"{FIRST_NUMBER}": "',
        a_finished_run,
        {"entity": "employees", "keys": [str(FIRST_NUMBER)]},
    ),
    "show_trends": Case("GET", "/api/trends", 200, '"complete_since"', a_finished_run),
    "show_last_calls": Case("GET", "/api/last-calls", 200, {"shared": False}),
    "retry_failures": Case("POST", "/api/failures/retry", 202, {"run_id": "{run}"}, body={"entity": "jobs"}),
    "show_dead_letters": Case("GET", "/api/dead-letters", 200, "dead_letters"),
    "resubmit_dead_letters": Case("POST", "/api/dead-letters/resubmit", 200, {"results": []}, body={}),
    "search_records": Case(
        "POST", "/api/search", 200, str(FIRST_NUMBER), a_finished_run, {"text": str(FIRST_NUMBER)}
    ),
    "explain_record": Case(
        "GET", f"/api/records/employees/{FIRST_NUMBER}", 200, {"key": str(FIRST_NUMBER)}, a_finished_run
    ),
    "explain_any_record": Case(
        "GET", f"/api/records/employees?key={FIRST_NUMBER}", 200, {"key": str(FIRST_NUMBER)}, a_finished_run
    ),
    "show_history": Case(
        "GET",
        f"/api/history/employees?key={FIRST_NUMBER}",
        200,
        {"key": str(FIRST_NUMBER), "next": None},
        a_finished_run,
    ),
    "show_me": Case("GET", "/api/me", 200, {"sign_in": "keys", "kind": "key", "name": None}),
    "show_status": Case("GET", "/api/status", 200, '"dependencies"'),
    "show_settings": Case("GET", "/api/settings", 200, '"VISTA_CONNECTION_STRING"'),
    "show_openapi": Case("GET", "/api/openapi.json", 200, {"openapi": "3.1.0"}),
    "dashboard": Case("GET", "/dashboard", 200, "<!doctype html>"),
}
"""Function to the request that must reach it."""


def send(
    host: FunctionsHost,
    rig: Rig,
    method: str,
    url: str,
    entry: Entry = "protobuf",
    body: dict[str, Any] | None = None,
) -> tuple[str, Invoked]:
    """A request; the function that took it, and how that ended."""
    sent = b"" if body is None else json.dumps(body).encode()
    return send_http(host, rig.stack.options, method, url, sent, entry)


@pytest.mark.parametrize("entry", ["protobuf", "native"])
@pytest.mark.parametrize("function", HTTP)
def test_a_request_reaches_its_function_and_is_answered(
    host: FunctionsHost, rig: Rig, function: str, entry: Entry
) -> None:
    case = HTTP[function]
    run_id = case.given(rig) or ""
    reached, invoked = send(host, rig, case.method, case.url.replace("{run}", run_id), entry, case.body)
    assert (reached, invoked.error) == (function, None)
    assert invoked.status == case.status
    # The page holds no data, and is asked for again at each visit.
    assert invoked.headers["cache-control"] == ("no-cache" if function == "dashboard" else "no-store")
    if isinstance(case.holds, str):
        assert case.holds.replace("{run}", run_id) in invoked.body.decode()
    else:
        assert invoked.headers["content-type"] == "application/json"
        run_id = run_id or active_run_id(rig.documents) or ""
        wanted = json.loads(json.dumps(case.holds).replace("{run}", run_id))
        assert {name: invoked.json[name] for name in wanted} == wanted


def test_a_manual_sync_starts_a_run_and_says_where_it_is(host: FunctionsHost, rig: Rig) -> None:
    _, first = send(host, rig, "POST", "/api/sync/employees?refresh=true")
    assert first.status == 202
    assert first.headers["location"] == f"/api/runs/{rig.active}"
    _, second = send(host, rig, "POST", "/api/sync/employees")
    assert second.status == 409
    assert second.headers["content-type"] == "application/problem+json"
    assert second.json["run_id"] == rig.active


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("POST", "/api/sync/people", 400),
        ("POST", "/api/sync/all?mode=pretend", 400),
        ("GET", "/api/runs/20260302-120000-000000", 404),
        ("GET", "/api/runs/..", 400),
        ("POST", "/api/runs/20260302-120000-000000/approve", 404),
    ],
)
def test_what_a_caller_got_wrong_is_a_problem_document(
    host: FunctionsHost, rig: Rig, method: str, url: str, status: int
) -> None:
    _, invoked = send(host, rig, method, url)
    assert (invoked.error, invoked.status, invoked.json["status"]) == (None, status, status)
    assert invoked.headers["content-type"] == "application/problem+json"
    assert active_run_id(rig.documents) is None


def test_a_probe_may_ask_with_head(host: FunctionsHost, rig: Rig) -> None:
    for url in ("/health", "/ready"):
        assert send(host, rig, "HEAD", url)[1].status == 200


@pytest.mark.parametrize(("method", "url"), [("GET", "/api/sync/all"), ("DELETE", "/api/runs/x")])
def test_other_methods_have_no_function(host: FunctionsHost, rig: Rig, method: str, url: str) -> None:
    with pytest.raises(MethodNotAllowed):
        send(host, rig, method, url)
    with pytest.raises(NotFound):
        send(host, rig, method, "/admin/host/status")


def test_without_settings_readiness_names_what_is_missing(host: FunctionsHost, rig: Rig) -> None:
    runtime.use(Runtime({}))
    _, invoked = send(host, rig, "GET", "/ready")
    assert invoked.status == 503
    assert any("SAFETYAMP_TOKEN" in reason for reason in invoked.json["missing"])
    assert send(host, rig, "GET", "/health")[1].status == 200


def test_an_error_that_nobody_foresaw_is_a_problem_document_without_its_text(
    host: FunctionsHost, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(rig.documents, "read", broken)
    _, invoked = send(host, rig, "GET", "/api/control")
    assert (invoked.error, invoked.status) == (None, 500)
    assert invoked.json["detail"] == "unexpected ZeroDivisionError"
    assert b"mistake" not in invoked.body
