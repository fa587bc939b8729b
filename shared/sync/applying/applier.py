"""Applying one change: resolve its references, call SafetyAmp, understand the answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from shared.errors import APIError, InvalidRecord, NotFound, UpstreamUnavailable
from shared.sync.applying.fresh import FreshReader
from shared.sync.documents.change import Change, reference
from shared.sync.documents.outcome import DONE, Outcome, Result
from shared.sync.documents.progress import HalfDone
from shared.sync.documents.state import UNIQUE
from shared.sync.entities.cleaning import is_given
from shared.sync.entities.keys import normal_key
from shared.sync.mapping import EntityMapping
from shared.sync.model import ACCESS, FieldValues, JsonValue, Ref, Target
from shared.sync.planning.compare import wanted_digest
from shared.sync.planning.listing import RESOURCES, UNIQUE_VALUE
from shared.sync.planning.resolver import Resolver
from shared.sync.planning.withholding import Withholding
from shared.sync.services import Services
from shared.sync.suggestions import NO_FIELD, of_the_source, refusal_kind, suggestion_for

UNDROPPABLE = frozenset(
    {
        *("first_name", "last_name", "email", "home_site_id", "emp_id", "roles", ACCESS),
        *("name", "ext_id", "cluster_id", "parent_cluster_id", "osha_establishment", "external_code"),
        *("site_id", "asset_type_id"),
    }
)
"""Fields without which a record would not be what it is: when SafetyAmp refuses one of these, it is not
created; any other refused field is left out and reported. A record that is there can go without all of them
but access: it keeps what it has."""

NUMBER, PHONE = "emp_id", "mobile_phone"

OPTIONAL = frozenset({"current_title_id", "current_user_id"})
"""References that a new record can go without."""

FORMAT_WORDS = ("valid", "must", "format", "required")
TAKEN_WORDS = ("taken", "in use", "unique", "exists")


class Unresolved(Exception):
    """A reference has no target id yet."""

    def __init__(self, ref: Ref) -> None:
        super().__init__(f"{ref.entity} {ref.key}")
        self.ref = ref


class AlreadyThere(Exception):
    """A repeated creation was refused because its unique value is taken: by our own record, whose answer was
    lost, or by somebody's."""

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        super().__init__(", ".join(sorted(errors)))
        self.errors = dict(errors)


class MustBeListed(Exception):
    """SafetyAmp shows something else than is known: the next run lists it before anything is concluded."""


class OtherNumber(MustBeListed):
    """The user who is to be switched off, or to give a value up, has another employee number in SafetyAmp by
    now."""

    def __init__(self, target_id: int | str, number: str) -> None:
        super().__init__(
            f"SafetyAmp user {target_id} has the number {number} there by now, so nothing was sent under the"
            " old one: the next run lists SafetyAmp and decides anew"
        )


class PhoneInUse(MustBeListed):
    """The phone of somebody new is that of a user of whom nothing is known: perhaps they were entered there
    by hand since the last listing."""

    def __init__(self) -> None:
        super().__init__(
            "SafetyAmp has a user with this phone who was not there when it was listed last, perhaps this"
            " person, entered by hand: the next run lists SafetyAmp first"
        )


class ProtectedByNow(MustBeListed):
    """The user has an address by now that the rules protect."""

    def __init__(self, target_id: int | str) -> None:
        super().__init__(
            f"SafetyAmp user {target_id} has an address there by now that the rules protect, so nothing was"
            " sent: the next run lists SafetyAmp and decides anew"
        )


