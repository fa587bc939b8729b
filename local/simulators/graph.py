"""Microsoft Graph in memory: the users listing, and the login authority that its tokens come from
(docs/contracts/msgraph.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from local.json_values import copied
from local.simulators.exchange import SimRequest, SimResponse, json_response
from local.simulators.login import Login
from local.simulators.simulator import Simulator
from shared.clock import Clock

USERS_PATH = "/v1.0/users"
DEFAULT_PAGE, LARGEST_PAGE = 100, 999
DEFAULT_FIELDS = (
    "businessPhones",
    "displayName",
    "givenName",
    "id",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
)
SELECTABLE = frozenset(
    {*DEFAULT_FIELDS, "accountEnabled", "companyName", "department", "employeeHireDate", "employeeId"}
    | {"employeeType", "userType"}
)
ENABLED_FILTER = re.compile(r"accountEnabled eq (true|false)\Z")
Record = dict[str, Any]


class BadQuery(ValueError):
    """A query that Graph answers 400; carries the error's code beside its text."""

    def __init__(self, text: str, code: str = "Request_BadRequest") -> None:
        super().__init__(text)
        self.code = code


class GraphSimulator(Simulator):
    """One tenant's directory and its login; `forbidden` True withdraws the permission (403)."""

    def __init__(self, clock: Clock, *, tenant: str, client_id: str, client_key: str) -> None:
        super().__init__(clock)
        self.login = Login(clock, tenant=tenant, client_id=client_id, client_key=client_key)
        self.forbidden = False
        self._users: list[Record] = []

    def replace_users(self, users: Iterable[Record]) -> None:
        """Put other accounts in place."""
        with self._lock:
            self._users = copied(list(users))

    def _admit(self, request: SimRequest) -> SimResponse | None:
        if self.login.serves(request.path):
            return None
        if not self.login.accepts(request.headers.get("Authorization")):
            return _error(
                401, "InvalidAuthenticationToken", "Access token is empty, expired or invalid.", request
            )
        if self.forbidden:
            return _error(403, "Authorization_RequestDenied", "Insufficient privileges.", request)
        return None

    def _answer(self, request: SimRequest) -> SimResponse:
        if self.login.serves(request.path):
            return self.login.answer(request)
        if request.path != USERS_PATH:
            return _error(404, "Request_ResourceNotFound", "The resource does not exist.", request)
        if request.method != "GET":
            return _error(405, "Request_BadRequest", "The method is not allowed here.", request)
        try:
            return json_response(200, self._page(request))
        except BadQuery as error:
            return _error(400, error.code, str(error), request)

    def _page(self, request: SimRequest) -> dict[str, Any]:
        fields, size, start = _fields(request), _size(request), _start(request)
        users = self._selected(request)
        end = start + size
        page: dict[str, Any] = {
            "@odata.context": f"{request.root}/v1.0/$metadata#users({','.join(fields)})",
            "value": [_chosen(user, fields) for user in users[start:end]],
        }
        if end < len(users):
            query = {**request.query, "$skiptoken": f"from-{end}"}
            page["@odata.nextLink"] = f"{request.root}{USERS_PATH}?{urlencode(query)}"
        return page

    def _selected(self, request: SimRequest) -> list[Record]:
        condition = request.query.get("$filter")
        if condition is None:
            return self._users
        match = ENABLED_FILTER.match(condition)
        if match is None:
            raise BadQuery("Unsupported or invalid query filter clause.", "Request_UnsupportedQuery")
        return [user for user in self._users if user.get("accountEnabled") is (match[1] == "true")]


def _chosen(user: Any, fields: tuple[str, ...]) -> Any:
    # A company may hold what no account is.
    return {name: user.get(name) for name in fields} if isinstance(user, dict) else user


def _fields(request: SimRequest) -> tuple[str, ...]:
    wanted = request.query.get("$select")
    if wanted is None:
        return DEFAULT_FIELDS
    fields = tuple(name.strip() for name in wanted.split(","))
    for name in fields:
        if name not in SELECTABLE:
            raise BadQuery(f"Could not find a property named '{name}'.")
    return fields


def _size(request: SimRequest) -> int:
    raw = request.query.get("$top", str(DEFAULT_PAGE))
    if not raw.isdecimal() or not 1 <= int(raw) <= LARGEST_PAGE:
        raise BadQuery(f"Invalid page size specified: '{raw}'. Must be between 1 and 999 inclusive.")
    return int(raw)


def _start(request: SimRequest) -> int:
    if "$skip" in request.query:
        raise BadQuery("'$skip' is not supported by the service.")
    raw = request.query.get("$skiptoken", "from-0")
    if not re.fullmatch(r"from-[0-9]+", raw):
        raise BadQuery("The skip token is not valid.")
    return int(raw.removeprefix("from-"))


def _error(status: int, code: str, text: str, request: SimRequest) -> SimResponse:
    inner = {
        "date": "2025-01-01T00:00:00",
        "request-id": "00000000-0000-0000-0000-000000000000",
        "client-request-id": request.headers.get("client-request-id"),
    }
    return json_response(status, {"error": {"code": code, "message": text, "innerError": inner}})
