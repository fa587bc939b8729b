"""How leases end when documents are kept locally: with time, and with their owner's process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from local.documents.folder import FolderDocuments
from local.documents.kept import KeptDocuments
from local.documents.memory import MemoryDocuments
from local.documents.owner import current_owner, is_gone
from local.fake_clock import FakeClock
from shared.errors import LeaseHeld, LeaseLost

PATH = "runs/r1/jobs/progress/0001.json"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["memory", "folder"])
def documents(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> KeptDocuments:
    return MemoryDocuments(clock) if request.param == "memory" else FolderDocuments(tmp_path, clock)


def test_a_lease_that_ran_out_can_be_taken_and_no_longer_writes(
    documents: KeptDocuments, clock: FakeClock
) -> None:
    late = documents.acquire_lease(PATH, 60)
    clock.advance(59)
    with pytest.raises(LeaseHeld):
        documents.acquire_lease(PATH, 60)
    clock.advance(1)
    with pytest.raises(LeaseLost):
        documents.write(PATH, b"late", lease_id=late)
    documents.acquire_lease(PATH, 60)
    with pytest.raises(LeaseLost):
        documents.renew_lease(PATH, late)


def test_a_renewed_lease_lasts_its_full_time_again(documents: KeptDocuments, clock: FakeClock) -> None:
    lease = documents.acquire_lease(PATH, 60)
    clock.advance(50)
    documents.renew_lease(PATH, lease)
    clock.advance(50)
    documents.write(PATH, b"1", lease_id=lease)


def test_a_lapsed_lease_that_nobody_touched_can_be_renewed(
    documents: KeptDocuments, clock: FakeClock
) -> None:
    lease = documents.acquire_lease(PATH, 15)
    clock.advance(20)
    documents.renew_lease(PATH, lease)
    documents.write(PATH, b"1", lease_id=lease)


def test_a_write_ends_a_lapsed_lease_for_good(documents: KeptDocuments, clock: FakeClock) -> None:
    lease = documents.acquire_lease(PATH, 15)
    clock.advance(20)
    documents.write(PATH, b"1")
    with pytest.raises(LeaseLost):
        documents.renew_lease(PATH, lease)


def test_removing_a_document_removes_its_lapsed_lease(documents: KeptDocuments, clock: FakeClock) -> None:
    lease = documents.acquire_lease(PATH, 15)
    clock.advance(20)
    documents.delete(PATH)
    documents.create(PATH, b"1")
    with pytest.raises(LeaseLost):
        documents.renew_lease(PATH, lease)


@pytest.mark.parametrize("seconds", [14, 61, 0, -1])
def test_a_lease_that_azure_would_refuse_is_refused(documents: KeptDocuments, seconds: int) -> None:
    with pytest.raises(ValueError, match="15 to 60"):
        documents.acquire_lease(PATH, seconds)


TAKE_A_LEASE = """
import sys
from local.documents.folder import FolderDocuments
from shared.clock import SystemClock
FolderDocuments(sys.argv[1], SystemClock()).acquire_lease(sys.argv[2], 60)
print("taken", flush=True)
sys.stdin.read()
"""


def test_the_lease_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    documents = FolderDocuments(tmp_path, FakeClock())
    command = [sys.executable, "-c", TAKE_A_LEASE, str(tmp_path), PATH]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "taken\n"
        with pytest.raises(LeaseHeld):
            documents.acquire_lease(PATH, 60)
        owner.kill()
        owner.wait()
        documents.acquire_lease(PATH, 60)


def test_only_a_process_that_is_known_to_have_ended_is_gone() -> None:
    machine, pid, started = current_owner().rsplit("/", 2)
    assert not is_gone(current_owner())
    assert is_gone(f"{machine}/{pid}/{float(started) - 3600}"), "the pid was given to another process"
    assert not is_gone(f"elsewhere/{pid}/1.0"), "nobody here can know"
