"""Secrets from Azure Key Vault, read when they are needed and only those that are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.config import SecretSource
from shared.errors import Advised, ConfigurationError, filled, framed

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError
    from azure.core.pipeline.policies import RetryPolicy

CONNECT_SECONDS = 5
READ_SECONDS = 10
RETRIES = 2
LONGEST_PAUSE_SECONDS = 10.0
"""However long the vault asks to wait (it throttles for seconds): settings are read at the first call."""

THROTTLED = 429
SERVER_FAULT = 500

NO_VAULT = Advised("what answers at AZURE_KEY_VAULT_URL is no Key Vault", "check the address")
UNREACHABLE = Advised(
    "the vault could not be reached ({})", "check AZURE_KEY_VAULT_URL and the vault's network rules"
)
NOT_SIGNED_IN = (
    "the app's identity got no token ({}): switch on the app's managed identity, and let AZURE_CLIENT_ID be "
    "empty or the client id of one that is assigned to the app"
)
NOT_ITSELF = "the vault answered {}: it is busy or not itself, try again later"
NOT_ACCEPTED = (
    "the vault does not accept the app's token (401): the identity must belong to the vault's Entra tenant"
)
REFUSED = Advised(
    "the vault answered {}",
    "check AZURE_KEY_VAULT_URL, the vault's network rules and that the app's identity has the role Key Vault "
    "Secrets User",
)
NO_ROLE = Advised(
    "the app's identity may not read it (403 {})", "give it the role Key Vault Secrets User on the vault"
)
KEPT_OUT = "the vault's network rules keep this app out (403 {}): allow its subnet or a private endpoint"
FORBIDDEN: dict[str, str] = {
    "SecretDisabled": "it is disabled (403 {}): enable its newest version, or add a new one",
    "ForbiddenByRbac": NO_ROLE,
    "ForbiddenByPolicy": NO_ROLE,
    "AccessDenied": NO_ROLE,
    "ForbiddenByFirewall": KEPT_OUT,
    "ForbiddenByConnection": KEPT_OUT,
}
"""By the service's inner error code."""


class NoToken(Exception):
    """The identity gave no token; kept apart from the vault's own errors, which the SDK would try again."""


def key_vault_secrets(vault_url: str, client_id: str | None = None) -> SecretSource:
    """A source for `load_settings`; the vault is asked at the first secret.

    `client_id` names a user-assigned managed identity. A setting's name becomes the secret's with `-` for
    `_`, because Key Vault allows no underscore; its newest version counts. The source raises
    ConfigurationError naming secret and reason when the vault refuses or cannot be reached, for a silent one
    after about half a minute. A vault that is out of reach, throttles or fails, and an identity without a
    token, are not asked again: five secrets would take five times as long to fail.
    """
    from azure.core.exceptions import AzureError, HttpResponseError
    from azure.keyvault.secrets import SecretClient

    from shared.identity import azure_credential

    client = SecretClient(
        vault_url,
        _SeparateCredential(azure_credential(client_id)),
        retry_policy=_retry_policy(),
        connection_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
    )
    hopeless: str | None = None

    def read(setting: str) -> str | None:
        nonlocal hopeless
        if hopeless is not None:
            raise _unreadable(setting, hopeless)
        # Without causes: a broken answer's exception quotes it, and it may hold the secret.
        try:
            value = client.get_secret(setting.replace("_", "-")).value
        except NoToken as error:
            hopeless = filled(NOT_SIGNED_IN, error)
            raise _unreadable(setting, hopeless) from None
        except HttpResponseError as error:
            if _says_not_found(error):
                return None
            if error.status_code == THROTTLED or (error.status_code or 0) >= SERVER_FAULT:
                hopeless = filled(NOT_ITSELF, error.status_code)
            raise _unreadable(setting, hopeless or _refusal(error)) from None
        except AzureError as error:
            hopeless = filled(UNREACHABLE, type(error).__name__)
            raise _unreadable(setting, hopeless) from None
        except (ValueError, AttributeError, TypeError):
            # A challenge for another domain, or JSON that is no secret.
            raise _unreadable(setting, NO_VAULT) from None
        if value is None:
            raise _unreadable(setting, NO_VAULT)
        return value

    return read


class _SeparateCredential:
    """A credential whose failures are NoToken, with the kind of failure as text."""

    def __init__(self, credential: Any) -> None:
        self._credential = credential

    def get_token_info(self, *scopes: str, options: Any = None) -> Any:
        """As azure-core's SupportsTokenInfo; raises NoToken."""
        return self._asked(self._credential.get_token_info, *scopes, options=options)

    def get_token(self, *scopes: str, **options: Any) -> Any:
        """As azure-core's TokenCredential; raises NoToken."""
        return self._asked(self._credential.get_token, *scopes, **options)

    def _asked(self, get: Any, *scopes: str, **options: Any) -> Any:
        try:
            return get(*scopes, **options)
        except Exception as error:
            # The SDK has errors of its own here, MSAL others, and an endpoint that answers garbage adds more.
            raise NoToken(type(error).__name__) from None


def _retry_policy() -> RetryPolicy[Any, Any]:
    from azure.core.pipeline.policies import RetryPolicy

    class Bounded(RetryPolicy[Any, Any]):
        def get_retry_after(self, response: Any) -> float | None:
            asked = super().get_retry_after(response)
            return None if asked is None else min(asked, LONGEST_PAUSE_SECONDS)

    return Bounded(retry_total=RETRIES)


def _says_not_found(error: HttpResponseError) -> bool:
    return error.error is not None and error.error.code == "SecretNotFound"


def _refusal(error: HttpResponseError) -> str:
    from azure.core.exceptions import ClientAuthenticationError, DecodeError

    if isinstance(error, DecodeError) or error.error is None or not error.error.code:
        return NO_VAULT
    if isinstance(error, ClientAuthenticationError):
        return NOT_ACCEPTED
    inner = (error.error.innererror or {}).get("code")
    return filled(FORBIDDEN.get(str(inner), REFUSED), inner or f"{error.status_code} {error.error.code}")


def _unreadable(setting: str, reason: str) -> ConfigurationError:
    secret = setting.replace("_", "-")
    return ConfigurationError.of(
        setting, framed(reason, f"secret {secret} could not be read from Key Vault: ")
    )
