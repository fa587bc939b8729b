"""Microsoft Graph: all user accounts of the tenant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.clients.graph_tokens import GraphTokens
from shared.clients.http.pipeline import HttpPipeline
from shared.clients.http.work import Work
from shared.clients.listings import Pages, checked_records, member
from shared.clients.receipts import Reading, Receipt
from shared.errors import AccessRefused, IncompleteRead

USER_QUERY = {"$select": "id,employeeId,mail,accountEnabled", "$top": 999}
"""employeeId and accountEnabled come only when selected; 999 is the largest page
(docs/contracts/msgraph.md#accounts). No filter: an account that somebody disabled must not look like an
employee without e-mail."""

NEXT_LINK = "@odata.nextLink"
UNAUTHORIZED = 401


class GraphClient:
    """Microsoft Graph with an application token; `pipeline` must take its headers from `tokens`.

    Errors are those of `HttpPipeline.request` and of `GraphTokens.headers`, and IncompleteRead.
    """

    def __init__(self, pipeline: HttpPipeline, tokens: GraphTokens) -> None:
        self._pipeline = pipeline
        self._tokens = tokens

    def under(self, work: Work) -> GraphClient:
        """The same client, for calls that belong to this work."""
        return GraphClient(self._pipeline.under(work), self._tokens)

    def list_users(self) -> Reading[dict[str, Any]]:
        """All accounts, enabled or not, with id, employeeId, mail and accountEnabled."""
        source = "Microsoft Graph users"
        pages = Pages(source)
        body = self._get("/users", USER_QUERY)
        links: set[str] = set()
        while True:
            pages.add(checked_records(member(body, "value", source), source))
            link = body.get(NEXT_LINK)
            if link is None:
                receipt = Receipt(source, len(pages.records), pages.count, ended="no next link")
                return Reading(pages.records, receipt)
            pages.expect_more()
            # The link is followed as it stands: it carries the parameters, and may follow an empty page
            # (docs/contracts/msgraph.md#accounts).
            body = self._get(self._checked(link, links, source))

    def first_users(self) -> list[dict[str, Any]]:
        """The first page of `list_users`: one call that shows whether the listing is allowed."""
        source = "Microsoft Graph users"
        return checked_records(member(self._get("/users", USER_QUERY), "value", source), source)

    def token(self) -> str:
        """The application's token, a secret; raises as `GraphTokens.token`."""
        return self._tokens.token()

    def _checked(self, link: Any, seen: set[str], source: str) -> str:
        if not isinstance(link, str) or not self._pipeline.owns(link):
            raise IncompleteRead(f"{source}: the next link does not lead to the host of MS_GRAPH_BASE_URL")
        if link in seen:
            raise IncompleteRead(f"{source}: the same next link came twice, the listing would not end")
        seen.add(link)
        return link

    def _get(self, path_or_url: str, params: Mapping[str, Any] | None = None) -> Any:
        """One call; a token that Graph refuses is replaced once (it may have been revoked)."""
        try:
            return self._pipeline.request("GET", path_or_url, params=params)
        except AccessRefused as error:
            if error.status_code != UNAUTHORIZED:
                raise
        self._tokens.renew()
        return self._pipeline.request("GET", path_or_url, params=params)
