"""A rig in the middle of everything: a day of runs behind it, one in progress, a plan that is held, records
that fail, a pause, and messages that were given up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from local.company.model import vista_date
from shared.storage.documents import create_json
from shared.sync.documents.runs import RunRequest
from shared.sync.messages import BatchMessage
from shared.sync.runs.dead_letters import DeadLetter, archive
from shared.sync.runs.requests import request_run
from shared.sync.runs.stopping import pause
from tests.e2e.http_rig import Api
from tests.e2e.rig import START, Rig
from tests.e2e.small_company import FIRST_NUMBER, contract_row, job_row, small_company

PEOPLE = 40
LEAVERS = (1011, 1012, 1013)
REFUSED, INVALID = 1004, 1005
NEW_JOBS = 14
HOSTILE = "<img src=x onerror=alert(1)>"
TAKEN = '{"message":"invalid","errors":{"last_name":["has already been taken"]}}'
SETTINGS = {"GUARD_MAX_PERCENT": "5", "API_RATE_LIMIT_RESERVE": "6"}


def quiet_world(folder: Path, **settings: Any) -> Api:
    """After a first load, an hour ago."""
    company = small_company(START.date(), PEOPLE)
    api = Api(Rig(folder, company, limit=10, **{**SETTINGS, **settings}))
    api.rig.run(cause="schedule")
    api.rig.clock.advance(3600)
    return api


def busy_world(folder: Path, **settings: Any) -> Api:
    """All of it at once."""
    api = quiet_world(folder, **settings)
    a_day_of_runs(api.rig)
    fail_some(api.rig)
    hold_leavers(api.rig)
    pause(api.rig.stack.runtime, ["titles"], "titles are renamed in Vista until noon", "Jo Example")
    begin_run(api.rig)
    give_up_messages(api.rig)
    return api


def a_day_of_runs(rig: Rig) -> None:
    """Hourly ones, most of which change something."""
    for hour in range(14):
        for number in range(FIRST_NUMBER, FIRST_NUMBER + (hour * 5) % 7):
            rig.person(number + 15)["LastName"] = f"Renamed{hour}"
        rig.publish()
        rig.run(cause="schedule", refresh=hour == 9)
        rig.clock.advance(3600)


def fail_some(rig: Rig) -> None:
    """One record that SafetyAmp refuses, and one that is invalid in Vista."""
    rig.person(REFUSED)["LastName"] = HOSTILE
    rig.person(INVALID)["LastName"] = " "
    rig.publish()
    rig.safetyamp.fail_next(9, 422, TAKEN, match="PATCH /api/users*")
    rig.run(cause="schedule")
    rig.safetyamp.heal()
    rig.clock.advance(3600)


def hold_leavers(rig: Rig) -> str:
    """More of them than the guard lets go; somebody else is renamed in the same plan."""
    for number in LEAVERS:
        rig.person(number)["TermDate"] = vista_date(START.date())
    rig.person(1020)["LastName"] = "Married"
    rig.publish()
    run_id = rig.run(cause="schedule").run_id
    rig.clock.advance(600)
    return run_id


def begin_run(rig: Rig) -> str:
    """A run of jobs and vehicles that has come half way; employees are no part of it."""
    for number in range(NEW_JOBS):
        job = f"9{number:02d}."
        rig.company.tables["bJCJM"].append(job_row(job))
        rig.company.tables["bJCCM"].append(contract_row(job, "10"))
    rig.publish()
    run_id = request_run(rig.stack.runtime, RunRequest(entities=("jobs", "vehicles")))
    before = rig.safetyamp.created.get("sites", 0)
    rig.until(lambda: rig.safetyamp.created.get("sites", 0) >= before + 6)
    return run_id


def give_up_messages(rig: Rig) -> None:
    """One that the run in progress still lacks, and one that nobody can read."""
    message = BatchMessage(rig.active, "jobs", 4, 1, "start")
    document = {
        **{"message_id": message.message_id, "body": message.to("change-batches").body},
        **{"reason": "it was delivered ten times", "delivery_count": 10, "at": rig.clock.now().isoformat()},
    }
    create_json(rig.documents, "dead-letters/change-batches/lost.json", document)
    archive(rig.stack.runtime, DeadLetter("entity", "odd", HOSTILE.encode(), f"no JSON: {HOSTILE}", 1))
