"""What becomes of one value of a source, written anew from docs/contracts/ and without the product's code."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from functools import lru_cache
from typing import Any

Record = dict[str, Any]
"""One record by field; ids are replaced by the keys of the records that they name."""

WHITE_SPACE = "\t\n\x0b\x0c\r\x85"
FIRST_REAL_DAY = date(1900, 1, 2)
"""1900-01-01 and earlier is what an empty date turns into in a smalldatetime column."""


def text(value: Any) -> str | None:
    """Trimmed, inner white space one blank, no control and format characters; nothing left, or
    no text at all: None."""
    return None if value is None or isinstance(value, bytes) else _cleaned(str(value))


@lru_cache(10_000)
def _cleaned(value: str) -> str | None:
    seen = "".join(sign for sign in value if sign in WHITE_SPACE or not _is_control(sign))
    return unicodedata.normalize("NFC", " ".join(seen.split())) or None


def _is_control(sign: str) -> bool:
    return unicodedata.category(sign) in ("Cc", "Cf", "Cs")


def code(value: Any) -> str | None:
    """Trimmed; the dot, leading zeros and inner blanks are part of a code (docs/contracts/vista.md#codes)."""
    return None if value is None else str(value).strip() or None


def employee_number(value: Any) -> str | None:
    """As text; `010027` and `10027 ` mean 10027 (docs/contracts/msgraph.md#fields)."""
    number = code(value)
    return str(int(number)) if number and number.isdecimal() else number


def email(value: Any) -> str | None:
    """White space out, lower case, and well-formed ASCII, or None (docs/contracts/safetyamp.md#users)."""
    address = "".join(str(value or "").split()).lower()
    return address if address.isascii() and re.fullmatch(r"[^@]+@([a-z0-9-]+\.)+[a-z]{2,}", address) else None


def phone(value: Any) -> str | None:
    """E.164 of an American number (docs/contracts/safetyamp.md#values), or None: the field is dropped, not
    the record. More digits than that are no number of another country unless there is a + before them."""
    digits = re.sub("[^0-9]", "", str(value or ""))
    if str(value or "").startswith("+"):
        return "+" + digits
    national = digits[1:] if digits[:1] == "1" and len(digits) == 11 else digits
    return "+1" + national if len(national) == 10 else None


def letters(value: Any) -> str | None:
    """The two letters of a state or a country; `LA ` is stored padded (docs/contracts/vista.md#employees)."""
    found = (text(value) or "").upper()
    return found if re.fullmatch("[A-Z]{2}", found) else None


def zip_code(value: Any, country: str | None) -> str | None:
    """`NNNNN` or `NNNNN-NNNN` in the US, where `NNNNN-` occurs and wrong ones do; elsewhere as it stands."""
    found = (text(value) or "").upper()
    if (country or "US") != "US":
        return found or None
    return found.rstrip("-") if re.fullmatch("[0-9]{5}(-|-[0-9]{4})?", found) else None


def gender(value: Any) -> int | None:
    """1 male, 0 female; other letters are not sent (docs/contracts/safetyamp.md#values)."""
    return {"M": 1, "F": 0}.get(text(value) or "")


def day(value: str | None) -> date | None:
    """The day of Vista's `YYYY-MM-DD 00:00:00`."""
    return date.fromisoformat(value[:10]) if value else None


def present(fields: Record) -> Record:
    """The fields with a value: an empty source never blanks a field of SafetyAmp (docs/what-it-does.md)."""
    return {name: value for name, value in fields.items() if value is not None}
