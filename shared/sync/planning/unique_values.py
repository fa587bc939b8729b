"""Unique values: who gets them, and in which order they are given up and taken. Pure.

SafetyAmp refuses an e-mail or a mobile phone that another user has. So a plan decides here, by what the state
shows of everybody, which of its changes may take such a value, and puts them in an order in which each value
is free when its turn comes. Only plans that write such a value pay for it.

- A value that its holder gives up in the same plan is taken after that; both changes are in one batch, whose
  changes one process applies one after the other.
- A phone that its holder keeps although the source no longer says so (the person has left, has no phone
  there, or cannot get the new one) is cleared first; of several users of a leaver once they are off. An
  e-mail cannot be cleared, and another address for somebody who has left would be a guess (it may be the same
  person under a new number): it is only reported.
- Of several who want a value, the one who holds it keeps it, else the lowest number gets it.
- A ring is opened by clearing one phone, or by the person's own new address with `+sync` before the @, until
  that person's own change comes (`makeshift`; `compare` sees to it that it does not stay).
- Whose own change is held keeps what they have until somebody approves it, and what it takes is kept free.
- Whatever else keeps a value is not touched: the field is left out, the rest of the change goes on. Only a
  creation cannot go without its e-mail: SafetyAmp refuses it, and from then on it waits for the address.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from shared.sync.documents.change import Beside, Change
from shared.sync.documents.state import FAILURE, TAKEN, UNIQUE, EntityState
from shared.sync.findings import causes
from shared.sync.findings.causes import Cause, Reason
from shared.sync.model import ACCESS, Claim, FieldValues
from shared.sync.planning.compare import Core, value_digest
from shared.sync.planning.makeshift import makeshift

EMAIL, PHONE = UNIQUE

SHARED: Mapping[str, Cause] = {EMAIL: causes.EMAIL_SHARED, PHONE: causes.PHONE_SHARED}

Claims = Callable[[Collection[str]], Mapping[str, Claim]]
"""What the source says of the unique values of these keys; it leaves out whom it cannot tell of."""


class Holder(NamedTuple):
    """A user who has a value; `key` None: nobody's of ours. Several may claim one key."""

    target_id: int | str
    key: str | None

    def __str__(self) -> str:
        return f"SafetyAmp user {self.target_id}" if self.key is None else f"employee {self.key}"


class LeftOut(NamedTuple):
    """A unique value that is not sent."""

    key: str
    name: str
    reason: str
    cause: Cause


class Freed(NamedTuple):
    """A value that is taken from its holder `key` for the change of `taker`."""

    key: str
    name: str
    reason: str
    cause: Cause
    taker: str


@dataclass
class Arranged:
    """`changes` in their order, each group of `groups` in one batch; `dropped` are changes of which nothing
    is left to send."""

    groups: list[list[Change]]
    left_out: list[LeftOut] = field(default_factory=list)
    dropped: list[Change] = field(default_factory=list)
    freed: list[Freed] = field(default_factory=list)


def arrange(
    changes: list[Change],
    state: EntityState,
    claims: Claims,
    *,
    core: Core,
    listed: bool,
    retry: bool,
    doubtful: Collection[str] = (),
    kept_by_rules: Callable[[Holder, str], str | None] = lambda _holder, _name: None,
    held: Collection[Change] = (),
) -> Arranged:
    """Decide and order. `changes` are in the order in which they should be applied otherwise.

    `listed`: the state was just read from SafetyAmp, so that what it does not show is free. `retry`: try what
    was refused before, and what only the state forbids. `doubtful` are keys of creations that were refused
    before, which are dropped unless their e-mail is free now. `kept_by_rules`: why nothing may be taken from
    the holder, of this field. `held` are changes of the same plan that wait for somebody: whose they are
    keeps what they have, and nobody else gets what they take.
    """
    if not any(_wanted(change) for change in changes):
        return Arranged([[change] for change in changes])
    arranging = _Arranging(changes, state, claims, core, listed, retry, doubtful, held)
    arranging.kept_by_rules = kept_by_rules
    return arranging.arranged()


def _wanted(change: Change) -> dict[str, str]:
    """The unique fields that a change takes a value for, with it."""
    return {name: value for name in UNIQUE if isinstance(value := change.fields.get(name), str)}


