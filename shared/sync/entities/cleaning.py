"""How one value of a source becomes a value that SafetyAmp takes; both sides of a comparison pass here.

None in and nothing usable both come out as None; where the difference matters, ask `text` as well. Every
function is idempotent: cleaning what is clean changes nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from shared.clients.rows import VistaDate

EARLIEST_DAY = date(1900, 1, 1)
"""What SQL Server makes of an empty text in a smalldatetime column, and that type's smallest value: a day
that is not later than this one was never entered by anybody."""

_INVISIBLE = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\ufeff\ud800-\udfff]"
)
_NOT_DIGITS = {character: None for character in range(128) if not 48 <= character <= 57}
_NO_DIGIT = re.compile(r"[^0-9]")
_EXTENSION = re.compile(r"\s*(?:extension|ext|x)[\s.:#]*[0-9]*\s*$", re.IGNORECASE)
_E164 = re.compile(r"[1-9][0-9]{10,14}")
_E164_AFTER_PLUS = re.compile(r"[1-9][0-9]{7,14}")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_EMAIL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])")
_TWO_LETTERS = re.compile(r"[A-Z]{2}")
_US_ZIP = re.compile(r"([0-9]{5})(?:[- ]?([0-9]{4})|-)?")


def text(value: object) -> str | None:
    """Control and invisible characters removed, runs of white space one blank, ends trimmed, NFC."""
    if value is None:
        return None
    return unicodedata.normalize("NFC", " ".join(_visible(value).split())) or None


def _visible(value: object) -> str:
    written = str(value)
    # Nearly every value passes here, a hundred thousand people several times: this test costs a tenth of
    # the substitution.
    if written.isascii() and written.isprintable():
        return written
    return _INVISIBLE.sub("", written)


def code(value: object) -> str | None:
    """A code, trimmed; inner blanks, dots and leading zeros are part of it (Vista contract: `12345.`,
    `  123-01`)."""
    if value is None:
        return None
    return _visible(value).strip() or None


def number(value: object) -> str | None:
    """An employee number as text: trimmed, and without leading zeros where it consists of digits
    (Graph contract: `010027` and `10027 ` are meant to be 10027)."""
    trimmed = code(value)
    if trimmed is None or not (trimmed.isascii() and trimmed.isdigit()):
        return trimmed
    return trimmed.lstrip("0") or "0"


def email_text(value: object) -> str | None:
    """An address without white space and in lower case, not yet checked; cheap, for finding repeats."""
    if value is None:
        return None
    return "".join(_visible(value).split()).lower() or None


def email(value: object) -> str | None:
    """A well-formed address (ASCII, dotted domain, at most 254 characters), or None."""
    address = email_text(value)
    if address is None or len(address) > 254 or address.find("@") > 64:
        return None
    return address if _EMAIL.fullmatch(address) else None


def phone(value: object) -> str | None:
    """E.164, which is all SafetyAmp takes (recorded traffic: anything else is 422 `validation.phone`).

    10 digits are a North American number; 11 to 15 that do not begin with 0 have their country code. An
    extension is cut off, because its digits would make another number. A leading `+` is believed.
    """
    if value is None:
        return None
    written = str(value)
    plain = written.replace("-", "")
    if len(plain) == 10 and plain.isascii() and plain.isdecimal():
        return f"+1{plain}"  # by far the most frequent form; the way below gives the same
    if "x" in written or "X" in written:
        written = _EXTENSION.sub("", written)
    digits = written.translate(_NOT_DIGITS) if written.isascii() else _NO_DIGIT.sub("", written)
    if written.lstrip()[:1] == "+":
        return f"+{digits}" if _E164_AFTER_PLUS.fullmatch(digits) else None
    if len(digits) == 10:
        return f"+1{digits}"
    return f"+{digits}" if _E164.fullmatch(digits) else None


def day(value: VistaDate) -> date | None:
    """The day of a datetime, a date or an ISO text with or without a time; None for none or blank.

    Raises ValueError for anything else, so that a date that cannot be read is not taken for no date.
    """
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    written = value.strip()
    if not written:
        return None
    if written[4:5] != "-" or written[7:8] != "-" or written[10:11] not in ("", " ", "T"):
        raise ValueError("not a date of the form YYYY-MM-DD")
    return date.fromisoformat(written[:10])


def iso_day(value: VistaDate) -> str | None:
    """`YYYY-MM-DD`, the only form of a date that SafetyAmp takes; None also for what is not a date."""
    try:
        found = day(value)
    except ValueError:
        return None
    return found.isoformat() if found else None


def gender(value: object) -> int | None:
    """1 male, 0 female (recorded traffic; the documents' 2 is wrong), from Vista's letter or SafetyAmp's
    number."""
    if isinstance(value, int):
        return int(value) if value in (0, 1) else None
    return {"M": 1, "F": 0}.get((text(value) or "").upper())


def two_letters(value: object) -> str | None:
    """A state or a country as its two capital letters."""
    letters = (text(value) or "").upper()
    return letters if _TWO_LETTERS.fullmatch(letters) else None


def zip_code(value: object, country: str) -> str | None:
    """`NNNNN` or `NNNNN-NNNN` for the US (a hanging hyphen is cut off); elsewhere the code in capitals."""
    written = (text(value) or "").upper()
    if country != "US":
        return written or None
    found = _US_ZIP.fullmatch(written)
    if found is None:
        return None
    return f"{found[1]}-{found[2]}" if found[2] else found[1]


def flag(value: object) -> int | None:
    """SafetyAmp answers with true and false and is sent 1 and 0; unknown stays None."""
    return None if value is None else int(bool(value))


def normalised(clean: Callable[[Any], Any], value: Any) -> Any:
    """A value of SafetyAmp's, cleaned like the source's; what cannot be cleaned is kept as it is, so that
    it differs from every desired value instead of looking absent."""
    cleaned = clean(value)
    return value if cleaned is None and value not in (None, "") else cleaned
