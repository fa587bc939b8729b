"""Employees: people of Vista's payroll, with their e-mail from Microsoft Graph, become users."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from shared.clients.vista.rows import EmployeeRow
from shared.sync.entities import cleaning, payload
from shared.sync.entities.employee_facts import (
    BAD_DATES,
    EmployeeFacts,
    claims_of,
    employee_records,
    rows_by_number,
    rows_with_any,
)
from shared.sync.findings import causes
from shared.sync.findings.causes import Reason
from shared.sync.model import (
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


@dataclass(frozen=True, slots=True)
class UserPayload:
    """Fields of a user that are written. `email` and `mobile_phone` are unique over all users, work_phone is
    not (docs/contracts/safetyamp.md#users); `roles` is a Ref to the one role of a new user."""

    first_name: str | None = None
    middle_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    gender: int | None = None
    date_of_birth: str | None = None
    current_hire_date: str | None = None
    street: str | None = None
    street2: str | None = None
    city: str | None = None
    state: str | None = None
    zip_code: str | None = None
    country: str | None = None
    mobile_phone: str | None = None
    work_phone: str | None = None
    home_site_id: Ref | None = None
    current_title_id: Ref | None = None
    emp_id: str | None = None
    timezone: str | None = None
    roles: Ref | None = None
    system_access: int | None = None
    text_opt_out: int | None = None


class EmployeesMapping:
    """Implements EntityMapping over EmployeesSource."""

    name: EntityName = "employees"
    version: int = 2

    def __init__(self, options: MappingOptions) -> None:
        self.options = options

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
        if standing == "left":
            return Desired(key, {}, active=False)
        if standing == "future":
            reason = "hired on a later date: nothing to do before that day"
            return Rejected(key, "skipped", reason, "HireDate", cause=causes.HIRED_LATER)
        if standing in BAD_DATES:
            return _bad_date(key, BAD_DATES[standing])
        facts = EmployeeFacts.of(record)
        return _problem(key, facts) or self._user(key, facts)

    def _user(self, key: str, facts: EmployeeFacts) -> Desired:
        notes = payload.Notes()
        compared = self._compared(facts, notes)
        # With the account disabled or in doubt, Vista's address (mostly a private one) must do for a new
        # user, but never replaces the address of somebody who has one.
        fallback = cleaning.email(facts.email) if compared.email is None else None
        if facts.mail_origin == "ambiguous accounts":
            text = "e-mail from Vista: two enabled Microsoft accounts have this employee number"
            notes.warn(text, causes.ACCOUNTS_AMBIGUOUS)
        wanted = payload.desired(key, compared, self._defaults(key, fallback), notes)
        # Only somebody new cannot go without: who is in SafetyAmp has an address and a site there, and keeps
        # them.
        reasons = {"home_site_id": _site_problem(facts, self.options), "email": _mail_problem(facts)}
        if reasons["email"] is None and facts.email_sharers is not None:
            text = f"the e-mail is also that of employee {facts.email_sharers}: give each one of their own"
            reasons["email"] = Reason(text, causes.EMAIL_SHARED)
        contested = {name: reason for name, reason in reasons.items() if reason is not None}
        return replace(wanted, contested=contested) if contested else wanted

    def _compared(self, facts: EmployeeFacts, notes: payload.Notes) -> UserPayload:
        row = facts.row
        country = cleaning.two_letters(row.country)
        zip_code = cleaning.zip_code(row.zip_code, country or self.options.default_country)
        phone = cleaning.phone(row.phone, self.options.default_country)
        notes.kept("both phones", phone, row.phone, _phone_rule(self.options), causes.PHONE_UNUSABLE)
        no_text = f"{self.options.title_column} is no text"
        title = cleaning.text(row.title)
        notes.kept("current_title_id", title, row.title, no_text, causes.TITLE_UNUSABLE)
        unusable = causes.ADDRESS_UNUSABLE
        return UserPayload(
            first_name=cleaning.text(row.first_name),
            middle_name=notes.kept_text("middle_name", row.middle_name, causes.MIDDLE_NAME_UNUSABLE),
            last_name=cleaning.text(row.last_name),
            email=cleaning.email(facts.email) if facts.mail_origin in ("graph", "vista") else None,
            gender=cleaning.gender(row.sex),
            date_of_birth=notes.kept(
                "date_of_birth",
                _birth(row),
                row.birth_date,
                "impossible BirthDate",
                causes.BIRTH_DATE_UNUSABLE,
            ),
            current_hire_date=cleaning.iso_day(row.hire_date),
            street=notes.kept_text("street", row.street, unusable),
            street2=notes.kept_text("street2", row.street2, unusable),
            city=notes.kept_text("city", row.city, unusable),
            state=notes.kept(
                "state", cleaning.two_letters(row.state), row.state, "not two letters", unusable
            ),
            zip_code=notes.kept("zip_code", zip_code, row.zip_code, "not a zip code", unusable),
            country=notes.kept("country", country, row.country, "not two letters", unusable),
            mobile_phone=phone,
            work_phone=phone,
            home_site_id=_home_site(facts),
            current_title_id=Ref("titles", title) if title else None,
        )

    def _defaults(self, emp_id: str, email: str | None) -> UserPayload:
        return UserPayload(
            email=email,
            country=self.options.default_country,
            emp_id=emp_id,
            timezone=self.options.default_timezone,
            roles=Ref("roles", self.options.default_role),
            system_access=1,
            text_opt_out=1,
        )

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
        return lambda key: _person(key, rows[key]) if key in rows else {}

    def known_by(
        self, source: EmployeesSource, keys: Collection[str], values: Collection[str]
    ) -> dict[str, KnownBy]:
        """Those of these people who have any of these e-mails, phones, last names (in lower case) or birth
        dates."""
        found = rows_with_any(source, keys, values)
        return {key: KnownBy(_person(key, row), theirs) for key, row, theirs in found}

    def core(self, existing: FieldValues) -> FieldValues:
        """All three are required on every update, whatever changes (docs/contracts/safetyamp.md#users)."""
        return {name: existing.get(name) for name in ("first_name", "last_name", "email")}


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


def mapping(options: MappingOptions) -> EmployeesMapping:
    """The mapping of employees under these settings."""
    return EmployeesMapping(options)


def _person(key: str, row: EmployeeRow) -> FieldValues:
    try:
        names = {"first_name": cleaning.text(row.first_name), "last_name": cleaning.text(row.last_name)}
        return {**names, "date_of_birth": _birth(row)}
    except Exception:
        # One odd value: nothing is known of this one, and of all others what is there.
        logger.exception("names and birth date of employee %s in Vista cannot be read", key)
        return {}


def _id(row: ApiRow, name: str, nested: str) -> JsonValue:
    value, inside = row.get(name), row.get(nested)
    return value if value is not None or not isinstance(inside, dict) else inside.get("id")


def _phone_rule(options: MappingOptions) -> str:
    return (
        f"Phone is not one phone number (of {options.default_country} where it has no +): write one in full,"
        " and no second one"
    )


def _birth(row: EmployeeRow) -> str | None:
    """The birth date if it can be one; nobody is hired before being born, so the future is ruled out too."""
    born, hired = cleaning.iso_day(row.birth_date), cleaning.iso_day(row.hire_date)
    if born is None or hired is None:
        return None
    return born if cleaning.EARLIEST_DAY.isoformat() < born < hired else None


def _bad_date(key: str, column: str) -> Rejected:
    rule = {
        "HireDate": Reason("HireDate is missing or impossible: mend it in Vista", causes.HIRE_DATE_UNUSABLE),
        "TermDate": Reason(
            "TermDate is impossible or before HireDate: mend it in Vista", causes.TERM_DATE_UNUSABLE
        ),
    }
    text, cause = rule[column]
    return Rejected(key, "invalid", text, column, cause=cause)


def _problem(key: str, facts: EmployeeFacts) -> Rejected | None:
    row = facts.row
    for column, value, cause in (
        ("FirstName", row.first_name, causes.FIRST_NAME_MISSING),
        ("LastName", row.last_name, causes.LAST_NAME_MISSING),
    ):
        if cleaning.text(value) is None:
            what = "no text: mend" if cleaning.is_given(value) else "empty: fill"
            return Rejected(key, "invalid", f"{column} is {what} it in Vista", column, cause=cause)
    return None


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
