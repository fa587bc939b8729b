"""The token of whoever `az login` has signed in: a person, an application, or a managed identity."""

from __future__ import annotations

from cli.remote.client import RemoteError

NOT_AUTHORIZED = ("AADSTS65001", "AADSTS650057")
UNKNOWN_APP = ("AADSTS500011", "AADSTS700016")
NOT_ASSIGNED = ("AADSTS50105",)
SIGN_IN = "az login --scope api://{id}/.default"


def access_token(client_id: str) -> str:
    """An access token for the app registration of this client id. Raises RemoteError with what to do."""
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import AzureCliCredential

    try:
        token: str = AzureCliCredential().get_token(f"api://{client_id}/.default").token
    except ClientAuthenticationError as error:  # CredentialUnavailableError is one
        raise RemoteError(*_told(str(error), client_id)) from error
    return token


def _told(text: str, client_id: str) -> tuple[str, str]:
    """What is wrong, and what to do. Azure's own text has the tenant, addresses and more."""
    if "not found on path" in text:
        return "the Azure CLI is not installed", "Install it and az login; or use a function key."
    if any(code in text for code in NOT_AUTHORIZED):
        hint = (
            "Make the Azure CLI an authorized client application of the registration (infra/README.md,"
            " section Signing in)."
        )
        return "the Azure CLI may not ask for tokens of this app's registration", hint
    if any(code in text for code in UNKNOWN_APP):
        hint = f"Check --client-id, and the tenant: az account show. It must have api://{client_id}."
        return f"the tenant of az login knows no app registration {client_id}", hint
    if any(code in text for code in NOT_ASSIGNED):
        return (
            "you are not assigned to this app",
            "Who administers Entra assigns you: Enterprise applications, this app, Users and groups.",
        )
    return "az login has signed nobody in, or too long ago", SIGN_IN.format(id=client_id)
