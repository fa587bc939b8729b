"""Applying one change: what SafetyAmp refuses of it, and what must be repeated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, cast

import pytest

from shared.clients.safetyamp import SafetyAmpClient
from shared.errors import AccessRefused, APIError, InvalidRecord, NotFound, RateLimited, UpstreamUnavailable
from shared.sync.applying.applier import AlreadyThere, ChangeApplier, Unresolved, is_taken
from shared.sync.documents.change import Beside, Change
from shared.sync.documents.outcome import Outcome
from shared.sync.documents.state import EntityState, Entry
from shared.sync.entities import mappings
from shared.sync.findings.causes import LEAVER_WITH_ACCESS
from shared.sync.model import EntityName, Ref, Target
from shared.sync.planning.reader import mapping_options
from shared.sync.planning.resolver import Resolver
from shared.sync.runs.report import cause_of
from tests.unit.engine_rig import EngineRig

CORE = {"first_name": "Pat", "last_name": "Lee", "email": "old@x.example"}
TAKEN = "has already been taken."

Answer = Callable[[dict[str, Any]], dict[str, list[str]]]
"""The field errors of a payload; none: SafetyAmp takes it."""


class ScriptedSafetyAmp:
    """Refuses fields by a rule, and shows one user as `now`."""

    def __init__(self, refuses: Answer, now: dict[str, Any] | Exception) -> None:
        self.refuses = refuses
        self.now = now
        self.sent: list[tuple[Any, dict[str, Any]]] = []
        self.reads = 0

    def update(
        self, _resource: str, target_id: Any, payload: dict[str, Any], _anew: Any = None
    ) -> dict[str, Any]:
        self.sent.append((target_id, dict(payload)))
        if errors := self.refuses(payload):
            raise InvalidRecord("no", 422, field_errors=errors)
        return {}

    def create(self, _resource: str, payload: dict[str, Any]) -> dict[str, Any]:
        self.update(_resource, "created", payload)
        return {"id": "created"}

    def read(self, resource: str, target_id: Any) -> dict[str, Any]:
        return SafetyAmpClient(cast(Any, self)).read(resource, target_id)

    def request(self, _method: str, path: str) -> dict[str, Any]:
        """The pipeline's answer to a read."""
        self.reads += 1
        if isinstance(self.now, Exception):
            raise self.now
        return {"data": {"id": path.rpartition("/")[2], **self.now} if self.now else {}}


class Applying:
    """An applier, of users unless said otherwise, over a scripted SafetyAmp."""

    def __init__(
        self,
        refuses: Answer = lambda _: {},
        now: dict[str, Any] | Exception | None = None,
        entity: EntityName = "employees",
        *,
        listed: bool = False,
    ) -> None:
        self.safetyamp = ScriptedSafetyAmp(refuses, now if now is not None else dict(CORE))
        rig = EngineRig(self.safetyamp)
        services = rig.services
        mapping = mappings(mapping_options(rig.settings))[entity]
        self.resolver = Resolver(services, "r", entity)
        self.applier = ChangeApplier(services, mapping, self.resolver, listed=listed)

    def update(self, fields: dict[str, Any], **more: Any) -> Outcome:
        given = {"action": "update", "core": dict(CORE), **more}
        change = Change(key="1", target_id="u1", fields=fields, before={}, digest="d", **given)
        return self.applier.apply(change)

    @property
    def payloads(self) -> list[dict[str, Any]]:
        return [payload for _, payload in self.safetyamp.sent]


def refusing(*names: str, text: str = TAKEN) -> Answer:
    return lambda payload: {name: [text] for name in names if name in payload}


def refusing_value(name: str, value: Any) -> Answer:
    return lambda payload: {name: [TAKEN]} if payload.get(name) == value else {}


