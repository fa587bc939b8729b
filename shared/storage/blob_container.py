"""How the settings lead to the documents' container."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.config import Settings
from shared.errors import ConfigurationError, SettingProblem
from shared.identity import azure_credential
from shared.storage.blob_documents import BlobDocuments

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient, ContainerClient

# The SDK waits 15 s before its first repetition and 60 s for an answer, longer than a lease can bear: three
# tries must fit between two renewals. Backoff: 1 s, then 1 + 2 s and 1 + 4 s.
CLIENT_OPTIONS: dict[str, Any] = {
    "initial_backoff": 1,
    "increment_base": 2,
    "random_jitter_range": 1,
    "retry_total": 3,
    "connection_timeout": 5,
    "read_timeout": 30,
}


def blob_documents(settings: Settings) -> BlobDocuments:
    """Documents in the container that the settings name; connects at the first use.

    DOCUMENTS_CONNECTION (in its two forms) wins over the app's own storage, AzureWebJobsStorage. The first
    use raises ConfigurationError when neither is set, or when a connection string cannot be read.
    """
    return BlobDocuments(lambda: container_client(settings))


def container_client(settings: Settings) -> ContainerClient:
    """The container's client; makes no call. Raises ConfigurationError (see `blob_documents`)."""
    return _service_client(settings).get_container_client(settings.documents_container)


def _service_client(settings: Settings) -> BlobServiceClient:
    from azure.storage.blob import BlobServiceClient

    own, host = settings.documents_connection, settings.azurewebjobsstorage
    if own is not None:
        return _from_connection_string("DOCUMENTS_CONNECTION", own.get_secret_value())
    if own_url := settings.documents_connection__blobserviceuri:
        client_id = settings.documents_connection__clientid or settings.azure_client_id
        return BlobServiceClient(own_url, azure_credential(client_id), **CLIENT_OPTIONS)
    if host is not None:
        return _from_connection_string("AzureWebJobsStorage", host.get_secret_value())
    if host_url := _host_storage_url(settings):
        client_id = settings.azurewebjobsstorage__clientid or settings.azure_client_id
        return BlobServiceClient(host_url, azure_credential(client_id), **CLIENT_OPTIONS)
    raise ConfigurationError(
        [
            SettingProblem(
                "DOCUMENTS_CONNECTION",
                "is not set, and neither is AzureWebJobsStorage: set a storage account's connection string, "
                "or DOCUMENTS_CONNECTION__blobServiceUri to use a managed identity",
            )
        ]
    )


def _host_storage_url(settings: Settings) -> str | None:
    account = settings.azurewebjobsstorage__accountname
    if settings.azurewebjobsstorage__blobserviceuri or account is None:
        return settings.azurewebjobsstorage__blobserviceuri
    return f"https://{account}.blob.core.windows.net"


def _from_connection_string(setting: str, text: str) -> BlobServiceClient:
    from azure.storage.blob import BlobServiceClient

    try:
        return BlobServiceClient.from_connection_string(text, **CLIENT_OPTIONS)
    except ValueError as error:
        raise ConfigurationError(
            [
                SettingProblem(
                    setting,
                    "is no storage connection string: copy it from the storage account's page Access keys",
                )
            ]
        ) from error
