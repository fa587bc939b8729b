"""Finding a record's key by what people call it: a foreman gives a name, not a number."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from shared.errors import UnreadableDocument
from shared.queries.dry_run import NO_RUN, UNREADABLE
from shared.sync.bulk import bulk_work
from shared.sync.documents.state import not_listed, read_state
from shared.sync.entities import cleaning, mappings
from shared.sync.entities.keys import normal_key
from shared.sync.entities.shown import shown
from shared.sync.model import EntityName, SourceRecord
from shared.sync.planning.reader import SourceReader, mapping_options, with_known_regions
from shared.sync.planning.resolver import Resolver
from shared.sync.services import Services

MOST_FOUND = 25

NAMES: Mapping[EntityName, tuple[str, ...]] = {
    "departments": ("name", "description", "region"),
    "jobs": ("name", "description"),
    "titles": ("name", "title"),
    "employees": ("first_name", "middle_name", "last_name"),
    "vehicles": ("name", "plate", "code"),
}
"""What a record is called, in the source or in SafetyAmp: looked through, and shown."""

LOOKED_THROUGH = ("email",)
"""Looked through too, and not shown."""


def search(services: Services, entity: EntityName, text: str) -> dict[str, Any]:
    """The records whose key, name or e-mail has all words of `text`, in the source or in SafetyAmp, whatever
    their case and accents; a key is found in each of its spellings.

    `problem` set: the source could not be read, and only SafetyAmp's records, as far as they are known, were
    looked through. Raises StorageError.
    """
    words, wanted = _folded(text).split(), normal_key(entity, text)
    found: dict[str, dict[str, Any]] = {}
    there: dict[str, set[str]] = {"safetyamp": set(), "source": set()}
    with bulk_work():
        problem = None
        for where, records in (
            ("safetyamp", _known(services, entity)),
            ("source", _source(services, entity)),
        ):
            try:
                for key, values in records:
                    there[where].add(key)
                    if key == wanted or _matches(entity, words, key, values):
                        _add(found, entity, key, values)
            except UNREADABLE as error:
                problem = str(error)
    missing = _missing(services, entity)
    for key, record in found.items():
        # Not only where it matched: somebody who is called otherwise in the source is in the source.
        record |= {f"in_{where}": key in keys for where, keys in there.items()}
        if key in missing:
            record["note"] = not_listed(missing[key])
    # A key that was given in full is not lost among the many that contain it.
    ordered = sorted(
        found.values(), key=lambda record: (record["key"] != wanted, record["name"], record["key"])
    )
    return {"found": ordered[:MOST_FOUND], "more": len(ordered) > MOST_FOUND, "problem": problem}


def _missing(services: Services, entity: EntityName) -> dict[str, int | str]:
    state = read_state(services.documents, entity)
    return state.missing_keys() if state else {}


def _known(services: Services, entity: EntityName) -> Iterator[tuple[str, Mapping[str, Any]]]:
    state = read_state(services.documents, entity)
    for key in state.keys() if state else ():
        try:
            entry = state.entry(key) if state else None
        except UnreadableDocument:
            # The next run lists SafetyAmp anew. Until then one damaged record must not hide all others.
            continue
        if entry is not None and entry.target_id is not None:
            yield key, entry.fields


def _source(services: Services, entity: EntityName) -> Iterator[tuple[str, Mapping[str, Any]]]:
    resolver = Resolver(services, NO_RUN, entity)
    source = SourceReader(services, resolver, refresh=False).read(entity, {}).source
    source = with_known_regions(source, read_state(services.documents, entity))
    for record in mappings(mapping_options(services.settings))[entity].records(source):
        # Of a record that cannot be read, two with one key for example, only the key can be told.
        yield record.key, shown(entity, record) if isinstance(record, SourceRecord) else {}


def _matches(entity: EntityName, words: list[str], key: str, values: Mapping[str, Any]) -> bool:
    texts = [key, *(str(values.get(name) or "") for name in (*NAMES[entity], *LOOKED_THROUGH))]
    whole = _folded(" ".join(texts))
    return all(word in whole for word in words)


def _folded(text: str) -> str:
    """Without case, and without accents: who types a name from hearing has neither."""
    if text.isascii():
        return text.lower()
    taken_apart = unicodedata.normalize("NFKD", cleaning.text(text) or "").casefold()
    return "".join(sign for sign in taken_apart if not unicodedata.combining(sign))


def _add(found: dict[str, dict[str, Any]], entity: EntityName, key: str, values: Mapping[str, Any]) -> None:
    record = found.setdefault(key, {"key": key, "name": ""})
    name = " ".join(str(values[name]).strip() for name in NAMES[entity] if values.get(name))
    # The source's name, where it has one: of people who have left it tells nothing.
    record["name"] = name or record["name"]
