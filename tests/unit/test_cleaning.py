"""Each kind of value becomes what SafetyAmp takes, or None, and cleaning twice is cleaning once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from email_validator import validate_email

from shared.sync.entities import cleaning

DEFAULT_IGNORABLE = [
    *("\u00ad", "\u034f", "\u061c", "\u115f", "\u1160", "\u17b4", "\u17b5", "\u180b", "\u180e", "\u180f"),
    *("\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u202a", "\u202e", "\u2060", "\u2065", "\u2066"),
    *("\u2067", "\u2068", "\u2069", "\u206f", "\u3164", "\ufe00", "\ufe0f", "\ufeff", "\uffa0", "\ufff0"),
    *(
        "\ufff8",
        "\U0001bca0",
        "\U0001d173",
        "\U0001d17a",
        "\U000e0000",
        "\U000e0001",
        "\U000e0100",
        "\U000e0fff",
    ),
]
"""The ends of the ranges of DerivedCoreProperties.txt, and some between."""


def us_zip(value: object) -> str | None:
    return cleaning.zip_code(value, "US")


CASES: list[tuple[Callable[[Any], Any], Any, Any]] = [
    (cleaning.text, None, None),
    (cleaning.text, " \t ", None),
    (cleaning.text, " Foreman  II\n", "Foreman II"),
    (cleaning.text, "Fore\x00man\x07", "Foreman"),
    (cleaning.text, "tab\tand\xa0hard blank", "tab and hard blank"),
    (cleaning.text, "zero\u200bwidth\ufeff", "zerowidth"),
    (cleaning.text, "broken \ud83d emoji", "broken emoji"),
    (cleaning.text, "Sa\u0301nchez", "S\u00e1nchez"),
    (cleaning.text, "broken \ufffd value", "broken value"),
    (cleaning.text, "\u2068Ana\u2069", "Ana"),
    (cleaning.text, "A\u200cn\u200da\ufe0f", "Ana"),
    (cleaning.text, "An\U000e0041a", "Ana"),
    (cleaning.text, "\u3164", None),
    (cleaning.text, "\u115f\u1160 \uffa0", None),
    (cleaning.text, "\u2800\u200b", None),
    (cleaning.text, "Ana\u2800Lee", "Ana Lee"),
    (cleaning.text, "\U0001f600", "\U0001f600"),
    (cleaning.text, 70360, "70360"),
    (cleaning.text, 70360.0, "70360"),
    (cleaning.text, Decimal("70360.00"), "70360"),
    (cleaning.text, Decimal("0.50"), "0.50"),
    (cleaning.text, b"Pat", None),
    (cleaning.text, memoryview(b"Pat"), None),
    (cleaning.text, True, None),
    (cleaning.text, ["Pat"], None),
    (cleaning.text, float("nan"), None),
    (cleaning.text, Decimal("sNaN"), None),
    (cleaning.code, b"12345.", None),
    (cleaning.code, 7, "7"),
    (cleaning.code, 7.0, "7"),
    (cleaning.code, False, None),
    (cleaning.code, " 12345. ", "12345."),
    (cleaning.code, "  123-01", "123-01"),
    (cleaning.code, "007", "007"),
    (cleaning.code, "12  34", "12  34"),
    (cleaning.code, "  ", None),
    (cleaning.number, "010027", "10027"),
    (cleaning.number, "10027 ", "10027"),
    (cleaning.number, 10027, "10027"),
    (cleaning.number, "000", "0"),
    (cleaning.number, "0A12", "0A12"),
    (cleaning.number, " 1001 ", "1001"),
    (cleaning.number, "1001.0", "1001"),
    (cleaning.number, "001001.00", "1001"),
    (cleaning.number, "1001.", "1001"),
    (cleaning.number, 1001.0, "1001"),
    (cleaning.number, Decimal("1001.00"), "1001"),
    (cleaning.number, "\u200b1001\ufeff", "1001"),
    (cleaning.number, "\uff11\uff10\uff10\uff11", "1001"),
    (cleaning.number, "1001.5", "1001.5"),
    (cleaning.number, 1001.5, "1001.5"),
    (cleaning.number, "-3", "-3"),
    (cleaning.number, "1,001", "1,001"),
    (cleaning.number, b"1001", None),
    (cleaning.number, True, None),
    (cleaning.number, float("inf"), None),
    (cleaning.number, Decimal("NaN"), None),
    (cleaning.number, {}, None),
    (cleaning.email, " Ann.Lee @Example.COM ", "ann.lee@example.com"),
    (cleaning.email, "o'neil+x@mail.example.co.uk", "o'neil+x@mail.example.co.uk"),
    (cleaning.email, "ann@example", None),
    (cleaning.email, "ann.example.com", None),
    (cleaning.email, "a..b@example.com", None),
    (cleaning.email, "a@b@example.com", None),
    (cleaning.email, "ann@example.com.", None),
    (cleaning.email, "ann@-example.com", None),
    (cleaning.email, "ann@example.com;bob@example.com", None),
    (cleaning.email, "\u00e1nn@example.com", None),
    (cleaning.email, "a" * 65 + "@example.com", None),
    (cleaning.email, "\u2068ann\u2069@example.com\u200d", "ann@example.com"),
    (cleaning.email, "ann@m\u00fcnchen.example", "ann@xn--mnchen-3ya.example"),
    (cleaning.email, "ann@xn--mnchen-3ya.example", "ann@xn--mnchen-3ya.example"),
    (cleaning.email, "ann@ex--ample.com", None),
    (cleaning.email, "ann@xn--a.example", None),
    (cleaning.email, "ann@example.c", None),
    (cleaning.email, "Ann Lee <ann@example.com>", None),
    (cleaning.email, "a" * 64 + "@" + "b" * 60 + "." + "c" * 60 + "." + "d" * 60 + ".example.com", None),
    (cleaning.email, b"ann@example.com", None),
    (cleaning.email, 5, None),
    (cleaning.email, "none", None),
    (cleaning.email, "", None),
    (cleaning.phone, "504-555-0142", "+15045550142"),
    (cleaning.phone, "(504) 555.0142", "+15045550142"),
    (cleaning.phone, "1 504 555 0142", "+15045550142"),
    (cleaning.phone, "504\xa0555\xa00142", "+15045550142"),
    (cleaning.phone, "504-555-0142 ext. 12", "+15045550142"),
    (cleaning.phone, "504-555-0142x7", "+15045550142"),
    (cleaning.phone, "44 20 7946 0958", "+442079460958"),
    (cleaning.phone, "+47 2198 7654", "+4721987654"),
    (cleaning.phone, "011 44 20 7946 09", None),
    (cleaning.phone, "555-0142", None),
    (cleaning.phone, "1234567890123456", None),
    (cleaning.phone, "none", None),
    (cleaning.day, datetime(2024, 5, 6, 0, 0), date(2024, 5, 6)),  # noqa: DTZ001 - as pyodbc gives it
    (cleaning.day, date(2024, 5, 6), date(2024, 5, 6)),
    (cleaning.day, "2024-05-06 00:00:00", date(2024, 5, 6)),
    (cleaning.day, "2024-05-06T00:00:00", date(2024, 5, 6)),
    (cleaning.day, " ", None),
    (cleaning.iso_day, "2024-05-06", "2024-05-06"),
    (cleaning.iso_day, "06/05/2024", None),
    (cleaning.gender, "M", 1),
    (cleaning.gender, "f ", 0),
    (cleaning.gender, "X", None),
    (cleaning.gender, 0, 0),
    (cleaning.gender, 2, None),
    (cleaning.gender, None, None),
    (cleaning.two_letters, "la ", "LA"),
    (cleaning.two_letters, "NSW", None),
    (cleaning.two_letters, "L1", None),
    (us_zip, "70360-", "70360"),
    (us_zip, "70360-1234", "70360-1234"),
    (us_zip, "703601234", "70360-1234"),
    (us_zip, "70360", "70360"),
    (us_zip, "7036", None),
    (us_zip, " ", None),
    (lambda value: cleaning.zip_code(value, "CA"), "k1a 0b1", "K1A 0B1"),
    (cleaning.flag, True, 1),
    (cleaning.flag, False, 0),
    (cleaning.flag, 0, 0),
    (cleaning.flag, "0", 0),
    (cleaning.flag, "1", 1),
    (cleaning.flag, "false", 0),
    (cleaning.flag, None, None),
]


@pytest.mark.parametrize(("clean", "raw", "expected"), CASES)
def test_a_value_is_cleaned(clean: Callable[[Any], Any], raw: Any, expected: Any) -> None:
    assert clean(raw) == expected


@pytest.mark.parametrize(("clean", "raw", "expected"), CASES)
def test_cleaning_what_is_clean_changes_nothing(clean: Callable[[Any], Any], raw: Any, expected: Any) -> None:
    assert clean(clean(raw)) == clean(raw)


ODD: list[Any] = [
    b"x",
    memoryview(b"x"),
    True,
    1.5,
    float("nan"),
    Decimal("NaN"),
    [],
    {"a": 1},
    10**50,
    object(),
]


# Names without addresses, in an order that every process has: parallel workers compare them.
@pytest.mark.parametrize("value", ODD, ids=[f"{type(value).__name__}{i}" for i, value in enumerate(ODD)])
@pytest.mark.parametrize(
    "clean", [clean for clean in dict.fromkeys(case[0] for case in CASES) if clean != cleaning.day]
)
def test_no_value_of_any_type_makes_cleaning_fail(clean: Callable[[Any], Any], value: Any) -> None:
    cleaned = clean(value)
    assert cleaned is None or isinstance(cleaned, str | int)
    assert not str(cleaned).startswith(("b'", "<memory", "[", "{"))


@pytest.mark.parametrize("value", [b"2024-01-01", 20240101, [], True])
def test_what_is_no_date_and_no_text_is_not_no_date(value: Any) -> None:
    with pytest.raises(ValueError):
        cleaning.day(value)


@pytest.mark.parametrize("sign", DEFAULT_IGNORABLE)
def test_what_unicode_calls_default_ignorable_shows_nothing(sign: str) -> None:
    assert cleaning.text(sign) is None
    assert cleaning.text(f"A{sign}na") == "Ana"
    assert cleaning.email(f"{sign}ann@example.com") == "ann@example.com"
    assert not cleaning.is_given(sign)


def test_the_cheap_way_for_addresses_takes_what_the_library_takes() -> None:
    for address in (
        "ann@example.com",
        "o'neil+x@mail.example.co.uk",
        "a_b-c@x1.example",
        "{ann}@example.org",
    ):
        checked = validate_email(address, check_deliverability=False)
        assert cleaning.email(address) == checked.normalized == address


@pytest.mark.parametrize(
    "written", ["06/05/2024", "2024-13-01", "2024-W01-1", "20240506", "2024-05-061", "soon"]
)
def test_an_unreadable_date_is_not_no_date(written: str) -> None:
    with pytest.raises(ValueError):
        cleaning.day(written)


@pytest.mark.parametrize("written", ["5045550142", "504-555-0142", "000-555-0142"])
def test_the_short_cut_for_frequent_phone_forms_gives_what_the_long_way_gives(written: str) -> None:
    assert cleaning.phone(written) == cleaning.phone(f" {written} ") == "+1" + written.replace("-", "")


def test_a_value_of_the_target_that_cannot_be_cleaned_stays_visible() -> None:
    assert cleaning.normalised(cleaning.gender, 2) == 2
    assert cleaning.normalised(cleaning.phone, "call me") == "call me"
    assert cleaning.normalised(cleaning.phone, "") is None
    assert cleaning.normalised(cleaning.gender, None) is None
