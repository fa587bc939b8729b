"""What operators decided."""

from __future__ import annotations

import azure.functions as func

from functions.access import VIEWER, operation
from functions.api_input import Params, key_of
from functions.responses import BadRequest, json_response
from shared import runtime
from shared.queries import answers
from shared.queries.decisions import DECISION_ID, DecisionFilter, list_decisions
from shared.queries.openapi.requests import DECISIONS_PER_PAGE
from shared.queries.run_index import RUN_ID
from shared.sync.decisions.record import DECISION_ACTIONS
from shared.sync.model import ENTITIES

blueprint = func.Blueprint()


@operation(blueprint, "api/decisions", "GET", VIEWER)
def show_decisions(req: func.HttpRequest) -> func.HttpResponse:
    """Who decided what, when and why, newest first."""
    params = Params(req, "action", "who", "run_id", "entity", "key", "limit", "cursor")
    key, run_id = params.text("key"), params.text("run_id")
    if run_id is not None and not RUN_ID.fullmatch(run_id):
        raise BadRequest("run_id must be a run's id such as 20260131-120000-0a1b2c")
    wanted = DecisionFilter(
        action=params.choice("action", DECISION_ACTIONS),
        who=params.text("who"),
        run_id=run_id,
        entity=params.choice("entity", ENTITIES),
        key=None if key is None else key_of(key),
    )
    cursor = params.text("cursor")
    if cursor is not None and not DECISION_ID.fullmatch(cursor):
        raise BadRequest("cursor must be the `next` of a page before")
    limit = params.number("limit", *DECISIONS_PER_PAGE)
    page = list_decisions(runtime.current().documents, wanted, limit, cursor)
    answer: answers.DecisionPage = {
        "decisions": page.items,
        "next": page.next,
        "problems": list(page.problems),
    }
    return json_response(answer)
