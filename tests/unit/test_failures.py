"""What does not come right by itself: what fails, since when, grouped by cause, and which entities did not
end well."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.queries.failures import MOST_KEYS, MOST_REASONS, MOST_RUNS, failure_groups
from shared.sync import paths
from shared.sync.documents.plans import read_plan
from shared.sync.documents.runs import EntityStatus
from shared.sync.documents.state import FAILURE, Entry, Refusal
from shared.sync.findings.causes import EMAIL_SHARED, JOB_DEPARTMENT_UNKNOWN
from shared.sync.model import EntityName
from shared.sync.runs.report import problems_of
from tests.unit.operations_rig import (
    PLAN_ID,
    OperationsRig,
    answers,
    change,
    ended,
    nth_run,
    nth_time,
    outcome,
)


def invalid(*keys: str, reason: str = "no last name") -> list[dict[str, Any]]:
    return [{"key": key, "kind": "invalid", "reason": reason, "field": None} for key in keys]


def refused(since: str | None = None, at: str | None = nth_time(9), **errors: list[str]) -> Entry:
    failure: Refusal = {"digest": "d", "errors": errors or {"street": ["no"]}, "at": at}
    return Entry("u1", "d", {}, {FAILURE: {**failure, "since": since} if since else failure})


class FailuresRig(OperationsRig):
    """Runs of employees, each with what it found."""

    def found(self, number: int, *problems: dict[str, Any], keys: tuple[str, ...] = (), **run: Any) -> str:
        """A run whose plan has these problems."""
        run_id = self.keep_run(number, **run, keys=keys)
        self.keep_plan(run_id, problems=list(problems))
        return run_id

    def tried(self, number: int, *outcomes: Any, keys: tuple[str, ...] = ()) -> str:
        """A run that applied these changes, in one batch."""
        run_id = self.keep_run(number, entities={"employees": ended(failed=1)}, keys=keys)
        self.keep_plan(run_id, [change(one.key) for one in outcomes])
        self.keep_outcomes(run_id, 1, *outcomes)
        return run_id

    @property
    def answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = answers("list_failures", failure_groups(self.documents))
        assert answer["total"] == sum(group["count"] for group in answer["groups"])
        return answer

    @property
    def groups(self) -> list[dict[str, Any]]:
        groups: list[dict[str, Any]] = self.answer["groups"]
        return groups

    @property
    def group(self) -> dict[str, Any]:
        """The only one."""
        (group,) = self.groups
        return group

    @property
    def causes(self) -> list[tuple[str, str, list[str]]]:
        return [(group["kind"], group["cause"], group["keys"]) for group in self.groups]


@pytest.fixture
def rig() -> FailuresRig:
    return FailuresRig()


def test_where_nothing_has_run_nothing_fails(rig: FailuresRig) -> None:
    assert rig.answer == {"total": 0, "groups": [], "entities": []}


def test_what_only_is_reported_or_skipped_or_went_well_is_no_failure(rig: FailuresRig) -> None:
    run_id = rig.keep_run(1, entities={"employees": ended(failed=1)})
    fine = [outcome("1"), outcome("2", "cancelled"), outcome("3", "created"), outcome("4", "reactivated")]
    problems = [{**invalid("5")[0], "kind": kind} for kind in ("reported", "skipped")]
    rig.keep_plan(run_id, [change(one.key) for one in fine], problems=problems)
    rig.keep_outcomes(run_id, 1, *fine)
    assert rig.answer == {"total": 0, "groups": [], "entities": []}


# -- what the state remembers ----------------------------------------------------------------------------


def test_what_safetyamp_refused_is_told_with_the_fields_and_not_with_their_values(rig: FailuresRig) -> None:
    rig.keep_state(
        {"7": refused(nth_time(3), street=["1 Elm is odd"], city=["no"]), "8": Entry(8, "d", {}, {})}
    )
    group = rig.group
    assert (group["kind"], group["cause"]) == ("refused", "SafetyAmp refused city, street")
    assert (group["count"], group["keys"], group["entity"]) == (1, ["7"], "employees")
    assert (group["since"], group["at"]) == (nth_time(3), nth_time(9))
    assert "Mend the named fields" in group["suggestion"]


def test_of_a_value_that_is_taken_another_thing_is_to_be_done(rig: FailuresRig) -> None:
    rig.keep_state({"7": refused(email=["The email has already been taken."])})
    assert rig.group["suggestion"].startswith("Another SafetyAmp record has the same value")


def test_a_refusal_that_an_earlier_release_noted_is_as_old_as_its_last_attempt(rig: FailuresRig) -> None:
    rig.keep_state({"7": refused()})
    assert (rig.group["since"], rig.group["at"]) == (nth_time(9), nth_time(9))


def test_refusals_of_the_same_fields_are_one_group_since_the_first_and_until_the_last(
    rig: FailuresRig,
) -> None:
    rig.keep_state(
        {
            "7": refused(nth_time(5), nth_time(8)),
            "8": refused(nth_time(3), nth_time(9)),
            "9": refused(nth_time(4), nth_time(7)),
        }
    )
    group = rig.group
    assert (group["count"], group["keys"]) == (3, ["7", "8", "9"])
    assert (group["since"], group["at"]) == (nth_time(3), nth_time(9))


def test_what_the_state_remembers_is_not_told_a_second_time_from_a_run(rig: FailuresRig) -> None:
    rig.keep_state({"7": refused()})
    rig.found(1, *invalid("7", "8"))
    assert rig.causes == [("refused", "SafetyAmp refused street", ["7"]), ("invalid", "no last name", ["8"])]


def test_a_state_that_cannot_be_read_hides_nothing_of_the_runs(rig: FailuresRig) -> None:
    rig.keep_state({"7": refused()})
    rig.damage(paths.state("employees"))
    rig.found(1, *invalid("8"))
    assert rig.causes == [("invalid", "no last name", ["8"])]


# -- what runs found -------------------------------------------------------------------------------------


@pytest.mark.parametrize("result", ["refused", "failed", "waiting", "gone"])
def test_what_did_not_come_to_a_good_end_is_told_with_its_reason(rig: FailuresRig, result: str) -> None:
    rig.tried(1, outcome("7", result, reason="no answer", at=nth_time(2)), outcome("8"))
    group = rig.group
    assert (group["kind"], group["cause"], group["keys"]) == (result, "no answer", ["7"])
    assert (group["since"], group["at"]) == (nth_time(2), nth_time(2))


def test_what_has_neither_reason_nor_time_is_told_by_its_result_and_run(rig: FailuresRig) -> None:
    rig.tried(1, outcome("7", "failed"))
    assert (rig.group["cause"], rig.group["at"]) == ("failed", nth_time(1))


def test_only_what_the_newest_run_found_is_told(rig: FailuresRig) -> None:
    rig.found(1, *invalid("7", "8"))
    rig.found(2, *invalid("8", "9"))
    assert rig.causes == [("invalid", "no last name", ["8", "9"])]


def test_a_run_under_way_has_found_nothing_yet(rig: FailuresRig) -> None:
    rig.found(1, *invalid("7"))
    rig.found(2, phase="running")
    assert rig.causes == [("invalid", "no last name", ["7"])]


@pytest.mark.parametrize("what", ["no plan", "damaged plan", "damaged run", "another entity"])
def test_a_run_that_looked_at_nothing_takes_nothing_back(rig: FailuresRig, what: str) -> None:
    rig.found(1, *invalid("7"))
    if what == "another entity":
        rig.keep_run(2, entities={"titles": ended()})
    else:
        run_id = rig.keep_run(2)
        if what != "no plan":
            rig.keep_plan(run_id)
            rig.damage(paths.run(run_id) if what == "damaged run" else paths.plan(run_id, "employees"))
    assert rig.causes == [("invalid", "no last name", ["7"])]


def test_outcomes_that_cannot_be_read_are_failures_themselves_and_hide_no_others(rig: FailuresRig) -> None:
    run_id = rig.keep_run(1, entities={"employees": ended(failed=3)})
    rig.keep_plan(run_id, [change("1"), change("2")], [change("3")])
    rig.keep_outcomes(run_id, 1, outcome("1"))
    rig.keep_outcomes(run_id, 2, outcome("3", "failed", reason="no answer"))
    rig.damage(paths.outcome(run_id, "employees", 1))
    group = rig.group
    assert group["keys"] == ["1", "2", "3"]
    (doubt, doubtful), certain = group["reasons"].items()
    assert (doubt.startswith("whether it was done is not known: "), doubtful) == (True, 2)
    assert certain == ("no answer", 1)


def test_what_cannot_be_read_of_one_batch_is_passed_over(rig: FailuresRig) -> None:
    run_id = rig.keep_run(1, entities={"employees": ended(waiting=1)})
    rig.keep_plan(run_id, [change("1")], [change("3")])
    rig.keep_outcomes(run_id, 1, outcome("1", "waiting"))
    rig.keep_outcomes(run_id, 2, outcome("3", "waiting", reason="waiting for titles"))
    rig.damage(paths.outcome(run_id, "employees", 1))
    rig.damage(paths.batch(run_id, "employees", PLAN_ID, 1))
    assert rig.causes == [("waiting", "waiting for titles", ["3"])]


# -- runs of single records ------------------------------------------------------------------------------


def test_a_run_of_one_record_overrules_an_older_one_for_that_record_alone(rig: FailuresRig) -> None:
    rig.found(1, *invalid("7", "8", "9"))
    rig.found(2, keys=("7",))
    rig.found(3, *invalid("8", reason="two of them"), keys=("8",))
    assert rig.causes == [("invalid", "no last name", ["9"]), ("invalid", "two of them", ["8"])]


def test_of_two_runs_of_one_record_the_newer_one_counts(rig: FailuresRig) -> None:
    rig.found(1, *invalid("7"), keys=("7",))
    rig.found(2, *invalid("7", reason="no first name"), keys=("7",))
    assert rig.causes == [("invalid", "no first name", ["7"])]


# -- since when ------------------------------------------------------------------------------------------


def test_a_failure_is_as_old_as_the_runs_one_after_the_other_that_found_it(rig: FailuresRig) -> None:
    rig.found(1, *invalid("7"))
    rig.found(2)
    for number in (3, 4, 5):
        rig.found(number, *invalid("7"))
    group = rig.group
    assert (group["since"], group["at"], group["since_at_least"]) == (nth_time(3), nth_time(5), False)


def test_another_cause_is_another_failure(rig: FailuresRig) -> None:
    rig.found(1, *invalid("7", reason="no first name"))
    rig.found(2, *invalid("7"))
    assert rig.group["since"] == nth_time(2)


def test_runs_of_single_records_do_not_interrupt_it(rig: FailuresRig) -> None:
    rig.found(1, *invalid("7"))
    rig.found(2, keys=("8",))
    rig.found(3, *invalid("7"))
    assert rig.group["since"] == nth_time(1)


def test_what_the_oldest_run_that_is_looked_at_found_may_be_older(rig: FailuresRig) -> None:
    for number in range(1, MOST_RUNS + 3):
        rig.found(number, *invalid("7"))
        at_least = rig.group["since_at_least"]
        assert at_least is (number > MOST_RUNS), number
    assert rig.group["since"] == nth_time(3)


def test_what_began_after_the_oldest_run_that_is_looked_at_is_no_older(rig: FailuresRig) -> None:
    for number in range(1, MOST_RUNS + 1):
        rig.found(number, *(invalid("7") if number > 1 else ()))
    assert (rig.group["since"], rig.group["since_at_least"]) == (nth_time(2), False)


def test_a_run_under_way_or_one_of_another_entity_makes_it_no_younger(rig: FailuresRig) -> None:
    rig.keep_run(1, entities={"titles": ended()})
    for number in range(2, MOST_RUNS + 4):
        rig.found(number, *invalid("7"))
    rig.found(MOST_RUNS + 4, phase="running")
    assert rig.group["since_at_least"] is True


def test_what_failed_when_it_was_applied_may_be_older_too(rig: FailuresRig) -> None:
    for number in range(1, MOST_RUNS + 3):
        rig.tried(
            number, outcome("7", "failed", reason="no answer", at=nth_time(number).replace(":00+", ":30+"))
        )
    assert rig.group["since_at_least"] is True


def test_of_a_group_the_oldest_failure_decides(rig: FailuresRig) -> None:
    for number in range(1, MOST_RUNS + 3):
        rig.found(number, *invalid("7"), *(invalid("8") if number > 20 else ()))
    assert (rig.group["since"], rig.group["since_at_least"]) == (nth_time(3), True)


def test_a_full_run_ends_what_a_run_of_the_record_found_before(rig: FailuresRig) -> None:
    rig.found(1, *invalid("7"), keys=("7",))
    rig.found(2)
    assert rig.causes == []


# -- groups ----------------------------------------------------------------------------------------------


def test_the_largest_group_comes_first_then_the_alphabet_decides(rig: FailuresRig) -> None:
    rig.found(1, *invalid("1", reason="b"), *invalid("2", reason="a"), *invalid("3", "4", reason="c"))
    run_id = rig.keep_run(2, entities={"titles": ended()})
    rig.keep_plan(run_id, entity="titles", problems=invalid("t"))
    assert [(group["entity"], group["cause"], group["count"]) for group in rig.groups] == [
        ("employees", "c", 2),
        ("employees", "a", 1),
        ("employees", "b", 1),
        ("titles", "no last name", 1),
    ]


def test_one_cause_in_two_entities_or_of_two_kinds_is_two_groups(rig: FailuresRig) -> None:
    rig.tried(1, outcome("7", "failed", reason="odd"), outcome("8", "waiting", reason="odd"))
    run_id = rig.keep_run(2, entities={"titles": ended(failed=1)})
    rig.keep_plan(run_id, [change("t1")], entity="titles")
    rig.keep_outcomes(run_id, 1, outcome("t1", "failed", reason="odd"), entity="titles")
    assert [(group["entity"], group["kind"]) for group in rig.groups] == [
        ("employees", "failed"),
        ("employees", "waiting"),
        ("titles", "failed"),
    ]


def test_so_many_keys_are_named_and_all_are_counted(rig: FailuresRig) -> None:
    keys = [str(number) for number in range(1, MOST_KEYS + 6)]
    rig.found(1, *invalid(*keys))
    assert (rig.group["count"], rig.group["keys"]) == (MOST_KEYS + 5, keys[:MOST_KEYS])


def test_what_has_one_cause_is_one_group_whatever_is_said_of_each(rig: FailuresRig) -> None:
    told = [{**invalid(key)[0], "reason": f"as {key}", "cause": EMAIL_SHARED.code} for key in "123"]
    rig.found(1, *told, *invalid("4"))
    shared, without = rig.groups
    assert (shared["code"], shared["what"], shared["count"]) == ("email-shared", "shared e-mail", 3)
    assert (shared["cause"], shared["reasons"]) == ("shared e-mail", {"as 1": 1, "as 2": 1, "as 3": 1})
    assert (shared["owner"], shared["where"]) == ("hr", "Vista > PR Employees > Info > E-mail")
    assert shared["enter"] == "an address of their own for each person"
    assert (without["code"], without["what"], without["owner"], without["enter"]) == (
        None,
        "no last name",
        "it",
        None,
    )


def test_so_many_sentences_are_told_of_a_group(rig: FailuresRig) -> None:
    keys = [str(number) for number in range(MOST_REASONS + 3)]
    rig.found(1, *({**invalid(key)[0], "reason": key, "cause": EMAIL_SHARED.code} for key in keys))
    assert (list(rig.group["reasons"]), rig.group["count"]) == (keys[:MOST_REASONS], len(keys))


def test_a_sentence_that_changes_begins_no_new_failure_of_the_same_cause(rig: FailuresRig) -> None:
    for number, reason in enumerate(("with 8", "with 9"), start=1):
        rig.found(number, {**invalid("7")[0], "reason": reason, "cause": EMAIL_SHARED.code})
    assert (rig.group["since"], rig.group["cause"]) == (nth_time(1), "with 9")


def test_a_cause_that_a_newer_release_found_is_told_by_its_sentence_and_is_its_own(rig: FailuresRig) -> None:
    rig.found(1, {**invalid("7")[0], "cause": "made-up-later"})
    group = rig.group
    assert (group["code"], group["what"], group["owner"]) == ("made-up-later", "no last name", "it")


@pytest.mark.parametrize(
    ("told", "helps"),
    [
        ({"cause": EMAIL_SHARED.code}, False),
        ({"cause": JOB_DEPARTMENT_UNKNOWN.code}, True),
        ({}, False),
    ],
    ids=["a shared e-mail", "a department that may come", "invalid for a reason without code"],
)
def test_trying_again_is_offered_where_the_cause_may_go_by_itself(
    rig: FailuresRig, told: dict[str, str], helps: bool
) -> None:
    rig.found(1, {**invalid("7")[0], **told})
    assert rig.group["again"] is helps


@pytest.mark.parametrize(
    "members",
    [
        {"result": "refused", "errors": {"street": ["is odd"]}},
        {"result": "refused", "errors": {"email": ["has been taken"]}},
        {"result": "refused", "errors": {"home_site_id": ["is invalid"]}},
        {"result": "refused", "errors": {"email": ["odd"]}, "taken": {"email": "user 8"}},
        {"result": "failed"},
        {"result": "waiting"},
        {"result": "waiting", "list_anew": True},
        {"result": "gone"},
    ],
    ids=lambda members: "-".join(map(str, [*members.values()])),
)
def test_of_a_change_that_came_to_no_good_end_the_report_names_the_same_cause(
    rig: FailuresRig, members: dict[str, Any]
) -> None:
    run_id = rig.tried(1, outcome("7", reason="so", **members))
    run = rig.the_run(run_id)
    plan = read_plan(rig.documents, run, "employees")
    assert plan is not None
    (problem,) = problems_of(rig.documents, run, "employees", plan)
    assert rig.group["code"] == problem["cause"]


def test_what_the_state_remembers_has_the_cause_of_the_refusal(rig: FailuresRig) -> None:
    rig.keep_state({"7": refused(), "8": refused(email=["The email has already been taken."])})
    assert {group["code"]: group["again"] for group in rig.groups} == {
        "person-refused": False,
        "value-taken": True,
    }


# -- entities as a whole ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "advice"),
    [("failed", "Do as the reason says, then start a run."), ("held", "Look at the plan")],
)
def test_an_entity_that_did_not_end_well_is_told_with_its_run(
    rig: FailuresRig, phase: Any, advice: str
) -> None:
    status = EntityStatus(phase, reason="401 of Vista", finished_at=nth_time(2))
    run_id = rig.keep_run(1, phase, {"employees": status, "titles": ended()})
    (told,) = rig.answer["entities"]
    assert told.pop("suggestion").startswith(advice)
    assert told == {
        "entity": "employees",
        "phase": phase,
        "reason": "401 of Vista",
        "run_id": run_id,
        "url": f"/api/runs/{run_id}",
        "at": nth_time(2),
    }


@pytest.mark.parametrize(
    ("newer", "told"),
    [
        ({"entities": {"employees": ended()}}, []),
        ({"entities": {"employees": ended("cancelled")}}, []),
        ({"entities": {"employees": ended("failed")}}, [nth_run(2)]),
        ({"entities": {"titles": ended()}}, [nth_run(1)]),
        ({"entities": {"employees": ended()}, "keys": ("7",)}, [nth_run(1)]),
        ({"entities": {"employees": EntityStatus()}, "phase": "running"}, [nth_run(1)]),
    ],
    ids=["good", "cancelled", "failed again", "another entity", "one record", "under way"],
)
def test_the_newest_end_of_an_entity_counts(rig: FailuresRig, newer: dict[str, Any], told: list[str]) -> None:
    rig.keep_run(1, "failed", {"employees": ended("failed")})
    rig.keep_run(2, **newer)
    assert [entity["run_id"] for entity in rig.answer["entities"]] == told


@pytest.mark.parametrize("entity", ["departments", "jobs", "titles", "employees", "vehicles"])
def test_every_entity_is_looked_at(rig: FailuresRig, entity: EntityName) -> None:
    run_id = rig.keep_run(1, "failed", {entity: ended("failed")})
    rig.keep_plan(run_id, entity=entity, problems=invalid("7"))
    assert [group["entity"] for group in rig.groups] == [entity]
    assert [told["entity"] for told in rig.answer["entities"]] == [entity]


def test_no_value_of_a_record_is_quoted(rig: FailuresRig) -> None:
    rig.keep_state({"7": refused(street=["1 Elm is odd"])})
    rig.tried(1, outcome("8", "failed", fields={"street": "1 Elm"}, errors={"street": ["1 Elm is odd"]}))
    shown = json.dumps(rig.answer)
    assert rig.answer["total"] == 2
    assert not [value for value in ("Elm", "Oak") if value in shown]
