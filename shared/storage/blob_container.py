"""How the settings lead to the documents' container."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.config import Settings
from shared.errors import Advised, ConfigurationError
from shared.identity import azure_credential
from shared.storage.blob_documents import BlobDocuments
from shared.storage.blob_errors import only_blob_storage

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient, ContainerClient

# The SDK waits 15 s before its first repetition and 60 s for an answer, longer than a lease can bear. Here a
# call ends within a lease's 60 s: four tries of at most 10 s each, with 1 to 3 s between them. So a silent
# account is given up after 49 s, one that cannot be reached after 29 s.
CLIENT_OPTIONS: dict[str, Any] = {
    "initial_backoff": 1,
    "increment_base": 1,
    "random_jitter_range": 1,
    "retry_total": 3,
    "connection_timeout": 5,
    "read_timeout": 10,
    "raw_response_hook": only_blob_storage,
}


@dataclass(frozen=True)
class StorageAccount:
    """Where the documents are: a connection string, or a URL for the app's identity (`client_id` names a
    user-assigned one). `setting` is where that was found."""

    setting: str
    connection: str | None = None
    url: str = ""
    client_id: str | None = None

    def client(self) -> BlobServiceClient:
        """Makes no call. Raises ConfigurationError for a value that names no account."""
        from azure.storage.blob import BlobServiceClient

        try:
            if self.connection is not None:
                return BlobServiceClient.from_connection_string(self.connection, **CLIENT_OPTIONS)
            return BlobServiceClient(self.url, azure_credential(self.client_id), **CLIENT_OPTIONS)
        except ValueError as error:
            raise ConfigurationError.of(self.setting, self._remedy()) from error

    def _remedy(self) -> str:
        if self.connection is None:
            return "must be an address such as https://NAME.blob.core.windows.net"
        return Advised(
            "is no storage connection string", "copy it from the storage account's page Access keys"
        )


def blob_documents(settings: Settings) -> BlobDocuments:
    """Documents in the container that the settings name; connects at the first use.

    The first use raises ConfigurationError as `storage_account` does, and for a connection string that
    cannot be read.
    """
    try:
        setting = storage_account(settings).setting
    except ConfigurationError:
        setting = "DOCUMENTS_CONNECTION"  # The first use will say it.
    return BlobDocuments(lambda: container_client(settings), setting)


def container_client(settings: Settings) -> ContainerClient:
    """The container's client; makes no call. Raises ConfigurationError (see `blob_documents`)."""
    return storage_account(settings).client().get_container_client(settings.documents_container)


def storage_account(settings: Settings) -> StorageAccount:
    """The account that the settings name: DOCUMENTS_CONNECTION (in its two forms) wins over the app's own
    storage, AzureWebJobsStorage. Raises ConfigurationError when neither is set."""
    own, host = settings.documents_connection, settings.azurewebjobsstorage
    if own is not None:
        return StorageAccount("DOCUMENTS_CONNECTION", own.get_secret_value())
    if own_url := settings.documents_connection__blobserviceuri:
        client_id = settings.documents_connection__clientid or settings.azure_client_id
        return StorageAccount("DOCUMENTS_CONNECTION__blobServiceUri", url=own_url, client_id=client_id)
    if host is not None:
        return StorageAccount("AzureWebJobsStorage", host.get_secret_value())
    client_id = settings.azurewebjobsstorage__clientid or settings.azure_client_id
    if host_url := settings.azurewebjobsstorage__blobserviceuri:
        return StorageAccount("AzureWebJobsStorage__blobServiceUri", url=host_url, client_id=client_id)
    if name := settings.azurewebjobsstorage__accountname:
        url = f"https://{name}.blob.core.windows.net"
        return StorageAccount("AzureWebJobsStorage__accountName", url=url, client_id=client_id)
    raise ConfigurationError.of(
        "DOCUMENTS_CONNECTION",
        Advised(
            "is not set, and neither is AzureWebJobsStorage",
            "set a storage account's connection string, or DOCUMENTS_CONNECTION__blobServiceUri to use a "
            "managed identity",
        ),
    )
