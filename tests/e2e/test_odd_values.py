"""Real data through the whole app: keys in other forms, values that are none, and what no one foresaw."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from local.company.model import Company, vista_date
from local.simulators.adapter import SimulatorAdapter
from local.simulators.exchange import SimResponse
from shared.queries.explain import explain
from shared.queries.search import search
from shared.storage.documents import read_json, to_json
from shared.sync import paths
from shared.sync.entities.titles import TitlesMapping
from tests.e2e.rig import START, Rig
from tests.e2e.small_company import DEPARTMENTS, TITLES, VEHICLES, small_company

YESTERDAY = vista_date(START.date() - timedelta(days=1))

NewRig = Callable[..., Rig]


@pytest.fixture
def new_rig(tmp_path: Path) -> Iterator[NewRig]:
    """Makes the rig of a company; the guard lets everything through."""
    rigs: list[Rig] = []

    def new(company: Company | None = None, assign: str = "false") -> Rig:
        rigs.append(Rig(tmp_path, company, GUARD_MAX_PERCENT="100", VEHICLE_ASSIGN_DRIVER=assign))
        return rigs[-1]

    yield new
    for rig in rigs:
        rig.close()


@pytest.fixture
def loaded(new_rig: NewRig) -> Rig:
    """After a first load."""
    rig = new_rig()
    rig.run()
    return rig


def write(rig: Rig, statement: str, *values: Any) -> None:
    """Change the Vista file itself."""
    with closing(sqlite3.connect(rig.database)) as connection, connection:
        connection.execute(statement, values)


def rows(rig: Rig, resource: str) -> list[dict[str, Any]]:
    """All records of a resource."""
    return rig.safetyamp.snapshot()[resource]


def add_title(rig: Rig, name: str) -> int:
    """A title that somebody made in SafetyAmp by hand."""
    dumped = rig.safetyamp.dump()
    first = dumped["rows"]["user_titles"][0]
    number = int(dumped["next"]["user_titles"])
    dumped["rows"]["user_titles"].append({**first, "id": number, "name": name})
    dumped["next"]["user_titles"] += 1
    rig.safetyamp.load(dumped)
    return number


# -- employee numbers ----------------------------------------------------------------------------------


def with_user(emp_id: str) -> Company:
    """Employee 1001 is in SafetyAmp already, with another address and the number written like this."""
    company = small_company(START.date(), 3)
    user = {"first_name": "Pat", "last_name": "Worker1001", "email": "pat@home.example", "emp_id": emp_id}
    company.seed = replace(company.seed, users=({**user, "role": "Field", "region": "Coast"},))
    return company


@pytest.mark.parametrize("emp_id", ["001001", " 1001 ", "1001.0", "1001\u200b"])
def test_a_number_in_another_form_in_safetyamp_is_that_employee(new_rig: NewRig, emp_id: str) -> None:
    rig = new_rig(with_user(emp_id))
    rig.run()
    (user,) = (user for user in rows(rig, "users") if user["last_name"] == "Worker1001")
    assert user["email"] == "person1001@tworivers.example"
    assert rig.run(refresh=True).writes == []
    rig.person(1001)["TermDate"] = YESTERDAY
    rig.publish()
    rig.run()
    assert [user["system_access"] for user in rows(rig, "users") if user["last_name"] == "Worker1001"] == [0]


def test_a_number_with_letters_in_safetyamp_is_nobodys(new_rig: NewRig) -> None:
    rig = new_rig(with_user("A1001"))
    rig.run()
    assert sorted(user["emp_id"] for user in rows(rig, "users")) == ["1001", "1002", "1003", "A1001"]


def test_two_users_of_one_number_in_two_forms_are_reported_and_neither_is_touched(new_rig: NewRig) -> None:
    company = with_user("001001")
    (user,) = company.seed.users
    company.seed = replace(company.seed, users=(user, {**user, "emp_id": "1001", "email": "p@home.example"}))
    rig = new_rig(company)
    ran = rig.run()
    assert "several SafetyAmp records claim this key" in ran.problem("employees", "1001")["reason"]
    assert len(rows(rig, "users")) == 4


@pytest.mark.parametrize(
    "column",
    ["CAST(Employee AS REAL)", "CAST(Employee AS TEXT)", "'00' || Employee", "' ' || Employee || '.0 '"],
)
def test_a_column_of_another_type_changes_nobody(loaded: Rig, column: str) -> None:
    with closing(sqlite3.connect(loaded.database)) as connection, connection:
        for table in ("bPREH", "bPRJC"):
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            names[names.index("Employee")] = f"{column} AS Employee"
            connection.execute(f"ALTER TABLE {table} RENAME TO whole_{table}")
            connection.execute(f"CREATE TABLE {table} AS SELECT {', '.join(names)} FROM whole_{table}")
    ran = loaded.run()
    assert ran.calls == []
    assert ran.entity("employees")["unchanged"] == 10


@pytest.mark.parametrize("number", ["1001.5", "A12", "-7", b"1002"])
def test_what_is_no_number_is_reported_and_creates_nobody(new_rig: NewRig, number: Any) -> None:
    rig = new_rig()
    with closing(sqlite3.connect(rig.database)) as connection, connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(bPREH)")]
        connection.execute("ALTER TABLE bPREH RENAME TO whole")
        connection.execute(f"CREATE TABLE bPREH AS SELECT {', '.join(names)} FROM whole")
        connection.execute("UPDATE bPREH SET Employee = ? WHERE Employee = 1001", (number,))
    problems = rig.run().entity("employees")["problems"]
    assert [problem["kind"] for problem in problems if "no employee number" in problem["reason"]] == [
        "invalid"
    ]
    assert len(rows(rig, "users")) == 9


@pytest.mark.parametrize("key", ["1001", "001001", " 1001", "1001.0"])
def test_a_record_is_asked_for_in_any_form_of_its_key(loaded: Rig, key: str) -> None:
    loaded.person(1001)["City"] = "Thibodaux"
    loaded.publish()
    explained = explain(loaded.stack.runtime, "employees", key)
    assert explained is not None
    assert explained["key"] == "1001"
    assert [record["key"] for record in search(loaded.stack.runtime, "employees", key)["found"]] == ["1001"]
    ran = loaded.run(entities=("employees",), keys=(key,))
    assert ran.entity("employees")["updated"] == 1


def test_a_state_of_release_0_1_0_is_read_with_all_that_it_knows(new_rig: NewRig) -> None:
    rig = new_rig()
    rig.run()
    for entity, written in (
        ("employees", {"1001": "001001"}),
        ("titles", {name.lower(): name for name in TITLES}),
    ):
        state = read_json(rig.documents, paths.state(entity))
        state["records"] = {written.get(key, key): record for key, record in state["records"].items()}
        rig.documents.write(paths.state(entity), to_json({**state, "version": 1}))
    ran = rig.run()
    assert ran.calls == []
    assert {name: ran.entity(name)["unchanged"] for name in ("employees", "titles")} == {
        "employees": 10,
        "titles": 3,
    }


# -- titles --------------------------------------------------------------------------------------------


def test_a_title_in_other_letters_is_the_one_that_is_there_and_is_not_renamed(new_rig: NewRig) -> None:
    rig = new_rig()
    rig.run()
    before = sorted(title["name"] for title in rows(rig, "user_titles"))
    rig.person(1001)["udEmpTitle"] = " FOREMAN"
    rig.person(1002)["udEmpTitle"] = "wel\u00adder  "
    rig.publish()
    rig.run()
    rig.run(refresh=True)
    assert sorted(title["name"] for title in rows(rig, "user_titles")) == before == sorted(TITLES)
    ids = {title["name"]: title["id"] for title in rows(rig, "user_titles")}
    assert rig.user(1001)["current_title_id"] == ids["Foreman"]
    assert rig.user(1002)["current_title_id"] == ids["Welder"]


def test_where_safetyamp_has_two_spellings_each_person_keeps_the_very_one(new_rig: NewRig) -> None:
    rig = new_rig()
    rig.run()
    shouted = add_title(rig, "FOREMAN")
    person = next(row for row in rig.company.tables["bPREH"] if row["udEmpTitle"] == "Foreman")
    person["udEmpTitle"] = "FOREMAN"
    rig.publish()
    ran = rig.run(refresh=True)
    assert "keep one" in ran.problem("titles", "foreman")["reason"]
    assert rig.user(person["Employee"])["current_title_id"] == shouted
    assert rig.run(refresh=True).writes == []


# -- regions -------------------------------------------------------------------------------------------


def clusters(rig: Rig) -> list[tuple[str, str]]:
    """Names of all clusters with their parents', sorted."""
    names = {row["id"]: row["name"] for row in rows(rig, "site_clusters")}
    return sorted(
        (row["name"], names.get(row["parent_cluster_id"], "")) for row in rows(rig, "site_clusters")
    )


