"""How one value of a source becomes a value that SafetyAmp takes; both sides of a comparison pass here.

None in and nothing usable both come out as None; where the difference matters, ask `text` as well. Every
function is idempotent: cleaning what is clean changes nothing; none raises for any value, unless it says so.
Telephone numbers: `phones.py`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal

from shared.sync.entities.phones import NORTH_AMERICA, e164

EARLIEST_DAY = date(1900, 1, 1)
"""What SQL Server makes of an empty text in a smalldatetime column, and that type's smallest value
(docs/contracts/vista.md#employees): a day that is not later than this one was never entered by anybody."""

LONGEST_ADDRESS = 254
LONGEST_LOCAL_PART = 64
_HUGE = 10**40
"""No column of a database holds more digits."""

_IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""What Unicode calls Default_Ignorable_Code_Point, shown as nothing at all: bidi isolates, joiners, fillers
and more."""
_CONTROLS = "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u070f\u08e2\ufff9-\ufffb"
_BROKEN = "\ud800-\udfff\ufffd"
"""Half a character, and what stands for one that could not be read (`shared/unreadable.py`)."""
_INVISIBLE = re.compile(f"[{_IGNORABLE}{_CONTROLS}{_BROKEN}]")
_BLANK_TO_THE_EYE = "\u2800"
"""The Braille pattern without dots is no white space to Python."""
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_EMAIL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])")
_TWO_LETTERS = re.compile(r"[A-Z]{2}")
_US_ZIP = re.compile(r"([0-9]{5})(?:[- ]?([0-9]{4})|-)?")
_WHOLE = re.compile(r"0*([0-9]+)(?:\.0*)?")


def text(value: object) -> str | None:
    """Control and invisible characters removed, runs of white space one blank, ends trimmed, NFC.

    None also for what is no text and no number (binary data, true, a list): its Python text must reach
    nobody. `is_given` tells it from nothing.
    """
    seen = _visible(value)
    return None if seen is None else unicodedata.normalize("NFC", " ".join(seen.split())) or None


def is_given(value: object) -> bool:
    """Whether there is a value at all, usable or not."""
    return value is not None and (not isinstance(value, str) or text(value) is not None)


def _visible(value: object) -> str | None:
    if not isinstance(value, str):
        return _written_number(value)
    # Nearly every value passes here, a hundred thousand people several times: this test costs a tenth of
    # the substitution.
    if value.isascii() and value.isprintable():
        return value
    return _INVISIBLE.sub("", value).replace(_BLANK_TO_THE_EYE, " ")


def _written_number(value: object) -> str | None:
    """A number as people write it, so that a column with decimals gives what one without them gives."""
    if isinstance(value, int):
        return None if isinstance(value, bool) else str(value)
    if isinstance(value, Decimal) and not value.is_finite():
        return None  # its NaN cannot even be compared
    if not isinstance(value, float | Decimal) or not -_HUGE < value < _HUGE:
        return None
    return str(int(value)) if value == int(value) else str(value)


def person_name(value: object) -> str | None:
    """A name as `text`; one in capitals only (DOE, O'NEIL) is written as people write it (Doe, O'Neil)."""
    name = text(value)
    return name.title() if name is not None and name.isupper() and len(name) > 1 else name


def code(value: object) -> str | None:
    """A code, trimmed; inner blanks, dots and leading zeros are part of it: `12345.`, `  123-01`
    (docs/contracts/vista.md#codes)."""
    seen = _visible(value)
    return None if seen is None else seen.strip() or None


def number(value: object) -> str | None:
    """An employee number as text: `001001`, ` 1001 ` and `1001.0` are 1001 (Graph's free text,
    docs/contracts/msgraph.md#fields; a column of a type with decimals).

    What is no whole number (`A12`, `1001.5`, `-3`) stays what it is: a number of nobody.
    """
    trimmed = code(value)
    if trimmed is None:
        return None
    found = _WHOLE.fullmatch(trimmed if trimmed.isascii() else unicodedata.normalize("NFKC", trimmed))
    return found[1] if found else trimmed


def email_text(value: object) -> str | None:
    """An address without white space and in lower case, not yet checked; cheap, for finding repeats."""
    seen = _visible(value)
    return None if seen is None else "".join(seen.split()).lower() or None


def email(value: object) -> str | None:
    """A well-formed address in ASCII (at most 254 characters, dotted domain), or None.

    The ordinary form is told by a pattern; only the rest costs the library its import and its time.
    """
    address = email_text(value)
    if address is None or len(address) > LONGEST_ADDRESS:
        return None
    if address.isascii():
        if address.find("@") > LONGEST_LOCAL_PART or not _EMAIL.fullmatch(address):
            return None
        if "--" not in address.partition("@")[2]:
            return address
    return _checked_address(address)


def _checked_address(address: str) -> str | None:
    """The address with its domain in ASCII, by the library; None when there is none.

    Whether the domain exists is not asked: a name server that is away must change nothing.
    """
    from email_validator import EmailNotValidError, validate_email  # 90 ms that hardly any process needs

    try:
        checked = validate_email(address, check_deliverability=False, allow_smtputf8=False)
    except (EmailNotValidError, UnicodeError):
        return None
    found = checked.ascii_email
    return found.lower() if found is not None and len(found) <= LONGEST_ADDRESS else None


def phone(value: object, region: str = "US") -> str | None:
    """E.164, which is all SafetyAmp takes (docs/contracts/safetyamp.md#values)."""
    written = value if isinstance(value, str) else _written_number(value)
    if not written:
        return None
    plain = written.replace("-", "")
    if len(plain) == 10 and region in NORTH_AMERICA and plain.isascii() and plain.isdecimal():
        return f"+1{plain}"  # by far the most frequent form; the way below gives the same
    seen = text(written)
    return None if seen is None else e164(seen if seen.isascii() else _western_digits(seen), region)


def _western_digits(seen: str) -> str:
    """Full-width and other countries' digits as 0 to 9."""
    narrow = unicodedata.normalize("NFKC", seen)
    return "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in narrow)


def day(value: object) -> date | None:
    """The day of a datetime, a date or an ISO text with or without a time; None for none or blank.

    Raises ValueError for anything else, so that a date that cannot be read is not taken for no date.
    """
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if not isinstance(value, str):
        raise ValueError("no date and no text")
    written = value.strip()
    if not written:
        return None
    if written[4:5] != "-" or written[7:8] != "-" or written[10:11] not in ("", " ", "T"):
        raise ValueError("not a date of the form YYYY-MM-DD")
    return date.fromisoformat(written[:10])


def iso_day(value: object) -> str | None:
    """`YYYY-MM-DD`, the only form of a date that SafetyAmp takes; None also for what is not a date."""
    try:
        found = day(value)
    except ValueError:
        return None
    return found.isoformat() if found else None


def gender(value: object) -> int | None:
    """1 male, 0 female (docs/contracts/safetyamp.md#values), from Vista's letter or SafetyAmp's number."""
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
    """SafetyAmp answers with true and false and is sent 1 and 0 (docs/contracts/safetyamp.md#values); unknown
    stays None."""
    return None if value is None else int(bool(value) and value not in ("0", "false"))


def normalised(clean: Callable[[object], object], value: object) -> object:
    """A value of SafetyAmp's, cleaned like the source's; what cannot be cleaned is kept as it is, so that
    it differs from every desired value instead of looking absent."""
    cleaned = clean(value)
    return value if cleaned is None and is_given(value) else cleaned