class TestRefusedFieldsOfAnUpdate:
    def test_an_address_costs_the_address_only(self) -> None:
        work = Applying(refusing_value("email", "new@x.example"))
        outcome = work.update({"email": "new@x.example", "street": "New"})
        assert (outcome.result, outcome.fields, list(outcome.dropped)) == (
            "updated",
            {"street": "New"},
            ["email"],
        )
        assert work.payloads[-1] == {**CORE, "street": "New"}
        assert outcome.taken == {"email": ""}

    @pytest.mark.parametrize("name", ["first_name", "last_name", "home_site_id", "mobile_phone", "zip_code"])
    def test_any_field_of_somebody_who_is_there_can_be_left_out(self, name: str) -> None:
        work = Applying(lambda payload: {name: ["odd"]} if payload.get(name) == "odd" else {})
        outcome = work.update({name: "odd", "street": "New"})
        assert (outcome.result, outcome.fields, list(outcome.dropped)) == (
            "updated",
            {"street": "New"},
            [name],
        )

    def test_one_after_the_other(self) -> None:
        def answer(payload: dict[str, Any]) -> dict[str, list[str]]:
            return next(({name: ["no"]} for name in ("zip_code", "state", "city") if name in payload), {})

        outcome = Applying(answer).update({"zip_code": "1", "state": "x", "city": "y", "street": "New"})
        assert (outcome.result, outcome.fields) == ("updated", {"street": "New"})
        assert set(outcome.dropped) == {"zip_code", "state", "city"}

    def test_a_dropped_address_is_not_repeated_from_memory(self) -> None:
        work = Applying(
            refusing_value("email", "new@x.example"), now={**CORE, "email": "corrected@x.example"}
        )
        work.update({"email": "new@x.example", "street": "New"})
        assert work.payloads[-1]["email"] == "corrected@x.example"

    def test_access_arrives_when_all_the_rest_is_refused(self) -> None:
        work = Applying(refusing("street", text="odd"))
        outcome = work.update({"system_access": 1, "street": "odd"}, action="reactivate")
        assert (outcome.result, list(outcome.dropped)) == ("reactivated", ["street"])

    def test_access_itself_cannot_be_left_out(self) -> None:
        outcome = Applying(refusing("system_access")).update({"system_access": 0}, action="deactivate")
        assert (outcome.result, list(outcome.errors)) == ("refused", ["system_access"])

    @pytest.mark.parametrize("name", ["system_access", "email"])
    def test_a_leaver_who_keeps_access_is_told_with_what_helps(self, name: str) -> None:
        outcome = Applying(lambda _: {name: ["is required"]}).update(
            {"system_access": 0}, action="deactivate"
        )
        assert outcome.result == "refused"
        assert (outcome.reason or "").startswith(
            f"SafetyAmp refused to switch user u1 off ({name}), who still"
        )
        assert cause_of("employees", outcome) is LEAVER_WITH_ACCESS

    def test_nothing_is_left(self) -> None:
        work = Applying(refusing("mobile_phone"))
        outcome = work.update({"mobile_phone": "+1"}, holders={"mobile_phone": "employee 7"})
        assert (outcome.result, outcome.taken) == ("refused", {"mobile_phone": "employee 7"})
        assert "employee 7 has the same value there" in (outcome.reason or "")
        assert len(work.payloads) == 1

    def test_an_error_without_a_field_ends_it(self) -> None:
        outcome = Applying(lambda _: {"": []}).update({"street": "New"})
        assert outcome.result == "refused"


