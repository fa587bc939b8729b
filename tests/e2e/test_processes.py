"""The app as an operator has it: real processes, real HTTP, real kills."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from local.company.vista_database import connection_string
from tests.e2e.app_process import (
    UpProcess,
    app_settings,
    end_once_when,
    kill_once_when,
    local,
    wait_for,
)
from tests.e2e.processes import SimulatorProcess, run_once
from tests.e2e.rig import doubles

COMPANY = ("--employees", "60", "--calls", "120", "--period", "1")
"""A load of some 260 calls, 120 of them per second."""

INTERRUPTED = 130
WRONG = 2
UNIQUE = {"site_clusters": "external_code", "sites": "ext_id", "user_titles": "name", "assets": "serial"}
CHANGES = ("created", "updated", "deactivated", "failed")
SAMPLE = re.compile(r'[a-z_]+(\{[a-z_]+="[^"\n]*"(,[a-z_]+="[^"\n]*")*\})? [0-9.e+-]+')


@pytest.fixture(scope="module")
def simulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """Upstreams for the tests that do not care what an earlier one has left in them."""
    with SimulatorProcess(tmp_path_factory.mktemp("upstreams"), *COMPANY) as process:
        yield process


def has_created(process: SimulatorProcess, amount: int) -> bool:
    """Whether so many records have been created."""
    return bool(sum(process.stats()["created"].values()) >= amount)


def test_a_first_load_that_is_killed_again_and_again_creates_everything_once(tmp_path: Path) -> None:
    with SimulatorProcess(tmp_path, *COMPANY) as upstreams:
        before = Counter({name: len(rows) for name, rows in upstreams.snapshot().items()})
        settings = app_settings(upstreams.settings, tmp_path)
        for amount in (10, 90, 170):
            kill_once_when(settings, tmp_path, partial(has_created, upstreams, amount))
        last = run_once(upstreams.settings, tmp_path)
        assert last.report["resumed"]
        rows, created = upstreams.snapshot(), Counter(upstreams.stats()["created"])
        assert created.total() > 170
        assert Counter({name: len(rows[name]) for name in rows}) == before + created
        assert not [field for name, field in UNIQUE.items() if doubles(rows[name], field)]
        # Two accounts of one number were there before; the sync reports them and makes no third.
        assert len(doubles(rows["users"], "emp_id")) == 1
        calls = upstreams.stats()["calls"]
        again = run_once(upstreams.settings, tmp_path)
        assert {change for counts in again.counts(CHANGES).values() for change in counts.values()} == {0}
        assert upstreams.stats()["calls"] == calls


def test_a_first_load_that_is_told_to_end_has_written_down_all_it_did(tmp_path: Path) -> None:
    with SimulatorProcess(tmp_path, *COMPANY) as upstreams:
        ended = end_once_when(
            app_settings(upstreams.settings, tmp_path), tmp_path, partial(has_created, upstreams, 90)
        )
        assert ended.returncode == INTERRUPTED
        assert "the same command goes on where this one stopped" in ended.stderr
        progress = [json.loads(path.read_bytes()) for path in tmp_path.glob("documents/runs/*/*/progress/*")]
        results = Counter(outcome["result"] for one in progress for outcome in one["outcomes"])
        created = Counter(upstreams.stats()["created"]).total()
        assert results["created"] == created
        assert {one["started"] for one in progress} == {None}
        last = run_once(upstreams.settings, tmp_path)
        assert last.report["resumed"]
        assert Counter(upstreams.stats()["created"]).total() > created


def test_a_plan_changes_nothing(simulators: SimulatorProcess, tmp_path: Path) -> None:
    before = simulators.snapshot()
    done = local(app_settings(simulators.settings, tmp_path), tmp_path, "once", "--plan", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["phase"] == "planned"
    assert sum(entity["planned"]["create"] for entity in report["entities"].values()) > 0
    assert simulators.snapshot() == before


def test_a_plan_is_told_saved_and_told_again_and_changes_nothing(
    simulators: SimulatorProcess, tmp_path: Path
) -> None:
    before, settings = simulators.snapshot(), app_settings(simulators.settings, tmp_path)
    page = tmp_path / "plan.html"
    done = local(settings, tmp_path, "plan", "--out", str(page))
    assert done.returncode == 0, done.stderr
    assert "people are new" in done.stdout
    assert "next: safetyamp-sync once does what is then still wanted" in done.stdout
    assert b"Are new" in page.read_bytes()
    run_id = re.search(r"Plan of run (\S+): nothing was changed", done.stdout)
    assert run_id is not None
    calls = simulators.stats()["calls"]
    again = json.loads(local(settings, tmp_path, "plan", run_id[1], "--json").stdout)
    assert again["run_id"] == run_id[1]
    assert simulators.snapshot() == before
    assert simulators.stats()["calls"] == calls


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("plan", "20260302-120000-000000"), "20260302-120000-000000"),
        (("plan", "tomorrow"), "RUN"),
        (("plan", "--out", "plan.txt"), "--out"),
        (("plan", "--out", "nowhere/plan.csv"), "nowhere"),
        (("probe", "--out", "nowhere/shapes.json"), "nowhere"),
        (("rehearse", "fire"), "late-approval"),
    ],
)
def test_what_cannot_be_planned_or_rehearsed_is_named(
    simulators: SimulatorProcess, tmp_path: Path, words: tuple[str, ...], named: str
) -> None:
    done = local(app_settings(simulators.settings, tmp_path), tmp_path, *words)
    assert done.returncode in (1, WRONG)
    assert "Traceback" not in done.stderr
    assert named in done.stderr


def test_the_disasters_are_listed(tmp_path: Path) -> None:
    assert "mass-termination" in local({}, tmp_path, "rehearse").stdout


def test_the_real_systems_are_probed_and_nothing_is_written(
    simulators: SimulatorProcess, tmp_path: Path
) -> None:
    before, shapes = simulators.snapshot(), tmp_path / "shapes.json"
    settings = app_settings(simulators.settings, tmp_path)
    done = local(settings, tmp_path, "probe", "--out", str(shapes))
    assert "nothing written" in done.stdout, done.stderr
    assert json.loads(shapes.read_text("utf-8"))["safetyamp"]["resources"]["users"]
    told = json.loads(local(settings, tmp_path, "probe", "--json").stdout)
    assert told["problems"] == {}
    assert simulators.snapshot() == before


def test_looking_does_not_go_on_with_a_run_that_was_killed_and_dropping_it_writes_nothing(
    tmp_path: Path,
) -> None:
    with SimulatorProcess(tmp_path, *COMPANY) as upstreams:
        settings = app_settings(upstreams.settings, tmp_path)
        kill_once_when(settings, tmp_path, partial(has_created, upstreams, 90))
        before = upstreams.snapshot()
        look = local(settings, tmp_path, "once", "--plan")
        assert (look.returncode, look.stdout) == (WRONG, "")
        assert "Go on with it: safetyamp-sync once." in look.stderr
        for_machines = json.loads(local(settings, tmp_path, "once", "--plan", "--json").stdout)
        run_id = for_machines["run_id"]
        assert f"safetyamp-sync once --drop {run_id}" in look.stderr
        assert upstreams.snapshot() == before
        dropped = local(settings, tmp_path, "once", "--drop", run_id, "--json")
        assert json.loads(dropped.stdout)["run_id"] == run_id
        again = local(settings, tmp_path, "once", "--plan", "--json")
        assert (again.returncode, json.loads(again.stdout)["phase"]) == (0, "planned")
        assert upstreams.snapshot() == before
        assert run_once(upstreams.settings, tmp_path).report["phase"] == "done"


@pytest.mark.parametrize("other", ["--approve", "--drop"])
def test_nobody_looks_and_decides_at_once(tmp_path: Path, other: str) -> None:
    done = local({}, tmp_path, "once", "--plan", other, "20260302-120000-000000")
    assert (done.returncode, "not allowed with argument --plan" in done.stderr) == (WRONG, True)


def test_wrong_settings_are_all_named_at_once_and_no_secret_is_printed(tmp_path: Path) -> None:
    settings = {
        "SAFETYAMP_TOKEN": "s3cret-token",
        "SAFETYAMP_BASE_URL": "http://api.example",
        "SYNC_SCHEDULE": "hourly",
        "VISTA_CONNECTION_STRING": "SERVER=x;PWD=s3cret-password",
        "REDIS_PORT": "many",
    }
    done = local(settings, tmp_path, "once")
    assert done.returncode == 2
    missing = ("SAFETYAMP_FQDN", "MS_GRAPH_TENANT_ID", "MS_GRAPH_CLIENT_ID", "MS_GRAPH_CLIENT_SECRET")
    for name in (*missing, "SAFETYAMP_BASE_URL", "SYNC_SCHEDULE", "REDIS_PORT"):
        assert name in done.stderr
    assert "SAFETYAMP_TOKEN" not in done.stderr
    assert "s3cret" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_doctor_finds_a_working_installation(simulators: SimulatorProcess, tmp_path: Path) -> None:
    done = local(app_settings(simulators.settings, tmp_path), tmp_path, "doctor", "--json")
    findings = {finding["check"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert (done.returncode, [name for name in findings if findings[name]["status"] == "failed"]) == (0, [])
    for upstream in ("safetyamp", "samsara", "graph"):
        assert findings[upstream]["status"] == "ok"
        assert findings[f"{upstream}.clock"]["status"] == "ok"
    assert "embedded" in findings["documents"]["seen"]
    assert simulators.settings["SAFETYAMP_TOKEN"] not in done.stdout + done.stderr


def test_the_app_serves_runs_over_http_until_it_is_told_to_stop(
    simulators: SimulatorProcess, tmp_path: Path
) -> None:
    with UpProcess(app_settings(simulators.settings, tmp_path), tmp_path) as app:
        assert app.ask("GET", "/health").json()["status"] == "healthy"
        assert app.ask("GET", "/ready").json() == {"status": "ready", "missing": []}
        check_problem(app.ask("POST", "/api/sync/payroll"), 400, "departments")
        check_problem(app.ask("GET", "/api/runs/20200101-000000-000000"), 404, "20200101-000000-000000")
        started = app.ask("POST", "/api/sync/all")
        assert started.status_code == 202
        location = started.headers["Location"]
        assert location == started.json()["url"]
        refused = check_problem(app.ask("POST", "/api/sync/titles"), 409, "under way")
        assert refused["run_id"] == started.json()["run_id"]
        wait_for(lambda: app.ask("GET", location).json()["phase"] != "running")
        report = app.ask("GET", location).json()
        assert report["entities"]["employees"]["source"] > 0
        assert {entity["phase"] for entity in report["entities"].values()} == {"done"}
        # The report's phase is written before the next run may start.
        wait_for(lambda: app.ask("POST", "/api/sync/titles").status_code == 202)
        check_metrics(app.ask("GET", "/metrics"))
        assert app.terminate() == 0
        assert "Traceback" not in app.output


def test_the_app_says_what_is_missing_and_is_ready_when_it_is_there(
    simulators: SimulatorProcess, tmp_path: Path
) -> None:
    database = tmp_path / "later.db"
    settings = app_settings(
        simulators.settings, tmp_path, VISTA_CONNECTION_STRING=connection_string(database)
    )
    with UpProcess(settings, tmp_path, "--key", "s3cret-key") as app:
        answer = app.ask("GET", "/ready")
        assert answer.status_code == 503
        assert any("VISTA_CONNECTION_STRING" in reason for reason in answer.json()["missing"])
        real = simulators.settings["VISTA_CONNECTION_STRING"].removeprefix("sqlite:///")
        shutil.copy(real, database)
        assert app.ask("GET", "/ready").status_code == 200
        assert app.ask("GET", "/metrics").status_code == 401
        assert app.ask("GET", "/metrics", headers={"x-functions-key": "s3cret-key"}).status_code == 200
        assert app.terminate() == 0
        assert "s3cret" not in app.output


def check_problem(answer: requests.Response, status: int, text: str) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    problem: dict[str, Any] = answer.json()
    assert text in problem["detail"]
    return problem


def check_metrics(answer: requests.Response) -> None:
    assert answer.headers["Content-Type"].startswith("text/plain")
    samples = [line for line in answer.text.splitlines() if not line.startswith("# ")]
    assert [line for line in samples if not SAMPLE.fullmatch(line)] == []
    values = dict(line.rsplit(" ", 1) for line in samples)
    assert float(values["sync_duration_seconds_count"]) >= 1
    endpoint = 'api_requests_total{service="safetyamp",endpoint="POST /safetyamp/api/users",status="2xx"}'
    assert float(values[endpoint]) > 0
    assert float(values["redis_up"]) == 1
