"""The operators' page. It holds no data: what it shows it asks the API for, with the key that it asks for, or
as whoever has signed in."""

from __future__ import annotations

import azure.functions as func

from functions.responses import html_response
from shared import runtime
from shared.dashboard.page import dashboard_page
from shared.sign_in import is_entra

blueprint = func.Blueprint()


@blueprint.route("dashboard", methods=["GET", "HEAD"], auth_level=func.AuthLevel.ANONYMOUS)
def dashboard(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the host wants the argument
    """The page."""
    page = dashboard_page("entra" if is_entra(runtime.current().environment) else "keys")
    return html_response(page.body, page.policy, cache_control="no-cache")
