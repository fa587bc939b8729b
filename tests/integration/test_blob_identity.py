"""Blob Storage over HTTPS with tokens of the app's identity: azure-identity and Azurite, both unmodified."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from shared.config import Settings
from shared.errors import ConfigurationError, StorageError
from shared.storage.blob_container import CLIENT_OPTIONS, blob_documents
from shared.storage.blob_documents import BlobDocuments

if TYPE_CHECKING:
    from tests.doubles.azurite import Azurite
    from tests.doubles.identity_endpoint import IdentityEndpoint

pytest_plugins = ("tests.doubles.azurite", "tests.doubles.identity_endpoint")

PATH = "runs/r1/run.json"
STORAGE = "https://storage.azure.com"


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("initial_backoff", "increment_base", "random_jitter_range"):
        monkeypatch.setitem(CLIENT_OPTIONS, name, 0)


def token(audience: str = STORAGE, expires_in: float = 3600) -> str:
    """A token that Azurite takes: it checks issuer, audience and times, and no signature."""
    now = int(time.time())
    claims = {"aud": audience, "iss": "https://sts.windows.net/tenant/", "iat": now - 60, "nbf": now - 60}
    return jwt.encode({**claims, "exp": now + int(expires_in)}, "any key of at least thirty-two bytes")


def documents_of(url: str, **settings: Any) -> BlobDocuments:
    return blob_documents(
        Settings.model_construct(
            documents_connection__blobserviceuri=url,
            documents_container=f"c{uuid.uuid4().hex}",
            azure_client_id="the-apps-identity",
            **settings,
        )
    )


@pytest.fixture
def url(secure_azurite: tuple[Azurite, Path], monkeypatch: pytest.MonkeyPatch) -> str:
    """Azurite's address, whose authority this process trusts."""
    azurite, authority_file = secure_azurite
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority_file))
    return azurite.url


def test_documents_are_written_and_read_with_the_apps_identity(
    url: str, identity_endpoint: IdentityEndpoint
) -> None:
    identity_endpoint.token = token
    documents = documents_of(url)
    etag = documents.create(PATH, b"1")
    lease = documents.acquire_lease(PATH, 15)
    documents.write(PATH, b"2", lease_id=lease)
    documents.release_lease(PATH, lease)
    document = documents.read(PATH)
    assert document is not None
    assert document.data == b"2"
    assert document.etag != etag
    assert list(documents.list("runs/")) == [PATH]
    assert identity_endpoint.asked == [(STORAGE, "the-apps-identity")]


def test_the_identity_of_the_connection_wins(url: str, identity_endpoint: IdentityEndpoint) -> None:
    identity_endpoint.token = token
    documents_of(url, documents_connection__clientid="another").create(PATH, b"1")
    assert identity_endpoint.asked == [(STORAGE, "another")]


@pytest.mark.parametrize(
    "bad", [token(expires_in=-1), token(audience="https://vault.azure.net"), "no token at all"]
)
def test_a_token_that_is_refused_is_named_as_the_problem(
    url: str, identity_endpoint: IdentityEndpoint, bad: str
) -> None:
    identity_endpoint.token = lambda _: bad
    with pytest.raises(StorageError, match="token of DOCUMENTS_CONNECTION__blobServiceUri") as caught:
        documents_of(url).read(PATH)
    assert bad not in str(caught.value)


def test_an_identity_that_gets_no_token_is_named_as_the_problem(
    url: str, identity_endpoint: IdentityEndpoint
) -> None:
    identity_endpoint.refuses = True
    with pytest.raises(StorageError, match=r"the app's identity got no token; .* and AZURE_CLIENT_ID"):
        documents_of(url).read(PATH)


def test_a_certificate_that_is_not_trusted_is_named_as_the_problem(
    secure_azurite: tuple[Azurite, Path], identity_endpoint: IdentityEndpoint
) -> None:
    identity_endpoint.token = token
    with pytest.raises(StorageError, match="certificate that this machine does not trust"):
        documents_of(secure_azurite[0].url).read(PATH)


@pytest.mark.usefixtures("identity_endpoint")
@pytest.mark.parametrize("url", ["https:///", "http://127.0.0.1/account"])
def test_an_address_that_leads_nowhere_or_without_encryption_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="DOCUMENTS_CONNECTION__blobServiceUri: must be an address"):
        documents_of(url).read(PATH)
