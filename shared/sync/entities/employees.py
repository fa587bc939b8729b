"""Employees: people of Vista's payroll, with their e-mail from Microsoft Graph, become users."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

from shared.clients.vista.rows import EmployeeRow
from shared.sync.entities import cleaning
from shared.sync.entities.current_people import CurrentPeople
from shared.sync.entities.employee_facts import (
    BAD_DATES,
    EmployeeFacts,
    claims_of,
    employee_records,
    mail_of,
    rows_by_number,
    rows_with_any,
)
from shared.sync.entities.employee_fields import employee_fields
from shared.sync.entities.fields import RowField, owned
from shared.sync.entities.notes import Notes
from shared.sync.findings import causes
from shared.sync.findings.causes import Reason
from shared.sync.model import (
    ACCESS,
    ApiRow,
    Claim,
    Desired,
    EntityName,
    FieldValues,
    JsonValue,
    KnownBy,
    Ref,
    Rejected,
    SourceRecord,
    Target,
    id_of,
)
from shared.sync.sources import EmployeesSource, MappingOptions

logger = logging.getLogger(__name__)


class EmployeesMapping:
    """Implements EntityMapping over EmployeesSource."""

    name: EntityName = "employees"
    version: int = 2

    def __init__(self, options: MappingOptions) -> None:
        self.options = options
        self.rules = options.rules.employees
        self._rules = employee_fields(options)
        self.more_columns: tuple[str, ...] = self._rules.columns.more

    def owns(self, name: str) -> bool:
        """Whether the source's value of a field wins."""
        return self._rules.owns(name)

    def records(self, source: EmployeesSource) -> Iterator[SourceRecord | Rejected]:
        """Leavers first, then the rest, in the order of their numbers; facts: see EmployeeFacts."""
        return employee_records(source)

    def desired(self, record: SourceRecord) -> Desired | Rejected:
        """A user; `active` False without fields for somebody who has left.

        Invalid without first name or last name; skipped before the first day. A home site that there is none
        of, and an e-mail that is missing, malformed or also somebody else's, are contested: that costs
        somebody new the record, and everybody else the field only.
        """
        key, standing = record.key, record.facts[0]
        if standing in ("left", "out of scope"):
            return Desired(key, {}, active=False)
        if standing == "future":
            reason = "hired on a later date: nothing to do before that day"
            return Rejected(key, "skipped", reason, "HireDate", cause=causes.HIRED_LATER)
        if standing in BAD_DATES:
            return _bad_date(key, BAD_DATES[standing])
        facts = EmployeeFacts.of(record)
        return self._problem(key, facts.row) or self._user(key, facts)

    def _user(self, key: str, facts: EmployeeFacts) -> Desired:
        notes = Notes()
        values = self._values(facts, notes)
        # With the account disabled or in doubt, Vista's address (mostly a private one) must do for a new
        # user, but never replaces the address of somebody who has one.
        fallback = cleaning.email(facts.email) if values["email"] is None else None
        if facts.mail_origin == "ambiguous accounts":
            text = "e-mail from Vista: two enabled Microsoft accounts have this employee number"
            notes.warn(text, causes.ACCOUNTS_AMBIGUOUS)
        needed: dict[str, JsonValue] = {"email": fallback, "emp_id": key, ACCESS: 1}
        roles = self.rules.fields["roles"].constant
        wanted = owned(key, values, self.rules.fields, notes, {**needed, "roles": Ref("roles", str(roles))})
        # Only somebody new cannot go without: who is in SafetyAmp has an address and a site there, and keeps
        # them.
        reasons = {"home_site_id": _site_problem(facts, self.options), "email": _mail_problem(facts)}
        if reasons["email"] is None and facts.email_sharers is not None:
            text = f"the e-mail is also that of employee {facts.email_sharers}: give each one of their own"
            reasons["email"] = Reason(text, causes.EMAIL_SHARED)
        contested = {name: reason for name, reason in reasons.items() if reason is not None}
        return replace(wanted, contested=contested) if contested else wanted

    def _problem(self, key: str, row: EmployeeRow) -> Rejected | None:
        for name, cause in (
            ("first_name", causes.FIRST_NAME_MISSING),
            ("last_name", causes.LAST_NAME_MISSING),
        ):
            field = self._rules.from_columns[name]
            if field.value(row) is None:
                what = "no text: mend" if cleaning.is_given(field.given(row)) else "empty: fill"
                column = field.columns[0]
                return Rejected(key, "invalid", f"{column} is {what} it in Vista", column, cause=cause)
        return None

    def _values(self, facts: EmployeeFacts, notes: Notes) -> dict[str, JsonValue]:
        """What the source says of each field that the rules take from it."""
        row, values = facts.row, dict[str, JsonValue]()
        for name, field in self._rules.from_columns.items():
            if not self._is_sent(name):
                continue
            values[name] = field.value(row)
            if values[name] is None and name in UNUSABLE:
                self._note(name, field, row, notes)
        values["email"] = cleaning.email(facts.email) if facts.mail_origin in ("graph", "vista") else None
        values["home_site_id"] = _home_site(facts)
        values["current_title_id"] = self._title(facts, notes)
        return values

    def _note(self, name: str, field: RowField, row: EmployeeRow, notes: Notes) -> None:
        phones = [self._rules.from_columns.get(one) for one in PHONES if self._is_sent(one)]
        called = name
        if name in PHONES and len(phones) == len(PHONES) and _same_columns(*phones):
            if name == "work_phone":
                return  # said of both
            called = "both phones"
        text, cause = UNUSABLE[name]
        rule = text.format(columns=" or ".join(field.columns), country=self.options.default_country)
        notes.kept(called, None, field.given(row), rule, cause)

    def _is_sent(self, name: str) -> bool:
        return self.rules.fields[name].owner != "nobody"

    def _title(self, facts: EmployeeFacts, notes: Notes) -> Ref | None:
        if not self._is_sent("current_title_id"):
            return None
        title, column = cleaning.text(facts.row.title), self.options.rules.titles.column
        notes.kept("current_title_id", title, facts.row.title, f"{column} is no text", causes.TITLE_UNUSABLE)
        return Ref("titles", title) if title else None

    def target(self, row: ApiRow) -> Target | None:
        """A user by the employee number; users without one are nobody's. `system_access` is 1 or 0."""
        if row.get("deleted_at") is not None:
            return None
        country = cleaning.two_letters(row.get("country")) or self.options.default_country
        fields: dict[str, JsonValue] = {name: cleaning.text(row.get(name)) for name in _TEXTS}
        fields |= {name: cleaning.normalised(clean, row.get(name)) for name, clean in _CLEANED.items()}
        for name in ("mobile_phone", "work_phone"):
            fields[name] = cleaning.normalised(self._phone, row.get(name))
        fields["zip_code"] = cleaning.normalised(
            lambda value: cleaning.zip_code(value, country), row.get("zip_code")
        )
        fields["home_site_id"] = _id(row, "home_site_id", "home_site")
        fields["current_title_id"] = _id(row, "current_title_id", "current_title")
        return Target(id_of(row), cleaning.number(row.get("emp_id")), fields)

    def _phone(self, value: object) -> str | None:
        return cleaning.phone(value, self.options.default_country)

    def match_value(self, record: SourceRecord) -> str | None:  # noqa: ARG002
        """None: nobody is adopted on the strength of a name or an address."""
        return None

    def claims(self, source: EmployeesSource, keys: Collection[str]) -> dict[str, Claim]:
        """What the source says of the unique values of these people."""
        return claims_of(source, keys)

    def people(self, source: EmployeesSource) -> Callable[[str], FieldValues]:
        """Gives names and birth date by the employee number, also of those who have left; none of a number
        that is not there, or twice."""
        rows = rows_by_number(source)
        return lambda key: self._person(key, rows[key]) if key in rows else {}

    def repeatable(self, source: EmployeesSource) -> Callable[[str], FieldValues]:
        """Gives what the sources have, by the employee number and also of those who have left, of the fields
        that every update must repeat."""
        rows = rows_by_number(source)

        def own(key: str) -> FieldValues:
            if (row := rows.get(key)) is None:
                return {}
            try:
                found = map(cleaning.email, (mail_of(row, source), self._rules.raw_email(row)))
                return {**self._person(key, row), "email": next(filter(None, found), None)}
            except Exception:
                logger.exception("the e-mail of employee %s cannot be read", key)
                return self._person(key, row)

        return own

    def current_people(self, source: EmployeesSource) -> CurrentPeople:
        """Those who have not left, by what a user can show of them."""
        return CurrentPeople(source)

    def known_by(
        self, source: EmployeesSource, keys: Collection[str], values: Collection[str]
    ) -> dict[str, KnownBy]:
        """Those of these people who have any of these e-mails, phones, last names (in lower case) or birth
        dates."""
        found = rows_with_any(source, keys, values)
        return {key: KnownBy(self._person(key, row), theirs) for key, row, theirs in found}

    def _person(self, key: str, row: EmployeeRow) -> FieldValues:
        try:
            return {name: self._rules.value(name, row) for name in PERSON}
        except Exception:
            # One odd value: nothing is known of this one, and of all others what is there.
            logger.exception("names and birth date of employee %s in Vista cannot be read", key)
            return {}

    def core(self, existing: FieldValues) -> FieldValues:
        """All three are required on every update, whatever changes (docs/contracts/safetyamp.md#users)."""
        return {name: existing.get(name) for name in ("first_name", "last_name", "email")}


