"""The operators' API over HTTP: runs, changes, failures, dead letters, pauses, status, and bad input."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from local.host.http import HttpHost
from shared.errors import BusError
from shared.queries import run_list
from shared.storage.bus import Message
from shared.storage.documents import to_json
from shared.sync import paths
from shared.sync.documents.runs import EntityStatus, Run, RunRequest
from shared.sync.model import ENTITIES
from shared.sync.runs.dead_letters import DeadLetter, archive
from shared.sync.runs.requests import request_run
from tests.e2e.http_rig import Api, api_for
from tests.e2e.small_company import new_person

PERSON = 1001
PEOPLE = 10
TAKEN = '{"message":"invalid","errors":{"email":["has already been taken"]}}'


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    api = api_for(tmp_path)
    yield api
    api.rig.close()


@pytest.fixture
def loaded(api: Api) -> Api:
    """A minute after the first load."""
    api.rig.run()
    api.rig.clock.advance(60)
    return api


def rename(api: Api, number: int, last_name: str) -> None:
    api.rig.person(number)["LastName"] = last_name
    api.rig.publish()


class TestRuns:
    def test_are_listed_newest_first_with_their_figures(self, loaded: Api) -> None:
        second = loaded.rig.run(entities=("titles",), cause="schedule").run_id
        page = loaded.get("/api/runs")
        assert page["runs"][0]["run_id"] == second
        assert page["runs"][1]["counts"]["created"] == 3 + 3 + 3 + PEOPLE + 2
        assert page["next"] is None
        assert page["runs"][0]["entities"] == {"titles": {"phase": "done", "reason": None}}

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({}, ["third", "second", "first"]),
            ({"phase": "planned"}, ["second"]),
            ({"entity": "jobs"}, ["third", "first"]),
            ({"cause": "schedule"}, ["third"]),
            ({"since": "2026-03-02T13:00:00Z"}, ["third", "second"]),
            ({"since": "2026-03-02T15:00:00+02:00", "phase": "done"}, ["third"]),
        ],
    )
    def test_can_be_filtered(self, api: Api, query: dict[str, Any], expected: list[str]) -> None:
        ids = {}
        ids["first"] = api.rig.run().run_id
        api.rig.clock.advance_to(datetime(2026, 3, 2, 13, 0, tzinfo=UTC))
        ids["second"] = api.rig.run(mode="plan", entities=("titles",)).run_id
        api.rig.clock.advance(3600)
        ids["third"] = api.rig.run(entities=("jobs",), cause="schedule").run_id
        assert [run["run_id"] for run in api.get("/api/runs", **query)["runs"]] == [
            ids[name] for name in expected
        ]

    def test_thousands_come_page_by_page_and_each_request_reads_few(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written = make_runs(api, 2000)
        reads = count_reads(api, monkeypatch)
        page = api.get("/api/runs", limit=50)
        assert len(reads) == 50
        assert [run["run_id"] for run in page["runs"]] == written[:50]
        rest = api.get("/api/runs", limit=50, cursor=page["next"])
        assert [run["run_id"] for run in rest["runs"]] == written[50:100]

    def test_a_filter_that_matches_nothing_ends_nevertheless(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_runs(api, 700)
        reads = count_reads(api, monkeypatch)
        cursor: str | None = ""
        requests = 0
        while cursor is not None:
            query: dict[str, Any] = {"cursor": cursor} if cursor else {}
            page = api.get("/api/runs", phase="held", **query)
            assert page["runs"] == []
            cursor, requests = page["next"], requests + 1
        assert (requests, len(reads)) == (3, 700)
        assert run_list.MOST_EXAMINED == 300

    def test_one_under_way_shows_how_far_it_has_come(self, tmp_path: Path) -> None:
        api = api_for(tmp_path, API_RATE_LIMIT_CALLS="10", API_RATE_LIMIT_RESERVE="6")
        run_id = request_run(api.rig.stack.runtime, RunRequest())
        api.rig.until(lambda: api.rig.safetyamp.created.get("users", 0) > 4)
        created = api.rig.safetyamp.created["users"]
        run = api.get(f"/api/runs/{run_id}")
        employees = run["entities"]["employees"]["progress"]
        assert (employees["batches"], employees["changes"]) == (3, PEOPLE)
        assert employees["batches_done"] == len(
            list(api.rig.documents.list(paths.outcomes(run_id, "employees")))
        )
        assert employees["changes_done"] == created < PEOPLE
        assert employees["ends_about"] > run["requested_at"]
        assert run["entities"]["vehicles"]["progress"]["batches"] is None
        assert run["calls"]["safetyamp"] == len(api.rig.safetyamp.calls)
        api.rig.finish(run_id)
        ended = api.get(f"/api/runs/{run_id}")
        assert ended["calls"]["safetyamp"] == len(api.rig.safetyamp.calls)
        assert ended["entities"]["employees"]["progress"] == {
            **{"batches": 3, "batches_done": 3, "changes": PEOPLE, "changes_done": PEOPLE},
            "ends_about": None,
        }
        api.rig.close()

    def test_one_with_problems_counts_them_by_kind(self, loaded: Api) -> None:
        rename(loaded, PERSON, " ")
        loaded.rig.person(1002)["LastName"] = "Other"
        loaded.rig.publish()
        loaded.rig.safetyamp.fail_next(9, 422, TAKEN, match="PATCH /api/users*")
        run_id = loaded.rig.run().run_id
        employees = loaded.get(f"/api/runs/{run_id}")["entities"]["employees"]
        assert employees["problems_by_kind"] == {"invalid": 1, "refused": 1}

    def test_are_approved_and_cancelled(self, loaded: Api) -> None:
        run_id = request_run(loaded.rig.stack.runtime, RunRequest())
        answer = loaded.call("POST", f"/api/runs/{run_id}/cancel")
        assert (answer.status_code, answer.headers["Location"]) == (202, f"/api/runs/{run_id}")
        loaded.rig.drain()
        assert loaded.get(f"/api/runs/{run_id}")["phase"] == "cancelled"
        assert "ended already" in loaded.post(f"/api/runs/{run_id}/cancel", 409)["detail"]
        assert "holds no plan" in loaded.post(f"/api/runs/{run_id}/approve", 409)["detail"]


class TestChanges:
    def test_have_before_and_after_and_what_became_of_them(self, loaded: Api) -> None:
        rename(loaded, PERSON, "Married")
        run_id = loaded.rig.run().run_id
        (change,) = loaded.get(f"/api/runs/{run_id}/changes")["changes"]
        assert change["key"] == str(PERSON)
        assert (change["action"], change["result"]) == ("update", "updated")
        assert (change["before"], change["after"]) == (
            {"last_name": f"Worker{PERSON}"},
            {"last_name": "Married"},
        )

    def test_of_a_plan_name_what_they_refer_to(self, api: Api) -> None:
        run_id = api.rig.run(mode="plan").run_id
        page = api.get(f"/api/runs/{run_id}/changes", entity="employees", key=PERSON)
        (change,) = page["changes"]
        assert change["result"] == "planned"
        assert change["after"]["home_site_id"] == {"entity": "jobs", "key": "300."}

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ({"entity": "titles"}, 3),
            ({"action": "update"}, 0),
            ({"result": "created", "entity": "employees"}, PEOPLE),
            ({"key": "1003"}, 1),
            ({"result": "planned"}, 0),
        ],
    )
    def test_can_be_filtered(self, api: Api, query: dict[str, Any], count: int) -> None:
        run_id = api.rig.run().run_id
        assert len(api.get(f"/api/runs/{run_id}/changes", **query)["changes"]) == count

    def test_come_page_by_page_each_once(self, tmp_path: Path) -> None:
        api = api_for(tmp_path, API_RATE_LIMIT_CALLS="10", API_RATE_LIMIT_RESERVE="6")
        run_id = api.rig.run().run_id
        pages: list[list[tuple[str, str]]] = []
        query: dict[str, Any] = {"limit": 3}
        while True:
            page = api.get(f"/api/runs/{run_id}/changes", **query)
            pages.append([(change["entity"], change["key"]) for change in page["changes"]])
            if page["next"] is None:
                break
            query["cursor"] = page["next"]
        seen = [change for page in pages for change in page]
        whole = api.get(f"/api/runs/{run_id}/changes")["changes"]
        assert seen == [(change["entity"], change["key"]) for change in whole]
        assert len(set(seen)) == len(seen) == 21
        assert {len(page) for page in pages[:-1]} == {3}
        api.rig.close()

    def test_as_csv_hold_no_formula(self, loaded: Api) -> None:
        rename(loaded, PERSON, '=HYPERLINK("http://evil.example","x")')
        loaded.rig.person(1002)["FirstName"] = "\u00c5sa; @SUM(A1)"
        loaded.rig.person(1003)["LastName"] = " -2+3"
        loaded.rig.publish()
        run_id = loaded.rig.run().run_id
        answer = loaded.call("GET", f"/api/runs/{run_id}/changes?format=csv")
        assert answer.mimetype == "text/csv"
        assert f"changes-{run_id}.csv" in answer.headers["Content-Disposition"]
        rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
        after = {(row["key"], row["field"]): row["after"] for row in rows}
        assert after[str(PERSON), "last_name"] == '\'=HYPERLINK("http://evil.example","x")'
        assert after["1002", "first_name"] == "\u00c5sa; @SUM(A1)"
        assert after["1003", "last_name"] == "'-2+3"

    def test_as_csv_link_to_the_next_page_without_the_key(self, loaded: Api) -> None:
        (run,) = loaded.get("/api/runs")["runs"]
        path = f"/api/runs/{run['run_id']}/changes"
        answer = loaded.call("GET", f"{path}?code=s3cret&format=csv&limit=2&entity=titles")
        link = answer.headers["Link"]
        assert "s3cret" not in link
        url = link.partition(">")[0].removeprefix("<")
        rows = list(csv.DictReader(io.StringIO(loaded.call("GET", url).text.removeprefix("\ufeff"))))
        assert [row["key"] for row in rows] == ["welder"]


class TestHistory:
    def test_has_every_change_of_a_record_and_is_csv_page_by_page_too(self, loaded: Api) -> None:
        for name in ("Once", "Twice", "=3"):
            rename(loaded, PERSON, name)
            loaded.rig.run()
            loaded.rig.clock.advance(3600)
        path = "/api/history/employees"
        whole = loaded.get(path, key=f" 0{PERSON}")
        assert [change["action"] for change in whole["changes"]] == ["update", "update", "update", "create"]
        assert (whole["key"], whole["runs_searched"], whole["next"]) == (str(PERSON), 4, None)
        assert whole["changes"][3]["run_id"] == loaded.get("/api/runs")["runs"][3]["run_id"]
        rows: list[dict[str, str]] = []
        url = f"{path}?key={PERSON}&code=s3cret&format=csv&limit=1"
        while url:
            answer = loaded.call("GET", url)
            assert answer.headers["Content-Disposition"] == 'attachment; filename="history-employees.csv"'
            rows += csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff")))
            url = answer.headers.get("Link", "").partition(">")[0].removeprefix("<")
            assert "s3cret" not in url
        names = [row["after"] for row in rows if row["field"] == "last_name"]
        assert names[:3] == ["'=3", "Twice", "Once"]
        assert [*dict.fromkeys(row["run_id"] for row in rows)] == [
            change["run_id"] for change in whole["changes"]
        ]

    def test_of_what_nobody_knows_is_empty_and_a_key_is_needed(self, loaded: Api) -> None:
        assert loaded.get("/api/history/titles", key="no/such")["changes"] == []
        assert loaded.get("/api/history/titles", status=400)["detail"].startswith("key must be one line")
        refused = loaded.get("/api/history/titles", status=400, key="x", cursor="20260101")
        assert refused["detail"] == "cursor must be the `next` of a page before"


class TestFailures:
    def test_are_grouped_by_cause_with_what_to_do_and_since_when(self, loaded: Api) -> None:
        since = loaded.rig.clock.now()
        rename(loaded, PERSON, "Married")
        loaded.rig.person(1002)["LastName"] = "Other"
        loaded.rig.person(1003)["LastName"] = " "
        loaded.rig.publish()
        loaded.rig.safetyamp.fail_next(9, 422, TAKEN, match="PATCH /api/users*")
        loaded.rig.run()
        for _ in range(2):
            loaded.rig.clock.advance(3600)
            loaded.rig.run()
        found = loaded.get("/api/failures")
        assert found["total"] == 3
        refused, invalid = found["groups"]
        assert (refused["kind"], refused["cause"]) == ("refused", "SafetyAmp refused email")
        assert (refused["count"], refused["keys"]) == (2, [str(PERSON), "1002"])
        assert "give that record our key" in refused["suggestion"]
        assert (invalid["kind"], invalid["keys"]) == ("invalid", ["1003"])
        assert invalid["cause"] == "LastName is empty: fill it in Vista"
        assert [(group["code"], group["owner"], group["again"]) for group in (refused, invalid)] == [
            ("value-taken", "safetyamp", True),
            ("last-name-missing", "hr", False),
        ]
        for group in (refused, invalid):
            assert datetime.fromisoformat(group["since"]) - since < timedelta(minutes=10)
            assert group["since_at_least"] is False
        assert found["entities"] == []

    def test_that_are_mended_one_by_one_are_gone(self, loaded: Api) -> None:
        rename(loaded, PERSON, " ")
        loaded.rig.run()
        assert loaded.get("/api/failures")["total"] == 1
        rename(loaded, PERSON, "Better")
        loaded.rig.clock.advance(1)
        loaded.post("/api/sync/employees", key=PERSON)
        assert loaded.get("/api/failures")["total"] == 0

    def test_name_entities_that_failed_or_are_held_as_a_whole(self, loaded: Api) -> None:
        loaded.rig.safetyamp.fail_next(9, 401, match="PATCH /api/users*")
        rename(loaded, PERSON, "Married")
        run_id = loaded.rig.run().run_id
        (employees,) = loaded.get("/api/failures")["entities"]
        assert (employees["entity"], employees["phase"], employees["run_id"]) == (
            "employees",
            "failed",
            run_id,
        )
        assert "SAFETYAMP_TOKEN" in employees["reason"]

    @pytest.mark.parametrize(
        ("body", "tried"),
        [
            (None, {PERSON, 1002}),
            ({"entity": "employees"}, {PERSON, 1002}),
            ({"entity": "employees", "keys": ["1002"]}, {1002}),
            ({"entity": "jobs"}, set()),
        ],
    )
    def test_are_tried_again_at_once(self, loaded: Api, body: Any, tried: set[int]) -> None:
        for number in (PERSON, 1002):
            rename(loaded, number, f"New{number}")
        loaded.rig.safetyamp.fail_next(9, 422, TAKEN, match="PATCH /api/users*")
        loaded.rig.run()
        loaded.rig.safetyamp.heal()
        started = loaded.post("/api/failures/retry", 202, body=body)
        loaded.rig.finish(started["run_id"])
        renamed = {n for n in (PERSON, 1002) if loaded.rig.user(n)["last_name"] == f"New{n}"}
        assert renamed == tried

    def test_keys_belong_to_one_entity(self, loaded: Api) -> None:
        assert "name it too" in loaded.post("/api/failures/retry", 400, body={"keys": ["1"]})["detail"]


class TestNames:
    def test_are_those_of_safetyamp_or_of_who_is_not_there_yet_of_vista(self, loaded: Api) -> None:
        new_person(loaded.rig.company, 5000, LastName="Beginner")
        loaded.rig.publish()
        told = loaded.post("/api/names", body={"entity": "employees", "keys": [str(PERSON), "5000", "1"]})
        assert told == {"names": {str(PERSON): f"Pat Worker{PERSON}", "5000": "Pat Beginner"}, "problems": []}

    @pytest.mark.parametrize(
        ("body", "detail"),
        [
            ({}, "the entity must be one of: departments"),
            ({"entity": "employees"}, "keys must be a list of 1 to 500 keys"),
            ({"entity": "employees", "keys": ["1"] * 501}, "keys must be a list of 1 to 500 keys"),
            ({"entity": "offices", "keys": ["1"]}, "the entity must be one of"),
            ({"entity": "jobs", "keys": ["1"], "name": "x"}, "unknown member 'name'"),
        ],
        ids=["nothing", "no keys", "too many keys", "no entity", "a misspelt member"],
    )
    def test_are_of_one_entity_and_of_keys(self, loaded: Api, body: Any, detail: str) -> None:
        assert detail in loaded.post("/api/names", 400, body=body)["detail"]


class TestLookingBack:
    def test_adds_up_what_the_runs_of_a_day_did(self, loaded: Api) -> None:
        rename(loaded, PERSON, "Married")
        loaded.rig.run()
        (today,) = loaded.get("/api/trends", days=1)["days"]
        assert (today["runs"], today["updated"], today["findings"]) == (2, 1, 0)
        assert today["calls"]["safetyamp"] == len(loaded.rig.safetyamp.calls)
        assert len(loaded.get("/api/trends")["days"]) == 30

    @pytest.mark.parametrize("days", ["0", "91", "all"])
    def test_has_an_end(self, loaded: Api, days: str) -> None:
        assert (
            "days must be a whole number from 1 to 90" in loaded.get("/api/trends", 400, days=days)["detail"]
        )

    def test_tells_the_last_calls_without_ids(self, loaded: Api) -> None:
        rename(loaded, PERSON, "Married")
        loaded.rig.run()
        found = loaded.get("/api/last-calls")
        last = found["calls"][0]
        assert (last["method"], last["path"], last["status"]) == ("PATCH", "/api/users/{id}", "200")
        assert (last["function"], found["shared"]) == ("apply_batch", False)
        assert str(loaded.rig.user(PERSON)["id"]) not in str(found)


class TestDeadLetters:
    def test_of_a_run_that_has_ended_say_what_to_do_instead(self, loaded: Api) -> None:
        (run,) = loaded.get("/api/runs")["runs"]
        keep(loaded, {"version": 1, "run_id": run["run_id"], "entity": "titles", "cause": "x", "attempt": 1})
        (letter,) = loaded.get("/api/dead-letters")["dead_letters"]
        assert (letter["run_id"], letter["entity"], letter["can_be_resubmitted"]) == (
            run["run_id"],
            "titles",
            False,
        )
        assert "POST /api/sync/titles" in letter["advice"]
        (result,) = loaded.post("/api/dead-letters/resubmit")["results"]
        assert (result["id"], result["sent"]) == (letter["id"], False)
        assert loaded.rig.stack.bus.counts("entity-sync").active == 0

    def test_of_a_run_under_way_that_lacks_it_are_sent_again_under_another_id(self, loaded: Api) -> None:
        rename(loaded, PERSON, "Married")
        run_id = request_run(loaded.rig.stack.runtime, RunRequest(entities=("employees",)))
        locked = loaded.rig.stack.bus.receive("entity-sync")
        assert locked is not None
        # The message is lost, and the letter is all that is left of it.
        loaded.rig.stack.bus.complete(locked)
        letter = keep_without_ending(loaded, locked.message)
        (shown,) = loaded.get("/api/dead-letters")["dead_letters"]
        assert shown["can_be_resubmitted"] is True
        (result,) = loaded.post("/api/dead-letters/resubmit", body={"ids": [letter]})["results"]
        assert result["sent"] is True
        assert loaded.get("/api/dead-letters")["dead_letters"] == []
        assert loaded.rig.finish(run_id).report["phase"] == "done"

    def test_that_nobody_can_read_stand_for_nothing(self, loaded: Api) -> None:
        archive(loaded.rig.stack.runtime, DeadLetter("batch", "/odd id", b"\xff<script>", "not JSON", 1))
        (letter,) = loaded.get("/api/dead-letters")["dead_letters"]
        assert letter["message_id"] == "/odd id"
        assert "Nobody can read" in letter["advice"]

    def test_come_page_by_page(self, loaded: Api) -> None:
        for number in range(3):
            archive(loaded.rig.stack.runtime, DeadLetter("batch", f"m{number}", b"x", "r", 1))
        first = loaded.get("/api/dead-letters", limit=2)
        assert len(first["dead_letters"]) == 2
        rest = loaded.get("/api/dead-letters", limit=2, cursor=first["next"])
        assert [letter["message_id"] for letter in rest["dead_letters"]] == ["m2"]
        assert rest["next"] is None

    @pytest.mark.parametrize("letter", ["../state/totals", "entity-sync/../../control", "/etc/passwd", "x"])
    def test_a_made_up_id_leads_nowhere(self, loaded: Api, letter: str) -> None:
        (result,) = loaded.post("/api/dead-letters/resubmit", body={"ids": [letter]})["results"]
        assert result == {"id": letter, "sent": False, "advice": "There is no such dead letter."}


class TestControl:
    @pytest.mark.parametrize(
        ("path", "body", "query", "paused"),
        [
            ("/api/pause/jobs", None, {"reason": "year end", "who": "Jo"}, ["jobs"]),
            ("/api/pause/jobs", {"reason": "year end", "who": "Jo"}, {"reason": "other"}, ["jobs"]),
            ("/api/pause", {"entity": "jobs", "reason": "year end", "who": "Jo"}, {}, ["jobs"]),
            ("/api/pause", {"reason": "year end", "who": "Jo"}, {}, list(ENTITIES)),
        ],
    )
    def test_pauses_say_who_and_why(
        self, api: Api, path: str, body: Any, query: dict[str, Any], paused: list[str]
    ) -> None:
        api.post(path, body=body, **query)
        found = api.get("/api/control")["paused"]
        assert list(found) == paused
        assert found["jobs"] == {"at": "2026-03-02T12:00:00+00:00", "reason": "year end", "who": "Jo"}

    def test_who_paused_is_in_no_log(self, api: Api, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG):
            request_run(api.rig.stack.runtime, RunRequest())
            api.post("/api/pause", body={"who": "Jo Canary"})
            api.rig.drain()
            api.rig.stack.host.run_timer("start_scheduled_run")
        assert "is paused since" in caplog.text
        assert "Canary" not in caplog.text

    def test_resuming_one_leaves_the_others_paused(self, api: Api) -> None:
        api.post("/api/pause")
        api.post("/api/resume", body={"entity": "jobs"})
        assert "jobs" not in api.post("/api/resume/titles")["paused"]
        assert api.post("/api/resume")["paused"] == {}

    def test_the_cache_needs_redis(self, api: Api) -> None:
        # The rig's Redis is away: an operator who empties the cache must know that it was not.
        assert "Redis" in api.delete("/api/cache/graph_users", 503)["title"]

    def test_an_unknown_cache_is_not_found(self, api: Api) -> None:
        assert "graph_users" in api.delete("/api/cache/passwords", 404)["hint"]


class TestStatus:
    def test_when_all_is_well(self, loaded: Api) -> None:
        status = loaded.get("/api/status")
        found = {one["name"]: one["status"] for one in status["dependencies"]}
        # The rig's Redis is away, without which everything works.
        assert found.pop("redis") == "warning"
        assert found.keys() >= {"settings", "documents", "service_bus", "vista"}
        assert set(found.values()) <= {"ok", "skipped"}
        assert {breaker["state"] for breaker in status["breakers"].values()} == {"closed"}
        assert status["limiter"]["limit"] == 60
        assert status["schedules"]["refresh"] == {
            "schedule": "0 30 8 * * *",
            "next": "2026-03-03T08:30:00+00:00",
        }
        assert status["active_run"] is None
        assert len(status["last_runs"]) == 1
        assert status["last_good_run_ended_at"] == status["last_runs"][0]["finished_at"]

    def test_during_a_run_says_what_is_due_and_what_is_scheduled(self, tmp_path: Path) -> None:
        api = api_for(tmp_path, API_RATE_LIMIT_CALLS="10", API_RATE_LIMIT_RESERVE="6")
        run_id = request_run(api.rig.stack.runtime, RunRequest())
        waiting = api.get("/api/status")
        assert waiting["active_run"]["run_id"] == run_id
        assert waiting["queues"]["entities_waiting"] == 5
        api.rig.until(lambda: api.rig.safetyamp.created.get("users", 0) > 0)
        queues = api.get("/api/status")["queues"]
        done = len(list(api.rig.documents.list(paths.outcomes(run_id, "employees"))))
        assert queues["batches_due"] + queues["batches_scheduled"] == 3 - done
        assert queues["batches_scheduled"] >= 1
        assert queues["entities_waiting"] == 1
        api.rig.close()

    def test_with_safetyamp_away_shows_the_open_breaker(self, loaded: Api) -> None:
        rename(loaded, PERSON, "Married")
        loaded.rig.safetyamp.fail_next(1000)
        request_run(loaded.rig.stack.runtime, RunRequest())
        breaker = loaded.rig.stack.runtime.breaker("safetyamp")
        loaded.rig.until(lambda: breaker.state().state == "open")
        shown = loaded.get("/api/status")["breakers"]["safetyamp"]
        assert shown["state"] == "open"
        assert shown["retry_after_seconds"] > 0


class TestBadInput:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/api/runs/20260101-000000-abcdef", 404),
            ("GET", "/api/runs/20260101-000000-abcdef/changes", 404),
            ("POST", "/api/runs/20260101-000000-abcdef/approve", 404),
            ("POST", "/api/runs/20260101-000000-abcdef/cancel", 404),
            ("GET", "/api/runs/..%2F..%2Fcontrol", 404),
            ("GET", "/api/runs/active", 400),
            ("GET", "/api/runs/２０２６0101-000000-abcdef", 400),
            ("GET", "/api/runs?limit=0", 400),
            ("GET", "/api/runs?limit=1e3", 400),
            ("GET", "/api/runs?limit=²", 400),
            ("GET", "/api/runs?phase=ended", 400),
            ("GET", "/api/runs?since=yesterday", 400),
            ("GET", "/api/runs?since=0001-01-01T00:00:00%2B09:00", 400),
            ("GET", "/api/runs?cursor=../../x", 400),
            ("GET", "/api/runs?sort=up", 400),
            ("POST", "/api/sync/people", 400),
            ("POST", "/api/sync/employees?mod=plan", 400),
            ("POST", "/api/sync/employees?mode=dry", 400),
            ("POST", "/api/sync/employees?refresh=1", 400),
            ("POST", "/api/sync/employees?key=%0Ax", 400),
            ("POST", "/api/sync/employees?key=", 400),
            ("POST", "/api/sync/employees?key=" + "9" * 201, 400),
            ("GET", "/api/records/people/1", 400),
            ("GET", "/api/records/employees", 400),
            ("GET", "/api/records/employees/%00", 400),
            ("GET", "/api/records/employees/%ED%A0%80", 404),
            ("GET", "/api/records/employees/..", 404),
            ("GET", "/api/records/titles?key=../../control.json", 404),
            ("GET", "/api/records/titles?key=" + "%2e%2e%2f" * 20, 404),
            ("GET", "/api/records/titles?key=%3Cscript%3Ealert(1)%3C/script%3E", 404),
            ("POST", "/api/pause/people", 400),
        ],
    )
    def test_is_a_problem_with_status_reason_and_hint(
        self, api: Api, method: str, path: str, status: int
    ) -> None:
        answer = (
            api.call(method, path) if "%2F.." not in path and "/.." not in path else raw(api, method, path)
        )
        assert answer.status_code == status, answer.text
        if answer.mimetype != "text/plain":
            problem = answer.json
            assert answer.mimetype == "application/problem+json"
            assert problem is not None
            assert problem["status"] == status
            assert problem["detail"]
            assert problem["hint"]

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"{", 400),
            (b"[]", 400),
            (b"null", 400),
            (b"\xff\xfe", 400),
            (b"[" * 60_000, 400),
            (b'{"reason": 1}', 400),
            (b'{"reason": "two\\nlines"}', 400),
            (b'{"reason": "\\ud800"}', 400),
            (b'{"who": ""}', 400),
            (b'{"entity": ["jobs"]}', 400),
            (b'{"reasn": "x"}', 400),
            (b'{"reason": "' + b"x" * 70_000 + b'"}', 413),
        ],
    )
    def test_bodies_that_cannot_be_taken(self, api: Api, body: bytes, status: int) -> None:
        answer = api.call("POST", "/api/pause", data=body)
        assert answer.status_code == status, answer.text
        assert api.get("/api/control")["paused"] == {}

    def test_a_script_in_a_name_stays_text(self, loaded: Api) -> None:
        rename(loaded, PERSON, "<script>alert(1)</script>")
        answer = loaded.call("GET", f"/api/records/employees/{PERSON}")
        assert answer.mimetype == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.json is not None
        assert answer.json["source"]["record"]["last_name"] == "<script>alert(1)</script>"

    def test_an_error_that_nobody_thought_of_tells_nothing_of_the_code(
        self, loaded: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any) -> None:
            raise RuntimeError("PWD=s3cret")

        monkeypatch.setattr("functions.failures_api.failure_groups", fail)
        answer = loaded.call("GET", "/api/failures")
        assert answer.status_code == 500
        assert "s3cret" not in answer.text
        assert "Traceback" not in answer.text

    def test_a_key_is_asked_for_by_all_but_health_ready_and_the_page(self, api: Api) -> None:
        host = HttpHost(api.rig.stack.functions, "", "k3y")
        client = Client(host)
        open_routes = set()
        for function in api.rig.stack.functions:
            if function.kind == "httpTrigger":
                path = "/" + str(function.trigger["route"])
                for method in function.trigger["methods"]:
                    answer = client.open(path.replace("{", "").replace("}", ""), method=str(method.value))
                    if path.startswith("/entra/"):
                        assert answer.status_code == 404, path  # tests/e2e/test_sign_in.py looks at these
                    elif answer.status_code != 401:
                        open_routes.add(path)
        assert open_routes == {"/health", "/ready", "/dashboard"}


def raw(api: Api, method: str, path: str) -> Any:
    """A path that leads to no described operation."""
    return Client(api.host).open(path, method=method)


def make_runs(api: Api, count: int) -> list[str]:
    """Runs that ended well, without any other document; their ids, newest first."""
    ids = []
    for number in range(count):
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number)
        run = Run(
            run_id=f"{at:%Y%m%d-%H%M%S}-{number:06x}",
            request=RunRequest(entities=("titles",)),
            requested_at=at.isoformat(),
            entities={"titles": EntityStatus("done", finished_at=at.isoformat())},
            phase="done",
            finished_at=at.isoformat(),
        )
        api.rig.documents.write(paths.run(run.run_id), to_json(run.to_json()))
        ids.append(run.run_id)
    return ids[::-1]


def count_reads(api: Api, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the run documents that are read from now on."""
    reads: list[str] = []
    read = api.rig.documents.read

    def counted(path: str) -> Any:
        if path.endswith("/run.json"):
            reads.append(path)
        return read(path)

    monkeypatch.setattr(api.rig.documents, "read", counted)
    return reads


def keep(api: Api, body: dict[str, Any]) -> None:
    archive(
        api.rig.stack.runtime,
        DeadLetter("entity", "late", json.dumps(body).encode(), "TTLExpiredException", 10),
    )


def keep_without_ending(api: Api, message: Message) -> str:
    """Keep a dead letter of an entity whose end could not be noted; returns its id."""
    body = message.body.encode()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("shared.sync.runs.dead_letters.stop_entity", _away)
        with pytest.raises(BusError):
            archive(api.rig.stack.runtime, DeadLetter("entity", message.message_id, body, "r", 10))
    (path,) = api.rig.documents.list(paths.DEAD_LETTERS)
    return path.removeprefix(paths.DEAD_LETTERS).removesuffix(".json")


def _away(*_: Any) -> None:
    raise BusError("away")
