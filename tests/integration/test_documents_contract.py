"""One contract for documents: in memory, in a folder and in Blob Storage (Azurite)."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.documents.folder import FolderDocuments
from local.documents.memory import MemoryDocuments
from local.fake_clock import FakeClock
from shared.errors import DocumentChanged, DocumentExists, LeaseHeld, LeaseLost
from shared.storage.blob_container import CLIENT_OPTIONS
from shared.storage.blob_documents import BlobDocuments
from shared.storage.documents import Documents, create_json, from_json, read_json, to_json, update_json

if TYPE_CHECKING:
    from tests.doubles.azurite import Azurite

pytest_plugins = ("tests.doubles.azurite",)

PATH = "runs/r1/jobs/batches/0001.json"
LEASE_SECONDS = 15
SLACK_SECONDS = 5
"""Real seconds that may pass unseen while a test runs over Azurite."""
STRANGER = "5d3f2a6e-0000-4000-8000-000000000000"


@dataclass
class Store:
    """Documents, and how to let time pass for their leases."""

    documents: Documents
    advance: Callable[[float], None]


@pytest.fixture(params=["memory", "folder", "blob"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    clock = FakeClock()
    if request.param == "memory":
        return Store(MemoryDocuments(clock), clock.advance)
    if request.param == "folder":
        return Store(FolderDocuments(tmp_path / "documents", clock), clock.advance)
    azurite: Azurite = request.getfixturevalue("azurite")
    return Store(blob_documents(azurite.connection), azurite.advance)


@pytest.fixture
def documents(store: Store) -> Documents:
    return store.documents


def blob_documents(connection: str) -> BlobDocuments:
    from azure.storage.blob import ContainerClient

    name = f"c{uuid.uuid4().hex}"
    return BlobDocuments(lambda: ContainerClient.from_connection_string(connection, name, **CLIENT_OPTIONS))


class TestReading:
    def test_a_missing_document_reads_as_none(self, documents: Documents) -> None:
        assert documents.read(PATH) is None

    def test_what_was_written_is_read_with_the_version_that_writing_returned(
        self, documents: Documents
    ) -> None:
        etag = documents.create(PATH, b'{"a":1}')
        document = documents.read(PATH)
        assert document is not None
        assert (document.data, document.etag) == (b'{"a":1}', etag)

    def test_gzipped_bytes_come_back_as_they_were(self, documents: Documents) -> None:
        value = {"rows": ["x" * 50] * 2000}
        documents.write("state/jobs.json.gz", to_json(value))
        document = documents.read("state/jobs.json.gz")
        assert document is not None
        assert document.data == to_json(value)
        assert from_json(document.data) == value

    def test_an_empty_document_is_not_a_missing_one(self, documents: Documents) -> None:
        documents.create(PATH, b"")
        document = documents.read(PATH)
        assert document is not None
        assert document.data == b""


class TestConditions:
    def test_a_document_is_created_once(self, documents: Documents) -> None:
        documents.create(PATH, b"first")
        with pytest.raises(DocumentExists):
            documents.create(PATH, b"second")
        document = documents.read(PATH)
        assert document is not None
        assert document.data == b"first"

    def test_an_empty_document_also_takes_the_path(self, documents: Documents) -> None:
        documents.create(PATH, b"")
        with pytest.raises(DocumentExists):
            documents.create(PATH, b"second")

    def test_only_the_version_that_was_read_is_replaced(self, documents: Documents) -> None:
        first = documents.create(PATH, b"1")
        second = documents.replace(PATH, b"2", first)
        with pytest.raises(DocumentChanged):
            documents.replace(PATH, b"3", first)
        assert documents.replace(PATH, b"3", second) not in (first, second)

    def test_content_that_came_back_is_still_another_version(self, documents: Documents) -> None:
        first = documents.create(PATH, b"A")
        documents.write(PATH, b"B")
        documents.write(PATH, b"A")
        with pytest.raises(DocumentChanged):
            documents.replace(PATH, b"C", first)

    def test_a_document_created_again_is_another_version(self, documents: Documents) -> None:
        first = documents.create(PATH, b"A")
        documents.delete(PATH)
        documents.create(PATH, b"A")
        with pytest.raises(DocumentChanged):
            documents.replace(PATH, b"B", first)

    def test_a_removed_document_cannot_be_replaced(self, documents: Documents) -> None:
        etag = documents.create(PATH, b"A")
        documents.delete(PATH)
        with pytest.raises(DocumentChanged):
            documents.replace(PATH, b"B", etag)

    def test_of_many_creators_at_once_exactly_one_wins(self, documents: Documents) -> None:
        documents.write("warm/up.json", b"1")
        start = threading.Barrier(8)

        def create(number: int) -> bool:
            start.wait()
            return create_json(documents, PATH, {"by": number})

        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(create, range(8)))
        assert won.count(True) == 1
        assert read_json(documents, PATH) == {"by": won.index(True)}

    def test_no_update_of_many_at_once_is_lost(self, documents: Documents) -> None:
        def increment(value: dict[str, int] | None) -> dict[str, int]:
            return {"n": (value or {"n": 0})["n"] + 1}

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: update_json(documents, PATH, increment, attempts=500), range(40)))
        assert read_json(documents, PATH) == {"n": 40}


class TestRemovingAndListing:
    def test_removing_what_is_not_there_is_no_error(self, documents: Documents) -> None:
        documents.delete(PATH)
        documents.create(PATH, b"1")
        documents.delete(PATH)
        documents.delete(PATH)
        assert documents.read(PATH) is None

    def test_nothing_is_listed_where_nothing_was_written(self, documents: Documents) -> None:
        assert list(documents.list("runs/")) == []

    def test_a_prefix_lists_its_documents_in_order_and_no_others(self, documents: Documents) -> None:
        for path in (
            "runs/b/2.json",
            "runs/b/10.json",
            "runs/b/sub/1.json",
            "runs/ba.json",
            "state/jobs.json",
        ):
            documents.create(path, b"1")
        assert list(documents.list("runs/b/")) == ["runs/b/10.json", "runs/b/2.json", "runs/b/sub/1.json"]
        assert list(documents.list("runs/b")) == [
            "runs/b/10.json",
            "runs/b/2.json",
            "runs/b/sub/1.json",
            "runs/ba.json",
        ]
        assert len(list(documents.list(""))) == 5

    def test_folders_are_named_once_in_order_and_without_what_is_in_them(self, documents: Documents) -> None:
        for path in ("runs/r2/run.json", "runs/r1/run.json", "runs/r1/jobs/plan.json", "runs/active.json"):
            documents.create(path, b"{}")
        assert list(documents.folders("runs/")) == ["r1", "r2"]
        assert list(documents.folders("runs/r1/")) == ["jobs"]
        assert list(documents.folders("")) == ["runs"]
        assert list(documents.folders("nothing/")) == []

    def test_leased_documents_are_listed_and_leases_are_not(self, documents: Documents) -> None:
        documents.acquire_lease(PATH, 60)
        assert list(documents.list("")) == [PATH]


class TestLeases:
    def test_a_lease_on_a_missing_document_creates_an_empty_one(self, documents: Documents) -> None:
        documents.acquire_lease(PATH, 15)
        assert read_json(documents, PATH) is None
        with pytest.raises(DocumentExists):
            documents.create(PATH, b"1")

    def test_a_lease_is_held_by_one(self, documents: Documents) -> None:
        lease = documents.acquire_lease(PATH, 60)
        with pytest.raises(LeaseHeld):
            documents.acquire_lease(PATH, 60)
        documents.release_lease(PATH, lease)
        assert documents.acquire_lease(PATH, 60) != lease

    def test_of_many_takers_at_once_exactly_one_wins(self, documents: Documents) -> None:
        start = threading.Barrier(6)

        def take(_: int) -> bool:
            start.wait()
            try:
                documents.acquire_lease(PATH, 60)
            except LeaseHeld:
                return False
            return True

        with ThreadPoolExecutor(6) as pool:
            assert list(pool.map(take, range(6))).count(True) == 1

    def test_a_leased_document_is_written_with_its_lease_only(self, documents: Documents) -> None:
        etag = documents.create(PATH, b"0")
        lease = documents.acquire_lease(PATH, 60)
        documents.write(PATH, b"1", lease_id=lease)
        for refused in (
            lambda: documents.write(PATH, b"2"),
            lambda: documents.delete(PATH),
        ):
            with pytest.raises(LeaseHeld):
                refused()
        with pytest.raises(LeaseLost):
            documents.write(PATH, b"2", lease_id=STRANGER)
        with pytest.raises((LeaseHeld, DocumentChanged)):
            documents.replace(PATH, b"2", etag)
        document = documents.read(PATH)
        assert document is not None
        assert document.data == b"1"

    def test_the_current_version_of_a_leased_document_cannot_be_replaced(self, documents: Documents) -> None:
        etag = documents.create(PATH, b"0")
        documents.acquire_lease(PATH, 60)
        with pytest.raises(LeaseHeld):
            documents.replace(PATH, b"2", etag)

    def test_a_lease_that_was_given_back_writes_no_more(self, documents: Documents) -> None:
        lease = documents.acquire_lease(PATH, 60)
        documents.release_lease(PATH, lease)
        with pytest.raises(LeaseLost):
            documents.write(PATH, b"1", lease_id=lease)
        with pytest.raises(LeaseLost):
            documents.renew_lease(PATH, lease)
        documents.write(PATH, b"2")

    def test_only_the_holder_renews(self, documents: Documents) -> None:
        lease = documents.acquire_lease(PATH, 60)
        documents.renew_lease(PATH, lease)
        with pytest.raises(LeaseLost):
            documents.renew_lease(PATH, STRANGER)
        with pytest.raises(LeaseLost):
            documents.renew_lease("not/there.json", lease)

    def test_giving_back_a_lease_that_is_not_ours_changes_nothing(self, documents: Documents) -> None:
        documents.release_lease("not/there.json", STRANGER)
        documents.acquire_lease(PATH, 60)
        documents.release_lease(PATH, STRANGER)
        with pytest.raises(LeaseHeld):
            documents.acquire_lease(PATH, 60)


class TestLeasesThatRunOut:
    def test_nobody_else_can_take_a_lease_until_it_has_run_out(self, store: Store) -> None:
        store.documents.acquire_lease(PATH, LEASE_SECONDS)
        store.advance(LEASE_SECONDS - SLACK_SECONDS)
        with pytest.raises(LeaseHeld):
            store.documents.acquire_lease(PATH, LEASE_SECONDS)
        store.advance(SLACK_SECONDS)
        store.documents.acquire_lease(PATH, LEASE_SECONDS)

    def test_renewing_starts_the_time_anew(self, store: Store) -> None:
        lease = store.documents.acquire_lease(PATH, LEASE_SECONDS)
        for _ in range(3):
            store.advance(LEASE_SECONDS - SLACK_SECONDS)
            store.documents.renew_lease(PATH, lease)
        store.documents.write(PATH, b"1", lease_id=lease)

    def test_whoever_lost_a_lease_to_somebody_else_can_do_nothing_more(self, store: Store) -> None:
        lost = store.documents.acquire_lease(PATH, LEASE_SECONDS)
        store.advance(LEASE_SECONDS)
        held = store.documents.acquire_lease(PATH, LEASE_SECONDS)
        with pytest.raises(LeaseLost):
            store.documents.renew_lease(PATH, lost)
        with pytest.raises(LeaseLost):
            store.documents.write(PATH, b"late", lease_id=lost)
        store.documents.release_lease(PATH, lost)
        store.documents.write(PATH, b"ours", lease_id=held)
        assert read(store) == b"ours"

    def test_a_lease_that_ran_out_writes_no_more_and_everybody_else_does(self, store: Store) -> None:
        lost = store.documents.acquire_lease(PATH, LEASE_SECONDS)
        store.advance(LEASE_SECONDS)
        with pytest.raises(LeaseLost):
            store.documents.write(PATH, b"late", lease_id=lost)
        store.documents.write(PATH, b"free")
        with pytest.raises(LeaseLost):
            store.documents.renew_lease(PATH, lost)
        assert read(store) == b"free"

    def test_a_lease_that_nobody_touched_since_it_ran_out_can_be_renewed(self, store: Store) -> None:
        lease = store.documents.acquire_lease(PATH, LEASE_SECONDS)
        store.advance(LEASE_SECONDS)
        store.documents.renew_lease(PATH, lease)
        store.documents.write(PATH, b"1", lease_id=lease)
        with pytest.raises(LeaseHeld):
            store.documents.acquire_lease(PATH, LEASE_SECONDS)


def read(store: Store) -> bytes:
    document = store.documents.read(PATH)
    assert document is not None
    return document.data


@pytest.mark.parametrize(
    "path", ["../x", "/x", "a/../b", "a//b", "a/", "", ".hidden", "a\\b", "C:/x", "a\x00b", "x" * 201]
)
def test_a_path_that_leads_elsewhere_is_refused(documents: Documents, path: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: documents.read(path),
        lambda: documents.create(path, b"1"),
        lambda: documents.write(path, b"1"),
        lambda: documents.delete(path),
        lambda: documents.acquire_lease(path, 60),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="no document path"):
            call()


@pytest.mark.parametrize("prefix", ["../", "/", "a/../"])
def test_a_prefix_that_leads_elsewhere_is_refused(documents: Documents, prefix: str) -> None:
    with pytest.raises(ValueError, match="no document path"):
        list(documents.list(prefix))
