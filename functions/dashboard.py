"""The operators' page. It holds no data: what it shows it asks the API for, with the key that it asks for."""

from __future__ import annotations

import azure.functions as func

from shared.dashboard.page import dashboard_page

blueprint = func.Blueprint()


@blueprint.route("dashboard", methods=["GET", "HEAD"], auth_level=func.AuthLevel.ANONYMOUS)
def dashboard(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the host wants the argument
    """The page."""
    page = dashboard_page()
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": page.policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    return func.HttpResponse(page.body, mimetype="text/html", charset="utf-8", headers=headers)
