"""Why a record, or a field of it, is not as its source says: one list, with whose it is and what to enter.

Pure data. Whatever makes a problem names its cause here; nobody finds it out from the sentence that people
read. A code is stored in documents and read by programs: it is never given another meaning, and stays what it
is when its words change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

Owner = Literal["hr", "payroll", "it", "fleet", "operations", "safetyamp"]
"""Who mends it; `safetyamp`: whoever administers SafetyAmp."""
OWNERS: tuple[Owner, ...] = get_args(Owner)

Severity = Literal["blocks", "access", "field", "know"]
"""`blocks`: a new record is not created, or one that is there gets no changes; `access`: somebody can sign in
who should not, or cannot who should; `field`: a field is left out; `know`: nothing is wrong yet."""


@dataclass(frozen=True, slots=True)
class Cause:
    """`name` is what people call it in a heading, of any number of records. `place` are form and field to
    mend it in, `enter` what to enter there; both None where nobody has to do anything. `column` is the
    value in the source that is wrong, as `shown` names it; None where a list that is handed on should not
    hold it. `again`: the next run or listing may find it mended although the source is as it was.
    """

    code: str
    name: str
    owner: Owner
    severity: Severity
    system: str
    place: str | None = None
    enter: str | None = None
    column: str | None = None
    again: bool = False

    @property
    def where(self) -> str | None:
        """`Vista > PR Employees > Info > E-mail`."""
        return None if self.place is None else f"{self.system} > {self.place}"


class Reason(NamedTuple):
    """What is said of a problem, and its cause."""

    text: str
    cause: Cause


class KeyCauses(NamedTuple):
    """Of an entity: a row without a usable key, and several rows with one."""

    unusable: Cause
    repeated: Cause


VISTA, SAMSARA, SAFETYAMP, MICROSOFT = "Vista", "Samsara", "SafetyAmp", "Microsoft Entra"
_PERSON = "PR Employees > Info > "
_ADDRESS = "Address, City, State, Zip, Country"

# A table: one or two lines for each.
# fmt: off

# -- people -----------------------------------------------------------------------------------------------

EMPLOYEE_NUMBER_UNUSABLE = Cause(
    "employee-number-unusable", "no usable employee number", "hr", "blocks", VISTA,
    "PR Employees > Employee", "a whole number of its own"
)
EMPLOYEE_NUMBER_TWICE = Cause(
    "employee-number-twice", "employee number used twice", "hr", "blocks", VISTA,
    "PR Employees > Employee", "a number of their own for each person"
)
HIRED_LATER = Cause("hired-later", "hired on a later date", "hr", "know", VISTA, again=True)
HIRE_DATE_UNUSABLE = Cause(
    "hire-date-unusable", "hire date missing or impossible", "hr", "blocks", VISTA, _PERSON + "Hire Date",
    "the day on which the person began, after 1900"
)
TERM_DATE_UNUSABLE = Cause(
    "term-date-unusable", "termination date impossible or before the hire date", "hr", "blocks", VISTA,
    _PERSON + "Term Date", "the day of leaving, or nothing for somebody who is back"
)
FIRST_NAME_MISSING = Cause(
    "first-name-missing", "no first name", "hr", "blocks", VISTA, _PERSON + "First Name",
    "the first name", column="first_name"
)
LAST_NAME_MISSING = Cause(
    "last-name-missing", "no last name", "hr", "blocks", VISTA, _PERSON + "Last Name", "the last name",
    column="last_name"
)
EMAIL_MISSING = Cause(
    "email-missing", "no e-mail", "hr", "blocks", VISTA, _PERSON + "E-mail",
    "an address of the person's own", column="email"
)
EMAIL_MALFORMED = Cause(
    "email-malformed", "malformed e-mail", "hr", "blocks", VISTA, _PERSON + "E-mail",
    "one address such as pat@example.com, and nothing beside it", column="email"
)
EMAIL_SHARED = Cause(
    "email-shared", "shared e-mail", "hr", "blocks", VISTA, _PERSON + "E-mail",
    "an address of their own for each person", column="email"
)
EMAIL_WAITS_FOR_HOLDER = Cause(
    "email-waits-for-holder", "e-mail that somebody else cannot give up yet", "hr", "field", VISTA,
    _PERSON + "E-mail", "at the person named, a usable address of their own", again=True, column="email"
)
PHONE_UNUSABLE = Cause(
    "phone-unusable", "phone that is not one number", "hr", "field", VISTA, _PERSON + "Phone",
    "one number in full, such as 225-555-0100, and no second one", column="phone"
)
PHONE_SHARED = Cause(
    "phone-shared", "shared phone", "hr", "field", VISTA, _PERSON + "Phone",
    "a number of their own for each person", column="phone"
)
PHONE_PASSED_ON = Cause(
    "phone-passed-on", "phone that belongs to somebody else now", "hr", "know", VISTA, again=True
)
TITLE_MISSING = Cause(
    "title-missing", "people without a title", "hr", "field", VISTA,
    "PR Employees > the title's field (VISTA_TITLE_COLUMN)", "the title"
)
TITLE_UNUSABLE = Cause(
    "title-unusable", "title that is no text", "hr", "field", VISTA,
    "PR Employees > the title's field (VISTA_TITLE_COLUMN)", "the title in plain text", column="title"
)
MIDDLE_NAME_UNUSABLE = Cause(
    "middle-name-unusable", "middle name that is no text", "hr", "field", VISTA, _PERSON + "Middle Name",
    "the name in plain text, or nothing", column="middle_name"
)
BIRTH_DATE_UNUSABLE = Cause(
    "birth-date-unusable", "impossible birth date", "hr", "field", VISTA, _PERSON + "Birth Date",
    "the day of birth, before the hire date"
)
ADDRESS_UNUSABLE = Cause(
    "address-unusable", "address with an unusable part", "hr", "field", VISTA, _PERSON + _ADDRESS,
    "state and country as two letters, zip code as 70801 or 70801-1234"
)
HOME_SITE_MISSING = Cause(
    "home-site-missing", "person without open job whose department has no region", "payroll",
    "blocks", VISTA, "PR Departments > the region's field (VISTA_REGION_COLUMN)",
    "the department's region, one only", column="department"
)
DEPARTMENT_MISSING = Cause(
    "department-missing", "person without open job and department", "payroll", "blocks", VISTA,
    "PR Employees > PR Dept", "the payroll department", column="department"
)
ACCOUNTS_AMBIGUOUS = Cause(
    "accounts-ambiguous", "two Microsoft accounts with one employee number", "it", "field", MICROSOFT,
    "Users > Properties > Employee ID", "the number at one enabled account only"
)
PERSON_REFUSED = Cause(
    "person-refused", "person's data that SafetyAmp refuses", "hr", "blocks", VISTA, "PR Employees",
    "what the reason asks for, in the fields that it names"
)

# -- departments, jobs and titles -------------------------------------------------------------------------

DEPARTMENT_CODE_UNUSABLE = Cause(
    "department-code-unusable", "no usable department code", "payroll", "blocks", VISTA,
    "PR Departments > PR Dept", "a code of its own"
)
DEPARTMENT_CODE_TWICE = Cause(
    "department-code-twice", "department code used twice", "payroll", "blocks", VISTA,
    "PR Departments > PR Dept", "a code of its own for each department"
)
DEPARTMENT_CODE_RESERVED = Cause(
    "department-code-reserved", "department code that the sync keeps for itself", "payroll", "blocks",
    VISTA, "PR Departments > PR Dept", "another code than root or region:...", column="department"
)
DEPARTMENT_DESCRIPTION_UNUSABLE = Cause(
    "department-description-unusable", "department without description", "payroll", "blocks", VISTA,
    "PR Departments > Description", "what the department is called", column="description"
)
DEPARTMENT_REGION_UNUSABLE = Cause(
    "department-region-unusable", "department without region", "payroll", "blocks", VISTA,
    "PR Departments > the region's field (VISTA_REGION_COLUMN)", "the region, one only", column="region"
)
DEPARTMENT_REFUSED = Cause(
    "department-refused", "department's data that SafetyAmp refuses", "payroll", "blocks", VISTA,
    "PR Departments", "what the reason asks for, in the fields that it names"
)
JOB_CODE_UNUSABLE = Cause(
    "job-code-unusable", "no usable job code", "operations", "blocks", VISTA, "JC Jobs > Job",
    "a code of its own"
)
JOB_CODE_TWICE = Cause(
    "job-code-twice", "job code used twice", "operations", "blocks", VISTA, "JC Jobs > Job",
    "a code of its own for each job"
)
JOB_WITHOUT_DEPARTMENT = Cause(
    "job-without-department", "job whose contract has no department", "operations", "blocks", VISTA,
    "JC Contracts > Info > Department", "the department of the job's contract", column="department"
)
JOB_DEPARTMENT_UNKNOWN = Cause(
    "job-department-unknown", "job of a department that is not in SafetyAmp", "operations", "blocks",
    VISTA, "JC Contracts > Info > Department",
    "a department that payroll has too, with description and region (PR Departments)", again=True,
    column="department"
)
JOB_TEXT_UNUSABLE = Cause(
    "job-text-unusable", "job with an unusable description or address", "operations", "field", VISTA,
    "JC Jobs > Description, " + _ADDRESS,
    "plain text, state and country as two letters, zip code as 70801 or 70801-1234", column="description"
)
JOB_REFUSED = Cause(
    "job-refused", "job's data that SafetyAmp refuses", "operations", "blocks", VISTA, "JC Jobs",
    "what the reason asks for, in the fields that it names"
)
TITLE_REFUSED = Cause(
    "title-refused", "title that SafetyAmp refuses", "hr", "blocks", VISTA,
    "PR Employees > the title's field (VISTA_TITLE_COLUMN)", "a title that SafetyAmp takes"
)

# -- vehicles ---------------------------------------------------------------------------------------------

VEHICLE_ID_UNUSABLE = Cause(
    "vehicle-id-unusable", "vehicle without usable id", "fleet", "blocks", SAMSARA, "Assets > Vehicles",
    "the vehicle anew", again=True
)
VEHICLE_ID_TWICE = Cause(
    "vehicle-id-twice", "vehicle that Samsara lists twice", "fleet", "blocks", SAMSARA,
    "Assets > Vehicles", "one vehicle for each id", again=True
)
GATEWAY_MISSING = Cause(
    "gateway-missing", "vehicle without gateway", "fleet", "blocks", SAMSARA,
    "Assets > Vehicles > Gateway", "the gateway's serial, unless the vehicle is retired", column="serial"
)
GATEWAY_SHARED = Cause(
    "gateway-shared", "gateway of several vehicles", "fleet", "blocks", SAMSARA,
    "Assets > Vehicles > Gateway", "a gateway of its own for each vehicle", column="serial"
)
VEHICLE_TEXT_UNUSABLE = Cause(
    "vehicle-text-unusable", "vehicle with a field that is no text", "fleet", "field", SAMSARA,
    "Assets > Vehicles > Name, Model, Notes, License Plate", "plain text"
)
DRIVER_UNKNOWN = Cause(
    "driver-unknown", "driver who is no employee", "fleet", "field", SAMSARA,
    "Drivers > External ID or Notes", "the employee number of an active driver, such as Employee 10029"
)
VEHICLE_REFUSED = Cause(
    "vehicle-refused", "vehicle's data that SafetyAmp refuses", "fleet", "blocks", SAMSARA,
    "Assets > Vehicles", "what the reason asks for, in the fields that it names"
)

# -- SafetyAmp --------------------------------------------------------------------------------------------

OFFICE_MISSING = Cause(
    "office-missing", "region without office", "safetyamp", "blocks", SAFETYAMP, "Sites > Name",
    "a site in the region's cluster whose name ends as HOME_OFFICE_SUFFIX says", again=True
)
OFFICE_TWICE = Cause(
    "office-twice", "region with two offices", "safetyamp", "blocks", SAFETYAMP, "Sites > Name",
    "one site only in the region's cluster whose name ends as HOME_OFFICE_SUFFIX says", again=True
)
SEVERAL_RECORDS = Cause(
    "several-records", "several SafetyAmp records of one key", "safetyamp", "blocks", SAFETYAMP,
    "the records that the reason names", "the key at one of them only", again=True
)
LOOKS_THE_SAME = Cause(
    "looks-the-same", "second SafetyAmp record that looks the same", "safetyamp", "know", SAFETYAMP,
    "the records that the reason names", "delete one, or give it another name or serial", again=True
)
KEY_MOVED = Cause(
    "key-moved", "key that was changed by hand in SafetyAmp", "safetyamp", "blocks", SAFETYAMP,
    "the record that the reason names > emp_id or code", "the right key", again=True
)
KEY_TAKEN_OFF = Cause(
    "key-taken-off", "user whose employee number was taken off", "safetyamp", "know", SAFETYAMP,
    "Users > Employee ID (emp_id)", "the employee number", again=True
)
ANOTHER_PERSON = Cause(
    "another-person", "number of another person", "safetyamp", "blocks", SAFETYAMP,
    "Users > Employee ID (emp_id)", "the number of the person that the user shows", again=True
)
LEAVER_WITH_ACCESS = Cause(
    "leaver-with-access", "leaver who may still sign in", "safetyamp", "access", SAFETYAMP,
    "Users > System access", "off, or the right employee number (emp_id)", again=True
)
ACCESS_BEFORE_HIRE = Cause(
    "access-before-hire", "person hired later who may sign in already", "safetyamp", "access", SAFETYAMP,
    "Users > System access", "off until that day, or the right employee number (emp_id)", again=True
)
SWITCHED_OFF_BY_HAND = Cause(
    "switched-off-by-hand", "current person switched off by hand", "safetyamp", "access", SAFETYAMP,
    "Users > System access", "on, if the person may sign in", again=True
)
VALUE_TAKEN = Cause(
    "value-taken", "value that another SafetyAmp record has", "safetyamp", "blocks", SAFETYAMP,
    "the other record > emp_id or code, or the value itself",
    "our key, if it is the same person or thing; otherwise another value", again=True
)
REFERENCE_REFUSED = Cause(
    "reference-refused", "refused although the source is right", "safetyamp", "blocks", SAFETYAMP,
    "what the fields refer to (site, title, role, cluster)", "whatever makes it usable there", again=True
)
NOT_LISTED = Cause(
    "not-listed", "missing from SafetyAmp's last listing", "safetyamp", "know", SAFETYAMP, again=True
)

# -- the rules --------------------------------------------------------------------------------------------

OUT_OF_SCOPE = Cause(
    "out-of-scope", "out of scope by the rules", "it", "know", "the sync", "rules.toml > scope",
    "a filter that admits the record, if it should be synced"
)
NOT_IN_PILOT = Cause(
    "not-in-pilot", "not in the pilot", "it", "know", "the sync", "rules.toml > pilot",
    "the record, or nothing, once the pilot is over"
)
PROTECTED = Cause(
    "protected", "protected by the rules", "it", "know", "the sync", "rules.toml > protect",
    "the record no longer, if the sync may write it"
)
ONLY_REPORTED = Cause(
    "only-reported", "told and not done, by the rules", "it", "know", "the sync", "rules.toml > actions",
    "apply, if it should be done"
)
CHANGED_BY_HAND = Cause(
    "changed-by-hand", "changed by hand in SafetyAmp and set back", "safetyamp", "know", SAFETYAMP, again=True
)

# -- the sync itself --------------------------------------------------------------------------------------

UNEXPECTED_DATA = Cause(
    "unexpected-data", "data that nobody foresaw", "it", "blocks", "the sync",
    "the log, by the record's key", "whatever is odd in the source's record; and tell us"
)
NOT_APPLIED = Cause("not-applied", "change that was not applied", "it", "know", "the sync", again=True)
WAITS_FOR_RECORD = Cause(
    "waits-for-record", "waiting for a record that SafetyAmp does not have yet", "it", "know", "the sync",
    again=True
)
WAITS_FOR_LISTING = Cause(
    "waits-for-listing", "waiting for SafetyAmp to be listed", "it", "know", "the sync", again=True
)
WAITS_FOR_APPROVAL = Cause(
    "waits-for-approval", "value of somebody whose own change is held", "it", "know", "the sync", again=True
)
GONE = Cause("gone", "record that SafetyAmp does not have any more", "it", "know", "the sync", again=True)

# fmt: on

CAUSES: Mapping[str, Cause] = {
    cause.code: cause for cause in list(globals().values()) if isinstance(cause, Cause)
}
"""All of them by their code, in the order of this module."""

KEYS: Mapping[str, KeyCauses] = {
    "departments": KeyCauses(DEPARTMENT_CODE_UNUSABLE, DEPARTMENT_CODE_TWICE),
    "jobs": KeyCauses(JOB_CODE_UNUSABLE, JOB_CODE_TWICE),
    "employees": KeyCauses(EMPLOYEE_NUMBER_UNUSABLE, EMPLOYEE_NUMBER_TWICE),
    "vehicles": KeyCauses(VEHICLE_ID_UNUSABLE, VEHICLE_ID_TWICE),
}
"""By entity; titles have no key but their name."""

REFUSED: Mapping[str, Cause] = {
    "departments": DEPARTMENT_REFUSED,
    "jobs": JOB_REFUSED,
    "titles": TITLE_REFUSED,
    "employees": PERSON_REFUSED,
    "vehicles": VEHICLE_REFUSED,
}
"""By entity: what the source says, SafetyAmp does not take."""


def texts_of(reasons: Iterable[Reason]) -> tuple[str, ...]:
    """What people read of them."""
    return tuple(reason.text for reason in reasons)
