"""Finding a record's key by what people call it: a foreman gives a name, not a number."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import NamedTuple

from shared.errors import UnreadableDocument
from shared.queries import answers
from shared.queries.dry_run import NO_RUN, UNREADABLE
from shared.sync.bulk import bulk_work
from shared.sync.documents.state import not_listed, read_state
from shared.sync.entities import cleaning, mappings
from shared.sync.entities.keys import normal_key
from shared.sync.entities.shown import shown
from shared.sync.model import EntityName, SourceRecord
from shared.sync.planning.reader import SourceReader, with_known_regions
from shared.sync.planning.resolver import Resolver
from shared.sync.planning.rules_in_force import options_in_force
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

PHONES: Mapping[EntityName, tuple[str, ...]] = {"employees": ("mobile_phone", "work_phone", "phone")}
"""Likewise, by their digits."""

PHONE = re.compile(r"[+(]?[0-9][0-9 ()./+-]{5,}")
DIGITS, LOCAL_DIGITS = 10, 7
"""Of a number of North America: in full, and without the area code."""

LIKENESS, SHORTEST_WORD = 0.75, 4
"""How much a word is like another one (`difflib`), and how long it must be, to be taken for a slip of it."""


class _Looked(NamedTuple):
    """A record as it was looked through: `text` and `digits` are what words and telephones are found in."""

    where: str
    key: str
    name: str
    text: str
    phones: tuple[str, ...]


def search(services: Services, entity: EntityName, text: str) -> answers.FoundRecords:
    """The records whose key, name or e-mail has all words of `text`, in the source or in SafetyAmp, whatever
    their case, accents and commas; a key is found in each of its spellings, a telephone by its digits.

    Where there are none: those of which each word is like one of theirs (`nearly`). `problem` set: the source
    could not be read, and only SafetyAmp's records, as far as they are known, were looked through. Raises
    StorageError.
    """
    looked: list[_Looked] = []
    problem = None
    with bulk_work():
        for where, records in (
            ("safetyamp", _known(services, entity)),
            ("source", _source(services, entity)),
        ):
            try:
                looked.extend(_looked(entity, where, key, values) for key, values in records)
            except UNREADABLE as error:
                problem = str(error)
    hits = _hits(looked, entity, text)
    names = _names(hits or _near_hits(looked, text))
    missing = _missing(services, entity)
    there = {(one.where, one.key) for one in looked}
    told: list[answers.FoundRecord] = []
    for key, name in names.items():
        # Not only where it matched: somebody who is called otherwise in the source is in the source.
        record: answers.FoundRecord = {
            "key": key,
            "name": name,
            "in_source": ("source", key) in there,
            "in_safetyamp": ("safetyamp", key) in there,
        }
        if key in missing:
            record["note"] = not_listed(missing[key])
        told.append(record)
    # A key that was given in full is not lost among the many that contain it.
    wanted = normal_key(entity, text)
    told.sort(key=lambda record: (record["key"] != wanted, record["name"], record["key"]))
    return {
        "found": told[:MOST_FOUND],
        "more": len(told) > MOST_FOUND,
        "nearly": bool(told) and not hits,
        "problem": problem,
    }


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
    options = options_in_force(services)
    source = SourceReader(services, resolver, options, refresh=False).read(entity, {}).source
    source = with_known_regions(source, read_state(services.documents, entity))
    for record in mappings(options)[entity].records(source):
        # Of a record that cannot be read, two with one key for example, only the key can be told.
        yield record.key, shown(entity, record) if isinstance(record, SourceRecord) else {}


def _looked(entity: EntityName, where: str, key: str, values: Mapping[str, object]) -> _Looked:
    texts = [key, *(str(values.get(name) or "") for name in (*NAMES[entity], *LOOKED_THROUGH))]
    name = " ".join(str(values[name]).strip() for name in NAMES[entity] if values.get(name))
    phones = tuple(_digits(str(values[name])) for name in PHONES.get(entity, ()) if values.get(name))
    return _Looked(where, key, name, _folded(" ".join(texts)), phones)


def _hits(looked: Iterable[_Looked], entity: EntityName, text: str) -> list[_Looked]:
    wanted, words, digits = normal_key(entity, text), _folded(text).split(), _phone(text)
    return [
        one
        for one in looked
        if one.key == wanted
        or all(word in one.text for word in words)
        or (digits and any(digits in phone for phone in one.phones))
    ]


def _near_hits(looked: Iterable[_Looked], text: str) -> list[_Looked]:
    """Numbers are never taken for others, nor short words: half of all names are like those."""
    words = _folded(text).split()
    if any(len(word) < SHORTEST_WORD or not word.isalpha() for word in words):
        return []
    theirs = {one: set(one.text.split()) for one in looked}
    known = {word for words in theirs.values() for word in words if word.isalpha()}
    alike = [set(get_close_matches(word, known, n=MOST_FOUND, cutoff=LIKENESS)) for word in words]
    return [one for one, words in theirs.items() if all(words & close for close in alike)]


def _phone(text: str) -> str | None:
    """The digits of what can only be a telephone number, without the country's."""
    digits = _digits(text)[-DIGITS:]
    return digits if PHONE.fullmatch(text.strip()) and len(digits) >= LOCAL_DIGITS else None


def _digits(text: str) -> str:
    return "".join(sign for sign in text if sign in "0123456789")


def _folded(text: str) -> str:
    """Without case, accents and commas: who types a name from hearing has none of them."""
    text = text.replace(",", " ")
    if text.isascii():
        return text.lower()
    taken_apart = unicodedata.normalize("NFKD", cleaning.text(text) or "").casefold()
    return "".join(sign for sign in taken_apart if not unicodedata.combining(sign))


def _names(hits: Iterable[_Looked]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in hits:
        # The source's name, where it has one: of people who have left it tells nothing.
        found[one.key] = one.name or found.get(one.key, "")
    return found