def respell(rig: Rig, *departments: str) -> None:
    """Write the region of these departments in capitals."""
    for row in rig.company.tables["bPRDP"]:
        if row["PRDept"] in departments:
            row["udRegion"] = f"{row['udRegion'].upper()} "
    rig.publish()


@pytest.mark.parametrize("departments", [list(DEPARTMENTS)[:1], list(DEPARTMENTS)], ids=["one", "all"])
def test_a_region_in_other_letters_is_the_one_that_is_there(loaded: Rig, departments: list[str]) -> None:
    before, people = clusters(loaded), rows(loaded, "users")
    respell(loaded, *departments)
    assert loaded.run().writes == []
    assert loaded.run(refresh=True).writes == []
    assert (clusters(loaded), rows(loaded, "users")) == (before, people)
    assert loaded.run().calls == []


def test_a_region_that_safetyamp_has_in_other_letters_is_adopted(new_rig: NewRig) -> None:
    rig = new_rig()
    before = clusters(rig)
    respell(rig, *DEPARTMENTS)
    rig.run()
    assert [(name, parent) for name, parent in clusters(rig) if " - " not in name] == before


# -- values that are none ------------------------------------------------------------------------------


def test_one_odd_value_of_safetyamp_costs_that_value(loaded: Rig) -> None:
    loaded.safetyamp.edit("users", loaded.user(1002)["id"], state="L\ud83d", city="Hou\ud83dma")
    ran = loaded.run(refresh=True)
    assert ran.entity("employees")["phase"] == "done"
    assert loaded.user(1002)["state"] == "LA"