class ChangeApplier:
    """Applies changes of one entity within one handler.

    Raises RetryLater, UpstreamUnavailable, AccessRefused and ConfigurationError, which concern more than
    the one record; everything else becomes an outcome.
    """

    def __init__(
        self, services: Services, mapping: EntityMapping, resolver: Resolver, *, listed: bool = False
    ) -> None:
        """`listed`: the plan was made from a listing of SafetyAmp."""
        self._client = services.safetyamp
        self._listed = listed
        self._clock = services.clock
        self._mapping = mapping
        self._resource = RESOURCES[mapping.name]
        self._resolver = resolver
        self._withholding = Withholding(mapping.name, mapping.rules)
        self._fresh = FreshReader(services.safetyamp, mapping.name)
        self._resolved: FieldValues = {}
        self.repeated = False
        """Whether what the last change wanted was refused after it had been sent without an answer."""

    def apply(self, change: Change, *, again: bool = False, half_done: HalfDone | None = None) -> Outcome:
        """Apply one change. `again`: an earlier attempt at this creation got no answer, and SafetyAmp refuses
        a second record of its kind (`UNIQUE_VALUE`), so that sending it again is safe. `half_done`: what need
        not be done any more; it is kept up to date.

        Raises Unresolved for a reference that may come later, and with `again` AlreadyThere.
        """
        fields, left_out = self._resolve(change)
        fields = {**fields, **self._still_empty(change)}
        self._resolved = fields
        self.repeated = False
        done = half_done or HalfDone(change.key)
        try:
            self._ask_predecessors(change, done)
            self._write_beside(change, done)
            outcome = (
                self._create(change, fields, again)
                if change.action == "create"
                else self._update(change, fields)
            )
        except MustBeListed as why:
            outcome, done.other = replace(_outcome(change, "waiting"), reason=str(why)), True
        outcome.beside, outcome.list_anew = done.written, done.other
        return self._finished(change, outcome, left_out)

    def look_for(
        self, change: Change, targets: Iterable[Target], refused: Mapping[str, list[str]]
    ) -> Outcome | None:
        """What became of a creation without an answer, by a listing made since; None when it is not there and
        can be sent anew. `refused` is what SafetyAmp answered when it was sent again, if it was.
        """
        fields, left_out = self._resolve(change)
        self._resolved = fields
        if found := self._look_up(change, fields, targets):
            return self._finished(change, found, left_out)
        if not refused:
            return None
        # Somebody else's, or ours and hidden because the listing shifted: the next run's listing tells.
        reason = _advice(refused, _taken(change, refused))
        unsure = replace(_outcome(change, "failed"), unsure=True, errors=dict(refused), reason=reason)
        return self._finished(change, unsure, left_out)

    def _finished(self, change: Change, outcome: Outcome, left_out: dict[str, str]) -> Outcome:
        outcome.at = self._clock.now().isoformat()
        outcome.left_out = left_out
        outcome.incomplete = change.incomplete or bool(left_out)
        if outcome.target_id is not None:
            self._resolver.created[Ref(self._mapping.name, outcome.key)] = outcome.target_id
        return outcome

    def _resolve(self, change: Change) -> tuple[FieldValues, dict[str, str]]:
        """The fields with target ids, and those that are left out because what they refer to is not there.

        Raises Unresolved where it has to be waited for: for what a new record cannot go without, for what
        this run may still create, and when nothing else would be sent.
        """
        resolved: dict[str, JsonValue] = {}
        missing: dict[str, Ref] = {}
        for name, value in change.fields.items():
            ref = reference(value)
            if ref is not None:
                value = self._resolver.resolve(ref)
                if value is None:
                    missing[name] = ref
                    continue
            resolved[name] = value
        for name, ref in missing.items():
            needed = change.action == "create" and name not in OPTIONAL
            if needed or ref.entity == self._mapping.name or not resolved:
                raise Unresolved(ref)
        text = "waiting for {0.entity} {0.key}, which SafetyAmp does not have yet"
        return resolved, {name: text.format(ref) for name, ref in missing.items()}

    def _still_empty(self, change: Change) -> FieldValues:
        """What fills fields that SafetyAmp owns, as far as they are empty there now. A site or asset cannot
        be read alone: for these a listing of this run must do. What is not shown is left for another run."""
        if not change.fill or change.target_id is None:
            return {}
        fill = {name: self._known(value) for name, value in change.fill.items()}
        fill = {name: value for name, value in fill.items() if value is not None}
        if not self._fresh.can_read:
            return fill if self._listed else {}
        now = self._mapping.target(self._fresh.record(change.target_id) or {"deleted_at": "not shown"})
        if now is None:
            return {}
        return {name: value for name, value in fill.items() if not is_given(now.fields.get(name))}

    def _known(self, value: JsonValue) -> JsonValue:
        """The value, or the id of what it refers to; None where that is not there yet."""
        ref = reference(value)
        return value if ref is None else self._resolver.resolve(ref)

    def _ask_predecessors(self, change: Change, done: HalfDone) -> None:
        """Raises OtherNumber when somebody has given one of them another number since the last listing."""
        for one in change.predecessors:
            if (step := f"asked {one['target_id']}") in done.steps:
                continue
            try:
                if one["key"] is None:
                    self._ask_nobodys(change, one["target_id"])
                else:
                    self._repeated(change, one["target_id"], {}, [NUMBER], of=one["key"])
            except UpstreamUnavailable as error:
                error.may_have_happened = False  # nothing was sent
                raise
            done.steps.append(step)

    def _ask_nobodys(self, change: Change, target_id: int | str) -> None:
        """Of a user that had no number of ours, only this one says that it is who is to be created."""
        number = self._fresh.values(target_id, [NUMBER]).get(NUMBER)
        if number is not None and normal_key(self._mapping.name, str(number)) == change.key:
            raise OtherNumber(target_id, str(number))

    def _write_beside(self, change: Change, done: HalfDone) -> None:
        """Write to other records what has to be there before this change: a value that is given up. What
        SafetyAmp refuses is left as it is; the change finds out. Raises OtherNumber where a user has another
        number by now and may be the one who is to be created."""
        for place, beside in enumerate(change.beside):
            if (step := f"beside {place}") in done.steps:
                continue
            target_id = beside["target_id"]
            try:
                core = self._repeated(
                    change,
                    target_id,
                    beside["core"],
                    beside["fresh"],
                    of=change.key if beside["fields"].get(ACCESS) == 0 else beside["key"],
                )
                self._client.update(self._resource, target_id, {**core, **beside["fields"]})
                self._fresh.is_there(target_id)
                done.written.append(
                    {"key": beside["key"], "target_id": target_id, "fields": beside["fields"]}
                )
            except (InvalidRecord, NotFound):
                pass
            except OtherNumber:
                if change.action == "create":
                    raise
                done.other = True
            except UpstreamUnavailable as error:
                error.may_have_happened = False  # not of the change itself, which has not been sent yet
                raise
            done.steps.append(step)

    def _repeated(
        self,
        change: Change,
        target_id: int | str,
        core: Mapping[str, JsonValue],
        fresh: Iterable[str],
        *,
        of: str | None = None,
    ) -> FieldValues:
        """The core fields, those that the source does not own as they are now. Nobody keeps access because
        they cannot be read.

        `of`: the number with which the user is known, and which is read with them. Raises OtherNumber when
        somebody has given the user another one, most likely that under which the person was hired again.
        """
        names = [*fresh]
        if not names:
            return dict(core)
        urgent = change.action == "deactivate"
        now = self._fresh.values(target_id, [*names, *([] if of is None else [NUMBER])], urgent=urgent)
        if self._withholding.protects(now.get("email")):
            raise ProtectedByNow(target_id)
        number = now.pop(NUMBER, of)
        if of is not None:
            number = normal_key(self._mapping.name, str(number))
            if number != normal_key(self._mapping.name, of):
                raise OtherNumber(target_id, str(number))
        return {**core, **now}

    def _create(self, change: Change, fields: FieldValues, again: bool) -> Outcome:
        dropped: dict[str, list[str]] = {}
        try:
            created = self._client.create(self._resource, fields)
        except InvalidRecord as error:
            self._raise_if_there(again, error)
            if not (again or self._listed) and _is_phone_of_nobody_known(change, error):
                raise PhoneInUse from error
            dropped = droppable(error, fields)
            if not dropped:
                return self._refused(change, error)
            fields = {name: value for name, value in fields.items() if name not in dropped}
            try:
                created = self._client.create(self._resource, fields)
            except InvalidRecord as second:
                self._raise_if_there(again, second)
                return self._refused(change, second)
        return self._done(change, fields, created["id"], dropped)

    def _raise_if_there(self, again: bool, error: InvalidRecord) -> None:
        if again and UNIQUE_VALUE.get(self._mapping.name) in error.field_errors:
            raise AlreadyThere(error.field_errors) from error

    def _update(self, change: Change, fields: FieldValues) -> Outcome:
        """What SafetyAmp refuses of an update is left out, as long as something is left. A repeated field
        that it refuses is read and sent as it is now, and then left out too: it must not cost the change."""
        if not fields:
            return self._done(change, {}, change.target_id, {})  # what was to be filled is not empty any more
        dropped: dict[str, list[str]] = {}
        taken: dict[str, JsonValue] = {}
        of = change.key if change.fields.get(ACCESS) == 0 else None
        assert change.target_id is not None, "only creations have no target id"
        core = self._repeated(change, change.target_id, change.core, change.fresh, of=of)
        known_now = set(change.fresh)
        while True:
            try:
                self._send_update(change, change.target_id, core, fields, taken, known_now)
                return self._done(change, fields, change.target_id, dropped)
            except InvalidRecord as error:
                self.repeated |= error.repeated
                refused = refused_fields(error)
                own = {name: refused[name] for name in refused if name in fields and name != ACCESS}
                repeated = {name for name in refused if name in core and name not in fields}
                if not own and not repeated:
                    return self._refused(change, error, dropped, taken)
                dropped |= own
                fields = {name: value for name, value in fields.items() if name not in own}
                if not fields.keys() - taken.keys():
                    return self._after_refusals(change, error, fields, dropped, taken)
                read = (repeated | (own.keys() & core.keys())) - known_now
                now = self._repeated(change, change.target_id, core, sorted(read))
                useless = {name for name in repeated if now[name] == core[name]}
                core = {name: value for name, value in now.items() if name not in useless}
                known_now |= read
            except NotFound:
                return replace(
                    _outcome(change, "gone"),
                    reason="SafetyAmp no longer has this record; it is planned anew in the next run",
                )

    def _after_refusals(
        self,
        change: Change,
        error: InvalidRecord,
        fields: FieldValues,
        dropped: dict[str, list[str]],
        taken: FieldValues,
    ) -> Outcome:
        """Nothing is left to send: done if SafetyAmp took anything, refused if not."""
        if taken:
            return self._done(change, fields, change.target_id, dropped)
        return self._refused(change, error, dropped, taken)

    def _send_update(
        self,
        change: Change,
        target_id: int | str,
        core: Mapping[str, JsonValue],
        fields: FieldValues,
        taken: dict[str, JsonValue],
        fresh: Collection[str],
    ) -> None:
        """Access that is switched on goes alone with the core fields, then the rest
        (docs/contracts/safetyamp.md#users).

        `taken` notes what SafetyAmp took; that is not sent again. The `fresh` fields of the core were read
        before this, and are read again for a repetition, half a minute later perhaps; so is what was empty
        and is filled.
        """
        parts: list[FieldValues] = [fields]
        if fields.get(ACCESS) == 1:
            rest = {name: value for name, value in fields.items() if name != ACCESS}
            parts = [{ACCESS: 1}, rest]
        for part in parts:
            if not part.keys() <= taken.keys():
                is_read = fresh or change.fill.keys() & part.keys()
                anew = self._anew(change, target_id, core, part, fresh) if is_read else None
                self._client.update(self._resource, target_id, {**core, **part}, anew)
                self._fresh.is_there(target_id)
                taken.update(part)

    def _anew(
        self,
        change: Change,
        target_id: int | str,
        core: Mapping[str, JsonValue],
        part: FieldValues,
        fresh: Collection[str],
    ) -> Callable[[], FieldValues]:
        owned = {name: value for name, value in part.items() if name not in change.fill}
        filled = owned.keys() != part.keys()

        def anew() -> FieldValues:
            try:
                fill = self._still_empty(change) if filled else {}
                return {**self._repeated(change, target_id, core, sorted(fresh)), **owned, **fill}
            except UpstreamUnavailable as error:
                error.may_have_happened = True  # what is to be repeated
                raise
            except APIError:
                return {**core, **owned}  # what was read before must do: some of it may have been written

        return anew

    def _look_up(self, change: Change, fields: FieldValues, targets: Iterable[Target]) -> Outcome | None:
        """The record of a creation that got no answer; None when it is not there."""
        matches = [target for target in targets if self._is_ours(target, change, fields)]
        if not matches:
            return None
        if len(matches) > 1:
            ids = ", ".join(str(target.target_id) for target in matches)
            # Unsure, so that the next run lists SafetyAmp and rejects the key instead of creating a third.
            return replace(
                _outcome(change, "failed"),
                unsure=True,
                reason=f"SafetyAmp has several records of this key (ids {ids}): keep one",
            )
        # What it holds, not what was sent: it may be older than the attempt, or have been changed since.
        outcome = self._done(change, matches[0].fields, matches[0].target_id, {})
        outcome.adopted = True
        return outcome

    def _is_ours(self, target: Target, change: Change, fields: FieldValues) -> bool:
        if target.key is not None:
            return normal_key(self._mapping.name, change.key) in (target.key, target.match)
        if target.match is None:
            return False
        # Vehicles have no key in SafetyAmp: the same content, and not known under another vehicle.
        same = all(
            target.fields.get(name) == value for name, value in fields.items() if name in target.fields
        )
        return same and not self._is_known(target)

    def _is_known(self, target: Target) -> bool:
        state = self._resolver.state(self._mapping.name)
        known = {record[0] for record in state.records.values()} if state else set()
        return target.target_id in known or target.target_id in self._resolver.created.values()

    def _done(
        self,
        change: Change,
        fields: FieldValues,
        target_id: int | str | None,
        dropped: dict[str, list[str]],
    ) -> Outcome:
        return replace(
            _outcome(change, DONE[change.action]),
            target_id=target_id,
            fields=fields,
            dropped=dropped,
            dropped_digests=self._digests(change, dropped),
            taken=_taken(change, dropped),
        )

    def _digests(self, change: Change, dropped: Iterable[str]) -> dict[str, str]:
        """Of the values that were refused."""
        sent = {**change.fill, **change.fields}
        return {
            name: wanted_digest(reference(sent[name]) or sent[name], self._resolved[name]) for name in dropped
        }

    def _refused(
        self,
        change: Change,
        error: InvalidRecord,
        dropped: Mapping[str, list[str]] | None = None,
        taken: Mapping[str, JsonValue] | None = None,
    ) -> Outcome:
        errors = error.field_errors or {NO_FIELD: [f"answered {error.status_code} without naming a field"]}
        return replace(
            _outcome(change, "refused"),
            fields=dict(taken or {}),
            errors=errors,
            dropped_digests=self._digests(change, dropped or {}),
            taken=_taken(change, errors),
            reason=(
                _still_has_access(change, errors)
                if change.action == "deactivate"
                else _advice(errors, _taken(change, errors))
            ),
        )


