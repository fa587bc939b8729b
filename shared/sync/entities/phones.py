"""Telephone numbers as people write them become E.164, which is all SafetyAmp takes.

Its refusal (`validation.phone`, docs/contracts/safetyamp.md#values) is most likely the rule of a PHP port of
the library that is asked here. A number is looked at for whether it is possible (its length), never for
whether it is assigned: the library's tables age, and a real number that is dropped is worse than one that is
refused.
"""

from __future__ import annotations

import re

NORTH_AMERICA = frozenset({"US", "CA", "PR"})
"""Regions whose own numbers are told by their ten digits, without the library and its 0.05 ms."""

LEAST_OF_TWO = 9
"""Digits that are more than the codes of any country and area: `49` and `033203`."""

_PLAIN = str.maketrans("", "", "-(). ")
_DIGITS = re.compile(r"[0-9]+")
_ABROAD = re.compile(r"^(?:011|00)")
_POINT_NAUGHT = re.compile(r"(?<=[0-9])\.0+$")
_BEFORE = re.compile(r"^[^0-9+(]*")
_NUMBER = re.compile(r"[+]?[0-9\s().\-/\u2010-\u2015\u2212~]*")
_EXTENSION = re.compile(
    r"(?:;?\s*ext(?:ensi[oó]n|n)?|xt|x|poste|anexo|int(?:erno)?|durchwahl|dw|w|p|[#,;*])[\s.:=#,-]*"
    r"([0-9]{1,6})(?![0-9])",
    re.IGNORECASE,
)
_OWN_GROUP = re.compile(r"[1-9][0-9]{0,2}(?=[\s().\-/])")


def e164(written: str, region: str) -> str | None:
    """`+` and digits, or None for what is no number, or more than one. `region` is whose numbers are
    written without `+`. What stands behind the number is left off when it is an extension or words."""
    short = _in_short(written, region)
    return f"+1{short}" if short else _by_library(written, region)


def _in_short(written: str, region: str) -> str | None:
    """The ten digits of a number of North America in one of its frequent forms."""
    if written[:2] == "+1":
        digits = written[2:]
    elif region not in NORTH_AMERICA or written[-2:-1] == ".":
        return None
    else:
        digits = written.translate(_PLAIN)
        if len(digits) == 11 and digits[0] == "1":
            digits = digits[1:]
    return digits if len(digits) == 10 and digits.isascii() and digits.isdecimal() else None


def _by_library(written: str, region: str) -> str | None:
    number = _without_extension(_POINT_NAUGHT.sub("", written))
    if number is None:
        return None
    # Loaded at the first odd number: most companies' telephones never need it.
    from phonenumbers import (
        NumberParseException,
        PhoneNumberFormat,
        ValidationResult,
        format_number,
        is_possible_number_with_reason,
        parse,
    )

    try:
        found = parse(number, region)
    except NumberParseException:
        return None
    whole: str = format_number(found, PhoneNumberFormat.E164)
    is_possible = is_possible_number_with_reason(found) == ValidationResult.IS_POSSIBLE
    if is_possible and (found.country_code != 1 or _is_all_of(whole, number)):
        return whole
    return _foreign(number)


def _without_extension(written: str) -> str | None:
    """The first number of the text; None when other digits follow that are no extension."""
    start = _BEFORE.match(written)
    rest = written[start.end() :] if start else written
    found = _NUMBER.match(rest)
    number, rest = (rest[: found.end()], rest[found.end() :]) if found else ("", rest)
    extension = _EXTENSION.match(rest)
    if extension:
        rest = rest[extension.end() :]
    number = number.strip(" .-/~(")
    if any(character.isdigit() for character in rest) or _is_of_two(number):
        return None
    return number or None


def _is_of_two(number: str) -> bool:
    """Whether a whole number stands before a slash, so that another one, or its end, stands behind it. Before
    the slash of one number stands the code of its area: `+49 (0)33203/12345`."""
    before = number.replace("~", "/").rpartition("/")[0]
    return len(_ABROAD.sub("", "".join(_DIGITS.findall(before)))) >= LEAST_OF_TWO


def _is_all_of(whole: str, number: str) -> bool:
    """Whether nothing was passed over in a number of North America, where the library takes any 1 for a
    prefix: `1 (11) 500 555-0190` is no number of the area 500."""
    return "".join(_DIGITS.findall(number)).removeprefix("011") in (whole[1:], whole[2:])


def _foreign(number: str) -> str | None:
    """A number of another country without `+`, when its country code stands by itself and all of it is a
    number there; ten digits and an extension must never become one."""
    from phonenumbers import (
        NumberParseException,
        PhoneNumberFormat,
        format_number,
        is_valid_number,
        parse,
    )

    if not _OWN_GROUP.match(number):
        return None
    try:
        found = parse(f"+{number}", None)
    except NumberParseException:
        return None
    own = _DIGITS.match(number)
    alone = own is not None and own[0] == str(found.country_code)
    return format_number(found, PhoneNumberFormat.E164) if alone and is_valid_number(found) else None
