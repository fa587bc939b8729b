"""Secrets through the vault's real client, over a connection that answers from a script."""

from __future__ import annotations

import traceback
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import azure.keyvault.secrets
import pytest
import requests
from azure.core.credentials import AccessToken, AccessTokenInfo
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.transport import RequestsTransport
from azure.keyvault.secrets._shared import http_challenge_cache

from shared import identity
from shared.errors import ConfigurationError
from shared.key_vault import (
    LONGEST_PAUSE_SECONDS,
    NO_VAULT,
    RETRIES,
    NoToken,
    _SeparateCredential,
    key_vault_secrets,
)
from tests.doubles.scripted_upstream import Script, Step

URL = "https://secrets.vault.azure.net"


class Vault:
    """The vault's client over a script; `identities` notes the client ids of the credentials asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *steps: Step) -> None:
        self._script = Script(*steps)
        self.identities: list[str | None] = []
        self.credential: Any = object()
        self.pauses: list[float] = []
        http_challenge_cache.clear()  # it is kept for the whole process, by the vault's address
        transport = RequestsTransport(session=self._script.session(), session_owner=False)
        client = partial(azure.keyvault.secrets.SecretClient, transport=transport)
        monkeypatch.setattr(RequestsTransport, "sleep", lambda _self, seconds: self.pauses.append(seconds))
        monkeypatch.setattr(azure.keyvault.secrets, "SecretClient", client)
        monkeypatch.setattr(identity, "azure_credential", self._credential)

    @property
    def asked(self) -> list[str]:
        """The path of each request."""
        return [str(urlsplit(request.url or "").path).rstrip("/") for request in self._script.requests]

    def _credential(self, client_id: str | None) -> object:
        self.identities.append(client_id)
        return self.credential


def secret(value: str) -> Step:
    return 200, {"value": value, "id": f"{URL}/secrets/any/1", "attributes": {}}


def refused(status: int, code: str, inner: str | None = None) -> Step:
    error: dict[str, Any] = {"code": code, "message": "5ecret of ann"}
    return status, {"error": error if inner is None else {**error, "innererror": {"code": inner}}}


CHALLENGE: Step = (
    401,
    {"error": {"code": "Unauthorized", "message": "AKV10000"}},
    {
        "WWW-Authenticate": 'Bearer authorization="https://login.microsoftonline.com/tenant", '
        'resource="https://vault.azure.net"'
    },
)
"""How the vault asks who somebody is."""


class Identity:
    """A credential of azure-identity that gives a token, or `error`."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked = 0

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.asked += 1
        assert scopes == ("https://vault.azure.net/.default",)
        if self.error is not None:
            raise self.error
        return AccessToken("t0ken", 2_000_000_000)

    def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        token = self.get_token(*scopes)
        return AccessTokenInfo(token.token, token.expires_on)


def problem(setting: str, read: Any) -> str:
    """The text of the one problem, which must be the setting's own."""
    with pytest.raises(ConfigurationError) as raised:
        read(setting)
    [found] = raised.value.problems
    assert found.setting == setting
    assert "5ecret" not in "".join(traceback.format_exception(raised.value)), "causes quote the answer"
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


