"""Secrets through the vault's real client, over a connection that answers from a script."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlsplit

import azure.keyvault.secrets
import pytest
import requests
from azure.core.pipeline.transport import RequestsTransport

from shared import identity
from shared.errors import ConfigurationError
from shared.key_vault import key_vault_secrets
from tests.unit.scripted_upstream import Script, Step

URL = "https://secrets.vault.azure.net"


class Vault:
    """The vault's client over a script; `identities` notes the client ids of the credentials asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *steps: Step) -> None:
        self._script = Script(*steps)
        self.identities: list[str | None] = []
        transport = RequestsTransport(session=self._script.session(), session_owner=False)
        client = partial(azure.keyvault.secrets.SecretClient, transport=transport)
        monkeypatch.setattr(RequestsTransport, "sleep", lambda _self, _seconds: None)
        monkeypatch.setattr(azure.keyvault.secrets, "SecretClient", client)
        monkeypatch.setattr(identity, "azure_credential", self._credential)

    @property
    def asked(self) -> list[str]:
        """The path of each request."""
        return [str(urlsplit(request.url or "").path).rstrip("/") for request in self._script.requests]

    def _credential(self, client_id: str | None) -> object:
        self.identities.append(client_id)
        return object()


def secret(value: str) -> Step:
    return 200, {"value": value, "id": f"{URL}/secrets/any/1", "attributes": {}}


def refused(status: int, code: str) -> Step:
    return status, {"error": {"code": code, "message": "no"}}


def problem(setting: str, read: Any) -> str:
    """The text of the one problem, which must be the setting's own."""
    with pytest.raises(ConfigurationError) as raised:
        read(setting)
    [found] = raised.value.problems
    assert found.setting == setting
    return found.text


def test_a_setting_is_the_secret_with_dashes(monkeypatch: pytest.MonkeyPatch) -> None:
    vault = Vault(monkeypatch, secret("s3cret"))
    assert key_vault_secrets(URL)("SAFETYAMP_TOKEN") == "s3cret"
    assert vault.asked == ["/secrets/SAFETYAMP-TOKEN"]


def test_nothing_is_asked_before_the_first_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    vault = Vault(monkeypatch, secret("s3cret"))
    key_vault_secrets(URL)
    assert vault.asked == []


def test_the_app_signs_in_as_the_identity_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    vault = Vault(monkeypatch, secret("s3cret"))
    key_vault_secrets(URL, "identity-1")
    assert vault.identities == ["identity-1"]


def test_a_secret_that_the_vault_lacks_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    Vault(monkeypatch, refused(404, "SecretNotFound"))
    assert key_vault_secrets(URL)("REDIS_PASSWORD") is None


def test_a_refusal_is_the_secrets_own_and_the_next_secret_may_be_readable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Vault(monkeypatch, refused(403, "Forbidden"), secret("k3y"))
    read = key_vault_secrets(URL)
    text = problem("SAFETYAMP_TOKEN", read)
    assert "SAFETYAMP-TOKEN" in text
    assert "403 Forbidden" in text
    assert "Key Vault Secrets User" in text
    assert read("SAMSARA_API_KEY") == "k3y"


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (requests.ConnectionError("no route"), "could not be reached (ServiceRequestError)"),
        (requests.ConnectTimeout("slow"), "could not be reached (ServiceRequestTimeoutError)"),
        (requests.ReadTimeout("slow"), "could not be reached (ServiceResponseTimeoutError)"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_vault_out_of_reach_is_named_for_every_secret_and_tried_for_the_first_only(
    monkeypatch: pytest.MonkeyPatch, failure: Exception, reason: str
) -> None:
    vault = Vault(monkeypatch, failure)
    read = key_vault_secrets(URL)
    assert reason in problem("SAFETYAMP_TOKEN", read)
    tries = len(vault.asked)
    text = problem("SAMSARA_API_KEY", read)
    assert reason in text
    assert "SAMSARA-API-KEY" in text
    assert len(vault.asked) == tries
