"""What people call a record, and what the source says of it: names beside numbers."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import UnreadableDocument
from shared.queries import answers
from shared.queries.dry_run import NO_RUN, UNREADABLE
from shared.queries.search import NAMES
from shared.sync.bulk import bulk_work
from shared.sync.documents.state import EntityState, Entry, read_state
from shared.sync.entities import mappings
from shared.sync.entities.employees import EmployeesMapping
from shared.sync.entities.shown import shown
from shared.sync.model import EntityName, SourceRecord
from shared.sync.planning.reader import SourceReader, with_known_regions
from shared.sync.planning.resolver import Resolver
from shared.sync.planning.rules_in_force import options_in_force
from shared.sync.services import Services


def names(services: Services, entity: EntityName, keys: Iterable[str]) -> answers.Names:
    """The names of these records, as far as SafetyAmp is known to have them; only where that leaves one
    without a name is the source read. Raises StorageError."""
    wanted = dict.fromkeys(keys)
    state = read_state(services.documents, entity)
    found = {key: name_of(entity, fields_of(entry_of(state, key))) for key in wanted}
    problems: list[str] = []
    if nameless := {key for key, name in found.items() if not name}:
        tell = teller(services, entity, nameless, problems, state)
        found |= {key: tell(key).name for key in nameless}
    return {"names": {key: name for key, name in found.items() if name}, "problems": problems}


@dataclass(frozen=True)
class Told:
    """What can be told of a record. `entry` None: it is not in SafetyAmp, as far as is known."""

    name: str
    values: Mapping[str, Any]
    entry: Entry | None


Teller = Callable[[str], Told]


def teller(
    services: Services,
    entity: EntityName,
    keys: Container[str],
    problems: list[str],
    state: EntityState | None = None,
) -> Teller:
    """Tells of one of these records; what cannot be read is added to `problems`, and costs names and values
    only. `state`: as it was read, if it was."""
    state = state or read_state(services.documents, entity)
    records: dict[str, Mapping[str, Any]] = {}
    people: Callable[[str], Mapping[str, Any]] = lambda _: {}  # noqa: E731
    try:
        with bulk_work():
            records, people = _source(services, entity, keys, state)
    except UNREADABLE as error:
        problems.append(f"{entity}: {error}")

    def tell(key: str) -> Told:
        entry = entry_of(state, key)
        values = records.get(key, {})
        name = next(
            filter(None, (name_of(entity, one) for one in (values, people(key), fields_of(entry)))), ""
        )
        return Told(name, values, entry)

    return tell


def _source(
    services: Services, entity: EntityName, keys: Container[str], state: EntityState | None
) -> tuple[dict[str, Mapping[str, Any]], Callable[[str], Mapping[str, Any]]]:
    """The source's records as an operator may see them, and what tells the names of people whose record
    cannot be used."""
    options = options_in_force(services)
    reader = SourceReader(services, Resolver(services, NO_RUN, entity), options, refresh=False)
    source = with_known_regions(reader.read(entity, {}).source, state)
    mapping = mappings(options)[entity]
    records: dict[str, Mapping[str, Any]] = {
        record.key: shown(entity, record)
        for record in mapping.records(source)
        if isinstance(record, SourceRecord) and record.key in keys
    }
    return records, mapping.people(source) if isinstance(mapping, EmployeesMapping) else lambda _: {}


def entry_of(state: EntityState | None, key: str) -> Entry | None:
    """What is known of the record in SafetyAmp; None where it is not there, or cannot be read."""
    try:
        entry = state.entry(key) if state else None
    except UnreadableDocument:
        return None
    return entry if entry is not None and entry.target_id is not None else None


def fields_of(entry: Entry | None) -> Mapping[str, Any]:
    """What SafetyAmp holds of a record, as far as is known."""
    return entry.fields if entry else {}


def name_of(entity: EntityName, values: Mapping[str, Any]) -> str:
    """What people call the record of these fields."""
    texts = (str(values.get(name) or "").strip() for name in NAMES[entity])
    return " ".join(filter(None, texts))