def _outcome(change: Change, result: Result) -> Outcome:
    return Outcome(change.key, change.action, result, change.digest, before=change.before)


def droppable(error: InvalidRecord, sent: Mapping[str, JsonValue]) -> dict[str, list[str]]:
    """The refused fields, when all of them can be left out; empty when the record cannot go without."""
    refused = refused_fields(error)
    if not refused or any(name in UNDROPPABLE or name not in sent for name in refused):
        return {}
    return refused


def refused_fields(error: InvalidRecord) -> dict[str, list[str]]:
    """The refused fields with SafetyAmp's texts."""
    return {name.split(".")[0]: texts for name, texts in error.field_errors.items()}


def is_taken(texts: Iterable[str]) -> bool:
    """Whether the refusal of a unique field rather means that another record has its value. SafetyAmp's texts
    are not dependable (docs/contracts/safetyamp.md#errors): what says neither is tried again like a taken
    value."""
    joined = " ".join(texts).lower()
    if any(word in joined for word in TAKEN_WORDS):
        return True
    return not any(word in joined for word in FORMAT_WORDS)


def _taken(change: Change, refused: Mapping[str, list[str]]) -> dict[str, str]:
    return {
        name: change.holders.get(name, "")
        for name, texts in refused.items()
        if name in UNIQUE and is_taken(texts)
    }


