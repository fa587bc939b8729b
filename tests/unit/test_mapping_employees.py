"""Employees of Vista, with their e-mail from Microsoft Graph, as users."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shared.clients.vista.rows import EmployeeRow
from shared.sync.entities import cleaning, employees
from shared.sync.entities.employee_facts import jobs_by_number
from shared.sync.findings import causes
from shared.sync.findings.causes import texts_of
from shared.sync.model import Claim, Desired, Ref, Rejected, SourceRecord
from shared.sync.sources import EmployeesSource, MailDirectory, MappingOptions

MAPPING = employees.mapping(MappingOptions())
TODAY = date(2025, 7, 1)
ROW = EmployeeRow(
    employee=10027,
    first_name="Ann ",
    middle_name=None,
    last_name="Lee",
    street="1 Main St",
    street2=None,
    city="Houma",
    state="LA ",
    zip_code="70360-",
    country=None,
    phone="504-555-0142",
    sex="F",
    birth_date="1980-02-03 00:00:00",
    hire_date="2020-01-06 00:00:00",
    term_date=None,
    department="07",
    email="Ann@Home.example",
    title="Foreman ",
)
OTHER = ROW._replace(employee=10028, email="bob@home.example", phone="504-555-0143")


def changed(change: dict[str, Any]) -> EmployeeRow:
    return ROW._replace(**change)


def source(*rows: EmployeeRow, **more: Any) -> EmployeesSource:
    given: dict[str, Any] = {
        "rows": list(rows),
        "latest_jobs": {10027: "123. "},
        "job_keys": frozenset({"123."}),
        "regions": {"07": "Gulf", "08": "Coast", "09": "Delta"},
        "offices": frozenset({"Gulf"}),
        "crowded_offices": frozenset({"Coast"}),
        "mails": MailDirectory({}),
        "today": TODAY,
    }
    return EmployeesSource(**{**given, **more})


def mapped(*rows: EmployeeRow, **more: Any) -> list[Desired | Rejected]:
    given = source(*rows, **more)
    return [
        MAPPING.desired(record) if isinstance(record, SourceRecord) else record
        for record in MAPPING.records(given)
    ]


def wanted(row: EmployeeRow, **more: Any) -> Desired:
    (result,) = mapped(row, **more)
    assert isinstance(result, Desired)
    return result


def rejected(row: EmployeeRow, **more: Any) -> Rejected:
    (result,) = mapped(row, **more)
    assert isinstance(result, Rejected)
    return result


def test_an_employee_becomes_a_user() -> None:
    assert wanted(ROW) == Desired(
        "10027",
        {
            "first_name": "Ann",
            "last_name": "Lee",
            "email": "ann@home.example",
            "gender": 0,
            "date_of_birth": "1980-02-03",
            "current_hire_date": "2020-01-06",
            "street": "1 Main St",
            "city": "Houma",
            "state": "LA",
            "zip_code": "70360",
            "mobile_phone": "+15045550142",
            "work_phone": "+15045550142",
            "home_site_id": Ref("jobs", "123."),
            "current_title_id": Ref("titles", "Foreman"),
        },
        {
            "country": "US",
            "emp_id": "10027",
            "timezone": "America/Chicago",
            "roles": Ref("roles", "Field"),
            "system_access": 1,
            "text_opt_out": 1,
        },
    )


@pytest.mark.parametrize(
    ("hired", "left", "outcome"),
    [
        ("2025-07-01", None, "active"),
        ("2025-07-02", None, "skipped"),
        ("2020-01-06", "2025-07-02", "active"),
        ("2020-01-06", "2025-07-01", "left"),
        ("2020-01-06", "2024-01-01", "left"),
        ("2026-01-01", "2024-01-01", "left"),
        (None, "2024-01-01", "left"),
        ("2024-06-01", "2024-01-01", "invalid TermDate"),
        ("2020-01-06", "1900-01-01", "invalid TermDate"),
        ("2020-01-06", "soon", "invalid TermDate"),
        ("2020-13-06", None, "invalid HireDate"),
        ("1900-01-01", None, "invalid HireDate"),
        (None, None, "invalid HireDate"),
    ],
)
def test_dates_decide_how_somebody_stands_today(hired: str | None, left: str | None, outcome: str) -> None:
    (result,) = mapped(ROW._replace(hire_date=hired, term_date=left))
    if isinstance(result, Desired):
        assert ("active" if result.active else "left") == outcome
    else:
        assert outcome in (result.kind, f"{result.kind} {result.field}")


def test_somebody_who_left_has_no_fields_and_no_other_facts() -> None:
    moved, stayed = (
        ROW._replace(term_date="2025-06-30 00:00:00", street=street) for street in ("2 Side St", "1 Main St")
    )
    assert wanted(moved) == Desired("10027", {}, active=False)
    assert list(MAPPING.records(source(moved))) == list(MAPPING.records(source(stayed)))


def test_leavers_come_first_then_everybody_in_the_order_of_numbers() -> None:
    rows = [
        ROW._replace(employee=number, term_date="2025-01-01" if number in (9, 1000) else None)
        for number in (1000, 200, 30, 9)
    ]
    assert [record.key for record in MAPPING.records(source(*rows))] == ["9", "1000", "30", "200"]


KNOWN = frozenset({"10027"})


@pytest.mark.parametrize(
    ("mails", "compared", "on_creation"),
    [
        (MailDirectory({"10027": "ann@company.example"}, KNOWN), "ann@company.example", None),
        (MailDirectory({}), "ann@home.example", None),
        (MailDirectory({}, KNOWN), None, "ann@home.example"),
        (MailDirectory({}, KNOWN, ambiguous=KNOWN), None, "ann@home.example"),
    ],
)
def test_the_private_address_never_replaces_one_because_an_account_is_unusable(
    mails: MailDirectory, compared: str | None, on_creation: str | None
) -> None:
    desired = wanted(ROW, mails=mails)
    assert (desired.fields.get("email"), desired.create_only.get("email")) == (compared, on_creation)
    assert bool(desired.warnings) == bool(mails.ambiguous)


@pytest.mark.parametrize("email", [None, " ", "none", "ann@home"])
def test_a_missing_or_malformed_e_mail_is_contested_and_costs_no_other_field(email: str | None) -> None:
    result = wanted(ROW._replace(email=email))
    assert "enter one in Vista" in result.contested["email"].text
    assert "@" not in result.contested["email"].text
    expected = causes.EMAIL_MALFORMED if (email or "").strip() else causes.EMAIL_MISSING
    assert result.contested["email"].cause is expected
    assert (result.fields["last_name"], result.fields.get("email")) == (wanted(ROW).fields["last_name"], None)


def contested(*rows: EmployeeRow, mails: MailDirectory | None = None) -> list[str | None]:
    """Why each one's e-mail is contested, None where it is not."""
    results = mapped(*rows, mails=mails or MailDirectory({}))
    found = [result.contested.get("email") for result in results if isinstance(result, Desired)]
    return [reason and reason.text for reason in found]


