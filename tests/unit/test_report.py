"""The report of a run: what an operator reads first."""

from __future__ import annotations

from typing import Any

import pytest

from local.bench.counting import CountingDocuments, Operations
from shared.storage.documents import create_json
from shared.sync import paths
from shared.sync.documents.outcome import Outcome
from shared.sync.documents.runs import EntityStatus, Run, RunRequest
from shared.sync.runs.report import MOST_PROBLEMS, make_report
from tests.unit.engine_rig import EngineRig, a_plan

RUN = "20260105-120000-abcdef"


def a_run(**status: Any) -> Run:
    return Run(
        RUN,
        RunRequest(),
        "2026-01-05T12:00:00+00:00",
        {"jobs": EntityStatus("done", **status), "titles": EntityStatus("failed", "why")},
        "failed",
        "2026-01-05T12:01:30+00:00",
    )


def problem(key: str, kind: str) -> dict[str, Any]:
    return {"key": key, "kind": kind, "reason": "r", "field": None}


def rig_with(problems: list[dict[str, Any]], *outcomes: Outcome) -> EngineRig:
    rig = EngineRig()
    vanished = {"count": 1, "keys": ["9"]}
    plan = a_plan(problems=problems, vanished=vanished, batches=1 if outcomes else 0)
    create_json(rig.documents, paths.plan(RUN, "jobs"), plan)
    value = {"outcomes": [outcome.to_json() for outcome in outcomes]}
    create_json(rig.documents, paths.outcome(RUN, "jobs", 1), value)
    return rig


def test_calls_and_waits_of_all_entities_are_added_up() -> None:
    report = make_report(EngineRig().documents, a_run(calls={"vista": 2}, waited_seconds=0.5))
    assert (report["calls"], report["waited_seconds"], report["duration_seconds"]) == ({"vista": 2}, 0.5, 90)


def test_what_an_approval_left_out_is_named_and_all_of_it_is_counted() -> None:
    rig = rig_with([])
    left_out = [{"key": str(n), "action": "update", "reason": "r", "now": None} for n in range(300)]
    plan = a_plan(problems=[], left_out=left_out)
    create_json(rig.documents, paths.approved(RUN, "jobs", "a1"), plan)
    found = make_report(rig.documents, a_run(approval="a1"))["entities"]["jobs"]["left_out"]
    assert (found["count"], len(found["changes"])) == (300, MOST_PROBLEMS)


def test_an_entity_without_a_plan_has_its_reason_and_no_findings() -> None:
    titles = make_report(EngineRig().documents, a_run())["entities"]["titles"]
    assert (titles["phase"], titles["reason"], titles["problems"]) == ("failed", "why", [])


def test_of_an_entity_that_has_ended_with_nothing_to_tell_no_plan_is_read() -> None:
    rig, operations = rig_with([problem("1", "invalid")]), Operations()
    documents = CountingDocuments(rig.documents, operations)
    run = a_run(quiet=True)
    run.entities["titles"].phase = "off"
    assert make_report(documents, run)["entities"]["jobs"]["problems_total"] == 0
    assert operations.documents == {}


def test_of_an_entity_at_work_the_plan_is_read_whatever_was_told_of_the_one_before() -> None:
    run = a_run(quiet=True)
    run.entities["jobs"].phase = "pending"
    jobs = make_report(rig_with([problem("1", "invalid")]).documents, run)["entities"]["jobs"]
    assert jobs["problems_total"] == 1


def test_what_somebody_must_act_on_is_not_crowded_out_by_those_who_left_long_ago() -> None:
    gone = [problem(f"{number}", "skipped") for number in range(MOST_PROBLEMS + 50)]
    refused = Outcome("3", "create", "refused", "d", errors={"name": ["bad"]}, reason="mend it")
    waiting = Outcome("4", "create", "waiting", "d", reason="waiting")
    mine = [problem("1", "reported"), problem("2", "invalid")]
    jobs = make_report(rig_with([*gone, *mine], refused, waiting).documents, a_run())["entities"]["jobs"]
    assert [found["key"] for found in jobs["problems"][:4]] == ["3", "2", "1", "4"]
    assert len(jobs["problems"]) == MOST_PROBLEMS
    assert jobs["problems_total"] == MOST_PROBLEMS + 54
    assert jobs["vanished"] == {"count": 1, "keys": ["9"]}


def test_fields_are_named_without_their_values_or_safetyamps_texts() -> None:
    refused = Outcome("1", "create", "refused", "d", errors={"email": ["ann@a.test is taken"]}, reason="r")
    dropped = Outcome("2", "create", "created", "d", fields={"city": "x"}, dropped={"phone": ["+1555 bad"]})
    fine = Outcome("3", "create", "created", "d", fields={"email": "bob@a.test"})
    jobs = make_report(rig_with([], refused, dropped, fine).documents, a_run())["entities"]["jobs"]
    assert [(found["key"], found["kind"], found["field"]) for found in jobs["problems"]] == [
        ("1", "refused", "email"),
        ("2", "reported", "phone"),
    ]
    assert "a.test" not in str(jobs)
    assert "+1555" not in str(jobs)


@pytest.mark.parametrize(
    ("result", "members", "cause"),
    [
        ("refused", {"errors": {"name": ["is too long"]}}, "job-refused"),
        ("refused", {"errors": {"cluster_id": ["is invalid"]}}, "reference-refused"),
        ("failed", {"errors": {"name": ["has been taken"]}, "unsure": True}, "value-taken"),
        ("failed", {"reason": "away"}, "not-applied"),
        ("cancelled", {}, "not-applied"),
        ("waiting", {}, "waits-for-record"),
        ("waiting", {"list_anew": True}, "waits-for-listing"),
        ("gone", {}, "gone"),
        ("updated", {"dropped": {"street": ["is too long"]}}, "job-refused"),
        ("updated", {"left_out": {"current_title_id": "waiting for titles welder"}}, "waits-for-record"),
    ],
)
def test_what_became_of_a_change_has_its_cause(result: Any, members: dict[str, Any], cause: str) -> None:
    rig = rig_with([], Outcome("1", "update", result, "d", **members))
    (told,) = make_report(rig.documents, a_run())["entities"]["jobs"]["problems"]
    assert told["cause"] == cause


def test_a_plan_of_a_release_without_causes_is_told_as_it_is() -> None:
    rig = rig_with([problem("1", "invalid")])
    (told,) = make_report(rig.documents, a_run())["entities"]["jobs"]["problems"]
    assert told == problem("1", "invalid")
