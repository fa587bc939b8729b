"""The rules that were pushed: each text, written once under its digest, and the list of who pushed which and
why, whose last one is in force.

The default file is no document: it ships with the release. `DEFAULT` stands for its digest, 0 for its number.
"""

from __future__ import annotations

import hashlib
import logging
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TypedDict

from shared.errors import DocumentExists, RulesConflict, UnknownRules, UnreadableDocument
from shared.storage.decoding import Time, decode
from shared.storage.documents import Documents, read_document, update_json
from shared.sync import paths
from shared.sync.model import JsonValue
from shared.version import PROGRAM

logger = logging.getLogger(__name__)

RULES_VERSION = 1
DEFAULT = "default"
DEFAULT_NUMBER = 0
DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)

UNKNOWN_RULES = (
    "Nobody can tell which rules are in force, and nothing is planned under others: push the file that is to"
    " be, which begins the list anew"
)
PUSH_AGAIN = f"Push the same file again ({PROGRAM} rules push FILE), or go back to another version"


@dataclass(frozen=True)
class PushedRules:
    """One version: `digest` is that of its text. `known`, `who`, `who_id` and `reason` are those of the
    decision. `back_to`: the number of the version that it repeats."""

    number: int
    digest: str
    at: Time
    decision: str
    known: str
    who: str | None = None
    who_id: str | None = None
    reason: str | None = None
    back_to: int | None = None


class _List(TypedDict):
    pushed: list[PushedRules]


def read_pushed(documents: Documents) -> list[PushedRules]:
    """All that was pushed, the oldest first; empty where the default file is in force. Raises
    UnreadableDocument."""
    try:
        found = read_document(documents, paths.RULES, _List)
    except UnreadableDocument as error:
        raise UnreadableDocument(error.path, error.why, UNKNOWN_RULES) from error
    return found["pushed"] if found else []


def version_of(pushed: list[PushedRules], number: int) -> PushedRules | None:
    """The version with the number, None for the default file. Raises UnknownRules."""
    if number == DEFAULT_NUMBER:
        return None
    for one in pushed:
        if one.number == number:
            return one
    there = f"1 to {pushed[-1].number}, and 0, the default file" if pushed else "only 0, the default file"
    raise UnknownRules(f"there is no version {number} of the rules: there are {there}")


def number_of(pushed: list[PushedRules]) -> int:
    """The number of the version that is in force."""
    return pushed[-1].number if pushed else DEFAULT_NUMBER


def add_pushed(documents: Documents, version: PushedRules) -> None:
    """Put the version in force after the one before it. Raises RulesConflict when another one is there by
    now. A list that cannot be read begins anew: who pushes says what is to be in force."""

    def change(value: JsonValue) -> JsonValue:
        pushed = _pushed(value)
        if pushed and pushed[-1].decision == version.decision:
            return None  # our own, whose confirmation got lost
        if number_of(pushed) != version.number - 1:
            raise RulesConflict(_other_than(version.number - 1, pushed))
        kept = value if isinstance(value, dict) else {}
        before = kept.get("pushed") or []
        return {**kept, "version": RULES_VERSION, "pushed": [*before, asdict(version)]}

    update_json(documents, paths.RULES, change, lost=_begin_anew)


def _pushed(value: JsonValue) -> list[PushedRules]:
    return [] if value is None else decode(_List, value, paths.RULES)["pushed"]


def _begin_anew(error: UnreadableDocument) -> None:
    logger.error("%s; it begins anew", error, extra={"event": "document_unreadable"})


def _other_than(expected: int, pushed: list[PushedRules]) -> str:
    if not pushed:
        return f"version {expected} is not in force any more, the default file is: nothing was changed"
    last = pushed[-1]
    by = f" by {last.who}" if last.who else ""
    return (
        f"version {last.number} was put in force{by} at {last.at}, while yours was on its way: nothing was"
        " changed"
    )


def digest_of_text(text: str) -> str:
    """Under which the text is stored."""
    return hashlib.sha256(text.encode()).hexdigest()


def store_rules(documents: Documents, text: str) -> str:
    """Store the text, unless it is there, and return its digest."""
    digest = digest_of_text(text)
    with suppress(DocumentExists):
        documents.create(paths.rules_version(digest), text.encode())
    return digest


def read_text(documents: Documents, digest: str) -> str:
    """The text that has the digest. Raises UnreadableDocument, also where it is gone or is another: nothing
    may be planned under rules that nobody has pushed."""
    if not DIGEST.fullmatch(digest):
        raise UnreadableDocument(paths.RULES, "it names rules in a way that this version does not know")
    path = paths.rules_version(digest)
    document = documents.read(path)
    if document is None:
        raise UnreadableDocument(path, "it is gone", PUSH_AGAIN)
    if hashlib.sha256(document.data).hexdigest() != digest:
        raise UnreadableDocument(path, "it is not what was pushed", f"Delete it. {PUSH_AGAIN}")
    return document.data.decode()