def test_a_binary_value_is_reported_and_never_sent_as_its_python_text(new_rig: NewRig) -> None:
    rig = new_rig(small_company(START.date(), 3))
    write(rig, "UPDATE bPREH SET udEmpTitle = X'466F', FirstName = X'506174' WHERE Employee = 1002")
    write(rig, "UPDATE bPREH SET udEmpTitle = X'466F', City = X'506174' WHERE Employee = 1003")
    ran = rig.run()
    assert "FirstName is no text" in ran.problem("employees", "1002")["reason"]
    reasons = [row["reason"] for row in ran.entity("employees")["problems"] if row["key"] == "1003"]
    assert {"city dropped: no text", "current_title_id dropped: udEmpTitle is no text"} <= {*reasons}
    assert "b'" not in repr(rows(rig, "users")) + repr(rows(rig, "user_titles"))


@pytest.mark.parametrize("data", [b"Jos\xe9", b"L\xed\xa0\xbd"])
def test_one_text_of_vista_that_cannot_be_decoded_costs_nobody_else(new_rig: NewRig, data: bytes) -> None:
    rig = new_rig()
    write(
        rig,
        "UPDATE bPREH SET City = CAST(? AS TEXT), udEmpTitle = CAST(? AS TEXT) WHERE Employee = 1002",
        data,
        data,
    )
    assert {rig.run().entity(name)["phase"] for name in ("titles", "employees")} == {"done"}
    assert len(rows(rig, "users")) == 10


