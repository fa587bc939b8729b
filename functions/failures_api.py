"""What fails and why, what is whose to mend, trying it again, and the messages that were given up."""

from __future__ import annotations

from typing import Any

import azure.functions as func

from functions.access import APPROVER, OPERATOR, VIEWER, operation
from functions.api_input import Params, entities_of, json_body, keys_of, one_line
from functions.deciding import SAYING, said
from functions.responses import BadRequest, csv_file, html_response, json_response, started
from shared import runtime
from shared.queries import answers
from shared.queries.csv_text import fix_list_csv
from shared.queries.dead_letters import list_dead_letters, resubmit
from shared.queries.failures import failure_groups
from shared.queries.fix_list import fix_list
from shared.queries.fix_list_page import fix_list_page
from shared.queries.openapi.requests import LETTERS_PER_PAGE, MOST_LETTERS
from shared.reports.document import document_policy
from shared.sync.decisions.record import decided
from shared.sync.documents.runs import RunRequest
from shared.sync.findings.causes import OWNERS
from shared.sync.runs.requests import request_run

blueprint = func.Blueprint()

FORMATS = ("json", "html", "csv")


@operation(blueprint, "api/failures", "GET", VIEWER)
def show_failures(req: func.HttpRequest) -> func.HttpResponse:
    """Failing records by cause, with what to do."""
    Params(req)
    return json_response(failure_groups(runtime.current().documents))


@operation(blueprint, "api/fix-list", "GET", VIEWER)
def show_fix_list(req: func.HttpRequest) -> func.HttpResponse:
    """What is to be mended, of one `owner` or of all, with names."""
    params = Params(req, "owner", "format")
    owner = params.choice("owner", OWNERS)
    form = params.choice("format", FORMATS, "json")
    found = fix_list(runtime.current(), owner)
    if form == "html":
        return html_response(fix_list_page(found), document_policy())
    if form == "csv":
        return csv_file(f"fix-list-{owner or 'all'}", fix_list_csv(found))
    return json_response(found)


@operation(blueprint, "api/failures/retry", "POST", OPERATOR)
def retry_failures(req: func.HttpRequest) -> func.HttpResponse:
    """Start a run that also tries what SafetyAmp refused before: of everything, an entity, or some keys."""
    body = json_body(req, "entity", "keys", *SAYING)
    deciding = said(Params(req, *SAYING), body)
    entities = entities_of(body.get("entity", "all"))
    keys = keys_of(body["keys"]) if "keys" in body else ()
    if keys and len(entities) != 1:
        raise BadRequest("keys belong to one entity: name it too")
    services = runtime.current()
    with decided(services, "retry", deciding.by, deciding.reason, entities=entities, keys=keys) as outcome:
        request = RunRequest(entities=entities, retry_failed=True, cause="retry", keys=keys)
        run_id = outcome.run_id = request_run(services, request)
    return started(run_id)


@operation(blueprint, "api/dead-letters", "GET", VIEWER)
def show_dead_letters(req: func.HttpRequest) -> func.HttpResponse:
    """The messages that were given up, with what to do about each."""
    params = Params(req, "limit", "cursor")
    page = list_dead_letters(
        runtime.current(), params.number("limit", *LETTERS_PER_PAGE), params.text("cursor")
    )
    answer: answers.DeadLetterPage = {"dead_letters": page.items, "next": page.next}
    return json_response(answer)


@operation(blueprint, "api/dead-letters/resubmit", "POST", APPROVER)
def resubmit_dead_letters(req: func.HttpRequest) -> func.HttpResponse:
    """Send again what an active run still lacks."""
    body = json_body(req, "ids", *SAYING)
    deciding = said(Params(req, *SAYING), body)
    ids = _ids(body["ids"]) if "ids" in body else None
    services = runtime.current()
    given = {"ids": "all" if ids is None else " ".join(ids)}
    with decided(services, "resubmit", deciding.by, deciding.reason, given=given):
        answer: answers.Resubmissions = {"results": resubmit(services, ids)}
    return json_response(answer)


def _ids(value: Any) -> list[str]:
    if not isinstance(value, list) or not 0 < len(value) <= MOST_LETTERS:
        raise BadRequest(f"ids must be a list of 1 to {MOST_LETTERS} ids of dead letters")
    return [one_line(letter_id, "each id") for letter_id in value]
