"""What the doctor says of settings, Key Vault, sign-in, telemetry's connection and the ODBC driver."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from shared.config import SECRET_SETTINGS
from shared.doctor import odbc, sign_in, telemetry
from shared.doctor.settings import KEY_VAULT, MEND, PLAUSIBLE, READABLE
from shared.errors import Advised, ConfigurationError
from shared.runtime import Runtime
from tests.unit.doctor_rig import DoctorRig
from tests.unit.engine_rig import REQUIRED

KEY = "InstrumentationKey=00000000-0000-0000-0000-00000005ec2e"
VAULT = "https://secrets.vault.azure.net"


# -- settings --------------------------------------------------------------------------------------------


def test_settings_that_can_be_read_are_told_with_the_environment_that_they_are_for() -> None:
    found = DoctorRig(ENVIRONMENT="staging").only(READABLE)
    assert (found.check, found.status) == ("settings", "ok")
    assert found.seen == "all settings can be read (ENVIRONMENT is staging)"


def test_every_problem_of_the_settings_is_a_finding_of_its_own() -> None:
    rig = DoctorRig()
    rig.runtime = Runtime(
        {
            **{name: text for name, text in REQUIRED.items() if name != "SAFETYAMP_TOKEN"},
            "MAX_RETRY_ATTEMPTS": "many-5ecret",
            "SYNC_SCHEDULE": "never-5ecret",
        }
    )
    found = rig.findings(READABLE)
    assert {finding.check for finding in found} == {"settings"}
    assert {finding.status for finding in found} == {"failed"}
    assert sorted(finding.settings for finding in found) == [
        ("MAX_RETRY_ATTEMPTS",),
        ("SAFETYAMP_TOKEN",),
        ("SYNC_SCHEDULE",),
    ]
    by_setting = {finding.settings[0]: finding for finding in found}
    missing = by_setting["SAFETYAMP_TOKEN"]
    assert missing.seen == "SAFETYAMP_TOKEN: is not set"
    assert missing.advice.startswith("Set it as an environment variable (or as a secret in Key Vault)")
    assert by_setting["MAX_RETRY_ATTEMPTS"].advice == MEND


def test_each_suspicious_setting_and_each_mistyped_name_is_a_warning() -> None:
    found = DoctorRig(GUARD_MAX_PERCENT="100", SAFETYAMP_TOKN="x").findings(PLAUSIBLE)
    assert [(finding.check, finding.status, finding.settings) for finding in found] == [
        ("settings.plausible", "warning", ("GUARD_MAX_PERCENT",)),
        ("settings.plausible", "warning", ("SAFETYAMP_TOKN",)),
    ]
    assert all(finding.advice for finding in found)


def test_ordinary_settings_are_plausible() -> None:
    found = DoctorRig().only(PLAUSIBLE)
    assert (found.status, found.seen) == ("ok", "no suspicious combination of settings")


# -- Key Vault -------------------------------------------------------------------------------------------


class Vault:
    """Stands in for the source of secrets; `error` is what the vault has against being asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error: Exception | None = None
        self.made: list[tuple[str, str | None]] = []
        self.asked: list[str] = []
        self.seconds = 0.0
        monkeypatch.setattr("shared.key_vault.key_vault_secrets", self._source)
        self.secrets = {name: "s5ecret" for name in SECRET_SETTINGS}
        webhook = {
            "NOTICE_WEBHOOK_URL": "https://hooks.example/5ecret",
            "NOTICE_WEBHOOK_SECRET": "whsec_" + "A" * 32,
        }
        self.rig = DoctorRig(
            AZURE_KEY_VAULT_URL=VAULT,
            AZURE_CLIENT_ID="identity-1",
            **{name: text for name, text in {**self.secrets, **webhook}.items() if name not in REQUIRED},
        )

    def _source(self, url: str, client_id: str | None) -> Callable[[str], str | None]:
        self.made.append((url, client_id))
        return self._read

    def _read(self, setting: str) -> str | None:
        self.asked.append(setting)
        self.rig.clock.advance(self.seconds)
        if self.error is not None:
            raise self.error
        return "s5ecret"


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Vault:
    return Vault(monkeypatch)


def test_a_vault_that_answers_is_asked_for_one_secret_as_the_apps_identity(vault: Vault) -> None:
    vault.seconds = 1.5
    found = vault.rig.only(KEY_VAULT)
    assert (found.check, found.status, found.seen) == ("key_vault", "ok", "the vault answers")
    assert found.latency_ms == 1500
    assert vault.made[-1] == (VAULT, "identity-1")
    assert vault.asked == [SECRET_SETTINGS[0]]


def test_a_vault_that_does_not_answer_is_a_warning_for_the_settings_at_hand_are_complete(
    vault: Vault,
) -> None:
    vault.error = ConfigurationError.of(
        "SAFETYAMP_TOKEN", Advised("no vault there", "check AZURE_KEY_VAULT_URL")
    )
    found = vault.rig.only(KEY_VAULT)
    assert (found.status, found.seen) == ("warning", "SAFETYAMP_TOKEN: no vault there")
    assert (found.advice, found.settings) == ("Check AZURE_KEY_VAULT_URL", ("AZURE_KEY_VAULT_URL",))


