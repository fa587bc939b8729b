"""What only Blob Storage can do wrong: lost answers, pages, content types."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from azure.core.exceptions import ServiceResponseError
from azure.storage.blob import ContainerClient

from shared.errors import DocumentExists
from shared.storage.blob_container import CLIENT_OPTIONS
from shared.storage.blob_documents import BlobDocuments
from shared.storage.documents import to_json

pytest_plugins = ("tests.doubles.azurite",)

PATH = "runs/r1/run.json"


def container(connection: str, **options: Any) -> ContainerClient:
    options = {**CLIENT_OPTIONS, "initial_backoff": 0, "increment_base": 0, **options}
    return ContainerClient.from_connection_string(connection, f"c{uuid.uuid4().hex}", **options)


def lose_next_answer(client: ContainerClient) -> None:
    """The next upload is carried out, but its answer does not arrive."""
    transport = client._pipeline._transport
    send = transport.send

    def send_and_lose(request: Any, **options: Any) -> Any:
        answer = send(request, **options)
        if request.method == "PUT":
            transport.send = send  # type: ignore[method-assign]
            raise ServiceResponseError("the answer was lost")
        return answer

    transport.send = send_and_lose  # type: ignore[method-assign]


def test_a_creation_whose_answer_was_lost_is_still_ours(azurite_connection: str) -> None:
    client = container(azurite_connection)
    documents = BlobDocuments(lambda: client)
    documents.write("warm/up.json", b"1")
    lose_next_answer(client)
    etag = documents.create(PATH, b"1")
    document = documents.read(PATH)
    assert document is not None
    assert (document.data, document.etag) == (b"1", etag)
    with pytest.raises(DocumentExists):
        documents.create(PATH, b"1")


def test_a_replacement_whose_answer_was_lost_is_still_ours(azurite_connection: str) -> None:
    client = container(azurite_connection)
    documents = BlobDocuments(lambda: client)
    first = documents.create(PATH, b"1")
    lose_next_answer(client)
    second = documents.replace(PATH, b"2", first)
    document = documents.read(PATH)
    assert document is not None
    assert (document.data, document.etag) == (b"2", second)


def test_a_listing_is_complete_over_all_pages(azurite_connection: str) -> None:
    client = container(azurite_connection)
    names = client.list_blob_names
    client.list_blob_names = lambda **options: names(results_per_page=2, **options)  # type: ignore[method-assign]
    documents = BlobDocuments(lambda: client)
    paths = [f"runs/r1/outcomes/{number:04d}.json" for number in range(7)]
    for path in reversed(paths):
        documents.create(path, b"1")
    assert list(documents.list("runs/r1/outcomes/")) == paths


def test_gzipped_documents_are_stored_as_what_they_are(azurite_connection: str) -> None:
    """With a content encoding instead, clients and proxies would unpack them on the way."""
    client = container(azurite_connection)
    documents = BlobDocuments(lambda: client)
    documents.create("state/jobs.json.gz", to_json(["x" * 50] * 2000))
    documents.create(PATH, to_json({}))
    kinds = {blob.name: blob.content_settings for blob in client.list_blobs()}
    assert kinds["state/jobs.json.gz"].content_type == "application/gzip"
    assert kinds["state/jobs.json.gz"].content_encoding is None
    assert kinds[PATH].content_type == "application/json"
