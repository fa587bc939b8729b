"""What a folder can do wrong: kills, other processes, files that are not documents."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.documents.folder import FolderDocuments, FolderUnusable
from local.fake_clock import FakeClock
from shared.errors import DocumentChanged, StorageError
from shared.storage.documents import read_json

COUNT_UP = """
import sys
from local.documents.folder import FolderDocuments, FolderUnusable
from shared.clock import SystemClock
from shared.storage.documents import update_json
documents = FolderDocuments(sys.argv[1], SystemClock())
for _ in range(60):
    update_json(documents, "count.json", lambda value: {"n": (value or {"n": 0})["n"] + 1}, attempts=1000)
"""

WRITE_FOR_EVER = """
import sys
from local.documents.folder import FolderDocuments, FolderUnusable
from shared.clock import SystemClock
documents = FolderDocuments(sys.argv[1], SystemClock())
print("writing", flush=True)
while True:
    for letter in (b"a", b"b"):
        documents.write("state/jobs.json", letter * 3_000_000)
"""


def test_no_update_of_several_processes_is_lost(tmp_path: Path) -> None:
    workers = [subprocess.Popen([sys.executable, "-c", COUNT_UP, str(tmp_path)]) for _ in range(3)]
    assert [worker.wait(timeout=60) for worker in workers] == [0, 0, 0]
    assert read_json(FolderDocuments(tmp_path, FakeClock()), "count.json") == {"n": 180}


def test_a_killed_writer_leaves_a_whole_document_and_no_lock(tmp_path: Path) -> None:
    documents = FolderDocuments(tmp_path, FakeClock())
    for _ in range(5):
        command = [sys.executable, "-c", WRITE_FOR_EVER, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            documents.read("state/jobs.json")
            writer.kill()
        document = documents.read("state/jobs.json")
        if document is not None:
            assert document.data in (b"a" * 3_000_000, b"b" * 3_000_000)
    assert set(documents.list("")) <= {"state/jobs.json"}
    documents.write("state/jobs.json", b"next")


def test_versions_differ_even_when_the_clock_stands_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.documents.folder.time.time_ns", lambda: 1_700_000_000_000_000_000)
    documents = FolderDocuments(tmp_path, FakeClock())
    etags = [documents.write("x.json", b"A") for _ in range(20)]
    assert len(set(etags)) == 20


def test_an_edit_by_hand_that_kept_the_time_is_noticed(tmp_path: Path) -> None:
    documents = FolderDocuments(tmp_path, FakeClock())
    etag = documents.create("control.json", b"{}")
    file = tmp_path / "control.json"
    before = file.stat().st_mtime_ns
    file.write_bytes(b"[]")
    os.utime(file, ns=(before, before))
    with pytest.raises(DocumentChanged):
        documents.replace("control.json", b"1", etag)


def test_a_folder_that_cannot_be_used_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    documents = FolderDocuments(tmp_path / "file", FakeClock())
    with pytest.raises(StorageError, match="LOCAL_FOLDER"):
        documents.read("x.json")


def test_documents_lie_at_their_paths_for_people_to_read(tmp_path: Path) -> None:
    FolderDocuments(tmp_path, FakeClock()).create("runs/r1/run.json", b'{"status":"done"}')
    assert (tmp_path / "runs" / "r1" / "run.json").read_text() == '{"status":"done"}'


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def generous_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("generous_umask")
class TestWhoMayRead:
    """Documents hold names, addresses and birth dates."""

    def test_only_the_owner_of_what_is_made(self, tmp_path: Path) -> None:
        documents = FolderDocuments(tmp_path / "a" / "documents", FakeClock())
        documents.create("runs/r1/run.json", b"{}")
        lease = documents.acquire_lease("runs/r1/jobs/planning.json", 15)
        documents.write("runs/r1/jobs/planning.json", b"1", lease_id=lease)
        made = [tmp_path / "a" / "documents", *(tmp_path / "a" / "documents").rglob("*")]
        assert {mode(path) for path in made if path.is_dir()} == {0o700}
        assert {mode(path) for path in made if path.is_file()} == {0o600}

    def test_only_the_owner_of_an_empty_folder_that_was_there(self, tmp_path: Path) -> None:
        (tmp_path / "documents").mkdir(mode=0o755)
        FolderDocuments(tmp_path / "documents", FakeClock()).create("x.json", b"1")
        assert mode(tmp_path / "documents") == 0o700

    def test_only_the_owner_of_a_folder_that_an_earlier_release_made(self, tmp_path: Path) -> None:
        folder = tmp_path / "documents"
        (folder / ".leases").mkdir(parents=True, mode=0o777)
        folder.chmod(0o755)
        (folder / ".next").write_text("left by a killed writer")
        (folder / ".next").chmod(0o644)
        documents = FolderDocuments(folder, FakeClock())
        assert documents.read("x.json") is None
        assert mode(folder) == 0o700
        documents.create("x.json", b"1")
        assert mode(folder / "x.json") == 0o600

    def test_a_folder_of_somebody_else_stays_open_to_him_but_not_what_is_put_into_it(
        self, tmp_path: Path
    ) -> None:
        tmp_path.chmod(0o755)
        (tmp_path / "letters.txt").write_text("of somebody else")
        FolderDocuments(tmp_path, FakeClock()).create("state/jobs.json", b"1")
        assert (mode(tmp_path), mode(tmp_path / "state")) == (0o755, 0o700)

    def test_a_folder_for_everybody_stays_one(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o1777)
        FolderDocuments(tmp_path, FakeClock()).create("x.json", b"1")
        assert mode(tmp_path) == 0o1777


class TestFolderThatCannotBeUsed:
    def test_a_file_stands_in_its_place(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("not a folder")
        self.check(FolderDocuments(tmp_path / "file", FakeClock()), "it is a file")

    def test_a_file_stands_in_the_place_of_its_parent(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("not a folder")
        self.check(FolderDocuments(tmp_path / "file" / "documents", FakeClock()), "below one")

    def test_its_name_is_too_long(self, tmp_path: Path) -> None:
        self.check(FolderDocuments(tmp_path / ("x" * 300), FakeClock()), "too long")

    def test_it_is_a_device(self) -> None:
        self.check(FolderDocuments("/dev/full", FakeClock()), "it is a file")

    @pytest.mark.parametrize(
        ("number", "why"),
        [
            (errno.ENOSPC, "no space left"),
            (errno.EROFS, "read-only"),
            (errno.EACCES, "no permission"),
            (errno.EIO, "Input/output error"),
        ],
    )
    def test_it_cannot_be_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, why: str
    ) -> None:
        documents = FolderDocuments(tmp_path, FakeClock())
        documents.create("x.json", b"before")

        def refuse(*_: object, **__: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr("local.documents.folder.os.utime", refuse)
        with pytest.raises(FolderUnusable, match=why) as raised:
            documents.write("x.json", b"after")
        assert documents.trouble is raised.value
        monkeypatch.undo()
        document = documents.read("x.json")
        assert document is not None
        assert document.data == b"before"
        documents.write("x.json", b"after")
        assert documents.trouble is None

    def check(self, documents: FolderDocuments, why: str) -> None:
        with pytest.raises(FolderUnusable, match=r"LOCAL_FOLDER.*" + why):
            documents.read("x.json")
        with pytest.raises(FolderUnusable, match=why):
            documents.write("x.json", b"1")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"lease_id":1,"seconds":15,"expires_at":"x","owner":""}']
)
def test_a_lease_that_cannot_be_read_is_nobodys(tmp_path: Path, content: str) -> None:
    documents = FolderDocuments(tmp_path, FakeClock())
    documents.acquire_lease("x.json", 15)
    (tmp_path / ".leases" / "x.json").write_text(content)
    assert documents.acquire_lease("x.json", 15)
