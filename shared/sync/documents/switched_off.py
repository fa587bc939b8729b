"""Whom the sync has switched off, by SafetyAmp's id, in a document of its own.

The state knows it too, but by our key: it is lost with the state, and a number can be moved to another user.
Without this, our own doing would be taken for somebody's hand edit, and a rehired person kept out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TypedDict

from shared.errors import UnreadableDocument
from shared.storage.documents import Documents, read_json, update_json
from shared.sync import paths
from shared.sync.documents.change import Change
from shared.sync.documents.outcome import Outcome
from shared.sync.documents.state import OFF_BY, UNKNOWN, EntityState, Entry
from shared.sync.model import ACCESS, FieldValues, JsonValue

logger = logging.getLogger(__name__)


class _Noted(TypedDict):
    """The run that switched a user off, when, and under which of our keys."""

    run: str
    at: str | None
    key: str


Users = dict[str, JsonValue]
"""By SafetyAmp's id as text, each a `_Noted`; one that is damaged tells nevertheless that we did it."""


class SwitchedOff:
    """The document as one planner sees it, read when it is first asked."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._known: Users | None = None

    def by_sync(self, target_id: int | str) -> bool:
        """Whether the sync switched this user off, and not on again since."""
        return str(target_id) in self._all()

    def run_of(self, target_id: int | str | None) -> str | None:
        """The run that did it."""
        entry = self._all().get(str(target_id))
        run = entry.get("run") if isinstance(entry, dict) else None
        return run if isinstance(run, str) else None

    def _all(self) -> Users:
        if self._known is None:
            try:
                self._known = _users(read_json(self._documents, paths.SWITCHED_OFF))
            except UnreadableDocument as error:
                # The state knows nearly all of it too: nobody must wait for this document.
                logger.warning("%s: who was switched off by the sync is told by the state alone", error)
                self._known = {}
        return self._known


def note_to_be_switched_off(documents: Documents, changes: Iterable[Change], run_id: str, at: str) -> None:
    """Note whom these changes will switch off, before any of them is sent: whatever becomes of the documents
    of the run, it was our doing. Of whom it was not, `note_switched_off` takes back."""
    off: dict[str, _Noted] = {
        str(target_id): {"run": run_id, "at": at, "key": change.key}
        for change in changes
        if change.action == "deactivate"
        for target_id in (change.target_id, *(beside["target_id"] for beside in change.beside))
    }
    if not off:
        return

    def change(value: JsonValue) -> JsonValue:
        users = _users(value)
        after: Users = {**off, **users}
        return None if after == users else {"version": 1, "users": after}

    update_json(documents, paths.SWITCHED_OFF, change, lost=lambda _: None)


def note_switched_off(
    documents: Documents, outcomes: Iterable[Outcome], state: EntityState | None, run_id: str
) -> None:
    """Note what the outcomes of a run say, before they are merged. `state` is the one that they are merged
    into: who has access there, and is not among the outcomes, is not off any more. May be repeated.

    A switching off whose fate is not known counts: the person has left, and it may have been done.
    """
    off: dict[str, _Noted] = {}
    on: set[str] = set()
    for outcome in outcomes:
        for target_id, fields in _written(outcome):
            if fields.get(ACCESS) == 0:
                off[str(target_id)] = {"run": run_id, "at": outcome.at, "key": outcome.key}
            elif fields.get(ACCESS) == 1:
                on.add(str(target_id))
                off.pop(str(target_id), None)

    def change(value: JsonValue) -> JsonValue:
        users = _users(value)
        if not users and not off:
            return None
        back = on | (_with_access(state, users) - off.keys() if state else set())
        after: Users = {name: entry for name, entry in users.items() if name not in back}
        after |= {name: entry for name, entry in off.items() if name not in after}
        return None if after == users else {"version": 1, "users": after}

    # One that cannot be read is begun anew.
    update_json(documents, paths.SWITCHED_OFF, change, lost=lambda _: None)


def _users(value: JsonValue) -> Users:
    users = value.get("users") if isinstance(value, dict) else None
    return users if isinstance(users, dict) else {}


def _written(outcome: Outcome) -> Iterable[tuple[int | str, FieldValues]]:
    """Ids and fields that were written, or may have been: access that was taken away."""
    for beside in outcome.beside:
        if not beside.get("unknown") or beside["fields"].get(ACCESS) == 0:
            yield beside["target_id"], beside["fields"]
    if outcome.target_id is None:
        return
    unknown = outcome.unknown.get(ACCESS) == 0
    # Of a release that did not say what is unknown.
    unknown |= outcome.action == "deactivate" and outcome.result == "failed"
    yield outcome.target_id, {ACCESS: 0} if unknown else outcome.fields


def _has_access(entry: Entry) -> bool:
    is_known = OFF_BY not in entry.flags and ACCESS not in entry.flags.get(UNKNOWN, {})
    return bool(entry.fields.get(ACCESS)) and is_known


def _with_access(state: EntityState, users: Users) -> set[str]:
    """Those of the users who have access in the state, for certain."""
    found = set()
    for key, record in state.records.items():
        if str(record[0]) in users and (entry := state.entry(key)) and _has_access(entry):
            found.add(str(record[0]))
    for name in state.strays.keys() & users.keys():
        if (state.stray(name) or {}).get(ACCESS):
            found.add(name)
    return found