class TestWhatIsRepeated:
    def test_is_read_where_the_source_does_not_own_it(self) -> None:
        work = Applying(now={**CORE, "email": "corrected@x.example", "first_name": "Patty"})
        work.update({"street": "New"}, fresh=["email"])
        assert work.payloads == [{**CORE, "email": "corrected@x.example", "street": "New"}]

    def test_is_not_read_where_the_source_owns_it(self) -> None:
        work = Applying()
        work.update({"street": "New"})
        assert work.safetyamp.reads == 0

    @pytest.mark.parametrize(
        "trouble",
        [
            NotFound("gone", 404),
            APIError("no such method", 405),
            AccessRefused("not yours", 403),
            UpstreamUnavailable("away", 500),
            {},
            {"email": None, "first_name": " ", "last_name": ["odd"]},
        ],
        ids=["404", "405", "403", "500", "nothing in it", "odd values"],
    )
    def test_is_what_is_known_when_it_cannot_be_read(self, trouble: Any) -> None:
        work = Applying(now=trouble)
        outcome = work.update({"system_access": 0}, action="deactivate", fresh=list(CORE))
        assert (outcome.result, work.payloads) == ("deactivated", [{**CORE, "system_access": 0}])

    @pytest.mark.parametrize(
        "answer",
        [InvalidRecord("bad", 400), APIError("moved", 302), APIError("conflict", 409), {}, {"id": "other"}],
        ids=["400", "302", "409", "nothing in it", "somebody else"],
    )
    def test_is_not_known_from_an_odd_answer_which_costs_an_ordinary_change(self, answer: Any) -> None:
        work = Applying(now=answer)
        with pytest.raises(APIError, match="what somebody may have corrected there") as raised:
            work.update({"street": "New"}, fresh=["email"])
        assert not isinstance(raised.value, InvalidRecord)
        assert (work.payloads, work.safetyamp.reads) == ([], 2)

    def test_is_not_known_where_the_credential_is_refused(self) -> None:
        work = Applying(now=AccessRefused("who are you", 401))
        with pytest.raises(AccessRefused):
            work.update({"street": "New"}, fresh=["email"])
        assert work.payloads == []
        off = work.update({"system_access": 0}, action="deactivate", fresh=["email"])
        assert (off.result, len(work.payloads)) == ("deactivated", 1)

    def test_is_asked_for_once_more_where_the_answer_is_odd(self) -> None:
        work = Applying()
        answers = iter([{}, {"id": "u1", **CORE, "email": "corrected@x.example"}])
        vars(work.safetyamp)["request"] = lambda *_: {"data": next(answers)}
        work.update({"street": "New"}, fresh=["email"])
        assert work.payloads == [{**CORE, "email": "corrected@x.example", "street": "New"}]

    def test_is_asked_for_as_long_as_those_who_are_not_shown_are_gone(self) -> None:
        work = Applying(now=NotFound("gone", 404))

        def gone(*_: Any) -> dict[str, Any]:
            raise NotFound("gone", 404)

        vars(work.safetyamp)["update"] = gone
        for _ in range(5):
            assert work.update({"street": "New"}, fresh=["email"]).result == "gone"
        assert work.safetyamp.reads == 5

    def test_is_not_asked_for_any_more_where_those_who_are_there_are_not_shown(self) -> None:
        work = Applying(now=NotFound("no such route", 404))
        for _ in range(5):
            assert work.update({"street": "New"}, fresh=["email"]).result == "updated"
        assert work.safetyamp.reads == 3

    def test_waits_with_the_change_when_the_window_is_full(self) -> None:
        work = Applying(now=RateLimited("full", 1.0))
        with pytest.raises(RateLimited):
            work.update({"system_access": 0}, action="deactivate", fresh=list(CORE))
        assert work.payloads == []

    def test_that_is_refused_is_read_and_sent_as_it_is_now(self) -> None:
        work = Applying(refusing_value("email", "old@x.example"), now={**CORE, "email": "now@x.example"})
        outcome = work.update({"system_access": 0}, action="deactivate")
        assert (outcome.result, outcome.dropped) == ("deactivated", {})
        assert work.payloads[-1] == {**CORE, "email": "now@x.example", "system_access": 0}

    @pytest.mark.parametrize("now", [dict(CORE), NotFound("gone", 404)], ids=["unchanged", "unreadable"])
    def test_that_stays_refused_is_left_out(self, now: Any) -> None:
        work = Applying(refusing("email"), now=now)
        outcome = work.update({"system_access": 0}, action="deactivate")
        assert (outcome.result, work.payloads[-1]) == (
            "deactivated",
            {"first_name": "Pat", "last_name": "Lee", "system_access": 0},
        )
        assert len(work.payloads) == 2

    def test_that_is_refused_either_way_ends_it(self) -> None:
        work = Applying(lambda _: {"email": ["no"]})
        assert work.update({"system_access": 0}, action="deactivate").result == "refused"
        assert len(work.payloads) == 2

    def test_is_not_asked_for_again_where_it_cannot_be(self) -> None:
        work = Applying(now=APIError("no such method", 405))
        for _ in range(3):
            work.update({"street": "New"}, fresh=["email"])
        assert work.safetyamp.reads == 1

    def test_is_asked_for_again_after_one_record_was_not_found(self) -> None:
        work = Applying(now=NotFound("gone", 404))
        for _ in range(5):
            work.update({"street": "New"}, fresh=["email"])
        assert work.safetyamp.reads == 3