class _Arranging:
    def __init__(
        self,
        changes: list[Change],
        state: EntityState,
        claims: Claims,
        core: Core,
        listed: bool,
        retry: bool,
        doubtful: Collection[str],
        held: Collection[Change],
    ) -> None:
        self.kept_by_rules: Callable[[Holder, str], str | None] = lambda _holder, _name: None
        self._changes = changes
        self._state = state
        self._core = core
        self._listed = listed
        self._retry = retry
        self._doubtful = doubtful
        self._held_keys = {change.key for change in held}
        self._promised = {place: change.key for change in held for place in _wanted(change).items()}
        self._by_key = {change.key: change for change in changes}
        self._denied: dict[tuple[str, str], Reason] = {}
        self._after: dict[str, dict[str, str]] = {}
        """Key of a taker -> field -> key of the one who gives the value up in a change of this plan."""
        self._cleared: dict[tuple[str, str], Holder] = {}
        self._holding: dict[tuple[str, str], Holder] = {}
        self._takers: dict[tuple[str, str], list[Change]] = {}
        for change in changes:
            for place in _wanted(change).items():
                self._takers.setdefault(place, []).append(change)
        for name, value, target_id, key in state.unique_values():
            if (name, value) in self._takers:
                self._holding.setdefault((name, value), Holder(target_id, key))
        self._claims = claims({holder.key for holder in self._holding.values() if holder.key is not None})

    def arranged(self) -> Arranged:
        for name in UNIQUE:  # first the e-mail: who cannot be created for it takes no phone either
            self._decide(name)
        result = Arranged([])
        final = {change.key: self._final(change, result) for change in self._changes}
        kept = [change for change in final.values() if change is not None]
        result.groups = _grouped(kept, self._after, self._release)
        return result

    # -- who gets what ---------------------------------------------------------------------------------------

    def _decide(self, name: str) -> None:
        """Until nothing changes: who is denied a value may keep the one that somebody else waits for."""
        while any([self._decided(place) for place in self._takers if place[0] == name]):
            pass

    def _decided(self, place: tuple[str, str]) -> bool:
        """Settle who takes a value; whether that denied somebody anew."""
        name, value = place
        denied_before = len(self._denied)
        candidates = [
            change
            for change in sorted(self._takers[place], key=_by_number)
            if (change.key, name) not in self._denied and not self._is_doomed(change)
        ]
        holder = self._holding.get(place)
        if own := [change for change in candidates if _is_of(change, holder)]:
            # It was sent before without an answer, so that it is sent again: whoever may have it keeps it.
            candidates, holder = [*own, *(change for change in candidates if change not in own)], None
        reason = self._promised_to(place) or (holder and self._kept_by(holder, name, value))
        if reason:
            for change in candidates:
                self._deny(change, name, reason)
            return len(self._denied) > denied_before
        winner: Change | None = None
        for change in candidates:
            if winner is not None:
                text = f"employee {winner.key} gets it, and it must be unique"
                self._deny(change, name, Reason(text, SHARED[name]))
            elif holder is None and not self._is_open(change, name, value):
                text = "another SafetyAmp record has it, which the next listing will show"
                self._deny(change, name, Reason(text, causes.VALUE_TAKEN))
            else:
                winner = change
        if winner is not None and holder is not None:
            self._take_from(holder, winner, name)
        return len(self._denied) > denied_before

    def _is_doomed(self, change: Change) -> bool:
        """A creation whose e-mail somebody else keeps."""
        return change.action == "create" and (change.key, EMAIL) in self._denied

    def _promised_to(self, place: tuple[str, str]) -> Reason | None:
        if (taker := self._promised.get(place)) is None:
            return None
        text = f"employee {taker} gets it as soon as somebody approves that change, which is held"
        return Reason(text, causes.WAITS_FOR_APPROVAL)

    def _kept_by(self, holder: Holder, name: str, value: str) -> Reason | None:
        """Why the holder keeps the value; None when it is given up, or when that is to be found out."""
        if self._gives_up(holder, name):
            return None
        if (why := self.kept_by_rules(holder, name)) is not None:
            return Reason(f"{holder} has it and keeps it: {why}", causes.VALUE_TAKEN)
        claim = self._claim_of(holder)
        if claim is None:
            who, why = str(holder), "whom Vista does not tell of"
            if holder.key is None:
                why = "who has no employee number of their own"
            elif holder.key in self._state.ambiguous:
                who, why = (
                    f"SafetyAmp user {holder.target_id}",
                    f"one of several with the number {holder.key}",
                )
            todo = (
                "if that is the same person, enter this number there as emp_id, and nowhere else; otherwise"
                " take the value from it; then run with refresh"
            )
            if self._retry and not self._listed:
                return None
            return Reason(f"{who}, {why}, has it: {todo}", causes.VALUE_TAKEN)
        if getattr(claim, name) == value and not claim.left:
            text = f"{holder} has the same one, and it must be unique: give each one of their own"
            return Reason(text, SHARED[name])
        if name == PHONE and holder.key in self._held_keys:
            text = f"{holder}, whose own change is held, keeps it until somebody approves or drops that"
            return Reason(text, causes.WAITS_FOR_APPROVAL)
        if name == PHONE:
            return None
        if claim.left:
            todo = "move emp_id there if it is the same person, otherwise change that user's e-mail"
            return Reason(f"{holder}, who has left, has it in SafetyAmp: {todo}", causes.VALUE_TAKEN)
        if getattr(claim, name) is not None:
            text = f"{holder} keeps it until the address that replaces it is free: mend that one first"
        else:
            text = f"{holder} has it in SafetyAmp and nothing to replace it: mend that one first"
        return Reason(text, causes.EMAIL_WAITS_FOR_HOLDER)

    def _claim_of(self, holder: Holder) -> Claim | None:
        """What the source says of the holder's values; None where it says nothing of that user. Whose number
        several have, nobody can tell, but all that are off are the leaver's."""
        claim = self._claims.get(holder.key) if holder.key is not None else None
        if claim is None or holder.key not in self._state.ambiguous:
            return claim
        shown = self._state.stray(holder.target_id) or {}
        return claim if claim.left and shown.get(ACCESS) == 0 else None

    def _gives_up(self, holder: Holder, name: str) -> bool:
        change = self._by_key.get(holder.key or "")
        return (
            change is not None
            and _is_of(change, holder)
            and isinstance(change.fields.get(name), str)
            and (change.key, name) not in self._denied
        )

    def _is_open(self, change: Change, name: str, value: str) -> bool:
        """Whether a value that nobody is known to have may be tried: not if SafetyAmp refused it and nothing
        was learnt since."""
        entry = self._state.entry(change.key)
        by: str | None = None
        if change.key in self._doubtful and name == EMAIL and entry is not None:
            by = entry.flags[FAILURE].get("by", {}).get(name, "")
        elif entry is not None and (taken := entry.flags.get(TAKEN, {}).get(name)) is not None:
            by = taken["by"] if taken["digest"] == value_digest(value) else None
        return by != "" or self._listed or self._retry

    def _deny(self, change: Change, name: str, reason: Reason) -> None:
        self._denied[change.key, name] = reason
        self._after.get(change.key, {}).pop(name, None)
        self._cleared.pop((change.key, name), None)

    def _take_from(self, holder: Holder, winner: Change, name: str) -> None:
        self._after.get(winner.key, {}).pop(name, None)
        self._cleared.pop((winner.key, name), None)
        if self._gives_up(holder, name):
            self._after.setdefault(winner.key, {})[name] = holder.key or ""
        elif name == PHONE and self._claim_of(holder) is not None:
            self._cleared[winner.key, name] = holder

    # -- the changes as they are sent ------------------------------------------------------------------------

    def _final(self, change: Change, result: Arranged) -> Change | None:
        denied = [name for name in _wanted(change) if (change.key, name) in self._denied]
        if change.action == "create" and EMAIL in denied and change.key not in self._doubtful:
            denied.remove(EMAIL)  # it is for SafetyAmp to refuse that
        for name in denied:
            reason = self._denied[change.key, name]
            text = f"{name} left out: {reason.text}"
            result.left_out.append(LeftOut(change.key, name, text, reason.cause))
        if EMAIL in denied and change.action == "create":
            result.dropped.append(change)
            return None
        fields = {name: value for name, value in change.fields.items() if name not in denied}
        if not fields and not change.fill:
            result.dropped.append(change)
            return None
        places = {name: (name, value) for name, value in _wanted(change).items()}
        holders = {
            name: str(self._holding[at])
            for name, at in places.items()
            if at in self._holding and not _is_of(change, self._holding[at])
        }
        beside = []
        for name in _wanted(change):
            if name not in denied and (holder := self._cleared.get((change.key, name))):
                beside.append(self._release_of(holder, {name: None}))
                text = f"{name} is cleared: employee {change.key} has it in the source now"
                result.freed.append(Freed(holder.key or "", name, text, causes.PHONE_PASSED_ON, change.key))
        return replace(
            change,
            fields=fields,
            before={name: value for name, value in change.before.items() if name in fields},
            fresh=[*change.fresh, *(name for name in denied if name in change.core)],
            incomplete=change.incomplete or bool(denied),
            holders={name: text for name, text in holders.items() if name not in denied},
            beside=[*change.beside, *beside],
        )

    def _release_of(self, holder: Holder, fields: FieldValues) -> Beside:
        shown = self._state.fields_of(holder.key or "", holder.target_id)
        core = self._core(shown) if shown else {}
        fresh = [name for name in core if name not in fields]
        return {
            "key": holder.key,
            "target_id": holder.target_id,
            "fields": fields,
            "core": core,
            "fresh": fresh,
        }

    def _release(self, giver: Change, name: str) -> Beside:
        """What opens a ring: the giver's value given up before its own change comes."""
        value = makeshift(str(giver.fields[EMAIL])) if name == EMAIL else None
        return self._release_of(Holder(giver.target_id or "", giver.key), {name: value})


