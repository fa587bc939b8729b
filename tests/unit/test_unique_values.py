"""Who gets a value that must be unique, and in which order values are given up and taken."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from shared.sync.documents.change import Change
from shared.sync.documents.state import FAILURE, TAKEN, UNKNOWN, EntityState, Entry, Flags, Refusal
from shared.sync.findings import causes
from shared.sync.model import Claim, FieldValues
from shared.sync.planning.compare import value_digest
from shared.sync.planning.drafting import Draft
from shared.sync.planning.unique_values import Arranged, arrange

CORE = ("first_name", "last_name", "email")


def mail(number: int | str) -> str:
    return f"person{number}@tworivers.example"


def phone(number: int | str) -> str:
    return f"+1225555{number}"


class Plan:
    """A state, what the source says, and the changes of a plan; ids of users are `u` and the key."""

    def __init__(self) -> None:
        self.state = EntityState("employees")
        self.claims: dict[str, Claim] = {}
        self.changes: list[Change] = []

    def there(self, key: str, *, told: bool = True, flags: Flags | None = None) -> None:
        """A user with an e-mail and a phone of their own, of whom the source says the same."""
        fields = {"first_name": "Pat", "last_name": key, "email": mail(key), "mobile_phone": phone(key)}
        self.state.put(key, Entry(f"u{key}", "old", {**fields, "system_access": 1}, flags or {}))
        if told:
            self.claims[key] = Claim(False, mail(key), phone(key))

    def wants(self, key: str, **fields: Any) -> None:
        """The source says something else now, and the plan is to send it."""
        entry = self.state.entry(key)
        core = {name: entry.fields.get(name) for name in CORE} if entry and entry.target_id else {}
        self.changes.append(
            Change(
                key=key,
                action="update" if core else "create",
                target_id=entry.target_id if entry else None,
                fields=fields,
                before={name: entry.fields.get(name) for name in fields} if entry and core else {},
                core=core,
                digest="new",
            )
        )
        before = self.claims.get(key, Claim(False, None, None))
        self.claims[key] = Claim(
            False, fields.get("email", before.email), fields.get("mobile_phone", before.mobile_phone)
        )

    def says(self, key: str, **claimed: Any) -> None:
        """The source says something else, and nothing is planned for it."""
        self.claims[key] = Claim(**{**vars_of(self.claims[key]), **claimed})

    def arranged(
        self,
        *,
        listed: bool = False,
        retry: bool = False,
        doubtful: Collection[str] = (),
        held: Collection[Change] = (),
    ) -> Arranged:
        def claims(keys: Collection[str]) -> Mapping[str, Claim]:
            return {key: self.claims[key] for key in keys if key in self.claims}

        return arrange(
            self.changes,
            self.state,
            claims,
            core=lambda existing: {name: existing.get(name) for name in CORE},
            listed=listed,
            retry=retry,
            doubtful=doubtful,
            held=held,
        )

    def applied(self, arranged: Arranged) -> tuple[dict[str, dict[str, Any]], list[str]]:
        """What the users hold after all calls in order, and the fields that SafetyAmp refused on the way."""
        users = {
            str(record[0]): dict(self.state.entry(key).fields)  # type: ignore[union-attr]
            for key, record in self.state.records.items()
            if record[0] is not None
        }
        for target_id, _, _ in self.state.strays.values():
            users[str(target_id)] = dict(self.state.stray(target_id) or {})
        refused: list[str] = []

        def send(target_id: str, fields: FieldValues) -> None:
            for name, value in fields.items():
                holders = [one for one, held in users.items() if held.get(name) == value and one != target_id]
                if name in ("email", "mobile_phone") and value is not None and holders:
                    refused.append(f"{target_id} {name}")
                else:
                    users.setdefault(target_id, {})[name] = value

        for change in (change for group in arranged.groups for change in group):
            for beside in change.beside:
                send(str(beside["target_id"]), beside["fields"])
            send(str(change.target_id or f"u{change.key}"), change.fields)
        return users, refused


def vars_of(claim: Claim) -> dict[str, Any]:
    return {"left": claim.left, "email": claim.email, "mobile_phone": claim.mobile_phone}


def keys(arranged: Arranged) -> list[list[str]]:
    return [[change.key for change in group] for group in arranged.groups]


@pytest.fixture
def plan() -> Plan:
    """Four people."""
    plan = Plan()
    for key in ("1", "2", "3", "4"):
        plan.there(key)
    return plan


NAMES = {"email": mail, "mobile_phone": phone}


@pytest.mark.parametrize("name", NAMES)
class TestSentWithoutAnAnswer:
    """Somebody has the old value, or the new one."""

    def test_whoever_may_have_it_and_wants_it_keeps_it(self, plan: Plan, name: str) -> None:
        value = NAMES[name]
        plan.there("5", flags={UNKNOWN: {name: value(9)}})
        plan.wants("1", **{name: value(5)})
        plan.wants("5", **{name: value(5)})
        arranged = plan.arranged()
        assert [change.key for group in arranged.groups for change in group] == ["5"]
        assert [left.key for left in arranged.left_out] == ["1"]
        assert arranged.groups[0][0].beside == []

    def test_both_values_are_free_only_after_it_was_sent_again(self, plan: Plan, name: str) -> None:
        value = NAMES[name]
        plan.there("5", flags={UNKNOWN: {name: value(9)}})
        plan.wants("1", **{name: value(5)})
        plan.wants("2", **{name: value(9)})
        plan.wants("5", **{name: value(8)})
        assert keys(plan.arranged()) == [["5", "1", "2"]]


@pytest.mark.parametrize("name", NAMES)
class TestGivenUpInThePlan:
    def test_a_value_is_taken_after_its_holder_gave_it_up(self, plan: Plan, name: str) -> None:
        plan.wants("1", **{name: NAMES[name](2)})
        plan.wants("2", **{name: NAMES[name](9)})
        arranged = plan.arranged()
        assert keys(arranged) == [["2", "1"]]
        users, refused = plan.applied(arranged)
        assert (users["u1"][name], users["u2"][name], refused) == (NAMES[name](2), NAMES[name](9), [])

    def test_a_chain_is_begun_at_its_end(self, plan: Plan, name: str) -> None:
        for key, other in (("1", 2), ("2", 3), ("3", 4), ("4", 9)):
            plan.wants(key, **{name: NAMES[name](other)})
        arranged = plan.arranged()
        assert keys(arranged) == [["4", "3", "2", "1"]]
        users, refused = plan.applied(arranged)
        assert [users[f"u{key}"][name] for key in "1234"] == [NAMES[name](other) for other in (2, 3, 4, 9)]
        assert refused == []

    @pytest.mark.parametrize("ring", [("1", "2"), ("1", "2", "3"), ("1", "2", "3", "4")], ids=len)
    def test_a_ring_is_opened_and_closed(self, plan: Plan, name: str, ring: tuple[str, ...]) -> None:
        after = dict(zip(ring, [*ring[1:], ring[0]], strict=True))
        for key, other in after.items():
            plan.wants(key, **{name: NAMES[name](other)})
        arranged = plan.arranged()
        users, refused = plan.applied(arranged)
        assert {key: users[f"u{key}"][name] for key in ring} == {
            key: NAMES[name](other) for key, other in after.items()
        }
        assert (refused, arranged.left_out, len(arranged.groups)) == ([], [], 1)
        (opened,) = (beside for group in arranged.groups for change in group for beside in change.beside)
        assert opened["fields"] in ({"mobile_phone": None}, {"email": opened["fields"].get("email")})

    def test_somebody_new_takes_what_a_colleague_gives_up(self, plan: Plan, name: str) -> None:
        plan.wants("5", **{"email": mail(5), "mobile_phone": phone(5), name: NAMES[name](2)})
        plan.wants("2", **{name: NAMES[name](9)})
        arranged = plan.arranged()
        assert keys(arranged) == [["2", "5"]]
        assert plan.applied(arranged)[1] == []


def test_a_ring_of_addresses_is_opened_by_the_own_new_address_with_sync(plan: Plan) -> None:
    plan.wants("1", email=mail(2))
    plan.wants("2", email=mail(1))
    (group,) = plan.arranged().groups
    (opened,) = group[0].beside
    assert (opened["key"], opened["fields"]) == ("1", {"email": "person2+sync@tworivers.example"})


def test_a_ring_over_both_kinds_of_values_is_opened_once(plan: Plan) -> None:
    plan.wants("1", email=mail(2), mobile_phone=phone(9))
    plan.wants("2", mobile_phone=phone(1), email=mail(9))
    arranged = plan.arranged()
    users, refused = plan.applied(arranged)
    assert refused == []
    assert (users["u1"]["email"], users["u2"]["mobile_phone"]) == (mail(2), phone(1))


def test_leavers_stay_first_and_others_keep_their_order(plan: Plan) -> None:
    leaver = Change("4", "deactivate", "u4", {"system_access": 0}, {}, {}, "d")
    plan.changes.append(leaver)
    plan.wants("3", first_name="Kim")
    plan.wants("1", mobile_phone=phone(2))
    plan.wants("2", mobile_phone=phone(9))
    assert keys(plan.arranged()) == [["4"], ["3"], ["2", "1"]]


class TestHolders:
    def test_a_phone_of_somebody_who_has_left_is_cleared_for_who_has_it_now(self, plan: Plan) -> None:
        plan.says("2", left=True)
        plan.wants("1", mobile_phone=phone(2))
        arranged = plan.arranged()
        users, refused = plan.applied(arranged)
        assert (users["u1"]["mobile_phone"], users["u2"]["mobile_phone"], refused) == (phone(2), None, [])
        ((beside,),) = [change.beside for group in arranged.groups for change in group]
        assert (beside["target_id"], beside["fresh"]) == ("u2", list(CORE))
        assert [(one.key, one.name) for one in arranged.freed] == [("2", "mobile_phone")]
        assert arranged.freed[0].cause is causes.PHONE_PASSED_ON

    @pytest.mark.parametrize("claimed", [None, phone(8)], ids=["none", "another"])
    def test_a_phone_that_is_not_the_holders_any_more_is_cleared(
        self, plan: Plan, claimed: str | None
    ) -> None:
        plan.says("2", mobile_phone=claimed)
        plan.wants("1", mobile_phone=phone(2))
        users, refused = plan.applied(plan.arranged())
        assert (users["u1"]["mobile_phone"], users["u2"]["mobile_phone"], refused) == (phone(2), None, [])

    def test_who_holds_a_phone_that_the_source_gives_to_two_keeps_it(self, plan: Plan) -> None:
        plan.wants("1", mobile_phone=phone(2))
        arranged = plan.arranged(retry=True)
        assert keys(arranged) == []
        assert [change.key for change in arranged.dropped] == ["1"]
        (left_out,) = arranged.left_out
        assert "employee 2" in left_out.reason
        assert phone(2) not in left_out.reason
        assert left_out.cause is causes.PHONE_SHARED

    def test_an_address_of_somebody_who_has_left_is_not_replaced_by_a_guess(self, plan: Plan) -> None:
        plan.says("2", left=True)
        plan.wants("1", email=mail(2), city="Delta")
        (change,) = plan.arranged().groups[0]
        assert (change.fields, change.incomplete, change.fresh) == ({"city": "Delta"}, True, ["email"])
        (left_out,) = plan.arranged().left_out
        assert "employee 2, who has left" in left_out.reason
        assert left_out.cause is causes.VALUE_TAKEN

    def test_a_holder_without_our_key_is_named_by_the_id(self, plan: Plan) -> None:
        plan.state.note_stray("zz9zz", None, {"mobile_phone": phone(7)})
        plan.wants("1", mobile_phone=phone(7))
        (left_out,) = plan.arranged().left_out
        assert "SafetyAmp user zz9zz" in left_out.reason

    def several(self, plan: Plan, access: int, **says: Any) -> Arranged:
        """7, of whom the source says this, has two users; one has the phone that somebody wants."""
        plan.state.ambiguous["7"] = ["u7", "u8"]
        shown = {"email": "two@x.example", "mobile_phone": phone(7), "system_access": access}
        plan.state.note_stray("u8", "7", shown)
        plan.claims["7"] = Claim(**{"left": True, "email": mail(7), "mobile_phone": phone(7), **says})
        plan.wants("1", mobile_phone=phone(7))
        return plan.arranged()

    @pytest.mark.parametrize("says", [{}, {"mobile_phone": None}])
    def test_one_of_several_users_of_a_leaver_gives_the_phone_up_once_it_is_off(
        self, plan: Plan, says: dict[str, Any]
    ) -> None:
        arranged = self.several(plan, 0, **says)
        assert arranged.left_out == []
        assert [(one.key, one.name) for one in arranged.freed] == [("7", "mobile_phone")]
        (beside,) = arranged.groups[0][0].beside
        assert (beside["key"], beside["target_id"], beside["fields"]) == ("7", "u8", {"mobile_phone": None})
        assert beside["core"]["email"] == "two@x.example"
        assert beside["fresh"] == list(CORE)

    @pytest.mark.parametrize(
        ("access", "says"),
        [(1, {}), (0, {"left": False}), (0, {"left": False, "mobile_phone": None})],
        ids=["not off yet", "current", "current with another phone"],
    )
    def test_one_of_several_users_keeps_it_otherwise_and_is_named(
        self, plan: Plan, access: int, says: dict[str, Any]
    ) -> None:
        arranged = self.several(plan, access, **says)
        (left_out,) = arranged.left_out
        assert "SafetyAmp user u8, one of several with the number 7, has it" in left_out.reason
        assert (arranged.freed, arranged.groups) == ([], [])

    @pytest.mark.parametrize(("listed", "sent"), [(False, True), (True, False)])
    def test_a_retry_tries_what_only_an_old_listing_forbids(
        self, plan: Plan, listed: bool, sent: bool
    ) -> None:
        plan.state.note_stray("zz9zz", None, {"mobile_phone": phone(7)})
        plan.wants("1", mobile_phone=phone(7))
        arranged = plan.arranged(retry=True, listed=listed)
        assert bool(arranged.groups) is sent
        if sent:
            assert arranged.groups[0][0].holders == {"mobile_phone": "SafetyAmp user zz9zz"}

    def test_somebody_whom_the_source_does_not_tell_of_keeps_the_phone(self, plan: Plan) -> None:
        plan.there("6", told=False)
        plan.wants("1", mobile_phone=phone(6))
        assert "employee 6" in plan.arranged().left_out[0].reason

    def test_a_giver_who_is_denied_keeps_the_address_and_so_on_down_the_chain(self, plan: Plan) -> None:
        plan.says("3", left=True)
        plan.wants("1", email=mail(2))
        plan.wants("2", email=mail(3))
        arranged = plan.arranged()
        reasons = {one.key: one.reason for one in arranged.left_out}
        assert reasons.keys() == {"1", "2"}
        assert "employee 2 keeps it until the address that replaces it is free" in reasons["1"]
        assert arranged.groups == []
        told = {one.key: one.cause for one in arranged.left_out}
        assert told == {"1": causes.EMAIL_WAITS_FOR_HOLDER, "2": causes.VALUE_TAKEN}

    def test_a_holder_for_whom_the_source_has_no_other_address_is_said_to_lack_one(self, plan: Plan) -> None:
        plan.says("2", email=None)
        plan.wants("1", email=mail(2))
        assert (
            "employee 2 has it in SafetyAmp and nothing to replace it" in plan.arranged().left_out[0].reason
        )

    def test_a_giver_who_is_denied_a_phone_gives_up_the_old_one_nevertheless(self, plan: Plan) -> None:
        plan.wants("1", mobile_phone=phone(2))
        plan.wants("2", mobile_phone=phone(3))
        users, refused = plan.applied(plan.arranged())
        assert (users["u1"]["mobile_phone"], users["u2"]["mobile_phone"], refused) == (phone(2), None, [])
        assert users["u3"]["mobile_phone"] == phone(3)


class TestSeveralTakers:
    def test_the_lowest_number_of_those_who_come_gets_a_free_phone(self, plan: Plan) -> None:
        plan.wants("12", email=mail(12), mobile_phone=phone(77))
        plan.wants("9", email=mail(9), mobile_phone=phone(77))
        arranged = plan.arranged()
        got = {change.key: "mobile_phone" in change.fields for group in arranged.groups for change in group}
        assert got == {"12": False, "9": True}
        assert [(one.key, "employee 9" in one.reason) for one in arranged.left_out] == [("12", True)]
        assert arranged.left_out[0].cause is causes.PHONE_SHARED

    def test_who_cannot_be_created_takes_no_phone(self, plan: Plan) -> None:
        plan.wants("8", email=mail(2), mobile_phone=phone(77))
        plan.wants("9", email=mail(9), mobile_phone=phone(77))
        arranged = plan.arranged()
        by_key = {change.key: change for group in arranged.groups for change in group}
        assert by_key["9"].fields["mobile_phone"] == phone(77)
        # SafetyAmp has the last word on the address, and the refusal can name the holder.
        assert (by_key["8"].fields["email"], by_key["8"].holders["email"]) == (mail(2), "employee 2")

    def test_nobodys_phone_is_cleared_for_a_creation_that_cannot_come(self, plan: Plan) -> None:
        plan.says("2", left=True)
        plan.wants("8", email=mail(2), mobile_phone=phone(2))
        arranged = plan.arranged()
        assert [change.beside for group in arranged.groups for change in group] == [[]]
        assert arranged.freed == []


class TestWhatWasRefusedBefore:
    @pytest.mark.parametrize(
        ("by", "listed", "retry", "sent"),
        [
            ("", False, False, False),
            ("", True, False, True),
            ("", False, True, True),
            ("employee 2", False, False, True),
        ],
        ids=["holder unknown", "listed since", "asked for", "the holder has it no more"],
    )
    def test_a_taken_value_that_looks_free(self, by: str, listed: bool, retry: bool, sent: bool) -> None:
        plan = Plan()
        plan.there("1", flags={TAKEN: {"mobile_phone": {"digest": value_digest(phone(7)), "by": by}}})
        plan.wants("1", mobile_phone=phone(7))
        assert bool(plan.arranged(listed=listed, retry=retry).groups) is sent

    def test_another_value_than_the_refused_one_is_sent(self) -> None:
        plan = Plan()
        plan.there("1", flags={TAKEN: {"mobile_phone": {"digest": value_digest(phone(7)), "by": ""}}})
        plan.wants("1", mobile_phone=phone(8))
        assert plan.arranged().groups

    @pytest.mark.parametrize(
        ("by", "listed", "sent"), [("", False, False), ("", True, True), ("x", False, True)]
    )
    def test_a_creation_waits_for_its_address(self, by: str, listed: bool, sent: bool) -> None:
        plan = Plan()
        failure: Refusal = {"digest": "new", "errors": {"email": ["taken"]}, "at": "", "by": {"email": by}}
        plan.state.put("1", Entry(None, None, {}, {FAILURE: failure}))
        plan.wants("1", email=mail(1))
        arranged = plan.arranged(listed=listed, doubtful={"1"})
        assert (bool(arranged.groups), bool(arranged.dropped)) == (sent, not sent)

    def test_an_address_that_this_plan_frees_ends_the_waiting(self, plan: Plan) -> None:
        failure: Refusal = {"digest": "new", "errors": {"email": ["taken"]}, "at": "", "by": {}}
        plan.state.put("8", Entry(None, None, {}, {FAILURE: failure}))
        plan.wants("8", email=mail(2))
        plan.wants("2", email=mail(9))
        assert keys(plan.arranged(doubtful={"8"})) == [["2", "8"]]


def test_a_plan_without_such_values_asks_nothing_of_the_state(plan: Plan) -> None:
    class Untouched(EntityState):
        def unique_values(self) -> Any:
            raise AssertionError("the cheap path pays for what it does not need")

    plan.state = Untouched("employees", records=plan.state.records)
    plan.wants("1", city="Delta")
    assert keys(plan.arranged()) == [["1"]]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_those_who_give_to_one_another_are_in_one_batch(plan: Plan, size: int) -> None:
    plan.wants("1", mobile_phone=phone(2))
    plan.wants("2", mobile_phone=phone(3))
    plan.wants("3", mobile_phone=phone(9))
    plan.wants("4", city="Delta")
    groups = plan.arranged().groups
    together = {change.key: 1 for change in groups[0]}
    draft = Draft([change for group in groups for change in group], together)
    batches = list(draft.batches(size))
    assert [change.key for batch in batches for change in batch] == ["3", "2", "1", "4"]
    assert [change.key for change in batches[0]][:3] == ["3", "2", "1"]


class TestSomebodyWhoseOwnChangeIsHeld:
    def test_keeps_a_phone_that_a_leaver_would_be_without(self, plan: Plan) -> None:
        plan.says("1", left=True)
        plan.wants("2", mobile_phone=phone(1), city="Delta")
        off = Change("1", "deactivate", "u1", {"system_access": 0}, {}, {}, "new")
        arranged = plan.arranged(held=[off])
        [[change]] = arranged.groups
        assert (change.fields, change.beside, change.incomplete) == ({"city": "Delta"}, [], True)
        assert arranged.freed == []
        assert [(one.key, one.cause) for one in arranged.left_out] == [("2", causes.WAITS_FOR_APPROVAL)]
        assert "employee 1, whose own change is held, keeps it" in arranged.left_out[0].reason

    @pytest.mark.parametrize("name", ["email", "mobile_phone"])
    def test_gets_the_value_that_the_held_change_takes(self, plan: Plan, name: str) -> None:
        """Whoever wants it too waits, although nobody has it."""
        value = mail(9) if name == "email" else phone(9)
        on = Change("1", "reactivate", "u1", {"system_access": 1, name: value}, {}, {}, "new")
        plan.wants("2", **{name: value})
        arranged = plan.arranged(held=[on])
        assert arranged.groups == []
        assert keys_of(arranged.dropped) == ["2"]
        assert [one.cause for one in arranged.left_out] == [causes.WAITS_FOR_APPROVAL]


def keys_of(changes: list[Change]) -> list[str]:
    return [change.key for change in changes]


@pytest.mark.parametrize("seed", range(300))
def test_whatever_the_source_exchanges_is_there_afterwards(seed: int) -> None:
    """Any exchange of values among people whom the source tells of, some of whom have left: nothing is
    refused on the way, and everybody has what the source says, or it is said why not."""
    chance = random.Random(seed)
    plan = Plan()
    numbers = [str(number) for number in range(1, chance.randint(3, 9))]
    for key in numbers:
        plan.there(key)
    for name, value in NAMES.items():
        pool: list[int | str] = [*numbers, "70", "71"]
        chance.shuffle(pool)
        for key, other in zip(numbers, pool, strict=False):
            if other != key and chance.random() < 0.7:
                _want(plan, key, name, value(other))
    for key in numbers:
        if not any(change.key == key for change in plan.changes) and chance.random() < 0.3:
            plan.says(key, left=True)
    arranged = plan.arranged()
    users, refused = plan.applied(arranged)
    assert refused == []
    told = {(one.key, one.name) for one in arranged.left_out}
    for change in plan.changes:
        for name in NAMES:
            if name in change.fields:
                reached = users[f"u{change.key}"][name] == change.fields[name]
                assert reached is ((change.key, name) not in told)
    for name in NAMES:
        held = [user[name] for user in users.values() if user.get(name) is not None]
        assert len(held) == len(set(held))


def _want(plan: Plan, key: str, name: str, value: str) -> None:
    existing = next((change for change in plan.changes if change.key == key), None)
    if existing is None:
        plan.wants(key, **{name: value})
    else:
        plan.changes.remove(existing)
        plan.wants(key, **{**existing.fields, name: value})
