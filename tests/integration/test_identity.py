"""The app's credential, by azure-identity itself, at an endpoint like Azure's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from azure.core.exceptions import AzureError

from shared import identity
from shared.identity import azure_credential
from tests.doubles.tcp_proxy import free_port, proxy_to

if TYPE_CHECKING:
    from tests.doubles.identity_endpoint import IdentityEndpoint

pytest_plugins = ("tests.doubles.identity_endpoint",)

SCOPE = "https://storage.azure.com/.default"


@pytest.mark.parametrize("client_id", ["user-assigned", None])
def test_azure_is_asked_for_the_identity_that_the_settings_name(
    identity_endpoint: IdentityEndpoint, client_id: str | None
) -> None:
    assert azure_credential(client_id).get_token(SCOPE).token == "token for https://storage.azure.com"
    assert identity_endpoint.asked == [("https://storage.azure.com", client_id)]


def test_a_token_is_asked_for_once_while_it_is_good(identity_endpoint: IdentityEndpoint) -> None:
    credential = azure_credential("user-assigned")
    for _ in range(3):
        credential.get_token(SCOPE)
    assert len(identity_endpoint.asked) == 1


def test_a_silent_endpoint_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK itself would wait five minutes at each try."""
    assert (identity.RETRIES + 1) * identity.READ_SECONDS <= 15
    monkeypatch.setattr(identity, "READ_SECONDS", 0.1)
    monkeypatch.setattr(identity, "RETRIES", 1)  # the SDK makes no pause before the first repeat
    with proxy_to(free_port()) as proxy:
        proxy.mode = "silent"
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{proxy.port}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "x")
        with pytest.raises(AzureError):
            azure_credential("user-assigned").get_token(SCOPE)
        assert proxy.wait_for(2) == 2
