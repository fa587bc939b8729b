"""The credential with which this app introduces itself to Azure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential


CONNECT_SECONDS = 2
READ_SECONDS = 5
RETRIES = 2
"""The SDK's own limits are 300 seconds for a silent endpoint, and ten retries."""


def azure_credential(client_id: str | None) -> TokenCredential:
    """The managed identity in Azure (`client_id` names a user-assigned one), the developer's own elsewhere.

    Azure sets IDENTITY_ENDPOINT where a managed identity can be asked. DefaultAzureCredential would try
    other sources first there, and might find another identity. An identity endpoint that is silent is given
    up after some 17 seconds.
    """
    from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

    limits: dict[str, Any] = {
        "connection_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS,
        "retry_total": RETRIES,
    }
    if client_id or "IDENTITY_ENDPOINT" in os.environ:
        return ManagedIdentityCredential(client_id=client_id, **limits)
    return DefaultAzureCredential(**limits)