BESIDE: Beside = {
    "key": "2",
    "target_id": "u2",
    "fields": {"mobile_phone": None},
    "core": dict(CORE),
    "fresh": [],
}


class TestWhatIsWrittenBeside:
    def test_comes_first_and_is_noted(self) -> None:
        work = Applying()
        outcome = work.update({"mobile_phone": "+1"}, beside=[BESIDE])
        assert [target for target, _ in work.safetyamp.sent] == ["u2", "u1"]
        assert outcome.beside == [{"key": "2", "target_id": "u2", "fields": {"mobile_phone": None}}]

    def test_is_not_noted_when_it_is_refused(self) -> None:
        work = Applying(
            lambda payload: {"mobile_phone": ["no"]} if payload.get("mobile_phone", 0) is None else {}
        )
        outcome = work.update({"mobile_phone": "+1"}, beside=[BESIDE])
        assert (outcome.result, outcome.beside) == ("updated", [])

    def test_without_an_answer_leaves_no_doubt_about_a_creation(self) -> None:
        """The creation itself was not sent, and need not be looked up."""

        def lost(_: dict[str, Any]) -> dict[str, list[str]]:
            raise UpstreamUnavailable("lost", may_have_happened=True)

        change = Change("1", "create", None, {"email": "a@x.example"}, {}, {}, "d", beside=[BESIDE])
        with pytest.raises(UpstreamUnavailable) as caught:
            Applying(lost).applier.apply(change)
        assert caught.value.may_have_happened is False


class TestALeaversUser:
    """Whose number somebody has changed in SafetyAmp, most likely because the person was hired again."""

    OFF = Change("1", "deactivate", "u1", {"system_access": 0}, {}, dict(CORE), "d", fresh=["email"])

    @pytest.mark.parametrize("number", ["1", " 1 ", 1, None, ""], ids=repr)
    def test_with_the_number_still_loses_access(self, number: Any) -> None:
        work = Applying(now={**CORE, "email": "now@x.example", "emp_id": number})
        outcome = work.applier.apply(self.OFF)
        assert (outcome.result, outcome.list_anew) == ("deactivated", False)
        assert work.payloads == [{**CORE, "email": "now@x.example", "system_access": 0}]

    def test_with_another_number_keeps_it_and_safetyamp_is_listed(self) -> None:
        work = Applying(now={**CORE, "emp_id": "7"})
        outcome = work.applier.apply(self.OFF)
        assert (outcome.result, outcome.target_id, outcome.list_anew) == ("waiting", None, True)
        assert "SafetyAmp user u1 has the number 7 there by now" in (outcome.reason or "")
        assert work.payloads == []

    @pytest.mark.parametrize(
        "trouble", [UpstreamUnavailable("503", 503), AccessRefused("403", 403), NotFound("404", 404)], ids=str
    )
    def test_loses_access_although_it_cannot_be_read(self, trouble: Exception) -> None:
        work = Applying(now=trouble)
        assert work.applier.apply(self.OFF).result == "deactivated"
        assert work.payloads == [{**CORE, "system_access": 0}]

    def test_beside_others_with_another_number_keeps_it_and_the_others_lose_theirs(self) -> None:
        beside: Beside = {
            "key": None,
            "target_id": "u2",
            "fields": {"system_access": 0},
            "core": {},
            "fresh": ["email"],
        }
        off = Change("1", "deactivate", "u1", {"system_access": 0}, {}, {}, "d", beside=[beside])
        work = Applying(now={**CORE, "emp_id": "7"})
        outcome = work.applier.apply(off)
        assert (outcome.result, outcome.beside, outcome.list_anew) == ("deactivated", [], True)
        assert [target for target, _ in work.safetyamp.sent] == ["u1"]

    def test_somebody_current_is_not_asked_for_the_number(self) -> None:
        work = Applying(now={**CORE, "emp_id": "7"})
        assert work.update({"street": "New"}, fresh=["email"]).result == "updated"


