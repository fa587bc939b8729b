"""Whether the documents that every run rests on can be read, and what to do about one that cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from shared.doctor.finding import Check, Finding, Status
from shared.errors import UnreadableDocument
from shared.notices.episodes import NOTICES, book_from_json
from shared.storage.documents import Documents, read_document, read_json
from shared.sync import paths
from shared.sync.documents.active import peek_active
from shared.sync.documents.control import UNKNOWN_PAUSES, read_pauses
from shared.sync.documents.outcome import read_outcomes
from shared.sync.documents.plans import read_batch, read_plan
from shared.sync.documents.progress import read_progress
from shared.sync.documents.rules import DEFAULT, read_pushed, read_text
from shared.sync.documents.runs import Run, read_run, run_ids
from shared.sync.documents.state import decode_state
from shared.sync.model import ENTITIES, EntityName
from shared.sync.planning.lookups import read_lookup
from shared.sync.runs.totals import read_totals
from shared.version import PROGRAM

if TYPE_CHECKING:
    from shared.runtime import Runtime

MOST_NAMED = 20
NEWEST_RUNS = 5
SETTINGS = ("DOCUMENTS_CONNECTION", "DOCUMENTS_CONTAINER", "LOCAL_FOLDER")
BY_ITSELF = "Nothing has to be done: the next run makes it anew"
GIVEN_UP = "Nothing has to be done: its run ends with that reason, and the next one does what is left"
ENDED = "Nothing has to be done: its run has ended, and only what it did cannot be shown any more"

RULES_LOST = (
    "Nothing is planned until that is mended: push the rules that are to be in force"
    f" ({PROGRAM} rules push FILE)"
)

Look = tuple[str, Callable[[], object]]
"""What to do when the document cannot be read, and a reading of it."""


def unreadable(runtime: Runtime) -> Iterator[Finding]:
    """A warning for each document that cannot be read and settles itself, a failure for the one that does
    not; at most so many. Documents of an ended run are looked at for the newest runs only."""
    read, found = 0, 0
    for advice, look in _looks(runtime):
        read += 1
        try:
            look()
        except UnreadableDocument as error:
            found += 1
            if found <= MOST_NAMED:
                seen = f"the document {error.path} cannot be read ({error.why})"
                status: Status = "failed" if advice in (UNKNOWN_PAUSES, RULES_LOST) else "warning"
                yield Finding("documents.content", status, seen, advice, settings=SETTINGS)
    if found == 0:
        yield Finding("documents.content", "ok", f"{read} documents were read and understood")


def _looks(runtime: Runtime) -> Iterator[Look]:
    documents = runtime.documents
    yield UNKNOWN_PAUSES, lambda: read_pauses(documents)
    yield RULES_LOST, lambda: _read_rules(documents)
    yield BY_ITSELF, lambda: peek_active(documents)
    yield BY_ITSELF, lambda: read_totals(documents)
    yield BY_ITSELF, lambda: book_from_json(read_json(documents, NOTICES), runtime.clock.now())
    for entity in ENTITIES:
        yield BY_ITSELF, partial(_read_state, documents, entity)
    for resource in ("roles", "asset_types"):
        yield BY_ITSELF, partial(read_lookup, documents, resource)
    for run_id in run_ids(documents)[:NEWEST_RUNS]:
        yield from _of_run(documents, run_id)


def _read_rules(documents: Documents) -> None:
    pushed = read_pushed(documents)
    if pushed and pushed[-1].digest != DEFAULT:
        read_text(documents, pushed[-1].digest)


def _read_state(documents: Documents, entity: EntityName) -> object:
    return decode_state(entity, _whole(documents, paths.state(entity)))


def _whole(documents: Documents, path: str) -> Any:
    return read_document(documents, path, dict[str, Any])


def _of_run(documents: Documents, run_id: str) -> Iterator[Look]:
    yield GIVEN_UP, lambda: read_run(documents, run_id)
    yield ENDED, lambda: _whole(documents, paths.report(run_id))
    with suppress(UnreadableDocument):
        run = read_run(documents, run_id)
        for entity in run.entities if run else ():
            assert run is not None
            yield from _of_entity(documents, run, entity)


def _of_entity(documents: Documents, run: Run, entity: EntityName) -> Iterator[Look]:
    advice = ENDED if run.ended else GIVEN_UP
    yield advice, lambda: read_plan(documents, run, entity)
    with suppress(UnreadableDocument):
        plan = read_plan(documents, run, entity)
        for number in islice(plan.all_numbers if plan else (), MOST_NAMED):
            assert plan is not None
            yield advice, partial(read_batch, documents, run.run_id, entity, plan.plan_of(number), number)
            yield advice, partial(read_progress, documents, run.run_id, entity, number)
            yield advice, partial(read_outcomes, documents, run.run_id, entity, number)


CHECK = Check("documents.content", unreadable, settings=SETTINGS)
