"""The operator's own tests, `[[expect]]` of a rules file: run with the real mapping, without any system."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from shared.clients.vista.rows import DepartmentRow, EmployeeRow, JobRow, row_of
from shared.sync.entities import mappings
from shared.sync.entities.guarded import desired_of
from shared.sync.entities.keys import REGION_PREFIX
from shared.sync.findings.causes import NOT_IN_PILOT, OUT_OF_SCOPE
from shared.sync.model import Desired, EntityName, JsonValue, Ref, Rejected, Source
from shared.sync.rules.columns import columns_of, own_columns
from shared.sync.rules.fields import COLUMNS, MICROSOFT_ACCOUNT
from shared.sync.rules.model import Expectation
from shared.sync.rules.problems import meant, shown
from shared.sync.sources import (
    DepartmentsSource,
    EmployeesSource,
    JobsSource,
    MailDirectory,
    MappingOptions,
    TitlesSource,
    VehiclesSource,
)

Given = Mapping[str, JsonValue]

REGION, DEPARTMENT, JOB = "Example region", "10", "1001"
"""Of the company that the rows are in. It has an office in the region, and everybody works on the job."""

SENSIBLE: Mapping[EntityName, Given] = {
    "departments": {"PRDept": DEPARTMENT, "Description": "Example department"},
    "jobs": {"Job": JOB, "Description": "Example job", "Department": DEPARTMENT},
    "titles": {},
    "employees": {
        "Employee": 1,
        "FirstName": "Pat",
        "LastName": "Example",
        "HireDate": date(2000, 1, 3),
        "PRDept": DEPARTMENT,
        "Email": "pat@example.com",
    },
    "vehicles": {"id": "281474976710655", "name": "Truck 1", "serial": "GFRV43NVGX"},
}
"""What a row has where `given` says nothing of a column."""

NOTHING = ""
"""In `then`: the field gets no value."""


@dataclass(frozen=True)
class Outcome:
    """What came of one expectation; `failures` say what is otherwise than expected, none when nothing is."""

    expectation: Expectation
    failures: tuple[str, ...] = ()

    @property
    def is_met(self) -> bool:
        """Whether all is as expected."""
        return not self.failures


def outcomes(options: MappingOptions, today: date) -> Iterator[Outcome]:
    """Run every expectation of the rules of `options`, in the order of the file. `today` is the day of those
    that name none."""
    for one in options.rules.expect:
        unread = tuple(_unread(options, one))
        failures = unread or tuple(_differences(_mapped(options, one, one.today or today), one))
        yield Outcome(one, failures)


def _unread(options: MappingOptions, one: Expectation) -> Iterator[str]:
    """Columns of `given` that nobody reads: a mistyped one would make the expectation say nothing."""
    known = _columns(options, one.entity)
    folded = {name.casefold() for name in known}
    for column in one.given:
        is_known = column in known if one.entity == "vehicles" else column.casefold() in folded
        if not is_known:
            yield f"given: no rule reads the column {shown(column)}{meant(column, known)}"


def _columns(options: MappingOptions, entity: EntityName) -> tuple[str, ...]:
    if entity == "titles":
        return (options.rules.titles.column,)
    if entity == "vehicles":
        return COLUMNS["vehicles"]
    columns = (*own_columns(options.rules, entity), *columns_of(options.rules, entity).more)
    return (*columns, MICROSOFT_ACCOUNT) if entity == "employees" else columns


def _mapped(options: MappingOptions, one: Expectation, today: date) -> Desired | Rejected | None:
    """What the mapping makes of the row; None when it makes nothing at all."""
    mapping = mappings(options)[one.entity]
    row = _Row(options, one)
    for record in mapping.records(_SOURCES[one.entity](row, today)):
        if not record.key.startswith(REGION_PREFIX):
            return record if isinstance(record, Rejected) else desired_of(mapping, record)
    return None


class _Row:
    """A row of a source: what is given, and what is sensible where nothing is."""

    def __init__(self, options: MappingOptions, one: Expectation) -> None:
        self.options = options
        self.entity = one.entity
        sensible: dict[str, JsonValue] = dict(SENSIBLE[one.entity])
        if one.entity == "departments":
            sensible[options.rules.departments.region_column] = REGION
        if one.entity == "titles":
            sensible[options.rules.titles.column] = "Example title"
        self._fold = str if one.entity == "vehicles" else str.casefold
        given = {self._fold(name): value for name, value in one.given.items()}
        self._values = {self._fold(name): value for name, value in sensible.items()} | given

    def get(self, column: str) -> JsonValue:
        """None for a column of which nothing is known."""
        return self._values.get(self._fold(column))

    def values(self) -> list[JsonValue]:
        """In the order in which the columns are selected."""
        rules = self.options.rules
        names = (*own_columns(rules, self.entity), *columns_of(rules, self.entity).more)
        return [self.get(name) for name in names]


def _departments(row: _Row, _: date) -> Source:
    return DepartmentsSource([row_of(DepartmentRow, row.values())])


def _jobs(row: _Row, _: date) -> Source:
    return JobsSource([row_of(JobRow, row.values())], frozenset({DEPARTMENT, str(row.get("Department"))}))


def _titles(row: _Row, _: date) -> Source:
    title = row.get(row.options.rules.titles.column)
    return TitlesSource([title if isinstance(title, str) else None])


def _employees(row: _Row, today: date) -> Source:
    number, account = row.get("Employee"), row.get(MICROSOFT_ACCOUNT)
    mails = {str(number): account} if isinstance(account, str) else {}
    return EmployeesSource(
        rows=[row_of(EmployeeRow, row.values())],
        latest_jobs={number: JOB} if isinstance(number, int) else {},
        job_keys=frozenset({JOB}),
        regions={DEPARTMENT: REGION, str(row.get("PRDept")): REGION},
        offices=frozenset({REGION}),
        crowded_offices=frozenset(),
        mails=MailDirectory(mails, frozenset(mails)),
        today=today,
        options=row.options,
    )


def _vehicles(row: _Row, _: date) -> Source:
    vehicle = {name: value for name in COLUMNS["vehicles"] if (value := row.get(name)) is not None}
    return VehiclesSource([vehicle], [], frozenset())


_SOURCES: Mapping[EntityName, Callable[[_Row, date], Source]] = {
    "departments": _departments,
    "jobs": _jobs,
    "titles": _titles,
    "employees": _employees,
    "vehicles": _vehicles,
}


def _differences(found: Desired | Rejected | None, one: Expectation) -> Iterator[str]:
    word, why = _word(found)
    if isinstance(one.then, str):
        if word != one.then:
            yield f"should be {one.then}, is {word or 'synced'}{why}"
        return
    if not isinstance(found, Desired) or word is not None:
        yield f"should be synced, is {word}{why}"
        return
    got = {**found.create_only, **found.fill, **found.fields}
    for name, wanted in one.then.items():
        value = _plain(got.get(name))
        if value != _plain(wanted):
            contested = f" ({found.contested[name].text})" if name in found.contested else ""
            yield f"{name}: wanted {_told(_plain(wanted))}, got {_told(value)}{contested}"


def _word(found: Desired | Rejected | None) -> tuple[str | None, str]:
    """What became of the record, as `then` would say it, and why; None for what is synced."""
    if found is None:
        return "skipped", ""
    if isinstance(found, Desired):
        return (None, "") if found.active else ("deactivated", "")
    if found.cause == OUT_OF_SCOPE:
        return "out of scope", f" ({found.reason})"
    if found.cause == NOT_IN_PILOT:
        return found.kind, " (not in the pilot: give it a key or a department that is)"
    return found.kind, f" ({found.reason})"


def _plain(value: JsonValue) -> JsonValue:
    """Comparable: a reference is what it refers to, nothing is None."""
    if isinstance(value, Ref):
        return value.key
    if isinstance(value, date):
        return value.isoformat()
    return None if value == NOTHING else value


def _told(value: JsonValue) -> str:
    return "nothing" if value is None else shown(value)