PHONES = ("mobile_phone", "work_phone")

PERSON = ("first_name", "last_name", "date_of_birth")
"""What tells people apart."""

_TEXTS = ("first_name", "middle_name", "last_name", "street", "street2", "city")
_CLEANED: Mapping[str, Callable[[object], object]] = {
    "email": cleaning.email,
    "gender": cleaning.gender,
    "date_of_birth": cleaning.iso_day,
    "current_hire_date": cleaning.iso_day,
    "state": cleaning.two_letters,
    "country": cleaning.two_letters,
    "system_access": cleaning.flag,
}


_PHONE = (
    "{columns} is not one phone number (of {country} where it has no +): write one in full, and no second one"
)


def mapping(options: MappingOptions) -> EmployeesMapping:
    """The mapping of employees under these settings."""
    return EmployeesMapping(options)


def _id(row: ApiRow, name: str, nested: str) -> JsonValue:
    value, inside = row.get(name), row.get(nested)
    return value if value is not None or not isinstance(inside, dict) else inside.get("id")


def _same_columns(one: RowField | None, other: RowField | None) -> bool:
    return one is not None and other is not None and one.columns == other.columns


UNUSABLE: Mapping[str, Reason] = {
    "mobile_phone": Reason(_PHONE, causes.PHONE_UNUSABLE),
    "work_phone": Reason(_PHONE, causes.PHONE_UNUSABLE),
    "middle_name": Reason("no text", causes.MIDDLE_NAME_UNUSABLE),
    "date_of_birth": Reason("impossible BirthDate", causes.BIRTH_DATE_UNUSABLE),
    "street": Reason("no text", causes.ADDRESS_UNUSABLE),
    "street2": Reason("no text", causes.ADDRESS_UNUSABLE),
    "city": Reason("no text", causes.ADDRESS_UNUSABLE),
    "state": Reason("not two letters", causes.ADDRESS_UNUSABLE),
    "zip_code": Reason("not a zip code", causes.ADDRESS_UNUSABLE),
    "country": Reason("not two letters", causes.ADDRESS_UNUSABLE),
}
"""What is told of a value that is there and is none; of other fields nothing."""