def _is_phone_of_nobody_known(change: Change, error: InvalidRecord) -> bool:
    texts = refused_fields(error).get(PHONE)
    return texts is not None and is_taken(texts) and not change.holders.get(PHONE)


def is_ambiguous(change: Change, error: Exception) -> bool:
    """Whether the change may have been carried out although no answer came, and must not be repeated
    blindly: only creations, an update can be repeated."""
    return change.action == "create" and isinstance(error, UpstreamUnavailable) and error.may_have_happened


def _still_has_access(change: Change, errors: Mapping[str, list[str]]) -> str:
    return (
        f"SafetyAmp refused to switch user {change.target_id} off ({', '.join(sorted(errors))}), who still"
        " has access: enter there what it names, or switch access off there; each run tries it again"
    )


def _advice(errors: Mapping[str, list[str]], taken: Mapping[str, str]) -> str:
    fields = ", ".join(sorted(errors))
    if holders := ", ".join(sorted({holder for holder in taken.values() if holder})):
        return (
            f"SafetyAmp refused {fields}: {holders} has the same value there. If it is the same person, give"
            " that record our key (emp_id) and run with refresh; otherwise change the value on either side"
        )
    if any("taken" in text or "in use" in text for texts in errors.values() for text in texts):
        return (
            f"SafetyAmp refused {fields}: another SafetyAmp record has the same value. If it is the same"
            " person or thing, give that record our key there (emp_id, site code) and run with refresh;"
            " otherwise change the value in the source"
        )
    if not of_the_source(errors):
        what = f"the {NO_FIELD} without naming a field" if NO_FIELD in errors else fields
        return f"SafetyAmp refused {what}. {suggestion_for(refusal_kind(errors))}"
    return f"SafetyAmp refused {fields}: mend the data in the source; it is tried again when it changes"
