"""Finding a record's key by what people call it: a foreman gives a name, not a number."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping

from shared.errors import UnreadableDocument
from shared.queries import answers
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


def search(services: Services, entity: EntityName, text: str) -> answers.FoundRecords:
    """The records whose key, name or e-mail has all words of `text`, in the source or in SafetyAmp, whatever
    their case and accents; a key is found in each of its spellings.

    `problem` set: the source could not be read, and only SafetyAmp's records, as far as they are known, were
    looked through. Raises StorageError.
    """
    words, wanted = _folded(text).split(), normal_key(entity, text)
    found: dict[str, str] = {}
    in_source: set[str] = set()
    in_safetyamp: set[str] = set()
    with bulk_work():
        problem = None
        for there, records in (
            (in_safetyamp, _known(services, entity)),
            (in_source, _source(services, entity)),
        ):
            try:
                for key, values in records:
                    there.add(key)
                    if key == wanted or _matches(entity, words, key, values):
                        # The source's name, where it has one: of people who have left it tells nothing.
                        found[key] = _name(entity, values) or found.get(key, "")
            except UNREADABLE as error:
                problem = str(error)
    missing = _missing(services, entity)
    told: list[answers.FoundRecord] = []
    for key, name in found.items():
        # Not only where it matched: somebody who is called otherwise in the source is in the source.
        record: answers.FoundRecord = {
            "key": key,
            "name": name,
            "in_source": key in in_source,
            "in_safetyamp": key in in_safetyamp,
        }
        if key in missing:
            record["note"] = not_listed(missing[key])
        told.append(record)
    # A key that was given in full is not lost among the many that contain it.
    told.sort(key=lambda record: (record["key"] != wanted, record["name"], record["key"]))
    return {"found": told[:MOST_FOUND], "more": len(told) > MOST_FOUND, "problem": problem}


def _missing(services: Services, entity: EntityName) -> dict[str, int | str]:
    state = read_state(services.documents, entity)
    return state.missing_keys() if state else {}


def _known(services: Services, entity: EntityName) -> Iterator[tuple[str, Mapping[str, object]]]:
    state = read_state(services.documents, entity)
    for key in state.keys() if state else ():
        try:
            entry = state.entry(key) if state else None
        except UnreadableDocument:
            # The next run lists SafetyAmp anew. Until then one damaged record must not hide all others.
            continue
        if entry is not None and entry.target_id is not None:
            yield key, entry.fields


def _source(services: Services, entity: EntityName) -> Iterator[tuple[str, Mapping[str, object]]]:
    resolver = Resolver(services, NO_RUN, entity)
    source = SourceReader(services, resolver, refresh=False).read(entity, {}).source
    source = with_known_regions(source, read_state(services.documents, entity))
    for record in mappings(mapping_options(services.settings))[entity].records(source):
        # Of a record that cannot be read, two with one key for example, only the key can be told.
        yield record.key, shown(entity, record) if isinstance(record, SourceRecord) else {}


def _matches(entity: EntityName, words: list[str], key: str, values: Mapping[str, object]) -> bool:
    texts = [key, *(str(values.get(name) or "") for name in (*NAMES[entity], *LOOKED_THROUGH))]
    whole = _folded(" ".join(texts))
    return all(word in whole for word in words)


def _folded(text: str) -> str:
    """Without case, and without accents: who types a name from hearing has neither."""
    if text.isascii():
        return text.lower()
    taken_apart = unicodedata.normalize("NFKD", cleaning.text(text) or "").casefold()
    return "".join(sign for sign in taken_apart if not unicodedata.combining(sign))


def _name(entity: EntityName, values: Mapping[str, object]) -> str:
    return " ".join(str(values[name]).strip() for name in NAMES[entity] if values.get(name))
