"""Secrets from Azure Key Vault, read when they are needed and only those that are."""

from __future__ import annotations

from shared.config import SecretSource
from shared.errors import ConfigurationError

CONNECT_SECONDS = 5
READ_SECONDS = 10


def key_vault_secrets(vault_url: str, client_id: str | None = None) -> SecretSource:
    """A source for `load_settings`; the vault is asked at the first secret.

    `client_id` names a user-assigned managed identity. A setting's name becomes the secret's with `-` for
    `_`, because Key Vault allows no underscore. The source raises ConfigurationError naming secret and
    reason when the vault refuses or cannot be reached. A vault that could not be reached, or would not let
    the app sign in, is not asked again: five secrets would take five times as long to fail.
    """
    from azure.core.exceptions import (
        AzureError,
        ClientAuthenticationError,
        HttpResponseError,
        ResourceNotFoundError,
    )
    from azure.keyvault.secrets import SecretClient

    from shared.storage.identity import azure_credential

    client = SecretClient(
        vault_url,
        azure_credential(client_id),
        retry_total=2,
        connection_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
    )
    hopeless: str | None = None

    def read(setting: str) -> str | None:
        nonlocal hopeless
        secret = setting.replace("_", "-")
        if hopeless is None:
            try:
                return client.get_secret(secret).value
            except ResourceNotFoundError:
                return None
            except ClientAuthenticationError as error:
                hopeless = (
                    f"the app's identity could not sign in or is not allowed in ({type(error).__name__})"
                )
            except HttpResponseError as error:
                code = error.error.code if error.error else error.reason
                raise _unreadable(setting, f"the vault answered {error.status_code} {code}") from error
            except AzureError as error:
                hopeless = f"the vault could not be reached ({type(error).__name__})"
        raise _unreadable(setting, hopeless)

    return read


def _unreadable(setting: str, reason: str) -> ConfigurationError:
    return ConfigurationError.of(
        setting,
        f"secret {setting.replace('_', '-')} could not be read from Key Vault: {reason}; check "
        "AZURE_KEY_VAULT_URL, the vault's network rules and the role Key Vault Secrets User",
    )
