"""Secrets from Azure Key Vault, read when they are needed and only those that are."""

from __future__ import annotations

from shared.config import SecretSource
from shared.errors import ConfigurationError, SettingProblem


def key_vault_secrets(vault_url: str) -> SecretSource:
    """A source for `load_settings`; the vault is asked at the first secret.

    A setting's name becomes the secret's with `-` for `_`, because Key Vault allows no underscore. The
    source raises ConfigurationError naming secret and reason when the vault refuses or cannot be reached.
    """
    from azure.core.exceptions import (
        AzureError,
        ClientAuthenticationError,
        HttpResponseError,
        ResourceNotFoundError,
    )
    from azure.keyvault.secrets import SecretClient

    from shared.storage.identity import azure_credential

    try:
        client = SecretClient(vault_url, azure_credential(None), retry_total=2, connection_timeout=5)
    except ValueError as error:
        raise ConfigurationError(
            [SettingProblem("AZURE_KEY_VAULT_URL", f"is no vault's URL: {error}")]
        ) from None

    def read(setting: str) -> str | None:
        secret = setting.replace("_", "-")
        try:
            return client.get_secret(secret).value
        except ResourceNotFoundError:
            return None
        except ClientAuthenticationError as error:
            reason = f"the app's identity could not sign in or is not allowed in ({type(error).__name__})"
        except HttpResponseError as error:
            code = error.error.code if error.error else error.reason
            reason = f"the vault answered {error.status_code} {code}"
        except AzureError as error:
            reason = f"the vault could not be reached ({type(error).__name__})"
        raise ConfigurationError(
            [
                SettingProblem(
                    setting,
                    f"secret {secret} could not be read from Key Vault: {reason}; check "
                    "AZURE_KEY_VAULT_URL, the vault's network rules and the role Key Vault Secrets User",
                )
            ]
        )

    return read
