"""From an HTTP answer to a JSON value or to the error that says what has to happen next. No I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from shared.errors import (
    EXCERPT_CHARACTERS,
    AccessRefused,
    Advised,
    APIError,
    InvalidRecord,
    NotFound,
    UpstreamUnavailable,
)
from shared.unreadable import readable_json

UPSTREAM_TITLES = {"safetyamp": "SafetyAmp", "samsara": "Samsara", "graph": "Microsoft Graph"}
CREDENTIALS = {
    "safetyamp": "SAFETYAMP_TOKEN and SAFETYAMP_FQDN",
    "samsara": "SAMSARA_API_KEY and its scopes Read Vehicles and Read Drivers",
    "graph": "the app registration of MS_GRAPH_CLIENT_ID: User.Read.All with admin consent",
}
"""Where an operator must look when an upstream refuses the credential."""

REQUEST_ID_HEADERS = ("request-id", "x-request-id")
REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,80}\Z")
FIELD_NAME = re.compile(r"[A-Za-z0-9_.*-]{1,60}\Z")
FIELDS_IN_TEXT = 10
MOST_FIELDS, LONGEST_NAME = 50, 60
"""Of a refusal; no record has more. Reports and outcomes hold all that is kept."""

HALF_A_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")

METHOD_NOT_ALLOWED = 405
TOO_MANY_REQUESTS = 429
REQUEST_TIMEOUT = 408
WITHOUT_BODY = (204, 205)
UPDATES = ("PUT", "PATCH", "DELETE")
"""Their success is said by the status; a body adds nothing that is needed."""
OF_THE_RECORD = (400, 422)
GONE = (404, 410)
OF_THE_CREDENTIAL = (401, 403)


@dataclass(frozen=True)
class Call:
    """What was asked, as far as it may be told: never query values, bodies or headers."""

    upstream: str
    method: str
    path: str

    @property
    def title(self) -> str:
        return UPSTREAM_TITLES.get(self.upstream, self.upstream)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Answer:
    """A complete HTTP answer; `headers` is looked up without regard to case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def request_id(self) -> str | None:
        """The upstream's name for this call, to quote to its support."""
        for name in REQUEST_ID_HEADERS:
            value = self.headers.get(name, "")
            if REQUEST_ID.match(value):
                return value
        return None

    @property
    def excerpt(self) -> str:
        """The beginning of the body; it may hold personal data, so it is for attributes, not for texts."""
        return self.body[: EXCERPT_CHARACTERS * 4].decode("utf-8", "replace")[:EXCERPT_CHARACTERS]


class NotJson(ValueError):
    """The body is not JSON; carries no part of it."""


def parse_json(body: bytes) -> Any:
    """The JSON value of a body; raises NotJson, also for values nested deeper than Python can follow.

    Characters that cannot be read are replaced: they cost their value, not the answer.
    """
    try:
        written = body.decode(json.detect_encoding(body), "replace")
        value = json.loads(written)
        # Only an escape can spell half a character now; hardly any answer has one.
        return readable_json(value) if HALF_A_CHARACTER.search(written) else value
    except (ValueError, RecursionError):
        raise NotJson from None


def value_of(call: Call, answer: Answer) -> Any:
    """The JSON value of a successful answer, None for one that has no body (204, or of an update).

    Raises the APIError that fits any other answer, except for 429, which is the caller's.
    """
    if answer.status >= 500 or answer.status < 200 or answer.status == REQUEST_TIMEOUT:
        raise unavailable(call, answer)
    if not 200 <= answer.status < 300:
        raise _refusal(call, answer)
    if answer.status in WITHOUT_BODY or (call.method in UPDATES and not answer.body.strip()):
        return None
    try:
        return parse_json(answer.body)
    except NotJson:
        raise unavailable(call, answer, " with a body that is not JSON") from None


def unavailable(call: Call, answer: Answer, detail: str = "") -> UpstreamUnavailable:
    """The error for an answer that says the upstream is not itself."""
    text = _text(call, answer, detail)
    return UpstreamUnavailable(text, answer.status, answer.excerpt, upstream=call.upstream)


def _refusal(call: Call, answer: Answer) -> APIError:
    if answer.status in OF_THE_CREDENTIAL:
        advice = f"check {CREDENTIALS.get(call.upstream, 'the credential')}{_request_id(answer)}"
        text = Advised(_answered(call, answer), advice)
        return AccessRefused(text, answer.status, answer.excerpt, upstream=call.upstream)
    # "Gone" of a POST is no refusal: it can be the new record that was not found when it was read back.
    if answer.status in OF_THE_RECORD or (answer.status in GONE and call.method != "POST"):
        return _record_refusal(call, answer)
    hint = ": redirects are not followed, check the base URL" if answer.status < 400 else ""
    if call.method == "POST":
        # No refusal that is known to do nothing: who answered so, and what was done before, is not known.
        return unavailable(call, answer, hint)
    return APIError(_text(call, answer, hint), answer.status, answer.excerpt, upstream=call.upstream)


def _record_refusal(call: Call, answer: Answer) -> APIError:
    """These statuses change what is known of a record, so the API itself must have said them: an HTML page
    with 404 comes from a gateway in front of it and says nothing about the record."""
    try:
        body = parse_json(answer.body)
    except NotJson:
        return unavailable(call, answer, " with a body that is not JSON")
    if answer.status in GONE:
        return NotFound(_text(call, answer), answer.status, answer.excerpt, upstream=call.upstream)
    errors = field_errors(body)
    return InvalidRecord(
        _text(call, answer, _field_names(errors)),
        answer.status,
        answer.excerpt,
        upstream=call.upstream,
        field_errors=errors,
    )


def field_errors(body: Any) -> dict[str, list[str]]:
    """Field to texts from Laravel's `errors` (docs/contracts/safetyamp.md#errors), bounded; {} for any other
    shape."""
    errors = body.get("errors") if isinstance(body, dict) else None
    if not isinstance(errors, dict):
        return {}
    return {str(name)[:LONGEST_NAME]: _texts(texts) for name, texts in islice(errors.items(), MOST_FIELDS)}


def _texts(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for text in value if isinstance(text, str)]
    return [value] if isinstance(value, str) else []


def _field_names(errors: Mapping[str, list[str]]) -> str:
    names = sorted(name for name in errors if FIELD_NAME.match(name))[:FIELDS_IN_TEXT]
    return f": fields {', '.join(names)}" if names else ""


def _text(call: Call, answer: Answer, detail: str = "") -> str:
    return f"{_answered(call, answer)}{detail}{_request_id(answer)}"


def _answered(call: Call, answer: Answer) -> str:
    return f"{call.title} answered {answer.status} to {call}"


def _request_id(answer: Answer) -> str:
    return f" (request id {answer.request_id})" if answer.request_id else ""