def _bad_date(key: str, column: str) -> Rejected:
    rule = {
        "HireDate": Reason("HireDate is missing or impossible: mend it in Vista", causes.HIRE_DATE_UNUSABLE),
        "TermDate": Reason(
            "TermDate is impossible or before HireDate: mend it in Vista", causes.TERM_DATE_UNUSABLE
        ),
    }
    text, cause = rule[column]
    return Rejected(key, "invalid", text, column, cause=cause)


def _home_site(facts: EmployeeFacts) -> Ref | None:
    is_known = facts.site_kind in ("jobs", "offices")
    return Ref(facts.site_kind, facts.site_key or "") if is_known else None


def _mail_problem(facts: EmployeeFacts) -> Reason | None:
    if cleaning.email(facts.email) is not None:
        return None
    is_missing = facts.email is None
    state = "no e-mail" if is_missing else "the e-mail is malformed"
    where = "in Vista" if facts.mail_origin == "vista" else "in Vista, or mend the Microsoft account"
    return Reason(
        f"{state}: enter one {where}", causes.EMAIL_MISSING if is_missing else causes.EMAIL_MALFORMED
    )


def _site_problem(facts: EmployeeFacts, options: MappingOptions) -> Reason | None:
    suffix, place = options.home_office_suffix, facts.site_key
    if facts.site_kind == "no job":
        text = "no home site: no open job, and the rules know no other"
        return Reason(text, causes.HOME_SITE_MISSING)
    if facts.site_kind == "no region":
        what = f"department {place} has no region, or several" if place else "no department"
        cause = causes.HOME_SITE_MISSING if place else causes.DEPARTMENT_MISSING
        return Reason(f"no home site: no open job, and {what}: mend it in Vista", cause)
    if facts.site_kind == "no office":
        todo = f"make a site there whose name ends in '{suffix}'"
        text = f"no home site: no open job, and region {place} has no office: {todo}"
        return Reason(text, causes.OFFICE_MISSING)
    if facts.site_kind == "crowded":
        todo = f"leave only one whose name ends in '{suffix}'"
        text = f"no home site: no open job, and region {place} has two offices: {todo}"
        return Reason(text, causes.OFFICE_TWICE)
    return None