def test_an_e_mail_of_two_is_contested_for_both_and_names_the_other() -> None:
    reasons = [reason or "" for reason in contested(ROW, OTHER._replace(email="ANN@ home.example"))]
    assert ["10028" in reasons[0], "10027" in reasons[1]] == [True, True]
    assert "ann" not in " ".join(reasons).lower()


def test_only_a_few_of_many_sharers_are_named() -> None:
    rows = [ROW._replace(employee=number, phone=None) for number in range(10001, 10101)]
    reasons = [reason for reason in contested(*rows) if reason is not None]
    assert len(reasons) == 100
    assert "10002, 10003, 10004, 10005, 10006 and 94 more" in reasons[0]
    assert "10001, 10002, 10003, 10004, 10005 and 94 more" in reasons[-1]


@pytest.mark.parametrize("change", [{"term_date": "2025-01-01"}, {"hire_date": "2025-08-01"}])
def test_somebody_who_is_not_here_contests_neither_e_mail_nor_phone(change: dict[str, Any]) -> None:
    absent = ROW._replace(employee=10000, **change)
    desired = next(result for result in mapped(absent, ROW) if result.key == "10027")
    assert isinstance(desired, Desired)
    assert desired.fields["mobile_phone"] == "+15045550142"


@pytest.mark.parametrize(
    ("accounts", "free_of_dispute"),
    [({"10028": "ann@home.example"}, [False, True]), ({"10027": "ann@home.example"}, [True, False])],
)
def test_a_shared_e_mail_is_that_of_the_one_whose_enabled_account_has_it(
    accounts: dict[str, str], free_of_dispute: list[bool]
) -> None:
    mails = MailDirectory(usable=accounts, known=frozenset(accounts))
    reasons = contested(ROW, OTHER._replace(email="ann@home.example"), mails=mails)
    assert [reason is None for reason in reasons] == free_of_dispute


