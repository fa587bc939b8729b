"""Leases that are renewed before the calls of the work under them."""

from __future__ import annotations

import pytest

from shared.errors import LeaseHeld, LeaseLost, Stopping
from shared.sync.lease import LEASE_SECONDS, RENEW_AFTER_SECONDS, held_lease, lease_when_needed
from shared.sync.services import Services
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


def call(rig: EngineRig, services: Services) -> None:
    """What the pipeline does before each call."""
    services.work.before_call(rig.clock.monotonic())


class TestLease:
    def test_keeps_others_away_until_the_block_ends(self, rig: EngineRig) -> None:
        with held_lease(rig.services, PATH), pytest.raises(LeaseHeld), held_lease(rig.services, PATH):
            pytest.fail("two hold the lease")
        assert is_free(rig)

    def test_that_nobody_needs_is_not_taken(self, rig: EngineRig) -> None:
        with lease_when_needed(rig.services, PATH) as lease:
            call(rig, lease.services)
            assert is_free(rig)

    def test_that_somebody_needs_is_taken_then_and_kept_and_given_back(self, rig: EngineRig) -> None:
        with lease_when_needed(rig.services, PATH) as lease:
            rig.clock.advance(LEASE_SECONDS)
            assert lease.take() == lease.take()
            rig.clock.advance(LEASE_SECONDS - 1)
            call(rig, lease.services)
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
                call(rig, lease.services)
            rig.documents.write(PATH, b"1", lease_id=lease.take())

    def test_is_renewed_by_a_call_in_its_last_second_and_lasts_as_long_again(self, rig: EngineRig) -> None:
        with held_lease(rig.services, PATH) as lease:
            for _ in range(3):
                rig.clock.advance(LEASE_SECONDS - 1)
                call(rig, lease.services)
                rig.clock.advance(LEASE_SECONDS - 1)
                assert not is_free(rig)
                call(rig, lease.services)
            rig.clock.advance(LEASE_SECONDS)
            assert is_free(rig)

    @pytest.mark.parametrize(
        ("after", "lasts_until"), [(RENEW_AFTER_SECONDS - 0.1, 60.0), (RENEW_AFTER_SECONDS, 75.0)]
    )
    def test_is_renewed_when_it_is_a_quarter_old(
        self, rig: EngineRig, after: float, lasts_until: float
    ) -> None:
        with held_lease(rig.services, PATH) as lease:
            rig.clock.advance(after)
            call(rig, lease.services)
            rig.clock.advance(lasts_until - after - 0.01)
            assert not is_free(rig)
            rig.clock.advance(0.01)
            assert is_free(rig)

    def test_that_stands_in_another_s_block_keeps_that_one_too(self, rig: EngineRig) -> None:
        """A listing of the look-up is made while the batch is held."""
        other = "runs/r/jobs/look-up-pages.json"
        with held_lease(rig.services, PATH) as outer, held_lease(outer.services, other) as lease:
            for _ in range(3):
                rig.clock.advance(LEASE_SECONDS - 1)
                call(rig, lease.services)
                rig.clock.advance(1)
                assert not is_free(rig)

    def test_a_call_is_not_begun_when_the_process_is_about_to_end(self, rig: EngineRig) -> None:
        with held_lease(rig.services, PATH) as lease:
            rig.shutdown.begin()
            with pytest.raises(Stopping):
                call(rig, lease.services)
        assert is_free(rig)

    def test_is_not_renewed_before_every_call(self, rig: EngineRig, monkeypatch: pytest.MonkeyPatch) -> None:
        renewed: list[str] = []
        monkeypatch.setattr(rig.documents, "renew_lease", lambda path, lease_id: renewed.append(path))
        with held_lease(rig.services, PATH) as lease:
            for _ in range(30):
                rig.clock.advance(RENEW_AFTER_SECONDS / 10)
                call(rig, lease.services)
        assert renewed == [PATH] * 3

    def test_that_was_taken_over_ends_the_work_before_its_next_call(self, rig: EngineRig) -> None:
        with held_lease(rig.services, PATH) as lease:
            rig.clock.advance(LEASE_SECONDS + 1)
            other = rig.documents.acquire_lease(PATH, LEASE_SECONDS)
            with pytest.raises(LeaseLost):
                call(rig, lease.services)
        rig.documents.write(PATH, b"1", lease_id=other)

    def test_that_ran_out_is_taken_up_again_when_nobody_wanted_it(self, rig: EngineRig) -> None:
        with held_lease(rig.services, PATH) as lease:
            rig.clock.advance(LEASE_SECONDS + 1)
            call(rig, lease.services)
            rig.documents.write(PATH, b"1", lease_id=lease.take())