# -- what the vault says ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (refused(403, "Forbidden", "ForbiddenByRbac"), "(403 ForbiddenByRbac): give it the role Key Vault"),
        (refused(403, "Forbidden", "ForbiddenByPolicy"), "give it the role Key Vault Secrets User on the"),
        (refused(403, "Forbidden", "AccessDenied"), "give it the role Key Vault Secrets User on the vault"),
        (refused(403, "Forbidden", "ForbiddenByFirewall"), "(403 ForbiddenByFirewall): allow its subnet or"),
        (refused(403, "Forbidden", "ForbiddenByConnection"), "network rules keep this app out"),
        (
            refused(403, "Forbidden", "SecretDisabled"),
            "it is disabled (403 SecretDisabled): enable its newest",
        ),
        (refused(403, "Forbidden", "SomethingNew"), "the vault answered SomethingNew: check AZURE_KEY_VAULT"),
        (refused(400, "BadParameter"), "the vault answered 400 BadParameter: check AZURE_KEY_VAULT_URL"),
        (refused(404, "VaultNotFound"), "the vault answered 404 VaultNotFound"),
        ((404, b"<html>5ecret</html>"), NO_VAULT),
        ((200, b"<html>5ecret</html>"), NO_VAULT),
        ((200, {"id": f"{URL}/secrets/any/1", "attributes": {}}), NO_VAULT),
        ((200, ["5ecret"]), NO_VAULT),
        ((401, b"who is it?"), NO_VAULT),
        ((403, {"error": {"message": "5ecret"}}), NO_VAULT),
    ],
    ids=[
        *("role", "policy", "denied", "firewall", "connection", "disabled", "new", "other", "no vault"),
        *("page", "page of success", "no value", "list", "no challenge", "no code"),
    ],
)
def test_each_refusal_says_what_to_do_and_the_next_secret_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, answer: Step, reason: str
) -> None:
    Vault(monkeypatch, answer, secret("k3y"))
    read = key_vault_secrets(URL)
    text = problem("SAFETYAMP_TOKEN", read)
    assert text.startswith("secret SAFETYAMP-TOKEN could not be read from Key Vault: ")
    assert reason in text
    assert read("SAMSARA_API_KEY") == "k3y"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_vault_that_is_busy_or_ill_is_asked_for_the_first_secret_only(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    vault = Vault(monkeypatch, refused(status, "Throttled"))
    read = key_vault_secrets(URL)
    reason = f"the vault answered {status}: it is busy or not itself, try again later"
    assert reason in problem("SAFETYAMP_TOKEN", read)
    assert len(vault.asked) == RETRIES + 1
    assert reason in problem("SAMSARA_API_KEY", read)
    assert len(vault.asked) == RETRIES + 1


@pytest.mark.parametrize(("asked", "waited"), [("3", 3.0), ("3600", LONGEST_PAUSE_SECONDS)])
def test_the_pause_that_a_vault_asks_for_is_kept_up_to_a_bound(
    monkeypatch: pytest.MonkeyPatch, asked: str, waited: float
) -> None:
    vault = Vault(monkeypatch, (429, {}, {"Retry-After": asked}), secret("s3cret"))
    assert key_vault_secrets(URL)("SAFETYAMP_TOKEN") == "s3cret"
    assert vault.pauses == [waited]


# -- who asks --------------------------------------------------------------------------------------------


def test_the_vault_is_told_who_asks_by_the_identitys_token(monkeypatch: pytest.MonkeyPatch) -> None:
    vault = Vault(monkeypatch, CHALLENGE, secret("s3cret"))
    vault.credential = identity = Identity()
    read = key_vault_secrets(URL)
    assert read("SAFETYAMP_TOKEN") == "s3cret"
    assert vault._script.requests[-1].headers["Authorization"] == "Bearer t0ken"
    assert read("SAMSARA_API_KEY") == "s3cret"
    assert identity.asked == 1


def test_who_asks_for_a_token_for_somebody_else_is_no_vault_and_gets_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authority = "https://login.microsoftonline.com/tenant"
    asks = {"WWW-Authenticate": f'Bearer authorization="{authority}", resource="https://evil.test"'}
    vault = Vault(monkeypatch, (401, {}, asks))
    vault.credential = identity = Identity()
    assert NO_VAULT in problem("SAFETYAMP_TOKEN", key_vault_secrets(URL))
    assert identity.asked == 0


@pytest.mark.parametrize(
    "error",
    [ClientAuthenticationError("5ecret"), ValueError("5ecret"), OSError("5ecret")],
    ids=lambda error: type(error).__name__,
)
def test_an_identity_without_a_token_is_told_by_kind_and_not_asked_for_every_secret(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    vault = Vault(monkeypatch, CHALLENGE)
    vault.credential = identity = Identity(error)
    read = key_vault_secrets(URL)
    text = problem("SAFETYAMP_TOKEN", read)
    assert f"the app's identity got no token ({type(error).__name__})" in text
    assert "AZURE_CLIENT_ID" in text
    assert "got no token" in problem("SAMSARA_API_KEY", read)
    assert identity.asked == 1


def test_a_token_that_the_vault_does_not_accept_is_of_another_tenant(monkeypatch: pytest.MonkeyPatch) -> None:
    vault = Vault(monkeypatch, CHALLENGE)
    vault.credential = Identity()
    assert "does not accept the app's token (401)" in problem("SAFETYAMP_TOKEN", key_vault_secrets(URL))


def test_a_credential_that_gives_plain_tokens_has_its_failures_told_apart_too() -> None:
    good, bad = _SeparateCredential(Identity()), _SeparateCredential(Identity(OSError("5ecret")))
    scope = "https://vault.azure.net/.default"
    assert good.get_token(scope).token == "t0ken"
    with pytest.raises(NoToken, match=r"\AOSError\Z") as raised:
        bad.get_token(scope)
    assert raised.value.__suppress_context__
