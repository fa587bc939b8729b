"""Secrets through azure-keyvault-secrets and azure-identity, from a vault over https with its challenge."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.simulators.managed_identity import SYSTEM_ASSIGNED
from shared import identity, key_vault
from shared.config import load_settings
from shared.errors import ConfigurationError
from shared.key_vault import LONGEST_PAUSE_SECONDS, key_vault_secrets
from tests.doubles.silent_server import silent_server
from tests.integration.key_vault_rig import IDENTITY, VAULT_HOST, KeyVaultRig, key_vault_rig

TOKEN = "safetyamp-t0ken"
COMPLETE = {
    "SAFETYAMP_FQDN": "company.safetyamp.com",
    "MS_GRAPH_TENANT_ID": "tenant",
    "MS_GRAPH_CLIENT_ID": "client",
    "SERVICE_BUS_CONNECTION": "Endpoint=sb://bus/;SharedAccessKeyName=n;SharedAccessKey=k",
    "AZUREWEBJOBSSTORAGE": "UseDevelopmentStorage=true",
}


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyVaultRig]:
    with key_vault_rig(tmp_path, monkeypatch) as running:
        yield running


def problem(setting: str, rig: KeyVaultRig, client_id: str | None = None) -> str:
    """What is told about one secret, by a new client."""
    with pytest.raises(ConfigurationError) as caught:
        key_vault_secrets(rig.url, client_id)(setting)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    [found] = caught.value.problems
    assert found.setting == setting
    assert f"secret {setting.replace('_', '-')} could not be read from Key Vault" in found.text
    assert TOKEN not in found.text
    return found.text


def test_a_secret_comes_after_the_vaults_challenge_with_a_token_for_the_vault(rig: KeyVaultRig) -> None:
    rig.vault.put("SAFETYAMP-TOKEN", TOKEN)
    assert key_vault_secrets(rig.url)("SAFETYAMP_TOKEN") == TOKEN
    assert [call.status for call in rig.vault.calls] == [401, 200]
    assert rig.vault.calls[0].path == "/secrets/SAFETYAMP-TOKEN/"
    domain = rig.url.partition(".")[2]
    assert rig.identity.issued == [(SYSTEM_ASSIGNED, f"https://{domain}")]


def test_one_token_serves_all_secrets(rig: KeyVaultRig) -> None:
    rig.vault.put("SAFETYAMP-TOKEN", TOKEN)
    read = key_vault_secrets(rig.url)
    assert [read("SAFETYAMP_TOKEN"), read("SAFETYAMP_TOKEN"), read("REDIS_PASSWORD")] == [TOKEN, TOKEN, None]
    assert len(rig.identity.issued) == 1
    assert [call.status for call in rig.vault.calls] == [401, 200, 200, 404]


def test_the_user_assigned_identity_is_asked_by_its_client_id(rig: KeyVaultRig) -> None:
    rig.vault.put("SAFETYAMP-TOKEN", TOKEN)
    rig.identity.identities = {IDENTITY}
    assert key_vault_secrets(rig.url, IDENTITY)("SAFETYAMP_TOKEN") == TOKEN
    assert [client_id for client_id, _ in rig.identity.issued] == [IDENTITY]


def test_the_newest_version_counts(rig: KeyVaultRig) -> None:
    rig.vault.put("SAFETYAMP-TOKEN", "the old one")
    rig.vault.put("safetyamp-token", TOKEN)
    assert key_vault_secrets(rig.url)("SAFETYAMP_TOKEN") == TOKEN


def test_the_settings_take_from_the_vault_what_the_environment_lacks(rig: KeyVaultRig) -> None:
    rig.vault.put("SAFETYAMP-TOKEN", TOKEN)
    rig.vault.put("VISTA-CONNECTION-STRING", "SERVER=h")
    rig.vault.put("MS-GRAPH-CLIENT-SECRET", "not this one")
    settings = load_settings(
        {**COMPLETE, "AZURE_KEY_VAULT_URL": rig.url, "MS_GRAPH_CLIENT_SECRET": "the environment's"},
        key_vault_secrets,
    )
    assert settings.safetyamp_token.get_secret_value() == TOKEN
    assert settings.ms_graph_client_secret.get_secret_value() == "the environment's"
    assert settings.redis_password is None


def test_all_that_is_wrong_is_told_at_once_each_with_its_reason(rig: KeyVaultRig) -> None:
    rig.vault.put("SAFETYAMP-TOKEN", TOKEN)
    rig.vault.put("VISTA-CONNECTION-STRING", "SERVER=old")
    rig.vault.put("VISTA-CONNECTION-STRING", "SERVER=h", enabled=False)
    with pytest.raises(ConfigurationError) as caught:
        load_settings({**COMPLETE, "AZURE_KEY_VAULT_URL": rig.url}, key_vault_secrets)
    told = {found.setting: found.text for found in caught.value.problems}
    assert "is disabled (403 SecretDisabled): enable its newest version" in told["VISTA_CONNECTION_STRING"]
    assert "is not set" in told["MS_GRAPH_CLIENT_SECRET"]
    assert told.keys() == {"VISTA_CONNECTION_STRING", "MS_GRAPH_CLIENT_SECRET"}


@pytest.mark.parametrize(
    ("inner", "told"),
    [
        ("ForbiddenByRbac", "give it the role Key Vault Secrets User"),
        ("ForbiddenByFirewall", "network rules keep this app out"),
        ("SomethingNew", "403 SomethingNew|SomethingNew: check AZURE_KEY_VAULT_URL"),
    ],
)
def test_a_refusal_says_why(rig: KeyVaultRig, inner: str, told: str) -> None:
    rig.vault.denied = inner
    text = problem("SAFETYAMP_TOKEN", rig)
    assert any(part in text for part in told.split("|"))
    assert inner in text


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_vault_that_throttles_or_fails_is_tried_again_and_not_for_every_secret(
    rig: KeyVaultRig, status: int
) -> None:
    rig.vault.put("SAFETYAMP-TOKEN", TOKEN)
    rig.vault.fail_next(key_vault.RETRIES, status, headers={"Retry-After": "3600"})
    read = key_vault_secrets(rig.url)
    assert read("SAFETYAMP_TOKEN") == TOKEN
    assert rig.pauses == [LONGEST_PAUSE_SECONDS] * key_vault.RETRIES
    rig.vault.fail_next(99, status)
    with pytest.raises(ConfigurationError, match=f"answered {status}.*try again later"):
        read("SAFETYAMP_TOKEN")
    asked = len(rig.vault.calls)
    with pytest.raises(
        ConfigurationError, match=r"SAMSARA_API_KEY: secret SAMSARA-API-KEY .*try again later"
    ):
        read("SAMSARA_API_KEY")
    assert len(rig.vault.calls) == asked


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, "<html>a proxy's page</html>"),
        (200, '{"value": "safetyamp-t0ken", '),
        (200, "{}"),
        (200, "[1]"),
        (404, "<html>no such page</html>"),
        (404, '{"message": "not found"}'),
        (401, "{}"),
    ],
)
def test_an_answer_that_is_no_vaults_is_neither_a_missing_nor_an_empty_secret(
    rig: KeyVaultRig, status: int, body: str
) -> None:
    rig.vault.put("SAFETYAMP-TOKEN", TOKEN)
    rig.vault.fail_next(99, status, body)
    assert "no Key Vault: check the address" in problem("SAFETYAMP_TOKEN", rig)


def test_a_challenge_for_another_domain_gets_no_token(rig: KeyVaultRig) -> None:
    rig.vault.resource = "https://elsewhere.test"
    assert "no Key Vault: check the address" in problem("SAFETYAMP_TOKEN", rig)
    assert rig.identity.issued == []


def test_a_token_that_the_vault_does_not_accept(rig: KeyVaultRig) -> None:
    rig.vault.put("SAFETYAMP-TOKEN", TOKEN)
    rig.vault._accepts = lambda _bearer, _resource: False
    assert "does not accept the app's token (401)" in problem("SAFETYAMP_TOKEN", rig)


def test_a_vault_that_cuts_the_connection(rig: KeyVaultRig) -> None:
    rig.vault.fail_next(99, lose="connection")
    assert "could not be reached (ServiceResponseError)" in problem("SAFETYAMP_TOKEN", rig)


def test_a_vault_whose_certificate_is_not_trusted(rig: KeyVaultRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    assert "could not be reached" in problem("SAFETYAMP_TOKEN", rig)
    assert rig.vault.calls == []


def test_a_vault_that_is_absent(rig: KeyVaultRig) -> None:
    rig.url = f"https://{VAULT_HOST}:1"
    assert "could not be reached (ServiceRequestError): check AZURE_KEY_VAULT_URL" in problem(
        "REDIS_PASSWORD", rig
    )


def test_a_silent_vault_is_given_up(rig: KeyVaultRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_vault, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(key_vault, "READ_SECONDS", 0.2)
    with silent_server() as port:
        rig.url = f"https://{VAULT_HOST}:{port}"
        assert "could not be reached" in problem("SAFETYAMP_TOKEN", rig)


def test_an_identity_that_the_app_does_not_have(rig: KeyVaultRig) -> None:
    text = problem("SAFETYAMP_TOKEN", rig, "99999999-0000-0000-0000-000000000000")
    assert "identity got no token (CredentialUnavailableError)" in text
    assert "AZURE_CLIENT_ID" in text


@pytest.mark.parametrize(
    "fault", [{"status": 500}, {"status": 200, "body": "<html>"}, {"lose": "connection"}, {"status": 404}]
)
def test_trouble_with_the_identity_is_not_told_as_the_vaults_nor_tried_for_ever(
    rig: KeyVaultRig, fault: dict[str, str]
) -> None:
    rig.vault.put("SAFETYAMP-TOKEN", TOKEN)
    rig.identity.fail_next(99, **fault)  # type: ignore[arg-type]
    read = key_vault_secrets(rig.url)
    for setting in ("SAFETYAMP_TOKEN", "SAMSARA_API_KEY"):
        with pytest.raises(ConfigurationError, match=f"{setting}: .*identity got no token"):
            read(setting)
    assert 1 <= len(rig.identity.calls) <= 1 + identity.RETRIES


def test_a_silent_identity_endpoint_is_given_up(rig: KeyVaultRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "READ_SECONDS", 0.2)
    with silent_server() as port:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{port}/msi/token")
        assert "identity got no token (ServiceResponseTimeoutError)" in problem("SAFETYAMP_TOKEN", rig)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


def test_neither_secret_nor_token_is_logged(rig: KeyVaultRig, logged: pytest.LogCaptureFixture) -> None:
    rig.vault.put("SAFETYAMP-TOKEN", TOKEN)
    assert key_vault_secrets(rig.url)("SAFETYAMP_TOKEN") == TOKEN
    assert logged.records
    assert TOKEN not in logged.text
    assert "identity-token" not in logged.text
