"""Telephones as people write them, in whatever country, and none that was not written."""

from __future__ import annotations

import subprocess
import sys

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat

from shared.sync.entities.cleaning import phone

NUMBER = "+19855550147"

EXTENSIONS = [
    *(
        "x12",
        "X 12",
        " x. 12",
        " ext 12",
        " ext. 12",
        " EXT.12",
        " Ext: 12",
        " ext#12",
        " extn 12",
        " extn. 12",
    ),
    *(" extension 12", " Extension: 12", " extensión 12", " xt 12", " poste 12", " anexo 12", " int. 12"),
    *(" #12", "#12", ";ext=12", ";12", ",12", ",,12", ", 12", " w12", "p12", "*12", " ext. 123456"),
    *(" / x12", " /", "/ext. 12", " / cell"),
    *(" ext. 12 (Bob)", " x12 home", " ext", " (cell)", " cell", " - mobile", " Bob's"),
]


@pytest.mark.parametrize("behind", EXTENSIONS)
@pytest.mark.parametrize("number", ["985-555-0147", "(985) 555-0147", "9855550147", "+1 985 555 0147"])
def test_what_stands_behind_a_number_is_left_off(number: str, behind: str) -> None:
    assert phone(number + behind) == NUMBER


@pytest.mark.parametrize(
    "written",
    [
        *(
            "985.555.0147",
            "985/555-0147",
            "985 555 0147",
            "1-985-555-0147",
            "1 (985) 555-0147",
            "1.985.555.0147",
        ),
        *(
            "+1-985-555-0147",
            "011 1 985 555 0147",
            "tel:+1-985-555-0147",
            "Home: 985-555-0147",
            "C 985-555-0147",
        ),
        *(
            "985\u2013555\u20130147",
            "985\xa0555\xa00147",
            "985\u2010555\u20110147",
            "\u202a985-555-0147\u202c",
        ),
        *("９８５－５５５－０１４７", "٩٨٥٥٥٥٠١٤٧", "9855550147.0"),
    ],
)
def test_a_domestic_number_is_read_in_each_usual_form(written: str) -> None:
    assert phone(written) == NUMBER


def test_a_number_of_a_numeric_column_is_read() -> None:
    assert phone(9855550147) == phone(9855550147.0) == NUMBER


@pytest.mark.parametrize(
    "written",
    [
        *("225-555-0100 / 225-555-0101", "225-555-0100/225-555-0101", "225-555-0100 or 225-555-0101"),
        *("225-555-0100 & 225-555-0101", "225-555-0100\n225-555-0101", "225-555-0100, 225-555-0101"),
        *("225-555-0100; 225-555-0101", "225-555-0100 225-555-0101", "225-555-0100 x12 or 225-555-0101"),
        *("225-555-0100 / 0101", "225-555-0100 ext. 12 / 13", "225-555-0100 x2255550101"),
        *("985-555-01470", "9855550147 0", "985-555-0147 12", "985555014712", "985-555-014", "555-0147"),
        *("1 (11) 500 555-0190", "12255550100225", "+1985555014712", "+1 985 555 014", "98555501471234"),
        *("+49 30 123456 / 123457", "+43 664 1234567 / 68", "+39 06 12345678/79", "49 30 123456 / 57"),
        *("+81 3-1234-5678 / 5679", "+81 3-1234-5678~9", "225-555-0100/0101/0102"),
        *("none", "n/a", "x", "+", "+1", "#", "-", "0", "1-800-FLOWERS", "call 2 friends", "0" * 40),
    ],
)
def test_two_numbers_or_a_digit_too_many_are_none_and_no_foreign_number(written: str) -> None:
    assert phone(written) is None


@pytest.mark.parametrize("value", [None, "", " ", "\u200b", b"9855550147", True, [], {}, float("nan")])
def test_what_is_no_text_and_no_number_is_none(value: object) -> None:
    assert phone(value) is None


@pytest.mark.parametrize(
    ("written", "whole"),
    [
        ("+44 20 7946 0958", "+442079460958"),
        ("+44 (0)20 7946 0958", "+442079460958"),
        ("44 20 7946 0958", "+442079460958"),
        ("011 44 20 7946 0958", "+442079460958"),
        ("+52 55 1234 5678", "+525512345678"),
        ("52 55 1234 5678 ext. 3", "+525512345678"),
        ("+44 20 7946 0958 x7", "+442079460958"),
        ("+390612345678", "+390612345678"),
        ("+49 30/123456", "+4930123456"),
        ("+49 (0)33203/12345", "+493320312345"),
        ("011 49 33203/12345", "+493320312345"),
        ("+49 30 123456 /", "+4930123456"),
        ("+49 30 123456 / x12", "+4930123456"),
    ],
)
def test_a_foreign_number_says_its_country(written: str, whole: str) -> None:
    assert phone(written) == whole


@pytest.mark.parametrize(
    ("written", "region", "whole"),
    [
        ("55 1234 5678", "MX", "+525512345678"),
        ("656 123 4567", "MX", "+526561234567"),
        ("52 55 1234 5678", "MX", "+525512345678"),
        ("+1 204 555 0199", "MX", "+12045550199"),
        ("204-555-0199", "CA", "+12045550199"),
        ("020 7946 0958", "GB", "+442079460958"),
        ("030/123456", "DE", "+4930123456"),
        ("030/123456 Durchwahl 12", "DE", "+4930123456"),
        ("0049 33203/12345", "DE", "+493320312345"),
        ("030 123456 / 57", "DE", None),
        ("204-555-01990", "MX", None),
    ],
)
def test_a_number_without_country_is_one_of_the_default_country(
    written: str, region: str, whole: str | None
) -> None:
    assert phone(written, region) == whole


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_each_countrys_example_is_read_in_each_form_and_stays_what_it_is(region: str) -> None:
    example = phonenumbers.example_number(region)
    assert example is not None
    whole = phonenumbers.format_number(example, PhoneNumberFormat.E164)
    for form in (PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL):
        assert phone(phonenumbers.format_number(example, form), region) == whole
    assert phone(whole) == whole, "SafetyAmp's value is cleaned under any default country"


def test_fictional_and_unassigned_numbers_are_not_judged() -> None:
    """A table of assigned numbers would age: a new area code must not be dropped."""
    assert phone("225-555-1002") == "+12255551002"
    assert phone("934-555-0100") == "+19345550100"


def test_starting_the_app_loads_none_of_the_two_libraries() -> None:
    code = (
        "import sys, function_app; from shared.sync.entities import cleaning as c;"
        "assert c.phone('(985) 555-0147') and c.phone('+19855550147') and c.email('Ann@x.example');"
        "sys.exit(bool({'phonenumbers', 'email_validator'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
