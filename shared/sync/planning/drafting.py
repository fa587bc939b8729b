"""From source records and state to a draft of changes; no I/O but looking references up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from itertools import groupby

from shared.sync.documents.change import Beside, Change, Predecessor
from shared.sync.documents.plans import Problem
from shared.sync.documents.runs import Run
from shared.sync.documents.state import (
    FAILURE,
    REJECTED,
    TAKEN,
    UNIQUE,
    EntityState,
    Entry,
    Note,
    reference_field,
)
from shared.sync.documents.switched_off import SwitchedOff
from shared.sync.entities.cleaning import is_given
from shared.sync.entities.current_people import CurrentPeople
from shared.sync.entities.employee_facts import has_left, why_outside
from shared.sync.entities.employees import PERSON, EmployeesMapping
from shared.sync.entities.guarded import desired_of
from shared.sync.entities.persons import (
    has_other_names,
    is_another_person,
    is_same_person,
    may_have_married,
)
from shared.sync.findings import causes
from shared.sync.findings.causes import Cause, Reason
from shared.sync.mapping import EntityMapping
from shared.sync.model import (
    ACCESS,
    Action,
    Claim,
    Desired,
    EntityName,
    FieldValues,
    JsonValue,
    KnownBy,
    Rejected,
    Source,
    SourceRecord,
)
from shared.sync.planning.compare import compare, digest_of
from shared.sync.planning.guard import (
    ANOTHER_PERSON,
    LEAVER_IS_ANOTHER_PERSON,
    LEAVER_SHOWS_ANOTHER,
    Judgement,
)
from shared.sync.planning.makeshift import makeshift
from shared.sync.planning.moved_keys import MovedKeys, People, leavers_with_access
from shared.sync.planning.resolver import Resolver
from shared.sync.planning.unique_values import Arranged, Holder, arrange
from shared.sync.planning.withholding import Withholding
from shared.sync.services import Services
from shared.sync.suggestions import cause_of_refusal, of_the_source, refusal_kind, suggestion_for

FIRST_THINGS_FIRST = {"deactivate": 0, "create": 1, "reactivate": 1, "update": 2}
"""Leavers before joiners, joiners before changes."""


LEFT_TO_OTHERS = (causes.OUT_OF_SCOPE, causes.NOT_IN_PILOT)
"""Why the rules have a record left as it is."""

FEW_NAMESAKES = 3
"""So many with one first name and birth date may be one person each."""

REFERENCES: Mapping[EntityName, Mapping[str, EntityName]] = {
    "departments": {"parent_cluster_id": "departments"},
    "jobs": {"cluster_id": "departments"},
    "employees": {"home_site_id": "jobs", "current_title_id": "titles"},
    "vehicles": {"current_user_id": "employees"},
}
"""Fields that hold the id of another record, of which entity."""


@dataclass
class Draft:
    """A plan in the making: changes, everything to report, and which records the source had. `held` are
    changes of parts that the guard holds, beside `changes` that go on; `judgement` is what it said of all."""

    changes: list[Change] = field(default_factory=list)
    together: dict[str, int] = field(default_factory=dict)
    """Keys of neighbouring changes that must be in one batch -> the number that they share."""
    problems: list[Problem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    outside: dict[str, Cause] = field(default_factory=dict)
    """Records that the rules leave to others -> why."""
    admitted: int = 0
    """How many the rules admit, of all that the source has; without leavers."""
    seen: set[str] = field(default_factory=set)
    state_changed: bool = False
    held: list[Change] = field(default_factory=list)
    judgement: Judgement = field(default_factory=Judgement)

    def reject(self, rejected: Rejected) -> None:
        """Count and report a record that is not sent."""
        self.counts[rejected.kind] += 1
        self._add(rejected.key, rejected.kind, rejected.reason, rejected.field, rejected.cause.code)

    def report(
        self, key: str, reason: str, cause: Cause, field: str | None = None, kind: str = "reported"
    ) -> None:
        """Something an operator should know of a record that is counted elsewhere."""
        self._add(key, kind, reason, field, cause.code)

    def repeat(self, key: str, reason: str, cause: str | None, field: str | None) -> None:
        """Report what an earlier run found and the state has kept, `cause` by its code: an earlier release
        kept none."""
        self._add(key, "reported", reason, field, cause)

    def _add(self, key: str, kind: str, reason: str, field: str | None, cause: str | None) -> None:
        problem: Problem = {"key": key, "kind": kind, "reason": reason, "field": field}
        self.problems.append(problem if cause is None else {**problem, "cause": cause})

    def _place(self, change: Change) -> int | str:
        return self.together.get(change.key) or change.key

    def batches(self, size: int) -> Iterator[list[Change]]:
        """The changes in batches of `size`; what must be together is, although it may be more."""
        return self._batches(self.changes, size)

    def held_batches(self, size: int) -> Iterator[list[Change]]:
        """The same of those that are held."""
        return self._batches(self.held, size)

    def _batches(self, changes: list[Change], size: int) -> Iterator[list[Change]]:
        batch: list[Change] = []
        for _, found in groupby(changes, self._place):
            group = list(found)
            if batch and len(batch) + len(group) > size:
                yield batch
                batch = []
            batch += group
        if batch:
            yield batch


Judge = Callable[[Draft], Judgement]


def draft_changes(
    services: Services,
    mapping: EntityMapping,
    state: EntityState,
    resolver: Resolver,
    run: Run,
    source: Source,
    *,
    trust_digests: bool,
    listed: bool = False,
    before: EntityState | None = None,
    only_leavers: bool = False,
    judge: Judge | None = None,
) -> Draft:
    """Compare every source record with the state, or only those that the run's request names.

    With `trust_digests` a record whose digest is the one of its last success is not looked at; after a
    listing each is compared field by field. The state is changed in place where no call is needed
    (digests, adopted records); `Draft.state_changed` tells. `listed`: it was read from SafetyAmp for this
    run; `before`: what was known until then. With `only_leavers` everybody else waits for what could not be
    read: of them nothing is concluded. `judge` says of the draft what the guard holds: those changes are put
    aside, and the others made so that they can do without them.
    """
    drafting = _Drafting(services, mapping, state, resolver, run, trust_digests, listed)
    drafting.only_leavers = only_leavers
    drafting.before = before if listed else None
    for record in mapping.records(source):
        drafting.consider(record, source)
    drafting.consider_moved(source)
    drafting.forget_failures()
    drafting.arrange(source, judge)
    return drafting.draft


class _Drafting:
    def __init__(
        self,
        services: Services,
        mapping: EntityMapping,
        state: EntityState,
        resolver: Resolver,
        run: Run,
        trust_digests: bool,
        listed: bool,
    ) -> None:
        self.draft = Draft()
        self._by_last_name: dict[str, list[tuple[str, int | str]]] | None = None
        self.only_leavers = False
        self.before: EntityState | None = None
        self._rules = Withholding(mapping.name, mapping.rules)
        self._listed = listed
        self._switched_off = SwitchedOff(services.documents)
        self._doubtful: dict[str, Rejected] = {}
        self._left: set[str] = set()
        self._moved = MovedKeys(state)
        self._with_moved_keys: dict[str, SourceRecord | Rejected] = {}
        self._people: People | None = None
        self._current: CurrentPeople | None = None
        self._repeatable: People | None = None
        self._mapping = mapping
        self._state = state
        self._resolver = resolver
        self._trust_digests = trust_digests
        self._keys = frozenset(run.request.keys)
        self._retry_failed = run.request.retry_failed
        self._reenable = services.settings.reenable_disabled
        self._references = self._known_references() if trust_digests else {}
        # Whatever a comparison depends on beside the record: a changed setting must be noticed.
        self._fingerprint = f"{mapping.options.fingerprint}{self._reenable:d}"

    def _known_references(self) -> dict[str, set[str]]:
        """Fields that refer to other records, with the ids that there are, where any are known."""
        found: dict[str, set[str]] = {}
        if self._mapping.name == "vehicles" and not self._mapping.options.rules.vehicles.assign_driver:
            return found
        for name, entity in REFERENCES.get(self._mapping.name, {}).items():
            state = self._state if entity == self._mapping.name else self._resolver.state(entity)
            if state is not None:
                found[reference_field(name)] = state.reference_ids()
        return found

    def consider(self, record: SourceRecord | Rejected, source: Source) -> None:
        self.draft.seen.add(record.key)
        if isinstance(record, Rejected) and record.cause in LEFT_TO_OTHERS:
            self.draft.outside[record.key] = record.cause
        elif isinstance(record, SourceRecord) and not (has_left(record) or why_outside(record)):
            self.draft.admitted += 1
        if record.key in self._moved.keys:
            # What is right for them depends on one another's standing: see `consider_moved`.
            self._with_moved_keys[record.key] = record
        elif not self._keys or record.key in self._keys:
            self._consider(record, source)

    def consider_moved(self, source: Source) -> None:
        """Consider the records whose user has got another number by hand, and those who have that number."""
        moved, records = self._moved, self._with_moved_keys
        moved.judge(records, lambda key: self._person(key, source))
        for key in moved.outlived:
            del self._state.moved[key]
        for key in moved.freed:
            self._state.free(key)
        self.draft.state_changed |= bool(moved.outlived or moved.freed)
        for key, record in records.items():
            if not self._keys or key in self._keys:
                self._consider(record, source)
        for key, reason in moved.told:
            if not self._keys or key in self._keys:
                self.draft.report(key, reason.text, reason.cause)

    def forget_failures(self) -> None:
        """Of records that the source has not, or the rules leave to others: nothing is asked for them."""
        draft = self.draft
        for key in () if self._keys else list(self._state.refused_keys()):
            if key not in draft.seen or key in draft.outside:
                draft.state_changed |= self._state.forget_failure(key)

    def _person(self, key: str, source: Source) -> Mapping[str, JsonValue]:
        """Names and birth date that the source has of an employee."""
        if self._people is None:
            mapping = self._mapping
            self._people = mapping.people(source) if isinstance(mapping, EmployeesMapping) else lambda _: {}
        return self._people(key)

    def _consider(self, record: SourceRecord | Rejected, source: Source) -> None:
        draft = self.draft
        draft.counts["source"] += 1
        if isinstance(record, Rejected):
            if record.key in draft.outside and not self._keys:
                draft.counts["skipped"] += 1  # told all together: most of a company may be among them
            else:
                draft.reject(record)
            return
        if has_left(record):
            self._left.add(record.key)
        elif self.only_leavers:
            draft.counts["waiting"] += 1
            return
        if reason := self._moved.blocked.get(record.key):
            draft.reject(Rejected(record.key, "invalid", reason.text, cause=reason.cause))
            return
        self._tell_alike(record)
        digest = digest_of(self._mapping.version, self._fingerprint, record.facts)
        if self._trust_digests and self._is_settled(record.key, digest):
            draft.counts["unchanged"] += 1
            for note in self._state.notes(record.key):
                draft.repeat(record.key, note.text, note.cause, note.field)
            return
        twins = self._twins(record)
        desired = desired_of(self._mapping, record)
        if twins:
            self._several(record.key, twins, desired, digest, source)
            return
        if isinstance(desired, Rejected):
            draft.reject(self._with_access(desired))
            return
        self._compare(record, desired, digest, source)

    def _tell_alike(self, record: SourceRecord) -> None:
        """Records that SafetyAmp has beside the known one, made by hands or by a creation that came late."""
        known = self._state.target_id(record.key) if self._state.unmatched else None
        match = None if known is None else self._mapping.match_value(record)
        if match and (ids := self._state.unmatched_ids(match, in_use=True)):
            alike = ", ".join(map(str, ids))
            self.draft.report(
                record.key,
                f"SafetyAmp has it as record {known}; record {alike} there looks the same by name or serial:"
                " delete one, or tell them apart",
                causes.LOOKS_THE_SAME,
            )

    def _several(
        self, key: str, twins: list[int | str], desired: Desired | Rejected, digest: str, source: Source
    ) -> None:
        """Which of several records is meant nobody can tell, but who has left loses access in all of them,
        and gets it back where the sync took it when they return. Users that are known as somebody else's, or
        plainly show another person, are left out of that."""
        reason, cause = self._why_several(key, twins)
        strays = {twin: self._state.stray(twin) or {} for twin in twins}
        wrong = [twin for twin in twins if self._has_wrong_access(twin, strays[twin], desired)]
        if isinstance(desired, Rejected) and desired.cause is causes.HIRED_LATER:
            on = ", ".join(str(twin) for twin in twins if strays[twin].get(ACCESS) != 0)
            reason += f"; hired on a later date, and user {on} still has access" if on else ""
        for twin in list(wrong):
            if why := self._not_meant(key, twin, strays[twin], desired, source):
                wrong.remove(twin)
                reason += f"; access of user {twin} stays as it is: {why}"
        if isinstance(desired, Rejected) or not wrong or key not in self._state.ambiguous:
            self.draft.reject(Rejected(key, "invalid", reason, cause=cause))
            return
        action: Action = "reactivate" if desired.active else "deactivate"
        access: FieldValues = {ACCESS: int(desired.active)}
        cores = {
            twin: {**self._mapping.core(strays[twin]), **self._lacking(key, strays[twin], source)}
            for twin in wrong
        }
        beside: list[Beside] = [
            {"key": None, "target_id": twin, "fields": access, "core": core, "fresh": list(core)}
            for twin, core in cores.items()
        ]
        first = wrong[0]
        change = Change(
            key=key,
            action=action,
            target_id=first,
            fields=access,
            before={ACCESS: strays[first].get(ACCESS)},
            core=cores[first],
            digest=digest,
            fresh=list(cores[first]),
            beside=beside[1:],
        )
        if withheld := self._rules.why(change, *(strays[twin] for twin in wrong)):
            self.draft.reject(Rejected(key, "invalid", f"{reason}; {withheld.text}", cause=withheld.cause))
            return
        self.draft.counts[action] += 1
        self.draft.report(key, reason, cause)
        self.draft.changes.append(change)

    def _with_access(self, rejected: Rejected) -> Rejected:
        """Somebody hired later whose user can sign in already is told: it may be that of somebody who has
        left, and got this number by hand."""
        entry = self._state.entry(rejected.key) if rejected.cause is causes.HIRED_LATER else None
        if entry is None or entry.target_id is None or entry.is_off:
            return rejected
        text = (
            f"hired on a later date, and SafetyAmp user {entry.target_id}, which has this number, still has"
            " access: switch it off there, or give it the right number (emp_id) and run with refresh; nothing"
            " if they may sign in before that day"
        )
        return replace(rejected, reason=text, cause=causes.ACCESS_BEFORE_HIRE)

    def _why_several(self, key: str, twins: list[int | str]) -> Reason:
        lost, new = self._state.moved.get(key, (None, key))
        if new is not None:
            ids = ", ".join(map(str, twins))
            text = f"several SafetyAmp records claim this key (ids {ids}): keep one"
            return Reason(text, causes.SEVERAL_RECORDS)
        ids = ", ".join(str(twin) for twin in twins if twin != lost)
        return Reason(
            f"SafetyAmp's record {lost} has lost this key to {ids}, which is known as another one or shows"
            " another person: give it back, or enter the person's names where it belongs",
            causes.KEY_MOVED,
        )

    def _not_meant(
        self,
        key: str,
        twin: int | str,
        fields: Mapping[str, JsonValue],
        desired: Desired | Rejected,
        source: Source,
    ) -> str | None:
        """Why a user with this number is not switched on or off with the others that have it."""
        if twin in self._moved.spared:
            return f"it was known as employee {self._moved.spared[twin]}"
        if isinstance(desired, Desired) and not desired.active:
            if is_another_person(fields, self._person(key, source)):
                return "it is another person (other name and other birth date)"
            return self._shows_somebody_current(key, fields, source)
        return None

    def _repeatable_of(self, desired: Desired, entry: Entry | None, source: Source) -> Desired:
        """With what the update that switches somebody off must repeat and has from nowhere else."""
        if desired.active or entry is None or entry.is_off:
            return desired
        return replace(desired, create_only=self._lacking(desired.key, entry.fields, source))

    def _lacking(self, key: str, shown: FieldValues, source: Source) -> FieldValues:
        """What every update must repeat and a leaver's user lacks, as the sources have it: access must not
        hang on that. An address that somebody else has by now is marked as one that stands in for it: it
        would keep them out, or be refused."""
        lacks = [name for name, value in self._mapping.core(shown).items() if not is_given(value)]
        if not lacks or not isinstance(self._mapping, EmployeesMapping):
            return {}
        if self._repeatable is None:
            self._repeatable = self._mapping.repeatable(source)
        own = self._repeatable(key)
        found = {name: own[name] for name in lacks if own.get(name)}
        if (address := found.get("email")) and self._is_of_others(key, address, source):
            found["email"] = makeshift(str(address))
        return found

    def _is_of_others(self, key: str, address: JsonValue, source: Source) -> bool:
        if any(number != key for number in self._current_people(source).shown_by({"email": address})):
            return True
        return any(value == address for _, value, _, _ in self._state.unique_values())

    def _shows_somebody_current(self, key: str, fields: FieldValues, source: Source) -> str | None:
        """Why the user of a leaver's number is somebody else's although a birth date is missing: other names,
        and names or e-mail of somebody who has not left. Hands mistyped the number, most likely."""
        if not has_other_names(fields, self._person(key, source)):
            return None
        others = [number for number in self._current_people(source).shown_by(fields) if number != key]
        if not others:
            return None
        return f"it shows names or e-mail of employee {' and '.join(others[:3])}, who has not left"

    def _current_people(self, source: Source) -> CurrentPeople:
        if self._current is None:
            assert isinstance(self._mapping, EmployeesMapping), "nobody else leaves"
            self._current = self._mapping.current_people(source)
        return self._current

    def _has_wrong_access(
        self, twin: int | str, fields: Mapping[str, JsonValue], desired: Desired | Rejected
    ) -> bool:
        if isinstance(desired, Rejected):
            return False
        if desired.active:
            # Without a value it was sent, and no answer came.
            is_off = fields.get(ACCESS) == 0
            return (is_off and self._reenable) or (
                not fields.get(ACCESS) and self._switched_off.by_sync(twin)
            )
        return fields.get(ACCESS) != 0

    def _compare(self, record: SourceRecord, desired: Desired, digest: str, source: Source) -> None:
        draft = self.draft
        entry = self._state.entry(record.key)
        if entry is None or entry.target_id is None:
            entry = self._adopt(record) or entry
        if rejected := self._hopeless(desired, entry, digest):
            draft.reject(rejected)
            return
        if entry and (reason := self._is_another(record.key, entry, desired, source)):
            draft.reject(Rejected(record.key, "invalid", reason, cause=causes.ANOTHER_PERSON))
            return
        contested = {name: why for name, why in desired.contested.items() if self._counts(name, entry)}
        result = compare(
            self._repeatable_of(desired, entry, source),
            entry,
            digest,
            entity=self._mapping.name,
            core=self._mapping.core,
            resolve=self._resolver.resolve,
            reenable=self._reenable,
            switched_off_by_sync=self._switched_off.by_sync,
            listed=self._listed,
            retry=self._retry_failed,
        )
        if result.change and (rejected := self._not_to_be_sent(result.change, entry, source)):
            draft.reject(rejected)
            return
        if result.note:
            draft.report(record.key, *result.note)
        if result.change:
            self._tell_why(record, result.change)
            draft.counts[result.change.action] += 1
            draft.changes.append(result.change)
        elif entry is None or entry.target_id is None:
            # Everybody who ever left is among these: counted, but not listed one by one.
            draft.counts["skipped"] += 1
            draft.state_changed |= self._state.forget_failure(record.key)
        elif result.left_out:
            draft.counts["invalid"] += 1
            self._unsettle(record.key)
        else:
            # Who is without access although the source says otherwise is not as it should be.
            draft.counts["skipped" if result.note else "unchanged"] += 1
            # What is said of it is said in every run, until it is mended.
            notes = [
                *(Note(name, text, cause.code) for name, (text, cause) in contested.items()),
                *(Note(None, text, cause.code) for text, cause in desired.warnings),
            ]
            draft.state_changed |= self._state.settle(
                record.key, digest, noted=bool(result.note), notes=notes, equal=desired.fields
            )
        for name, (text, cause) in {**contested, **result.left_out}.items():
            is_invalid = name in result.left_out and not result.change
            draft.report(record.key, text, cause, name, "invalid" if is_invalid else "reported")
        for warning in desired.warnings:
            draft.report(record.key, *warning)

    def _counts(self, name: str, entry: Entry | None) -> bool:
        """Whether it is of interest what the source says of a field: of somebody new always."""
        is_new = entry is None or entry.target_id is None
        rule = self._mapping.rules.fields.get(name)
        return is_new or rule is None or rule.owner == "source"

    def _tell_why(self, record: SourceRecord, change: Change) -> None:
        """What an operator would not expect of a change: somebody who does not leave is switched off, or what
        is wrong is what hands wrote."""
        if change.action == "deactivate" and not has_left(record) and (why := why_outside(record)):
            self.draft.report(record.key, f"access is switched off: {why}", causes.OUT_OF_SCOPE)
        known = self.before.entry(record.key) if self.before and change.action == "update" else None
        if known is None or known.target_id != change.target_id or known.digest != change.digest:
            return
        names = [name for name in change.fields if known.fields.get(name) != change.before.get(name)]
        if names:
            text = f"{', '.join(names)} was changed in SafetyAmp since the last run and is set back"
            self.draft.report(record.key, text, causes.CHANGED_BY_HAND)

    def _not_to_be_sent(self, change: Change, entry: Entry | None, source: Source) -> Rejected | None:
        """Why a change must not be sent that would be right otherwise."""
        if rejected := self._is_there_already(change, source):
            return rejected
        if (withheld := self._rules.why(change, entry.fields if entry else {})) is None:
            return None
        if entry is not None:
            self._unsettle(change.key)  # told in every run
        return Rejected(change.key, "skipped", withheld.text, cause=withheld.cause)

    def _is_there_already(self, change: Change, source: Source) -> Rejected | None:
        """Why nobody is created whom a user shows that has the number of somebody plainly else: the number is
        wrong."""
        if change.action != "create" or not isinstance(self._mapping, EmployeesMapping):
            return None
        if self._by_last_name is None:
            self._by_last_name = self._state.by_last_name()
        for number, target_id in self._by_last_name.get(str(change.fields.get("last_name")).casefold(), ()):
            shown = self._state.fields_of(number, target_id)
            if is_same_person(shown, change.fields) and self._is_not_of(number, shown, source):
                reason = (
                    f"SafetyAmp user {target_id}, which has the number {number} of somebody else, shows this"
                    f" person: nobody is created. Give it {change.key} as emp_id, then run with refresh; if"
                    " its number is right, enter that person's names and birth date there"
                )
                return Rejected(change.key, "invalid", reason, cause=causes.KEY_MOVED)
        return None

    def _is_not_of(self, number: str, shown: FieldValues, source: Source) -> bool:
        """Whether a user with this number is plainly not that of the number."""
        person = self._person(number, source)
        if shown.get("date_of_birth") and is_another_person(shown, person):
            return True
        # Of a leaver the names are enough, as they are for keeping access.
        return has_other_names(shown, person) and number not in self._current_people(source)

    def _is_another(self, key: str, entry: Entry, desired: Desired, source: Source) -> str | None:
        """Why nothing is sent to a user who is plainly another person than the one of the number."""
        if entry.target_id is None:
            return None
        if desired.active:
            fields = self._mapping.rules.fields
            is_owned = all((rule := fields.get(name)) and rule.owner == "source" for name in PERSON)
            person = desired.fields if is_owned else self._person(key, source)
            return ANOTHER_PERSON if is_another_person(entry.fields, person) else None
        if entry.is_off:
            return None
        if is_another_person(entry.fields, self._person(key, source)):
            return LEAVER_IS_ANOTHER_PERSON
        why = self._shows_somebody_current(key, entry.fields, source)
        return why and LEAVER_SHOWS_ANOTHER.format(why=why)

    def _hopeless(self, desired: Desired, entry: Entry | None, digest: str) -> Rejected | None:
        """Why there is no use in comparing: SafetyAmp refused the record as it is, or would. Somebody who has
        left is tried again in every run: the record's data will not change any more."""
        if not desired.active:
            return None
        is_new = entry is None or entry.target_id is None
        if is_new and desired.contested:
            name, reason = next(iter(desired.contested.items()))
            if name == "home_site_id":
                return Rejected(desired.key, "skipped", reason.text, cause=reason.cause)
            return Rejected(desired.key, "invalid", reason.text, "Email", cause=reason.cause)
        if entry is None or not self._is_known_failure(entry, digest):
            return None
        failure = entry.flags[FAILURE]
        cause = cause_of_refusal(self._mapping.name, failure["errors"], failure.get("by", {}))
        rejected = Rejected(desired.key, "invalid", _failure_text(entry), cause=cause)
        # What it refers to may be usable now that SafetyAmp was listed.
        refused = of_the_source(failure["errors"]) if self._listed else failure["errors"].keys()
        if not refused:
            return None
        if not is_new:
            # What is remembered field by field is compared: some of it may be free or there by now.
            remembered = {*entry.flags.get(TAKEN, {}), *entry.flags.get(REJECTED, {})}
            from_older_release = "by" not in failure and refused <= set(UNIQUE)
            return None if refused <= remembered or from_older_release else rejected
        if not refused <= set(UNIQUE):
            return rejected
        self._doubtful[desired.key] = rejected  # the value may be free now
        return None

    def _tell_leavers_with_access(self, source: Source) -> None:
        mapping = self._mapping
        if not isinstance(mapping, EmployeesMapping) or not self._left:
            return

        def leavers(values: Collection[str]) -> Mapping[str, KnownBy]:
            return mapping.known_by(source, self._left, values)

        for key, reason in leavers_with_access(self._state, leavers, self.draft.seen):
            self.draft.report(key, reason.text, reason.cause)

    def arrange(self, source: Source, judge: Judge | None) -> None:
        """Put the changes in order, and settle who gets which unique value and what is held."""
        draft = self.draft
        self._tell_leavers_with_access(source)
        for cause, count in Counter(draft.outside.values()).items():
            if not self._keys:
                text = f"{count} {self._mapping.name}: {cause.name}; they are left as they are"
                draft.report("?", text, cause)
        draft.changes.sort(key=lambda change: FIRST_THINGS_FIRST[change.action])
        wanted = draft.changes
        result = self._arranged(wanted, source)
        self._take(result, source)
        if judge is not None:
            draft.judgement = self._judged(judge, result)
        held = self._held_apart()
        if held:
            # Once more, now that it is known who stays as they are.
            keys = {change.key for change in held}
            rest = [change for change in wanted if change.key not in keys]
            result = self._without_held(result, self._arranged(rest, source, held), keys)
            together = {key: number for key, number in draft.together.items() if key in keys}
            self._take(result, source)
            draft.together |= together
            draft.held = held
        self._tell(result)
        if not draft.changes:
            draft.changes, draft.held = draft.held, []

    def _arranged(self, changes: list[Change], source: Source, held: Collection[Change] = ()) -> Arranged:
        mapping = self._mapping

        def claims(keys: Collection[str]) -> Mapping[str, Claim]:
            return mapping.claims(source, keys) if isinstance(mapping, EmployeesMapping) else {}

        return arrange(
            changes,
            self._state,
            claims,
            core=mapping.core,
            listed=self._listed,
            retry=self._retry_failed,
            doubtful=self._doubtful,
            kept_by_rules=self._kept_by_rules,
            held=held,
        )

    def _take(self, result: Arranged, source: Source) -> None:
        draft = self.draft
        draft.together = {
            change.key: number
            for number, group in enumerate(result.groups, start=1)
            for change in group
            if len(group) > 1
        }
        draft.changes = self._with_predecessors([one for group in result.groups for one in group], source)

    def _judged(self, judge: Judge, result: Arranged) -> Judgement:
        """What is dropped is not done, whatever becomes of the rest."""
        dropped = Counter(change.action for change in result.dropped)
        self.draft.counts.subtract(dropped)
        try:
            return judge(self.draft)
        finally:
            self.draft.counts.update(dropped)

    def _held_apart(self) -> list[Change]:
        """The changes of the parts that are held, with those that exchange values with them: neither can be
        made without the other. None where all of the plan is held: then it stays as it is."""
        draft = self.draft
        if draft.judgement.everything:
            return []
        groups = {
            draft.together.get(change.key)
            for change in draft.changes
            if change.action in draft.judgement.parts
        }
        return [
            change
            for change in draft.changes
            if change.action in draft.judgement.parts
            or (change.key in draft.together and draft.together[change.key] in groups)
        ]

    def _without_held(self, whole: Arranged, rest: Arranged, held: Collection[str]) -> Arranged:
        """The rest, with what there is to say of those that are held."""
        return replace(
            rest,
            left_out=[*(one for one in whole.left_out if one.key in held), *rest.left_out],
            freed=[*(one for one in whole.freed if one.taker in held), *rest.freed],
        )

    def _tell(self, result: Arranged) -> None:
        """Count and report what is not sent, or not all of it."""
        draft = self.draft
        waiting = {change.key for change in result.dropped}
        for change in result.dropped:
            draft.counts[change.action] -= 1
            if change.key in self._doubtful:
                draft.reject(self._doubtful[change.key])
            else:
                draft.counts["waiting"] += 1
                self._unsettle(change.key)
        for key, name, reason, cause in result.left_out:
            kind = "waiting" if key in waiting and key not in self._doubtful else "reported"
            draft.report(key, reason, cause, name, kind)
        for freed in result.freed:
            draft.report(freed.key, freed.reason, freed.cause, freed.name)

    def _kept_by_rules(self, holder: Holder, name: str) -> str | None:
        """Why the rules let nobody take a unique value from its holder, whoever needs it."""
        rule = self._mapping.rules.fields.get(name)
        if rule is None or rule.owner != "source":
            return f"the rules leave {name} to SafetyAmp"
        # Somebody may have given it another number: the rules go on to mean it by the one that it had.
        former = (old for old, place in self._state.moved.items() if place.target_id == holder.target_id)
        keys = [holder.key, *former]
        if cause := next((self.draft.outside[key] for key in keys if key in self.draft.outside), None):
            return cause.name
        shown = self._state.fields_of(holder.key, holder.target_id) if holder.key is not None else {}
        return next((why for key in keys if (why := self._rules.why_kept(key, shown)) is not None), None)

    def _with_predecessors(self, changes: list[Change], source: Source) -> list[Change]:
        """The user of somebody who has another number in the payroll now, or has two, or has none of the
        payroll's (of an agency, of a company that was bought), may have got the new one by hand since
        SafetyAmp was listed, or while it was: reading its pages can take minutes at the limit. Whoever
        creates them asks first."""
        mapping = self._mapping
        names = {sign for change in changes if change.action == "create" for sign in _signs(change.fields)}
        if not names or not isinstance(mapping, EmployeesMapping):
            return changes
        known = {key for key in self._state.keys_in_target() if key not in self._state.ambiguous}
        people = mapping.known_by(source, known, names)
        # By their signs: of a company of which half is new, each would be held beside each otherwise.
        by_sign: dict[str, list[tuple[Predecessor, FieldValues]]] = {}
        for key, target_id, person in (
            *((key, self._state.target_id(key), one.person) for key, one in people.items()),
            *self._not_of_the_source(names),
        ):
            if target_id is not None:
                for sign in _signs(person):
                    by_sign.setdefault(sign, []).append(({"key": key, "target_id": target_id}, person))
        return [
            replace(change, predecessors=found)
            if change.action == "create" and (found := _predecessors(change.fields, by_sign))
            else change
            for change in changes
        ]

    def _not_of_the_source(
        self, names: AbstractSet[str]
    ) -> Iterator[tuple[str | None, int | str | None, FieldValues]]:
        """Users of these last names or birth dates whose number is none of the source's, or that of several
        users, or who have none: key, id, and what they show."""
        for target_id, _, _ in self._state.strays.values():
            person = self._state.stray(target_id)
            if person and not names.isdisjoint(_signs(person)):
                yield None, target_id, person
        for key in self._state.keys_in_target():
            entry = None if key in self.draft.seen else self._state.entry(key)
            if entry is not None and not names.isdisjoint(_signs(entry.fields)):
                yield key, entry.target_id, entry.fields

    def _unsettle(self, key: str) -> None:
        """Looked at again in every run, until nothing is left out."""
        self.draft.state_changed |= self._state.unsettle(key)

    def _is_settled(self, key: str, digest: str) -> bool:
        """Whether nothing has changed since the record was made equal, on either side of its references: a
        site that was made anew has another id."""
        return self._state.is_settled(key, digest) and not self._state.refers_to_others(key, self._references)

    def _twins(self, record: SourceRecord) -> list[int | str]:
        """Ids of several SafetyAmp records that claim the key, or the match value of an unknown key."""
        if record.key in self._state.ambiguous:
            return self._state.ambiguous[record.key]
        match = self._match_value(record)
        ids = self._state.unmatched_ids(match) if match else []
        return ids if len(ids) > 1 else []

    def _match_value(self, record: SourceRecord) -> str | None:
        """The alternative match value of a record that is not known in SafetyAmp by its key."""
        known = self._state.target_id(record.key) is not None
        return None if known else self._mapping.match_value(record)

    def _adopt(self, record: SourceRecord) -> Entry | None:
        """A record that existed before the sync and is recognised by its alternative match value."""
        match = self._match_value(record)
        if not match or not self._state.unmatched_ids(match):
            return None
        entry = self._state.take_unmatched(match)
        self._state.put(record.key, entry)
        self.draft.state_changed = True
        return entry

    def _is_known_failure(self, entry: Entry, digest: str) -> bool:
        failure = entry.flags.get(FAILURE)
        return failure is not None and failure["digest"] == digest and not self._retry_failed


def _signs(person: FieldValues) -> set[str]:
    """By what somebody new is looked for among those who are there: the last name, or for who has married
    meanwhile the birth date."""
    return {str(person[name]).casefold() for name in ("last_name", "date_of_birth") if person.get(name)}


def _predecessors(
    new: FieldValues, by_sign: Mapping[str, Iterable[tuple[Predecessor, FieldValues]]]
) -> list[Predecessor]:
    """Users that show somebody new, each once."""
    there = {
        one["target_id"]: (one, person)
        for sign in sorted(_signs(new))
        for one, person in by_sign.get(sign, ())
    }
    same = [one for one, person in there.values() if is_same_person(person, new)]
    married = [one for one, person in there.values() if one not in same and may_have_married(person, new)]
    # Where many have one first name and birth date, these are made up and tell nobody apart.
    return same + (married if len(married) <= FEW_NAMESAKES else [])


def _failure_text(entry: Entry) -> str:
    errors = entry.flags[FAILURE]["errors"]
    fields = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in errors.items())
    told = f"SafetyAmp refused this record and its data has not changed ({fields})"
    if of_the_source(errors):
        return f"{told}: mend it in the source"
    return f"{told}. {suggestion_for(refusal_kind(errors))}"
