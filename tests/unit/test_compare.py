"""What is sent for one record: desired against existing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime
from typing import Any, cast

import pytest

from shared.sync.documents.change import Change, reference
from shared.sync.documents.state import OFF_BY, REJECTED, UNKNOWN, Entry, Flags
from shared.sync.findings.causes import EMAIL_SHARED, PERSON_REFUSED, Reason
from shared.sync.model import Desired, FieldValues, Ref
from shared.sync.planning.compare import Comparison, compare, digest_of, value_digest, wanted_digest

ANN = {"first_name": "Ann", "city": "Delta", "system_access": 1}
SITE = Ref("jobs", "100.")
IDS = {SITE: 7}


def core(existing: FieldValues) -> FieldValues:
    return {"first_name": existing.get("first_name")}


def compared(desired: Desired, entry: Entry | None, *, reenable: bool = False) -> Comparison:
    return compare(
        desired, entry, "digest", entity="employees", core=core, resolve=IDS.get, reenable=reenable
    )


def change_of(desired: Desired, entry: Entry | None, *, reenable: bool = False) -> Change:
    change = compared(desired, entry, reenable=reenable).change
    assert change is not None
    return change


def known(fields: dict[str, Any], **flags: Any) -> Entry:
    return Entry("aaaaa", "old", fields, cast(Flags, flags))


def said(text: str) -> Reason:
    return Reason(text, EMAIL_SHARED)


def wants(**fields: Any) -> Desired:
    return Desired("1001", fields)


@pytest.mark.parametrize("entry", [None, Entry(None, None, {}, {})], ids=["unknown", "only a memory"])
def test_a_record_that_safetyamp_lacks_is_created_with_defaults_and_references_kept(
    entry: Entry | None,
) -> None:
    desired = Desired("1001", {"home_site_id": SITE, "city": "Delta"}, {"country": "US"}, True, (said("w"),))
    assert change_of(desired, entry) == Change(
        key="1001",
        action="create",
        target_id=None,
        fields={"home_site_id": {"$ref": ["jobs", "100."]}, "city": "Delta", "country": "US"},
        before={},
        core={},
        digest="digest",
        warnings=["w"],
        incomplete=True,
    )


@pytest.mark.parametrize("entry", [None, known({"city": "Coast"})], ids=["created", "updated"])
@pytest.mark.parametrize("warnings", [(), ("mobile_phone dropped: not a phone number",)])
def test_a_change_of_which_something_is_to_be_said_is_looked_at_again(
    entry: Entry | None, warnings: tuple[str, ...]
) -> None:
    desired = Desired("1001", {"city": "Delta"}, warnings=tuple(map(said, warnings)))
    change = change_of(desired, entry)
    assert change.incomplete is bool(warnings)


def test_a_change_of_somebody_whom_hands_switched_off_is_looked_at_again() -> None:
    comparison = compared(wants(city="Delta"), known({"city": "Coast", "system_access": 0}))
    assert comparison.change is not None
    assert comparison.note is not None
    assert (comparison.change.incomplete, "by hand" in comparison.note.text) == (True, True)


@pytest.mark.parametrize("empty", [None, " "])
@pytest.mark.parametrize(
    ("desired", "repeated"),
    [
        (Desired("1001", {}, {"first_name": "Ann"}, active=False), "Ann"),
        (Desired("1001", {"city": "Houma"}, {"first_name": "Ann"}), "Ann"),
        (Desired("1001", {}, {"first_name": SITE}, active=False), None),
        (Desired("1001", {}, active=False), None),
    ],
    ids=["who has left", "whose name hands may change", "a reference", "nothing in the source"],
)
def test_a_required_field_that_the_record_lacks_is_repeated_as_the_source_has_it(
    desired: Desired, repeated: str | None, empty: str | None
) -> None:
    change = change_of(desired, known({**ANN, "first_name": empty}))
    assert change.core == {"first_name": repeated or empty}
    assert change.fresh == ["first_name"]


def test_a_required_field_that_is_left_out_is_not_repeated_from_the_source() -> None:
    desired = replace(
        wants(first_name="Ann", city="Houma"), contested={"first_name": said("somebody else's")}
    )
    assert change_of(desired, known({**ANN, "first_name": None})).core == {"first_name": None}


def test_an_update_sends_what_differs_and_repeats_the_core_as_it_is() -> None:
    change = change_of(wants(first_name="Anna", city="Delta"), known(ANN))
    assert (change.action, change.target_id) == ("update", "aaaaa")
    assert (change.fields, change.before) == ({"first_name": "Anna"}, {"first_name": "Ann"})
    assert change.core == {"first_name": "Ann"}


EQUAL: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, ANN),
    ({"city": "Delta"}, ANN),
    ({"home_site_id": SITE}, {"home_site_id": 7}),
    ({"first_name": "Ann"}, {"first_name": "Ann", "nickname": "A"}),
]


@pytest.mark.parametrize(("fields", "existing"), EQUAL)
def test_equal_content_is_no_change(fields: dict[str, Any], existing: dict[str, Any]) -> None:
    assert compared(wants(**fields), known(existing)) == Comparison(None)


def test_what_the_source_does_not_say_is_left_alone() -> None:
    assert compared(wants(first_name="Ann"), known({**ANN, "city": "Elsewhere"})).change is None


def test_create_only_fields_never_overwrite() -> None:
    desired = Desired("1001", {"city": "Delta"}, {"country": "US"})
    assert compared(desired, known({"city": "Delta", "country": "MX"})).change is None


@pytest.mark.parametrize("existing", [{}, {"current_title_id": None}, {"current_title_id": 3}])
def test_a_reference_that_is_not_known_yet_equals_nothing(existing: dict[str, Any]) -> None:
    """Taking it for equal to an empty field would settle the record, and the title would never come."""
    change = change_of(wants(current_title_id=Ref("titles", "Welder")), known(existing))
    assert change.fields == {"current_title_id": {"$ref": ["titles", "Welder"]}}


def test_a_refused_value_is_sent_again_only_when_it_has_changed() -> None:
    refused = {"mobile_phone": value_digest("+15550001"), "title": wanted_digest(SITE, 7)}
    entry = known({}, **{REJECTED: refused})
    comparison = compared(wants(mobile_phone="+15550001", title=SITE), entry)
    assert (comparison.change, set(comparison.left_out)) == (None, {"mobile_phone", "title"})
    assert "mend it in the source" in comparison.left_out["mobile_phone"].text
    assert "the nightly run tries it again" in comparison.left_out["title"].text
    assert comparison.left_out["mobile_phone"].cause is PERSON_REFUSED
    assert change_of(wants(mobile_phone="+15550002"), entry).fields == {"mobile_phone": "+15550002"}


MAKESHIFT = {"first_name": "Ann", "email": "ann+sync@x.example", "system_access": 1}


def email_of(desired: Desired, existing: dict[str, Any]) -> Any:
    change = compare(
        desired,
        known(existing),
        "digest",
        entity="employees",
        core=lambda fields: dict(fields),
        resolve=IDS.get,
        reenable=False,
    ).change
    return None if change is None else (change.fields["email"], "email" in change.fresh)


def test_an_address_for_the_time_between_two_calls_gives_way_to_that_of_a_new_user() -> None:
    private = Desired("1001", {"first_name": "Ann"}, {"email": "private@x.example", "country": "US"})
    assert email_of(private, MAKESHIFT) == ("private@x.example", False)
    assert email_of(private, {**MAKESHIFT, "email": "ann@x.example"}) is None
    assert email_of(private, {**MAKESHIFT, "email": None}) is None


def test_an_address_that_looks_like_one_between_two_calls_may_be_the_person_s_own() -> None:
    own = Desired("1001", {"email": "ann+sync@x.example"}, {})
    assert email_of(own, MAKESHIFT) is None
    assert email_of(Desired("1001", {"first_name": "Ann"}, {}), MAKESHIFT) is None
    shared = replace(own, contested={"email": said("also that of employee 7")})
    assert compared(shared, known(MAKESHIFT)) == Comparison(None)


@pytest.mark.parametrize("create_only", [{}, {"email": "shared@x.example"}], ids=["none", "shared"])
def test_an_address_for_the_time_between_two_calls_is_told_of_where_nothing_replaces_it(
    create_only: dict[str, Any],
) -> None:
    desired = Desired("1001", {}, create_only, contested={"email": said("no e-mail: enter one")})
    comparison = compared(desired, known(MAKESHIFT))
    assert comparison.change is None
    assert comparison.left_out["email"].text.startswith(
        "email left out: no e-mail: enter one; until then the user"
    )
    assert compared(desired, known(ANN)) == Comparison(None)


OFF = {**ANN, "system_access": 0}
LEFT = Desired("1001", {}, active=False)


@pytest.mark.parametrize("access", [1, None])
def test_a_leaver_loses_access_and_nothing_else(access: int | None) -> None:
    change = change_of(LEFT, known({**ANN, "system_access": access}))
    assert (change.action, change.fields, change.before) == (
        "deactivate",
        {"system_access": 0},
        {"system_access": access},
    )
    assert change.core == {"first_name": "Ann"}


@pytest.mark.parametrize("entry", [None, Entry(None, None, {}, {}), known(OFF)], ids=repr)
def test_a_leaver_without_access_is_left_alone(entry: Entry | None) -> None:
    assert compared(LEFT, entry) == Comparison(None)


def test_a_rehired_person_whom_the_sync_switched_off_is_switched_on_with_the_changes() -> None:
    change = change_of(wants(city="Coast"), known(OFF, **{OFF_BY: "run"}))
    assert (change.action, change.fields) == ("reactivate", {"system_access": 1, "city": "Coast"})


def test_a_person_switched_off_by_hand_is_reported_and_kept_up_to_date_without_access() -> None:
    result = compared(wants(city="Coast"), known(OFF))
    assert result.change is not None
    assert (result.change.action, result.change.fields) == ("update", {"city": "Coast"})
    assert result.note is not None
    assert "REENABLE_DISABLED" in result.note.text
    assert compared(wants(city="Delta"), known(OFF)) == Comparison(None, result.note)


def test_with_the_setting_a_person_switched_off_by_hand_is_switched_on() -> None:
    assert change_of(wants(), known(OFF), reenable=True).action == "reactivate"


def test_a_change_comes_back_from_its_document_as_it_was() -> None:
    change = change_of(wants(home_site_id=Ref("jobs", "200."), city="Coast"), known(ANN))
    assert Change(**json.loads(json.dumps(change.to_json()))) == change


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"$ref": ["jobs", "100."]}, SITE),
        ("100.", None),
        (7, None),
        (None, None),
        ([{"id": 3}], None),
        ({"id": 3}, None),
    ],
)
def test_a_stored_reference_is_told_from_a_value(value: Any, found: Ref | None) -> None:
    assert reference(value) == found


FACTS = ("1001", "O'Brien", 1, 1.5, None, date(2026, 1, 2))

OTHERS: list[tuple[Any, ...]] = [
    ("1001", "O'Brien", 1, 1.5, None),
    ("1001", "O'Brien", "1", 1.5, None, date(2026, 1, 2)),
    ("1001", "O'Brien", True, 1.5, None, date(2026, 1, 2)),
    ("1001", "O'Brien", 1, 1.5, "None", date(2026, 1, 2)),
    ("1001", "O'Brien", 1, 1.5, None, datetime(2026, 1, 2)),  # noqa: DTZ001 - as the driver gives it
    ("1001", "O'Brien ", 1, 1.5, None, date(2026, 1, 2)),
    ("1001, 'O\\'Brien'", 1, 1.5, None, date(2026, 1, 2)),
]


@pytest.mark.parametrize("facts", OTHERS, ids=repr)
def test_other_facts_have_another_digest(facts: tuple[Any, ...]) -> None:
    assert digest_of(1, "settings", facts) != digest_of(1, "settings", FACTS)


def test_the_digest_depends_on_version_and_settings_and_on_nothing_else() -> None:
    digest = digest_of(1, "settings", FACTS)
    assert digest == digest_of(1, "settings", tuple(list(FACTS)))
    assert len({digest, digest_of(2, "settings", FACTS), digest_of(1, "others", FACTS)}) == 3


def test_text_that_is_no_unicode_has_a_digest_too() -> None:
    assert digest_of(1, "", ("\udc80",)) != digest_of(1, "", ("\udc81",))
    assert value_digest("\udc80") != value_digest("\udc81")


def test_a_value_read_back_from_a_document_has_the_digest_of_the_value_sent() -> None:
    for value in ("é", 1, 1.5, True, None, [{"id": 3}]):
        assert value_digest(json.loads(json.dumps(value))) == value_digest(value)


def test_the_entry_is_left_as_it_was() -> None:
    entry = known(OFF, **{OFF_BY: "run"})
    before = replace(entry, fields=dict(entry.fields), flags=entry.flags.copy())
    compared(wants(city="Coast"), entry)
    assert entry == before


class TestWhatIsLeftOut:
    CONTESTED = Desired(
        "1001", {"email": "a@x.example", "city": "Coast"}, contested={"email": said("also that of 7")}
    )

    def test_a_contested_value_that_differs(self) -> None:
        comparison = compared(self.CONTESTED, known({**ANN, "email": "old@x.example"}))
        assert comparison.left_out == {"email": said("email left out: also that of 7")}
        assert comparison.change is not None
        assert (comparison.change.fields, comparison.change.incomplete) == ({"city": "Coast"}, True)

    def test_not_a_contested_value_that_is_there(self) -> None:
        comparison = compared(self.CONTESTED, known({**ANN, "email": "a@x.example"}))
        assert comparison.left_out == {}

    def test_a_refused_value_until_somebody_asks_for_it(self) -> None:
        entry = known({}, **{REJECTED: {"city": value_digest("Coast")}})
        asked: dict[str, Any] = {"entity": "jobs", "core": core, "resolve": IDS.get, "reenable": False}
        assert compared(wants(city="Coast"), entry).change is None
        assert compare(wants(city="Coast"), entry, "digest", retry=True, **asked).change is not None

    @pytest.mark.parametrize(
        ("site_id", "listed", "sent"), [(7, False, False), (7, True, True), (8, False, True)]
    )
    def test_a_refused_reference_until_it_may_be_usable(self, site_id: int, listed: bool, sent: bool) -> None:
        entry = known({}, **{REJECTED: {"home_site_id": wanted_digest(SITE, 7)}})
        ids = {SITE: site_id}.get
        change = compare(
            wants(home_site_id=SITE),
            entry,
            "d",
            entity="employees",
            core=core,
            resolve=ids,
            reenable=False,
            listed=listed,
        ).change
        assert (change is not None) is sent


@pytest.mark.parametrize(
    ("desired", "fresh"),
    [
        (wants(first_name="Ann", city="Coast"), []),
        (wants(city="Coast"), ["first_name"]),
        (
            Desired("1001", {"first_name": "A", "city": "Coast"}, contested={"first_name": said("x")}),
            ["first_name"],
        ),
        (LEFT, ["first_name"]),
    ],
    ids=["the source's own", "not the source's", "left out", "a leaver"],
)
def test_what_is_repeated_is_read_where_the_source_does_not_own_it(
    desired: Desired, fresh: list[str]
) -> None:
    assert change_of(desired, known(ANN)).fresh == fresh


class TestWhatIsNotKnown:
    def test_is_sent_also_where_the_state_says_the_same(self) -> None:
        entry = known({**ANN, "city": "Delta"}, **{UNKNOWN: {"city": "Coast"}})
        assert change_of(wants(city="Delta"), entry).fields == {"city": "Delta"}

    def test_is_left_alone_where_the_source_says_nothing(self) -> None:
        assert compared(wants(), known(ANN, **{UNKNOWN: {"city": "Coast"}})).change is None

    def test_costs_a_leaver_the_access_again(self) -> None:
        entry = known(OFF, **{UNKNOWN: {"system_access": 1}})
        assert change_of(LEFT, entry).action == "deactivate"

    def test_is_read_where_it_must_be_repeated(self) -> None:
        left = Desired("1001", {"first_name": "Ann"}, active=False)
        assert change_of(left, known(ANN)).fresh == []
        assert change_of(left, known(ANN, **{UNKNOWN: {"first_name": "A"}})).fresh == ["first_name"]


def test_who_was_switched_off_by_us_is_switched_on_by_the_id_alone() -> None:
    entry = known(OFF)
    how: dict[str, Any] = {"entity": "employees", "core": core, "resolve": IDS.get, "reenable": False}
    comparison = compare(wants(), entry, "d", switched_off_by_sync=lambda one: one == "aaaaa", **how)
    assert comparison.change is not None
    assert comparison.change.action == "reactivate"


def test_a_batch_of_ordinary_changes_has_the_form_of_release_0_1_0() -> None:
    change = change_of(wants(first_name="Anna"), known(ANN))
    assert set(change.to_json()) == {
        *("key", "action", "target_id", "fields", "before", "core", "digest", "warnings"),
    }
