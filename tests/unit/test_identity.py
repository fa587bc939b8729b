"""Which identity the app shows to Azure, and that a silent endpoint does not hold it up."""

from __future__ import annotations

from typing import Any

import azure.identity
import pytest

from shared.identity import azure_credential


class Made:
    """What credentials were made of: the kind, and how."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kind = ""
        self.how: dict[str, Any] = {}
        for kind in ("ManagedIdentityCredential", "DefaultAzureCredential"):
            monkeypatch.setattr(azure.identity, kind, self._maker(kind))

    def _maker(self, kind: str) -> Any:
        def make(**how: Any) -> object:
            self.kind, self.how = kind, how
            return self

        return make


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.delenv("IDENTITY_ENDPOINT", raising=False)
    return Made(monkeypatch)


@pytest.mark.parametrize("client_id", ["identity-1", None])
def test_in_azure_it_is_the_managed_identity_and_no_other_is_tried(
    made: Made, client_id: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:41741/msi/token")
    credential: object = azure_credential(client_id)
    assert credential is made
    assert (made.kind, made.how["client_id"]) == ("ManagedIdentityCredential", client_id)


def test_a_named_identity_is_a_managed_one_wherever_it_runs(made: Made) -> None:
    azure_credential("identity-1")
    assert (made.kind, made.how["client_id"]) == ("ManagedIdentityCredential", "identity-1")


@pytest.mark.parametrize("client_id", [None, ""])
def test_elsewhere_it_is_the_developers_own(made: Made, client_id: str | None) -> None:
    azure_credential(client_id)
    assert made.kind == "DefaultAzureCredential"
    assert "client_id" not in made.how


@pytest.mark.parametrize("client_id", ["identity-1", None])
def test_what_is_silent_is_given_up_soon(made: Made, client_id: str | None) -> None:
    azure_credential(client_id)
    attempts = made.how["retry_total"] + 1
    assert 0 < attempts * (made.how["connection_timeout"] + made.how["read_timeout"]) <= 30


def test_the_real_credentials_take_these_limits_without_asking_anybody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("IDENTITY_ENDPOINT", raising=False)
    for client_id in ("identity-1", None):
        assert callable(azure_credential(client_id).get_token)
