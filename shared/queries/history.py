"""What the last runs did with one record."""

from __future__ import annotations

from shared.errors import UnreadableDocument
from shared.queries import answers
from shared.queries.changes import batch_outcomes, described
from shared.queries.record_calls import call_of
from shared.queries.run_index import newest_runs, run_ids
from shared.sync.documents.plans import read_batch, read_plan
from shared.sync.documents.runs import Run, read_run
from shared.sync.entities.keys import normal_key
from shared.sync.model import EntityName
from shared.sync.services import Services

MOST_RUNS = 100
"""Four days of hourly runs. Of a run without changes only the run document is read."""

ENOUGH = 5
SEARCH_SECONDS = 10.0
"""An operator waits. The batches of a first load of 50 000 people are read in about as long."""


class Searched(answers.History):
    """With the documents that could not be read."""

    problems: list[str]


def last_changes(services: Services, entity: EntityName, key: str) -> Searched:
    """The last changes of the record, newest first, with what became of them; and in how many runs was
    looked for them, and which documents could not be read."""
    until = services.clock.monotonic() + SEARCH_SECONDS
    found: list[answers.PastChange] = []
    problems: list[str] = []
    runs = 0
    for run in newest_runs(services.documents, MOST_RUNS):
        if len(found) == ENOUGH or services.clock.monotonic() > until:
            break
        runs += 1
        try:
            change = change_in(services, run, entity, key, until)
        except UnreadableDocument as error:
            problems.append(str(error))
            continue
        if change is not None:
            found.append(change)
    return {"changes": found, "runs_searched": runs, "problems": problems}


def whole_history(
    services: Services, entity: EntityName, key: str, limit: int, cursor: str | None
) -> answers.RecordHistory:
    """All changes of the record in the runs that are kept, newest first, as far as one request can look;
    `cursor` is the `next` of the page before.

    The first run of a page is looked through however long it takes, or no page would come past a large one.
    """
    key = normal_key(entity, key)
    until = services.clock.monotonic() + SEARCH_SECONDS
    left = [run_id for run_id in run_ids(services.documents) if cursor is None or run_id < cursor]
    changes: list[answers.PastChange] = []
    problems: list[str] = []
    searched = 0
    for run_id in left:
        if len(changes) == limit:
            break
        change = None
        try:
            run = read_run(services.documents, run_id)
            if run is not None:
                change = change_in(services, run, entity, key, until if searched else None)
        except UnreadableDocument as error:
            problems.append(str(error))
        if change is None and searched and services.clock.monotonic() > until:
            break  # perhaps in the middle of the run: the next page begins with it
        searched += 1
        changes += [] if change is None else [change]
    return {
        "entity": entity,
        "key": key,
        "changes": changes,
        "runs_searched": searched,
        "next": left[searched - 1] if 0 < searched < len(left) else None,
        "problems": problems,
    }


def change_in(
    services: Services, run: Run, entity: EntityName, key: str, until: float | None = None
) -> answers.PastChange | None:
    """The record's change in a run, with its batch and outcome; None when it has none, or when looking for it
    would take until after the monotonic time `until`. Raises UnreadableDocument."""
    status = run.entities.get(entity)
    if status is None or (status.ended and not any(status.planned.values())):
        return None
    if run.request.keys and key not in run.request.keys:
        return None
    plan = read_plan(services.documents, run, entity)
    if plan is None:
        return None
    for number in plan.all_numbers:
        if until is not None and services.clock.monotonic() > until:
            return None
        stored = read_batch(services.documents, run.run_id, entity, plan.plan_of(number), number)
        # A release before may have written the key otherwise.
        place = next((at for at, one in enumerate(stored) if normal_key(entity, one.key) == key), None)
        if place is not None:
            outcomes = batch_outcomes(services.documents, run.run_id, entity, number)
            change, outcome = stored[place], outcomes[place] if place < len(outcomes) else None
            return {
                "run_id": run.run_id,
                "url": f"/api/runs/{run.run_id}",
                "run_phase": run.phase,
                "entity_phase": status.phase,
                "requested_at": run.requested_at,
                "batch": number,
                "call": call_of(entity, change, outcome),
                **described(entity, change, outcome),
            }
    return None
