"""Drafting of people: who is meant where SafetyAmp has several or another one, and what a new one lacks."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import pytest

from shared.clients.vista.rows import EmployeeRow
from shared.storage.documents import to_json
from shared.sync import paths
from shared.sync.documents.change import Change
from shared.sync.documents.runs import EntityStatus, Run, RunRequest
from shared.sync.documents.state import (
    FAILURE,
    REJECTED,
    TAKEN,
    EntityState,
    Entry,
    Flags,
    Place,
    Refusal,
    TakenValue,
)
from shared.sync.entities import mappings
from shared.sync.entities.persons import is_same_person
from shared.sync.model import FieldValues
from shared.sync.planning import drafting
from shared.sync.planning.compare import value_digest
from shared.sync.planning.drafting import Draft, draft_changes
from shared.sync.planning.guard import ANOTHER_PERSON, LEAVER_IS_ANOTHER_PERSON
from shared.sync.planning.reader import SourceReader, mapping_options
from shared.sync.planning.resolver import Resolver
from tests.unit.planning_rig import PlanningRig, a_leaver, a_person, a_user

ANOTHER: dict[str, Any] = {"first_name": "Mary", "last_name": "Other", "date_of_birth": "1999-09-09"}
ANN: dict[str, Any] = {"first_name": "Ann", "last_name": "Newby", "date_of_birth": None}
ON: dict[str, Any] = {"system_access": 1}
OFF: dict[str, Any] = {"system_access": 0}
UNKNOWN: dict[str, Any] = {"system_access": None}


class People:
    """Drafts of one state of employees, from these rows of Vista."""

    def __init__(self, *rows: EmployeeRow, rules: str | None = None, **settings: str) -> None:
        self.rig = PlanningRig("employees", **settings)
        self.rig.hire(*rows)
        self.options = mapping_options(self.rig.settings, rules and f"version = 1\n{rules}")
        self.mapping = mappings(self.options)["employees"]
        self.state = EntityState("employees")

    def know(self, number: int, flags: Flags | None = None, digest: str | None = None, **fields: Any) -> None:
        """The user of this number is known as Vista has the person, apart from these fields."""
        entry = Entry(f"u{number}", digest, self.fields(number, **fields), flags or {})
        self.state.put(str(number), entry)

    def fields(self, number: int, **fields: Any) -> dict[str, Any]:
        target = self.mapping.target(a_user(number))
        assert target is not None
        return {**target.fields, **fields}

    def several(self, number: int, **users: dict[str, Any]) -> None:
        """These users, by their id, all claim the number."""
        self.state.ambiguous[str(number)] = list(users)
        for target_id, fields in users.items():
            self.state.note_stray(target_id, str(number), self.fields(number, **fields))

    def switched_off_by_sync(self, *target_ids: str) -> None:
        users = {target_id: {"run": "r", "at": "now", "key": "1"} for target_id in target_ids}
        self.rig.documents.write(paths.SWITCHED_OFF, to_json({"version": 1, "users": users}))

    def draft(
        self, *, keys: tuple[str, ...] = (), retry_failed: bool = False, trust: bool = True, **how: Any
    ) -> Draft:
        request = RunRequest(entities=("employees",), keys=keys, retry_failed=retry_failed)
        run = Run("r", request, "now", {"employees": EntityStatus()})
        resolver = Resolver(self.rig.services, "r", "employees")
        resolver.provide(self.state)
        source = (
            SourceReader(self.rig.services, resolver, self.options, refresh=True).read("employees", {}).source
        )
        return draft_changes(
            self.rig.services, self.mapping, self.state, resolver, run, source, trust_digests=trust, **how
        )


def actions(draft: Draft) -> list[tuple[str, str]]:
    return [(change.action, change.key) for change in draft.changes]


def reasons(draft: Draft) -> list[tuple[str, str, str]]:
    return [(one["key"], one["kind"], one["reason"]) for one in draft.problems]


def test_somebody_as_vista_says_needs_nothing() -> None:
    people = People(a_person(1))
    people.know(1)
    draft = people.draft()
    assert (draft.changes, draft.problems, draft.counts) == ([], [], {"source": 1, "unchanged": 1})


def test_who_returns_is_switched_on_when_only_the_list_of_those_switched_off_knows_of_it() -> None:
    people = People(a_person(1), a_person(2))
    people.know(1, system_access=0)
    people.know(2, system_access=0)
    people.switched_off_by_sync("u1")
    draft = people.draft()
    assert actions(draft) == [("reactivate", "1")]
    assert [key for key, _, _ in reasons(draft)] == ["2"]


class TestSeveralUsersOfOneNumber:
    """Which of them is meant nobody can tell, but who has left loses access in all of them."""

    def test_of_a_leaver_all_lose_access_in_one_change(self) -> None:
        people = People(a_leaver(1))
        people.several(1, u7=ON, u8=ON, u9=UNKNOWN)
        draft = people.draft()
        [change] = draft.changes
        core = {"first_name": "First1", "last_name": "Last1", "email": "p1@home.example"}
        assert (change.action, change.target_id, change.fields) == ("deactivate", "u7", {"system_access": 0})
        assert (change.before, change.core, change.fresh) == ({"system_access": 1}, core, list(core))
        assert [(one["key"], one["target_id"], one["fields"]) for one in change.beside] == [
            (None, "u8", {"system_access": 0}),
            (None, "u9", {"system_access": 0}),
        ]
        assert all((one["core"], one["fresh"]) == (core, list(core)) for one in change.beside)
        assert draft.counts == {"source": 1, "deactivate": 1}
        assert reasons(draft) == [
            ("1", "reported", "several SafetyAmp records claim this key (ids u7, u8, u9): keep one")
        ]

    def test_those_that_are_off_already_are_left_alone(self) -> None:
        people = People(a_leaver(1))
        people.several(1, u7=OFF, u8=ON)
        [change] = people.draft().changes
        assert (change.target_id, change.beside) == ("u8", [])

    @pytest.mark.parametrize("row", [a_leaver(1), a_person(1)], ids=["left", "current"])
    def test_nothing_is_sent_when_all_have_the_access_that_they_should(self, row: EmployeeRow) -> None:
        people = People(row)
        access = OFF if row.term_date else ON
        people.several(1, u7=access, u8=access)
        draft = people.draft()
        assert (draft.changes, draft.counts) == ([], {"source": 1, "invalid": 1})
        assert reasons(draft)[0][1] == "invalid"

    @pytest.mark.parametrize("access", [OFF, UNKNOWN], ids=["off", "sent without an answer"])
    def test_of_somebody_who_returns_those_are_switched_on_that_the_sync_switched_off(
        self, access: dict[str, Any]
    ) -> None:
        people = People(a_person(1))
        people.several(1, u7=access, u8=access)
        people.switched_off_by_sync("u8")
        [change] = people.draft().changes
        assert (change.action, change.target_id, change.beside) == ("reactivate", "u8", [])
        assert change.fields == {"system_access": 1}

    def test_what_the_sync_took_is_given_back_whatever_that_user_is_called_by_now(self) -> None:
        people = People(a_person(1))
        people.several(1, u7={**OFF, **ANOTHER}, u8=ON)
        people.switched_off_by_sync("u7")
        assert [change.target_id for change in people.draft().changes] == ["u7"]

    def test_those_that_hands_switched_off_stay_off_without_the_setting(self) -> None:
        people = People(a_person(1))
        people.several(1, u7=OFF, u8=ON)
        assert people.draft().changes == []
        people = People(a_person(1), REENABLE_DISABLED="true")
        people.several(1, u7=OFF, u8=ON)
        assert actions(people.draft()) == [("reactivate", "1")]

    def test_one_whose_access_is_not_known_is_not_switched_on_by_the_setting(self) -> None:
        people = People(a_person(1), REENABLE_DISABLED="true")
        people.several(1, u7=UNKNOWN, u8=ON)
        assert people.draft().changes == []

    def test_of_whom_nothing_but_the_id_is_known_all_lose_access(self) -> None:
        people = People(a_leaver(1))
        people.state.ambiguous["1"] = ["u7", "u8"]
        [change] = people.draft().changes
        assert (change.target_id, [one["target_id"] for one in change.beside]) == ("u7", ["u8"])

    def test_one_that_is_plainly_another_person_keeps_access_and_is_told(self) -> None:
        people = People(a_leaver(1))
        people.several(1, u7={**ON, **ANOTHER}, u8=ON)
        draft = people.draft()
        [change] = draft.changes
        assert (change.target_id, change.beside) == ("u8", [])
        [problem] = reasons(draft)
        assert "access of user u7 stays as it is: it is another person" in problem[2]

    def test_all_that_are_other_persons_are_left_alone(self) -> None:
        people = People(a_leaver(1))
        people.several(1, u7={**ON, **ANOTHER}, u8={**ON, **ANOTHER})
        draft = people.draft()
        assert (draft.changes, draft.counts["invalid"]) == ([], 1)
        assert draft.problems[0]["reason"].count("stays as it is") == 2

    def test_one_that_is_known_as_somebody_else_s_is_left_out(self) -> None:
        people = People(a_leaver(1), a_person(2))
        people.several(1, u2={**ON, "first_name": "First2"}, u8=ON)
        people.state.moved["2"] = Place("u2", "1")
        draft = people.draft()
        [change] = draft.changes
        assert (change.action, change.target_id, change.beside) == ("deactivate", "u8", [])
        told = {key: reason for key, _, reason in reasons(draft)}
        assert "access of user u2 stays as it is: it was known as employee 2" in told["1"]
        assert "nothing is created in its place" in told["2"]

    def test_of_a_number_that_cannot_be_used_nothing_is_sent(self) -> None:
        people = People(a_person(1, last_name=None))
        people.several(1, u7=OFF, u8=OFF)
        people.switched_off_by_sync("u7", "u8")
        draft = people.draft()
        assert draft.changes == []
        assert "several SafetyAmp records" in draft.problems[0]["reason"]


class TestAnotherPerson:
    """The number went to somebody else: another name and another birth date."""

    def test_with_the_number_gets_nothing(self) -> None:
        people = People(a_person(1, street="9 New St"))
        people.know(1, **ANOTHER)
        draft = people.draft()
        assert (draft.changes, reasons(draft)) == ([], [("1", "invalid", ANOTHER_PERSON)])

    def test_is_not_locked_out_because_the_one_of_the_number_has_left(self) -> None:
        people = People(a_leaver(1))
        people.know(1, **ANOTHER)
        draft = people.draft()
        assert (draft.changes, reasons(draft)) == ([], [("1", "invalid", LEAVER_IS_ANOTHER_PERSON)])

    def test_who_is_off_already_is_nothing_to_tell_of(self) -> None:
        people = People(a_leaver(1))
        people.know(1, system_access=0, **ANOTHER)
        draft = people.draft()
        assert (draft.changes, draft.problems) == ([], [])

    @pytest.mark.parametrize("row", [a_leaver(1), a_person(1, street="9 New St")], ids=["left", "current"])
    @pytest.mark.parametrize("shown", [{"date_of_birth": "1999-09-09"}, {"last_name": "Married"}], ids=str)
    def test_is_nobody_who_shares_name_or_birth_date(self, row: EmployeeRow, shown: dict[str, Any]) -> None:
        people = People(row)
        people.know(1, **shown)
        assert len(people.draft().changes) == 1

    def test_of_a_number_that_vista_has_twice_is_not_looked_for(self) -> None:
        people = People(a_leaver(1), a_leaver(2))
        people.know(1, **ANOTHER)
        people.rig.vista.records["employees"].append(a_leaver(1, first_name="Twice"))
        draft = people.draft()
        assert draft.changes == []
        assert {reason for _, _, reason in reasons(draft)} == {
            "two rows have this key (Employee): mend in Vista"
        }

    def test_is_nobody_who_is_only_remembered_for_a_refusal(self) -> None:
        people = People(a_person(1))
        people.state.put("1", Entry(None, None, ANOTHER, {}))
        assert actions(people.draft()) == [("create", "1")]


class TestSomebodyCurrentWithALeaversNumber:
    """Without a birth date nothing but names and e-mail tells that hands mistyped the number."""

    def rig(self, ann: EmployeeRow, **shown: Any) -> People:
        people = People(a_leaver(1), ann)
        people.know(1, **{**ANN, "email": "other@x.example", **shown})
        return people

    @pytest.mark.parametrize(
        ("columns", "shown"),
        [
            ({"first_name": "Ann", "last_name": "Newby"}, {}),
            ({"first_name": "ANN", "last_name": "Newby"}, {"date_of_birth": "1999-09-09"}),
            ({}, {"email": "p2@home.example"}),
            ({"email": "P2@home.example"}, {"email": "p2@home.example"}),
            ({"first_name": "Ann", "last_name": "Newby", "hire_date": "2030-01-07 00:00:00"}, {}),
        ],
        ids=["names", "names, and no birth date in Vista", "e-mail", "e-mail in upper case", "hired later"],
    )
    def test_keeps_access_and_is_told(self, columns: dict[str, Any], shown: dict[str, Any]) -> None:
        people = self.rig(a_person(2, **columns), **shown)
        if "date_of_birth" in shown:
            people.rig.vista.records["employees"][0] = a_leaver(1, birth_date=None)
        draft = people.draft()
        assert "deactivate" not in draft.counts
        assert "shows names or e-mail of employee 2, who has not left" in reasons(draft)[0][2]

    @pytest.mark.parametrize(
        ("columns", "shown"),
        [
            ({}, {}),
            ({"first_name": "Ann", "last_name": "Newby", "term_date": "2025-11-01 00:00:00"}, {}),
            ({"first_name": "Ann", "last_name": "Last1"}, {"last_name": "Last1"}),
            ({"first_name": "Ann", "last_name": "Newby"}, {"date_of_birth": "1980-02-03"}),
        ],
        ids=["shows nobody", "shows another leaver", "one name is the leaver's", "so is the birth date"],
    )
    def test_is_nobody_who(self, columns: dict[str, Any], shown: dict[str, Any]) -> None:
        people = self.rig(a_person(2, **columns), **shown)
        assert ("deactivate", "1") in actions(people.draft())

    def test_keeps_access_beside_the_leaver_s_own_user(self) -> None:
        people = People(a_leaver(1), a_person(2, first_name="Ann", last_name="Newby"))
        people.several(1, u1=ON, u9={**ANN, **ON})
        draft = people.draft()
        change = next(change for change in draft.changes if change.action == "deactivate")
        assert (change.target_id, change.beside) == ("u1", [])
        assert (
            "access of user u9 stays as it is: it shows names or e-mail of employee 2" in reasons(draft)[0][2]
        )

    def test_is_not_created_a_second_time(self) -> None:
        people = self.rig(a_person(2, first_name="Ann", last_name="Newby"))
        draft = people.draft()
        assert draft.changes == []
        assert "shows this person: nobody is created. Give it 2 as emp_id" in reasons(draft)[1][2]

    def test_is_created_when_the_user_may_be_that_of_who_is_current(self) -> None:
        people = People(a_person(1), a_person(2, first_name="Ann", last_name="Newby"))
        people.know(1, **ANN)
        assert ("create", "2") in actions(people.draft())

    def test_an_odd_row_hides_nobody_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def addresses(row: EmployeeRow, _: object) -> set[str | None]:
            if row.employee == 3:
                raise ValueError("nobody foresaw this")
            return {None}

        monkeypatch.setattr("shared.sync.entities.current_people.addresses", addresses)
        people = self.rig(a_person(2, first_name="Ann", last_name="Newby"))
        people.rig.vista.records["employees"].insert(0, a_person(3))
        assert ("deactivate", "1") not in actions(people.draft())


class TestALeaverWhoseUserLacksWhatIsRepeated:
    """Access must not hang on a field that every update must repeat, and that is empty there."""

    def core(self, people: People) -> dict[str, Any]:
        (change,) = (change for change in people.draft().changes if change.action == "deactivate")
        return dict(change.core)

    def test_gets_it_from_the_sources(self) -> None:
        people = People(a_leaver(1))
        people.know(1, email=None, first_name="Hand", last_name=None)
        assert self.core(people) == {"first_name": "Hand", "last_name": "Last1", "email": "p1@home.example"}

    @pytest.mark.parametrize("account", [{"accountEnabled": True}, {"accountEnabled": False}])
    def test_gets_the_address_of_the_account_if_it_is_enabled(self, account: dict[str, Any]) -> None:
        people = People(a_leaver(1))
        people.rig.graph_source.records["users"] = [
            {"id": "g1", "employeeId": "1", "mail": "p1@work.example", "userPrincipalName": "p1@work.example"}
            | account
        ]
        people.know(1, email=None)
        enabled = account["accountEnabled"]
        assert self.core(people)["email"] == ("p1@work.example" if enabled else "p1@home.example")

    def test_never_gets_the_address_that_somebody_current_has(self) -> None:
        people = People(a_leaver(1), a_person(2, email="p1@home.example"))
        people.know(1, email=None)
        assert self.core(people)["email"] == "p1+sync@home.example"

    def test_never_gets_the_address_that_another_user_has(self) -> None:
        people = People(a_leaver(1))
        people.know(1, email=None)
        people.state.note_stray("u9", None, {"email": "p1@home.example"})
        assert self.core(people)["email"] == "p1+sync@home.example"

    @pytest.mark.parametrize("email", [None, "none"])
    def test_stays_without_what_nobody_has(self, email: str | None) -> None:
        people = People(a_leaver(1, email=email))
        people.know(1, email=None)
        assert self.core(people)["email"] is None

    def test_so_does_each_of_several_users(self) -> None:
        people = People(a_leaver(1))
        people.several(
            1, u7={**ON, "last_name": None}, u8={**ON, "email": "two@x.example", "first_name": None}
        )
        (change,) = people.draft().changes
        assert change.core["last_name"] == "Last1"
        (other,) = change.beside
        assert (other["core"]["first_name"], other["core"]["email"]) == ("First1", "two@x.example")

    def test_an_odd_address_costs_that_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def odd(*_: object) -> None:
            raise ValueError("nobody foresaw this")

        people = People(a_leaver(1))
        people.know(1, email=None, last_name=None)
        monkeypatch.setattr("shared.sync.entities.employees.mail_of", odd)
        assert self.core(people) == {"first_name": "First1", "last_name": "Last1", "email": None}


class TestWhatANewOneLacks:
    """Who is in SafetyAmp goes without the field; nobody is created without it."""

    def homeless(self) -> People:
        people = People(a_person(1, department="99"))
        people.rig.vista.records["latest open jobs"] = []
        return people

    def mailless(self) -> People:
        people = People(a_person(1, email=None))
        people.rig.graph_source.records["users"] = [{"id": "a9", "employeeId": "9", "mail": "x@x.example"}]
        return people

    def test_without_a_home_site_is_skipped(self) -> None:
        draft = self.homeless().draft()
        assert (draft.changes, draft.counts) == ([], {"source": 1, "skipped": 1})
        assert "no home site" in draft.problems[0]["reason"]

    def test_without_an_e_mail_is_invalid(self) -> None:
        draft = self.mailless().draft()
        assert (draft.changes, draft.counts) == ([], {"source": 1, "invalid": 1})
        assert (draft.problems[0]["field"], "no e-mail" in draft.problems[0]["reason"]) == ("Email", True)

    def test_is_told_of_somebody_known_beside_the_rest(self) -> None:
        people = self.mailless()
        people.know(1, street="0 Old St")
        draft = people.draft()
        [change] = draft.changes
        assert (change.fields, change.incomplete) == ({"street": "1 Main St"}, True)
        assert [(one["kind"], one["field"]) for one in draft.problems] == [("reported", "email")]
        people.know(1)
        draft = people.draft()
        assert (draft.changes, draft.counts) == ([], {"source": 1, "unchanged": 1})
        assert [(one["kind"], one["field"]) for one in draft.problems] == [("reported", "email")]

    def test_of_somebody_known_with_an_address_that_is_shared_the_field_is_left_out(self) -> None:
        people = People(
            a_person(1, email="same@x.example"),
            a_person(2, email="same@x.example"),
            a_person(3, email="same@x.example", street="9 New St"),
        )
        people.rig.graph_source.records["users"] = [{"id": "a9", "employeeId": "9", "mail": "x@x.example"}]
        for number in (1, 2, 3):
            people.know(number, digest="of an earlier run")
        draft = people.draft()
        assert actions(draft) == [("update", "3")]
        assert draft.changes[0].fields == {"street": "9 New St"}
        assert draft.counts == {"source": 3, "invalid": 2, "update": 1}
        assert [(one["key"], one["kind"], one["field"]) for one in draft.problems] == [
            ("1", "invalid", "email"),
            ("2", "invalid", "email"),
            ("3", "reported", "email"),
        ]
        assert people.state.digest("1") is None, "looked at again in every run"
        assert draft.state_changed

    def test_matters_not_of_who_has_left(self) -> None:
        people = People(a_leaver(1, department="99", email=None))
        people.know(1)
        assert actions(people.draft()) == [("deactivate", "1")]


class TestARefusedCreation:
    """It waits until its data changes; one whose unique value another had, until that is free."""

    def rig(self, errors: dict[str, list[str]], **more: Any) -> People:
        people = People(a_person(1))
        [change] = people.draft().changes
        failure = cast(Refusal, {"digest": change.digest, "errors": errors, "at": "now", **more})
        people.state.put("1", Entry(None, None, {}, {FAILURE: failure}))
        return people

    def test_is_not_sent_again_while_nothing_has_changed(self) -> None:
        draft = self.rig({"zip_code": ["is odd"]}).draft()
        assert (draft.changes, draft.counts) == ([], {"source": 1, "invalid": 1})
        assert (
            "refused this record and its data has not changed (zip_code: is odd)"
            in (draft.problems[0]["reason"])
        )

    def test_is_sent_again_when_somebody_asks(self) -> None:
        assert actions(self.rig({"zip_code": ["is odd"]}).draft(retry_failed=True)) == [("create", "1")]

    def test_is_sent_again_with_other_data(self) -> None:
        people = self.rig({"zip_code": ["is odd"]})
        people.rig.hire(a_person(1, zip_code="77001"))
        assert actions(people.draft()) == [("create", "1")]

    def test_for_its_e_mail_waits_while_nobody_is_known_to_have_it(self) -> None:
        draft = self.rig({"email": ["taken"]}, by={"email": ""}).draft()
        assert (draft.changes, draft.counts) == ([], {"source": 1, "invalid": 1, "create": 0})
        assert [one["kind"] for one in draft.problems] == ["invalid", "reported"]
        assert "refused this record" in draft.problems[0]["reason"]

    @pytest.mark.parametrize(("by", "listed"), [("employee 9", False), ("", True)], ids=["freed", "listed"])
    def test_for_its_e_mail_is_sent_again_when_that_is_free(self, by: str, listed: bool) -> None:
        people = self.rig({"email": ["taken"]}, by={"email": by})
        assert actions(people.draft(trust=not listed, listed=listed)) == [("create", "1")]

    @pytest.mark.parametrize("name", ["home_site_id", "roles", "roles.0", "record"])
    def test_of_which_the_source_is_not_to_blame_is_sent_again_after_a_listing(self, name: str) -> None:
        people = self.rig({name: ["is odd"]})
        draft = people.draft()
        assert draft.changes == []
        assert "mend it in the source" not in draft.problems[0]["reason"]
        assert "As far as is known the source is right" in draft.problems[0]["reason"]
        assert actions(people.draft(trust=False, listed=True)) == [("create", "1")]

    def test_of_which_the_source_is_also_to_blame_is_not(self) -> None:
        people = self.rig({"home_site_id": ["is odd"], "zip_code": ["is odd"]})
        draft = people.draft(trust=False, listed=True)
        assert draft.changes == []
        assert "mend it in the source" in draft.problems[0]["reason"]

    def test_for_its_e_mail_and_its_site_waits_for_the_e_mail(self) -> None:
        people = self.rig({"email": ["taken"], "home_site_id": ["is odd"]}, by={"email": ""})
        assert actions(people.draft(trust=False, listed=True)) == [("create", "1")]
        people.state.note_stray("u8", None, {"email": "p1@home.example"})
        assert people.draft(trust=False, listed=True).changes == []


class TestARefusedUpdate:
    def rig(self, errors: dict[str, list[str]], flags: Flags, **failure: Any) -> People:
        people = People(a_person(1, phone="504-555-0142"))
        people.know(1, email="old@x.example")
        [change] = people.draft().changes
        told = cast(Refusal, {"digest": change.digest, "errors": errors, "at": "now", **failure})
        people.know(1, {FAILURE: told, **flags}, email="old@x.example")
        return people

    def remembered(self, value: str) -> TakenValue:
        return {"digest": value_digest(value), "by": ""}

    def test_is_not_sent_again_where_one_field_is_not_remembered(self) -> None:
        taken: Flags = {TAKEN: {"email": self.remembered("p1@home.example")}}
        draft = self.rig({"email": ["taken"], "street": ["odd"]}, taken, by={}).draft()
        assert (draft.changes, draft.counts) == ([], {"source": 1, "invalid": 1})

    def test_is_compared_where_each_refused_field_is_remembered(self) -> None:
        flags: Flags = {
            TAKEN: {"email": self.remembered("p1@home.example")},
            REJECTED: {"mobile_phone": value_digest("+15045550142")},
        }
        draft = self.rig({"email": ["taken"], "mobile_phone": ["odd"]}, flags, by={}).draft()
        [change] = draft.changes
        assert change.fields == {"work_phone": "+15045550142"}
        assert {one["field"] for one in draft.problems} == {"email", "mobile_phone"}

    def test_without_a_field_is_sent_again_after_a_listing(self) -> None:
        people = self.rig({"record": ["answered 400 without naming a field"]}, {}, by={})
        assert people.draft().changes == []
        assert actions(people.draft(trust=False, listed=True)) == [("update", "1")]

    @pytest.mark.parametrize(
        ("errors", "sent"),
        [
            ({"email": ["taken"]}, True),
            ({"email": ["taken"], "mobile_phone": ["taken"]}, True),
            ({"email": ["taken"], "street": ["odd"]}, False),
        ],
        ids=["e-mail", "both", "another field"],
    )
    def test_by_release_0_1_0_is_tried_again_where_a_value_was_taken(
        self, errors: dict[str, list[str]], sent: bool
    ) -> None:
        """It refused more than it had to, and remembered no fields."""
        assert bool(self.rig(errors, {}).draft().changes) is sent
        assert self.rig({"email": ["taken"]}, {}, by={}).draft().changes == []


class TestReferences:
    """Something that was made anew has another id, which no digest of the source tells."""

    def settled(self, **settings: str) -> People:
        people = People(a_person(1), **settings)
        people.know(1)
        people.draft()
        assert people.state.digest("1") is not None
        return people

    def test_to_a_site_that_was_made_anew_are_mended(self) -> None:
        people = self.settled()
        sites = EntityState("jobs")
        sites.put("100.", Entry(22, "d", {}, {}))
        people.rig.know(sites)
        [change] = people.draft().changes
        assert (change.fields, change.before) == (
            {"home_site_id": {"$ref": ["jobs", "100."]}},
            {"home_site_id": 21},
        )

    def test_to_what_is_known_cost_nothing(self) -> None:
        people = self.settled()
        titles = EntityState("titles")
        titles.put("welder", Entry(7, "d", {}, {}))
        people.rig.know(titles)
        people.know(1)
        people.draft()
        people.rig.hire(a_person(1))
        assert people.draft().counts == {"source": 1, "unchanged": 1}

    def test_are_not_in_doubt_while_nothing_is_known_of_the_others(self) -> None:
        people = self.settled()
        people.rig.documents.delete(paths.state("jobs"))
        assert people.draft().changes == []

    def test_are_looked_at_all_the_same_after_a_listing(self) -> None:
        people = self.settled()
        sites = EntityState("jobs")
        sites.put("100.", Entry(22, "d", {}, {}))
        people.rig.know(sites)
        assert len(people.draft(trust=False, listed=True).changes) == 1


class TestMovedKeys:
    """A user who has got another number by hand is still the person under whose number it was known."""

    def test_those_of_both_numbers_are_told_and_nothing_is_sent(self) -> None:
        people = People(a_person(1), a_person(2, street="9 New St"), a_person(3))
        people.state.put("2", Entry("u1", None, people.fields(1), {}))
        people.state.moved["1"] = Place("u1", "2")
        people.know(3)
        draft = people.draft()
        assert draft.changes == []
        assert [(key, kind) for key, kind, _ in reasons(draft)] == [("1", "invalid"), ("2", "invalid")]
        assert draft.counts == {"source": 3, "unchanged": 1, "invalid": 2}
        assert draft.seen == {"1", "2", "3"}

    def test_a_number_that_vista_has_twice_tells_nothing_of_whose_the_user_is(self) -> None:
        people = People(a_person(1), a_person(2, street="9 New St"))
        people.rig.vista.records["employees"].append(
            a_person(1, first_name="Mary", last_name="Other", birth_date="1999-09-09")
        )
        people.state.put("2", Entry("u1", None, people.fields(1), {}))
        people.state.moved["1"] = Place("u1", "2")
        draft = people.draft()
        assert draft.changes == []
        assert (
            "nothing was sent, nobody is switched off"
            in dict((key, reason) for key, _, reason in reasons(draft))["2"]
        )

    def test_a_move_that_was_meant_is_forgotten_when_the_old_number_is_somebody_else_s(self) -> None:
        people = People(
            a_person(1, first_name="Mary", last_name="Other", birth_date="1999-09-09"), a_person(2)
        )
        people.know(2)
        people.state.put("1", Entry("u9", None, people.fields(1, **ANOTHER), {}))
        people.state.moved["1"] = Place("u2", "2")
        draft = people.draft()
        assert (people.state.moved, draft.state_changed) == ({}, True)
        assert draft.changes == []

    def test_one_without_a_number_is_told_and_kept(self) -> None:
        people = People(a_person(1))
        people.know(1)
        people.state.moved["1"] = Place("u1", None)
        draft = people.draft()
        assert draft.changes == []
        assert reasons(draft) == [
            ("1", "reported", "SafetyAmp user u1 of employee 1 has no emp_id any more: give it back")
        ]
        assert people.state.moved == {"1": Place("u1", None)}

    def test_one_without_number_and_access_is_nobody_s_when_the_number_is_another_person_s(self) -> None:
        people = People(a_person(1, first_name="Mary", last_name="Other", birth_date="1999-09-09"))
        people.know(1, system_access=0)
        people.state.moved["1"] = Place("u1", None)
        draft = people.draft()
        assert actions(draft) == [("create", "1")]
        assert (people.state.moved, people.state.target_id("1"), draft.state_changed) == ({}, None, True)
        assert people.state.stray("u1") is not None, "its e-mail is taken nevertheless"

    def test_are_looked_at_and_told_in_a_run_of_single_records_of_these_only(self) -> None:
        people = People(a_person(1), a_person(2), a_person(3))
        people.know(1)
        people.know(2, street="0 Old St")
        people.know(3)
        for key in ("1", "2"):
            people.state.moved[key] = Place(f"u{key}", None)
        draft = people.draft(keys=("2",), trust=False)
        assert actions(draft) == [("update", "2")]
        assert [key for key, _, _ in reasons(draft)] == ["2"]
        assert draft.seen == {"1", "2", "3"}
        assert draft.counts == {"source": 1, "update": 1}

    def test_a_leaver_whose_user_has_no_number_but_access_loses_it_and_is_told(self) -> None:
        people = People(a_leaver(1))
        people.know(1)
        people.state.moved["1"] = Place("u1", None)
        draft = people.draft()
        assert actions(draft) == [("deactivate", "1")]
        assert len(reasons(draft)) == 1


class TestHiredLater:
    """Nothing is done before the first day; who can sign in already is told."""

    LATER: EmployeeRow = a_person(1, hire_date="2030-01-07 00:00:00")

    @pytest.mark.parametrize(("access", "is_told"), [(1, True), (None, True), (0, False)])
    def test_is_told_whose_user_has_access(self, access: int | None, is_told: bool) -> None:
        people = People(self.LATER)
        people.know(1, system_access=access)
        draft = people.draft()
        (problem,) = draft.problems
        assert ("SafetyAmp user u1, which has this number, still has access" in problem["reason"]) == is_told
        assert problem["cause"] == ("access-before-hire" if is_told else "hired-later")
        assert (draft.changes, draft.counts) == ([], {"source": 1, "skipped": 1})

    def test_is_not_told_without_a_user(self) -> None:
        people = People(self.LATER)
        assert [one["cause"] for one in people.draft().problems] == ["hired-later"]

    def test_is_told_of_the_one_of_several_users_that_has_access(self) -> None:
        people = People(self.LATER)
        people.several(1, u1=ON, u2=OFF)
        (reason,) = (reason for _, _, reason in reasons(people.draft()))
        assert reason.endswith("user u1 still has access")


class TestLeaversWithoutAUser:
    """A user without number may be theirs, and still has access."""

    def rig(self, access: int | None = 1, **fields: Any) -> People:
        people = People(a_leaver(1, phone="504-555-0142"), a_leaver(2), a_person(3))
        people.know(3)
        people.state.note_stray("u8", None, {"system_access": access, **fields})
        return people

    @pytest.mark.parametrize(
        "fields", [{"email": "p1@home.example"}, {"mobile_phone": "+15045550142"}], ids=["e-mail", "phone"]
    )
    @pytest.mark.parametrize("access", [1, None])
    def test_are_told_by_e_mail_or_phone(self, access: int | None, fields: dict[str, Any]) -> None:
        draft = self.rig(access, **fields).draft()
        [(key, kind, reason)] = reasons(draft)
        assert (key, kind) == ("1", "reported")
        assert "has left, and SafetyAmp user u8 without emp_id has the same e-mail or phone" in reason
        assert "give it 1 as emp_id" in reason
        assert draft.counts == {"source": 3, "skipped": 2, "unchanged": 1}

    def test_are_not_told_of_a_user_that_is_off(self) -> None:
        assert reasons(self.rig(0, email="p1@home.example").draft()) == []

    def test_are_not_told_of_a_user_that_has_nothing_of_theirs(self) -> None:
        people = self.rig(email="p3@home.example", mobile_phone="+15045559999")
        assert reasons(people.draft()) == []

    def test_are_not_told_where_the_user_has_a_number(self) -> None:
        people = self.rig()
        people.state.strays.clear()
        people.several(9, u8={"email": "p1@home.example"}, u9={})
        assert reasons(people.draft()) == []

    def test_are_told_of_all_users_in_order(self) -> None:
        people = self.rig(email="p1@home.example")
        people.state.note_stray("u10", None, {"system_access": 1, "mobile_phone": "+15045550142"})
        people.state.note_stray("u11", None, {"system_access": 1, "email": "p2@home.example"})
        told = reasons(people.draft())
        assert [key for key, _, _ in told] == ["1", "2"]
        assert "user u10 without emp_id and u8 without emp_id has" in told[0][2]
        assert "user u11 without" in told[1][2]

    def test_are_told_by_name_and_birth_date(self) -> None:
        shown: dict[str, Any] = {
            "first_name": "First1",
            "last_name": "Last1",
            "date_of_birth": "1980-02-03",
        }
        assert [key for key, _, _ in reasons(self.rig(**shown).draft())] == ["1"]

    def test_also_by_the_address_of_their_account(self) -> None:
        people = self.rig(email="p1@two-rivers.example")
        people.rig.graph_source.records["users"] = [
            {"id": "a1", "employeeId": "1", "mail": "P1@two-rivers.example"}
        ]
        assert [key for key, _, _ in reasons(people.draft())] == ["1"]

    def test_by_vista_s_address_too_when_their_account_has_another(self) -> None:
        people = self.rig(email="p1@home.example")
        people.rig.graph_source.records["users"] = [
            {"id": "a1", "employeeId": "1", "mail": "p1@two-rivers.example"}
        ]
        assert [key for key, _, _ in reasons(people.draft())] == ["1"]

    def test_one_odd_value_of_a_leaver_hides_nobody_else(self) -> None:
        people = self.rig(email="p1@home.example")

        class Odd:
            def __str__(self) -> str:
                raise ValueError("no text")

        people.rig.vista.records["employees"].insert(0, a_leaver(7, phone=Odd()))
        assert [key for key, _, _ in reasons(people.draft())] == ["1"]


class TestLeaversWithAnotherUser:
    """Beside their own, a user without number has access and plainly is theirs."""

    SAME: ClassVar[dict[str, Any]] = {
        "first_name": "FIRST1",
        "last_name": "last1",
        "date_of_birth": "1980-02-03",
    }
    PHONE: ClassVar[dict[str, Any]] = {"mobile_phone": "+15045550142"}

    def rig(self, own_access: int = 0, **fields: Any) -> People:
        people = People(a_leaver(1, phone="504-555-0142"), a_person(2))
        people.know(1, system_access=own_access)
        people.know(2)
        people.state.note_stray("u8", None, {"system_access": 1, **fields})
        return people

    @pytest.mark.parametrize(
        "fields",
        [
            SAME,
            {**SAME, **PHONE, "date_of_birth": None},
            {**SAME, "email": "p1@home.example", "date_of_birth": None},
            {**SAME, **PHONE, "last_name": "Married"},
        ],
        ids=["name and birth date", "name and phone", "name and e-mail", "birth date and phone"],
    )
    @pytest.mark.parametrize("own_access", [0, 1], ids=["is off", "is switched off"])
    def test_are_told_in_every_run(self, own_access: int, fields: dict[str, Any]) -> None:
        people = self.rig(own_access, **fields)
        for _ in range(2):
            draft = people.draft()
            [(key, kind, reason)] = reasons(draft)
            assert (key, kind) == ("1", "reported")
            assert "SafetyAmp user u8 without emp_id shows the same person and still has access" in reason
            assert draft.counts["source"] == 2

    @pytest.mark.parametrize(
        "fields",
        [
            PHONE,
            {**SAME, "date_of_birth": None},
            {**SAME, **PHONE, "date_of_birth": "2001-04-05"},
            {**SAME, "first_name": "Another"},
            {**SAME, **PHONE, "system_access": 0},
        ],
        ids=["phone", "name", "father and son", "siblings", "off"],
    )
    def test_are_not_told_of_somebody_else(self, fields: dict[str, Any]) -> None:
        assert reasons(self.rig(**fields).draft()) == []

    def test_are_told_beside_several_users_of_their_number(self) -> None:
        people = self.rig(**self.SAME)
        people.several(1, u6=OFF, u7=OFF)
        assert "u8 without emp_id shows the same" in "".join(
            reason for _, _, reason in reasons(people.draft())
        )

    def test_are_told_of_in_a_run_of_single_records_of_these_only(self) -> None:
        people = self.rig(**self.SAME)
        assert reasons(people.draft(keys=("2",))) == []
        assert [key for key, _, _ in reasons(people.draft(keys=("1",)))] == ["1"]

    def test_are_not_told_of_who_is_there(self) -> None:
        people = self.rig(**self.SAME)
        people.rig.vista.records["employees"][0] = a_person(1)
        people.know(1)
        assert reasons(people.draft()) == []


class TestValuesThatPeopleExchange:
    """`unique_values` decides; here: what becomes of it in the draft."""

    def test_who_gives_and_who_takes_are_in_one_batch(self) -> None:
        people = People(
            a_person(1, email="p2@home.example"),
            a_person(2, email="new@x.example"),
            a_person(3, street="9 St"),
        )
        for number in (1, 2, 3):
            people.know(number)
        draft = people.draft()
        assert draft.together == {"1": 1, "2": 1}
        assert [[change.key for change in batch] for batch in draft.batches(1)] == [["2", "1"], ["3"]]

    def test_a_change_of_which_nothing_is_left_waits_and_is_looked_at_again(self) -> None:
        people = People(a_person(1, email="p9@home.example"))
        people.know(1, digest="of an earlier run")
        people.state.note_stray("u8", None, {"system_access": 1, "email": "p9@home.example"})
        draft = people.draft()
        assert (draft.changes, draft.counts) == ([], {"source": 1, "update": 0, "waiting": 1})
        [(key, kind, reason)] = reasons(draft)
        assert (key, kind, draft.problems[0]["field"]) == ("1", "waiting", "email")
        assert reason.startswith("email left out: SafetyAmp user u8")
        assert (people.state.digest("1"), draft.state_changed) == (None, True)

    def test_a_change_of_which_something_is_left_is_reported(self) -> None:
        people = People(a_person(1, email="p9@home.example", street="9 New St"))
        people.know(1)
        people.state.note_stray("u8", None, {"system_access": 1, "email": "p9@home.example"})
        draft = people.draft()
        [change] = draft.changes
        assert (change.fields, draft.problems[0]["kind"]) == ({"street": "9 New St"}, "reported")

    def test_whose_phone_is_cleared_for_another_is_told(self) -> None:
        people = People(a_leaver(1), a_person(2, phone="504-555-0142"))
        people.know(1, system_access=0, mobile_phone="+15045550142")
        people.know(2)
        draft = people.draft()
        [change] = draft.changes
        assert [(one["key"], one["fields"]) for one in change.beside] == [("1", {"mobile_phone": None})]
        assert reasons(draft) == [
            ("1", "reported", "mobile_phone is cleared: employee 2 has it in the source now")
        ]


class TestBatches:
    def draft(self, *together: tuple[str, int]) -> Draft:
        changes = [Change(key, "update", 5, {"name": key}, {}, {}, "d") for key in "abcdef"]
        return Draft(changes, together=dict(together))

    @pytest.mark.parametrize(
        ("together", "size", "batches"),
        [
            ([], 2, ["ab", "cd", "ef"]),
            ([], 4, ["abcd", "ef"]),
            ([], 6, ["abcdef"]),
            ([], 7, ["abcdef"]),
            ([("b", 1), ("c", 1)], 2, ["a", "bc", "de", "f"]),
            ([("a", 1), ("b", 1), ("c", 1), ("d", 2), ("e", 2)], 2, ["abc", "de", "f"]),
            ([("e", 1), ("f", 1)], 5, ["abcd", "ef"]),
        ],
    )
    def test_are_full_but_part_nobody_who_must_be_together(
        self, together: list[tuple[str, int]], size: int, batches: list[str]
    ) -> None:
        found = self.draft(*together).batches(size)
        assert ["".join(change.key for change in batch) for batch in found] == batches

    def test_of_nothing_are_none(self) -> None:
        assert list(Draft().batches(3)) == []


class TestOnlyLeavers:
    def test_everybody_else_waits_and_nothing_is_concluded_of_them(self) -> None:
        people = People(a_leaver(1), a_person(2, street="9 New St"), a_person(3), a_person(4, last_name=None))
        for number in (1, 2):
            people.know(number)
        before = people.state.to_json()
        draft = people.draft(only_leavers=True)
        assert actions(draft) == [("deactivate", "1")]
        assert draft.counts == {"source": 4, "deactivate": 1, "waiting": 3}
        assert (draft.problems, draft.state_changed) == ([], False)
        assert people.state.to_json() == before

    def test_a_row_that_cannot_be_used_is_told_nevertheless(self) -> None:
        people = People(a_leaver(1))
        people.rig.vista.records["employees"].append(a_leaver(1, employee=None))
        assert people.draft(only_leavers=True).counts == {"source": 2, "skipped": 1, "invalid": 1}


@pytest.mark.parametrize("listed", [False, True])
def test_whoever_creates_somebody_asks_the_user_of_their_old_number_first(listed: bool) -> None:
    """Also when SafetyAmp was listed just now: of its pages some were read minutes ago."""
    people = People(a_person(2, first_name="First1", last_name="Last1"))
    people.know(1)
    [change] = people.draft(listed=listed, trust=not listed).changes
    assert (change.action, change.predecessors) == ("create", [{"key": "1", "target_id": "u1"}])


def test_who_has_married_under_a_new_number_is_asked_for_by_first_name_and_birth_date() -> None:
    people = People(a_person(2, first_name="First1", last_name="Married"), a_person(3))
    people.know(1)
    new, other = people.draft().changes
    assert (new.key, new.predecessors) == ("2", [{"key": "1", "target_id": "u1"}])
    assert (other.key, other.predecessors) == ("3", []), "born on the same day, and another first name"


def test_of_many_with_one_first_name_and_birth_date_nobody_is_asked_for() -> None:
    """A made-up date tells nobody apart, and each question is a call."""
    numbers = range(3, 7)
    new = a_person(2, first_name="Pat", last_name="Married")
    people = People(new, *(a_person(number, first_name="Pat") for number in numbers))
    for number in numbers:
        people.know(number, first_name="Pat")
    [change] = people.draft().changes
    assert (change.key, change.predecessors) == ("2", [])


def test_a_user_whose_number_another_one_claims_is_asked_for_too() -> None:
    """One listing lacked the user, and hands gave the number to somebody else."""
    people = People(a_leaver(1), a_person(2, first_name="First1", last_name="Last1"))
    people.several(1, u1=ON, u7={**ON, **ANOTHER})
    created = [change for change in people.draft().changes if change.action == "create"]
    assert [change.predecessors for change in created] == [[{"key": None, "target_id": "u1"}]]


def test_of_a_company_of_which_half_is_new_nobody_is_held_beside_everybody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A first load that broke off: two thousand times two thousand comparisons would take minutes."""
    compared: list[str] = []

    def same(known: FieldValues, wanted: FieldValues) -> bool:
        compared.append(f"{known['last_name']} {wanted['last_name']}")
        return is_same_person(known, wanted)

    rows = [a_person(number, birth_date=f"{1960 + number % 40}-02-03 00:00:00") for number in range(1, 81)]
    people = People(*rows)
    for row in rows[:40]:
        people.know(row.employee, date_of_birth=str(row.birth_date)[:10])
    monkeypatch.setattr(drafting, "is_same_person", same)
    assert len(actions(people.draft())) == 40
    assert len(compared) == 40  # each with the one who has the same birth date
