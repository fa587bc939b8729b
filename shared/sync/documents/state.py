"""What the sync knows of an entity in SafetyAmp: target ids, fields, digests, failures, per key.

The document (`state/{entity}.json.gz`) is replaced as a whole by compare-and-swap when an entity is
finished, and can be rebuilt at any time by listing SafetyAmp once.

Records stay in the compact form of the JSON document, `[target_id, digest, fields, flags]` with fields as a
text: a run without changes reads only digests, and parsing the fields of a hundred thousand people would
take most of its time and memory.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Final, Literal, NamedTuple, Protocol, TypedDict, cast, overload

from shared.errors import UnreadableDocument
from shared.storage.decoding import Time, decode
from shared.storage.documents import Documents, read_json, update_json
from shared.sync import paths
from shared.sync.entities.keys import NORMAL_FORMS
from shared.sync.entities.persons import is_same_person, may_have_married
from shared.sync.model import EntityName, FieldValues, JsonValue, Target

logger = logging.getLogger(__name__)

STATE_VERSION = 1
FOLDED_TITLES_VERSION = 2
"""Of titles by their key of today. A release that knows version 1 alone would take all of them for missing
and create them again; so it finds no state that it can read, and lists SafetyAmp."""
KEPT_UNASKED = timedelta(hours=24)
"""For so long the guard counts what nobody approved together with what is planned."""

_SWAPPED_QUOTES = str.maketrans({'"': "'", "'": '"'})

UNIQUE = ("email", "mobile_phone")
"""Fields of users that no two of them may have alike (docs/contracts/safetyamp.md#unique-values)."""

_UNIQUE_VALUES = re.compile(rf"'({'|'.join(UNIQUE)})':'([^'\\]*)'")
"""These fields in the compact form: quotes within a text are escaped there, so that no text can look so."""

_LAST_NAME = re.compile(r"'last_name':'([^'\\]*)'")
"""As above."""

_NO_ACCESS = re.compile(r"'system_access':0[,}]")
"""As above."""

_OUT_OF_USE = re.compile(r"'status':0[,}]")
"""As above, of assets."""

_STRAY_FIELDS = (*UNIQUE, "system_access", "first_name", "last_name", "date_of_birth")

OFF_BY: Final = "off_by"
"""Flag: the run that deactivated the person, so that a rehire may be switched on again."""
REJECTED: Final = "rejected"
"""Flag: field -> digest of the value that SafetyAmp refused; not sent again until the value changes."""
TAKEN: Final = "taken"
"""Flag: unique field -> {digest, by} of the value that SafetyAmp refused because another record has it; `by`
says who, "" if that is not known. Sent again when the state or a listing shows it free."""
FAILURE: Final = "failure"
"""Flag: {digest, errors, since, at, by} of the refused record; not tried again until its data changes, or
until what is taken, `by` whom, is free. `since` is the first refusal of those one after the other, `at` the
last. Release 0.1.0 had no `by`, and refused more than it had to."""
GONE: Final = "gone"
"""Flag: the next plan lists SafetyAmp before it creates anew. SafetyAmp answered 404 for the known id, which
is kept until that listing lacks it too, or (`UNSURE`) nobody knows whether a creation was carried out."""
UNSURE: Final = "unsure"
UNSURE_AT: Final = "unsure_at"
"""Flag beside it: when that became known; for a while after it the creation may still be carried out."""
UNKNOWN: Final = "unknown"
"""Flag: field -> value that was sent without an answer: the field holds it, or still what the entry says.
Such a field is sent again, whatever it should be by then."""
NOTED: Final = "noted"
"""Flag: nothing is to be sent for it, and yet there is something to say of it, which depends on more than its
digest: it is compared in every run."""
NOTES: Final = "notes"
"""Flag: digest -> `[field or None, text]` of what is said in every run of a record that is as it should be.
The digest alone decides it, so that the record is not compared for it; of another digest it says nothing."""
NOTE_CAUSES: Final = "note_causes"
"""Flag beside it: digest -> the codes of their causes in the same order. Releases that have none take a note
of more than two members for damage."""


_OPEN = frozenset({REJECTED, TAKEN, NOTED})
"""Flags of records that are looked at in every run."""


class TakenValue(TypedDict):
    """A value that another record has, `by` its digest and whose it is."""

    digest: str
    by: str


class _Refusal(TypedDict):
    digest: str
    errors: dict[str, list[str]]
    at: str | None


class Refusal(_Refusal, total=False):
    """Why and since when SafetyAmp refuses a record, see `FAILURE`."""

    since: str | None
    by: dict[str, str]


class Flags(TypedDict, total=False):
    """What else is known of a record, by the names above."""

    off_by: str
    rejected: dict[str, str]
    taken: dict[str, TakenValue]
    failure: Refusal
    gone: Literal[True, "unsure"]
    unsure_at: str
    unknown: FieldValues
    noted: bool
    notes: dict[str, list[list[str | None]]]
    note_causes: dict[str, list[str | None]]


class StoredRecord(Protocol):
    """A record in the compact form: its id in SafetyAmp, digest, fields as a text, and flags.

    For the type checker alone. It is the list of the JSON document: making a value of each of a hundred
    thousand would take longer than a run without changes.
    """

    @overload
    def __getitem__(self, place: Literal[0], /) -> int | str | None: ...
    @overload
    def __getitem__(self, place: Literal[1], /) -> str | None: ...
    @overload
    def __getitem__(self, place: Literal[2], /) -> str: ...
    @overload
    def __getitem__(self, place: Literal[3], /) -> Flags | None: ...
    @overload
    def __setitem__(self, place: Literal[1], digest: str | None, /) -> None: ...
    @overload
    def __setitem__(self, place: Literal[2], fields: str, /) -> None: ...
    @overload
    def __setitem__(self, place: Literal[3], flags: Flags | None, /) -> None: ...


class Unmatched(Protocol):
    """The same of a record without a key: its id, and its fields as a text."""

    @overload
    def __getitem__(self, place: Literal[0], /) -> int | str: ...
    @overload
    def __getitem__(self, place: Literal[1], /) -> str: ...


class Stray(NamedTuple):
    """A user that is nobody's; `key` is the one that it claims with others."""

    target_id: int | str
    key: str | None
    fields: str


class Unasked(TypedDict):
    """When a plan was merged, and how many it deactivated and reactivated."""

    at: Time
    deactivate: int
    reactivate: int


class Place(NamedTuple):
    """Where a record is now: its id, and the key that it has got, None for none."""

    target_id: int | str
    key: str | None


@dataclass(slots=True)
class Entry:
    """One record. `target_id` None: not in SafetyAmp, as far as we know (a failure is remembered)."""

    target_id: int | str | None
    digest: str | None
    fields: FieldValues
    flags: Flags

    @property
    def is_off(self) -> bool:
        """Whether the user is known to have no access."""
        return self.fields.get("system_access") == 0 and "system_access" not in self.flags.get(UNKNOWN, {})


class Note(NamedTuple):
    """What is said of a record: the field, if it is about one, and the code of the cause, where the release
    that noted it knew one."""

    field: str | None
    text: str
    cause: str | None = None


@dataclass(slots=True)
class EntityState:
    """The state of one entity.

    `ambiguous` maps keys that several SafetyAmp records claim to those records' ids; `unmatched` holds
    records without a key by their alternative match value, mostly one each. `source_counts` are the sizes
    of the last good reads by what was read; `approved_counts` those of reads that lost much since and that
    somebody approved, until another read agrees. `listed` is the size of the last listing, None if there was
    none. `spellings` holds, of ambiguous titles only, the ids by the name as SafetyAmp has it. `list_anew`:
    what a run did is not known, so that SafetyAmp must be listed before the next plan. `strays` are users
    that are nobody's: without a number of ours, or one of several that claim a key. Their unique values are
    taken nevertheless. They go by their id as text. `missing` maps the ids (as
    text) of known records that the last listing lacked to the run that missed them first: a listing can shift
    while it is read, so they count as being there. `moved` maps keys to the places of records
    that have got another key in SafetyAmp (None: a user that has none any more and is kept under the one that
    it had), until planning finds that it was meant; titles are nothing but their name, and left out.
    `unasked` is what plans of the last day did about access that nobody approved, by the plan. `rekeyed` maps
    the ids (as text) of records that have got another key, meant or not, to the run whose listing showed it:
    for some days whoever refers to one of these is looked at.
    """

    entity: str
    updated_by: str | None = None
    listed: int | None = None
    source_counts: dict[str, int] = field(default_factory=dict)
    approved_counts: dict[str, int] = field(default_factory=dict)
    records: dict[str, StoredRecord] = field(default_factory=dict)
    ambiguous: dict[str, list[int | str]] = field(default_factory=dict)
    unmatched: dict[str, list[Unmatched]] = field(default_factory=dict)
    spellings: dict[str, list[int | str]] = field(default_factory=dict)
    list_anew: bool = False
    strays: dict[str, Stray] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    moved: dict[str, Place] = field(default_factory=dict)
    rekeyed: dict[str, str] = field(default_factory=dict)
    unasked: dict[str, Unasked] = field(default_factory=dict)

    def digest(self, key: str) -> str | None:
        """The digest of the source record that the target was last made equal to."""
        record = self.records.get(key)
        return record[1] if record else None

    def target_id(self, key: str) -> int | str | None:
        """The id in SafetyAmp."""
        record = self.records.get(key)
        return record[0] if record else None

    def id_spelt(self, name: str) -> int | str | None:
        """The id of the one record that has exactly this name, among several that share its key."""
        ids = self.spellings.get(name, ())
        return ids[0] if len(ids) == 1 else None

    def spelling(self, target_id: int | str) -> str | None:
        """The name of one of several records that share a key."""
        return next((name for name, ids in self.spellings.items() if target_id in ids), None)

    def entry(self, key: str) -> Entry | None:
        """The record in full."""
        record = self.records.get(key)
        if record is None:
            return None
        return Entry(record[0], record[1], _fields(record[2], self.entity), _flags(record))

    def put(self, key: str, entry: Entry) -> None:
        """Store a record."""
        self.records[key] = _stored(
            entry.target_id, entry.digest, _compact(entry.fields), entry.flags or None
        )

    def settle(
        self,
        key: str,
        digest: str,
        *,
        noted: bool = False,
        notes: Sequence[Note] = (),
        equal: Container[str] = (),
    ) -> bool:
        """Note that the target equals what the source record with this digest asks for; False when that is
        known. `noted` and `notes`: there is something to say of it nevertheless (see the flags). That
        SafetyAmp refused the record, or a value of these `equal` fields, is over: nobody asks for it now."""
        record = self.records[key]
        flags = without(_flags(record), NOTED, NOTES, NOTE_CAUSES, FAILURE)
        for name in (REJECTED, TAKEN):
            if name in flags:
                refused = {one: value for one, value in flags.pop(name).items() if one not in equal}
                flags |= cast(Flags, {name: refused} if refused else {})
        if notes:
            flags[NOTES] = {digest: [[note.field, note.text] for note in notes]}
            flags[NOTE_CAUSES] = {digest: [note.cause for note in notes]}
        if noted:
            flags[NOTED] = True
        before, after = (record[1], record[3]), (digest, flags or None)
        record[1], record[3] = after
        return before != after

    def is_settled(self, key: str, digest: str) -> bool:
        """Whether the target was made equal to the source record with this digest, in every field, and all
        that there is to say of it is `notes`."""
        record = self.records.get(key)
        if record is None or record[1] != digest:
            return False
        return not record[3] or not _OPEN.intersection(record[3])

    def forget_failure(self, key: str) -> bool:
        """Forget that SafetyAmp refused a record of which the source asks for nothing any more; False when
        that is not known."""
        record = self.records.get(key)
        if record is None or not record[3] or FAILURE not in record[3]:
            return False
        left = without(record[3], FAILURE)
        record[3] = left or None
        if record[0] is None and not left:
            del self.records[key]
        return True

    def notes(self, key: str) -> Iterable[Note]:
        """What is said of a settled record in every run."""
        record = self.records[key]
        if not record[3] or NOTES not in record[3] or record[1] is None:
            return ()
        kept = record[3][NOTES].get(record[1], ())
        codes = record[3].get(NOTE_CAUSES, {}).get(record[1], ())
        return [
            Note(name, cast(str, text), cause)
            for (name, text), cause in zip_longest(kept, codes[: len(kept)])
        ]

    def refers_to_others(self, key: str, known: Mapping[str, Container[str]]) -> bool:
        """Whether a field of the record refers to something by an id that is not among the `known` ones of
        that field (`reference_field`, `reference_ids`). Cheap: the fields are not parsed, there can be a
        hundred thousand records."""
        fields = self.records[key][2]
        for name, ids in known.items():
            start = fields.find(name)
            if start >= 0:
                start += len(name)
                # Without a comma: all but the closing brace.
                if fields[start : fields.find(",", start)] not in ids:
                    return True
        return False

    def reference_ids(self) -> set[str]:
        """What a field that refers to one of these records may hold, as it stands in the compact form, where
        the record is the one that it was."""
        ids = (one for one in self.ids() if str(one) not in self.rekeyed)
        return {"null", *(f"'{one}'" if isinstance(one, str) else str(one) for one in ids)}

    def unsettle(self, key: str) -> bool:
        """Have the record looked at again in the next run; False when it is already."""
        changed = self.records[key][1] is not None
        self.records[key][1] = None
        return changed

    def unique_values(self) -> Iterator[tuple[str, str, int | str, str | None]]:
        """Field, value, id and key of every unique value in SafetyAmp; last those that may be there, or not
        any more. The key of a stray is the one that it claims with others, None for none."""
        doubtful: list[tuple[str, str, int | str, str | None]] = []
        for key, record in self.records.items():
            if record[0] is not None:
                unknown = record[3].get(UNKNOWN, {}) if record[3] else {}
                for name, value in _unique_of(record[2]):
                    if name in unknown:
                        doubtful.append((name, value, record[0], key))
                    else:
                        yield name, value, record[0], key
                for name in UNIQUE:
                    if isinstance(perhaps := unknown.get(name), str):
                        doubtful.append((name, perhaps, record[0], key))
        for target_id, claimed, fields in self.strays.values():
            for name, value in _unique_of(fields):
                yield name, value, target_id, claimed
        yield from doubtful

    def by_last_name(self) -> dict[str, list[tuple[str, int | str]]]:
        """Users that have a number there, or claim one with others: number and id by last name in lower
        case."""
        found: dict[str, list[tuple[str, int | str]]] = {}
        numbered: list[tuple[str | None, int | str | None, str]] = [
            *((key, record[0], record[2]) for key, record in self.records.items()),
            *((stray.key, stray.target_id, stray.fields) for stray in self.strays.values()),
        ]
        for key, target_id, fields in numbered:
            if key is None or target_id is None:
                continue
            if (name := _LAST_NAME.search(fields)) is not None:
                spelled = name[1].translate(_SWAPPED_QUOTES).casefold()
                found.setdefault(spelled, []).append((key, target_id))
        return found

    def fields_of(self, key: str, target_id: int | str) -> FieldValues:
        """What is known of the user with this id that has the number, or claims it with others."""
        entry = self.entry(key)
        if entry is not None and entry.target_id == target_id:
            return entry.fields
        return self.stray(target_id) or {}

    def stray(self, target_id: int | str) -> FieldValues | None:
        """The fields of a stray, None when that id is none."""
        found = self.strays.get(str(target_id))
        return _fields(found.fields, self.entity) if found else None

    def note_stray(self, target_id: int | str, key: str | None, fields: FieldValues) -> None:
        """Keep what matters of a user that is nobody's."""
        kept = {name: fields[name] for name in _STRAY_FIELDS if fields.get(name) is not None}
        if kept:
            self.strays[str(target_id)] = Stray(target_id, key, _compact(kept))

    def free(self, key: str) -> None:
        """The user of this key is nobody's from now on."""
        entry = self.entry(key)
        if entry is not None and entry.target_id is not None:
            self.note_stray(entry.target_id, None, entry.fields)
        self.records.pop(key, None)
        self.moved.pop(key, None)

    def keep_key(self, key: str, other: str) -> None:
        """The record that has got the `other` key stays what it was under this one."""
        self.records[key] = self.records.pop(other)
        self.moved.pop(key, None)

    def write_beside(self, key: str | None, target_id: int | str, fields: FieldValues) -> None:
        """Note what was written to a record for another one's change; the next plan compares the record with
        its own source record again."""
        entry = self.entry(key) if key is not None else None
        if key is not None and entry is not None and entry.target_id == target_id:
            flags = without_unknown(entry.flags, fields)
            self.put(key, Entry(target_id, None, {**entry.fields, **fields}, flags))
        elif (stray := self.stray(target_id)) is not None:
            self.note_stray(target_id, self.strays[str(target_id)].key, {**stray, **fields})

    def doubt(self, key: str | None, target_id: int | str, fields: FieldValues) -> None:
        """Note that nobody knows whether these fields were written to a record."""
        if not fields:
            return
        entry = self.entry(key) if key is not None else None
        if key is not None and entry is not None and entry.target_id == target_id:
            unknown = {**entry.flags.get(UNKNOWN, {}), **fields}
            self.put(key, Entry(target_id, None, entry.fields, {**entry.flags, "unknown": unknown}))
        elif (stray := self.stray(target_id)) is not None:
            known = {name: value for name, value in stray.items() if name not in fields}
            self.note_stray(target_id, self.strays[str(target_id)].key, known)

    def unmatched_ids(self, match: str, *, in_use: bool = False) -> list[int | str]:
        """Ids of the records without a key that have this match value: of those in use, where there are any
        (a truck is sold, and its gateway goes to the next one). `in_use`: never of others."""
        return [record[0] for record in self._unmatched(match, in_use=in_use)]

    def _unmatched(self, match: str, *, in_use: bool) -> list[Unmatched]:
        records = self.unmatched.get(match, [])
        used = [record for record in records if not _OUT_OF_USE.search(record[1])]
        return used if used or in_use else records

    def take_unmatched(self, match: str) -> Entry:
        """Remove and return the one record with this match value, to be adopted under a key."""
        [record] = self._unmatched(match, in_use=False)
        self.unmatched[match].remove(record)
        if not self.unmatched[match]:
            del self.unmatched[match]
        return Entry(record[0], None, _fields(record[1], self.entity), {})

    def add_unmatched(self, match: str, target_id: int | str, fields: FieldValues) -> None:
        """Keep a record of SafetyAmp that has no key of ours, to be adopted by its match value."""
        self.unmatched.setdefault(match, []).append(cast(Unmatched, [target_id, _compact(fields)]))

    def keys(self) -> Iterator[str]:
        """All keys, also those of remembered failures."""
        return iter(self.records)

    def keys_not_off(self) -> Iterator[str]:
        """All keys but those of users known to have no access, who have left, mostly. The fields are not
        parsed."""
        return (key for key, record in self.records.items() if not _NO_ACCESS.search(record[2]))

    def may_sign_in(self, key: str) -> bool:
        """Whether a user of this key, or one of several that claim it, is not known to have no access."""
        record = self.records.get(key)
        if record is not None:
            unknown = record[3].get(UNKNOWN, {}) if record[3] else {}
            return "system_access" in unknown or not _NO_ACCESS.search(record[2])
        strays = (self.strays.get(str(one)) for one in self.ambiguous.get(key, ()))
        return any(stray is None or not _NO_ACCESS.search(stray.fields) for stray in strays)

    def keys_in_target(self) -> Iterator[str]:
        """Keys that one record or several of SafetyAmp have."""
        yield from (key for key, record in self.records.items() if record[0] is not None)
        yield from self.ambiguous

    def refused(self) -> int:
        """How many records SafetyAmp refused and are not tried again until their data changes."""
        return sum(1 for _ in self.refused_keys())

    def refused_keys(self) -> Iterator[str]:
        """Their keys."""
        return (key for key, record in self.records.items() if record[3] and FAILURE in record[3])

    def needs_listing(self) -> bool:
        """Whether a record vanished from SafetyAmp or what was done is not known, so that SafetyAmp must be
        listed before planning."""
        return self.list_anew or any(record[3] and GONE in record[3] for record in self.records.values())

    def is_perhaps_gone(self, key: str) -> bool:
        """Whether SafetyAmp answered 404 for the record, and no listing has told yet."""
        record = self.records.get(key)
        flags = record[3] if record is not None else None
        return flags is not None and flags.get(GONE) is True

    def note_unasked(self, plan: str, at: datetime, counts: Mapping[str, int]) -> None:
        """Note what a plan that nobody approved did about access. What is older than a day is forgotten."""
        yesterday = at - KEPT_UNASKED
        self.unasked = {name: one for name, one in self.unasked.items() if _at(one) > yesterday}
        if any(counts.get(action) for action in ("deactivate", "reactivate")):
            self.unasked[plan] = {
                "at": at.isoformat(),
                "deactivate": counts.get("deactivate", 0),
                "reactivate": counts.get("reactivate", 0),
            }

    def unasked_since(self, moment: datetime) -> dict[str, int]:
        """How many were deactivated and reactivated since, without anybody's approval."""
        recent = [one for one in self.unasked.values() if _at(one) > moment]
        return {
            "deactivate": sum(one["deactivate"] for one in recent),
            "reactivate": sum(one["reactivate"] for one in recent),
        }

    def unsure_at(self) -> datetime | None:
        """When the last of these became known, None if there is none, or none with its time."""
        flags = (record[3] for record in self.records.values() if record[3])
        times = (datetime.fromisoformat(one[UNSURE_AT]) for one in flags if UNSURE_AT in one)
        return max(times, default=None)

    def missing_since(self, target_id: int | str | None) -> str | None:
        """The run whose listing lacked this known record first, None for one that was listed."""
        return self.missing.get(str(target_id))

    def missing_keys(self) -> dict[str, int | str]:
        """Keys of the known records that the last listing lacked, with their ids."""
        if not self.missing:
            return {}
        return {
            key: record[0]
            for key, record in self.records.items()
            if record[0] is not None and str(record[0]) in self.missing
        }

    def ids(self) -> Iterator[int | str]:
        """All ids of SafetyAmp that are known, also of records that cannot be told apart or have no key."""
        yield from (record[0] for record in self.records.values() if record[0] is not None)
        yield from (target_id for ids in self.ambiguous.values() for target_id in ids)
        yield from (record[0] for records in self.unmatched.values() for record in records)

    def to_json(self) -> dict[str, JsonValue]:
        """The document."""
        return {
            "version": FOLDED_TITLES_VERSION if self.entity == "titles" else STATE_VERSION,
            **({"list_anew": True} if self.list_anew else {}),
            "entity": self.entity,
            "updated_by": self.updated_by,
            "listed": self.listed,
            "source_counts": self.source_counts,
            "approved_counts": self.approved_counts,
            "ambiguous": self.ambiguous,
            "unmatched": self.unmatched,
            "spellings": self.spellings,
            # Lists, as JSON gives them back: what is written is read again without a store in between.
            "strays": {name: list(stray) for name, stray in self.strays.items()},
            "missing": self.missing,
            "moved": {key: list(place) for key, place in self.moved.items()},
            "rekeyed": self.rekeyed,
            "unasked": self.unasked,
            "records": self.records,
        }


class _Later(TypedDict, total=False):
    """What later releases added."""

    list_anew: bool
    spellings: dict[str, list[int | str]]
    approved_counts: dict[str, int]
    strays: dict[str, list[JsonValue]]
    missing: dict[str, str]
    moved: dict[str, list[JsonValue]]
    rekeyed: dict[str, str]
    unasked: dict[str, Unasked]


class _Stored(_Later):
    """What a state document must hold. The records are looked at by `_check_records`, which is cheaper."""

    updated_by: str | None
    listed: int | None
    source_counts: dict[str, int]
    records: dict[str, JsonValue]
    ambiguous: dict[str, list[int | str]]
    unmatched: dict[str, list[list[JsonValue]]]


def decode_state(entity: str, value: JsonValue, path: str | None = None) -> EntityState | None:
    """The state, or what a document of the same form at another `path` says; None when there is no document
    or one of another version (it is rebuilt then). Raises UnreadableDocument."""
    path = path or paths.state(entity)
    if value is None:
        return None
    versions = (STATE_VERSION, FOLDED_TITLES_VERSION) if entity == "titles" else (STATE_VERSION,)
    if decode(dict[str, JsonValue], value, path).get("version") not in versions:
        return None
    stored = decode(_Stored, value, path)
    _check_records(stored["records"], path)
    _check_unmatched(stored["unmatched"], path)
    state = EntityState(
        entity=entity,
        updated_by=stored["updated_by"],
        listed=stored["listed"],
        source_counts=stored["source_counts"],
        approved_counts=stored.get("approved_counts", {}),
        records=cast("dict[str, StoredRecord]", stored["records"]),
        ambiguous=stored["ambiguous"],
        unmatched=cast("dict[str, list[Unmatched]]", stored["unmatched"]),
        list_anew=stored.get("list_anew", False),
        spellings=stored.get("spellings", {}),
        strays={
            name: Stray._make(cast("tuple[int | str, str | None, str]", row))
            for name, row in stored.get("strays", {}).items()
            if _is_stray(row)
        },
        missing=stored.get("missing", {}),
        moved={
            key: Place._make(cast("tuple[int | str, str | None]", place))
            for key, place in stored.get("moved", {}).items()
            if _is_place(place)
        },
        rekeyed=stored.get("rekeyed", {}),
        unasked=stored.get("unasked", {}),
    )
    _normalise_keys(state)
    return state


def _normalise_keys(state: EntityState) -> None:
    """Give keys that a release with another normal form wrote their own, in place.

    Two records whose keys become one are claimed by that key both, as a listing would show them. What was
    remembered of records that do not exist goes with the first one.
    """
    normal = NORMAL_FORMS[cast(EntityName, state.entity)]
    for key in [key for key in state.ambiguous if normal(key) not in (key, None)]:
        for target_id in state.ambiguous.pop(key):
            _claim(state, str(normal(key)), target_id, key)
    for key in [key for key in state.records if normal(key) not in (key, None)]:
        record, new = state.records.pop(key), str(normal(key))
        twin = state.records.get(new)
        if new not in state.ambiguous and (twin is None or twin[0] is None):
            state.records[new] = record if twin is None or record[0] is not None else twin
        elif record[0] is not None:
            _claim(state, new, record[0], _name_of(record, key))


def _claim(state: EntityState, key: str, target_id: int | str, name: str) -> None:
    """Note that this record of SafetyAmp, too, has the key."""
    twin = state.records.pop(key, None)
    if twin is not None and twin[0] is not None:
        state.ambiguous.setdefault(key, []).append(twin[0])
        _spell(state, _name_of(twin, key), twin[0])
    ids = state.ambiguous.setdefault(key, [])
    if target_id not in ids:
        ids.append(target_id)
        _spell(state, name, target_id)


def _spell(state: EntityState, name: str, target_id: int | str) -> None:
    if state.entity == "titles":
        state.spellings.setdefault(name, []).append(target_id)


def _name_of(record: StoredRecord, key: str) -> str:
    return str(_fields(record[2], "titles").get("name") or key)


def _stored(
    target_id: int | str | None, digest: str | None, fields: str, flags: Flags | None
) -> StoredRecord:
    return cast(StoredRecord, [target_id, digest, fields, flags])


def _at(unasked: Unasked) -> datetime:
    return datetime.fromisoformat(unasked["at"])


def _flags(record: StoredRecord) -> Flags:
    return record[3].copy() if record[3] else {}


def without(flags: Flags, *names: str) -> Flags:
    """The other flags."""
    return cast(Flags, {name: value for name, value in flags.items() if name not in names})


def without_unknown(flags: Flags, known: Container[str]) -> Flags:
    """The flags of a record of which these fields are known now."""
    unknown = {name: value for name, value in flags.get(UNKNOWN, {}).items() if name not in known}
    kept = without(flags, UNKNOWN)
    return {**kept, "unknown": unknown} if unknown else kept


def refused_since(failure: Refusal) -> str | None:
    """When a refusal began, by its flag; documents of earlier versions only know the last attempt."""
    return failure.get("since") or failure["at"]


def _check_records(records: Mapping[str, JsonValue], path: str) -> None:
    """A plain loop: there can be a hundred thousand, and a run without changes reads little else."""
    for record in records.values():
        if (
            type(record) is not list
            or len(record) < 4
            or type(record[2]) is not str
            or record[2][:1] != "{"
            or (record[1] is not None and type(record[1]) is not str)
            or (record[3] is not None and not _are_flags(record[3]))
            or (record[0] is not None and type(record[0]) not in (int, str))
        ):
            raise UnreadableDocument(path, "a record is not what this version writes")


def _are_flags(flags: JsonValue) -> bool:
    """Each as this version writes it: planning takes them for what they are, and what raised there would end
    the entity in every run. Those of a later release are its own."""
    return type(flags) is dict and all(
        _FLAG_CHECKS[name](flag) for name, flag in flags.items() if name in _FLAG_CHECKS
    )


def _is_moment(value: JsonValue) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _is_text(value: JsonValue) -> bool:
    return type(value) is str


def _is_text_or_none(value: JsonValue) -> bool:
    return value is None or type(value) is str


def _are_notes(notes: JsonValue) -> bool:
    return type(notes) is list and all(
        type(note) is list and len(note) == 2 and _is_text_or_none(note[0]) and _is_text(note[1])
        for note in notes
    )


def _are_codes(codes: JsonValue) -> bool:
    return type(codes) is list and all(map(_is_text_or_none, codes))


def _each(check: Callable[[JsonValue], bool]) -> Callable[[JsonValue], bool]:
    """Whether a value is an object of such."""
    return lambda value: type(value) is dict and all(map(check, value.values()))


def _is_a(kind: type) -> Callable[[JsonValue], bool]:
    """By the one decoder, which takes its time: for flags that few records have."""

    def is_one(value: JsonValue) -> bool:
        try:
            decode(kind, value, "")
        except UnreadableDocument:
            return False
        return True

    return is_one


_FLAG_CHECKS: Mapping[str, Callable[[JsonValue], bool]] = {
    OFF_BY: _is_text,
    REJECTED: _each(_is_text),
    TAKEN: _is_a(dict[str, TakenValue]),
    FAILURE: _is_a(Refusal),
    UNSURE_AT: _is_moment,
    UNKNOWN: lambda value: type(value) is dict,
    NOTES: _each(_are_notes),
    NOTE_CAUSES: _each(_are_codes),
}


def _is_id(value: JsonValue) -> bool:
    return type(value) in (int, str)


def _is_compact(value: JsonValue) -> bool:
    return type(value) is str and value[:1] == "{"


def _check_unmatched(unmatched: Mapping[str, list[list[JsonValue]]], path: str) -> None:
    for records in unmatched.values():
        for record in records:
            if len(record) < 2 or not _is_id(record[0]) or not _is_compact(record[1]):
                raise UnreadableDocument(path, "a record without key is not what this version writes")


def _is_stray(row: list[JsonValue]) -> bool:
    return len(row) == 3 and _is_id(row[0]) and _is_text_or_none(row[1]) and _is_compact(row[2])


def _is_place(place: list[JsonValue]) -> bool:
    return len(place) == 2 and _is_id(place[0]) and _is_text_or_none(place[1])


def state_from_json(entity: str, value: JsonValue) -> EntityState | None:
    """As `decode_state`, but a state that cannot be read is as good as none: it is rebuilt by a listing."""
    try:
        return decode_state(entity, value)
    except UnreadableDocument as error:
        _tell_lost(error)
        return None


def read_state(documents: Documents, entity: str) -> EntityState | None:
    """What is known of an entity in SafetyAmp; None when nothing is, or nothing that can be read."""
    try:
        return decode_state(entity, read_json(documents, paths.state(entity)))
    except UnreadableDocument as error:
        _tell_lost(error)
        return None


def _tell_lost(error: UnreadableDocument) -> None:
    logger.error("%s; it is made anew by listing SafetyAmp", error, extra={"event": "document_unreadable"})


def distrust_state(documents: Documents, entity: str) -> None:
    """Have SafetyAmp listed before the entity is planned again: what was done there is not known. A state
    that is lost anyhow stays as it is."""

    def change(value: JsonValue) -> JsonValue:
        state = state_from_json(entity, value)
        if state is None or state.list_anew:
            return None
        state.list_anew = True
        return state.to_json()

    update_json(documents, paths.state(entity), change, lost=lambda _: None)


def missed_again(known: EntityState, targets: Iterable[Target], run_id: str) -> list[int | str]:
    """Ids of known records that this run's listing lacks, as an earlier run's listing did, or for which
    SafetyAmp answered 404."""
    listed = {target.target_id for target in targets}
    not_found = {record[0] for key, record in known.records.items() if known.is_perhaps_gone(key)}
    return [
        one
        for one in known.ids()
        if one not in listed and (one in not_found or known.missing_since(one) not in (None, run_id))
    ]


def gone_anyway(known: EntityState, target_ids: Iterable[int | str], long_ago: datetime) -> set[int | str]:
    """Those that need no further sign beside two listings that lack them: SafetyAmp answered 404 for them, or
    they have been missing since before `long_ago`."""
    not_found = {record[0] for key, record in known.records.items() if known.is_perhaps_gone(key)}
    earliest = first_run_id(long_ago)
    return {one for one in target_ids if one in not_found or (known.missing_since(one) or "~") < earliest}


def rebuild(
    entity: str,
    targets: Iterable[Target],
    known: EntityState | None,
    run_id: str,
    gone: Container[int | str] = (),
) -> EntityState:
    """The state as a complete listing of run `run_id` shows it.

    Failures and who was switched off by us are carried over from `known`. Records with an alternative match
    value keep the key under which their id is known. What `known` has and the listing lacks is kept, apart
    from `gone`, of which it is proven that SafetyAmp does not have it any more.
    """
    state = EntityState(entity=entity)
    targets = list(targets)
    known_keys = _known_keys(known) if known else {}
    owners = {target.key: target for target in targets if target.key is not None}
    listed, cleared = set(), set()
    for target in targets:
        listed.add(target.target_id)
        key = target.key
        if key is None and not (known and _is_succeeded(target, owners, known_keys, known)):
            key = known_keys.get(target.target_id)
        if not target.readable:
            _keep(state, key, target, known)
        elif key is not None:
            _add(state, key, target, known)
            if target.key is None and entity == "employees":
                cleared.add(target.target_id)
        elif target.match is not None:
            state.add_unmatched(target.match, target.target_id, target.fields)
        elif entity == "employees":
            state.note_stray(target.target_id, None, target.fields)
    state.listed = len(listed)
    if known is not None:
        state.updated_by, state.source_counts = known.updated_by, dict(known.source_counts)
        state.approved_counts, state.unasked = dict(known.approved_counts), dict(known.unasked)
        lacking = [one for one in known.ids() if one not in listed and one not in gone]
        state.missing = {str(one): known.missing_since(one) or run_id for one in lacking}
        if lacking:
            _keep_missing(state, known, set(lacking))
        _keep_switched_off(state, known)
        _keep_failures(state, known)
        _note_moved(state, known, cleared)
        _note_rekeyed(state, known, run_id)
    return state


def _is_succeeded(
    target: Target,
    owners: Mapping[str, Target],
    known_keys: Mapping[int | str, str],
    known: EntityState,
) -> bool:
    """Whether hands gave the key of this record, which has none now, to another: of two they kept one.

    Not so where that other shows another person, or is known as another place or thing that the source has:
    its key was mistyped, or two are being swapped.
    """
    owner = owners.get(known_keys.get(target.target_id, ""))
    if owner is None or not target.readable:
        return False
    known_as = known_keys.get(owner.target_id, owner.key)
    if known.entity == "employees":
        # Of one that nobody knows: the sync itself may have changed the name of the other since.
        is_new = known_as == owner.key and may_have_married(target.fields, owner.fields)
        return is_new or is_same_person(target.fields, owner.fields)
    return known_as == owner.key or known.digest(known_as or "") is None


def _note_moved(state: EntityState, known: EntityState, cleared: Container[int | str]) -> None:
    """Which known records have got another key, or (users) none. Of other records than users only as long as
    nobody else has the one that they had: whose it is, nothing but the key tells."""
    if state.entity == "titles":
        return
    places = {target_id: key for key, ids in state.ambiguous.items() for target_id in ids}
    places |= _keys_by_id(state)
    elsewhere = {place.target_id for place in known.moved.values() if place.key is not None}
    before = {
        key: record[0]
        for key, record in known.records.items()
        # Without a digest it was never found to be that key's: nobody but hands says so.
        if record[0] is not None and (record[1] is not None or record[0] not in elsewhere)
    }
    before |= {key: place.target_id for key, place in known.moved.items()}
    for key, target_id in before.items():
        place = places.get(target_id, key)
        is_free = state.target_id(key) is None and key not in state.ambiguous
        if place != key and (is_free or state.entity == "employees"):
            state.moved[key] = Place(target_id, place)
        elif place == key and target_id in cleared:
            state.moved[key] = Place(target_id, None)


def _note_rekeyed(state: EntityState, known: EntityState, run_id: str) -> None:
    now = _all_keys_by_id(state)
    state.rekeyed = known.rekeyed | {
        str(target_id): run_id
        for target_id, key in _all_keys_by_id(known).items()
        if now.get(target_id, key) != key
    }


def _all_keys_by_id(state: EntityState) -> dict[int | str, str | None]:
    """The key of each record that is there, also of those that claim one with others, or have none."""
    claims = {target_id: key for key, ids in state.ambiguous.items() for target_id in ids}
    without_key = {record[0]: None for records in state.unmatched.values() for record in records}
    return {**without_key, **claims, **_keys_by_id(state)}


def forget_rekeyed(state: EntityState, before: datetime) -> None:
    """Forget which records had another key before that day: every nightly run compares all that refers to
    them."""
    earliest = first_run_id(before)
    state.rekeyed = {one: run_id for one, run_id in state.rekeyed.items() if run_id >= earliest}


def first_run_id(at: datetime) -> str:
    """Ids of runs begin with the time: no earlier run has one that sorts behind it."""
    return f"{at:%Y%m%d-%H%M%S}"


def _known_keys(known: EntityState) -> dict[int | str, str]:
    """The key of each known record, that which it had first where several claim the one that it has."""
    return {**{place.target_id: key for key, place in known.moved.items()}, **_keys_by_id(known)}


def _keep(state: EntityState, key: str | None, target: Target, known: EntityState | None) -> None:
    """A record of which a listing shows its id only is as it was known, above all: it is there."""
    entry = known.entry(key) if known and key is not None else None
    if key is not None and entry is not None and state.target_id(key) is None and key not in state.ambiguous:
        state.put(key, Entry(target.target_id, None, entry.fields, entry.flags))


def _keep_missing(state: EntityState, known: EntityState, lacking: Container[int | str]) -> None:
    """A key that another record claims meanwhile is ambiguous: the missing one may be there as well."""
    for key, record in known.records.items():
        if record[0] is not None and record[0] in lacking:
            _add(state, key, Target(record[0], key, _fields(record[2], state.entity)), known)
    for key, ids in known.ambiguous.items():
        for target_id in ids:
            if target_id in lacking:
                _claim(state, key, target_id, known.spelling(target_id) or key)
    for match, records in known.unmatched.items():
        if hidden_records := [record for record in records if record[0] in lacking]:
            state.unmatched.setdefault(match, []).extend(hidden_records)


def not_listed(target_id: int | str) -> str:
    """What is said of a known record that the last listing lacked."""
    return (
        f"not in SafetyAmp's last listing, known as id {target_id}: nothing is created in its place, and the"
        " id is used as before. If the next listing lacks it too, it counts as deleted in SafetyAmp"
    )


def _add(state: EntityState, key: str, target: Target, known: EntityState | None) -> None:
    if key in state.ambiguous or state.target_id(key) is not None:
        twin = state.entry(key)
        if twin is not None and twin.target_id is not None:
            state.note_stray(twin.target_id, key, twin.fields)
        state.note_stray(target.target_id, key, target.fields)
        _claim(state, key, target.target_id, str(target.fields.get("name") or key))
        return
    before = known.entry(key) if known else None
    same = before is not None and before.target_id in (target.target_id, None)
    flags: Flags = before.flags.copy() if before and same else {}
    flags.pop(GONE, None)
    if str(target.target_id) not in state.missing:
        flags.pop(UNKNOWN, None)  # it was read just now
    if before is not None and before.target_id is None:
        # The record exists after all: what was remembered of failing to create it is of no use.
        flags.pop(FAILURE, None)
    if target.fields.get("system_access"):
        flags.pop(OFF_BY, None)
    state.put(key, Entry(target.target_id, None, target.fields, flags))


def _keep_switched_off(state: EntityState, known: EntityState) -> None:
    """Whom the sync switched off is known by the target's id: it may have got another key meanwhile."""
    off = {
        record[0]: record[3][OFF_BY]
        for record in known.records.values()
        if record[3] and OFF_BY in record[3] and record[0] is not None
    }
    moved = [key for key, record in state.records.items() if record[0] in off] if off else []
    for key in moved:
        entry = state.entry(key)
        if entry is not None and entry.target_id is not None and entry.fields.get("system_access") == 0:
            entry.flags.setdefault(OFF_BY, off[entry.target_id])
            state.put(key, entry)


def _keep_failures(state: EntityState, known: EntityState) -> None:
    for key, record in known.records.items():
        if key not in state.records and key not in state.ambiguous and record[3] and FAILURE in record[3]:
            state.records[key] = _stored(None, None, "{}", {"failure": record[3][FAILURE]})


def _keys_by_id(known: EntityState) -> dict[int | str, str]:
    return {record[0]: key for key, record in known.records.items() if record[0] is not None}


def reference_field(name: str) -> str:
    """The name of a field as it stands in the compact form: quotes within a text are escaped there, so that
    no text can look so."""
    return f"'{name}':"


def _compact(fields: FieldValues) -> str:
    """The fields as JSON with the two kinds of quotes swapped: within the document's own JSON each `"` would
    have to be escaped, and reading those escapes took half of the time of a run without changes."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).translate(_SWAPPED_QUOTES)


def _unique_of(compact: str) -> Iterator[tuple[str, str]]:
    """Names and values of the unique fields."""
    for name, value in _UNIQUE_VALUES.findall(compact):
        yield name, value.translate(_SWAPPED_QUOTES) if '"' in value else value


def _fields(compact: str, entity: str) -> FieldValues:
    try:
        fields: FieldValues = json.loads(compact.translate(_SWAPPED_QUOTES))
    except ValueError:
        raise UnreadableDocument(paths.state(entity), "a record's fields are no JSON") from None
    return fields
