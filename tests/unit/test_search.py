"""Finding a record's key by what people call it, in the source and in SafetyAmp, and what is shown of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.clients.vista.rows import DepartmentRow
from shared.errors import DatabaseError
from shared.queries.search import MOST_FOUND, search
from shared.sync import paths
from shared.sync.documents.state import FAILURE, Entry
from shared.sync.model import EntityName
from tests.unit.operations_rig import OperationsRig, Untouched, answers, employee, nth_run


def person(first: str, last: str, **fields: Any) -> Entry:
    return Entry("u1", "d", {"first_name": first, "last_name": last, **fields}, {})


class SearchRig(OperationsRig):
    """Three people of the source, one of whom has left."""

    def __init__(self, **settings: str) -> None:
        super().__init__(Untouched(), **settings)
        self.sources.employee_rows = [
            employee(7, first_name="José ", middle_name="Luis", last_name="Núñez"),
            employee(17, last_name="Weiß", street="9 Ash"),
            employee(8, first_name="Bob", last_name="Gone", term_date="2025-01-01"),
        ]
        self.sources.titles_rows = ["Foreman ", "A/B operator"]

    def ask(self, text: str, entity: EntityName = "employees") -> dict[str, Any]:
        before = self.everything()
        found: dict[str, Any] = answers("search_records", search(self.services, entity, text))
        assert self.everything() == before
        return found

    def found(self, text: str, entity: EntityName = "employees") -> list[str]:
        return [record["key"] for record in self.ask(text, entity)["found"]]

    def one(self, text: str, entity: EntityName = "employees") -> dict[str, Any]:
        (record,) = self.ask(text, entity)["found"]
        return dict(record)


@pytest.fixture
def rig() -> SearchRig:
    return SearchRig()


@pytest.mark.parametrize(
    "text",
    ["José", "jose", "JOSE", "jos", "nunez", "núñez", "nunez jose", " luis  NUNEZ ", "p7@two", "7 nunez"],
)
def test_all_words_must_be_in_key_name_or_email_whatever_their_case_and_accents(
    rig: SearchRig, text: str
) -> None:
    assert rig.one(text) == {"key": "7", "name": "José Luis Núñez", "in_source": True, "in_safetyamp": False}


def test_two_letters_that_are_one_in_another_spelling_are_found(rig: SearchRig) -> None:
    assert rig.found("weiss") == rig.found("WEISS") == rig.found("weiß") == ["17"]


@pytest.mark.parametrize("text", ["jose weiss", "nobody", "Main St", "70360", "1980"])
def test_what_is_no_name_is_not_looked_through(rig: SearchRig, text: str) -> None:
    assert rig.ask(text) == {"found": [], "more": False, "nearly": False, "problem": None}


def test_an_email_finds_and_is_not_shown(rig: SearchRig) -> None:
    rig.keep_state({"7": person("Jo", "N", email="private@home.example", street="9 Ash")})
    for text in ("p7@tworivers", "private@home"):
        shown = json.dumps(rig.one(text))
        assert not [value for value in ("@", "Ash", "Main St") if value in shown]


def test_a_key_is_found_in_each_of_its_spellings_and_comes_first(rig: SearchRig) -> None:
    assert rig.found("0007") == ["7"]
    assert rig.found("7") == ["7", "17"], "and not by its name"
    assert rig.found("17") == ["17"]
    assert rig.found("FOREMAN", "titles") == ["foreman"]
    assert rig.found("a/b", "titles") == ["a/b operator"]


def test_others_are_in_the_order_of_their_names_then_keys(rig: SearchRig) -> None:
    rig.sources.employee_rows = [
        employee(3, first_name="Cy", last_name="Lee"),
        employee(2, first_name="Al", last_name="Lee"),
        employee(1, first_name="Cy", last_name="Lee"),
    ]
    assert rig.found("lee") == ["2", "1", "3"]
    rig.keep_state({key: person("Old", "Timer") for key in ("99", "97", "98")})
    assert rig.found("timer") == ["97", "98", "99"]


@pytest.mark.parametrize(("count", "more"), [(MOST_FOUND, False), (MOST_FOUND + 1, True)])
def test_only_so_many_are_shown_and_that_there_are_more_is_said(
    rig: SearchRig, count: int, more: bool
) -> None:
    rig.sources.employee_rows = [employee(number) for number in range(1, count + 1)]
    answer = rig.ask("lee")
    assert (len(answer["found"]), answer["more"]) == (MOST_FOUND, more)


@pytest.mark.parametrize("text", ["Núñez, José", "nunez,jose", ",nunez"])
def test_the_last_name_may_come_first_with_a_comma(rig: SearchRig, text: str) -> None:
    assert rig.found(text) == ["7"]


@pytest.mark.parametrize(
    "text", ["(225) 555-0142", "+1 225 555 0142", "225.555.0142", "5550142", "2255550142"]
)
def test_a_telephone_finds_whose_it_is_however_it_is_written(rig: SearchRig, text: str) -> None:
    rig.sources.employee_rows[1] = employee(17, last_name="Weiß", phone="225 555-0142 x7")
    rig.keep_state({"9": person("Al", "Roe", mobile_phone="+12255550142")})
    assert rig.found(text) == ["9", "17"]
    assert "0142" not in json.dumps(rig.ask(text)["found"])


@pytest.mark.parametrize("text", ["550142", "0142", "225 555 0143", "2026-01-04"])
def test_a_part_of_a_telephone_finds_nobody(rig: SearchRig, text: str) -> None:
    rig.keep_state({"9": person("Al", "Roe", mobile_phone="+12255550142")})
    assert rig.found(text) == []


@pytest.mark.parametrize("text", ["nunes", "josee nunez", "Nunnez", "Jsoe Nunez"])
def test_a_slip_finds_who_is_called_nearly_so_and_says_it(rig: SearchRig, text: str) -> None:
    answer = rig.ask(text)
    assert ([record["key"] for record in answer["found"]], answer["nearly"]) == (["7"], True)


def test_what_fits_exactly_hides_what_is_only_like_it(rig: SearchRig) -> None:
    rig.keep_state({"9": person("Al", "Nunes")})
    answer = rig.ask("nunez")
    assert ([record["key"] for record in answer["found"]], answer["nearly"]) == (["7"], False)


@pytest.mark.parametrize("text", ["1080", "jos lee", "nunez 1234"])
def test_no_number_and_no_short_word_is_taken_for_another(rig: SearchRig, text: str) -> None:
    rig.keep_state({"1088": person("Jon", "Lea")})
    assert rig.found(text) == []


# -- where it is -----------------------------------------------------------------------------------------


def test_what_is_in_both_is_one_record_by_the_name_of_the_source(rig: SearchRig) -> None:
    rig.keep_state({"7": person("Pepe", "Nunez")})
    assert rig.one("nunez") == {
        "key": "7",
        "name": "José Luis Núñez",
        "in_source": True,
        "in_safetyamp": True,
    }


def test_what_is_found_in_one_of_them_alone_is_in_the_other_nevertheless(rig: SearchRig) -> None:
    rig.keep_state({"7": person("Pepe", "Sanchez")})
    record = rig.one("sanchez")
    assert (record["in_source"], record["in_safetyamp"]) == (True, True)


def test_what_only_safetyamp_has_is_found(rig: SearchRig) -> None:
    rig.keep_state({"99": person("Old", "Timer")})
    assert rig.one("timer") == {"key": "99", "name": "Old Timer", "in_source": False, "in_safetyamp": True}


def test_what_safetyamp_does_not_have_is_not_in_it_although_the_state_knows_the_key(rig: SearchRig) -> None:
    rig.keep_state({"7": Entry(None, None, {}, {FAILURE: {"digest": "d", "errors": {}, "at": None}})})
    assert rig.one("nunez")["in_safetyamp"] is False


def test_of_somebody_who_has_left_the_source_tells_no_name(rig: SearchRig) -> None:
    assert rig.found("gone") == []
    assert rig.one("8") == {"key": "8", "name": "", "in_source": True, "in_safetyamp": False}
    rig.keep_state({"8": person("Bob", "Gone")})
    for text in ("gone", "0008"):
        assert rig.one(text) == {"key": "8", "name": "Bob Gone", "in_source": True, "in_safetyamp": True}


def test_a_record_whose_row_occurs_twice_is_found_by_its_key(rig: SearchRig) -> None:
    rig.sources.employee_rows += [employee(7, first_name="Other")]
    assert rig.found("nunez") == []
    assert rig.one("0007") == {"key": "7", "name": "", "in_source": True, "in_safetyamp": False}


def test_what_the_last_listing_lacked_is_noted(rig: SearchRig) -> None:
    rig.keep_state({"7": person("Jo", "Nunez")}, missing={"u1": nth_run(4)})
    assert rig.one("nunez")["note"].startswith("not in SafetyAmp's last listing, known as id u1")
    assert "note" not in rig.one("weiss")


# -- what cannot be read ---------------------------------------------------------------------------------


def test_while_the_source_cannot_be_read_safetyamp_is_looked_through_and_that_is_said(rig: SearchRig) -> None:
    rig.keep_state({"7": person("Jo", "Nunez")})
    rig.sources.away = DatabaseError("Vista is away")
    answer = rig.ask("nunez")
    assert answer["problem"] == "Vista is away"
    assert [(found["key"], found["in_safetyamp"]) for found in answer["found"]] == [("7", True)]


def test_a_damaged_record_of_the_state_hides_no_other(rig: SearchRig) -> None:
    rig.keep_state({"7": person("Jo", "N"), "18": person("Ann", "Weisser")})
    rig.damage_record("7")
    assert sorted(rig.found("weiss")) == ["17", "18"]
    assert rig.found("nunez") == ["7"], "the source has it"


def test_a_state_that_cannot_be_read_hides_nothing_of_the_source(rig: SearchRig) -> None:
    rig.keep_state({"7": person("Jo", "Nunez")})
    rig.damage(paths.state("employees"))
    assert rig.one("nunez")["in_safetyamp"] is False


# -- other entities --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entity", "text", "key", "name"),
    [
        ("departments", "pipe", "07", "Pipe Gulf"),
        ("departments", "gulf", "region:Gulf", "Gulf"),
        ("jobs", "bridge", "100.", "Bridge"),
        ("titles", "foreman", "foreman", "Foreman"),
        ("vehicles", "truck abc", "281", "Truck 1 ABC-1"),
    ],
)
def test_each_entity_is_found_by_what_it_is_called(
    entity: EntityName, text: str, key: str, name: str
) -> None:
    rig = SearchRig(SAFETYAMP_VEHICLE_SITE_ID="1", SAFETYAMP_VEHICLE_ASSET_TYPE_ID="2", SAMSARA_API_KEY="k")
    rig.sources.vehicle_rows = [{"id": "281", "name": "Truck 1", "licensePlate": "ABC-1"}]
    found = {record["key"]: record["name"] for record in rig.ask(text, entity)["found"]}
    assert found[key] == name


def test_a_region_is_found_under_the_name_that_safetyamp_has_for_it(rig: SearchRig) -> None:
    rig.sources.department_rows = [DepartmentRow("07", "Pipe", "GULF")]
    assert rig.found("gulf", "departments") == ["region:GULF", "07"]
    rig.keep_state({"region:Gulf": Entry(3, "d", {"name": "Gulf"}, {})}, "departments")
    assert rig.found("gulf", "departments") == ["region:Gulf", "07"]