def test_an_e_mail_that_two_enabled_accounts_have_is_nobodys() -> None:
    accounts = {"10027": "crew@home.example", "10028": "crew@home.example"}
    mails = MailDirectory(usable=accounts, known=frozenset(accounts))
    assert None not in contested(ROW, OTHER, mails=mails)


def test_a_shared_phone_is_wanted_by_both_and_given_out_by_the_plan() -> None:
    results = mapped(OTHER._replace(phone="1 (504) 555 0142"), ROW)
    wanted_phones = [result.fields["mobile_phone"] for result in results if isinstance(result, Desired)]
    assert wanted_phones == ["+15045550142"] * 2


@pytest.mark.parametrize(
    ("row", "claim"),
    [
        (ROW, Claim(left=False, email="ann@home.example", mobile_phone="+15045550142")),
        (
            ROW._replace(term_date="2025-01-01"),
            Claim(left=True, email="ann@home.example", mobile_phone="+15045550142"),
        ),
        (ROW._replace(phone="none", email="x"), Claim(left=False, email=None, mobile_phone=None)),
    ],
    ids=["active", "left", "nothing usable"],
)
def test_what_the_source_claims_for_somebody(row: EmployeeRow, claim: Claim) -> None:
    assert MAPPING.claims(source(row, OTHER), {"10027", "99"}) == {"10027": claim}


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"phone": "555"}, {"mobile_phone", "work_phone"}),
        ({"state": "Louisiana"}, {"state"}),
        ({"zip_code": "7036"}, {"zip_code"}),
        ({"country": "USA"}, {"country"}),
        ({"birth_date": "2031-02-03"}, {"date_of_birth"}),
        ({"birth_date": "1899-12-31"}, {"date_of_birth"}),
        ({"birth_date": "1900-01-01"}, {"date_of_birth"}),
        ({"birth_date": "3 May 1980"}, {"date_of_birth"}),
    ],
)
def test_a_malformed_field_is_dropped_with_one_warning_that_does_not_repeat_it(
    change: dict[str, Any], missing: set[str]
) -> None:
    desired = wanted(ROW._replace(**change))
    assert not missing & set(desired.fields)
    assert len(desired.warnings) == 1
    assert not any(value in desired.warnings[0].text for value in change.values())


@pytest.mark.parametrize(
    ("field", "empty"),
    [("phone", " "), ("sex", "X"), ("birth_date", None), ("state", None), ("title", " "), ("city", "")],
)
def test_an_empty_source_leaves_the_field_out_without_a_warning(field: str, empty: str | None) -> None:
    desired = wanted(changed({field: empty}))
    assert None not in desired.fields.values()
    assert len(desired.fields) < len(wanted(ROW).fields)
    assert desired.warnings == ()