def test_a_record_that_is_gone_is_planned_anew() -> None:
    def gone(_: dict[str, Any]) -> dict[str, list[str]]:
        raise NotFound("404", 404)

    outcome = Applying(gone).update({"street": "New"})
    assert (outcome.result, outcome.target_id, outcome.fields) == ("gone", None, {})
    assert "planned anew in the next run" in (outcome.reason or "")


def test_what_was_refused_after_it_had_been_sent_without_an_answer_is_noted() -> None:
    def refused(payload: dict[str, Any]) -> dict[str, list[str]]:
        if "city" in payload:
            error = InvalidRecord("422", 422, field_errors={"city": ["odd"]})
            error.repeated = True
            raise error
        return {}

    work = Applying(refused)
    work.update({"city": "X", "street": "New"})
    assert work.applier.repeated is True
    work.update({"street": "New"})
    assert work.applier.repeated is False


class TestACreation:
    """Fields that SafetyAmp refuses are left out once, those without which it is no record end it."""

    def create(
        self, refuses: Answer, *, again: bool = False, listed: bool = False, **fields: Any
    ) -> tuple[Outcome, Applying]:
        work = Applying(refuses, listed=listed)
        given = {"email": "a@x.example", "mobile_phone": "+1", "city": "Houma", **fields}
        new = Change("1", "create", None, given, {}, {}, "d")
        return work.applier.apply(new, again=again), work

    def test_goes_without_what_is_refused(self) -> None:
        outcome, work = self.create(refusing("mobile_phone", "city"), listed=True)
        assert (outcome.result, outcome.target_id) == ("created", "created")
        assert outcome.fields == {"email": "a@x.example"}
        assert sorted(outcome.dropped) == sorted(outcome.dropped_digests) == ["city", "mobile_phone"]
        assert list(outcome.taken) == ["mobile_phone"]
        assert len(work.payloads) == 2

    def test_waits_for_a_listing_when_nobody_is_known_to_have_the_phone(self) -> None:
        """Whoever has it may be the person, entered by hand since the last one."""
        outcome, work = self.create(refusing("mobile_phone"))
        assert (outcome.result, outcome.list_anew, len(work.payloads)) == ("waiting", True, 1)
        assert "the next run lists SafetyAmp first" in (outcome.reason or "")

    def test_goes_without_a_phone_that_is_malformed(self) -> None:
        outcome, _ = self.create(refusing("mobile_phone", text="validation.phone"))
        assert (outcome.result, outcome.list_anew) == ("created", False)

    @pytest.mark.parametrize("names", [("email",), ("email", "city"), ("unknown",), ()], ids=str)
    def test_is_refused_when_it_cannot_go_without(self, names: tuple[str, ...]) -> None:
        def refuse(_: dict[str, Any]) -> dict[str, list[str]]:
            raise InvalidRecord("422", 422, field_errors={name: [TAKEN] for name in names})

        outcome, work = self.create(refuse)
        assert (outcome.result, outcome.target_id, len(work.payloads)) == ("refused", None, 1)
        assert set(outcome.errors) == set(names or ("record",))

    @pytest.mark.parametrize(
        ("names", "told"),
        [
            (
                (),
                "SafetyAmp refused the record without naming a field. As far as is known",
            ),
            (("home_site_id",), "SafetyAmp refused home_site_id. As far as is known the source is right."),
            (
                ("home_site_id", "unknown"),
                "SafetyAmp refused home_site_id, unknown: mend the data in the source",
            ),
        ],
    )
    def test_sends_nobody_to_the_source_without_need(self, names: tuple[str, ...], told: str) -> None:
        def refuse(_: dict[str, Any]) -> dict[str, list[str]]:
            raise InvalidRecord("422", 422, field_errors={name: ["is invalid"] for name in names})

        assert (self.create(refuse)[0].reason or "").startswith(told)

    def test_is_refused_when_the_rest_is_refused_too(self) -> None:
        def one_after_the_other(payload: dict[str, Any]) -> dict[str, list[str]]:
            return {"city": ["odd"]} if "city" in payload else {"mobile_phone": ["odd"]}

        outcome, work = self.create(one_after_the_other)
        assert (outcome.result, list(outcome.errors), len(work.payloads)) == ("refused", ["mobile_phone"], 2)

    @pytest.mark.parametrize("first", [{}, {"city": ["odd"]}], ids=["at once", "without the city"])
    def test_that_is_repeated_and_taken_may_be_ours(self, first: dict[str, list[str]]) -> None:
        def taken(payload: dict[str, Any]) -> dict[str, list[str]]:
            return first if first and "city" in payload else {"email": [TAKEN]}

        with pytest.raises(AlreadyThere) as raised:
            self.create(taken, again=True)
        assert raised.value.errors == {"email": [TAKEN]}
        assert self.create(taken)[0].result == "refused"

    def test_that_is_repeated_and_refused_for_another_field_is_not_there(self) -> None:
        outcome, _ = self.create(refusing("city"), again=True)
        assert outcome.result == "created"


