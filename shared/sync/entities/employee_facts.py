"""What an employee's mapping depends on, found for the whole company in one cheap pass.

This runs for everybody in every run, a hundred thousand people included, so it only parses dates, looks
things up and finds repeats; cleaning and judging fields is left to the mapping of those who changed.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date
from functools import cache
from typing import Literal, NamedTuple

from shared.clients.vista.rows import EmployeeRow
from shared.sync.entities import cleaning
from shared.sync.entities.employee_fields import EmployeeFields, employee_fields
from shared.sync.entities.keys import by_key
from shared.sync.entities.scoping import named_by_pilot, not_in_pilot, why_left_out
from shared.sync.findings.causes import KEYS, OUT_OF_SCOPE
from shared.sync.model import Claim, Facts, Rejected, SourceRecord
from shared.sync.sources import EmployeesSource, MailDirectory, MappingOptions

logger = logging.getLogger(__name__)

Standing = Literal["active", "left", "future", "bad HireDate", "bad TermDate", "out of scope"]
BAD_DATES: dict[str, str] = {"bad HireDate": "HireDate", "bad TermDate": "TermDate"}
"""The standings that cannot be told -> the column that says why."""

MailOrigin = Literal["graph", "vista", "unusable account", "ambiguous accounts"]
SiteKind = Literal["jobs", "offices", "crowded", "no office", "no region", "no job"]

_NAMED_AT_MOST = 5
_LONGEST_NUMBER = 18
_TELLING_DIGITS = 7
_NO_DIGITS = re.compile(r"\D+")


class EmployeeFacts(NamedTuple):
    """The facts of an active employee; anybody else's facts are the standing alone, because nothing else
    about them matters: a change of address of someone who left is no change."""

    standing: Standing
    row: EmployeeRow
    email: str | None
    """Without white space and in lower case, not yet checked."""
    mail_origin: MailOrigin
    email_sharers: str | None
    """Numbers of other active employees with the same e-mail, as text for people; None for the one of them
    whose enabled account has it."""
    site_kind: SiteKind
    site_key: str | None
    """The job, the region, or for "no region" the department."""

    @classmethod
    def of(cls, record: SourceRecord) -> EmployeeFacts:
        """The facts of an active employee's record, which holds them flat."""
        end = 1 + len(EmployeeRow._fields)
        return cls(record.facts[0], EmployeeRow._make(record.facts[1:end]), *record.facts[end:])


def employee_records(source: EmployeesSource) -> Iterator[SourceRecord | Rejected]:
    """Rejected rows, those whom the rules leave to others, then leavers, then everybody else; each in the
    order of their numbers."""
    rows, rejected = by_key(
        source.rows,
        key_of,
        "Employee",
        "Vista",
        KEYS["employees"],
        raw_of=lambda row: row.employee,
        rule="no employee number",
    )
    yield from rejected
    others: list[tuple[EmployeeRow, Standing]] = []
    rules = employee_fields(source.options)
    theirs = sorted(map(_with_number, rows.values()), key=_number)
    if rules.outside or rules.rules.pilot:
        theirs, left_to_others = _ours(theirs, rules, source.today)
        yield from left_to_others
    for row in theirs:
        stands = standing(row, source.today, rules)
        if stands == "left":
            yield SourceRecord(str(row.employee), (stands,))
        else:
            others.append((row, stands))
    facts = _active_facts([row for row, stands in others if stands == "active"], source)
    for row, stands in others:
        yield SourceRecord(str(row.employee), next(facts) if stands == "active" else (stands,))


def _ours(
    rows: list[EmployeeRow], rules: EmployeeFields, today: date
) -> tuple[list[EmployeeRow], list[SourceRecord | Rejected]]:
    """Rows that the rules let be synced, and what becomes of the others."""
    ours: list[EmployeeRow] = []
    others: list[SourceRecord | Rejected] = []
    for row in rows:
        key = str(row.employee)
        left_out = why_left_out("employees", key, row, rules.outside)
        if left_out is None:
            ours.append(row)
        elif left_out.cause is not OUT_OF_SCOPE or rules.rules.out_of_scope.do == "leave":
            others.append(left_out)
        elif standing(row, today, rules) == "left":
            ours.append(row)  # a leaver like any other
        else:
            others.append(SourceRecord(key, ("out of scope", left_out.reason)))
    if (pilot := rules.rules.pilot) is None:
        return ours, others
    named = named_by_pilot("employees", pilot, {str(row.employee): row.department for row in rows})
    chosen = named | {str(row.employee) for row in ours[: pilot.first or 0]}
    # Who is not in the pilot is left as they are, in scope or not.
    others = [
        not_in_pilot(other.key) if isinstance(other, SourceRecord) and other.key not in named else other
        for other in others
    ]
    others += [not_in_pilot(key) for row in ours if (key := str(row.employee)) not in chosen]
    return [row for row in ours if str(row.employee) in chosen], others


