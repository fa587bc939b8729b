"""Other rules in a running app: looked at before they are in force, pushed, compared, and taken back; a run
goes on under those that it began with."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.documents.rules import digest_of_text
from tests.doubles.sign_in_front import ANA, IN_FRONT
from tests.e2e.http_rig import Api, api_for
from tests.e2e.small_company import FIRST_NUMBER, PEOPLE
from tests.e2e.test_sign_in import Caller

PERSON = FIRST_NUMBER
LAST_NAME = f"Worker{PERSON}"
CALLED_BY_LAST_NAME = 'version = 1\n[employees.fields]\nfirst_name = { from = "LastName" }\n'
NOBODY = """version = 1
[[employees.scope]]
name = "Nobody"
all = [{ column = "PRDept", is = "99" }]
"""
DEPARTMENT_10 = NOBODY.replace("Nobody", "Department 10").replace("99", "10")
SAID = {"reason": "as HR wants it", "who": "Jo Canary"}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """A minute after the first load."""
    api = api_for(tmp_path)
    api.rig.run()
    api.rig.clock.advance(60)
    yield api
    api.rig.close()


def push(api: Api, text: str, status: int = 200, **said: Any) -> dict[str, Any]:
    answer: dict[str, Any] = api.post("/api/rules", status, body={"text": text, **SAID, **said})
    return answer


def previewed(api: Api, text: str) -> dict[str, Any]:
    run_id = api.post("/api/rules/preview", 202, body={"text": text})["run_id"]
    api.rig.finish(run_id)
    found: dict[str, Any] = api.get(f"/api/rules/preview/{run_id}")
    return found


def of(preview: dict[str, Any], entity: str = "employees") -> dict[str, Any]:
    (found,) = (one for one in preview["entities"] if one["entity"] == entity)
    result: dict[str, Any] = found
    return result


def another_process(api: Api) -> None:
    """Which has read nothing yet."""
    api.rig.take_over()


class TestARunUnderWay:
    def test_goes_on_under_the_rules_that_it_began_with(self, api: Api) -> None:
        api.rig.person(PERSON)["Address"] = "1 New Street"
        api.rig.publish()
        run_id = api.post("/api/sync/all", 202)["run_id"]
        assert push(api, CALLED_BY_LAST_NAME)["run_id"] == run_id
        another_process(api)
        api.rig.finish(run_id)
        user = api.rig.user(PERSON)
        assert (user["street"], user["first_name"]) == ("1 New Street", "Pat")
        assert api.rig.run().count("updated") == PEOPLE
        assert api.rig.user(PERSON)["first_name"] == LAST_NAME

    def test_applies_what_it_planned_under_them(self, api: Api) -> None:
        """The push comes between plan and batch."""
        push(api, CALLED_BY_LAST_NAME)
        run_id = api.post("/api/sync/employees", 202)["run_id"]
        api.rig.until(lambda: read_json(api.rig.documents, paths.plan(run_id, "employees")) is not None)
        api.post("/api/rules/rollback", body={"version": 0})
        another_process(api)
        api.rig.finish(run_id)
        assert api.rig.user(PERSON)["first_name"] == LAST_NAME

    @pytest.mark.parametrize("when", ["before it is planned", "between plan and batch"])
    def test_whose_version_somebody_deleted_fails_and_plans_nothing_under_others(
        self, api: Api, when: str
    ) -> None:
        push(api, CALLED_BY_LAST_NAME)
        run_id = api.post("/api/sync/employees", 202)["run_id"]
        if when != "before it is planned":
            api.rig.until(lambda: read_json(api.rig.documents, paths.plan(run_id, "employees")) is not None)
        path = paths.rules_version(digest_of_text(CALLED_BY_LAST_NAME))
        api.rig.documents.delete(path)
        another_process(api)
        ran = api.rig.finish(run_id, sweeping=True)
        entity = ran.entity("employees")
        assert entity["phase"] == "failed"
        assert path in entity["reason"]
        assert "rules push FILE" in entity["reason"]
        assert ran.writes == []
        push(api, CALLED_BY_LAST_NAME)
        assert api.rig.run().entity("employees")["phase"] == "done"
        assert api.rig.user(PERSON)["first_name"] == LAST_NAME


class TestWhatIsInForce:
    def test_is_the_default_file_until_somebody_pushes_and_then_what_was_pushed(self, api: Api) -> None:
        before = api.get("/api/rules")
        assert (before["source"], before["version"]) == ("default", None)
        assert before["text"].startswith("# The mapping")
        assert {"in_force": 1, "changed": True, "run_id": None}.items() <= push(api, DEPARTMENT_10).items()
        after = api.get("/api/rules")
        assert (after["source"], after["text"], after["problem"]) == ("pushed", DEPARTMENT_10, None)
        assert {"number": 1, "known": "stated", **SAID}.items() <= after["version"].items()
        assert api.get("/api/rules", version=0)["text"] == before["text"]

    def test_says_why_nothing_can_begin_under_it(self, api: Api) -> None:
        push(api, DEPARTMENT_10)
        path = paths.rules_version(digest_of_text(DEPARTMENT_10))
        api.rig.documents.delete(path)
        another_process(api)
        found = api.get("/api/rules")
        assert (found["text"], path in found["problem"]) == (None, True)

    def test_is_a_decision(self, api: Api) -> None:
        push(api, DEPARTMENT_10)
        (decision,) = api.get("/api/decisions", action="rules")["decisions"]
        assert {"done": True, "given": {"push": "1"}, **SAID}.items() <= decision.items()
        assert api.get("/api/rules")["version"]["decision"] == decision["id"]

    def test_is_kept_and_can_be_gone_back_to(self, api: Api) -> None:
        push(api, DEPARTMENT_10)
        push(api, CALLED_BY_LAST_NAME)
        assert api.post("/api/rules/rollback", body={"version": 1})["in_force"] == 3
        found = api.get("/api/rules/history")
        told = [(one["number"], one["back_to"]) for one in found["versions"]]
        assert (found["in_force"], told) == (3, [(3, 1), (2, None), (1, None)])
        assert api.get("/api/rules")["text"] == DEPARTMENT_10
        assert "there are 1 to 3" in api.post("/api/rules/rollback", 404, body={"version": 9})["detail"]

    def test_is_compared_rule_by_rule_over_the_default_file(self, api: Api) -> None:
        push(api, CALLED_BY_LAST_NAME)
        found = api.get("/api/rules/diff", a=0)
        assert (found["a"], found["b"], found["problems"]) == (0, 1, [])
        assert found["rules"] == [
            {"rule": "employees.fields.first_name.from", "before": ["FirstName"], "after": ["LastName"]}
        ]
        push(api, f"# a remark\n{CALLED_BY_LAST_NAME}")
        found = api.get("/api/rules/diff", a=1, b=2)
        assert (found["rules"], "+# a remark" in found["lines"]) == ([], True)

    def test_is_changed_by_an_approver_only(self, tmp_path: Path) -> None:
        caller = Caller(api_for(tmp_path, **IN_FRONT))
        body = {"text": DEPARTMENT_10}
        for who, status in (("olga", 403), ("ana", 200)):
            assert caller.by_token(who, "POST", "/entra/api/rules", json=body).status_code == status
        version = caller.by_token("vera", "GET", "/entra/api/rules").get_json()["version"]
        assert (version["known"], version["who"], version["who_id"]) == ("entra", ANA.name, ANA.object_id)
        caller.api.rig.close()


class TestWhatIsRefused:
    def test_is_told_all_at_once(self, api: Api) -> None:
        wrong = 'version = 1\n[employees.people]\nlast_day = "never"\nhire_lead_days = -1\n'
        for path in ("/api/rules", "/api/rules/preview"):
            found = api.post(path, 400, body={"text": wrong})
            assert "last_day" in " ".join(found["problems"])
            assert "hire_lead_days" in " ".join(found["problems"])
        assert api.get("/api/rules")["source"] == "default"

    @pytest.mark.parametrize("size", [300_000, 900_000])
    def test_are_files_that_are_too_large(self, api: Api, size: int) -> None:
        for path in ("/api/rules", "/api/rules/preview"):
            assert "256 KB" in api.post(path, 413, body={"text": "#" * size})["hint"]

    @pytest.mark.parametrize("text", [None, "", " \n", 7, "\ud800", "a = ", "a\0b"], ids=repr)
    def test_is_what_is_no_file_of_rules(self, api: Api, text: Any) -> None:
        api.post("/api/rules", 400, body={} if text is None else {"text": text})

    @pytest.mark.parametrize("version", [None, -1, 1.5, "1", True, 10**9], ids=repr)
    def test_is_what_is_no_number_of_a_version(self, api: Api, version: Any) -> None:
        api.post("/api/rules/rollback", 400, body={"version": version})
        api.get("/api/rules", 400, version="-1")
        api.get("/api/rules/diff", 400)

    def test_is_what_was_made_from_another_version(self, api: Api) -> None:
        push(api, DEPARTMENT_10)
        assert "version 1 is in force, not 0" in push(api, NOBODY, 409, after=0)["detail"]
        assert push(api, CALLED_BY_LAST_NAME, after=1)["in_force"] == 2


class TestAPreview:
    def test_shows_each_field_that_would_change_with_examples_and_changes_nothing(self, api: Api) -> None:
        before = api.rig.content()
        found = of(previewed(api, CALLED_BY_LAST_NAME))
        (update,) = found["actions"]
        (field,) = update["fields"]
        assert (update["action"], update["count"], len(update["keys"])) == ("update", PEOPLE, PEOPLE)
        assert (field["field"], field["count"]) == ("first_name", PEOPLE)
        assert {"key": str(PERSON), "before": "Pat", "after": LAST_NAME} in field["examples"]
        assert api.rig.content() == before
        assert api.get("/api/rules")["source"] == "default"
        assert api.rig.run().writes == []

    def test_has_the_whole_list_as_csv(self, api: Api) -> None:
        preview = previewed(api, CALLED_BY_LAST_NAME)
        answer = api.call("GET", preview["plan_url"], query_string={"format": "csv"})
        rows = list(csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig"), newline="")))
        assert {row["after"] for row in rows} == {
            f"Worker{number}" for number in range(FIRST_NUMBER, FIRST_NUMBER + PEOPLE)
        }

    def test_says_that_a_scope_would_be_empty(self, api: Api) -> None:
        found = of(previewed(api, NOBODY))
        scope = found["scope"]
        assert (scope["source"], scope["outside"], scope["in_safetyamp"]) == (PEOPLE, PEOPLE, PEOPLE)
        assert (scope["leave"]["count"], scope["enter"]["count"]) == (PEOPLE, 0)
        assert found["actions"] == []

    def test_says_who_enters_and_leaves_against_the_rules_in_force(self, api: Api) -> None:
        push(api, DEPARTMENT_10)
        inside = {str(row["Employee"]) for row in api.rig.company.tables["bPREH"] if row["PRDept"] == "10"}
        scope = of(previewed(api, DEPARTMENT_10.replace("10", "20")))["scope"]
        assert set(scope["leave"]["keys"]) == inside
        assert scope["enter"]["count"] > 0
        assert not inside & set(scope["enter"]["keys"])

    def test_has_what_would_be_held_and_why(self, api: Api) -> None:
        """Out of scope means switched off here: that is more than the guard lets by."""
        off = f'{DEPARTMENT_10}[employees.out_of_scope]\ndo = "deactivate"\n'
        found = of(previewed(api, off))
        (action,) = found["actions"]
        assert (action["action"], action["count"]) == ("deactivate", found["scope"]["leave"]["count"])
        assert found["held"]
        assert found["scope"]["outside"] == action["count"]

    def test_costs_no_call_to_safetyamp_where_everything_is_known(self, api: Api) -> None:
        before = len(api.rig.safetyamp.calls)
        previewed(api, CALLED_BY_LAST_NAME)
        assert len(api.rig.safetyamp.calls) == before

    def test_is_what_was_asked_for_as_one(self, api: Api) -> None:
        run_id = api.post("/api/sync/all", 202, mode="plan")["run_id"]
        assert "is no preview" in api.get(f"/api/rules/preview/{run_id}", 404)["detail"]

    def test_waits_for_a_run_under_way(self, api: Api) -> None:
        run_id = api.post("/api/sync/all", 202)["run_id"]
        assert api.post("/api/rules/preview", 409, body={"text": NOBODY})["run_id"] == run_id
