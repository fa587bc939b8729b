"""A process may die before any effect that it has on the world; the next one ends with the same content."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.company.model import Company, vista_date
from tests.e2e.rig import START, Rig, doubles
from tests.e2e.small_company import FIRST_NUMBER, new_person, small_company

EVERY = int(os.environ.get("CRASH_EVERY", "0"))
"""1: crash before each and every effect in all tests here, which takes minutes instead of seconds."""

UNIQUE = {"site_clusters": "external_code", "sites": "ext_id", "user_titles": "name", "users": "emp_id"}


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Hundreds of runs log thousands of expected troubles. Planning ends with a pass of the garbage
    collector, which here would walk the whole test suite each time: what is there already is left out."""
    logging.disable(logging.CRITICAL)
    gc.freeze()
    yield
    gc.unfreeze()
    logging.disable(logging.NOTSET)


def tiny_company(people: int) -> Company:
    """One department, job and vehicle."""
    company = small_company(START.date(), people)
    for table in ("bPRDP", "bJCJM", "bJCCM"):
        del company.tables[table][1:]
    del company.vehicles[1:]
    return company


def change(company: Company) -> None:
    """One person leaves, one comes with a new title, one moves."""
    leaver, mover = company.tables["bPREH"][0], company.tables["bPREH"][1]
    leaver["TermDate"] = vista_date(START.date())
    mover["Address"] = "5 Other Street"
    new_person(company, FIRST_NUMBER + 50, udEmpTitle="Diver")


def crash_everywhere(begin: Callable[[], Rig], every: int) -> None:
    """Let a run die at its n-th effect and another process end it, for all n; compare with a run in peace.

    `begin` builds the same world each time.
    """
    calm = begin()
    start = calm.power.pulses
    calm.finish(calm.request() or "")
    effects, wanted = calm.power.pulses - start, calm.content()
    calm.close()
    assert effects > 50
    for number in range(1, effects + 1, EVERY or every):
        rig = begin()
        rig.power.dies_at = start + number
        run_id = rig.request() or rig.request()
        assert run_id is not None
        rig.finish(run_id, sweeping=True)
        assert rig.power.crashes == 1, f"nothing died at effect {number}"
        after = rig.run()
        found = rig.content()
        rig.close()
        for resource, field in UNIQUE.items():
            assert not doubles(found[resource], field), f"crash at effect {number}"
        assert found == wanted, f"crash at effect {number}"
        assert after.report["phase"] == "done", f"crash at effect {number}: {after.report}"
        assert after.writes == [], f"crash at effect {number} left work undone"
        assert after.count("unchanged") + after.count("skipped") == after.count("source")


@pytest.mark.parametrize(
    ("bus_dies", "every"), [(False, 3), (True, 7)], ids=["Service Bus stays", "bus is lost too"]
)
def test_a_first_load_survives_a_crash_at_any_effect(tmp_path: Path, bus_dies: bool, every: int) -> None:
    crash_everywhere(lambda: Rig(tmp_path, tiny_company(2), bus_dies=bus_dies), every)


@pytest.mark.parametrize("bus_dies", [False, True], ids=["Service Bus stays", "bus is lost too"])
def test_a_first_load_over_many_windows_survives_a_crash_at_any_effect(
    tmp_path: Path, bus_dies: bool
) -> None:
    """Four calls per window: a batch holds four changes, and nearly every handler hands its work on."""

    def begin() -> Rig:
        return Rig(tmp_path, tiny_company(5), bus_dies=bus_dies, limit=10, API_RATE_LIMIT_RESERVE="6")

    crash_everywhere(begin, 17)


def test_leavers_joiners_and_movers_survive_a_crash_at_any_effect(tmp_path: Path) -> None:
    def begin() -> Rig:
        rig = Rig(tmp_path, tiny_company(6))
        rig.run()
        change(rig.company)
        rig.publish()
        return rig

    crash_everywhere(begin, 7)
