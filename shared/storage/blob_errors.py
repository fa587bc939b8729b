"""The errors of Blob Storage's SDK as ours: what a caller decides by, and what an operator reads."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shared.causes import causes
from shared.errors import (
    Advised,
    DocumentChanged,
    DocumentExists,
    LeaseHeld,
    LeaseLost,
    StorageError,
    filled,
    framed,
)

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError
    from azure.core.pipeline import PipelineResponse

# The service's error codes (vendor page "Blob Storage error codes").
HELD_CODES = {"LeaseAlreadyPresent", "LeaseIdMissing", "LeaseIsBreakingAndCannotBeAcquired"}
LOST_CODES = {
    "LeaseAlreadyBroken",
    "LeaseIdMismatchWithBlobOperation",
    "LeaseIdMismatchWithLeaseOperation",
    "LeaseIsBrokenAndCannotBeRenewed",
    "LeaseLost",
    "LeaseNotPresentWithBlobOperation",
    "LeaseNotPresentWithLeaseOperation",
}
MISSING_CODES = {"BlobNotFound", "ContainerNotFound"}

OF_BLOB_STORAGE = "x-ms-request-id"
"""The service puts this header on each of its answers (vendor page "Common REST API response headers")."""

NOT_BLOB_STORAGE = f"no {OF_BLOB_STORAGE} in the answer"

# By code: what the operator reads after "Blob Storage"; {setting} is the one that names the account.
REASONS: dict[str, str] = {
    "AuthenticationFailed": (
        "refused the key or token of {setting}: was it renewed meanwhile? is this machine's clock right?"
    ),
    "InvalidAuthenticationInfo": "could make nothing of the key or token of {setting}",
    "AuthorizationFailure": Advised(
        "lets nobody in from here, or not with this key", "check {setting} and the account's network rules"
    ),
    "AuthorizationPermissionMismatch": (
        "does not allow this: the app's identity needs the role Storage Blob Data Contributor ({setting})"
    ),
    "KeyBasedAuthenticationNotPermitted": (
        "takes no account keys: use the app's identity, DOCUMENTS_CONNECTION__blobServiceUri, "
        "instead of {setting}"
    ),
    "AccountIsDisabled": "says that the account of {setting} is disabled",
    "InvalidResourceName": Advised("can have no container of this name", "check DOCUMENTS_CONTAINER"),
    "OutOfRangeInput": Advised("can have no container of this name", "check DOCUMENTS_CONTAINER"),
    "ContainerBeingDeleted": "is deleting the container: try again in a minute (DOCUMENTS_CONTAINER)",
}


class Missing(StorageError):
    """There is no such document, or no container at all."""

    def __init__(self, path: str, code: str) -> None:
        super().__init__(f"{path} is not in Blob Storage ({code})")
        self.container = code == "ContainerNotFound"


@contextmanager
def translated(path: str, setting: str) -> Iterator[None]:
    """Runs the block; errors of the SDK are raised as ours. `setting` names the account."""
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError as error:
        raise _error_for(path, setting, error) from error


def only_blob_storage(response: PipelineResponse[Any, Any]) -> None:
    """To be called with each answer: refuses those of somebody else, such as a firewall's page.

    The SDK itself takes a mere 201 for a stored document, and an empty XML page for the end of a listing. It
    repeats the call after this error.
    """
    from azure.core.exceptions import ServiceResponseError

    if OF_BLOB_STORAGE not in response.http_response.headers:
        raise ServiceResponseError(NOT_BLOB_STORAGE)


def _error_for(path: str, setting: str, error: AzureError) -> StorageError:
    code = _code_of(error)
    if code in MISSING_CODES:
        return Missing(path, code)
    if code in HELD_CODES:
        return LeaseHeld(f"{path} is leased by somebody else")
    if code in LOST_CODES:
        return LeaseLost(f"the lease of {path} ran out or was taken over")
    if code == "BlobAlreadyExists":
        return DocumentExists(f"{path} exists already")
    if code == "ConditionNotMet":
        return DocumentChanged(f"{path} is not the version that was read")
    status = getattr(error, "status_code", None)
    facts = ", ".join(str(fact) for fact in (type(error).__name__, status, code) if fact)
    reason = filled(_reason(error, code, status), setting=setting)
    return StorageError(framed(reason, f"{path} could not be read or written: Blob Storage ", f" ({facts})"))


def _code_of(error: AzureError) -> str:
    """The service's code, which the SDK gives as text or as an enumeration; empty without an answer."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")


def _reason(error: AzureError, code: str, status: int | None) -> str:
    from azure.core.exceptions import ClientAuthenticationError

    if code in REASONS:
        return REASONS[code]
    if type(error).__name__ == "AzureSigningError":
        return "was not asked: the AccountKey in {setting} is incomplete"
    if isinstance(error, ClientAuthenticationError) and not code:
        return Advised(
            "was not asked: the app's identity got no token", "check {setting} and AZURE_CLIENT_ID", "; "
        )
    if status is not None and status >= 500:
        return "is busy or out of order: wait, and see the status of Azure ({setting})"
    if status is not None:
        return Advised("refused the request", "check {setting} and DOCUMENTS_CONTAINER")
    return _network_reason(error)


def _network_reason(error: AzureError) -> str:
    from azure.core.exceptions import ServiceRequestTimeoutError, ServiceResponseTimeoutError

    if NOT_BLOB_STORAGE in str(error):
        return Advised(
            "does not answer there, but something else, such as a firewall's page", "check {setting}"
        )
    if isinstance(error, ServiceRequestTimeoutError | ServiceResponseTimeoutError):
        return Advised("does not answer in time", "check {setting} and the network rules")
    for cause in causes(error):
        if isinstance(cause, ssl.SSLError):
            return Advised(
                "has a certificate that this machine does not trust, or speaks no TLS",
                "check {setting}, and whether a proxy unpacks TLS on the way",
            )
        if isinstance(cause, socket.gaierror):
            return (
                "was not found: there is no account of the name in {setting}, or no private DNS zone for it"
            )
        if isinstance(cause, ConnectionRefusedError):
            return "does not answer: nothing listens at the address in {setting}"
    return Advised("broke the connection", "check {setting} and the network rules")
