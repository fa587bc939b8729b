"""Blob Storage that refuses, breaks off, says nothing or is somebody else: typed errors, and nothing lost."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from azure.storage.blob import (
    AccountSasPermissions,
    ResourceTypes,
    generate_account_sas,
)
from pydantic import SecretStr

from shared.config import Settings
from shared.errors import ConfigurationError, SafetyAmpError, StorageError
from shared.storage.blob_container import CLIENT_OPTIONS, blob_documents
from shared.storage.blob_documents import BlobDocuments
from shared.sync.lease import LEASE_SECONDS
from tests.doubles.tcp_proxy import TcpProxy, free_port, proxy_to

if TYPE_CHECKING:
    from tests.doubles.azurite import Azurite

pytest_plugins = ("tests.doubles.azurite",)

PATH = "runs/r1/run.json"
LEASE = "5d3f2a6e-0000-4000-8000-000000000000"
KEY = "c2VjcmV0IG9mIHRoZSBhY2NvdW50"
TRIES = 4
STATED = dict(CLIENT_OPTIONS)
"""How the app waits and tries, before the tests below hurry it."""

OPERATIONS: dict[str, Callable[[BlobDocuments], object]] = {
    "read": lambda documents: documents.read(PATH),
    "create": lambda documents: documents.create(PATH, b"1"),
    "replace": lambda documents: documents.replace(PATH, b"1", '"0x1"'),
    "write": lambda documents: documents.write(PATH, b"1"),
    "delete": lambda documents: documents.delete(PATH),
    "list": lambda documents: list(documents.list("runs/")),
    "acquire": lambda documents: documents.acquire_lease(PATH, 15),
    "renew": lambda documents: documents.renew_lease(PATH, LEASE),
    "release": lambda documents: documents.release_lease(PATH, LEASE),
}


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """As often as the app tries, without its pauses."""
    for name in ("initial_backoff", "increment_base", "random_jitter_range"):
        monkeypatch.setitem(CLIENT_OPTIONS, name, 0)


@pytest.fixture
def proxy(azurite: Azurite) -> Iterator[TcpProxy]:
    with proxy_to(azurite.port) as proxy:
        yield proxy


def at(url: str, key: str = KEY) -> str:
    return f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={key};BlobEndpoint={url};"


def http(status: str, body: str = "", kind: str = "text/plain", more: str = "") -> bytes:
    """An answer that Blob Storage never gives."""
    head = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: {kind}\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def documents_at(connection: str, **settings: Any) -> BlobDocuments:
    """As the app makes them from its settings."""
    values = {"documents_container": f"c{uuid.uuid4().hex}", **settings}
    return blob_documents(Settings.model_construct(documents_connection=SecretStr(connection), **values))


def through(proxy: TcpProxy, azurite: Azurite) -> BlobDocuments:
    return documents_at(azurite.connection.replace(f":{azurite.port}/", f":{proxy.port}/"))


def problem_of(documents: BlobDocuments, operation: str = "read") -> str:
    """What the operator reads."""
    with pytest.raises(StorageError) as caught:
        OPERATIONS[operation](documents)
    assert KEY not in str(caught.value)
    return str(caught.value)


class TestWhoeverIsNotThere:
    def test_an_account_that_does_not_exist(self) -> None:
        with_name = documents_at(at("http://no-such-account.invalid/devstoreaccount1"))
        assert "no account of the name in DOCUMENTS_CONNECTION" in problem_of(with_name)

    def test_an_address_where_nobody_listens(self) -> None:
        nowhere = documents_at(at(f"http://127.0.0.1:{free_port()}/devstoreaccount1"))
        assert "nothing listens at the address in DOCUMENTS_CONNECTION" in problem_of(nowhere)

    def test_an_account_that_azurite_does_not_have_is_no_empty_one(self, azurite: Azurite) -> None:
        other = azurite.connection.replace("devstoreaccount1", "somebodyelse")
        with pytest.raises(SafetyAmpError):
            documents_at(other).read(PATH)

    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_one_who_says_nothing_is_given_up(
        self, azurite: Azurite, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch, operation: str
    ) -> None:
        monkeypatch.setitem(CLIENT_OPTIONS, "read_timeout", 0.05)
        proxy.mode = "silent"
        assert "does not answer in time" in problem_of(through(proxy, azurite), operation)
        assert proxy.wait_for(TRIES) == TRIES

    def test_the_waiting_ends_before_a_lease_does(self) -> None:
        """So nobody goes on under a lease that somebody else may have taken meanwhile."""
        pauses = [
            STATED["initial_backoff"] + STATED["increment_base"] ** number + STATED["random_jitter_range"]
            for number in range(1, TRIES)
        ]
        assert STATED["retry_total"] == TRIES - 1
        assert TRIES * STATED["read_timeout"] + sum(pauses) <= 49 < LEASE_SECONDS


class TestSomebodyElse:
    @pytest.mark.parametrize("operation", OPERATIONS)
    @pytest.mark.parametrize(
        "answer",
        [
            b"what?\r\n\r\n",
            http("200 OK", "<html></html>", "text/html"),
            http("200 OK", "<a/>", "application/xml"),
            http("201 Created"),
            http("202 Accepted"),
            http("302 Found", more="Location: /login\r\n"),
            http("403 Forbidden", "<html></html>", "text/html"),
            http("404 Not Found"),
        ],
    )
    def test_no_answer_of_somebody_else_is_believed(
        self, azurite: Azurite, proxy: TcpProxy, answer: bytes, operation: str
    ) -> None:
        proxy.mode, proxy.nonsense = "garbage", answer
        problem = problem_of(through(proxy, azurite), operation)
        assert "check DOCUMENTS_CONNECTION" in problem
        assert ("something else" in problem) == answer.startswith(b"HTTP")


class TestBrokenConnections:
    """What is written arrives whole or not at all, and once; what is read is whole."""

    data = os.urandom(3_000_000)

    def test_an_upload_that_breaks_off_is_repeated(self, azurite: Azurite, proxy: TcpProxy) -> None:
        documents = through(proxy, azurite)
        documents.write("warm/up.json", b"1")
        proxy.cut_requests, proxy.cut_after = 1, 100_000
        documents.create(PATH, self.data)
        assert proxy.cut_requests == 0
        assert self.stored(documents) == self.data

    def test_an_upload_that_always_breaks_off_leaves_what_was_there(
        self, azurite: Azurite, proxy: TcpProxy
    ) -> None:
        documents = through(proxy, azurite)
        etag = documents.create(PATH, b"before")
        proxy.cut_requests, proxy.cut_after = 99, 100_000
        with pytest.raises(StorageError, match="broke the connection"):
            documents.replace(PATH, self.data, etag)
        proxy.cut_requests = 0
        assert self.stored(documents) == b"before"
        documents.replace(PATH, self.data, etag)

    @pytest.mark.parametrize("after", [0, 10, 100_000])
    def test_a_download_that_breaks_off_is_repeated(
        self, azurite: Azurite, proxy: TcpProxy, after: int
    ) -> None:
        documents = through(proxy, azurite)
        documents.create(PATH, self.data)
        proxy.cut_answers, proxy.cut_after = 1, after
        assert self.stored(documents) == self.data
        assert proxy.cut_answers == 0

    def test_a_download_that_always_breaks_off_is_an_error(self, azurite: Azurite, proxy: TcpProxy) -> None:
        documents = through(proxy, azurite)
        documents.create(PATH, self.data)
        proxy.cut_answers, proxy.cut_after = 99, 100_000
        with pytest.raises(StorageError, match="broke the connection"):
            documents.read(PATH)

    def test_a_listing_that_breaks_off_is_complete_or_an_error(
        self, azurite: Azurite, proxy: TcpProxy
    ) -> None:
        documents = through(proxy, azurite)
        paths = [f"runs/r1/outcomes/{number:04d}.json" for number in range(20)]
        for path in paths:
            documents.create(path, b"1")
        proxy.cut_answers, proxy.cut_after = 1, 1_000
        assert list(documents.list("runs/")) == paths
        proxy.cut_answers = 99
        with pytest.raises(StorageError):
            list(documents.list("runs/"))

    @pytest.mark.parametrize("operation", ["create", "replace"])
    def test_a_write_whose_answer_is_lost_on_the_wire_is_still_ours(
        self, azurite: Azurite, proxy: TcpProxy, operation: str
    ) -> None:
        documents = through(proxy, azurite)
        documents.write("warm/up.json", b"1")
        before = documents.create(PATH, b"0") if operation == "replace" else ""
        proxy.cut_answers = 1
        if operation == "replace":
            etag = documents.replace(PATH, b"1", before)
        else:
            etag = documents.create(PATH, b"1")
        document = documents.read(PATH)
        assert document is not None
        assert (document.data, document.etag) == (b"1", etag)

    def test_a_lease_whose_answer_is_lost_is_ours(self, azurite: Azurite, proxy: TcpProxy) -> None:
        documents = through(proxy, azurite)
        documents.create(PATH, b"0")
        proxy.cut_answers = 1
        lease = documents.acquire_lease(PATH, 15)
        documents.write(PATH, b"1", lease_id=lease)

    def stored(self, documents: BlobDocuments) -> bytes:
        document = documents.read(PATH)
        assert document is not None
        return document.data


class TestRefusals:
    def test_a_wrong_key(self, azurite: Azurite) -> None:
        wrong = documents_at(at(azurite.url))
        for operation in OPERATIONS:
            assert "not with this key: check DOCUMENTS_CONNECTION" in problem_of(wrong, operation)

    def test_half_a_key(self, azurite: Azurite) -> None:
        problem = problem_of(documents_at(at(azurite.url, key="abc")))
        assert "the AccountKey in DOCUMENTS_CONNECTION is incomplete" in problem

    def test_a_login_that_may_only_read(self, azurite: Azurite) -> None:
        container = f"c{uuid.uuid4().hex}"
        documents_at(azurite.connection, documents_container=container).create(PATH, b"1")
        reading = documents_at(shared_access(azurite), documents_container=container)
        document = reading.read(PATH)
        assert document is not None
        assert list(reading.list("")) == [PATH]
        for operation in ("write", "delete"):
            assert "Storage Blob Data Contributor" in problem_of(reading, operation)
        with pytest.raises(StorageError, match="Storage Blob Data Contributor"):
            reading.create("runs/r2/run.json", b"1")
        assert document.data == b"1"

    def test_a_login_that_has_run_out(self, azurite: Azurite) -> None:
        assert "check DOCUMENTS_CONNECTION" in problem_of(documents_at(shared_access(azurite, hours=-1)))

    @pytest.mark.parametrize("name", ["no", "Capitals", "two--dashes"])
    def test_a_name_that_no_container_can_have(self, azurite: Azurite, name: str) -> None:
        documents = documents_at(azurite.connection, documents_container=name)
        with pytest.raises(StorageError, match="check DOCUMENTS_CONTAINER"):
            documents.create(PATH, b"1")

    @pytest.mark.parametrize("text", ["", "nonsense", "a=b"])
    def test_what_is_no_connection_string(self, text: str) -> None:
        with pytest.raises(ConfigurationError, match="DOCUMENTS_CONNECTION: is no storage connection string"):
            documents_at(text).read(PATH)


def shared_access(azurite: Azurite, hours: float = 1) -> str:
    """A connection string that only reads and lists, until so many hours from now."""
    from tests.doubles.azurite import ACCOUNT, ACCOUNT_KEY

    signature = generate_account_sas(
        ACCOUNT,
        ACCOUNT_KEY,
        ResourceTypes(container=True, object=True),
        AccountSasPermissions(read=True, list=True),
        datetime.now(UTC) + timedelta(hours=hours),
    )
    return f"BlobEndpoint={azurite.url};SharedAccessSignature={signature}"