@pytest.mark.parametrize(("field", "column"), [("first_name", "FirstName"), ("last_name", "LastName")])
def test_a_name_of_nothing_visible_is_invalid(field: str, column: str) -> None:
    result = rejected(changed({field: " \x00 "}))
    assert (result.kind, result.field) == ("invalid", column)


@pytest.mark.parametrize(
    ("change", "more", "site"),
    [
        ({}, {}, Ref("jobs", "123.")),
        ({}, {"job_keys": frozenset()}, Ref("offices", "Gulf")),
        ({}, {"latest_jobs": {}}, Ref("offices", "Gulf")),
        ({"department": " 07 "}, {"latest_jobs": {}}, Ref("offices", "Gulf")),
        ({"department": "08"}, {}, Ref("jobs", "123.")),
    ],
)
def test_the_home_site_is_the_latest_open_job_or_the_regions_office(
    change: dict[str, Any], more: dict[str, Any], site: Ref
) -> None:
    assert wanted(ROW._replace(**change), **more).fields["home_site_id"] == site


@pytest.mark.parametrize(
    ("department", "reason"),
    [
        ("08", "region Coast has two offices"),
        ("09", "region Delta has no office"),
        ("10", "department 10 has no region"),
        (None, "no department"),
    ],
)
def test_without_a_home_site_there_is_none_and_the_cause_is_told(department: str | None, reason: str) -> None:
    result = wanted(ROW._replace(department=department), latest_jobs={})
    assert "home_site_id" not in result.fields
    assert reason in result.contested["home_site_id"].text


def test_a_new_latest_job_changes_the_facts() -> None:
    before, after = (list(MAPPING.records(source(ROW, latest_jobs=jobs))) for jobs in ({}, {10027: "123."}))
    assert before != after


def test_facts_are_flat() -> None:
    (record,) = MAPPING.records(source(ROW))
    assert isinstance(record, SourceRecord)
    assert type(record.facts) is tuple
    nested = [fact for fact in record.facts if isinstance(fact, tuple | list | dict)]
    assert nested == [()], "the columns that rules name besides"


def test_rows_without_number_or_with_the_same_number_are_rejected() -> None:
    results = mapped(ROW._replace(employee=None), ROW, ROW)
    assert [(type(result), result.key) for result in results] == [
        (Rejected, "? (row 1)"),
        (Rejected, "10027"),
        (Rejected, "10027"),
    ]


def user(**more: Any) -> dict[str, Any]:
    return {"id": "ab1Cd", "emp_id": "10027", "first_name": "Ann", "last_name": "Lee", **more}


@pytest.mark.parametrize(
    ("row", "field", "expected"),
    [
        (user(system_access=True), "system_access", 1),
        (user(system_access=False), "system_access", 0),
        (user(current_title={"id": 7, "name": "Foreman"}), "current_title_id", 7),
        (user(current_title=None), "current_title_id", None),
        (user(home_site_id=12, home_site={"id": 12}), "home_site_id", 12),
        (user(home_site={"id": 12}), "home_site_id", 12),
        (user(email="Ann@Home.example"), "email", "ann@home.example"),
        (user(gender=2), "gender", 2),
        (user(date_of_birth="1980-02-03 00:00:00"), "date_of_birth", "1980-02-03"),
        (user(zip_code="70360-"), "zip_code", "70360"),
    ],
)
def test_a_users_fields_are_normalised_like_the_sources(
    row: dict[str, Any], field: str, expected: Any
) -> None:
    target = MAPPING.target(row)
    assert target is not None
    assert target.fields[field] == expected


@pytest.mark.parametrize(("emp_id", "key"), [(" 10027 ", "10027"), (None, None), ("", None), ("T-5", "T-5")])
def test_a_user_is_recognised_by_the_employee_number(emp_id: str | None, key: str | None) -> None:
    target = MAPPING.target(user(emp_id=emp_id))
    assert target is not None
    assert target.key == key


