"""Records whose key somebody changed in SafetyAmp: whether it was meant, and what follows from that. Pure.

A record is known by its id first. A user whose employee number was mistyped is still the user of the person
under whose number it was known: nobody is created in its place, and that somebody else leaves does not lock
it out. A change of the number is meant when the person of the old one has left or is not in the source any
more, or when the user, as SafetyAmp shows it, is the person of the new number and not of the old one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterator, Mapping

from shared.sync.documents.state import UNIQUE, EntityState
from shared.sync.entities.employee_facts import decides_on_access, has_left, is_future
from shared.sync.entities.persons import is_another_person, is_same_person
from shared.sync.findings.causes import KEY_MOVED, KEY_TAKEN_OFF, LEAVER_WITH_ACCESS, Reason
from shared.sync.model import ACCESS, FieldValues, KnownBy, Rejected, SourceRecord

Records = Mapping[str, SourceRecord | Rejected]
People = Callable[[str], FieldValues]
"""Names and birth date that the source has of an employee, also of one who has left; empty when unknown."""
Leavers = Callable[[Collection[str]], Mapping[str, KnownBy]]
"""Who has left and is known by any of these values (`KnownBy`)."""

MEND = "Give it the right key there (emp_id, site or cluster code), then run with refresh"
IF_RIGHT = "; if it has the right one, enter that person's names and birth date there"


class MovedKeys:
    """What planning must know of them. `keys` are those of which it matters what the source says.

    After `judge`: `blocked` are keys for which nothing is sent, with the reason; `spared` are ids of users
    that are not switched on or off with the others of a key that several claim, each with the number that it
    had; `told` is what else has to be reported, by key; `outlived` are old keys that need not be
    remembered any more; `freed` are keys whose user has no number any more, and no access, while the number
    belongs to another person.
    """

    def __init__(self, state: EntityState) -> None:
        self._state = state
        self.keys = frozenset(state.moved) | {place.key for place in state.moved.values() if place.key}
        self.blocked: dict[str, Reason] = {}
        self.spared: dict[int | str, str] = {}
        self.told: list[tuple[str, Reason]] = []
        self.outlived: list[str] = []
        self.freed: list[str] = []

    def judge(self, records: Records, people: People) -> None:
        """`records` are those of the source that have one of the `keys`."""
        moved = {
            key: (place.target_id, place.key)
            for key, place in self._state.moved.items()
            if place.key is not None
        }
        holders: dict[str, Reason] = {}
        meant: list[str] = []
        for old, (target_id, new) in moved.items():
            if self._is_meant(old, target_id, new, records, people):
                meant.append(old)
                continue
            text = f"{self._where(target_id, new, records)}: nothing is created in its place. {MEND}"
            if new in self._state.ambiguous:
                self.spared[target_id] = old
            elif new in records:
                text += IF_RIGHT
                holders[new] = Reason(_not_theirs(target_id, old), KEY_MOVED)
            self.blocked[old] = Reason(text, KEY_MOVED)
        # Of two whose numbers were swapped, each is told where its own user is.
        self.blocked = {**holders, **self.blocked}
        in_doubt = {moved[old][0] for old in moved.keys() - set(meant)}
        for old in meant:
            target_id, new = moved[old]
            if target_id in in_doubt:
                continue
            if (
                old in records
                and _has_left(records[old])
                and not self._is_followed(target_id, new, records, people)
            ):
                self._left_behind(old, target_id, new, records)
            elif old in records and self._is_taken(old, target_id):
                # One whom the source lacks may be back tomorrow: it was read in half, say.
                self.outlived.append(old)
        for old in self._state.moved.keys() & records.keys() - moved.keys():
            self._judge_cleared(old, records[old], people)

    def _is_meant(self, old: str, target_id: int | str, new: str, records: Records, people: People) -> bool:
        if old not in records or _has_left(records[old]):
            return True
        shown = self._shown(target_id, new)
        if is_another_person(shown, people(old)):
            return True
        if new in self._state.ambiguous:
            return False
        if new not in records:
            return self._is_taken(old, target_id)
        if self._state.entity != "employees":
            return True
        return is_same_person(shown, people(new)) and not is_same_person(shown, people(old))

    def _is_taken(self, old: str, target_id: int | str) -> bool:
        return old in self._state.ambiguous or self._state.target_id(old) not in (None, target_id)

    def _is_followed(self, target_id: int | str, new: str, records: Records, people: People) -> bool:
        """Whether the user of somebody who has left is that of its new number from now on. Where nothing is
        decided on access under that one (hired later, say), it would keep it, and nobody be told."""
        record = records.get(new)
        if record is None or new in self.blocked:
            return False
        if new in self._state.ambiguous and not _has_left(record):
            return False
        shown = self._shown(target_id, new)
        if isinstance(record, Rejected):
            # Left to others by the rules, mostly: theirs only if it is the same person plainly.
            return is_same_person(shown, people(new))
        return decides_on_access(record) and not is_another_person(shown, people(new))

    def _left_behind(self, old: str, target_id: int | str, new: str, records: Records) -> None:
        if new in self._state.ambiguous:
            self.spared[target_id] = old
        if self._shown(target_id, new).get(ACCESS) != 0:
            text = (
                f"{self._where(target_id, new, records)}: it still has access. {MEND}, or switch it off there"
            )
            self.told.append((old, Reason(text, LEAVER_WITH_ACCESS)))

    def _judge_cleared(self, key: str, record: SourceRecord | Rejected, people: People) -> None:
        entry = self._state.entry(key)
        if entry is None:
            return
        is_off = entry.is_off
        if is_off and not _has_left(record) and is_another_person(entry.fields, people(key)):
            self.freed.append(key)
        elif not (is_off and _has_left(record)):
            text = f"SafetyAmp user {entry.target_id} of employee {key} has no emp_id any more: give it back"
            self.told.append((key, Reason(text, KEY_TAKEN_OFF)))

    def _shown(self, target_id: int | str, new: str) -> FieldValues:
        entry = self._state.entry(new)
        if entry is not None and entry.target_id == target_id:
            return entry.fields
        return self._state.stray(target_id) or {}

    def _where(self, target_id: int | str, new: str, records: Records) -> str:
        if new in self._state.ambiguous:
            about = ", which others there have too"
        elif new not in records:
            about = ", which the source does not know"
        elif _is_future(records[new]):
            about = ", that of somebody who is hired on a later date"
        else:
            about = ""
        return f"SafetyAmp's record {target_id} had this key and has {new} now{about}"


def _not_theirs(target_id: int | str, old: str) -> str:
    return (
        f"SafetyAmp user {target_id}, which has this number there, was known as employee {old}, who is"
        f" current: nothing was sent, nobody is switched off. Give it {old} back as emp_id, then run with"
        f" refresh{IF_RIGHT}"
    )


def _has_left(record: SourceRecord | Rejected) -> bool:
    return isinstance(record, SourceRecord) and has_left(record)


def _is_future(record: SourceRecord | Rejected) -> bool:
    return isinstance(record, SourceRecord) and is_future(record)


def leavers_with_access(
    state: EntityState, leavers: Leavers, seen: Container[str]
) -> list[tuple[str, Reason]]:
    """Leavers and what to say of them, where a user who has access there is perhaps theirs, and has no
    number, or one that is none of the source's, which are `seen`.

    Of a leaver whom SafetyAmp has not under the number, the same e-mail or phone is enough. Of one who has a
    user there it takes two of three: that, the names, the birth date, as the payroll has them or that user
    shows them. A phone is somebody else's in time.
    """
    users = {
        f"{target_id} without emp_id": fields
        for target_id, key, _ in state.strays.values()
        if key is None and (fields := state.stray(target_id) or {}).get(ACCESS) != 0
    }
    told_already = {place.target_id for place in state.moved.values()}
    for number in [number for number in state.keys_not_off() if number not in seen]:
        entry = state.entry(number)
        if entry is not None and entry.target_id not in (None, *told_already):
            users[f"{entry.target_id} with emp_id {number}, which is nobody's,"] = entry.fields
    having: dict[str, set[str]] = {}
    for user, fields in users.items():
        for value in _telling_values(fields):
            having.setdefault(value, set()).add(user)
    told = []
    for key, leaver in sorted(leavers(having.keys()).items()) if having else ():
        has_user = state.target_id(key) is not None or key in state.ambiguous
        own = state.entry(key)
        candidates = sorted({user for value in leaver.values for user in having[value]})
        found = [
            user
            for user in candidates
            if _is_perhaps(leaver, users[user], has_user=has_user, own=own.fields if own else {})
        ]
        if found:
            text = _has_user_too(found) if has_user else _perhaps_theirs(key, found)
            told.append((key, Reason(text, LEAVER_WITH_ACCESS)))
    return told


def _telling_values(fields: FieldValues) -> Iterator[str]:
    yield from (value for name in UNIQUE if isinstance(value := fields.get(name), str) and value)
    if name := fields.get("last_name"):
        yield str(name).casefold()


def _is_perhaps(leaver: KnownBy, fields: FieldValues, *, has_user: bool, own: FieldValues) -> bool:
    """`own` is what the user of the number shows: both may have a name that somebody mended there."""
    shares = any(fields.get(name) in leaver.values for name in UNIQUE)
    born = fields.get("date_of_birth")
    born_alike = born is not None and born == leaver.person.get("date_of_birth")
    named_alike = is_same_person(fields, leaver.person) or is_same_person(fields, own)
    signs = (shares, born_alike, named_alike)
    return sum(signs) > 1 or (shares and not has_user)


def _perhaps_theirs(key: str, users: list[str]) -> str:
    return (
        f"has left, and SafetyAmp user {' and '.join(users)} has the same e-mail or phone"
        f" and still has access: if that is the same person, give it {key} as emp_id and run with refresh, or"
        " switch it off there"
    )


def _has_user_too(users: list[str]) -> str:
    return (
        f"has left, and SafetyAmp user {' and '.join(users)} shows the same person and still"
        " has access: switch it off there, unless that person works here under another number"
    )