def test_the_texts_of_a_refusal_are_kept_whatever_is_in_them(
    new_rig: NewRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = SimulatorAdapter.send

    def garbled(
        adapter: SimulatorAdapter, request: requests.PreparedRequest, *how: Any, **named: Any
    ) -> requests.Response:
        if request.method == "POST" and "Worker1002" in str(request.body):
            body = b'{"errors": {"first_name": ["no \\ud83d please"]}}'
            return adapter.response_of(request, SimResponse(422, {}, body))
        return send(adapter, request, *how, **named)

    monkeypatch.setattr(SimulatorAdapter, "send", garbled)
    rig = new_rig()
    ran = rig.run()
    assert ran.entity("employees")["phase"] == "done"
    assert ran.problem("employees", "1002")["kind"] == "refused"
    explained = explain(rig.stack.runtime, "employees", "1002")
    assert explained is not None
    assert explained["safetyamp"]["failure"]
    assert explained["safetyamp"]["failure"]["errors"] == {"first_name": ["no \ufffd please"]}
    json.dumps(explained, ensure_ascii=False).encode()
    assert len(rows(rig, "users")) == 9


ODD_VEHICLES: list[Any] = [
    "a vehicle",
    {"name": "no id"},
    {"id": "1", "name": ["x"], "serial": {"a": 1}, "gateway": ["g"], "staticAssignedDriver": "Pat"},
    {"id": "2", "name": "Unit 2", "serial": 12345, "model": b"".hex() or 5},
]


def test_odd_vehicles_cost_no_other_vehicle(new_rig: NewRig) -> None:
    company = small_company(START.date(), 3)
    company.vehicles = [*ODD_VEHICLES, *company.vehicles]
    rig = new_rig(company, assign="true")
    vehicles = rig.run().entity("vehicles")
    assert vehicles["phase"] == "done"
    places = {problem["key"] for problem in vehicles["problems"] if problem["kind"] == "invalid"}
    assert {"? (row 1)", "? (row 2)"} <= places
    assert len(rows(rig, "assets")) == VEHICLES + 1, "the one with a number as serial is a vehicle"


def test_odd_microsoft_accounts_cost_no_other_account(new_rig: NewRig) -> None:
    company = small_company(START.date(), 3)
    odd: list[Any] = ["x", {"mail": "x@y.example"}, {"id": "z", "employeeId": ["1001"], "mail": {}}]
    company.graph_users = [*odd, *company.graph_users]
    rig = new_rig(company)
    assert rig.run().entity("employees")["created"] == 3


def test_a_row_of_safetyamp_that_cannot_be_mapped_is_not_created_again(
    loaded: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = TitlesMapping.target

    def failing(mapping: TitlesMapping, row: dict[str, Any]) -> Any:
        if row["name"] == "Foreman":
            raise RuntimeError("odd")
        return target(mapping, row)

    monkeypatch.setattr(TitlesMapping, "target", failing)
    ran = loaded.run(refresh=True)
    assert ran.entity("titles")["phase"] == "done"
    assert ran.writes == []


def test_a_record_whose_mapping_fails_costs_itself_only(
    new_rig: NewRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    desired = TitlesMapping.desired

    def failing(mapping: TitlesMapping, record: Any) -> Any:
        if record.key == "foreman":
            raise RuntimeError("odd")
        return desired(mapping, record)

    monkeypatch.setattr(TitlesMapping, "desired", failing)
    rig = new_rig()
    ran = rig.run()
    assert ran.entity("titles")["created"] == 2
    assert "unexpected" in ran.problem("titles", "foreman")["reason"]
    explained = explain(rig.stack.runtime, "titles", "Foreman")
    assert explained is not None
    assert explained["rejected"]
    assert "unexpected" in explained["rejected"]["reason"]


# -- places and names ----------------------------------------------------------------------------------


def test_a_job_without_address_is_a_site_without_state_and_zip_code(new_rig: NewRig) -> None:
    company = small_company(START.date(), 3)
    company.tables["bJCJM"][0] |= dict.fromkeys(("ShipAddress", "ShipCity", "ShipState", "ShipZip"))
    rig = new_rig(company)
    rig.run()
    site = next(site for site in rows(rig, "sites") if site["ext_id"] == "100.")
    assert (site["state"], site["zip_code"], site["city"]) == (None, None, "Unknown")


@pytest.mark.parametrize("text", ["José", "Jose\u0301", "jose", "JOSE\u0301", "Jose worker1001", "\uff2aose"])
def test_a_name_is_found_whatever_its_normal_form_accents_and_case(new_rig: NewRig, text: str) -> None:
    rig = new_rig()
    rig.person(1001)["FirstName"] = "José"
    rig.publish()
    assert [record["key"] for record in search(rig.stack.runtime, "employees", text)["found"]] == ["1001"]


def test_a_title_is_found_and_explained_in_any_spelling(loaded: Rig) -> None:
    for text in ("Foreman", "FOREMAN", "foreman"):
        found = search(loaded.stack.runtime, "titles", text)["found"]
        assert [(record["key"], record["name"]) for record in found] == [("foreman", "Foreman")]
        assert explain(loaded.stack.runtime, "titles", text) is not None
