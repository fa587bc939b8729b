"""One record explained: source, SafetyAmp, difference, history and what comes next, for a person, and which
of it may be shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.errors import DatabaseError
from shared.queries.dry_run import dry_run
from shared.queries.explain import explain
from shared.storage.documents import to_json
from shared.sync import paths
from shared.sync.documents.state import FAILURE, GONE, OFF_BY, REJECTED, TAKEN, UNSURE, Entry, Flags, Refusal
from shared.sync.model import EntityName
from tests.unit.operations_rig import (
    OperationsRig,
    Untouched,
    answers,
    change,
    employee,
    nth_run,
    nth_time,
    outcome,
)

WITH_VEHICLES = {
    "SAFETYAMP_VEHICLE_SITE_ID": "1",
    "SAFETYAMP_VEHICLE_ASSET_TYPE_ID": "2",
    "SAMSARA_API_KEY": "k",
}


class ExplainRig(OperationsRig):
    """Employee 7 works at the bridge, 8 has left, 9 has no last name; titles are there too."""

    def __init__(self, **settings: str) -> None:
        super().__init__(Untouched(), **settings)
        self.sources.titles_rows = ["Foreman", "Welder"]
        self.sources.employee_rows = [
            employee(7),
            employee(8, first_name="Bob", last_name="Gone", term_date="2025-01-01"),
            employee(9, last_name=" "),
        ]
        self.sources.latest = [(number, "100.") for number in (7, 8, 9)]
        self.keep_state({"100.": Entry(5, "d", {}, {})}, "jobs")

    def ask(self, key: str = "7", entity: EntityName = "employees") -> dict[str, Any] | None:
        before = self.everything()
        found = explain(self.services, entity, key)
        assert self.everything() == before
        return None if found is None else dict(answers("explain_record", found))

    def told(self, key: str = "7", entity: EntityName = "employees") -> dict[str, Any]:
        found = self.ask(key, entity)
        assert found is not None
        return found

    def known(self, key: str = "7", entity: EntityName = "employees") -> dict[str, Any]:
        """What is said of SafetyAmp."""
        return dict(self.told(key, entity)["safetyamp"])

    def entry(self, *, flags: Flags | None = None, **changed: Any) -> Entry:
        """Employee 7 in SafetyAmp as the source wants it, but for what is changed."""
        view = dry_run(self.services, "employees", "7").view
        assert view is not None
        assert view.mapped is not None
        fields = {**view.mapped, "home_site_id": 5, "system_access": 1, **changed}
        return Entry("u7", None, fields, flags or {})


@pytest.fixture
def rig() -> ExplainRig:
    return ExplainRig()


# -- which records there are -----------------------------------------------------------------------------


def test_what_neither_the_source_nor_safetyamp_has_is_unknown(rig: ExplainRig) -> None:
    assert rig.ask("99") is None
    rig.keep_state({})
    assert rig.ask("99") is None


def test_a_key_is_understood_in_each_of_its_spellings(rig: ExplainRig) -> None:
    assert rig.told(" 0007 ")["key"] == "7"
    assert rig.told("WELDER", "titles")["key"] == "welder"


def test_what_only_safetyamp_has_is_explained(rig: ExplainRig) -> None:
    rig.keep_state({"99": Entry("u99", "d", {"street": "9 Ash"}, {})})
    told = rig.told("99")
    assert told["source"] == {"read": True, "problem": None, "found": False, "record": None}
    assert (told["mapped"], told["rejected"], told["difference"]) == (None, None, None)
    assert told["safetyamp"]["fields"] == {"street": "9 Ash"}
    assert told["summary"][:2] == ["Vista does not have it.", "SafetyAmp has it as u99."]


def test_a_key_that_several_records_claim_is_explained_although_the_source_lacks_it(rig: ExplainRig) -> None:
    rig.keep_state({}, ambiguous={"99": ["u1", "u2", "u3"]})
    told = rig.told("99")
    assert (told["safetyamp"]["found"], told["safetyamp"]["target_ids"]) == ("several", ["u1", "u2", "u3"])
    assert told["summary"][1] == "SafetyAmp has it 3 times."


def test_while_the_source_cannot_be_read_no_key_is_called_unknown(rig: ExplainRig) -> None:
    rig.sources.away = DatabaseError("Vista is away")
    told = rig.told("99")
    assert told["source"] == {"read": False, "problem": "Vista is away", "found": None, "record": None}
    assert told["summary"][0] == "Whether Vista has it is not known: it could not be read."
    assert told["next"]["verdict"] == "unknown"


# -- what the source says --------------------------------------------------------------------------------


def test_a_record_is_shown_with_what_it_is_mapped_to_and_what_differs(rig: ExplainRig) -> None:
    rig.keep_state({"7": rig.entry(street="2 Oak", home_site_id=4)}, updated_by=f"{nth_run(3)}/a1b2c3d4")
    told = rig.told()
    assert (told["source"]["found"], told["source"]["record"]["street"]) == (True, "1 Main St")
    assert told["mapped"]["fields"]["home_site_id"] == {"entity": "jobs", "key": "100."}
    assert told["mapped"]["defaults"]["roles"] == {"entity": "roles", "key": "Field"}
    assert (told["mapped"]["active"], told["mapped"]["warnings"]) == (True, [])
    assert told["difference"] == {
        "action": "update",
        "before": {"street": "2 Oak", "home_site_id": 4},
        "after": {"street": "1 Main St", "home_site_id": {"entity": "jobs", "key": "100."}},
    }
    assert told["safetyamp"]["as_of_run"] == nth_run(3)
    assert (told["safetyamp"]["found"], told["safetyamp"]["target_ids"]) == ("yes", ["u7"])
    assert told["next"]["verdict"] == "update"


def test_what_is_as_it_should_be_has_no_difference(rig: ExplainRig) -> None:
    rig.keep_state({"7": rig.entry()})
    told = rig.told()
    assert told["difference"] is None
    assert told["summary"] == [
        "Vista has it.",
        "SafetyAmp has it as u7, with access.",
        "No recent run had to change it.",
        "Next: SafetyAmp holds what the source says.",
    ]


def test_a_record_that_is_not_sent_is_shown_with_the_rule(rig: ExplainRig) -> None:
    told = rig.told("9")
    assert (told["rejected"]["kind"], told["rejected"]["field"]) == ("invalid", "LastName")
    assert told["mapped"] is None
    assert told["summary"][0] == f"Vista has it, but it is invalid: {told['rejected']['reason']}."
    assert told["next"]["verdict"] == "invalid"


def test_a_warning_of_the_mapping_is_shown(rig: ExplainRig) -> None:
    rig.sources.employee_rows = [employee(7, phone="12")]
    told = rig.told()
    assert len(told["mapped"]["warnings"]) == 1
    assert told["notes"] == told["mapped"]["warnings"]


def test_of_somebody_who_has_left_nothing_is_shown_but_that(rig: ExplainRig) -> None:
    rig.keep_state({})
    told = rig.told("8")
    assert told["source"]["record"] == {"standing": "left"}
    assert told["mapped"]["active"] is False
    assert told["summary"][0] == "Vista has it, and the person has left."
    shown = json.dumps(told)
    assert not [value for value in ("Bob", "Gone", "Main St", "70360", "1980", "p8@") if value in shown]


def test_the_sentences_quote_no_values(rig: ExplainRig) -> None:
    rig.keep_state({"7": rig.entry(street="2 Oak")})
    run_id = rig.keep_run(1)
    rig.keep_plan(run_id, [change("7")])
    rig.keep_outcomes(run_id, 1, outcome("7", "refused", errors={"street": ["no"]}, reason="street: mend it"))
    text = " ".join(rig.told()["summary"])
    assert not [value for value in ("Ann", "Lee", "Main", "Oak", "Elm", "p7@", "1980") if value in text]


def test_vehicles_are_samsaras() -> None:
    rig = ExplainRig(**WITH_VEHICLES)
    rig.sources.vehicle_rows = [{"id": "281", "name": "Truck 1", "serial": "G1"}]
    assert rig.told("281", "vehicles")["summary"][0] == "Samsara has it."
    rig.sources.away = DatabaseError("no answer")
    assert rig.told("281", "vehicles")["summary"][0].startswith("Whether Samsara has it is not known")


# -- what SafetyAmp is known to hold ---------------------------------------------------------------------


def test_before_the_first_listing_nothing_is_known(rig: ExplainRig) -> None:
    known = rig.known()
    assert (known["known"], known["found"], known["as_of_run"], known["fields"]) == (False, "no", None, None)
    assert rig.told()["summary"][1] == "SafetyAmp has not been listed yet."


def test_a_state_that_cannot_be_read_is_told_as_none(rig: ExplainRig) -> None:
    rig.keep_state({"7": rig.entry()})
    rig.damage(paths.state("employees"))
    assert rig.known()["known"] is False


def test_what_is_not_there_as_far_as_is_known_is_told_so(rig: ExplainRig) -> None:
    rig.keep_state({})
    known = rig.known()
    assert (known["known"], known["found"], known["target_ids"]) == (True, "no", [])
    assert rig.told()["summary"][1] == "SafetyAmp does not have it, as far as is known."


def test_what_may_have_been_created_is_unsure(rig: ExplainRig) -> None:
    rig.keep_state({"7": Entry(None, None, {}, {GONE: UNSURE})})
    known = rig.known()
    assert (known["found"], known["target_ids"], known["fields"]) == ("unsure", [], None)


def test_what_the_last_listing_lacked_is_told_with_the_run(rig: ExplainRig) -> None:
    rig.keep_state({"7": rig.entry()}, missing={"u7": nth_run(4)})
    told = rig.told()
    assert told["safetyamp"]["not_listed_since_run"] == nth_run(4)
    assert told["summary"][1].startswith("SafetyAmp: not in SafetyAmp's last listing, known as id u7")


@pytest.mark.parametrize(
    ("access", "text"),
    [(1, "SafetyAmp has it as u7, with access."), (0, "SafetyAmp has it as u7, switched off.")],
)
def test_whether_somebody_has_access_is_said(rig: ExplainRig, access: int, text: str) -> None:
    rig.keep_state({"7": rig.entry(system_access=access)})
    assert rig.told()["summary"][1] == text


@pytest.mark.parametrize(
    ("flags", "access", "noted", "run"),
    [
        ({OFF_BY: nth_run(2)}, 0, {}, nth_run(2)),
        ({OFF_BY: nth_run(2)}, 0, {"u7": {"run": nth_run(1)}}, nth_run(2)),
        ({}, 0, {"u7": {"run": nth_run(1)}}, nth_run(1)),
        ({}, 0, {"u8": {"run": nth_run(1)}}, None),
        ({}, 1, {"u7": {"run": nth_run(1)}}, None),
        ({}, 0, None, None),
    ],
    ids=["by its flag", "the flag first", "by its id", "somebody else", "has access", "damaged"],
)
def test_the_run_that_switched_somebody_off_is_named(
    rig: ExplainRig, flags: Flags, access: int, noted: dict[str, Any] | None, run: str | None
) -> None:
    rig.keep_state({"7": rig.entry(system_access=access, flags=flags)})
    rig.documents.write(
        paths.SWITCHED_OFF, b"{" if noted is None else to_json({"version": 1, "users": noted})
    )
    assert rig.known()["switched_off_by_run"] == run


def test_fields_that_safetyamp_refused_are_named_without_their_values(rig: ExplainRig) -> None:
    flags: Flags = {REJECTED: {"street": "x"}, TAKEN: {"mobile_phone": {"digest": "x", "by": "employee 8"}}}
    rig.keep_state({"7": rig.entry(flags=flags)})
    assert rig.known()["refused_fields"] == ["mobile_phone", "street"]


@pytest.mark.parametrize(
    ("name", "texts", "advice"),
    [
        ("email", ["is invalid"], "Mend the named fields"),
        ("email", ["has been taken"], "Another SafetyAmp record has the same"),
        ("home_site_id", ["is invalid"], "As far as is known the source is right"),
    ],
)
def test_a_refusal_is_told_with_its_beginning_and_what_to_do(
    rig: ExplainRig, name: str, texts: list[str], advice: str
) -> None:
    failure: Refusal = {"digest": "d", "errors": {name: texts}, "since": nth_time(1), "at": nth_time(9)}
    rig.keep_state({"7": Entry(None, None, {}, {FAILURE: failure})})
    told = rig.known()["failure"]
    assert told.pop("suggestion").startswith(advice)
    assert told == {"since": nth_time(1), "at": nth_time(9), "errors": {name: texts}}


def test_without_a_refusal_there_is_none(rig: ExplainRig) -> None:
    rig.keep_state({"7": rig.entry()})
    known = rig.known()
    assert (known["failure"], known["refused_fields"], known["switched_off_by_run"]) == (None, [], None)


# -- what was tried, and what comes next -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "end"), [(None, "the result updated."), ("no answer", "the result updated: no answer.")]
)
def test_the_newest_change_is_said_and_all_are_listed(rig: ExplainRig, reason: str | None, end: str) -> None:
    for number in (1, 2):
        run_id = rig.keep_run(number)
        rig.keep_plan(run_id, [change("7")])
        rig.keep_outcomes(run_id, 1, outcome("7", at=nth_time(number), reason=reason))
    told = rig.told()
    assert told["summary"][2] == f"Run {nth_run(2)} wanted to update it, with {end}"
    assert [found["run_id"] for found in told["history"]["changes"]] == [nth_run(2), nth_run(1)]
    assert told["history"]["runs_searched"] == 2


def test_a_run_that_cannot_be_read_is_noted_and_hides_nothing(rig: ExplainRig) -> None:
    rig.sources.employee_rows = [employee(7, phone="12")]
    for number in (1, 2):
        run_id = rig.keep_run(number)
        rig.keep_plan(run_id, [change("7")])
    rig.damage(paths.plan(nth_run(2), "employees"))
    told = rig.told()
    assert [found["run_id"] for found in told["history"]["changes"]] == [nth_run(1)]
    warning, damage = told["notes"]
    assert "phones dropped" in warning
    assert paths.plan(nth_run(2), "employees") in damage


def test_what_comes_next_is_said_with_its_time(rig: ExplainRig) -> None:
    rig.keep_state({"7": rig.entry(street="2 Oak")})
    told = rig.told()
    assert told["at"] == "2026-01-05T12:00:00+00:00"
    assert told["next"]["at"] == "2026-01-05T13:00:00+00:00"
    assert told["summary"][3] == "Next: the next run will update it (2026-01-05T13:00:00+00:00)."
