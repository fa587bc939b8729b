"""The rules: what is in force, what was before, and putting others in force."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import azure.functions as func

from functions.access import APPROVER, OPERATOR, VIEWER, operation
from functions.api_input import LARGEST_BODY_BYTES, Params, json_body, run_id_of
from functions.deciding import SAYING, said
from functions.responses import BadRequest, Problem, json_response, started
from shared import runtime
from shared.errors import ConfigurationError
from shared.queries import rules
from shared.queries.openapi.requests import MOST_VERSIONS
from shared.queries.rules_preview import preview_request, rules_preview
from shared.sync.decisions.rules import push, roll_back
from shared.sync.documents.runs import get_run
from shared.sync.planning.rules_in_force import effective_rules
from shared.sync.rules.fields import MOST_BYTES
from shared.sync.runs.requests import request_run
from shared.sync.services import Services

blueprint = func.Blueprint()

LARGEST_BODY = 3 * MOST_BYTES + LARGEST_BODY_BYTES
"""JSON needs up to three bytes for one of a letter; and the other members."""
SHORTER = "A file of rules has 256 KB at most."
HOW_TO_CHECK = (
    "safetyamp-sync rules check FILE names all of it with lines; docs/rules.md explains every word."
)


@operation(blueprint, "api/rules", "GET", VIEWER)
def show_rules(req: func.HttpRequest) -> func.HttpResponse:
    """The rules in force, or a version of them."""
    params = Params(req, "version")
    return json_response(rules.rules(runtime.current(), _number(params, "version")))


@operation(blueprint, "api/rules/history", "GET", VIEWER)
def list_rules(req: func.HttpRequest) -> func.HttpResponse:
    """What was pushed, by whom and why, newest first."""
    Params(req)
    return json_response(rules.history(runtime.current()))


@operation(blueprint, "api/rules/diff", "GET", VIEWER)
def compare_rules(req: func.HttpRequest) -> func.HttpResponse:
    """What two versions say otherwise."""
    params = Params(req, "a", "b")
    a, b = _number(params, "a"), _number(params, "b")
    if a is None:
        raise BadRequest("a must be the number of a version, such as 0 for the default file")
    return json_response(rules.diff(runtime.current(), a, b))


@operation(blueprint, "api/rules", "POST", APPROVER)
def push_rules(req: func.HttpRequest) -> func.HttpResponse:
    """Put other rules in force: for runs that begin from now on."""
    body = json_body(req, "text", "after", *SAYING, most_bytes=LARGEST_BODY, hint=SHORTER)
    deciding, services = said(Params(req, *SAYING), body), runtime.current()
    text, after = _text(body), _after(body)
    with _told(services):
        return json_response(rules.put(push(services, text, deciding.by, deciding.reason, after)))


@operation(blueprint, "api/rules/rollback", "POST", APPROVER)
def roll_back_rules(req: func.HttpRequest) -> func.HttpResponse:
    """Put a former version in force again, as a new one."""
    body = json_body(req, "version", "after", *SAYING)
    deciding, services = said(Params(req, *SAYING), body), runtime.current()
    number, after = _number_of(body.get("version"), "version"), _after(body)
    with _told(services):
        return json_response(rules.put(roll_back(services, number, deciding.by, deciding.reason, after)))


@operation(blueprint, "api/rules/preview", "POST", OPERATOR)
def preview_rules(req: func.HttpRequest) -> func.HttpResponse:
    """Start a run that only plans, under rules that are not in force."""
    body = json_body(req, "text", most_bytes=LARGEST_BODY, hint=SHORTER)
    Params(req)
    text, services = _text(body), runtime.current()
    with _told(services):
        effective_rules(services.settings, text)
    return started(request_run(services, preview_request(services.documents, text)))


@operation(blueprint, "api/rules/preview/{run_id}", "GET", VIEWER)
def show_rules_preview(req: func.HttpRequest) -> func.HttpResponse:
    """What such a run would do."""
    Params(req)
    services = runtime.current()
    return json_response(rules_preview(services, get_run(services.documents, run_id_of(req))))


def _text(body: dict[str, Any]) -> str:
    text = body.get("text")
    if not isinstance(text, str) or not text.strip():
        raise BadRequest("text must be the text of a rules.toml", HOW_TO_CHECK)
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise BadRequest("text has half a character, which nothing can store") from None
    if size > MOST_BYTES:
        detail = f"the rules have {size} bytes, at most {MOST_BYTES} are taken"
        raise Problem(413, "Too large", detail, SHORTER)
    return text


@contextmanager
def _told(services: Services) -> Iterator[None]:
    """Raises Problem with all that is wrong with the rules that are given in the block; wrong settings are no
    rules, and their error passes through."""
    _ = services.settings
    try:
        yield
    except ConfigurationError as error:
        found = [str(one) for one in error.problems]
        raise Problem(400, "Rules are wrong", "; ".join(found), HOW_TO_CHECK, problems=found) from error


def _after(body: dict[str, Any]) -> int | None:
    return None if body.get("after") is None else _number_of(body["after"], "after")


def _number_of(value: Any, name: str) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON knows one kind of number
    if type(value) is not int or not 0 <= value <= MOST_VERSIONS:
        raise BadRequest(f"{name} must be the number of a version; 0 is the default file")
    return value


def _number(params: Params, name: str) -> int | None:
    text = params.text(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MOST_VERSIONS))):
        raise BadRequest(f"{name} must be the number of a version; 0 is the default file")
    return _number_of(int(text), name)
