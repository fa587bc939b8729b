"""Leases that are renewed before calls, and the heartbeat that carries this to the clients."""

from __future__ import annotations

import threading

import pytest

from shared.clients.http.heartbeat import beat, beating
from shared.errors import LeaseHeld, LeaseLost, Stopping, StorageError
from shared.sync.lease import LEASE_SECONDS, RENEW_AFTER_SECONDS, held_lease, lease_when_needed
from tests.unit.engine_rig import EngineRig

PATH = "runs/r/jobs/progress/0001.json"


@pytest.fixture
def rig() -> EngineRig:
    return EngineRig()


def is_free(rig: EngineRig) -> bool:
    try:
        lease_id = rig.documents.acquire_lease(PATH, LEASE_SECONDS)
    except LeaseHeld:
        return False
    rig.documents.release_lease(PATH, lease_id)
    return True


class TestHeartbeat:
    def test_beating_nowhere_does_nothing(self) -> None:
        beat()

    def test_is_bound_for_the_block_and_the_inner_one_counts(self) -> None:
        beats: list[str] = []
        with beating(lambda: beats.append("outer")):
            beat()
            with beating(lambda: beats.append("inner")):
                beat()
            beat()
        beat()
        assert beats == ["outer", "inner", "outer"]

    def test_ends_with_its_block_when_that_fails(self) -> None:
        beats: list[int] = []
        with pytest.raises(KeyError), beating(lambda: beats.append(1)):
            raise KeyError
        beat()
        assert beats == []

    def test_belongs_to_its_own_thread(self) -> None:
        beats: list[int] = []
        with beating(lambda: beats.append(1)):
            thread = threading.Thread(target=beat)
            thread.start()
            thread.join()
        assert beats == []

    def test_passes_on_what_it_raises(self) -> None:
        def lost() -> None:
            raise LeaseLost("gone")

        with beating(lost), pytest.raises(LeaseLost):
            beat()


class TestLease:
    def test_keeps_others_away_until_the_block_ends(self, rig: EngineRig) -> None:
        with held_lease(rig.services, PATH), pytest.raises(LeaseHeld), held_lease(rig.services, PATH):
            pytest.fail("two hold the lease")
        assert is_free(rig)

    def test_that_nobody_needs_is_not_taken(self, rig: EngineRig) -> None:
        with lease_when_needed(rig.services, PATH):
            beat()
            assert is_free(rig)

    def test_that_somebody_needs_is_taken_then_and_kept_and_given_back(self, rig: EngineRig) -> None:
        with lease_when_needed(rig.services, PATH) as lease:
            rig.clock.advance(LEASE_SECONDS)
            assert lease.take() == lease.take()
            rig.clock.advance(LEASE_SECONDS - 1)
            beat()
            rig.clock.advance(LEASE_SECONDS - 1)
            assert not is_free(rig)
        assert is_free(rig)

    def test_is_given_back_when_the_block_fails(self, rig: EngineRig) -> None:
        with pytest.raises(KeyError), held_lease(rig.services, PATH):
            raise KeyError
        assert is_free(rig)

    def test_lasts_as_long_as_calls_are_made(self, rig: EngineRig) -> None:
        with held_lease(rig.services, PATH) as lease:
            for _ in range(20):
                rig.clock.advance(LEASE_SECONDS - 1)
                beat()
            rig.documents.write(PATH, b"1", lease_id=lease.take())

    def test_is_renewed_by_a_call_in_its_last_second_and_lasts_as_long_again(self, rig: EngineRig) -> None:
        with held_lease(rig.services, PATH):
            for _ in range(3):
                rig.clock.advance(LEASE_SECONDS - 1)
                beat()
                rig.clock.advance(LEASE_SECONDS - 1)
                assert not is_free(rig)
                beat()
            rig.clock.advance(LEASE_SECONDS)
            assert is_free(rig)

    @pytest.mark.parametrize(
        ("after", "lasts_until"), [(RENEW_AFTER_SECONDS - 0.1, 60.0), (RENEW_AFTER_SECONDS, 75.0)]
    )
    def test_is_renewed_when_it_is_a_quarter_old(
        self, rig: EngineRig, after: float, lasts_until: float
    ) -> None:
        with held_lease(rig.services, PATH):
            rig.clock.advance(after)
            beat()
            rig.clock.advance(lasts_until - after - 0.01)
            assert not is_free(rig)
            rig.clock.advance(0.01)
            assert is_free(rig)

    def test_that_stands_in_another_s_block_keeps_that_one_too(self, rig: EngineRig) -> None:
        """A listing of the look-up is made while the batch is held."""
        other = "runs/r/jobs/look-up-pages.json"
        with held_lease(rig.services, PATH), held_lease(rig.services, other):
            for _ in range(3):
                rig.clock.advance(LEASE_SECONDS - 1)
                beat()
                rig.clock.advance(1)
                assert not is_free(rig)

    def test_a_call_is_not_begun_when_the_process_is_about_to_end(self, rig: EngineRig) -> None:
        with held_lease(rig.services, PATH):
            rig.shutdown.begin()
            with pytest.raises(Stopping):
                beat()
        assert is_free(rig)

    def test_is_not_renewed_before_every_call(self, rig: EngineRig, monkeypatch: pytest.MonkeyPatch) -> None:
        renewed: list[str] = []
        monkeypatch.setattr(rig.documents, "renew_lease", lambda path, lease_id: renewed.append(path))
        with held_lease(rig.services, PATH):
            for _ in range(30):
                rig.clock.advance(RENEW_AFTER_SECONDS / 10)
                beat()
        assert renewed == [PATH] * 3

    def test_that_was_taken_over_ends_the_work_before_its_next_call(self, rig: EngineRig) -> None:
        with held_lease(rig.services, PATH):
            rig.clock.advance(LEASE_SECONDS + 1)
            other = rig.documents.acquire_lease(PATH, LEASE_SECONDS)
            with pytest.raises(LeaseLost):
                beat()
        rig.documents.write(PATH, b"1", lease_id=other)

    def test_that_ran_out_is_taken_up_again_when_nobody_wanted_it(self, rig: EngineRig) -> None:
        with held_lease(rig.services, PATH) as lease:
            rig.clock.advance(LEASE_SECONDS + 1)
            beat()
            rig.documents.write(PATH, b"1", lease_id=lease.take())

    def test_that_cannot_be_taken_binds_no_heartbeat(
        self, rig: EngineRig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(path: str, seconds: int) -> str:
            raise StorageError("away")

        monkeypatch.setattr(rig.documents, "acquire_lease", away)
        with pytest.raises(StorageError), held_lease(rig.services, PATH):
            pytest.fail("there is no lease")
        beat()
