"""Runs: which there were, how one stands, what it changes, and deciding on it."""

from __future__ import annotations

import azure.functions as func

from functions.access import APPROVER, OPERATOR, VIEWER, operation
from functions.api_input import Params, json_body, next_page, run_id_of
from functions.deciding import SAYING, said
from functions.responses import BadRequest, csv_file, html_response, json_response, started
from shared import runtime
from shared.queries import answers
from shared.queries.changes import PLANNED, START, ChangeFilter, Place, list_changes, place_of
from shared.queries.csv_text import changes_csv, plan_csv
from shared.queries.openapi.requests import (
    CHANGES_PER_PAGE,
    PLANNED_PER_PART,
    RUNS_PER_PAGE,
    TREND_DAYS,
    PageSize,
)
from shared.queries.plan_page import plan_page
from shared.queries.plan_view import plan_view
from shared.queries.run_detail import run_detail, stored_report
from shared.queries.run_list import RunFilter, list_runs
from shared.queries.trends import trends
from shared.reports.document import document_policy
from shared.reports.page import report_page
from shared.sync.decisions.approve import approve
from shared.sync.decisions.record import decided
from shared.sync.documents.outcome import RESULTS
from shared.sync.documents.runs import RUN_PHASES, get_run
from shared.sync.model import ACTIONS, ENTITIES
from shared.sync.runs.stopping import cancel

blueprint = func.Blueprint()

CSV_CHANGES_PER_PAGE = PageSize(5000, 5000)
FORMATS = ("json", "csv")
PLAN_FORMATS = ("json", "html", "csv")


@operation(blueprint, "api/runs", "GET", VIEWER)
def show_runs(req: func.HttpRequest) -> func.HttpResponse:
    """The runs that are kept, newest first."""
    params = Params(req, "phase", "entity", "cause", "since", "limit", "cursor")
    wanted = RunFilter(
        phase=params.choice("phase", RUN_PHASES),
        entity=params.choice("entity", ENTITIES),
        cause=params.text("cause"),
        since=params.moment("since"),
    )
    limit, cursor = params.number("limit", *RUNS_PER_PAGE), params.run("cursor")
    page = list_runs(runtime.current().documents, wanted, limit, cursor)
    answer: answers.RunPage = {"runs": page.items, "next": page.next}
    return json_response(answer)


@operation(blueprint, "api/trends", "GET", VIEWER)
def show_trends(req: func.HttpRequest) -> func.HttpResponse:
    """How the last days went, a day a row."""
    params = Params(req, "days")
    return json_response(trends(runtime.current(), params.number("days", *TREND_DAYS)))


@operation(blueprint, "api/runs/{run_id}", "GET", VIEWER)
def show_run(req: func.HttpRequest) -> func.HttpResponse:
    """Where a run stands, or how it ended."""
    Params(req)
    services = runtime.current()
    return json_response(run_detail(services, get_run(services.documents, run_id_of(req))))


@operation(blueprint, "api/runs/{run_id}/report", "GET", VIEWER)
def show_report(req: func.HttpRequest) -> func.HttpResponse:
    """The report of a run as a page; while it is under way, how it stands."""
    Params(req)
    documents = runtime.current().documents
    # Made anew: the page that is stored may be of another version, and its style not of this policy.
    page = report_page(stored_report(documents, get_run(documents, run_id_of(req))))
    return html_response(page, document_policy())


@operation(blueprint, "api/runs/{run_id}/plan", "GET", VIEWER)
def show_plan(req: func.HttpRequest) -> func.HttpResponse:
    """What a run plans, for whoever decides about it: `limit` of the changes and creations of an entity."""
    params = Params(req, "format", "limit")
    run_id, form = run_id_of(req), params.choice("format", PLAN_FORMATS, "json")
    limit = params.number("limit", *PLANNED_PER_PART)
    services = runtime.current()
    plan = plan_view(services, get_run(services.documents, run_id), limit)
    if form == "html":
        return html_response(plan_page(plan), document_policy())
    if form == "csv":
        return csv_file(f"plan-{run_id}", plan_csv(plan))
    return json_response(plan)


@operation(blueprint, "api/runs/{run_id}/changes", "GET", VIEWER)
def show_changes(req: func.HttpRequest) -> func.HttpResponse:
    """What a run changes or changed, with before and after."""
    params = Params(req, "entity", "action", "result", "key", "format", "limit", "cursor")
    run_id = run_id_of(req)
    as_csv = params.choice("format", FORMATS, "json") == "csv"
    limit = params.number("limit", *(CSV_CHANGES_PER_PAGE if as_csv else CHANGES_PER_PAGE))
    wanted = ChangeFilter(
        entity=params.choice("entity", ENTITIES),
        action=params.choice("action", ACTIONS),
        result=params.choice("result", (PLANNED, *RESULTS)),
        key=params.text("key"),
    )
    documents = runtime.current().documents
    page = list_changes(documents, get_run(documents, run_id), wanted, limit, _place(params.text("cursor")))
    if as_csv:
        link = next_page(req, f"/api/runs/{run_id}/changes", page.next)
        return csv_file(f"changes-{run_id}", changes_csv(page.items), link)
    answer: answers.ChangePage = {
        "changes": page.items,
        "next": page.next,
        "problems": list(page.problems),
    }
    return json_response(answer)


def _place(cursor: str | None) -> Place:
    try:
        return START if cursor is None else place_of(cursor)
    except ValueError:
        raise BadRequest("cursor must be the `next` of a page before") from None


@operation(blueprint, "api/runs/{run_id}/approve", "POST", APPROVER)
def approve_run(req: func.HttpRequest) -> func.HttpResponse:
    """Let the held plans of a run go on."""
    deciding = said(Params(req, *SAYING), json_body(req, *SAYING))
    run_id, services = run_id_of(req), runtime.current()
    with decided(services, "approve", deciding.by, deciding.reason, run_id=run_id):
        approve(services, run_id)
    return started(run_id)


@operation(blueprint, "api/runs/{run_id}/cancel", "POST", OPERATOR)
def cancel_run(req: func.HttpRequest) -> func.HttpResponse:
    """Stop a run: what was done stays done, the rest is not tried."""
    deciding = said(Params(req, *SAYING), json_body(req, *SAYING))
    run_id, services = run_id_of(req), runtime.current()
    with decided(services, "cancel", deciding.by, deciding.reason, run_id=run_id):
        cancel(services, run_id, "cancelled by an operator")
    return started(run_id)
