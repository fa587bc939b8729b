"""Each kind of value becomes what SafetyAmp takes, or None, and cleaning twice is cleaning once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest

from shared.sync.entities import cleaning


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
    (cleaning.flag, None, None),
]


@pytest.mark.parametrize(("clean", "raw", "expected"), CASES)
def test_a_value_is_cleaned(clean: Callable[[Any], Any], raw: Any, expected: Any) -> None:
    assert clean(raw) == expected


@pytest.mark.parametrize(("clean", "raw", "expected"), CASES)
def test_cleaning_what_is_clean_changes_nothing(clean: Callable[[Any], Any], raw: Any, expected: Any) -> None:
    assert clean(clean(raw)) == clean(raw)


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
