"""The simulators answer over real sockets: HTTP with keep-alive, and MSAL's login over https."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import msal
import pytest
import requests

from local.company.demo import demo_company
from local.host.upstreams import SimulatorServer
from shared.config import Settings

TODAY = date(2026, 3, 11)
COMPANY = demo_company(TODAY, employees=50, jobs=12, vehicles=6)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SimulatorServer]:
    with SimulatorServer(COMPANY, tmp_path, calls=20, period=61) as running:
        yield running


@pytest.fixture
def session(server: SimulatorServer) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.headers.update(safetyamp_headers(server.settings()))
        yield session


def safetyamp_headers(settings: dict[str, str]) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {settings['SAFETYAMP_TOKEN']}",
        "Fqdn": settings["SAFETYAMP_FQDN"],
        "Accept": "application/json",
        "User-Agent": "Acme-Sync/1.0",
    }


def graph_token(settings: dict[str, str], client_key: str | None = None) -> dict[str, Any]:
    application = msal.ConfidentialClientApplication(
        settings["MS_GRAPH_CLIENT_ID"],
        authority=f"{settings['MS_GRAPH_AUTHORITY']}/{settings['MS_GRAPH_TENANT_ID']}",
        client_credential=client_key or settings["MS_GRAPH_CLIENT_SECRET"],
        instance_discovery=False,
    )
    answer: dict[str, Any] = application.acquire_token_for_client(
        scopes=["https://graph.microsoft.com/.default"]
    )
    return answer


def test_the_settings_are_complete_for_the_product(server: SimulatorServer) -> None:
    values = {name.lower(): value for name, value in server.settings().items()}
    settings = Settings.model_validate(values)
    assert settings.api_rate_limit_calls == 20
    assert settings.safetyamp_vehicle_site_id == server.tenant.seeded.vehicle_site_id
    assert Path(server.settings()["REQUESTS_CA_BUNDLE"]).is_absolute()


def test_safetyamp_reads_and_writes_over_one_connection(server: SimulatorServer) -> None:
    settings = server.settings()
    host, _, prefix = settings["SAFETYAMP_BASE_URL"].removeprefix("http://").partition("/")
    headers = {**safetyamp_headers(settings), "Content-Type": "application/json"}
    with closing(HTTPConnection(host, timeout=10)) as connection:
        connection.request("POST", f"/{prefix}/api/user_titles", json.dumps({"name": "Fořeman"}), headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 201
        socket = connection.sock
        connection.request("GET", f"/{prefix}/api/user_titles?page=0&limit=25", headers=headers)
        titles = json.load(connection.getresponse())["data"]
        assert connection.sock is socket
    assert "Fořeman" in [title["name"] for title in titles]


def test_the_rate_limit_and_the_figures_are_visible(
    server: SimulatorServer, session: requests.Session
) -> None:
    base = server.settings()["SAFETYAMP_BASE_URL"]
    statuses = [session.get(f"{base}/api/roles").status_code for _ in range(22)]
    assert statuses == [200] * 20 + [429] * 2
    stats = session.get(f"{server.url}/_sim/stats").json()
    assert (stats["throttled"], stats["peak_window"]) == (2, 20)


def test_msal_logs_in_over_https_and_graph_takes_its_token(
    server: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = server.settings()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", settings["REQUESTS_CA_BUNDLE"])
    headers = {"Authorization": f"Bearer {graph_token(settings)['access_token']}"}
    url: str | None = f"{settings['MS_GRAPH_BASE_URL']}/users?$top=20&$select=id,employeeId"
    ids: list[str] = []
    while url:
        page = requests.get(url, headers=headers, timeout=10).json()
        ids += [user["id"] for user in page["value"]]
        url = page.get("@odata.nextLink")
    assert sorted(ids) == sorted(user["id"] for user in COMPANY.graph_users)


def test_msal_reports_a_wrong_secret(server: SimulatorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", server.settings()["REQUESTS_CA_BUNDLE"])
    answer = graph_token(server.settings(), client_key="wrong")
    assert answer["error"] == "invalid_client"
    assert "AADSTS7000215" in answer["error_description"]


def test_the_login_is_not_trusted_without_its_authority(server: SimulatorServer) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(server.settings()["MS_GRAPH_AUTHORITY"], timeout=10)


def test_samsara_lists_the_fleet(server: SimulatorServer) -> None:
    settings = server.settings()
    answer = requests.get(
        f"{settings['SAMSARA_BASE_URL']}/fleet/vehicles",
        headers={"Authorization": f"Bearer {settings['SAMSARA_API_KEY']}"},
        timeout=10,
    )
    assert [row["id"] for row in answer.json()["data"]] == [row["id"] for row in COMPANY.vehicles]


def test_the_vista_setting_opens_the_filled_database(server: SimulatorServer) -> None:
    path = server.settings()["VISTA_CONNECTION_STRING"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM bPREH WHERE PRCo = 1").fetchone() == (50,)


def test_another_process_can_replace_the_company(server: SimulatorServer) -> None:
    content = {"vehicles": [{"id": "1"}], "drivers": [], "graph_users": []}
    assert requests.post(f"{server.url}/_sim/company", json=content, timeout=10).status_code == 200
    assert requests.post(f"{server.url}/_sim/company", json={}, timeout=10).status_code == 400
    settings = server.settings()
    answer = requests.get(
        f"{settings['SAMSARA_BASE_URL']}/fleet/vehicles",
        headers={"Authorization": f"Bearer {settings['SAMSARA_API_KEY']}"},
        timeout=10,
    )
    assert answer.json()["data"] == [{"id": "1"}]


def test_a_lost_connection_looks_lost_although_the_write_happened(
    server: SimulatorServer, session: requests.Session
) -> None:
    server.tenant.safetyamp.fail_next(lose="connection", after_write=True)
    with pytest.raises(requests.ConnectionError):
        session.post(f"{server.settings()['SAFETYAMP_BASE_URL']}/api/user_titles", json={"name": "Lost"})
    snapshot = session.get(f"{server.url}/_sim/snapshot").json()
    assert [title["name"] for title in snapshot["user_titles"]].count("Lost") == 1


def test_a_stopped_server_answers_nobody_not_even_kept_connections(
    tmp_path: Path,
) -> None:
    server = SimulatorServer(COMPANY, tmp_path)
    server.start()
    with requests.Session() as session:
        assert session.get(f"{server.url}/_sim/stats").status_code == 200
        server.stop()
        with pytest.raises(requests.ConnectionError):
            session.get(f"{server.url}/_sim/stats")


def test_run_simulators_prints_settings_and_keeps_content_over_restarts(tmp_path: Path) -> None:
    first = run_until_terminated(tmp_path, "Kept")
    second = run_until_terminated(tmp_path, None)
    assert "Kept" not in first
    assert "Kept" in second


def run_until_terminated(folder: Path, new_title: str | None) -> list[str]:
    """Titles that a fresh process holds; `new_title` is added before it is ended cleanly."""
    code = (
        "import sys; from pathlib import Path; from local.host.upstreams import run_simulators; "
        "run_simulators(0, Path(sys.argv[1]), employees=5)"
    )
    command = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        settings: dict[str, str] = {}
        while "VISTA_CONNECTION_STRING" not in settings:
            name, _, value = process.stdout.readline().rstrip("\n").partition("=")
            assert name, "the process ended before it had printed its settings"
            settings[name] = value
        base, headers = settings["SAFETYAMP_BASE_URL"], safetyamp_headers(settings)
        titles = requests.get(f"{base}/api/user_titles", headers=headers, timeout=10).json()["data"]
        if new_title:
            body = {"name": new_title}
            requests.post(f"{base}/api/user_titles", headers=headers, json=body, timeout=10)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    return [title["name"] for title in titles]
