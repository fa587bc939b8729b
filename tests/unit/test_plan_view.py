"""What a run plans, as it is told to whoever decides: who loses access by name and why, references by key."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import pytest

from shared.errors import DatabaseError
from shared.queries.answers import EntityPlan, RunPlan
from shared.queries.csv_text import plan_csv
from shared.queries.plan_page import plan_page
from shared.queries.plan_view import NO_TERM_DATE, NOT_IN_VISTA, plan_view
from shared.sync import paths
from shared.sync.documents.change import Change
from shared.sync.documents.runs import EntityStatus
from shared.sync.documents.state import Entry
from shared.sync.model import Action
from tests.unit.operations_rig import OperationsRig, Untouched, answers, change, employee
from tests.unit.test_report_page import HOSTILE, Parsed


def person(first: str, last: str, **fields: Any) -> Entry:
    return Entry("u1", "d", {"first_name": first, "last_name": last, **fields}, {})


def off(key: str) -> Change:
    return change(key, "deactivate", fields={"system_access": 0}, before={"system_access": 1})


class PlanRig(OperationsRig):
    """A run that only plans, of employees."""

    def __init__(self) -> None:
        super().__init__(Untouched())
        self.run_id = self.keep_run(
            phase="planned", entities={"employees": EntityStatus("planned")}, mode="plan"
        )

    def plans(self, *batches: Sequence[Change], **members: Any) -> None:
        self.keep_plan(self.run_id, *batches, **members)

    def seen(self, most: int | None = None) -> RunPlan:
        before = self.everything()
        view = plan_view(self.services, self.the_run(self.run_id), most)
        assert self.everything() == before
        answers("show_plan", view)
        return view

    def employees(self, most: int | None = None) -> EntityPlan:
        (entity,) = self.seen(most)["entities"]
        return entity

    def part(self, action: Action, most: int | None = None) -> dict[str, Any]:
        (part,) = [part for part in self.employees(most)["parts"] if part["action"] == action]
        return dict(part)

    def why(self, key: str) -> str | None:
        (found,) = [
            record["why"]
            for part in self.employees()["parts"]
            for record in part["records"]
            if record["key"] == key
        ]
        return found


@pytest.fixture
def rig() -> PlanRig:
    return PlanRig()


def test_who_loses_access_comes_first_by_name_with_the_day_that_vista_says(rig: PlanRig) -> None:
    rig.keep_state({"7": person("Ann", "Lee"), "8": person("Bob", "Ray")})
    rig.sources.employee_rows = [employee(7), employee(8, term_date="2026-01-04 00:00:00")]
    rig.plans([change("7"), off("8"), change("9", "create", fields={"first_name": "Cy", "last_name": "Fox"})])
    parts = rig.employees()["parts"]
    named = [(part["action"], part["records"][0]["key"], part["records"][0]["name"]) for part in parts]
    assert named == [("deactivate", "8", "Bob Ray"), ("update", "7", "Ann Lee"), ("create", "9", "Cy Fox")]
    assert rig.why("8") == "TermDate 2026-01-04"
    assert rig.why("7") is None


def test_who_would_lose_access_though_vista_has_mended_it_is_told(rig: PlanRig) -> None:
    rig.sources.employee_rows = [employee(7)]
    rig.plans([off("7"), off("8")])
    assert (rig.why("7"), rig.why("8")) == (NO_TERM_DATE, NOT_IN_VISTA)


def test_numbers_that_vista_writes_otherwise_are_found(rig: PlanRig) -> None:
    rig.sources.employee_rows = [employee(7)._replace(employee="007.0", term_date="2026-01-02")]
    rig.plans([off("7")])
    assert rig.why("7") == "TermDate 2026-01-02"


def test_who_gets_access_back_is_told_with_both_dates(rig: PlanRig) -> None:
    rig.sources.employee_rows = [employee(7), employee(8, term_date="2027-01-01")]
    back = {"fields": {"system_access": 1}, "before": {"system_access": 0}}
    rig.plans([change("7", "reactivate", **back), change("8", "reactivate", **back)])
    assert rig.why("7") == "HireDate 2020-01-06, no TermDate"
    assert rig.why("8") == "HireDate 2020-01-06, TermDate 2027-01-01"


def test_a_vista_that_is_away_costs_the_reasons_only(rig: PlanRig) -> None:
    rig.keep_state({"7": person("Ann", "Lee")})
    rig.plans([off("7")])
    rig.sources.away = DatabaseError("Vista is away")
    view = rig.seen()
    (record,) = view["entities"][0]["parts"][0]["records"]
    assert (record["name"], record["why"]) == ("Ann Lee", None)
    (note,) = view["notes"]
    assert "Vista is away" in note


def test_a_vista_that_shows_nobody_says_nothing_of_anybody(rig: PlanRig) -> None:
    rig.sources.employee_rows = []
    rig.plans([off("7"), off("8")])
    assert (rig.why("7"), rig.why("8")) == (None, None)
    assert rig.seen()["notes"] == ["Vista shows nobody now, so that nothing tells why access changes"]


def test_nobody_asks_vista_where_nobody_s_access_changes(rig: PlanRig) -> None:
    rig.sources.away = DatabaseError("Vista is away")
    rig.plans([change("7"), change("8", "create")])
    assert rig.seen()["notes"] == []


def test_fields_have_before_and_after_and_sites_are_called_by_their_keys(rig: PlanRig) -> None:
    rig.keep_state({"100": Entry(5103, "d", {"name": "Bridge"}, {})}, "jobs")
    fields = {"street": "9 Ash", "home_site_id": {"$ref": ["jobs", "200"]}}
    rig.plans([change("7", fields=fields, before={"street": "1 Elm", "home_site_id": 5103})])
    (record,) = rig.part("update")["records"]
    assert record["fields"] == [
        {"field": "street", "before": "1 Elm", "after": "9 Ash"},
        {
            "field": "home_site_id",
            "before": {"entity": "jobs", "key": "100"},
            "after": {"entity": "jobs", "key": "200"},
        },
    ]


def test_a_site_that_the_state_does_not_know_keeps_its_id(rig: PlanRig) -> None:
    fields = {"home_site_id": {"$ref": ["jobs", "200"]}}
    rig.plans([change("7", fields=fields, before={"home_site_id": 5103})])
    assert rig.part("update")["records"][0]["fields"][0]["before"] == 5103


def test_many_changes_are_counted_and_everybody_whose_access_changes_is_named(rig: PlanRig) -> None:
    rig.plans([change(str(key)) for key in range(10, 15)], [off(str(key)) for key in range(20, 25)])
    updates = rig.part("update", most=2)
    assert (updates["count"], updates["by_field"]) == (5, {"street": 5})
    assert [record["key"] for record in updates["records"]] == ["10", "11"]
    assert len(rig.part("deactivate", most=2)["records"]) == 5


def test_the_guard_s_reasons_and_problems_are_there(rig: PlanRig) -> None:
    problems = [{"key": "9", "kind": "invalid", "reason": "no name", "field": "first_name"}]
    rig.plans([off("7")], held=["1 of 2 people would be deactivated"], problems=problems)
    found = rig.employees()
    assert found["held"] == ["1 of 2 people would be deactivated"]
    assert found["problems"] == problems


def test_a_problem_of_somebody_who_is_in_safetyamp_has_the_name(rig: PlanRig) -> None:
    rig.keep_state({"9": person("Eve", "Low")})
    rig.plans(problems=[{"key": key, "kind": "invalid", "reason": "odd", "field": None} for key in "89"])
    assert [problem.get("name") for problem in rig.employees()["problems"]] == [None, "Eve Low"]
    text = " ".join(Parsed(plan_page(rig.seen())).texts)
    assert "Eve Low" in text
    assert "asked for 2026-01-05 00:01 UTC" in text


def test_an_entity_without_a_plan_says_why(rig: PlanRig) -> None:
    rig.run_id = rig.keep_run(2, "failed", {"employees": EntityStatus("failed", reason="Vista is away")})
    found = rig.employees()
    assert (found["planned"], found["phase"], found["reason"]) == (False, "failed", "Vista is away")


def test_a_batch_that_cannot_be_read_costs_no_other(rig: PlanRig) -> None:
    rig.plans([off("7")], [off("8")])
    rig.damage(paths.batch(rig.run_id, "employees", "a1b2c3d4", 1))
    view = rig.seen()
    assert [record["key"] for record in view["entities"][0]["parts"][0]["records"]] == ["8"]
    assert any("0001" in note for note in view["notes"])


def test_a_plan_that_cannot_be_read_costs_no_other_entity(rig: PlanRig) -> None:
    statuses = {"titles": EntityStatus("planned"), "employees": EntityStatus("planned")}
    rig.run_id = rig.keep_run(3, "planned", statuses, mode="plan")
    rig.keep_plan(rig.run_id, [off("7")])
    rig.keep_plan(rig.run_id, entity="titles")
    rig.damage(paths.plan(rig.run_id, "titles"))
    view = rig.seen()
    assert [entity["planned"] for entity in view["entities"]] == [False, True]
    assert any("titles" in note for note in view["notes"])


def test_a_damaged_record_of_the_state_costs_its_name_only(rig: PlanRig) -> None:
    rig.keep_state({"7": person("Ann", "Lee")})
    rig.damage_record("7")
    rig.plans([change("7", core={"first_name": "Ann"})])
    assert rig.part("update")["records"][0]["name"] == "Ann"


def rows(plan: RunPlan) -> list[list[str]]:
    return list(csv.reader(io.StringIO(plan_csv(plan))))


def test_the_table_has_a_row_per_field_and_no_formula(rig: PlanRig) -> None:
    rig.keep_state({"7": person("=HYPERLINK(1)", "Lee")})
    rig.sources.employee_rows = [employee(8, term_date="2026-01-04")]
    rig.plans([change("7", fields={"street": "9 Ash", "city": None}, before={"street": "1 Elm"}), off("8")])
    assert rows(rig.seen()) == [
        ["entity", "action", "key", "name", "why", "field", "before", "after", "held"],
        ["employees", "deactivate", "8", "", "TermDate 2026-01-04", "system_access", "1", "0", ""],
        ["employees", "update", "7", "'=HYPERLINK(1) Lee", "", "street", "1 Elm", "9 Ash", ""],
        ["employees", "update", "7", "'=HYPERLINK(1) Lee", "", "city", "", "", ""],
    ]


def test_the_page_names_who_loses_access_before_all_others_and_runs_nothing(rig: PlanRig) -> None:
    rig.keep_state({"7": person(HOSTILE, "Lee"), "8": person("Bob", "Ray")})
    rig.sources.employee_rows = [employee(8, term_date="2026-01-04")]
    problems = [{"key": "9", "kind": "invalid", "reason": HOSTILE, "field": "email"}]
    rig.plans([change("7", fields={"street": HOSTILE}), off("8")], held=["too many"], problems=problems)
    document = Parsed(plan_page(rig.seen()))
    text = " ".join(document.texts)
    assert document.tags["script"] == document.tags["img"] == 0
    places = [text.index(part) for part in ("too many", "Bob Ray", "TermDate 2026-01-04", "Lee", "invalid")]
    assert places == sorted(places)


def test_the_page_says_what_it_leaves_out(rig: PlanRig) -> None:
    rig.plans([change(str(key)) for key in range(10, 15)])
    assert "3 more are not listed here." in " ".join(Parsed(plan_page(rig.seen(2))).texts)
