"""Members of records that release 0.1.0 does not know, kept beside the records that have them.

0.1.0 stops at a record with a member more, and with it the run and all that come after it. While a release
takes the place of the one before, or after a rollback, it finds such documents. So it finds its own form, and
what is newer stands in a member of the document, of which it takes no notice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypedDict, TypeVar, cast

from shared.errors import UnreadableDocument
from shared.storage.decoding import decode
from shared.storage.documents import Documents, read_document
from shared.sync.model import JsonValue

T = TypeVar("T")

Record = dict[str, JsonValue]
"""A change or an outcome as JSON."""


class _Document(TypedDict, total=False):
    """`newer`: by the place of a record in its list, as text, its members that 0.1.0 does not know, and its
    digest."""

    newer: dict[str, Record]


def aside(records: Iterable[Record], newer: Collection[str]) -> tuple[list[Record], dict[str, Record]]:
    """The records as 0.1.0 knows them, and by their place what it does not know. To 0.1.0 a record with newer
    members has no digest: what it does not see is not done, and the next plan looks at the record again."""
    known: list[Record] = []
    more: dict[str, Record] = {}
    for place, record in enumerate(records):
        members = {one: value for one, value in record.items() if one in newer}
        if members:
            more[str(place)] = {**members, "digest": record["digest"]}
            record = {one: value for one, value in record.items() if one not in members} | {"digest": ""}
        known.append(record)
    return known, more


def with_newer(name: str, records: list[Record], newer: dict[str, Record]) -> dict[str, JsonValue]:
    """The members `name` and, where there is something, `newer` of a document."""
    return {name: records, **({"newer": newer} if newer else {})}


def read_whole(documents: Documents, path: str, kind: type[T], name: str) -> T | None:
    """As `read_document`, with newer members back in the records of the list `name`."""
    value = read_document(documents, path, _Document)
    if value is None:
        return None
    records = cast("dict[str, JsonValue]", value).get(name)
    for place, members in value.get("newer", {}).items():
        try:
            _record_at(records, int(place)).update(members)
        except (ValueError, LookupError):
            raise UnreadableDocument(path, f"newer: {place} is no record of {name}") from None
    return decode(kind, value, path)


def _record_at(records: JsonValue, place: int) -> Record:
    record = records[place] if isinstance(records, list) else None
    if not isinstance(record, dict):
        raise LookupError
    return record