def jobs_by_number(latest: Iterable[tuple[object, str]]) -> dict[int, str]:
    """The latest job of each employee number, whatever the type of its column; what is none is left out."""
    return {number: job for employee, job in latest if (number := employee_number(employee)) is not None}


def employee_number(value: object) -> int | None:
    """The number in its normal form; None for what is none (`1001.5`, `A12`, negative)."""
    if type(value) is int:
        return value if value >= 0 else None
    written = cleaning.number(value)
    return int(written) if written and len(written) <= _LONGEST_NUMBER and written.isdecimal() else None


def with_account(rows: Iterable[EmployeeRow], mails: MailDirectory) -> int:
    """How many rows there are accounts of, enabled or not."""
    return sum(1 for row in rows if key_of(row) in mails.known)


def has_left(record: SourceRecord) -> bool:
    """Whether this employee's record is that of somebody who has left."""
    return bool(record.facts) and record.facts[0] == "left"


def is_future(record: SourceRecord) -> bool:
    """Whether this employee's record is that of somebody whose first day is yet to come."""
    return bool(record.facts) and record.facts[0] == "future"


def decides_on_access(record: SourceRecord) -> bool:
    """Whether the sync gives or takes this employee's access: not of somebody hired later, or with a date
    that is unusable."""
    return bool(record.facts) and record.facts[0] in ("active", "left", "out of scope")


def why_outside(record: SourceRecord) -> str | None:
    """Why somebody is switched off who is out of scope."""
    return record.facts[1] if record.facts and record.facts[0] == "out of scope" else None


def addresses(row: EmployeeRow, source: EmployeesSource) -> set[str | None]:
    """All that the sources have of somebody, not checked; None is among them where there is none."""
    rules = employee_fields(source.options)
    return {mail_of(row, source), cleaning.email_text(rules.raw_email(row))}


def mail_of(row: EmployeeRow, source: EmployeesSource) -> str | None:
    """The address of the account, or what Vista has, not checked."""
    return _mail(_with_number(row), source.mails, employee_fields(source.options))[0]


def key_of(row: EmployeeRow) -> str | None:
    """The number of a row in its normal form, None where it has no usable one."""
    number = employee_number(row.employee)
    return None if number is None else str(number)


def _with_number(row: EmployeeRow) -> EmployeeRow:
    # The row is part of the digest: another type of the column must not make everybody a changed record.
    return row if type(row.employee) is int else row._replace(employee=employee_number(row.employee))


def _number(row: EmployeeRow) -> int:
    return row.employee or 0


def standing(row: EmployeeRow, today: date, rules: EmployeeFields | None = None) -> Standing:
    """How somebody stands with the company today.

    The day of TermDate is the first day without access, or the last one with it, as the rules say. A
    TermDate before a HireDate that has come contradicts it (rehired, or mistyped), and locking out on a
    guess is not for us: it is a bad TermDate.
    One before a HireDate yet to come is somebody who left and will come back.
    """
    rules = rules or employee_fields(MappingOptions())
    if rules.is_inactive(row):
        return "left"
    hired = _day_or_earliest(row.hire_date)
    left = _day_or_earliest(row.term_date)
    if left is not None and left <= cleaning.EARLIEST_DAY:
        return "bad TermDate"
    if rules.has_left(left, today):
        is_contradiction = left is not None and hired is not None and left < hired <= today
        return "bad TermDate" if is_contradiction else "left"
    if hired is None or hired <= cleaning.EARLIEST_DAY:
        return "bad HireDate"
    return "future" if hired > today + rules.lead else "active"


def _day_or_earliest(value: object) -> date | None:
    try:
        return cleaning.day(value)
    except ValueError:
        return cleaning.EARLIEST_DAY


def _active_facts(active: list[EmployeeRow], source: EmployeesSource) -> Iterator[Facts]:
    """EmployeeFacts, flat, of active employees in the order of their numbers."""
    rules = employee_fields(source.options)
    mails = [_mail(row, source.mails, rules) for row in active]
    sharers = _sharers((mail[0], _number(row)) for row, mail in zip(active, mails, strict=True))
    owners = _owners(sharers, ((mail, _number(row)) for row, mail in zip(active, mails, strict=True)))
    code = cache(cleaning.code)  # few jobs and departments, many employees
    for row, mail in zip(active, mails, strict=True):
        is_shared = mail[0] in sharers and owners.get(mail[0]) != [_number(row)]
        others = _others(sharers[mail[0]], _number(row)) if is_shared else None
        yield ("active", *row, *mail, others, *_home_site(row, source, rules, code))


def _owners(
    sharers: Mapping[str | None, list[int]], mails: Iterable[tuple[tuple[str | None, MailOrigin], int]]
) -> dict[str | None, list[int]]:
    """Shared addresses with the numbers of those whose enabled account has it."""
    owners: dict[str | None, list[int]] = {}
    for (address, origin), number in mails if sharers else ():
        if address in sharers and origin == "graph":
            owners.setdefault(address, []).append(number)
    return owners