class TestLookingFor:
    """A creation without an answer, in a listing that was made since."""

    NEW = Change("1", "create", None, {"emp_id": "1", "email": "a@x.example"}, {}, {}, "d")
    FOUND = Target("u1", "1", {"email": "theirs@x.example"})
    REFUSED: Mapping[str, list[str]] = MappingProxyType({"email": [TAKEN]})

    def test_finds_it_by_its_key_with_what_it_holds(self) -> None:
        outcome = Applying().applier.look_for(self.NEW, [Target("u9", "9", {}), self.FOUND], {})
        assert outcome is not None
        assert (outcome.result, outcome.adopted, outcome.target_id) == ("created", True, "u1")
        assert outcome.fields == {"email": "theirs@x.example"}

    def test_says_that_it_is_not_there(self) -> None:
        assert Applying().applier.look_for(self.NEW, [Target("u9", "9", {})], {}) is None

    def test_leaves_what_somebody_has_and_the_listing_lacks_to_the_next_run(self) -> None:
        outcome = Applying().applier.look_for(self.NEW, [], self.REFUSED)
        assert outcome is not None
        assert (outcome.result, outcome.unsure, outcome.errors) == ("failed", True, {"email": [TAKEN]})

    def test_leaves_several_alone_with_their_ids(self) -> None:
        outcome = Applying().applier.look_for(self.NEW, [self.FOUND, Target("u2", "1", {})], {})
        assert outcome is not None
        assert (outcome.result, outcome.unsure, outcome.target_id) == ("failed", True, None)
        assert "several records of this key (ids u1, u2): keep one" in (outcome.reason or "")

    def test_takes_the_site_with_the_job_s_code_that_is_called_like_an_office(self) -> None:
        new = Change("400.", "create", None, {"ext_id": "400.", "name": "400. - Levee"}, {}, {}, "d")
        offices = [Target(8, "office:4", {}), Target(9, "office:4", {"name": "Yard Office"}, match="400.")]
        outcome = Applying(entity="jobs").applier.look_for(new, offices, {})
        assert outcome is not None
        assert (outcome.adopted, outcome.target_id) == (True, 9)

    @pytest.mark.parametrize(
        ("match", "fields", "found"),
        [
            ("SN1", {"name": "Truck", "serial": "SN1", "more": 1}, True),
            ("SN1", {"name": "Truck"}, True),
            ("SN1", {"name": "Van", "serial": "SN1"}, False),
            (None, {"name": "Truck", "serial": "SN1"}, False),
        ],
        ids=["the same", "no other", "another name", "no serial"],
    )
    def test_of_a_vehicle_goes_by_its_content(
        self, match: str | None, fields: dict[str, Any], found: bool
    ) -> None:
        new = Change("281", "create", None, {"name": "Truck", "serial": "SN1"}, {}, {}, "d")
        target = Target(7, None, fields, match)
        assert bool(Applying(entity="vehicles").applier.look_for(new, [target], {})) is found

    def test_of_a_vehicle_takes_none_that_is_known(self) -> None:
        new = Change("281", "create", None, {"name": "Truck"}, {}, {}, "d")
        target = Target(7, None, {"name": "Truck"}, "SN1")
        work = Applying(entity="vehicles")
        known = EntityState("vehicles")
        known.put("280", Entry(7, "d", {}, {}))
        work.resolver.provide(known)
        assert work.applier.look_for(new, [target], {}) is None
        work = Applying(entity="vehicles")
        work.resolver.created[Ref("vehicles", "280")] = 7
        assert work.applier.look_for(new, [target], {}) is None


