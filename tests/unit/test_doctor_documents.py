"""What the doctor says of the documents: read, written, leased and removed, and the clock of their store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from local.documents.memory import MemoryDocuments
from local.fake_clock import FakeClock
from shared.doctor.documents import DEEP, FOLDER, QUICK, ROLE
from shared.errors import Advised, LeaseHeld, StorageError
from shared.storage.blob_documents import BlobDocuments
from shared.storage.documents import Document
from tests.unit.doctor_rig import DoctorRig


@pytest.fixture
def rig() -> DoctorRig:
    return DoctorRig()


def left_behind(rig: DoctorRig) -> list[str]:
    return list(rig.documents.list(FOLDER))


def test_documents_in_order_are_told_and_nothing_of_the_probe_stays(rig: DoctorRig) -> None:
    found = rig.look(DEEP)
    assert {check: (finding.status, finding.seen) for check, finding in found.items()} == {
        "documents": ("ok", "embedded documents (LOCAL_FOLDER) can be read"),
        "documents.write": ("ok", "a document was written, read, leased and removed"),
    }
    assert left_behind(rig) == []


def test_the_quick_look_writes_nothing(rig: DoctorRig) -> None:
    def refuses(*_: Any, **__: Any) -> Any:
        raise StorageError("not to be written")

    vars(rig.documents).update(create=refuses, write=refuses)
    assert rig.only(QUICK).status == "ok"


class EmptyBlobs(BlobDocuments):
    """Blob Storage without any document."""

    def read(self, path: str) -> Document | None:
        return None


def test_where_the_documents_are_is_said(rig: DoctorRig) -> None:
    def no_container() -> Any:
        raise NotImplementedError

    rig.put(documents=EmptyBlobs(no_container))
    assert rig.only(QUICK).seen == "Blob Storage can be read"


@pytest.mark.parametrize("check", [QUICK, DEEP], ids=["quick", "deep"])
def test_documents_that_cannot_be_read_are_a_failure_with_role_and_settings(
    rig: DoctorRig, check: Any
) -> None:
    def away(_: str) -> Any:
        raise StorageError("Blob Storage does not answer")

    vars(rig.documents)["read"] = away
    found = rig.only(check)
    assert (found.check, found.status, found.seen) == (
        "documents",
        "failed",
        "Blob Storage does not answer",
    )
    assert (found.advice, found.settings) == (ROLE, ("DOCUMENTS_CONNECTION", "DOCUMENTS_CONTAINER"))


def held(*_: Any, **__: Any) -> Any:
    raise LeaseHeld("leased by somebody else")


def refused(*_: Any, **__: Any) -> Any:
    raise StorageError(Advised("refused", "check DOCUMENTS_CONNECTION"))


@pytest.mark.parametrize(
    ("operation", "harm", "told"),
    [
        ("create", refused, "refused"),
        ("acquire_lease", held, "leased by somebody else"),
        ("release_lease", refused, "refused"),
        ("write", lambda *_, **__: "etag", "was written without it: leases do not hold"),
        ("delete", lambda *_: None, "a document that was removed is still there"),
        ("delete", refused, "refused"),
    ],
    ids=["create", "acquire", "release", "no lease", "kept", "delete"],
)
def test_each_thing_that_a_run_does_with_documents_is_tried(
    rig: DoctorRig, operation: str, harm: Callable[..., Any], told: str
) -> None:
    vars(rig.documents)[operation] = harm
    found = rig.findings(DEEP)
    assert [(finding.check, finding.status) for finding in found] == [
        ("documents", "ok"),
        ("documents", "failed"),
    ]
    assert told in found[1].seen
    assert found[1].advice


def test_an_error_of_writing_that_is_no_lease_is_its_own_finding(rig: DoctorRig) -> None:
    vars(rig.documents)["write"] = refused
    assert rig.findings(DEEP)[1].seen == "refused"


@pytest.mark.parametrize("stored", [b"other", b""], ids=["other", "empty"])
def test_a_document_that_comes_back_different_is_told_and_removed(rig: DoctorRig, stored: bytes) -> None:
    create = rig.documents.create
    vars(rig.documents)["create"] = lambda path, _: create(path, stored)
    assert rig.findings(DEEP)[1].seen == "a document is not read as it was written"
    assert left_behind(rig) == []


def test_a_document_that_vanishes_is_told(rig: DoctorRig) -> None:
    vars(rig.documents)["create"] = lambda _path, _data: "etag"
    assert rig.findings(DEEP)[1].seen == "a document is not read as it was written"


@pytest.mark.parametrize("operation", ["acquire_lease", "read"])
def test_the_probe_is_removed_also_when_something_fails(rig: DoctorRig, operation: str) -> None:
    original = getattr(rig.documents, operation)

    def fails_on_the_probe(path: str, *arguments: Any) -> Any:
        if path.startswith(FOLDER):
            raise StorageError("refused")
        return original(path, *arguments)

    vars(rig.documents)[operation] = fails_on_the_probe
    assert rig.findings(DEEP)[1].status == "failed"
    assert left_behind(rig) == []


def test_the_probe_is_removed_also_when_writing_fails_under_its_lease(rig: DoctorRig) -> None:
    def fails(path: str, data: bytes, **_: Any) -> Any:
        raise StorageError("away")

    vars(rig.documents)["write"] = fails
    assert rig.findings(DEEP)[1].status == "failed"
    assert left_behind(rig) == []


class TimedDocuments(MemoryDocuments):
    """Documents whose service has a clock of its own, and takes some time for each document that is new."""

    def __init__(self, clock: FakeClock, ahead: float, seconds: float) -> None:
        super().__init__(clock)
        self._ours = clock
        self._ahead = ahead
        self._seconds = seconds
        self._modified: datetime | None = None

    def create(self, path: str, data: bytes) -> str:
        self._ours.advance(self._seconds / 2)
        self._modified = self._ours.now() + timedelta(seconds=self._ahead)
        self._ours.advance(self._seconds / 2)
        return super().create(path, data)

    def modified_at(self, path: str) -> datetime | None:
        return self._modified


@pytest.mark.parametrize(
    ("ahead", "seconds", "status"),
    [(0, 0, "ok"), (0, 200, "ok"), (-31, 0, "warning"), (31, 2, "warning"), (900, 0, "failed")],
)
def test_the_clock_of_the_storage_account_is_compared_with_ours(
    rig: DoctorRig, ahead: float, seconds: float, status: str
) -> None:
    rig.put(documents=TimedDocuments(rig.clock, ahead, seconds))
    found = rig.look(DEEP)
    assert found["documents.clock"].status == status
    assert found["documents.clock"].seen.startswith("the storage account's clock")
    assert found["documents.write"].latency_ms == seconds * 1000


def test_a_service_that_does_not_tell_the_time_is_not_judged_by_it(rig: DoctorRig) -> None:
    timed = TimedDocuments(rig.clock, 0, 0)
    vars(timed)["modified_at"] = lambda _: None
    rig.put(documents=timed)
    assert "documents.clock" not in rig.look(DEEP)