def claims_of(source: EmployeesSource, keys: Collection[str]) -> dict[str, Claim]:
    """What the source says of these people's unique values; without those whose number it has not, or has
    twice."""
    asked = (row for row in source.rows if key_of(row) in keys)
    rows, _ = by_key(asked, key_of, "Employee", "Vista", KEYS["employees"])
    return {key: _claim(_with_number(row), source) for key, row in rows.items()}


def rows_by_number(source: EmployeesSource) -> dict[str, EmployeeRow]:
    """All rows but those without a usable number, and those whose number is there twice."""
    rows, _ = by_key(source.rows, key_of, "Employee", "Vista", KEYS["employees"])
    return rows


def rows_with_any(
    source: EmployeesSource, keys: Collection[str], values: Collection[str]
) -> Iterator[tuple[str, EmployeeRow, set[str]]]:
    """The rows of those of these people for whom the sources have any of these e-mails, phones, last names
    (in lower case) or birth dates, with which of them. There can be tens of thousands of leavers: a phone is
    only made out when its last digits are among the values'."""
    endings = {value[-_TELLING_DIGITS:] for value in values}
    for row in source.rows:
        try:
            key = key_of(row)
            if key is not None and key in keys:
                has = _has_values(_with_number(row), source, endings)
                if theirs := {value for value in has if value is not None and value in values}:
                    yield key, row, theirs
        except Exception:
            # One odd value is nobody's, and of the others it says nothing.
            logger.exception("name, e-mail and phone of a row in Vista cannot be read")


def _has_values(row: EmployeeRow, source: EmployeesSource, endings: Collection[str]) -> set[str | None]:
    rules = employee_fields(source.options)
    has = addresses(row, source) | {
        _folded(rules.text("last_name", row)),
        rules.text("date_of_birth", row),
    }
    for raw in rules.raws("mobile_phone", row):
        if _NO_DIGITS.sub("", str(raw or ""))[-_TELLING_DIGITS:] in endings:
            has.add(cleaning.phone(raw, source.options.default_country))
    return has


def _folded(name: str | None) -> str | None:
    text = cleaning.text(name)
    return None if text is None else text.casefold()


def _claim(row: EmployeeRow, source: EmployeesSource) -> Claim:
    rules = employee_fields(source.options)
    address, origin = _mail(row, source.mails, rules)
    owned = cleaning.email(address) if origin in ("graph", "vista") else None
    return Claim(standing(row, source.today, rules) == "left", owned, rules.text("mobile_phone", row))


def _mail(row: EmployeeRow, mails: MailDirectory, rules: EmployeeFields) -> tuple[str | None, MailOrigin]:
    if not rules.asks_microsoft:
        return cleaning.email_text(rules.raw_email(row)), "vista"
    number = str(row.employee)
    address = mails.usable.get(number)
    if address is not None:
        return address, "graph"
    given = cleaning.email_text(rules.raw_email(row))
    if number in mails.ambiguous:
        return given, "ambiguous accounts"
    return given, "unusable account" if number in mails.known else "vista"


def _sharers(mails: Iterable[tuple[str | None, int]]) -> dict[str | None, list[int]]:
    """Addresses that several employees have, with their numbers in order."""
    first: dict[str, int] = {}
    shared: dict[str | None, list[int]] = {}
    for address, number in mails:
        if address is not None and (holder := first.setdefault(address, number)) != number:
            shared.setdefault(address, [holder]).append(number)
    return shared


def _others(sharers: list[int], own: int) -> str:
    # No more than are named, plus oneself, need be looked at: hundreds may share a made-up address.
    named = [str(number) for number in sharers[: _NAMED_AT_MOST + 1] if number != own][:_NAMED_AT_MOST]
    more = len(sharers) - 1 - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _home_site(
    row: EmployeeRow,
    source: EmployeesSource,
    rules: EmployeeFields,
    code: Callable[[str | None], str | None],
) -> tuple[SiteKind, str | None]:
    """By the first rule that gives a site; where none does, what the last one lacks."""
    found: tuple[SiteKind, str | None] = ("no job", None)
    for rule in rules.home_site_rules:
        found = _SITE_RULES[rule](row, source, code)
        if found[0] in ("jobs", "offices"):
            break
    return found


def _latest_open_job(
    row: EmployeeRow, source: EmployeesSource, code: Callable[[str | None], str | None]
) -> tuple[SiteKind, str | None]:
    job = code(source.latest_jobs.get(_number(row)))
    return ("jobs", job) if job is not None and job in source.job_keys else ("no job", None)


def _office_of_region(
    row: EmployeeRow, source: EmployeesSource, code: Callable[[str | None], str | None]
) -> tuple[SiteKind, str | None]:
    department = code(row.department)
    region = source.regions.get(department or "")
    if region is None:
        return "no region", department
    if region in source.crowded_offices:
        return "crowded", region
    return ("offices" if region in source.offices else "no office"), region


_SITE_RULES = {"latest_open_job": _latest_open_job, "office_of_region": _office_of_region}