def test_a_deleted_user_is_none() -> None:
    assert MAPPING.target(user(deleted_at="2025-01-01 00:00:00")) is None


@pytest.mark.parametrize(
    "row",
    [
        ROW,
        ROW._replace(
            first_name="Jos\u00e9\x07  Luis ", street2="Apt\t2", middle_name="M", country="us", sex="m"
        ),
        ROW._replace(country="CA", state="on", zip_code="k1a 0b1", phone="44 20 7946 0958"),
        ROW._replace(phone="bad", zip_code="bad", state="bad", birth_date="bad", title=None),
    ],
)
def test_what_was_created_needs_no_update(row: EmployeeRow) -> None:
    desired = wanted(row)
    ids = {"home_site_id": 12, "current_title_id": 7}
    answer = {**desired.create_only, **desired.fields, "id": "ab1Cd", "system_access": True}
    answer |= {"home_site_id": 12, "current_title": {"id": 7, "name": "Foreman"}}
    answer.pop("current_title_id", None)
    target = MAPPING.target(answer)
    assert target is not None
    assert target.key == desired.key
    resolved = {name: ids.get(name, value) for name, value in desired.fields.items()}
    assert resolved.items() <= target.fields.items()
    assert set(MAPPING.core(target.fields)) == {"first_name", "last_name", "email"}


NUMBERS: list[Any] = [
    10027.0,
    Decimal("10027.00"),
    "10027",
    " 10027 ",
    "10027.0",
    "010027",
    "\uff11\uff10\uff10\uff12\uff17",
]


@pytest.mark.parametrize("number", NUMBERS, ids=repr)
def test_an_employee_number_is_the_same_whatever_the_type_of_its_column(number: Any) -> None:
    row = ROW._replace(employee=number)
    assert wanted(row) == wanted(ROW)
    assert list(MAPPING.records(source(row))) == list(MAPPING.records(source(ROW))), "nor is it a change"


@pytest.mark.parametrize(
    "number", [10027.5, "1001.5", "A12", -3, "-3", True, b"10027", float("nan"), Decimal("NaN"), "1" * 30]
)
def test_what_is_no_employee_number_is_reported_and_nobody_is_created_for_it(number: Any) -> None:
    odd, good = mapped(ROW._replace(employee=number), OTHER, latest_jobs={10028: "123."})
    assert isinstance(odd, Rejected)
    assert (odd.kind, odd.field, good.key) == ("invalid", "Employee", "10028")
    assert "no employee number" in odd.reason
    assert "row 1" in odd.reason


def test_rows_of_one_number_in_two_forms_are_both_reported() -> None:
    results = mapped(ROW, ROW._replace(employee="010027"), ROW._replace(employee=10027.0))
    assert {(type(result), result.key) for result in results} == {(Rejected, "10027")}
    assert len(results) == 3


def test_latest_jobs_are_found_by_the_normal_form_of_their_number() -> None:
    latest = [(10027.0, "1."), ("010028", "2."), (None, "3."), ("A12", "4."), (Decimal("10029.00"), "5.")]
    assert jobs_by_number(latest) == {10027: "1.", 10028: "2.", 10029: "5."}


@pytest.mark.parametrize(
    ("emp_id", "key"),
    [
        ("010027", "10027"),
        (10027, "10027"),
        ("10027.0", "10027"),
        (" 10027", "10027"),
        ("A12", "A12"),
        ("", None),
        (["1"], None),
    ],
)
def test_a_user_is_known_by_the_normal_form_of_emp_id(emp_id: Any, key: str | None) -> None:
    target = MAPPING.target({"id": "abcde", "emp_id": emp_id})
    assert target is not None
    assert target.key == key


@pytest.mark.parametrize("value", [b"Pat", True, ["Pat"], {"a": 1}])
@pytest.mark.parametrize("column", ["first_name", "last_name"])
def test_a_name_that_is_no_text_is_reported_as_such(column: str, value: Any) -> None:
    reason = rejected(changed({column: value})).reason
    assert "is no text: mend it in Vista" in reason
    assert "empty" not in reason


