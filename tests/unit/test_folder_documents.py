"""What a folder can do wrong: kills, other processes, files that are not documents."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.fake_clock import FakeClock
from local.folder_documents import FolderDocuments
from shared.errors import DocumentChanged, StorageError
from shared.storage.documents import read_json

COUNT_UP = """
import sys
from local.folder_documents import FolderDocuments
from shared.clock import SystemClock
from shared.storage.documents import update_json
documents = FolderDocuments(sys.argv[1], SystemClock())
for _ in range(60):
    update_json(documents, "count.json", lambda value: {"n": (value or {"n": 0})["n"] + 1}, attempts=1000)
"""

WRITE_FOR_EVER = """
import sys
from local.folder_documents import FolderDocuments
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
    monkeypatch.setattr("local.folder_documents.time.time_ns", lambda: 1_700_000_000_000_000_000)
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
