"""Members of records that release 0.1.0 does not know, kept beside the records that have them.

0.1.0 stops at a record with a member more, and with it the run and all that come after it. While a release
takes the place of the one before, or after a rollback, it finds such documents. So it finds its own form, and
what is newer stands in a member of the document, of which it takes no notice.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, TypedDict, TypeVar

from shared.errors import UnreadableDocument
from shared.storage.decoding import decode
from shared.storage.documents import Documents, read_document

T = TypeVar("T")


class _Document(TypedDict, total=False):
    """`newer`: by the place of a record in its list, as text, its members that 0.1.0 does not know, and its
    digest."""

    newer: dict[str, dict[str, Any]]


def aside(name: str, records: Sequence[dict[str, Any]], newer: Collection[str]) -> dict[str, Any]:
    """The members `name` and, where there is something, `newer` of a document. To 0.1.0 a record with newer
    members has no digest: what it does not see is not done, and the next plan looks at the record again."""
    known, more = [], {}
    for place, record in enumerate(records):
        members = {one: value for one, value in record.items() if one in newer}
        if members:
            more[str(place)] = {**members, "digest": record["digest"]}
            record = {one: value for one, value in record.items() if one not in members} | {"digest": ""}
        known.append(record)
    return {name: known, **({"newer": more} if more else {})}


def read_whole(documents: Documents, path: str, kind: type[T], name: str) -> T | None:
    """As `read_document`, with newer members back in the records of the list `name`."""
    value: Any = read_document(documents, path, _Document)
    if value is None:
        return None
    records = value.get(name)
    for place, members in value.get("newer", {}).items():
        try:
            records[int(place)].update(members)
        except (ValueError, LookupError, TypeError, AttributeError):
            raise UnreadableDocument(path, f"newer: {place} is no record of {name}") from None
    return decode(kind, value, path)