def _is_of(change: Change, holder: Holder | None) -> bool:
    return holder is not None and change.key == holder.key and change.target_id == holder.target_id


def _by_number(change: Change) -> tuple[int, str]:
    return (int(change.key), "") if change.key.isdecimal() else (1 << 62, change.key)


def _grouped(
    changes: list[Change],
    after: Mapping[str, Mapping[str, str]],
    release: Callable[[Change, str], Beside],
) -> list[list[Change]]:
    """The changes in groups: whoever gives to one another is together, givers first, at the place of the
    first of them."""
    by_key = {change.key: change for change in changes}
    links: dict[str, set[str]] = {}
    for taker, givers in after.items():
        for giver in givers.values():
            links.setdefault(taker, set()).add(giver)
            links.setdefault(giver, set()).add(taker)
    groups: list[list[Change]] = []
    placed: set[str] = set()
    for change in changes:
        if change.key in placed:
            continue
        together = _connected(change.key, links)
        members = [by_key[key] for key in by_key if key in together] if len(together) > 1 else [change]
        groups.append(_givers_first(members, after, release))
        placed |= together
    return groups


def _connected(key: str, links: Mapping[str, set[str]]) -> set[str]:
    found, waiting = {key}, [key]
    while waiting:
        fresh = links.get(waiting.pop(), set()) - found
        found |= fresh
        waiting += fresh
    return found


def _givers_first(
    members: Iterable[Change],
    after: Mapping[str, Mapping[str, str]],
    release: Callable[[Change, str], Beside],
) -> list[Change]:
    by_key = {change.key: change for change in members}
    ordered: list[Change] = []
    done: set[str] = set()
    for start in by_key:
        path = [start]
        opened: set[str] = set()
        while path:
            key = path[-1]
            if key in done:
                path.pop()
                continue
            opened.add(key)
            givers = after.get(key, {})
            ahead = [giver for giver in givers.values() if giver not in done and giver not in opened]
            if ahead:
                path.append(ahead[0])
                continue
            # Whoever is still open here comes later: its value is given up beforehand.
            early = [release(by_key[giver], name) for name, giver in givers.items() if giver not in done]
            change = by_key[key]
            ordered.append(replace(change, beside=[*change.beside, *early]) if early else change)
            done.add(key)
            path.pop()
    return ordered
