"""A foreman calls: somebody of the crew cannot log in. What the API says, for everything it can be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.company.model import vista_date
from shared.queries.on_demand import WORK_SECONDS
from shared.sync.documents.runs import RunRequest
from shared.sync.runs.requests import request_run
from tests.e2e.http_rig import Api, api_for
from tests.e2e.rig import START, Rig
from tests.e2e.small_company import contract_row, job_row, small_company

PERSON = 1001
REFUSED = '{"message":"invalid","errors":{"last_name":["validation.last_name"]}}'
NEXT_RUN = "2026-03-02T13:00:00+00:00"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """A company whose first load is done; noon, the hourly run comes at one."""
    api = api_for(tmp_path, GUARD_MAX_PERCENT="20")
    api.rig.run()
    api.rig.clock.advance(60)
    yield api
    api.rig.close()


def change_person(api: Api, **columns: Any) -> None:
    api.rig.person(PERSON).update(columns)
    api.rig.publish()


def refuse(api: Api) -> None:
    """The person changes, and SafetyAmp takes no change of people any more."""
    change_person(api, LastName="Worse")
    api.rig.safetyamp.fail_next(99, 422, REFUSED, match="PATCH /api/users*")


def new_job(api: Api) -> str:
    """The person works on a new job now."""
    job = "400."
    api.rig.company.tables["bJCJM"].append(job_row(job))
    api.rig.company.tables["bJCCM"].append(contract_row(job, "10"))
    (worked,) = (row for row in api.rig.company.tables["bPRJC"] if row["Employee"] == PERSON)
    worked["Job"] = job
    api.rig.publish()
    return job


def writes(api: Api) -> list[str]:
    return [f"{call.method} {call.path}" for call in api.rig.safetyamp.calls if call.method != "GET"]


class TestExplaining:
    def test_somebody_who_is_in_order(self, api: Api) -> None:
        calls = len(api.rig.safetyamp.calls)
        found = api.explain("employees", PERSON)
        user = api.rig.user(PERSON)
        assert found["summary"][0] == "Vista has it."
        assert found["summary"][1] == f"SafetyAmp has it as {user['id']}, with access."
        assert found["next"]["verdict"] == "nothing"
        assert found["next"]["reason"] == "SafetyAmp holds what the source says"
        assert found["difference"] is None
        (created,) = found["history"]["changes"]
        assert (created["action"], created["result"]) == ("create", "created")
        assert created["call"] == {"method": "POST", "path": "/api/users"}
        assert created["target_id"] == user["id"]
        # Nothing was asked of SafetyAmp, and nothing changed.
        assert len(api.rig.safetyamp.calls) == calls

    def test_shows_the_synced_fields_of_the_source_and_no_private_address(self, api: Api) -> None:
        change_person(api, Email="private@home.example")
        record = api.explain("employees", PERSON)["source"]["record"]
        assert record["email"] == f"person{PERSON}@tworivers.example"
        assert record["standing"] == "active"
        assert "private@home.example" not in str(record)

    def test_somebody_whom_nobody_knows(self, api: Api) -> None:
        problem = api.get("/api/records/employees/9999", 404)
        assert "neither Vista nor SafetyAmp" in problem["detail"]
        assert "VISTA_COMPANY" in problem["hint"]

    def test_somebody_who_vanished_from_vista(self, api: Api) -> None:
        api.rig.company.tables["bPREH"].remove(api.rig.person(PERSON))
        api.rig.publish()
        found = api.explain("employees", PERSON)
        assert found["source"]["found"] is False
        assert found["summary"][0] == "Vista does not have it."
        assert found["next"]["verdict"] == "nothing"
        assert "never removed" in found["next"]["reason"]
        assert api.rig.run().writes == []

    def test_somebody_new(self, api: Api) -> None:
        change_person(api, Employee=5000, Email="new@tworivers.example", Phone="225-555-5000")
        found = api.explain("employees", 5000)
        assert found["next"]["verdict"] == "create"
        assert found["next"]["at"] == NEXT_RUN
        assert found["difference"]["after"]["emp_id"] == "5000"
        assert found["mapped"]["fields"]["home_site_id"]["entity"] in ("jobs", "offices")
        api.rig.run()
        assert api.rig.user(5000)["email"] == "new@tworivers.example"

    def test_somebody_whose_record_is_invalid(self, api: Api) -> None:
        change_person(api, LastName=" ")
        found = api.explain("employees", PERSON)
        assert found["next"]["verdict"] == "invalid"
        assert found["next"]["reason"] == "LastName is empty: fill it in Vista"
        assert found["rejected"]["field"] == "LastName"

    def test_somebody_whom_safetyamp_refused(self, api: Api) -> None:
        refuse(api)
        api.rig.run()
        found = api.explain("employees", PERSON)
        assert found["next"]["verdict"] == "refused"
        assert found["next"]["at"] is None
        assert "POST /api/failures/retry" in found["next"]["suggestion"]
        assert list(found["safetyamp"]["failure"]["errors"]) == ["last_name"]
        last = found["history"]["changes"][0]
        assert (last["result"], list(last["errors"])) == ("refused", ["last_name"])
        # It is true: the next run does not try it.
        assert api.rig.run().writes == []

    def test_somebody_whose_refused_data_was_mended(self, api: Api) -> None:
        refuse(api)
        api.rig.run()
        api.rig.safetyamp.heal()
        change_person(api, LastName="Better")
        found = api.explain("employees", PERSON)
        assert (found["next"]["verdict"], found["next"]["at"]) == ("update", NEXT_RUN)
        assert "changed since SafetyAmp refused it" in found["next"]["reason"]
        assert api.rig.run().count("updated") == 1

    def test_somebody_who_waits_for_a_refused_job(self, api: Api) -> None:
        job = new_job(api)
        api.rig.safetyamp.fail_next(1, 422, REFUSED, match="POST /api/sites")
        ran = api.rig.run()
        assert ran.entity("employees")["waiting"] == 1
        found = api.explain("employees", PERSON)
        assert found["next"]["verdict"] == "waiting"
        assert found["next"]["reason"].startswith(
            f"waiting for jobs {job}, which SafetyAmp does not have yet"
        )
        assert "refused it" in found["next"]["reason"]

    def test_somebody_whose_new_job_is_made_first(self, api: Api) -> None:
        job = new_job(api)
        found = api.explain("employees", PERSON)
        assert found["next"]["verdict"] == "update"
        assert f"after jobs {job}, which that run makes first" in found["next"]["reason"]
        assert api.rig.run().count("updated") == 1

    def test_somebody_who_waits_for_a_paused_job(self, api: Api) -> None:
        new_job(api)
        api.post("/api/pause/jobs", reason="year end")
        assert "jobs is paused" in api.explain("employees", PERSON)["next"]["reason"]

    def test_somebody_whom_the_guard_holds(self, api: Api) -> None:
        for number in range(PERSON, PERSON + 4):
            api.rig.person(number)["TermDate"] = vista_date(START.date() - timedelta(days=1))
        api.rig.publish()
        before = api.explain("employees", PERSON)["next"]
        assert (before["verdict"], before["approve_url"]) == ("held", None)
        run_id = api.rig.run().run_id
        held = api.explain("employees", PERSON)["next"]
        assert held["reason"].startswith(
            "it would be deactivated, but the guard holds that part of employees: 4 of 10"
        )
        assert held["approve_url"] == f"/api/runs/{run_id}/approve"
        api.post(held["approve_url"], 202)
        api.rig.finish(run_id)
        assert (
            api.explain("employees", PERSON)["next"]["reason"] == "has left, and is switched off in SafetyAmp"
        )

    def test_somebody_whose_entity_is_paused(self, api: Api) -> None:
        change_person(api, LastName="Married")
        api.post("/api/pause", body={"entity": "employees", "reason": "payroll", "who": "Jo"})
        found = api.explain("employees", PERSON)["next"]
        assert found["verdict"] == "paused"
        assert "payroll" in found["reason"]
        assert found["suggestion"] == "Resume employees; after that: the next run would update it."

    def test_somebody_who_was_switched_off_by_hand(self, api: Api) -> None:
        api.rig.safetyamp.edit("users", api.rig.user(PERSON)["id"], system_access=0)
        api.rig.run(refresh=True)
        for _ in range(2):
            found = api.explain("employees", PERSON)
            assert found["next"]["verdict"] == "nothing"
            assert "switched off in SafetyAmp by hand" in found["next"]["reason"]
            assert "REENABLE_DISABLED" in found["next"]["suggestion"]
            assert found["summary"][1].endswith("switched off.")
            api.rig.run()

    def test_somebody_who_will_be_switched_off(self, api: Api) -> None:
        change_person(api, TermDate=vista_date(START.date()))
        found = api.explain("employees", PERSON)
        assert (found["next"]["verdict"], found["next"]["at"]) == ("deactivate", NEXT_RUN)
        assert found["difference"] == {
            "action": "deactivate",
            "before": {"system_access": 1},
            "after": {"system_access": 0},
        }
        # Of somebody who has left nothing else is synced, so nothing else is shown.
        assert found["source"]["record"] == {"standing": "left"}

    def test_somebody_whose_turn_is_still_to_come(self, tmp_path: Path) -> None:
        api = api_for(tmp_path, API_RATE_LIMIT_CALLS="10", API_RATE_LIMIT_RESERVE="6")
        run_id = request_run(api.rig.stack.runtime, RunRequest())
        api.rig.until(lambda: api.rig.safetyamp.created.get("users", 0) > 0)
        last = PERSON + 9
        found = api.explain("employees", last)["next"]
        assert (found["verdict"], found["run_url"]) == ("under way", f"/api/runs/{run_id}")
        assert "its batch 3 will create the record" in found["reason"]
        api.rig.finish(run_id)
        api.rig.close()

    def test_while_vista_is_away_says_so_and_what_is_known(self, api: Api) -> None:
        api.rig.stack.runtime.vista.close()
        api.rig.database.unlink()
        found = api.explain("employees", PERSON)
        assert (found["source"]["read"], found["next"]["verdict"]) == (False, "unknown")
        assert found["safetyamp"]["found"] == "yes"
        assert found["history"]["changes"]

    def test_before_the_first_run(self, tmp_path: Path) -> None:
        api = api_for(tmp_path)
        found = api.explain("employees", PERSON)
        assert found["safetyamp"]["known"] is False
        assert (found["next"]["verdict"], found["next"]["at"]) == ("create", NEXT_RUN)
        api.rig.close()

    def test_a_record_without_a_change_that_differs_waits_for_the_nightly_listing(self, api: Api) -> None:
        site = api.rig.user(PERSON)["home_site_id"]
        api.rig.safetyamp.edit("users", api.rig.user(PERSON)["id"], last_name="Typo")
        api.rig.run(refresh=True)
        assert api.rig.user(PERSON)["last_name"] == f"Worker{PERSON}"
        assert api.rig.user(PERSON)["home_site_id"] == site
        assert api.explain("employees", PERSON)["next"]["verdict"] == "nothing"

    @pytest.mark.parametrize(
        ("entity", "key"),
        [("departments", "10"), ("departments", "region:Coast"), ("jobs", "100."), ("titles", "Foreman")],
    )
    def test_every_entity_can_be_asked_for(self, api: Api, entity: str, key: str) -> None:
        found = api.explain(entity, key)
        assert found["source"]["found"] is True
        assert found["next"]["verdict"] == "nothing"
        assert found == {**api.get(f"/api/records/{entity}", key=key), "at": found["at"]}

    def test_a_vehicle(self, api: Api) -> None:
        found = api.explain("vehicles", api.rig.company.vehicles[0]["id"])
        assert found["next"]["verdict"] == "nothing"
        assert found["source"]["record"]["serial"] == "GATE0000"

    def test_a_vehicle_while_vehicles_are_off(self, tmp_path: Path) -> None:
        api = api_for(tmp_path, SAFETYAMP_VEHICLE_SITE_ID="", SAFETYAMP_VEHICLE_ASSET_TYPE_ID="")
        vehicle = api.rig.company.vehicles[0]["id"]
        found = api.explain("vehicles", vehicle)["next"]
        assert (found["verdict"], found["at"]) == ("off", None)
        done = api.post("/api/sync/vehicles", key=vehicle)
        assert done["steps"]["source"] is None
        assert "vehicles are off" in done["reason"]
        api.rig.close()


class TestFindingTheKey:
    @pytest.mark.parametrize(
        ("text", "keys"),
        [
            ("worker1001", ["1001"]),
            ("PAT worker1002", ["1002"]),
            ("1003", ["1003"]),
            ("person1004@tworivers", ["1004"]),
            ("nobody", []),
        ],
    )
    def test_by_name_number_or_mail(self, api: Api, text: str, keys: list[str]) -> None:
        found = api.post("/api/search", body={"text": text})
        assert [record["key"] for record in found["found"]] == keys
        assert all(record["in_source"] and record["in_safetyamp"] for record in found["found"])
        assert "tworivers" not in str(found)

    def test_of_somebody_who_is_not_in_safetyamp_yet_or_has_left(self, api: Api) -> None:
        change_person(api, LastName="Newname", Employee=5000)
        api.rig.person(1002)["TermDate"] = vista_date(START.date())
        api.rig.publish()
        (new,) = api.post("/api/search", body={"text": "newname"})["found"]
        assert new == {"key": "5000", "name": "Pat Newname", "in_source": True, "in_safetyamp": False}
        (left,) = api.post("/api/search", body={"text": "worker1002"})["found"]
        assert left["in_safetyamp"] is True

    def test_of_somebody_renamed_tells_that_both_have_them(self, api: Api) -> None:
        change_person(api, LastName="Married")
        for text in (f"worker{PERSON}", "married"):
            (found,) = api.post("/api/search", body={"text": text})["found"]
            assert (found["key"], found["in_source"], found["in_safetyamp"]) == (str(PERSON), True, True)

    def test_of_many_names_some_and_says_so(self, tmp_path: Path) -> None:
        api = Api(Rig(tmp_path, small_company(START.date(), people=30)))
        found = api.post("/api/search", body={"text": "pat"})
        assert (len(found["found"]), found["more"]) == (25, True)
        api.rig.close()

    def test_that_is_a_key_itself_comes_first(self, tmp_path: Path) -> None:
        company = small_company(START.date(), people=30)
        for number, row in enumerate(company.tables["bPREH"]):
            row["udEmpTitle"] = f"A {number} welder"
        company.tables["bPREH"][0]["udEmpTitle"] = "welder"
        api = Api(Rig(tmp_path, company))
        found = api.post("/api/search", body={"entity": "titles", "text": "welder"})
        assert (found["found"][0]["key"], found["more"]) == ("welder", True)
        api.rig.close()

    def test_of_records_that_cannot_be_read_finds_the_key(self, api: Api) -> None:
        departments = api.rig.company.tables["bPRDP"]
        departments.extend({**departments[0], "PRDept": code} for code in ("ADM", "ADM "))
        api.rig.publish()
        (found,) = api.post("/api/search", body={"entity": "departments", "text": "adm"})["found"]
        assert found == {"key": "ADM", "name": "", "in_source": True, "in_safetyamp": False}
        assert api.explain("departments", "ADM")["rejected"]["kind"] == "invalid"

    def test_while_vista_is_away_looks_through_what_is_known_of_safetyamp(self, api: Api) -> None:
        api.rig.stack.runtime.vista.close()
        api.rig.database.unlink()
        found = api.post("/api/search", body={"text": "worker1001"})
        assert [record["key"] for record in found["found"]] == ["1001"]
        assert found["problem"]

    @pytest.mark.parametrize(("entity", "text"), [("jobs", "works 100."), ("vehicles", "tr0000")])
    def test_of_other_entities(self, api: Api, entity: str, text: str) -> None:
        (found,) = api.post("/api/search", body={"entity": entity, "text": text})["found"]
        assert found["in_source"] is True
        assert api.explain(entity, found["key"])["source"]["found"] is True


class TestSyncingOneRecord:
    def test_answers_with_each_step(self, api: Api) -> None:
        change_person(api, LastName="Married")
        before = len(writes(api))
        done = api.post("/api/sync/employees", key=PERSON)
        user = api.rig.user(PERSON)
        steps = done["steps"]
        assert (done["phase"], done["mode"], done["key"]) == ("done", "apply", str(PERSON))
        assert steps["source"]["record"]["last_name"] == "Married"
        assert steps["mapped"]["mapped"]["last_name"] == "Married"
        assert (steps["target"]["found"], steps["target"]["target_ids"]) == ("known id", [user["id"]])
        assert steps["difference"] == {
            "action": "update",
            "before": {"last_name": f"Worker{PERSON}"},
            "after": {"last_name": "Married"},
        }
        assert steps["call"] == {"method": "PATCH", "path": f"/api/users/{user['id']}"}
        assert steps["result"]["result"] == "updated"
        assert user["last_name"] == "Married"
        assert writes(api)[before:] == [f"PATCH /api/users/{user['id']}"]

    def test_with_mode_plan_writes_nothing(self, api: Api) -> None:
        change_person(api, LastName="Married")
        before = len(api.rig.safetyamp.calls)
        done = api.post("/api/sync/employees", key=PERSON, mode="plan")
        assert (done["phase"], done["steps"]["call"], done["steps"]["result"]["result"]) == (
            "planned",
            None,
            "planned",
        )
        assert done["steps"]["difference"]["after"] == {"last_name": "Married"}
        assert len(api.rig.safetyamp.calls) == before

    def test_touches_no_other_record_and_the_next_run_does_those(self, api: Api) -> None:
        change_person(api, LastName="Married")
        api.rig.person(1002)["LastName"] = "Other"
        api.rig.publish()
        api.post("/api/sync/employees", key=PERSON)
        assert api.rig.user(1002)["last_name"] == "Worker1002"
        ran = api.rig.run()
        assert ran.writes == [f"PATCH /api/users/{api.rig.user(1002)['id']}"]
        # The messages of the record's run, which nobody waited for, find nothing to do.
        api.rig.drain()
        assert api.rig.run().calls == []

    def test_says_of_a_record_what_every_run_says_of_it(self, api: Api) -> None:
        api.rig.safetyamp.edit("users", api.rig.user(PERSON)["id"], system_access=0)
        api.rig.run(refresh=True)
        (told,) = api.rig.run().entity("employees")["problems"]
        (problem,) = api.post("/api/sync/employees", key=PERSON)["steps"]["problems"]
        assert "switched off in SafetyAmp by hand" in problem
        assert told["reason"] == problem

    def test_with_nothing_to_change_makes_no_call(self, api: Api) -> None:
        before = len(api.rig.safetyamp.calls)
        done = api.post("/api/sync/employees", key=PERSON)
        assert (done["phase"], done["steps"]["difference"], done["steps"]["call"]) == ("done", None, None)
        assert len(api.rig.safetyamp.calls) == before

    def test_tries_a_refused_record_again(self, api: Api) -> None:
        refuse(api)
        refused = api.post("/api/sync/employees", key=PERSON)
        assert refused["steps"]["result"]["result"] == "refused"
        assert list(refused["steps"]["result"]["errors"]) == ["last_name"]
        api.rig.safetyamp.heal()
        assert (
            api.post("/api/sync/employees", key=PERSON, retry_failed="false")["steps"]["difference"] is None
        )
        assert api.post("/api/sync/employees", key=PERSON)["steps"]["result"]["result"] == "updated"

    def test_of_nobody_is_not_found(self, api: Api) -> None:
        assert "neither the source nor SafetyAmp" in api.post("/api/sync/employees", 404, key=9999)["detail"]

    def test_is_held_by_the_guard_like_any_plan(self, tmp_path: Path) -> None:
        api = api_for(tmp_path, GUARD_MAX_PERCENT="5")
        api.rig.run()
        change_person(api, TermDate=vista_date(START.date()))
        held = api.post("/api/sync/employees", key=PERSON)
        assert held["phase"] == "held"
        assert "1 of 10 people" in held["reason"]
        assert api.rig.user(PERSON)["system_access"] == 1
        api.post(f"{held['url']}/approve", 202)
        api.rig.finish(held["run_id"])
        assert api.rig.user(PERSON)["system_access"] == 0
        api.rig.close()

    def test_is_held_when_the_guard_would_hold_a_plan_of_all(self, api: Api) -> None:
        # As when a wrong read makes many people leavers: one of them is no exception for being alone.
        for number in range(PERSON, PERSON + 4):
            api.rig.person(number)["TermDate"] = vista_date(START.date() - timedelta(days=1))
        api.rig.publish()
        held = api.post("/api/sync/employees", key=PERSON)
        assert (held["phase"], held["steps"]["difference"]["action"]) == ("held", "deactivate")
        assert "4 of 10 people" in held["reason"]
        assert api.rig.user(PERSON)["system_access"] == 1
        # Approved is the plan of the one, and nobody else's.
        api.post(f"{held['url']}/approve", 202)
        api.rig.finish(held["run_id"])
        access = [api.rig.user(number)["system_access"] for number in range(PERSON, PERSON + 4)]
        assert access == [0, 1, 1, 1]

    def test_of_somebody_who_needs_nothing_is_not_held_with_the_others(self, api: Api) -> None:
        for number in range(PERSON + 1, PERSON + 5):
            api.rig.person(number)["TermDate"] = vista_date(START.date() - timedelta(days=1))
        api.rig.publish()
        assert api.post("/api/sync/employees", key=PERSON)["phase"] == "done"

    def test_during_a_run_is_a_conflict_that_names_it(self, api: Api) -> None:
        run_id = request_run(api.rig.stack.runtime, RunRequest())
        problem = api.post("/api/sync/employees", 409, key=PERSON)
        assert (problem["run_id"], problem["url"]) == (run_id, f"/api/runs/{run_id}")
        assert "cancel" in problem["hint"]
        api.rig.finish(run_id)

    def test_of_a_paused_entity_is_refused(self, api: Api) -> None:
        api.post("/api/pause/employees")
        assert api.post("/api/sync/employees", 409, key=PERSON)["title"] == "Paused"

    def test_uses_the_calls_that_bulk_work_leaves_to_it(self, tmp_path: Path) -> None:
        api = api_for(tmp_path, API_RATE_LIMIT_CALLS="10", API_RATE_LIMIT_RESERVE="6")
        api.rig.run()
        change_person(api, LastName="Married")
        limiter = api.rig.stack.runtime.safetyamp_limiter
        api.rig.clock.advance(600)
        for _ in range(4):
            limiter.complete(limiter.acquire())
        before = api.rig.clock.now()
        assert api.post("/api/sync/employees", key=PERSON)["phase"] == "done"
        assert api.rig.clock.now() - before < timedelta(seconds=5)
        api.rig.close()

    def test_that_takes_too_long_goes_on_by_itself(self, api: Api) -> None:
        change_person(api, LastName="Married")
        api.rig.stack.runtime.safetyamp_limiter.block(600)
        before = api.rig.clock.now()
        going = api.post("/api/sync/employees", 202, key=PERSON)
        assert api.rig.clock.now() - before < timedelta(seconds=WORK_SECONDS + 5)
        assert (going["phase"], going["steps"]["difference"]["action"]) == ("running", "update")
        assert api.rig.finish(going["run_id"]).report["phase"] == "done"
        assert api.rig.user(PERSON)["last_name"] == "Married"

    def test_looks_a_creation_up_that_got_no_answer(self, api: Api) -> None:
        change_person(api, Employee=5000, Email="new@tworivers.example", Phone="225-555-5000")
        api.rig.safetyamp.fail_next(match="POST /api/users", after_write=True, lose="connection")
        going = api.post("/api/sync/employees", 202, key=5000)
        assert "may have been created" in going["steps"]["result"]["reason"]
        api.rig.finish(going["run_id"])  # a minute later it is sent again, and then looked for
        done = api.get(f"/api/runs/{going['run_id']}/changes")["changes"]
        assert [(change["result"], change["adopted"]) for change in done] == [("created", True)]
        assert api.rig.user(5000)["last_name"] == f"Worker{PERSON}"

    def test_does_not_make_the_last_good_run_younger(self, api: Api) -> None:
        before = api.get("/api/status")["last_good_run_ended_at"]
        api.rig.clock.advance(60)
        api.post("/api/sync/employees", key=PERSON)
        assert api.get("/api/status")["last_good_run_ended_at"] == before

    def test_of_all_needs_an_entity(self, api: Api) -> None:
        assert "a key belongs to one entity" in api.post("/api/sync/all", 400, key="1")["detail"]