TITLE, SITE = {"$ref": ["titles", "Welder"]}, {"$ref": ["jobs", "100."]}


class TestReferencesThatAreNotThere:
    def test_a_title_is_left_out_and_told(self) -> None:
        outcome = Applying().update({"current_title_id": TITLE, "street": "New"})
        assert (outcome.result, outcome.fields, outcome.incomplete) == ("updated", {"street": "New"}, True)
        assert outcome.left_out == {
            "current_title_id": "waiting for titles Welder, which SafetyAmp does not have yet"
        }

    def test_alone_it_waits(self) -> None:
        with pytest.raises(Unresolved):
            Applying().update({"current_title_id": TITLE})

    def test_somebody_who_is_there_goes_without_a_new_home_site(self) -> None:
        assert Applying().update({"home_site_id": SITE, "street": "New"}).fields == {"street": "New"}

    def test_somebody_new_waits_for_a_home_site_and_not_for_a_title(self) -> None:
        fields = {"email": "a@x.example", "current_title_id": TITLE}
        new = Change("1", "create", None, fields, {}, {}, "d")
        outcome = Applying().applier.apply(new)
        assert (outcome.result, outcome.fields) == ("created", {"email": "a@x.example"})
        waiting = Change("1", "create", None, {**fields, "home_site_id": SITE}, {}, {}, "d")
        with pytest.raises(Unresolved):
            Applying().applier.apply(waiting)


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("The email has already been taken.", True),
        ("validation.unique", True),
        ("The site code is already in use.", True),
        ("Ya existe.", True),
        ("validation.phone", False),
        ("The email must be a valid email address.", False),
        ("The mobile phone format is wrong.", False),
    ],
)
def test_what_a_refusal_of_a_unique_field_means(text: str, taken: bool) -> None:
    assert is_taken([text]) is taken
