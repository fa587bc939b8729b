"""A wrong setting ends what needs it at the first try, by name; an outage of the same system is retried."""

from __future__ import annotations

import socket
import sqlite3
import ssl
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import MaxRetryError, NameResolutionError

from shared.clients.http.failures import wrong_setting
from shared.clients.safetyamp import SafetyAmpClient
from shared.clients.vista.driver import VistaConnection
from shared.clients.vista.errors import odbc_error
from tests.e2e.rig import HOSTS, LOGIN, START, Ran, Rig

RigOf = Callable[..., Rig]


class Unreachable(HTTPAdapter):
    """Every look-up of a host's name ends in this error, in the form in which requests gives it."""

    def __init__(self, error: int) -> None:
        super().__init__()
        self._error = error
        self.tries = 0

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.tries += 1
        reason = NameResolutionError("host", HTTPSConnection("host"), socket.gaierror(self._error, "no"))
        reason.__cause__ = socket.gaierror(self._error, "no")
        raise requests.ConnectionError(MaxRetryError(HTTPSConnectionPool("host"), "/", reason))


@pytest.fixture
def rig_of(tmp_path: Path) -> Iterator[RigOf]:
    rigs: list[Rig] = []

    def make(**settings: Any) -> Rig:
        rigs.append(Rig(tmp_path, **settings))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.close()


def without(rig: Rig, url: str, error: int) -> Unreachable:
    """A new process of the app, which cannot look up this host from the first connection on."""
    adapter = Unreachable(error)
    session = Rig._session

    def cut() -> requests.Session:
        made = session(rig)
        made.mount(url, adapter)
        return made

    vars(rig)["_session"] = cut
    rig.stack.close()
    rig.stack = rig._new_stack()
    return adapter


def ended_at_once(rig: Rig, ran: Ran, entity: str, setting: str) -> str:
    """The reason of the entity that failed without anything having been waited for."""
    assert ran.entity(entity)["phase"] == "failed"
    assert rig.clock.now() == START
    reason: str = ran.entity(entity)["reason"]
    assert setting in reason
    return reason


@pytest.mark.parametrize(
    ("url", "entity", "setting"),
    [
        (HOSTS["safetyamp"], "departments", "SAFETYAMP_BASE_URL"),
        (HOSTS["samsara"], "vehicles", "SAMSARA_BASE_URL"),
        (HOSTS["graph"], "employees", "MS_GRAPH_BASE_URL"),
        (LOGIN, "employees", "MS_GRAPH_AUTHORITY"),
    ],
)
def test_an_unknown_host_is_asked_for_once_and_a_name_server_that_is_away_again(
    rig_of: RigOf, url: str, entity: str, setting: str
) -> None:
    rig = rig_of()
    unknown = without(rig, url, socket.EAI_NONAME)
    reason = ended_at_once(rig, rig.run(entities=(entity,)), entity, setting)
    assert "is not known here: check its spelling" in reason
    assert "VISTA" not in reason
    assert unknown.tries == 1

    away = without(rig, url, socket.EAI_AGAIN)
    assert rig.run(entities=(entity,)).entity(entity)["phase"] == "failed"
    assert away.tries > 1
    assert rig.clock.now() > START


@pytest.mark.parametrize(
    ("settings", "entity"),
    [
        ({"VISTA_REGION_COLUMN": "udNone"}, "departments"),
        ({"VISTA_TITLE_COLUMN": "udNone"}, "titles"),
        ({"VISTA_TITLE_COLUMN": "udNone"}, "employees"),
        ({"VISTA_CONNECTION_STRING": "sqlite:///nowhere.db"}, "departments"),
    ],
)
def test_what_vista_lacks_is_asked_for_once(rig_of: RigOf, settings: dict[str, str], entity: str) -> None:
    rig = rig_of(**settings)
    (setting,) = settings
    ended_at_once(rig, rig.run(entities=(entity,)), entity, setting)


def test_a_table_that_vista_lacks_is_asked_for_once(rig_of: RigOf) -> None:
    rig = rig_of()
    with sqlite3.connect(rig.database) as vista:
        vista.execute("DROP TABLE bPRDP")
    reason = ended_at_once(rig, rig.run(entities=("departments",)), "departments", "VISTA_CONNECTION_STRING")
    assert "table bPRDP" in reason


def test_a_driver_that_is_missing_is_asked_for_once(rig_of: RigOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyodbc", None)
    rig = rig_of(VISTA_CONNECTION_STRING="SERVER=sql.acme.test;DATABASE=V")
    reason = ended_at_once(rig, rig.run(entities=("titles",)), "titles", "VISTA_CONNECTION_STRING")
    assert "install the ODBC Driver 18" in reason


@pytest.mark.parametrize(("number", "tries"), [(229, 1), (978, 1), (976, 3), (1222, 3), (40613, 3)])
def test_a_server_that_is_busy_is_tried_again_and_one_that_refuses_is_not(
    rig_of: RigOf, monkeypatch: pytest.MonkeyPatch, number: int, tries: int
) -> None:
    asked: list[int] = []

    def fail(*_: Any, **__: Any) -> Any:
        asked.append(number)
        raise odbc_error(Exception("42000", f"[42000] [Microsoft]It says so of 'bPRDP'. ({number})"))

    monkeypatch.setattr(VistaConnection, "rows", fail)
    ran = rig_of().run(entities=("departments",))
    assert ran.entity("departments")["phase"] == "failed"
    assert f"error {number}" in ran.entity("departments")["reason"]
    assert len(asked) == tries


def test_a_directory_without_accounts_says_what_to_check_in_the_directory(rig_of: RigOf) -> None:
    rig = rig_of()
    rig.company.graph_users.clear()
    rig.publish()
    reason = rig.run(entities=("employees",)).entity("employees")["reason"]
    assert "Microsoft Graph users" in reason
    assert "MS_GRAPH_TENANT_ID" in reason
    assert "VISTA" not in reason


def test_a_certificate_that_is_not_trusted_any_more_ends_the_entity_and_not_the_record(
    rig_of: RigOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = rig_of()
    untrusted = ssl.SSLCertVerificationError(1, "certificate verify failed")
    untrusted.verify_code = 20
    error = wrong_setting(requests.exceptions.SSLError(untrusted), HOSTS["safetyamp"], "SAFETYAMP_BASE_URL")
    assert error is not None
    create = SafetyAmpClient.create
    tries: list[str] = []

    def refuse(client: SafetyAmpClient, resource: str, payload: dict[str, Any]) -> dict[str, Any]:
        if resource != "users":
            return create(client, resource, payload)
        tries.append(resource)
        raise error

    monkeypatch.setattr(SafetyAmpClient, "create", refuse)
    ran = rig.run()
    assert tries == ["users"]
    assert ran.entity("employees")["phase"] == "failed"
    assert all("REQUESTS_CA_BUNDLE" in problem["reason"] for problem in ran.entity("employees")["problems"])