def test_an_error_of_the_vault_that_nobody_thought_of_is_a_finding_without_its_text(vault: Vault) -> None:
    vault.error = RuntimeError("5ecret")
    found = vault.rig.only(KEY_VAULT)
    assert (found.status, found.seen) == ("failed", "unexpected RuntimeError, see the log")
    assert found.advice == "Check the vault's network rules and DNS"


def test_without_a_vault_there_is_none_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    found = DoctorRig().only(KEY_VAULT)
    assert (found.status, found.seen) == ("skipped", "not used: all secrets come from the environment")


# -- signing in ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({}, None),
        ({"SIGN_IN": "keys"}, None),
        ({"SIGN_IN": "keys", "WEBSITE_AUTH_ENABLED": "True"}, None),
        ({"SIGN_IN": "entra"}, "failed"),
        ({"SIGN_IN": "entra", "WEBSITE_AUTH_ENABLED": "False"}, "failed"),
        ({"SIGN_IN": "entra", "WEBSITE_AUTH_ENABLED": "True"}, "ok"),
        ({"SIGN_IN": "entra", "SIGN_IN_PROXY": "container-apps"}, "failed"),
        ({"SIGN_IN": "entra", "SIGN_IN_PROXY": "container-apps", "CONTAINER_APP_NAME": "app"}, "ok"),
    ],
)
def test_where_people_shall_sign_in_azure_must_stand_in_front(
    settings: dict[str, str], status: str | None
) -> None:
    found = DoctorRig(**settings).findings(sign_in.CHECK)
    assert [finding.status for finding in found] == ([status] if status else [])
    if status == "failed":
        assert "SIGN_IN is entra, but nothing says" in found[0].seen
        assert "signIn 'entra'" in found[0].advice
        assert found[0].settings == ("SIGN_IN",)


# -- telemetry -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "status", "told"),
    [
        ({}, "skipped", "is not set: nothing is sent"),
        ({"ENVIRONMENT": "prod"}, "warning", "is not set: nobody sees what happens here"),
        ({"APPLICATIONINSIGHTS_CONNECTION_STRING": KEY}, "ok", "the connection string can be read"),
        ({"APPLICATIONINSIGHTS_CONNECTION_STRING": "5ecret"}, "failed", "a part of it is no NAME=value"),
        ({"APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=5ecret"}, "failed", "no GUID"),
    ],
)
def test_an_app_in_azure_without_telemetry_and_one_with_a_wrong_string_are_told(
    settings: dict[str, str], status: str, told: str
) -> None:
    found = DoctorRig(**settings).only(telemetry.CHECK)
    assert (found.status, told in found.seen) == (status, True)
    assert found.settings == ("APPLICATIONINSIGHTS_CONNECTION_STRING",)
    assert bool(found.advice) is (status in ("warning", "failed"))


# -- the ODBC driver -------------------------------------------------------------------------------------


@pytest.fixture
def drivers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What pyodbc lists on this machine."""
    listed: list[str] = []
    monkeypatch.setitem(sys.modules, "pyodbc", SimpleNamespace(drivers=lambda: listed, version="5.2.0"))
    return listed


def with_vista(text: str) -> Any:
    return DoctorRig(VISTA_CONNECTION_STRING=text).only(odbc.CHECK)


def test_the_drivers_of_the_machine_are_asked_of_pyodbc(drivers: list[str]) -> None:
    drivers += ["SQLite3", "ODBC Driver 18 for SQL Server"]
    found = with_vista("SERVER=h;PWD=vista-5ecret")
    assert (found.status, found.seen) == (
        "ok",
        "the newest ODBC Driver for SQL Server is used; installed: ODBC Driver 18 for SQL Server, SQLite3;"
        " pyodbc 5.2.0",
    )


def test_a_driver_that_is_not_installed_is_a_failure_with_what_to_install(drivers: list[str]) -> None:
    found = with_vista("DRIVER={ODBC Driver 18 for SQL Server};SERVER=h;PWD=vista-5ecret")
    assert (found.status, found.settings) == ("failed", ("VISTA_CONNECTION_STRING",))
    assert "installed: none" in found.seen
    assert found.advice.startswith("Install the ODBC Driver 18 for SQL Server")


def test_without_the_driver_manager_both_are_to_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyodbc", None)
    found = with_vista("SERVER=h;PWD=vista-5ecret")
    assert (found.status, found.seen) == ("failed", "the ODBC driver manager (unixODBC) is missing")
    assert found.advice.startswith("Install unixODBC and the ODBC Driver 18 for SQL Server")


def test_a_vista_in_a_file_needs_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyodbc", None)
    assert with_vista("sqlite:///vista.db").status == "skipped"