@pytest.mark.parametrize(
    ("column", "field"),
    [
        *(("middle_name", "middle_name"), ("street", "street"), ("street2", "street2"), ("city", "city")),
        *(
            ("title", "current_title_id"),
            ("state", "state"),
            ("zip_code", "zip_code"),
            ("country", "country"),
        ),
        *(("phone", "both phones"), ("birth_date", "date_of_birth")),
    ],
)
def test_a_value_that_is_no_text_costs_its_field_with_a_warning(column: str, field: str) -> None:
    desired = wanted(changed({column: b"\x00\x01"}))
    assert [warning for warning in desired.warnings if warning.text.startswith(f"{field} dropped")]
    assert "b'" not in repr(desired.fields)


def test_no_value_of_any_column_makes_the_mapping_fail() -> None:
    odd: list[Any] = [
        b"x",
        True,
        1.5,
        float("nan"),
        Decimal("NaN"),
        "\ud83d",
        "\u3164",
        10**30,
        date(1, 1, 1),
    ]
    for column in EmployeeRow._fields:
        for value in odd:
            odd_row, other = changed({column: value}), OTHER
            results = mapped(odd_row, other, latest_jobs={10027: value, 10028: "123."})
            assert [result for result in results if isinstance(result, Desired) and result.key == "10028"]
            assert not [result for result in results if "b'" in repr(result)], (column, value)


def test_the_title_column_is_called_as_the_setting_calls_it() -> None:
    mapping = employees.mapping(MappingOptions(title_column="udRank"))
    given = source(changed({"title": b"x"}))
    (record,) = mapping.records(given)
    assert isinstance(record, SourceRecord)
    desired = mapping.desired(record)
    assert isinstance(desired, Desired)
    assert texts_of(desired.warnings) == ("current_title_id dropped: udRank is no text",)


def test_telephones_without_country_are_those_of_the_default_country() -> None:
    mexico = MappingOptions(default_country="MX")
    mapping = employees.mapping(mexico)
    given = source(
        ROW._replace(phone="55 1234 5678"), OTHER._replace(phone="+52 55 1234 5678"), options=mexico
    )
    first, second = (
        mapping.desired(record) for record in mapping.records(given) if isinstance(record, SourceRecord)
    )
    assert isinstance(first, Desired)
    assert isinstance(second, Desired)
    assert (first.fields["mobile_phone"], first.fields["work_phone"]) == ("+525512345678",) * 2
    assert second.fields["mobile_phone"] == first.fields["mobile_phone"], "it is the same number"
    target = mapping.target({"id": "abcde", "mobile_phone": "55 1234 5678"})
    assert target is not None
    assert target.fields["mobile_phone"] == "+525512345678"


@pytest.mark.parametrize("phone", ["985-555-01470", "225-555-0100 / 225-555-0101", "call the office"])
def test_a_telephone_that_is_none_is_dropped_with_what_to_do(phone: str) -> None:
    desired = wanted(changed({"phone": phone}))
    assert not {"mobile_phone", "work_phone"} & {*desired.fields}
    assert "write one in full" in desired.warnings[0].text


def test_of_whom_names_cannot_be_read_nothing_is_known_and_the_log_says_of_whom(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing tells then whether a user is somebody else: that must be seen."""

    def odd(value: Any) -> str:
        if value == "Odd":
            raise ValueError
        return str(value)

    monkeypatch.setattr(cleaning, "iso_day", odd)
    people = MAPPING.people(source(ROW._replace(birth_date="Odd"), OTHER))
    assert people("10027") == {}
    assert people("10028")["last_name"] == "Lee"
    assert [record.getMessage() for record in caplog.records] == [
        "names and birth date of employee 10027 in Vista cannot be read"
    ]
