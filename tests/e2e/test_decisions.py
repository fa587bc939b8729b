"""Who decided what, when and why: written before it is done, and found again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.errors import StorageError
from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.decisions.record import DECISION_ACTIONS, Author, decided
from shared.sync.documents.control import read_pauses
from tests.doubles.sign_in_front import ANA, IN_FRONT, OLGA
from tests.e2e.http_rig import Api, api_for
from tests.e2e.test_sign_in import OWN_PAGE, Caller, a_held_run

PERSON = 1001
NO_RUN = "20260131-120000-0a1b2c"
SAID: dict[str, Any] = {"reason": "year end", "who": "Jo Canary"}
BY_JO = {"who": "Jo Canary", "who_id": None, "known": "stated", "reason": "year end"}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """A minute after the first load."""
    api = api_for(tmp_path, GUARD_MAX_PERCENT="20")
    api.rig.run()
    api.rig.clock.advance(60)
    yield api
    api.rig.close()


@pytest.fixture
def caller(api: Api, tmp_path: Path) -> Iterator[Caller]:
    """Where people sign in."""
    signed_in = api_for(tmp_path / "entra", GUARD_MAX_PERCENT="20", **IN_FRONT)
    signed_in.rig.run()
    signed_in.rig.clock.advance(60)
    yield Caller(signed_in)
    signed_in.rig.close()


def decisions(api: Api, **wanted: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/api/decisions", **wanted)["decisions"]
    return found


class TestWhatIsKept:
    @pytest.mark.parametrize(
        ("path", "body", "status", "kept"),
        [
            ("/api/pause/jobs", {}, 200, {"action": "pause", "entities": ["jobs"]}),
            ("/api/resume", {"entity": "titles"}, 200, {"action": "resume", "entities": ["titles"]}),
            (
                "/api/failures/retry",
                {"entity": "jobs", "keys": ["100."]},
                202,
                {"action": "retry", "entities": ["jobs"], "keys": ["100."]},
            ),
            ("/api/dead-letters/resubmit", {}, 200, {"action": "resubmit", "given": {"ids": "all"}}),
        ],
        ids=lambda value: value.replace("/api/", "") if isinstance(value, str) else "",
    )
    def test_is_what_who_and_why_wherever_it_was_said(
        self, api: Api, path: str, body: dict[str, Any], status: int, kept: dict[str, Any]
    ) -> None:
        api.post(path, status, body={**body, **SAID}, reason="the body counts")
        (decision,) = decisions(api)
        at = api.rig.clock.now().isoformat()
        assert {**BY_JO, "at": at, "done": True, "detail": None, **kept}.items() <= decision.items()
        api.post(path, status=409 if status == 202 else status, body=body, **SAID)
        assert BY_JO.items() <= decisions(api)[0].items()

    def test_of_a_run_is_what_was_asked_for_and_which_run_came_of_it(self, api: Api) -> None:
        run_id = api.post("/api/sync/titles", 202, refresh="true", **SAID)["run_id"]
        (decision,) = decisions(api)
        assert decision["given"] == {"refresh": "true", "retry_failed": "true"}
        assert (decision["action"], decision["run_id"], decision["done"]) == ("sync", run_id, True)
        assert decisions(api, run_id=run_id) == [decision]
        assert decisions(api, run_id=NO_RUN) == []

    def test_of_a_held_plan_is_the_run(self, api: Api) -> None:
        run_id = a_held_run(api)
        api.post(f"/api/runs/{run_id}/approve", 202, body=SAID)
        (decision,) = decisions(api, run_id=run_id)
        assert (decision["action"], decision["done"], decision["who"]) == ("approve", True, "Jo Canary")

    def test_of_what_was_refused_is_why(self, api: Api) -> None:
        refused = api.post(f"/api/runs/{NO_RUN}/cancel", 404, **SAID)
        (decision,) = decisions(api)
        assert (decision["done"], decision["detail"]) == (False, refused["detail"])

    def test_of_a_process_that_died_is_that_nobody_knows(self, api: Api, monkeypatch: Any) -> None:
        def die(*_: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("functions.control_api.remove_pauses", die)
        with pytest.raises(KeyboardInterrupt):
            api.post("/api/resume/jobs")
        (decision,) = decisions(api)
        assert (decision["done"], decision["ended_at"]) == (None, None)
        assert (decision["known"], decision["who"]) == ("key", None)

    def test_is_no_document_for_who_only_asks_or_asks_wrongly(self, api: Api) -> None:
        api.get("/api/status")
        api.get(f"/api/records/employees/{PERSON}")
        api.post("/api/search", body={"text": "doe"})
        api.post("/api/sync/employees", mode="plan", key=PERSON)
        api.post("/api/pause/nothing", 400)
        api.post("/api/resume", 400, body={"who": "two\nlines"})
        assert decisions(api) == []


def test_what_cannot_be_written_is_not_done(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> bool:
        raise StorageError("the disk is full")

    monkeypatch.setattr("shared.sync.decisions.record.create_json", away)
    assert "disk is full" in api.post("/api/pause/jobs", 503)["detail"]
    assert read_pauses(api.rig.documents) == {}


def test_what_is_done_stays_done_when_its_ending_cannot_be_written(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.rig.documents.create(paths.decision("20260302-120100-000000-0a1b2c"), b"{}")  # and it is unreadable
    monkeypatch.setattr("shared.sync.decisions.record._end", lambda *_: None)
    api.post("/api/pause/jobs")
    page = api.get("/api/decisions")
    assert [decision["done"] for decision in page["decisions"]] == [None]
    assert len(page["problems"]) == 1
    assert "20260302-120100-000000-0a1b2c.json" in page["problems"][0]
    assert list(read_pauses(api.rig.documents)) == ["jobs"]


def test_every_action_is_one_that_can_be_asked_for(api: Api) -> None:
    services = api.rig.stack.runtime
    for action in DECISION_ACTIONS:
        with decided(services, action, Author("local", "jo")):
            pass
        assert [one["action"] for one in decisions(api, action=action)] == [action]
    assert "must be one of" in api.get("/api/decisions", 400, action="pray")["detail"]


class TestFinding:
    def test_by_record_knows_every_spelling_of_its_key(self, api: Api) -> None:
        api.rig.person(PERSON)["LastName"] = "Doe-Smith"
        api.rig.publish()
        answer = api.post("/api/sync/employees", key=f"00{PERSON}", **SAID)
        assert answer["run_id"] == decisions(api, entity="employees", key=PERSON)[0]["run_id"]
        assert decisions(api, entity="employees", key=PERSON + 1) == []
        assert decisions(api, entity="titles", key=PERSON) == []
        assert len(decisions(api, key=PERSON)) == 1
        (told,) = api.explain("employees", PERSON)["decisions"]
        assert BY_JO.items() <= told.items()
        assert api.explain("employees", PERSON + 1)["decisions"] == []

    def test_by_who_knows_a_part_of_the_name_in_any_case(self, api: Api) -> None:
        for who in ("Ana Lima", "Jo Canary"):
            api.post("/api/pause/jobs", who=who)
        assert [one["who"] for one in decisions(api, who="LIMA")] == ["Ana Lima"]

    def test_goes_page_by_page_back_over_months(self, api: Api) -> None:
        for who in "abcde":
            api.post("/api/pause/jobs", who=who)
            api.rig.clock.advance(20 * 86_400)
        seen, cursor = [], None
        while True:
            page = api.get("/api/decisions", limit=2, **({"cursor": cursor} if cursor else {}))
            seen += [one["who"] for one in page["decisions"]]
            if (cursor := page["next"]) is None:
                break
        assert seen == list("edcba")
        assert "next" in api.get("/api/decisions", 400, cursor="../x")["detail"]

    def test_ends_a_page_where_one_request_has_looked_enough(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("shared.queries.decisions.MOST_EXAMINED", 2)
        for who in ("wanted", "b", "c"):
            api.post("/api/pause/jobs", who=who)
            api.rig.clock.advance(1)
        first = api.get("/api/decisions", who="wanted")
        assert (first["decisions"], first["next"] is None) == ([], False)
        assert len(decisions(api, who="wanted", cursor=first["next"])) == 1


def test_who_has_signed_in_is_known_whatever_is_said(caller: Caller) -> None:
    run_id = a_held_run(caller.api)
    caller.by_cookie("ana", "POST", f"/entra/api/runs/{run_id}/approve", headers=OWN_PAGE, json=SAID)
    caller.api.rig.clock.advance(1)
    caller.by_token("olga", "POST", "/entra/api/pause/jobs", json=SAID)
    caller.api.rig.clock.advance(1)
    caller.by_key("POST", "/api/resume/jobs", json=SAID)
    found = caller.by_token("vera", "GET", "/entra/api/decisions").get_json()["decisions"]
    assert [(one["known"], one["who"], one["who_id"]) for one in found] == [
        ("stated", "Jo Canary", None),
        ("entra", OLGA.name, OLGA.object_id),
        ("entra", ANA.name, ANA.object_id),
    ]


def test_who_may_not_decide_leaves_no_decision(caller: Caller) -> None:
    run_id = a_held_run(caller.api)
    refused = caller.by_token("olga", "POST", f"/entra/api/runs/{run_id}/approve", json=SAID)
    assert refused.status_code == 403
    assert caller.by_token("vera", "GET", "/entra/api/decisions").get_json()["decisions"] == []


def test_names_and_reasons_are_in_no_log(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        api.post("/api/pause/jobs", body={"who": "Jo Canary", "reason": "about Pat Secret"})
        api.post(f"/api/runs/{NO_RUN}/cancel", 404, body={"who": "Jo Canary"})
        api.get("/api/decisions")
    assert "Canary" not in caplog.text


def test_a_decision_is_one_document_and_its_ending_another(api: Api) -> None:
    api.post("/api/pause/jobs", body=SAID)
    ending, decision = (read_json(api.rig.documents, path) for path in api.rig.documents.list("decisions/"))
    assert (decision["version"], decision["action"], decision["who"]) == (1, "pause", "Jo Canary")
    assert (ending["version"], ending["done"]) == (1, True)
