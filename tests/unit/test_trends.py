"""How the last days went: a row per day, from so many documents at most."""

from __future__ import annotations

from typing import Any

import pytest

from shared.queries import trends as module
from shared.queries.trends import trends
from shared.storage.documents import to_json
from shared.sync import paths
from shared.sync.documents.runs import EntityStatus, Run, RunRequest, requested_at
from shared.sync.model import EntityName
from tests.unit.operations_rig import OperationsRig, answers

# The rig's clock says noon of the fifth of January 2026.
TODAY = "2026-01-05"


def status(**members: Any) -> EntityStatus:
    counts = {name: members.pop(name) for name in ("created", "updated", "deactivated") if name in members}
    counts |= {name: members.pop(name) for name in ("invalid", "failed", "waiting") if name in members}
    return EntityStatus("done", counts={"source": 1, **counts}, **members)


class TrendsRig(OperationsRig):
    def keep(
        self,
        day: str = TODAY,
        hour: int = 6,
        seconds: int = 90,
        *,
        phase: Any = "done",
        entities: dict[EntityName, EntityStatus] | None = None,
        **request: Any,
    ) -> str:
        run_id = f"{day.replace('-', '')}-{hour:02d}0000-0a1b2c"
        statuses: dict[EntityName, EntityStatus] = {"employees": status()} if entities is None else entities
        ended = (
            None if phase == "running" else f"{day}T{hour:02d}:{seconds // 60:02d}:{seconds % 60:02d}+00:00"
        )
        asked = RunRequest(entities=tuple(statuses), **request)
        run = Run(run_id, asked, requested_at(run_id), statuses, phase, ended)
        self.documents.write(paths.run(run_id), to_json(run.to_json()))
        return run_id

    def ask(self, days: int = 3) -> dict[str, Any]:
        before = self.everything()
        found: dict[str, Any] = answers("show_trends", trends(self.services, days))
        assert self.everything() == before
        return found

    @property
    def today(self) -> dict[str, Any]:
        last: dict[str, Any] = self.ask()["days"][-1]
        return last


@pytest.fixture
def rig() -> TrendsRig:
    return TrendsRig()


def test_every_day_has_its_row_the_oldest_first_also_where_nothing_ran(rig: TrendsRig) -> None:
    found = rig.ask()
    assert [day["day"] for day in found["days"]] == ["2026-01-03", "2026-01-04", TODAY]
    assert (found["complete_since"], found["runs_read"]) == ("2026-01-03", 0)
    assert found["days"][0] == {
        "day": "2026-01-03",
        "runs": 0,
        "created": 0,
        "updated": 0,
        "deactivated": 0,
        "findings": None,
        "calls": {},
        "longest_seconds": None,
    }


def test_what_the_runs_of_a_day_did_is_added_up(rig: TrendsRig) -> None:
    rig.keep(hour=1, entities={"jobs": status(created=2, calls={"safetyamp": 3, "vista": 1})})
    both: dict[EntityName, EntityStatus] = {
        "jobs": status(updated=1, calls={"safetyamp": 1}),
        "employees": status(created=5, deactivated=4, calls={"safetyamp": 9}),
    }
    rig.keep(hour=2, entities=both)
    today = rig.today
    assert (today["runs"], today["created"], today["updated"], today["deactivated"]) == (2, 7, 1, 4)
    assert today["calls"] == {"safetyamp": 13, "vista": 1}


def test_a_day_s_findings_are_those_of_the_last_run_that_looked_at_all_of_an_entity(rig: TrendsRig) -> None:
    rig.keep(hour=1, entities={"jobs": status(invalid=7), "employees": status(invalid=9)})
    rig.keep(hour=2, entities={"employees": status(invalid=1, failed=2, waiting=3)})
    rig.keep(hour=3, entities={"employees": status(failed=1)}, keys=("7",))
    rig.keep(hour=4, entities={"employees": EntityStatus("failed", reason="Vista is away")})
    assert rig.today["findings"] == 13


def test_the_longest_run_is_told_and_neither_plans_nor_single_records_are_runs_for_that(
    rig: TrendsRig,
) -> None:
    rig.keep(hour=1, seconds=90)
    rig.keep(hour=2, seconds=200)
    rig.keep(hour=3, seconds=900, mode="plan")
    rig.keep(hour=4, seconds=900, keys=("7",))
    assert rig.today["longest_seconds"] == 200.0


def test_the_time_that_a_held_plan_waited_for_somebody_is_no_work(rig: TrendsRig) -> None:
    approved = status(approved_at=f"{TODAY}T06:50:00+00:00")
    rig.keep(hour=6, seconds=55 * 60, entities={"employees": approved})
    assert rig.today["longest_seconds"] == 300.0


def test_a_run_under_way_is_not_counted_yet(rig: TrendsRig) -> None:
    rig.keep(phase="running", entities={"employees": status(created=5)})
    assert (rig.today["runs"], rig.today["created"]) == (0, 0)


def test_what_was_before_is_left_out_and_what_cannot_be_read_is_named(rig: TrendsRig) -> None:
    rig.keep("2026-01-02")
    damaged = rig.keep("2026-01-03")
    rig.keep("2026-01-04")
    rig.damage(paths.run(damaged))
    found = rig.ask()
    assert [day["runs"] for day in found["days"]] == [0, 1, 0]
    assert (len(found["problems"]), found["runs_read"]) == (1, 2)


def test_days_whose_runs_are_more_than_one_request_reads_are_left_out(
    rig: TrendsRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hour in range(4):
        rig.keep("2026-01-04", hour)
    rig.keep()
    monkeypatch.setattr(module, "MOST_RUNS", 3)
    found = rig.ask()
    assert ([day["day"] for day in found["days"]], found["complete_since"]) == ([TODAY], TODAY)
    assert found["runs_read"] == 3
    monkeypatch.setattr(module, "MOST_RUNS", 5)
    assert rig.ask()["complete_since"] == "2026-01-03"


def test_nobody_waits_for_documents_that_come_slowly(rig: TrendsRig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.keep("2026-01-04")
    rig.keep()
    monkeypatch.setattr(module, "READ_SECONDS", -1)
    found = rig.ask()
    assert (found["runs_read"], found["days"]) == (0, [])
    assert found["complete_since"] == "2026-01-06"
