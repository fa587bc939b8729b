"""The credential with which this app introduces itself to Azure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

# The SDK would wait five minutes for an answer, and again at each repeat. So a silent endpoint is given up
# after half a minute, in three tries.
CLIENT_OPTIONS: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 10, "retry_total": 2}


def azure_credential(client_id: str | None) -> TokenCredential:
    """The managed identity in Azure (`client_id` names a user-assigned one), the developer's own elsewhere.

    Azure sets IDENTITY_ENDPOINT where a managed identity can be asked. DefaultAzureCredential would try
    other sources first there, and might find another identity.
    """
    from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

    if client_id or "IDENTITY_ENDPOINT" in os.environ:
        return ManagedIdentityCredential(client_id=client_id, **CLIENT_OPTIONS)
    return DefaultAzureCredential()
